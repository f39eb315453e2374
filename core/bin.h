/* What is done with a bin alone: one slot of it freed, and all it holds given back. */
#ifndef ALLOC_BIN_H
#define ALLOC_BIN_H

#include "heap.h"
#include "settle.h"

#define HOT __attribute__((always_inline)) static inline

HOT void *bin_pop_mask(struct bin *bin)
{
    char *slot = bin->base + (size_t)__builtin_ctzll(bin->mask) * bin->slot_size;
    bin->mask &= bin->mask - 1;
    return slot;
}

static inline bool bin_is_empty(const struct bin *bin) { return bin->mask == 0; }

/* Counts a slot freed locally. The last access to the slab, and a release: whoever reads the count may find the slab
 * empty and give it away. */
HOT void bin_count_free(struct slab *slab)
{
    uint32_t countdown = atomic_load_explicit(&slab->countdown, memory_order_relaxed) - 1;
    atomic_store_explicit(&slab->countdown, countdown, memory_order_release);
    if (countdown == 0)
        settle_owner(slab);
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

/* Frees the slots held back into their slabs. Housekeeping. */
void bin_flush_recent(struct bin *bin);

/* What a bin holds of its current slab goes back to the slab, which is parked. */
void bin_retire(struct bin *bin);

#endif
