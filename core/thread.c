#include "thread.h"

#include "option.h"
#include "outbox.h"
#include "refill.h"
#include "sweep.h"

#if ALLOC_THREADS

static void flush_recent(struct heap *heap)
{
    for (size_t i = 0; i < CLASS_COUNT; i++)
        bin_flush_recent(&heap->bins[i]);
}

static void thread_exit(void *subject)
{
    struct heap *heap = subject;
    flush_recent(heap);
    outbox_flush(heap);
    sweep_end(heap);
    own_bins = heap_late.bins;
    own_families = &families_none;
    for (size_t i = 0; i < CLASS_COUNT; i++)
        bin_retire(&heap->bins[i]);
    while (settle_revisit(heap)) {
    }
    heap_put(heap, false);
}

bool thread_purge(void)
{
    struct heap *heap = heap_self();
    if (heap->number == 0)
        return false;
    if (heap->purged == 0)
        sweep_end(heap);
    if (heap->purged < CLASS_COUNT) {
        struct bin *bin = &heap->bins[heap->purged++];
        bin_flush_recent(bin);
        outbox_flush(heap);
        bin_retire(bin);
        return true;
    }
    if (settle_revisit(heap))
        return true;
    heap->purged = 0;
    return false;
}

/* The heaps of threads that do not exist in the child are left alone there: their slabs' lists are whole, since these
 * change under the locks just taken, and their live slots can be freed; but what their owners were doing is not known,
 * so nobody may take them for abandoned. */
static void fork_child(void)
{
    heap_forget_owners();
    struct heap *heap = heap_self()->base;
    if (heap != NULL)
        heap->is_known = heap->is_owned = false; /* to the system, the thread is another one */
    lock_end_fork();
}

const struct os_events os_events = {thread_exit, lock_begin_fork, lock_end_fork, fork_child};

OS_AT_LOAD static void at_load(void)
{
    option_start();
    os_start();
    os_at_fork();
}

struct heap *thread_adopt(void)
{
    if (heap_self() == &heap_late)
        return NULL;
    option_start();
    struct heap *heap = heap_take();
    if (heap == NULL)
        return NULL;
    own_bins = heap->bins; /* from here on, whatever the system allocates in the calls below is served */
    own_families = heap->families;
    if (heap->is_known && !heap->is_owned)
        heap->is_owned = os_owner_set(&heap->owner);
    os_start();
    if (os_at_thread_exit(heap))
        return heap;
    own_bins = heap_late.bins; /* nobody would tell when the thread exits */
    own_families = &families_none;
    heap_put(heap, false);
    return NULL;
}

void *thread_allocate_late(size_t class)
{
    struct heap *heap = heap_take();
    if (heap == NULL)
        return NULL;
    struct bin *bin = &heap->bins[class];
    bool was_empty = bin_is_empty(bin); /* but an abandoned heap's, which stays as it is for whoever adopts it */
    void *p = refill_allocate(bin);
    if (was_empty)
        bin_retire(bin);
    heap_put(heap, false);
    return p;
}

#else

/* The only thread's current slabs stay. */
bool thread_purge(void) { return settle_revisit(heap_self()); }

OS_AT_LOAD static void at_load(void) { option_start(); }

struct heap *thread_adopt(void)
{
    option_start();
    struct heap *heap = heap_take();
    if (heap != NULL)
        own_bins = heap->bins;
    return heap;
}

void *thread_allocate_late(size_t class)
{
    (void)class;
    return NULL;
}

#endif
