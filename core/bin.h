/* The hot path: one allocation and one free, whole on this screen.
 *
 * A bin is what one heap knows about one size class. It allocates from
 *
 *     bin.recent   the slots freed last, a few of them, the last one first; of whatever slab
 *     bin.mask     up to 64 free slots of one map word of the current slab, as bits
 *     bin_refill   out of line: fills bin.mask again
 *
 * A free finds the slab in the slot's address. slab->bin == bin says three things in one compare: this thread owns the
 * slab, the size passed is of the right class, and (later) of the right family. Everything else is free_cold's.
 *
 * What is freed goes to bin.recent, or as a bit to slab.local. Neither touches the slot: what is freed and allocated in turn
 * costs one cache miss, the program's own.
 */
#ifndef ALLOC_BIN_H
#define ALLOC_BIN_H

#include "slab.h"

#define HOT __attribute__((always_inline)) static inline

/* Slots held back per bin, as many as have so many bytes; their slabs cannot be given back meanwhile. */
#define RECENT_MAX   4
#define RECENT_BYTES 32768

struct bin {
    _Alignas(64) uint32_t room;   /* how many more slots it holds back: recent[room] is the one freed last */
    uint32_t misaligned;          /* the bits that are 0 in the address of each of its slots */
    void *recent[RECENT_MAX + 1]; /* filled from where room begins down to 0; all others are NULL */
    uint32_t slot_size;           /* bytes; 0 in a bin never used */
    uint32_t reciprocal;          /* of slot_size */
    uint32_t below;               /* slot_size of the class before this one: what is larger has no smaller slot */
    _Alignas(64) uint64_t mask;   /* free slots of the word taken: bit i is the slot at base + i * slot_size */
    char *base;                   /* address of the word's first slot */
    struct slab *current;
    /* under the heap's lock */
    slab_list available; /* slabs worth taking up again */
    slab_list swept;     /* those of them of whose memory some is gone, see sweep.h: taken up last */
    /* Slabs owned, of the first kinds and large ones; read without the lock; they wrap, which does no harm. */
    _Atomic uint16_t first_owned;
    _Atomic uint16_t large_owned;
};

_Static_assert(sizeof(struct bin) == 128, "two cache lines per bin, a shift away from its class");

/* Refills bin.mask and allocates; finds a heap for a thread that has none. NULL with ENOMEM. */
void *bin_refill(struct bin *bin);

/* Whatever bin_free does not do itself: other threads' slots, misuse. */
void free_cold(void *p, size_t size, size_t align);

HOT void *bin_pop_mask(struct bin *bin)
{
    char *slot = bin->base + (size_t)__builtin_ctzll(bin->mask) * bin->slot_size;
    bin->mask &= bin->mask - 1;
    return slot;
}

static inline bool bin_is_empty(const struct bin *bin) { return bin->mask == 0; }

HOT void *bin_allocate(struct bin *bin)
{
    uint32_t room = bin->room;
    void *recent = bin->recent[room];
    if (recent != NULL) {
        bin->recent[room] = NULL;
        bin->room = room + 1;
        return recent;
    }
    if (bin->mask != 0)
        return bin_pop_mask(bin);
    return bin_refill(bin);
}

/* Counts a slot freed locally. The last access to the slab, and a release: whoever reads the count may find the slab
 * empty and give it away. */
HOT void bin_count_free(struct slab *slab)
{
    uint32_t countdown = atomic_load_explicit(&slab->countdown, memory_order_relaxed) - 1;
    atomic_store_explicit(&slab->countdown, countdown, memory_order_release);
    if (countdown == 0)
        slab_settle_owner(slab);
}

/* Out of line, the end of a free that was its map word's first. */
void bin_mark_free(struct slab *slab, size_t index);

/* Frees a slot into its slab, which is this bin's. False: it is free already. */
HOT bool bin_put(struct bin *bin, struct slab *slab, void *p)
{
    size_t index = slot_index(region_offset(p) & region_of(p)->slab_mask, bin->reciprocal);
    uint64_t word = map_add(slab->local, index / 64, map_bit(index));
    if (word & map_bit(index))
        return false;
    if (word == 0)
        bin_mark_free(slab, index);
    else
        bin_count_free(slab);
    return true;
}

/* Whether a slot is held back: freeing it is misuse. */
HOT bool bin_holds_back(const struct bin *bin, const void *p)
{
    _Static_assert(RECENT_MAX == 4, "each of them");
    return bin->recent[0] == p || bin->recent[1] == p || bin->recent[2] == p || bin->recent[3] == p;
}

/* Frees a slot of a slab that is this bin's. `size` and `align` are only passed on. */
HOT void bin_free_own(struct bin *bin, struct slab *slab, void *p, size_t size, size_t align)
{
    uint32_t room = bin->room;
    if (((uintptr_t)p & bin->misaligned) != 0 || bin_holds_back(bin, p)) {
        free_cold(p, size, align);
        return;
    }
    if (room != 0) {
        bin->recent[room - 1] = p;
        bin->room = room - 1;
    } else if (!bin_put(bin, slab, p))
        free_cold(p, size, align);
}

/* `bin` is this thread's for the class of `size` at `align` (0: natural). */
HOT void bin_free(struct bin *bin, void *p, size_t size, size_t align)
{
    struct slab *slab = slab_of(p);
    if (atomic_load_explicit(&slab->bin, memory_order_relaxed) != bin) {
        free_cold(p, size, align);
        return;
    }
    bin_free_own(bin, slab, p, size, align);
}

/* ---- off the hot path, in bin.c ---------------------------------------------------------------------------------- */

/* As bin_refill, for a bin of a thread's own heap. */
void *bin_refill_owned(struct bin *bin);

/* Frees the slots held back into their slabs. Housekeeping. */
void bin_flush_recent(struct bin *bin);

/* What a bin holds of its current slab goes back to the slab, which is parked. */
void bin_retire(struct bin *bin);

#endif
