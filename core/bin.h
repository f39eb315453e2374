/* The hot path: one allocation and one free, whole on this screen.
 *
 * A bin is what one heap knows about one size class. It allocates from its current slab, in this order:
 *
 *     bin.free     a list of free slots, linked through the slots     (slabs that recycle by list)
 *     bin.mask     up to 64 free slots of one map word, as bits       (all others, and slots never used before)
 *     bin_refill   out of line: fills one of the two again
 *
 * A free finds the slab in the slot's address. slab->bin == bin says three things in one compare: this thread owns the
 * slab, the size passed is of the right class, and (later) of the right family. Everything else is free_cold's.
 *
 * A list slab's frees go to slab.freed and only come back when bin.free has run dry: the slot freed last is never the
 * next one handed out, so an allocation does not wait on the cache miss of the free before it.
 */
#ifndef ALLOC_BIN_H
#define ALLOC_BIN_H

#include "slab.h"

#define HOT __attribute__((always_inline)) static inline

struct bin {
    void *free;          /* the next free slot of a list; NULL: none */
    uint64_t mask;       /* free slots of the word taken: bit i is the slot at base + i * slot_size */
    char *base;          /* address of the word's first slot */
    uint32_t slot_size;  /* bytes; 0 in a bin never used */
    uint32_t reciprocal; /* of slot_size */
    struct slab *current;
    uint32_t list_length; /* of the list when it was taken up */
    /* under the heap's lock */
    slab_list available;
    slab_id kept;         /* the one empty slab that stays; 0: none */
    uint32_t small_owned; /* slabs owned, by kind */
    uint32_t large_owned;
};

_Static_assert(sizeof(struct bin) == 64, "one cache line per bin");

/* Refills bin.free or bin.mask and allocates. NULL with ENOMEM. */
void *bin_refill(struct bin *bin);

/* Whatever bin_free does not do itself: other threads' slots, misuse. */
void free_cold(void *p, size_t size, size_t align);

HOT void *bin_pop_free(struct bin *bin)
{
    void **slot = bin->free;
    bin->free = *slot;
    return slot;
}

HOT void *bin_pop_mask(struct bin *bin)
{
    char *slot = bin->base + (size_t)__builtin_ctzll(bin->mask) * bin->slot_size;
    bin->mask &= bin->mask - 1;
    return slot;
}

HOT void *bin_allocate(struct bin *bin)
{
    if (bin->free != NULL)
        return bin_pop_free(bin);
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

/* `bin` is this thread's for the class of `size` at `align` (0: natural); those two are only passed on. */
HOT void bin_free(struct bin *bin, void *p, size_t size, size_t align)
{
    struct slab *slab = slab_of(p);
    if (atomic_load_explicit(&slab->bin, memory_order_relaxed) != bin) {
        free_cold(p, size, align);
        return;
    }
    if (slab->is_list) {
        if (slab->freed == p) {
            free_cold(p, size, align);
            return;
        }
        *(void **)p = slab->freed;
        slab->freed = p;
    } else {
        size_t index = slot_index(region_offset(p) & region_of(p)->slab_mask, bin->reciprocal);
        uint64_t word = map_add(slab->local, index);
        if (word & map_bit(index)) {
            free_cold(p, size, align);
            return;
        }
        if (word == 0) {
            bin_mark_free(slab, index);
            return;
        }
    }
    bin_count_free(slab);
}

#endif
