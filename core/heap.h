/* A heap: one thread's bins and its outbox.
 *
 * Threads find theirs in one thread-local word. A thread without one has heap_none there, whose bins are empty for ever
 * and so send every path to the slow one: no "initialised?" branch on the hot path. A thread that exits gives its heap,
 * whole, to a pool; the next new thread adopts it. What is allocated in destructors that run even later borrows a heap
 * from the pool for the one operation (heap_late).
 */
#ifndef ALLOC_HEAP_H
#define ALLOC_HEAP_H

#include "bin.h"
#include "lock.h"
#include "sweep.h"

#define HEAP_ALIGN 16384 /* a bin's heap is a mask away */

/* Remote frees not pushed yet: slots of one slab that share a map word. One push then frees them all. */
struct outbox {
    struct slab *slab;
    size_t word;
    uint64_t mask;
    size_t size, align; /* as passed to the last free, for reports */
};

/* The bins come last: what most threads write lies on two pages. */
struct heap {
    struct outbox outbox;
    struct sweep sweep;
    slab_list revisit;       /* slabs the owner should look at; under the heap's lock */
    uint32_t refills;        /* of its bins; the owner's */
    uint32_t purged_at;      /* milliseconds: when such a refill last looked for memory of age; the owner's */
    uint32_t number;         /* 1, 2, ...; 0 for heap_none and heap_late */
    struct heap *next;       /* in the pool */
    struct heap *next_known; /* among all heaps of this process */
    struct os_owner owner;   /* of a known heap */
    bool is_owned;           /* by a thread. Not: pooled, or lent for one operation */
    bool is_known;
    size_t purged; /* bins that heap_purge has been at; the owner's */
    struct bin bins[CLASS_COUNT];
};

_Static_assert(sizeof(struct heap) <= HEAP_ALIGN, "a heap is found from its bins by a mask");

extern struct heap heap_none, heap_late;

#if ALLOC_THREADS
/* The bins of the calling thread's heap. One word in static thread-local space: one instruction finds it, and there is always room
 * for it when glibc loads the library late (for other C libraries see cmake/library.cmake). */
extern _Thread_local struct bin *own_bins;
#else
extern struct bin *own_bins;
#endif

/* Of a bin of a thread's heap. Not of heap_none and heap_late, which lie where the linker puts them: it does not always give what
 * an object asks for beyond a page. */
static inline struct heap *heap_of(const struct bin *bin)
{
    return (struct heap *)((uintptr_t)bin & ~(uintptr_t)(HEAP_ALIGN - 1));
}

static inline struct heap *heap_self(void) { return (struct heap *)((char *)own_bins - offsetof(struct heap, bins)); }

/* Whether a bin is the calling thread's. It may be marked (BIN_CALLED), or NULL: then it is not. */
static inline bool bin_is_own(const struct bin *bin) { return ((uintptr_t)bin ^ (uintptr_t)own_bins) < HEAP_ALIGN; }

static inline size_t bin_class(const struct bin *bin) { return (size_t)(bin - heap_of(bin)->bins); }

static inline void heap_lock(const struct heap *heap) { lock_acquire(LOCK_HEAP + heap->number % HEAP_LOCKS); }
static inline void heap_unlock(const struct heap *heap) { lock_release(LOCK_HEAP + heap->number % HEAP_LOCKS); }

/* Frees the slots that the bins of the calling thread's heap hold back. Housekeeping. */
void heap_flush_recent(struct heap *heap);

/* Frees a slot of another heap's slab, the index-th: it waits in the calling thread's outbox for others of its word. `size` and
 * `align` are only for reports. */
void heap_pass_on(struct slab *slab, size_t index, size_t size, size_t align);

/* Makes the slabs of the calling thread's next bin, or those it should look at, leave the heap where they are empty. One
 * step; false: it has been at all of them, and begins anew. */
bool heap_purge(void);

/* An available slab of a pooled heap, for a bin that would otherwise take a fresh one. NULL: the heap that was asked has none. */
struct slab *heap_take_over(struct bin *bin);

struct heap_counts {
    size_t heaps, pooled;
};
struct heap_counts heap_count(void);

/* The bin of the calling thread for a class: one of heap_none's or heap_late's where the thread has no heap. */
static inline struct bin *bin_of_class(size_t class)
{
    struct bin *bin = &own_bins[class];
    __asm__("" : "+r"(bin)); /* one register from here on: the compiler would compute each field's address anew */
    return bin;
}

#endif
