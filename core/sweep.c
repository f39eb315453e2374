#include "sweep.h"

#include "heap.h"
#include "memory.h"

#define SLOT_SIZE_MIN 64 /* of smaller slots, 64 do not fill a page */

/* A slab to sweep, of another bin than the one that grows: it is to hold what it allocates from. */
static void choose(struct heap *heap, const struct bin *growing)
{
    struct bin *bin = &heap->bins[heap->sweep.next_class++ % CLASS_COUNT];
    heap->sweep.slot = 0;
    if (bin->slot_size < SLOT_SIZE_MIN || bin == growing)
        return;
    heap->sweep.slab = slab_take_sparse(bin);
#if ALLOC_THREADS
    /* An idle bin's current slab goes back where it is empty, and is swept later where it is not. */
    if (heap->sweep.slab == NULL && bin->current != NULL && slab_is_idle_current(bin->current))
        bin_retire(bin, 0);
#endif
}

void sweep_end(struct heap *heap)
{
    struct slab *slab = heap->sweep.slab;
    heap->sweep.slab = NULL;
    if (slab != NULL)
        slab_park(slab);
}

static void step(struct heap *heap, const struct bin *growing)
{
    struct slab *slab = heap->sweep.slab;
    if (slab == NULL) {
        choose(heap, growing);
        return;
    }
    uint32_t slot = heap->sweep.slot;
    if (slot >= slab_granted(slab)) {
        slab->flags |= SLAB_SWEPT;
        sweep_end(heap);
        return;
    }
    uint64_t free = slab_free_word(slab, slot / 64) >> (slot % 64);
    if (free == 0) {
        heap->sweep.slot = (slot / 64 + 1) * 64;
        return;
    }
    unsigned before = (unsigned)__builtin_ctzll(free);
    uint64_t others = ~(free >> before);
    uint32_t first = slot + before;
    uint32_t end = others == 0 ? first + 64 : first + (uint32_t)__builtin_ctzll(others);
    heap->sweep.slot = end;

    size_t slot_size = class_slot_size(slab->class), page = os_page_size();
    size_t low = round_up(first * slot_size, page), high = end * slot_size & ~(page - 1);
    if (low < high)
        memory_give_back(slab_start(slab) + low, high - low);
}

/* A grant is up to 64 slots or 8 KiB; a step may find less. */
void sweep_steps(const struct bin *growing)
{
    struct heap *heap = heap_of(growing);
    step(heap, growing);
    step(heap, growing);
    step(heap, growing);
    step(heap, growing);
}
