/* A family's reset against frees by other threads: a model for Spin of what core/cold.c and core/settle.c do with a family's slots.
 *
 * One slab of SLOTS slots, all handed out by the family's heap. Two threads free one each, as any thread may, and say so to the
 * program, which then resets the family: its slab leaves the heap, whatever its slots. Another heap takes the slab for its next life, hands the slots out anew,
 * and one of the threads frees one of these. The owner collects what the remote map says.
 *
 * An atomic block is one access to memory that others look at. Memory is sequentially consistent here.
 *
 * Checked at every step:
 *     one hand   what the owner collects was freed in this life of its slab; what is handed out is in nobody's hands
 *     counted    the slots collected are never more than those pushed in this life
 *
 * Each rule is needed: with any of these flags, which leave one out, the model must fail.
 *     WAITING           a thread keeps a family's slot in its outbox, to push it later with others
 *     HELD_BACK         a thread keeps the slot to hand it out itself
 *     WITHOUT_CLEARING  the next life does not clear the remote words of a slab that a reset took away
 *     WITHOUT_COUNTING  nor begins with what was pushed so far as collected
 */
#define SLOTS 3

byte hands[SLOTS];    /* how many have the slot: 0 or 1, or something is wrong */
bit freed[SLOTS];     /* in this life */
bit remote[SLOTS];    /* the remote map */
byte pushed, popped;
byte done;            /* threads that have freed and said so */
bit is_used;          /* the remote map is not known to be zero */
byte life = 1;
bit is_open;          /* the second life has handed its slots out */

inline push(slot)
{
    atomic { assert(!remote[slot]); remote[slot] = 1 }
    atomic { pushed++ }
}

proctype thread(byte slot)
{
    byte kept = SLOTS;
    atomic { hands[slot]--; freed[slot] = 1 }
#if defined(WAITING) || defined(HELD_BACK)
    kept = slot;
#else
    push(slot);
#endif
    atomic { done++ }
    if
    :: slot == 0 ->
        is_open; /* a slot of the next life comes its way */
#ifdef WAITING
        push(kept);
#endif
#ifdef HELD_BACK
        atomic { hands[kept]++; assert(hands[kept] == 1) }
#endif
        atomic { assert(hands[2] == 1); hands[2]--; freed[2] = 1 }
        push(2)
    :: else
#ifdef WAITING
        push(kept)
#endif
    fi
}

proctype program()
{
    byte i, found;
    done == 2;
    /* The reset: nobody is in a function of the family's any more. */
    atomic {
        for (i : 0 .. SLOTS - 1) { hands[i] = 0; freed[i] = 0 }
        is_used = 1;
        life = 2
    }
    /* The next life, in another heap. */
#ifndef WITHOUT_COUNTING
    atomic { popped = pushed }
#endif
#ifndef WITHOUT_CLEARING
    atomic { if :: is_used -> for (i : 0 .. SLOTS - 1) { remote[i] = 0 } :: else fi }
#endif
    atomic {
        for (i : 0 .. SLOTS - 1) { assert(hands[i] == 0); hands[i] = 1 }
        is_open = 1
    }
    /* The owner looks whenever it likes: counts say whether there is something, bits say what. */
    do
    :: atomic {
        pushed != popped ->
        found = 0;
        for (i : 0 .. SLOTS - 1) {
            if
            :: remote[i] -> remote[i] = 0; found++; assert(freed[i]); freed[i] = 0; hands[i]++; assert(hands[i] == 1)
            :: else
            fi
        }
        popped = popped + found;
        assert(found != 0); /* what is counted is found: bits come first */
        if :: found == 1 -> break :: else fi
    }
    od
}

init { atomic {
    byte i;
    for (i : 0 .. SLOTS - 1) { hands[i] = 1 }
    run thread(0); run thread(1); run program()
} }
