#include "heap.h"

#include "reservation.h"

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
    struct heap *newest;
    struct heap *known;   /* heaps of threads that were not alone; in a forked child not those of its parent */
    struct heap *suspect; /* the next of them to be checked for an owner that has ended */
} heaps;

static struct heap *heap_create(void)
{
    struct heap *heap = meta_allocate(sizeof(struct heap), HEAP_ALIGN);
    if (heap == NULL)
        return NULL;
    lock_acquire(LOCK_HEAPS);
    heap->number = ++heaps.count;
    heap->older = heaps.newest;
    heaps.newest = heap;
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

#if ALLOC_THREADS

struct heap *heap_take_pooled(void)
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

void heap_put(struct heap *heap, bool last)
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

struct heap *heap_take(void)
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

void heap_forget_owners(void)
{
    heaps.known = NULL;
    heaps.suspect = NULL;
}

#else

struct heap *heap_take(void) { return heap_create(); }

#endif

struct heap *heap_newest(void)
{
    lock_acquire(LOCK_HEAPS);
    struct heap *heap = heaps.newest;
    lock_release(LOCK_HEAPS);
    return heap;
}

struct heap_counts heap_count(void)
{
    lock_acquire(LOCK_HEAPS);
    struct heap_counts counts = {heaps.count, heaps.pooled_count};
    lock_release(LOCK_HEAPS);
    return counts;
}
