#include "sweep.h"

#include "bin.h"
#include "memory.h"

#define SLOT_SIZE_MIN 16 /* of smaller ones, a page has many */

/* A slab to sweep, of another bin than the one that grows: it is to hold what it allocates from. */
static void choose(struct heap *heap, const struct bin *growing)
{
    struct bin *bin = &heap->bins[heap->sweep.next_class++ % CLASS_COUNT];
    heap->sweep.slot = heap->sweep.run = 0;
    if (bin->slot_size < SLOT_SIZE_MIN || bin == growing)
        return;
    heap->sweep.slab = settle_take_sparse(bin);
#if ALLOC_THREADS
    /* An idle bin's current slab goes back where it is empty, and is swept later where it is not. */
    if (heap->sweep.slab == NULL && bin->current != NULL && settle_is_idle_current(bin->current))
        bin_retire(bin);
#endif
}

void sweep_end(struct heap *heap)
{
    struct slab *slab = heap->sweep.slab;
    heap->sweep.slab = NULL;
    if (slab != NULL)
        settle_park(slab);
}

/* The pages within the free slots from heap->sweep.run up to `end`. */
static void give_back_run(const struct heap *heap, uint32_t end)
{
    struct slab *slab = heap->sweep.slab;
    size_t slot_size = class_slot_size(slab->class), page = os_page_size();
    size_t low = round_up(heap->sweep.run * slot_size, page), high = end * slot_size & ~(page - 1);
    if (low < high)
        (void)memory_purge(slab_start(slab) + low, high - low);
}

/* As far as one map word tells: to the end of a run of free slots, or over what is not free to the start of the next one. */
static void step(struct heap *heap, const struct bin *growing)
{
    struct slab *slab = heap->sweep.slab;
    if (slab == NULL) {
        choose(heap, growing);
        return;
    }
    uint32_t slot = heap->sweep.slot;
    bool is_over = slot >= slab_granted(slab);
    uint64_t free = is_over ? 0 : slab_free_word(slab, slot / 64) >> (slot % 64);
    if ((free & 1) == 0) {
        give_back_run(heap, slot);
        if (is_over) {
            slab->flags |= SLAB_SWEPT;
            sweep_end(heap);
            return;
        }
        unsigned used = free == 0 ? 64 - slot % 64 : (unsigned)__builtin_ctzll(free);
        slot += used;
        heap->sweep.run = slot;
        free = free == 0 ? 0 : free >> used;
    }
    heap->sweep.slot = slot + (free == ~(uint64_t)0 ? 64 : (unsigned)__builtin_ctzll(~free));
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
