#include "heap.h"

#include "misuse.h"
#include "option.h"

#include <errno.h>

struct heap heap_none, heap_late;

#if ALLOC_THREADS
_Thread_local struct bin *own_bins = heap_none.bins;
#else
struct bin *own_bins = heap_none.bins;
#endif

/* ---- the heaps --------------------------------------------------------------------------------------------------- */

OS_SMALL_STATE static struct {
    struct heap *pooled, *last;
    uint32_t pooled_count;
    uint32_t count;
    struct heap *known;   /* heaps of threads that were not alone; in a forked child not those of its parent */
    struct heap *suspect; /* the next of them to be checked for an owner that has ended */
} heaps;

/* As bin_allocate, for a bin of a heap that was just taken; without its call of bin_refill, which came here. */
static void *allocate_owned(struct bin *bin) { return bin_is_empty(bin) ? bin_refill_owned(bin) : bin_pop_mask(bin); }

static struct heap *heap_create(void)
{
    struct heap *heap = meta_allocate(sizeof(struct heap), HEAP_ALIGN);
    if (heap == NULL)
        return NULL;
    lock_acquire(LOCK_HEAPS);
    heap->number = ++heaps.count;
#if ALLOC_THREADS
    if (!os_is_single_threaded()) { /* who is alone may fork without handlers; it is not abandoned as long as it is alone */
        heap->is_known = true;
        os_owner_begin(&heap->owner);
        heap->next_known = heaps.known;
        heaps.known = heap;
    }
#endif
    lock_release(LOCK_HEAPS);
    return heap;
}

static char *slot_at(const struct slab *slab, size_t index)
{
    return slab_start(slab) + index * class_slot_size(slab->class);
}

#if ALLOC_THREADS

static struct heap *heap_take_pooled(void)
{
    lock_acquire(LOCK_HEAPS);
    struct heap *heap = heaps.pooled;
    if (heap != NULL)
        heaps.pooled = heap->next;
    heaps.pooled_count -= heap != NULL;
    lock_release(LOCK_HEAPS);
    return heap;
}

/* A heap whose thread ended without giving it back: its first use of the library came in the last round of thread-exit
 * destructors, or it never ran them. Heaps are checked in turn when there is reason to create one. */
static struct heap *heap_take_abandoned(void)
{
    lock_acquire(LOCK_HEAPS);
    struct heap *heap = heaps.suspect != NULL ? heaps.suspect : heaps.known;
    if (heap != NULL)
        heaps.suspect = heap->next_known;
    lock_release(LOCK_HEAPS);
    if (heap == NULL)
        return NULL;
    return os_owner_take_over(&heap->owner) ? heap : NULL; /* which is_owned already says */
}

/* Where the next thread finds it, or as the last one. */
static void heap_put(struct heap *heap, bool last)
{
    if (heap->is_owned)
        os_owner_clear(&heap->owner);
    heap->is_owned = false;
    heap->next = NULL;
    lock_acquire(LOCK_HEAPS);
    if (heaps.pooled == NULL)
        heaps.last = heaps.pooled = heap;
    else if (last)
        heaps.last = heaps.last->next = heap;
    else {
        heap->next = heaps.pooled;
        heaps.pooled = heap;
    }
    heaps.pooled_count++;
    lock_release(LOCK_HEAPS);
}

/* Asks one heap, and another one next time where that has none: what ended threads have left is found before long. */
struct slab *heap_take_over(struct bin *bin)
{
    struct heap *heap = heap_take_pooled();
    if (heap == NULL)
        return NULL;
    struct slab *slab = slab_take_over(&heap->bins[bin_class(bin)], bin);
    heap_put(heap, slab == NULL);
    return slab;
}

static struct heap *heap_take(void)
{
    struct heap *heap = heap_take_pooled();
    if (heap != NULL)
        return heap;
    /* Two, so that more are found than created. */
    heap = heap_take_abandoned();
    struct heap *other = heap_take_abandoned();
    if (heap == NULL)
        heap = other;
    else if (other != NULL)
        heap_put(other, false);
    return heap != NULL ? heap : heap_create();
}

/* Frees slots of one map word that another heap owns. `size` and `align` are only for the report. */
static void push(struct slab *slab, size_t word, uint64_t mask, size_t size, size_t align)
{
    uint64_t clash = slab_push(slab, word, mask);
    if (clash != 0)
        misuse_free(slot_at(slab, word * 64 + (size_t)__builtin_ctzll(clash)), size, align, "double free", slab);
}

static void outbox_flush(struct outbox *outbox)
{
    if (outbox->mask == 0)
        return;
    uint64_t mask = outbox->mask;
    outbox->mask = 0;
    push(outbox->slab, outbox->word, mask, outbox->size, outbox->align);
}

void heap_flush_recent(struct heap *heap)
{
    for (size_t i = 0; i < CLASS_COUNT; i++)
        bin_flush_recent(&heap->bins[i]);
}

static void thread_exit(void *subject)
{
    struct heap *heap = subject;
    heap_flush_recent(heap);
    outbox_flush(&heap->outbox);
    sweep_end(heap);
    own_bins = heap_late.bins;
    for (size_t i = 0; i < CLASS_COUNT; i++)
        bin_retire(&heap->bins[i]);
    while (slab_revisit(heap)) {
    }
    heap_put(heap, false);
}

bool heap_purge(void)
{
    struct heap *heap = heap_self();
    if (heap->number == 0)
        return false;
    if (heap->purged == 0)
        sweep_end(heap);
    if (heap->purged < CLASS_COUNT) {
        struct bin *bin = &heap->bins[heap->purged++];
        bin_flush_recent(bin);
        outbox_flush(&heap->outbox);
        bin_retire(bin);
        return true;
    }
    if (slab_revisit(heap))
        return true;
    heap->purged = 0;
    return false;
}

/* The heaps of threads that do not exist in the child are left alone there: their slabs' lists are whole, since these
 * change under the locks just taken, and their live slots can be freed; but what their owners were doing is not known,
 * so nobody may take them for abandoned. */
static void fork_child(void)
{
    heaps.known = NULL;
    heaps.suspect = NULL;
    if (heap_self()->number != 0)
        heap_self()->is_known = heap_self()->is_owned = false; /* to the system, the thread is another one */
    lock_end_fork();
}

const struct os_events os_events = {thread_exit, lock_begin_fork, lock_end_fork, fork_child};

OS_AT_LOAD static void at_load(void)
{
    option_start();
    os_start();
    os_at_fork();
}

/* A heap for the calling thread, for good. NULL when it cannot have one: no memory, or it is too late in its life. */
static struct heap *heap_adopt(void)
{
    if (heap_self() == &heap_late)
        return NULL;
    option_start();
    struct heap *heap = heap_take();
    if (heap == NULL)
        return NULL;
    own_bins = heap->bins; /* from here on, whatever the system allocates in the calls below is served */
    if (heap->is_known && !heap->is_owned)
        heap->is_owned = os_owner_set(&heap->owner);
    os_start();
    if (os_at_thread_exit(heap))
        return heap;
    own_bins = heap_late.bins; /* nobody would tell when the thread exits */
    heap_put(heap, false);
    return NULL;
}

/* Allocates for a thread that is too late for a heap of its own: with a pooled one, just for this. */
static void *allocate_late(size_t class)
{
    struct heap *heap = heap_take();
    if (heap == NULL)
        return NULL;
    struct bin *bin = &heap->bins[class];
    bool was_empty = bin_is_empty(bin); /* but an abandoned heap's, which stays as it is for whoever adopts it */
    void *p = allocate_owned(bin);
    if (was_empty)
        bin_retire(bin);
    heap_put(heap, false);
    return p;
}

void heap_pass_on(struct slab *slab, size_t index, size_t size, size_t align)
{
    size_t word = index / 64;
    uint64_t bit = map_bit(index);
    struct heap *heap = heap_self();
    if (heap->number == 0)
        heap = heap_adopt();
    if (heap == NULL) {
        push(slab, word, bit, size, align);
        return;
    }
    struct outbox *outbox = &heap->outbox;
    if (outbox->slab != slab || outbox->word != word || outbox->mask == 0) {
        outbox_flush(outbox);
        outbox->slab = slab;
        outbox->word = word;
    } else if (outbox->mask & bit)
        misuse_free(slot_at(slab, index), size, align, "double free", slab);
    outbox->mask |= bit;
    outbox->size = size;
    outbox->align = align;
}

#define HELD_BACK_MIN 128

/* A slot of another heap's slab. Where this thread allocates slots of that class too, it is held back for it like one of its
 * own: a program that hands objects around then frees nearly all of them without telling anybody. But not small slots, of
 * which several share a cache line: they would stay with different threads for good. */
static void free_remote(struct bin *own, struct slab *slab, void *p, size_t index, size_t size, size_t align)
{
    if (own->room == 0 || own->slot_size < HELD_BACK_MIN) {
        heap_pass_on(slab, index, size, align);
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

/* The only thread's current slabs stay. */
bool heap_purge(void) { return slab_revisit(heap_self()); }

struct slab *heap_take_over(struct bin *bin)
{
    (void)bin;
    return NULL;
}

OS_AT_LOAD static void at_load(void) { option_start(); }

static struct heap *heap_adopt(void)
{
    option_start();
    struct heap *heap = heap_create();
    if (heap != NULL)
        own_bins = heap->bins;
    return heap;
}

static void *allocate_late(size_t class)
{
    (void)class;
    return NULL;
}

void heap_pass_on(struct slab *slab, size_t index, size_t size, size_t align)
{
    misuse_free(slot_at(slab, index), size, align, "not allocated", slab); /* there is no other heap */
}

static void free_remote(struct bin *own, struct slab *slab, void *p, size_t index, size_t size, size_t align)
{
    (void)own;
    (void)p;
    heap_pass_on(slab, index, size, align);
}

#endif

struct heap_counts heap_count(void)
{
    lock_acquire(LOCK_HEAPS);
    struct heap_counts counts = {heaps.count, heaps.pooled_count};
    lock_release(LOCK_HEAPS);
    return counts;
}

/* ---- entries from the hot path ----------------------------------------------------------------------------------- */

void *bin_refill(struct bin *bin)
{
    if (heap_self()->number != 0)
        return bin_refill_owned(bin);
    size_t class = (size_t)(bin - own_bins);
    struct heap *heap = heap_adopt();
    void *p = heap == NULL ? allocate_late(class) : allocate_owned(&heap->bins[class]);
    if (p == NULL)
        errno = ENOMEM;
    return p;
}

void free_cold(void *p, size_t size, size_t align)
{
    struct slab *slab = slab_of(p);
    struct bin *marked = atomic_load_explicit(&slab->bin, memory_order_relaxed);
    if (marked == NULL)
        misuse_free(p, size, align, "not allocated", NULL);
    size_t class = request_class(size, align);
    if (slab->class != class)
        misuse_free(p, size, align, "wrong size", slab);
    size_t index = misuse_unless_slot(NULL, slab, p, size, align);
    struct bin *own = bin_of_class(class);
    if (slab_bin(slab) != own) {
        free_remote(own, slab, p, index, size, align);
        return;
    }
    /* Its own slab: a slot that is free already, or the thread is called to look. Then it looks first: that arms the
     * countdown for this free. */
    if (marked != own)
        slab_settle_owner(slab);
    if (marked == own || bin_holds_back(own, p) || !bin_put(own, slab, p))
        misuse_free(p, size, align, "double free", slab);
}
