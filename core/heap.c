#include "heap.h"

#include "reservation.h"

#include <string.h>

struct heap heap_none, heap_late;
struct family_heaps families_none;

#if ALLOC_THREADS
_Thread_local struct bin *own_bins = heap_none.bins;
_Thread_local struct family_heaps *own_families = &families_none;
#else
struct bin *own_bins = heap_none.bins;
struct family_heaps *own_families = &families_none;
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

static void list(struct heap *heap)
{
    heap->older = heaps.newest;
    heaps.newest = heap;
}

static struct heap *heap_create(void)
{
    struct heap *heap = meta_allocate(sizeof(struct heap), HEAP_ALIGN);
    if (heap == NULL)
        return NULL;
    heap->base = heap;
    heap->families = &families_none;
    lock_acquire(LOCK_HEAPS);
    heap->number = ++heaps.count;
    list(heap);
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

/* ---- families ------------------------------------------------------------------------------------------------------ */

#define FAMILIES_MIN 16

/* A table that has an entry of an index. What it replaces is never given back: all of them together are as large as the last one. */
static bool provide_entry(struct heap *base, uint32_t index)
{
    struct family_heaps *old = base->families;
    if (index < old->count)
        return true;
    uint32_t count = index < FAMILIES_MIN ? FAMILIES_MIN : 2 * (uint32_t)((size_t)1 << log2_floor(index));
    struct family_heaps *table = meta_allocate(sizeof *table + count * sizeof(void *), sizeof(void *));
    if (table == NULL)
        return false;
    table->count = count;
    memcpy(table->heaps, old->heaps, old->count * sizeof(void *));
    base->families = table;
    return true;
}

struct heap *heap_create_for(struct family *family, struct heap *base)
{
    struct heap *heap = provide_entry(base, family->index) ? meta_allocate(sizeof(struct heap), HEAP_ALIGN) : NULL;
    if (heap == NULL)
        return NULL;
    heap->number = base->number;
    heap->base = base;
    heap->family = family;
    heap->families = &families_none;
    lock_acquire(LOCK_HEAPS);
    list(heap);
    lock_release(LOCK_HEAPS);
    lock_acquire(LOCK_FAMILIES);
    heap->next_of_family = family->heaps;
    family->heaps = heap;
    lock_release(LOCK_FAMILIES);
    base->families->heaps[family->index] = heap;
    return heap;
}

static _Atomic size_t *count_of(struct family *family, bool large)
{
    return large ? &family->large_bytes : &family->slab_bytes;
}

bool heap_charge(struct family *family, size_t bytes, bool large)
{
    if (family == NULL)
        return true;
    size_t count = atomic_fetch_add_explicit(count_of(family, large), bytes, memory_order_relaxed) + bytes;
    if (count + atomic_load_explicit(count_of(family, !large), memory_order_relaxed) <= family->limit)
        return true;
    heap_discharge(family, bytes, large);
    return false;
}

void heap_discharge(struct family *family, size_t bytes, bool large)
{
    if (family != NULL)
        atomic_fetch_sub_explicit(count_of(family, large), bytes, memory_order_relaxed);
}

struct heap_counts heap_count(void)
{
    lock_acquire(LOCK_HEAPS);
    struct heap_counts counts = {heaps.count, heaps.pooled_count};
    lock_release(LOCK_HEAPS);
    return counts;
}
