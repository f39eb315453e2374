#include "inspect.h"

#include "check.h"
#include "heap.h"
#include "large.h"
#include "pages.h"
#include "settle.h"

/* ---- one address -------------------------------------------------------------------------------------------------- */

/* The free slots of a map word that a heap holds: as a mask that it allocates from, held back in its bin, or in its outbox. */
static uint64_t held_by(const struct heap *heap, const struct slab *slab, size_t word)
{
    const struct bin *bin = &heap->bins[slab->class];
    uint64_t held = bin->base == slab_slot(slab, word * 64) ? bin->mask : 0;
    for (size_t i = 0; i < RECENT_MAX; i++) {
        const void *recent = bin->recent[i];
        if (recent != NULL && slab_of(recent) == slab && slab_index(slab, recent) / 64 == word)
            held |= map_bit(slab_index(slab, recent));
    }
    return heap->outbox.slab == slab && heap->outbox.word == word ? held | heap->outbox.mask : held;
}

#if !ALLOC_DEBUG

/* Other heaps are at work: what they hold is not for others to read. */
static enum inspect_state state_of(const struct settle_slot *slot)
{
    const struct slab *slab = slab_of(slot->start);
    const struct heap *heap = heap_self();
    size_t index = slab_index(slab, slot->start);
    if (heap->number != 0 && (held_by(heap, slab, index / 64) & map_bit(index)) != 0)
        return INSPECT_FREE;
    return heap->number != 0 && heap_count().heaps == 1 ? INSPECT_LIVE : INSPECT_UNKNOWN;
}

#else

static enum inspect_state state_of(const struct settle_slot *slot)
{
    return check_is_out(slot->start) ? INSPECT_LIVE : INSPECT_FREE;
}

#endif

static struct inspect_block inspect_slot(struct slab *slab, const void *p)
{
    struct settle_slot slot = settle_slot(slab, p);
    if (slot.bin == NULL)
        return (struct inspect_block){.state = INSPECT_UNUSED};
    return (struct inspect_block){.state = slot.is_free ? INSPECT_FREE : state_of(&slot),
                                  .start = slot.start,
                                  .size = slot.size,
                                  .is_slot = true,
                                  .is_own = heap_is_own(slot.bin)};
}

struct inspect_block inspect(const void *p)
{
    struct slab *slab = slab_find(p);
    if (slab != NULL)
        return inspect_slot(slab, p);
    size_t size;
    char *start = unit_block_at(p, &size);
    if (start != NULL)
        return (struct inspect_block){.state = INSPECT_LIVE, .start = start, .size = size};
    return (struct inspect_block){.state = pages_are_free(p) ? INSPECT_UNUSED : INSPECT_FOREIGN};
}

/* ---- every block -------------------------------------------------------------------------------------------------- */

static uint64_t held_by_any(const struct slab *slab, size_t word)
{
    uint64_t held = 0;
    for (const struct heap *heap = heap_newest(); heap != NULL; heap = heap->older)
        held |= held_by(heap, slab, word);
    return held;
}

static int walk_slab(const struct slab *slab, int (*visit)(void *context, void *start, size_t size), void *context)
{
    size_t size = class_slot_size(slab->class), granted = slab_granted(slab);
    for (size_t word = 0; word < map_words(granted); word++) {
        uint64_t live = ~(slab_free_word(slab, word) | held_by_any(slab, word));
        size_t count = granted - word * 64;
        if (count < 64)
            live &= map_bit(count) - 1;
        for (; live != 0; live &= live - 1) {
            int result = visit(context, slab_slot(slab, word * 64 + (size_t)__builtin_ctzll(live)), size);
            if (result != 0)
                return result;
        }
    }
    return 0;
}

static int walk_slabs(int (*visit)(void *context, void *start, size_t size), void *context)
{
    for (struct region *region = region_newest(); region != NULL; region = region->next)
        for (uint32_t i = region_first_slab(region); i < region->slab_end; i++) {
            const struct slab *slab = (struct slab *)region + i;
            int result = slab_bin(slab) == NULL ? 0 : walk_slab(slab, visit, context);
            if (result != 0)
                return result;
        }
    return 0;
}

int inspect_walk(int (*visit)(void *context, void *start, size_t size), void *context)
{
    int result = walk_slabs(visit, context);
    for (unit_id id = units_from(1); id != 0 && result == 0; id = units_from(id + 1)) {
        size_t size = unit_recorded(unit_address(id));
        if (size != 0)
            result = visit(context, unit_address(id), size);
    }
    return result;
}
