#include "outbox.h"

#include "misuse.h"
#include "settle.h"

#if ALLOC_THREADS

void outbox_push(struct slab *slab, size_t word, uint64_t mask, size_t size, size_t align)
{
    uint64_t clash = settle_push(slab, word, mask);
    if (clash != 0)
        misuse_free(slab_slot(slab, word * 64 + (size_t)__builtin_ctzll(clash)), size, align, "double free", slab);
}

void outbox_flush(struct heap *heap)
{
    struct outbox *outbox = &heap->outbox;
    if (outbox->mask == 0)
        return;
    uint64_t mask = outbox->mask;
    outbox->mask = 0;
    outbox_push(outbox->slab, outbox->word, mask, outbox->size, outbox->align);
}

void outbox_add(struct heap *heap, struct slab *slab, size_t index, size_t size, size_t align)
{
    struct outbox *outbox = &heap->outbox;
    size_t word = index / 64;
    uint64_t bit = map_bit(index);
    if (outbox->slab != slab || outbox->word != word || outbox->mask == 0) {
        outbox_flush(heap);
        outbox->slab = slab;
        outbox->word = word;
    } else if (outbox->mask & bit)
        misuse_free(slab_slot(slab, index), size, align, "double free", slab);
    outbox->mask |= bit;
    outbox->size = size;
    outbox->align = align;
}

#else

void outbox_add(struct heap *heap, struct slab *slab, size_t index, size_t size, size_t align)
{
    (void)heap; /* there is no other */
    misuse_free(slab_slot(slab, index), size, align, "not allocated", slab);
}

#endif
