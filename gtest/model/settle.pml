/* Remote frees, and who looks at a slab when: a model for Spin of what core/settle.c, core/map.c and core/outbox.c do.
 *
 * One slab of WORDS x WORD_SLOTS slots, HEAPS owners that may take it from the pool, two threads that free its slots
 * from outside. It lives LIVES times (a life begins when it is taken from the pool); in each life TAKES words of what
 * was freed are allocated again. With EXITS an owner's thread may exit at any time, and another adopts the heap; with
 * TAKING_OVER, the other heap's owner may take over what the heap has available, before anybody adopts it.
 *
 * An atomic block is one access to memory that others look at, together with what only the process itself or the holder
 * of the lock can see. A process may stop for ever between any two of them. Memory is sequentially consistent here.
 *
 * Checked at every step:
 *     one hand    what is allocated was free, what is freed was allocated, and nothing else happens to a slot
 *     untouched   whoever is freeing a slot never finds the slab given back, or in its next life, under its hands
 *     empty       a slab is given back only when the program holds none of its slots
 * Checked whenever no process is between two steps of something (so also when all sleep for ever from there on):
 *     found       a granted slot is with the program, in the owner's map, or in the remote map where a search finds it
 *     noticed     a slab that is empty has been given back. One exception: the last free was the owner's own and under way
 *                 when the owner was called, and the slab is on the revisit list, for the owner's next slow path
 *     at rest     no lock is held, every push is counted, and the threshold is one that not every push passes
 *
 * Each rule is needed: with any of these flags, which leave one out, the model must fail.
 *     WITHOUT_ANNOUNCEMENT  who looks does not first make every push pass
 *     WITHOUT_HALVING       the owner waits for all that is out, not for half of it
 *     WITHOUT_COUNTDOWN     a pusher does not allow for what the owner's threshold leaves to local frees
 *     WITHOUT_REVISIT       a pusher does not put a slab on the revisit list
 *     WITHOUT_CALL          nor does it call the owner, to look before its next free
 *     WITHOUT_OWNER_CHECK   a pusher does not look again, with the lock held, whose slab it is
 *     FOR_ANY_OWNER         an owner who finds the slab in another heap by now looks as if it were his
 *     TAKEN_OVER_AT_WORK    a slab is taken over although the thread whose it was is freeing a slot
 *     WITHOUT_CLEARING      the next life does not clear the remote words before it grants their slots
 *     WITHOUT_UNTAKING      an owner that exits does not put back the words it took out of a group
 *     COUNT_PUSH_FIRST      a push is counted before it can be found
 *     COUNT_FREE_FIRST      an owner's free is counted before it is made
 *     READ_FREED_FIRST and WITHOUT_RECOUNT together: a pusher that looks reads freed_count before pushed, and not once
 *         more when its threshold is set. Either alone holds; the engine reads pushed first and recounts.
 *
 * Explored to the end without an error (Spin 6.5.2, one core at about 0.8 million states per second; -DCOLLAPSE):
 *     (no flags)                         1.8 million states, 0.6 GB
 *     LIVES=2 EXITS                     36.7 million, 2.1 GB            a test
 *     HEAPS=2 LIVES=2 TAKES=0            9.9 million, 0.9 GB            a test
 *     HEAPS=2 TAKING_OVER EXITS          8.1 million, 0.8 GB            a test
 */
#ifndef WORDS
#define WORDS 2
#endif
#ifndef WORD_SLOTS
#define WORD_SLOTS 2
#endif
#ifndef RIPE
#define RIPE 2
#endif
#ifndef HEAPS
#define HEAPS 1
#endif
#ifndef LIVES
#define LIVES 1
#endif
#ifndef TAKES
#define TAKES 1
#endif

/* ---- sets of slots and counts ----------------------------------------------------------------------------------- */

#define CAPACITY (WORDS * WORD_SLOTS)
#define FULL_WORD ((1 << WORD_SLOTS) - 1)
#define WORD_OF(set, word) (((set) >> ((word) * WORD_SLOTS)) & FULL_WORD)
#define SET_OF(bits, word) ((bits) << ((word) * WORD_SLOTS))
#define BIT(set, i) (((set) >> (i)) & 1)
#define COUNT(set) (BIT(set, 0) + BIT(set, 1) + BIT(set, 2) + BIT(set, 3) + BIT(set, 4) + BIT(set, 5))
#define LOWEST(set) ((set) & ~((set) - 1))

/* Counts of pushes wrap, as the engine's do; what is compared is their signed distance. */
#define WRAP 16
#define DISTANCE(a, b) ((((a) - (b) + WRAP + WRAP / 2) % WRAP) - WRAP / 2)
#define EVER 7           /* a distance that no push covers */
#define SETTLE_NEVER 255 /* a number of local frees that is never reached */
#define NOBODY 255

/* ---- what the engine stores ------------------------------------------------------------------------------------- */

mtype = { POOLED, CURRENT, PARKED, AVAILABLE };

mtype state = POOLED; /* under the lock of the heap that owns the slab */
byte owner = NOBODY;  /* slab.bin: which heap; changed under its lock, read by anybody */
bool locked[2];       /* the heaps' locks */
bool revisit;         /* on the owner's revisit list; under the lock */
bool called;          /* the mark in slab.bin: the owner is to look before it frees; under the lock, the owner reads it */

byte own_free;        /* slab.local: the slots that the owner freed; owner only */
byte freed_count;     /* how many; the owner writes it, only up while the slab is not current; read under the lock */
byte settle_at;       /* the freed_count at which the owner looks; the owner, under the lock */
byte granted;         /* words whose slots were ever handed out; owner only while current */

byte word_bits[WORDS]; /* slab.remote: the slots that others freed; any thread */
byte group;           /* a bit per non-empty word; any thread */
bit top;              /* whether the group is not empty; any thread */
byte group_taken;     /* words that the owner took out of the group and did not empty yet; owner only */

byte pushed;          /* slots that others freed, counted; any thread; goes on from life to life */
byte popped;          /* slots that the owner collected of them; owner only while current; may be ahead of pushed */
byte notify_at;       /* the count of pushes at which a pusher looks; under the lock, read by any thread */
bool notify_all;      /* notify_at is a value that every push passes */

/* ---- what the model alone knows --------------------------------------------------------------------------------- */

byte in_program;      /* the slots that the program has */
byte life;            /* how often the slab was taken from the pool */
byte taken;           /* words allocated again in this life */
byte busy;            /* processes between two steps of something */
bool at_work[2];      /* the owners among them */
bool last_free_own;   /* the last free that was counted was the owner's */
bool missed;          /* and the owner was called while that was under way */
bool yielded;         /* it gave a slot since it was last made current */

#define IDLE (state == PARKED || state == AVAILABLE)
#define WAITING DISTANCE(pushed, popped) /* signed: a slot may be collected before it is counted */
#define COLLECTABLE (pushed != popped) /* as far as the owner asks: one who has not counted may hide others' slots */
#define UNUSED (CAPACITY - granted * WORD_SLOTS)
#define STILL_MINE(born) assert(life == (born) && state != POOLED)

/* Every process has these. FINISH forgets them, so that states which differ in nothing that matters are one state. */
#define VARIABLES byte word, bits, old, now, freed, born, locking, need; bool dry, second, calls
#define FORGET word = 0; bits = 0; old = 0; now = 0; freed = 0; born = 0; locking = 0; need = 0; dry = false; \
    second = false; calls = false
#define FINISH FORGET; busy--; goto idle
#define START_OWN busy++; at_work[me] = true
#define FINISH_OWN at_work[me] = false; FINISH

#ifndef TAKEN_OVER_AT_WORK
#define NOBODYS(heap) (!at_work[heap])
#else
#define NOBODYS(heap) true
#endif

/* Used within one step only. */
hidden short out, usable, missing, countdown;

/* ---- looking at a slab, with the lock held ---------------------------------------------------------------------- */

inline let_every_push_pass() {
#ifndef WITHOUT_ANNOUNCEMENT
    notify_all = true
#else
    skip
#endif
}

/* From `now` (pushed) and `freed` (freed_count), both read before: gives the slab back, or lists it where that is due,
 * and finds how many frees are missing until somebody has to look again. */
inline judge() {
    out = CAPACITY - (freed + DISTANCE(now, popped) + UNUSED);
    usable = freed + UNUSED + (DISTANCE(now, popped) > 0 -> DISTANCE(now, popped) : 0);
    assert(out >= 0 && usable <= CAPACITY);
    if
    :: out == 0 ->
        assert(in_program == 0);
        state = POOLED; owner = NOBODY; revisit = false; called = false;
        own_free = 0; freed_count = 0; settle_at = 0; granted = 0; group_taken = 0; popped = 0;
        taken = 0; last_free_own = false; missed = false; yielded = false;
        locked[locking] = false;
        FINISH
    :: else
    fi;
    if
    :: state == PARKED && usable >= RIPE && !dry -> state = AVAILABLE
    :: else
    fi;
    missing = (state == PARKED && usable < RIPE && RIPE - usable < out -> RIPE - usable : out)
}

/* The owner looks: it knows its own frees exactly, and arms both thresholds. */
inline look_as_owner() {
    atomic { at_work[me] = false; let_every_push_pass() } /* the lock says so from here on */
    atomic {
        now = pushed; freed = freed_count;
        judge();
        revisit = false; called = false;
#ifndef WITHOUT_HALVING
        need = (out + 1) / 2;
#else
        need = out;
#endif
        need = (missing < need -> missing : need);
        need = (need < 1 -> 1 : need)
    }
    atomic {
        settle_at = freed + need;
        notify_at = (now + (dry -> 1 : need)) % WRAP; notify_all = false;
        locked[locking] = false;
        FINISH
    }
}

/* Anybody else looks: what he sees of the owner's frees may be too low, and he can arm the remote threshold only. */
inline look_as_pusher() {
    atomic { let_every_push_pass() }
#ifdef READ_FREED_FIRST
    atomic { freed = freed_count }
    atomic {
        now = pushed;
#else
    atomic { now = pushed }
    atomic {
        freed = freed_count;
#endif
        judge();
        countdown = settle_at - freed;
        calls = (countdown <= 0 || countdown > out);
#ifndef WITHOUT_REVISIT
        revisit = (revisit || calls);
#endif
#ifndef WITHOUT_COUNTDOWN
        need = (countdown <= 0 || countdown >= missing -> 1 : missing - countdown + 1)
#else
        need = missing
#endif
    }
#ifndef WITHOUT_CALL
    if
    :: calls -> atomic { called = true; calls = false }
    :: else
    fi;
#endif
    atomic {
        notify_at = (now + need) % WRAP; notify_all = false;
        now = 0; need = 0; freed = 0; calls = false
    }
#ifndef WITHOUT_RECOUNT
    atomic { freed = freed_count }
    atomic {
        if
        :: freed + WAITING + UNUSED == CAPACITY && !second ->
            freed = 0; second = true; goto look
        :: else
        fi
    }
#endif
    atomic { locked[locking] = false; FINISH }
}

/* ---- a thread that frees slots of the slab and does not own it --------------------------------------------------- */

proctype Pusher() {
    VARIABLES;
end:
idle:
    do
    :: atomic {
        in_program != 0 ->
        busy++; born = life;
        if :: word = 0 :: word = 1 fi;
        bits = WORD_OF(in_program, word);
        if
        :: bits == 0 -> FINISH
        :: bits != 0 -> bits = LOWEST(bits)
        :: bits == FULL_WORD /* an outbox with several slots */
        fi;
        in_program = in_program & ~SET_OF(bits, word)
    }
#ifdef COUNT_PUSH_FIRST
    atomic { pushed = (pushed + COUNT(bits)) % WRAP; now = pushed; last_free_own = false; missed = false }
#endif
    atomic {
        STILL_MINE(born);
        old = word_bits[word];
        assert((old & bits) == 0);
        word_bits[word] = old | bits
    }
    if
    :: old == 0 ->
        atomic { STILL_MINE(born); old = group; assert(!BIT(old, word)); group = old | (1 << word) }
        if
        :: old == 0 -> atomic { STILL_MINE(born); assert(top == 0); top = 1 }
        :: else
        fi
    :: else
    fi;
#ifndef COUNT_PUSH_FIRST
    atomic {
        STILL_MINE(born);
        pushed = (pushed + COUNT(bits)) % WRAP; now = pushed; last_free_own = false; missed = false;
        word = 0; bits = 0; old = 0; born = 0
    }
#endif
    atomic {
        if
        :: notify_all || DISTANCE(now, notify_at) >= 0
        :: else -> FINISH
        fi
    }
    atomic {
        locking = owner;
        if
        :: locking == NOBODY -> FINISH
        :: else
        fi
    }
    atomic {
        !locked[locking] -> locked[locking] = true;
        if
#ifndef WITHOUT_OWNER_CHECK
        :: owner != locking -> locked[locking] = false; FINISH
#endif
        :: owner == locking && state == CURRENT ->
            notify_at = (pushed + EVER) % WRAP; locked[locking] = false; FINISH
        :: IDLE && !notify_all && DISTANCE(now, notify_at) < 0 -> locked[locking] = false; FINISH
        :: else
        fi;
        now = 0
    }
look:
    look_as_pusher()
    od
}

/* ---- a heap's owner ---------------------------------------------------------------------------------------------- */

proctype Owner(byte me) {
    VARIABLES;
end:
idle:
    do
    /* takes the slab from the pool */
    :: atomic {
        owner == NOBODY && life < LIVES && !locked[me] ->
        life++; owner = me; state = CURRENT;
        settle_at = SETTLE_NEVER; notify_at = (pushed + EVER) % WRAP; notify_all = false; popped = pushed;
        group = 0; top = 0; yielded = true;
        assert(!revisit && !called)
    }

    /* allocates from the current slab: a word that was freed locally */
    :: atomic {
        owner == me && state == CURRENT && own_free != 0 && taken < TAKES ->
        taken++; yielded = true;
        word = (WORD_OF(own_free, 0) != 0 -> 0 : 1);
        bits = SET_OF(WORD_OF(own_free, word), word);
        assert((in_program & bits) == 0);
        own_free = own_free & ~bits; in_program = in_program | bits;
        freed_count = freed_count - COUNT(bits);
        FORGET
    }

    /* a word that was freed remotely, of the group taken or of the next */
    :: atomic {
        owner == me && state == CURRENT && own_free == 0 && taken < TAKES && COLLECTABLE &&
        (group_taken != 0 || top != 0) ->
        taken++; START_OWN;
        if
        :: group_taken != 0 -> goto collect_word
        :: else -> top = 0
        fi
    }
    atomic { group_taken = group; group = 0; assert(group_taken != 0) }
collect_word:
    atomic {
        word = (BIT(group_taken, 0) -> 0 : 1);
        group_taken = group_taken & (group_taken - 1);
        bits = word_bits[word]; word_bits[word] = 0;
        assert(bits != 0);
        popped = (popped + COUNT(bits)) % WRAP;
        bits = SET_OF(bits, word);
        assert((in_program & bits) == 0 && (own_free & bits) == 0);
        in_program = in_program | bits; yielded = true;
        FINISH_OWN
    }

    /* a word of slots never used in this life */
    :: atomic {
        owner == me && state == CURRENT && own_free == 0 && (group_taken == 0 || !COLLECTABLE) && granted < WORDS ->
#ifndef WITHOUT_CLEARING
        word_bits[granted] = 0;
#endif
        in_program = in_program | SET_OF(FULL_WORD, granted);
        granted++; yielded = true
    }

    /* parks the current slab when nothing more comes out of it */
    :: atomic {
        owner == me && state == CURRENT && own_free == 0 && (group_taken == 0 && top == 0 || !COLLECTABLE) &&
        granted > 0 ->
        START_OWN; dry = !yielded
    }
    goto park

#ifdef EXITS
    /* exits: what it has not emptied of a group is put back, and the slab is parked as it is. (Slots that it holds and
     * has not handed out are free again; to the model that is a free like any other, before.) */
    :: atomic {
        owner == me && state == CURRENT && granted > 0 ->
        START_OWN;
        if
        :: group_taken == 0 -> goto park
#ifndef WITHOUT_UNTAKING
        :: else -> old = group; group = group | group_taken; group_taken = 0
#else
        :: else -> group_taken = 0; goto park
#endif
        fi
    }
    if
    :: old == 0 -> atomic { assert(top == 0); top = 1 }
    :: else -> old = 0
    fi;
    goto park
#endif

    /* takes up the available slab */
    :: atomic {
        owner == me && state == AVAILABLE && !locked[me] ->
        state = CURRENT; revisit = false; called = false; yielded = false;
        settle_at = SETTLE_NEVER; notify_at = (pushed + EVER) % WRAP; notify_all = false
    }

#ifdef TAKING_OVER
    /* takes over what the other heap has available: that one's thread has ended, and nobody adopts it meanwhile */
    :: atomic {
        owner == 1 - me && state == AVAILABLE && !locked[1 - me] && NOBODYS(1 - me) ->
        owner = me; state = CURRENT; revisit = false; called = false; yielded = false;
        settle_at = SETTLE_NEVER; notify_at = (pushed + EVER) % WRAP; notify_all = false
    }
#endif

    /* serves its revisit list, on a slow path of whatever class; or is about to free a slot, and finds that it is called */
    :: atomic { owner == me && (revisit || (called && in_program != 0)) && !locked[me] ->
        START_OWN; locked[me] = true; locking = me
    }
    goto look

    /* frees a slot of its own: the slot first, the count last */
    :: atomic {
        owner == me && in_program != 0 && !called ->
        START_OWN; born = life;
        if :: word = 0 :: word = 1 fi;
        bits = WORD_OF(in_program, word);
        if
        :: bits == 0 -> FINISH_OWN
        :: else -> bits = SET_OF(LOWEST(bits), word)
        fi;
        word = 0;
        in_program = in_program & ~bits;
#ifdef COUNT_FREE_FIRST
        freed_count++
    }
    atomic {
        STILL_MINE(born); freed_count--;
#endif
        own_free = own_free | bits; bits = 0
    }
    atomic {
        STILL_MINE(born); assert(owner == me); born = 0;
        freed_count++; last_free_own = true; missed = called;
        if
        :: freed_count == settle_at
        :: else -> FINISH_OWN
        fi
    }
    atomic {
        locking = owner;
        if
        :: locking == NOBODY -> FINISH_OWN
        :: else
        fi
    }
    atomic {
        !locked[locking] -> locked[locking] = true;
        if
        :: owner != locking || !IDLE -> locked[locking] = false; FINISH_OWN
#ifndef FOR_ANY_OWNER
        :: locking != me -> locked[locking] = false; FINISH_OWN
#endif
        :: else -> goto look
        fi
    }
    od;
park:
    atomic { !locked[me] -> locked[me] = true; locking = me; state = PARKED }
look:
    look_as_owner()
}

/* ---- what holds whenever nobody is between two steps ------------------------------------------------------------- */

#define ALL_FREE_OR_HELD(word) \
    (WORD_OF(in_program, word) | WORD_OF(own_free, word) | word_bits[word]) == FULL_WORD && \
    COUNT(WORD_OF(in_program, word)) + COUNT(WORD_OF(own_free, word)) + COUNT(word_bits[word]) == WORD_SLOTS
#define FOUND(word) ((word_bits[word] != 0) == (BIT(group, word) || BIT(group_taken, word)))
#define REMOTE(word) (granted > word -> COUNT(word_bits[word]) : 0)

proctype Observer() {
end:
    do
    :: d_step {
        busy == 0 && state != POOLED ->
        assert(granted <= 0 || (ALL_FREE_OR_HELD(0) && FOUND(0)));
        assert(granted <= 1 || (ALL_FREE_OR_HELD(1) && FOUND(1)));
        assert((group != 0) == (top != 0));
        assert(freed_count == COUNT(own_free) && WAITING == REMOTE(0) + REMOTE(1));
        assert(!locked[0] && !locked[1] && !notify_all);
        assert(!IDLE || in_program != 0 || (revisit && last_free_own && missed))
    }
    od
}

init {
    atomic {
        run Owner(0);
#if HEAPS > 1
        run Owner(1);
#endif
        run Pusher();
        run Pusher();
        run Observer()
    }
}
