#include "cold.h"

#include "misuse.h"
#include "outbox.h"
#include "refill.h"
#include "thread.h"

#include <errno.h>

void *cold_refill(struct bin *bin)
{
    if (heap_self()->number != 0)
        return refill_bin(bin);
    size_t class = (size_t)(bin - own_bins);
    struct heap *heap = thread_adopt();
    void *p = heap == NULL ? thread_allocate_late(class) : refill_allocate(&heap->bins[class]);
    if (p == NULL)
        errno = ENOMEM;
    return p;
}

/* Whether a slab or the heap that the thread allocates from is a family's. */
static bool among_families(const struct slab *slab) { return slab->has_family || heap_self()->family != NULL; }

#if ALLOC_THREADS

/* Frees a slot of another heap's slab. */
static void pass_on(struct slab *slab, size_t index, size_t size, size_t align)
{
    struct heap *heap = heap_self();
    if (heap->number == 0)
        heap = thread_adopt();
    if (heap == NULL)
        outbox_push(slab, index / 64, map_bit(index), size, align);
    else
        outbox_add(heap, slab, index, size, align);
}

#define HELD_BACK_MIN 128

/* A slot of another heap's slab. Where this thread allocates slots of that class too, it is held back for it like one of its
 * own: a program that hands objects around then frees nearly all of them without telling anybody. But not small slots, of
 * which several share a cache line: they would stay with different threads for good. */
static void free_remote(struct bin *own, struct slab *slab, void *p, size_t index, size_t size, size_t align)
{
    if (among_families(
            slab)) { /* nothing of a family waits anywhere, nor anything else in its heaps: it may be reset */
        outbox_push(slab, index / 64, map_bit(index), size, align);
        return;
    }
    if (own->room == 0 || own->slot_size < HELD_BACK_MIN) {
        pass_on(slab, index, size, align);
        return;
    }
    uint64_t freed = atomic_load_explicit(&slab->remote->word[index / 64], memory_order_relaxed);
    const struct outbox *outbox = &heap_of(own)->outbox;
    if (outbox->slab == slab && outbox->word == index / 64)
        freed |= outbox->mask;
    if (bin_holds_back(own, p) || (freed & map_bit(index)) != 0)
        misuse_free(p, size, align, "double free", slab);
    own->recent[--own->room] = p;
}

#else

static void free_remote(struct bin *own, struct slab *slab, void *p, size_t index, size_t size, size_t align)
{
    (void)own;
    (void)p;
    outbox_add(heap_self(), slab, index, size, align);
}

#endif

void cold_free(void *p, size_t size, size_t align)
{
    struct slab *slab = slab_of(p);
    struct bin *marked = atomic_load_explicit(&slab->bin, memory_order_relaxed);
    if (marked == NULL)
        misuse_free(p, size, align, "not allocated", NULL);
    size_t class = request_class(size, align);
    if (slab->class != class)
        misuse_free(p, size, align, "wrong size", slab);
    size_t index = misuse_unless_slot(NULL, slab, p, size, align);
    struct bin *owner = slab_bin(slab), *own = heap_bin(class);
    bool is_own = owner == own || (among_families(slab) && heap_is_own(owner));
    if (!is_own) {
        free_remote(own, slab, p, index, size, align);
        return;
    }
    /* Its own slab: a slot that is free already, or the thread is called to look, or the heap is another family's than the
     * current one. If it is called, it looks first: that arms the countdown for this free. */
    if (marked != owner)
        settle_owner(slab);
    if (marked == own || bin_holds_back(owner, p) || !bin_put(owner, slab, p))
        misuse_free(p, size, align, "double free", slab);
}
