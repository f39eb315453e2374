#include "bin.h"

#include "misuse.h"
#include "outbox.h"
#include "report.h"

/* ---- frees that are not on the hot path -------------------------------------------------------------------------- */

void bin_mark_free(struct slab *slab, size_t index)
{
    map_mark(slab->local, index / 64);
    bin_count_free(slab);
}

/* ---- giving back what a bin holds -------------------------------------------------------------------------------- */

void bin_flush_recent(struct bin *bin)
{
    for (void *p; (p = bin->recent[bin->room]) != NULL; bin->room++) {
        bin->recent[bin->room] = NULL;
        struct slab *slab = slab_of(p);
        if (slab_bin(slab) != bin)
            outbox_add(heap_of(bin), slab, slab_index(slab, p), bin->slot_size, UNSIZED);
        else if (!bin_put(bin, slab, p))
            misuse_free(p, bin->slot_size, UNSIZED, "double free", slab);
    }
}

#if ALLOC_THREADS

static void put_back_mask(struct bin *bin, struct slab *slab)
{
    size_t word = (size_t)(bin->base - slab_start(slab)) / bin->slot_size / 64;
    uint64_t mask = bin->mask;
    if (mask == 0)
        return;
    bin->mask = 0;
    uint64_t old = map_add(slab->local, word, mask);
    if (old == 0)
        map_mark(slab->local, word);
    slab_unfree(slab, -population(mask));
    check((old & mask) == 0);
    (void)old;
}

void bin_retire(struct bin *bin)
{
    struct slab *slab = bin->current;
    if (slab == NULL)
        return;
    put_back_mask(bin, slab);
    map_untake(slab->local);
    map_untake(slab->remote);
    bin->current = NULL;
    settle_park(slab);
}

#endif
