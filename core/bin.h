/* The hot path: one allocation and one free, whole on this screen.
 *
 * A bin is what one heap knows about one size class. It allocates from
 *
 *     bin.recent   the slots freed last, a few of them, the last one first; of whatever slab
 *     bin.free     a list of free slots of the current slab, linked through the slots   (slabs that recycle by list)
 *     bin.mask     up to 64 free slots of one map word of it, as bits   (all others, and slots never used before)
 *     bin_refill   out of line: fills one of the latter two again
 *
 * A free finds the slab in the slot's address. slab->bin == bin says three things in one compare: this thread owns the
 * slab, the size passed is of the right class, and (later) of the right family. Everything else is free_cold's.
 *
 * Neither a free into bin.recent nor an allocation from it touches the slot or counts anything: what is freed and
 * allocated in turn costs one cache miss, the program's own. A list slab's other frees go to slab.freed and come back when
 * bin.free has run dry: an allocation must not wait on the cache miss of the free before it.
 */
#ifndef ALLOC_BIN_H
#define ALLOC_BIN_H

#include "slab.h"

#define HOT __attribute__((always_inline)) static inline

/* Slots held back per bin, as many as have so many bytes; their slabs cannot be given back meanwhile. */
#define RECENT_MAX   6
#define RECENT_BYTES 32768

/* A bin's available slabs, in the order in which they are taken up. */
enum slab_lists {
    AVAILABLE_LISTS,   /* those that recycle by list */
    AVAILABLE_BITMAPS, /* the others */
    AVAILABLE_SWEPT,   /* those of them of whose memory some is gone, see sweep.h */
    LISTS
};

struct bin {
    _Alignas(64) uint32_t recent_count;
    uint32_t recent_max; /* of this class */
    void
        *recent[1 + RECENT_MAX]; /* from 1 on; recent[0] is NULL, so that recent[recent_count] can always be compared */
    void *free;                  /* the next free slot of a list; NULL: none */
    uint64_t mask;               /* free slots of the word taken: bit i is the slot at base + i * slot_size */
    char *base;                  /* address of the word's first slot */
    uint32_t slot_size;          /* bytes; 0 in a bin never used */
    uint32_t reciprocal;         /* of slot_size */
    struct slab *current;
    uint32_t list_length; /* of the list when it was taken up */
    /* under the heap's lock */
    slab_list available[LISTS];
    _Atomic uint16_t
        first_owned; /* slabs owned, of the first kinds and large ones; read without the lock; they wrap, which
                                     does no harm */
    _Atomic uint16_t large_owned;
    /* the owner's */
    uint32_t below; /* slot_size of the class before this one: what is larger has no smaller slot */
};

_Static_assert(sizeof(struct bin) == 128, "two cache lines per bin, a shift away from its class");

/* Refills bin.free or bin.mask and allocates; finds a heap for a thread that has none. NULL with ENOMEM. */
void *bin_refill(struct bin *bin);

/* Whatever bin_free does not do itself: other threads' slots, misuse. */
void free_cold(void *p, size_t size, size_t align);

HOT void *bin_pop_recent(struct bin *bin) { return bin->recent[bin->recent_count--]; }

HOT void *bin_pop_free(struct bin *bin)
{
    void **slot = bin->free;
    bin->free = *slot;
    __builtin_prefetch(bin->free); /* the next allocation of this class will not wait for its link */
    return slot;
}

HOT void *bin_pop_mask(struct bin *bin)
{
    char *slot = bin->base + (size_t)__builtin_ctzll(bin->mask) * bin->slot_size;
    bin->mask &= bin->mask - 1;
    return slot;
}

static inline bool bin_is_empty(const struct bin *bin) { return bin->free == NULL && bin->mask == 0; }

/* A slot of a bin that is not empty. */
static inline void *bin_pop(struct bin *bin) { return bin->free != NULL ? bin_pop_free(bin) : bin_pop_mask(bin); }

HOT void *bin_allocate(struct bin *bin)
{
    if (bin->recent_count != 0)
        return bin_pop_recent(bin);
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

/* Frees a slot into its slab, which is this bin's. False: it is free already. */
HOT bool bin_put(struct bin *bin, struct slab *slab, void *p)
{
    if (!slab->is_list) {
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
    if (slab->freed == p)
        return false;
    *(void **)p = slab->freed;
    slab->freed = p;
    bin_count_free(slab);
    return true;
}

/* Frees a slot of a slab that is this bin's. `size` and `align` are only passed on. */
HOT void bin_free_own(struct bin *bin, struct slab *slab, void *p, size_t size, size_t align)
{
    uint32_t recent = bin->recent_count;
    if (recent >= bin->recent_max) {
        if (!bin_put(bin, slab, p))
            free_cold(p, size, align);
        return;
    }
    if (bin->recent[recent] == p) {
        free_cold(p, size, align);
        return;
    }
    bin->recent[recent + 1] = p;
    bin->recent_count = recent + 1;
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

/* How many slots bin.free has left. Housekeeping: at most as many as a slab. */
uint32_t bin_list_count(const struct bin *bin);

/* What a bin holds of its current slab, `listed` slots of a list or a mask, goes back to the slab, which is parked. */
void bin_retire(struct bin *bin, uint32_t listed);

#endif
