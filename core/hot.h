/* The hot path: one allocation and one free, whole on this screen.
 *
 * A bin is what one heap knows about one size class. It allocates from
 *
 *     bin.recent   the slots freed last, a few of them, the last one first; of whatever slab
 *     bin.mask     up to 64 free slots of one map word of the current slab, as bits
 *     cold_refill  out of line: fills bin.mask again
 *
 * A free finds the slab in the slot's address. slab->bin == bin says three things in one compare: this thread owns the
 * slab, the size passed is of the right class, and the block of the right family. Everything else is cold_free's.
 *
 * What is freed goes to bin.recent, or as a bit to slab.local. Neither touches the slot: what is freed and allocated in turn
 * costs one cache miss, the program's own.
 */
#ifndef ALLOC_HOT_H
#define ALLOC_HOT_H

#include "bin.h"
#include "cold.h"

HOT void *hot_allocate(struct bin *bin)
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
    return cold_refill(bin);
}

/* Frees a slot of a slab that is this bin's. `size` and `align` are only passed on. */
HOT void hot_free_own(struct bin *bin, struct slab *slab, void *p, size_t size, size_t align)
{
    uint32_t room = bin->room;
    if (((uintptr_t)p & bin->misaligned) != 0 || bin_holds_back(bin, p)) {
        cold_free(p, size, align);
        return;
    }
    if (room != 0) {
        bin->recent[room - 1] = p;
        bin->room = room - 1;
    } else if (!bin_put(bin, slab, p))
        cold_free(p, size, align);
}

/* `bin` is this thread's for the class of `size` at `align` (0: natural). */
HOT void hot_free(struct bin *bin, void *p, size_t size, size_t align)
{
    struct slab *slab = slab_of(p);
    if (atomic_load_explicit(&slab->bin, memory_order_relaxed) != bin) {
        cold_free(p, size, align);
        return;
    }
    hot_free_own(bin, slab, p, size, align);
}

#endif
