/* A heap: one thread's bins and its outbox. A thread has one for itself, and one for each family that it allocates from.
 *
 * Threads find theirs in one thread-local word. A thread without one has heap_none there, whose bins are empty for ever
 * and so send every path to the slow one: no "initialised?" branch on the hot path. A thread that exits gives its heap,
 * whole, to a pool; the next new thread adopts it. What is allocated in destructors that run even later borrows a heap
 * from the pool for the one operation (heap_late).
 */
#ifndef ALLOC_HEAP_H
#define ALLOC_HEAP_H

#include "lock.h"
#include "slab.h"

/* ---- one size class of a heap ------------------------------------------------------------------------------------- */

/* Slots held back per bin, as many as have so many bytes; their slabs cannot be given back meanwhile. */
#define RECENT_MAX   4
#define RECENT_BYTES 32768

struct bin {
    _Alignas(64) uint32_t room;   /* how many more slots it holds back: recent[room] is the one freed last */
    uint32_t misaligned;          /* the bits that are 0 in the address of each of its slots */
    void *recent[RECENT_MAX + 1]; /* filled from where room begins down to 0; all others are NULL */
    uint32_t slot_size;           /* bytes; 0 in a bin never used */
    uint32_t reciprocal;          /* of slot_size */
    uint32_t below;               /* slot_size of the class before this one: what is larger has no smaller slot */
    _Alignas(64) uint64_t mask;   /* free slots of the word taken: bit i is the slot at base + i * slot_size */
    char *base;                   /* address of the word's first slot */
    struct slab *current;
    /* under the heap's lock */
    slab_list available; /* slabs worth taking up again */
    slab_list swept;     /* those of them of whose memory some is gone, see sweep.h: taken up last */
    /* Slabs owned, of the first kinds and large ones; read without the lock; they wrap, which does no harm. */
    _Atomic uint16_t first_owned;
    _Atomic uint16_t large_owned;
};

_Static_assert(sizeof(struct bin) == 128, "two cache lines per bin, a shift away from its class");

/* ---- one thread ---------------------------------------------------------------------------------------------------- */

#define HEAP_ALIGN 16384 /* a bin's heap is a mask away */

/* Remote frees not pushed yet: slots of one slab that share a map word. One push then frees them all. */
struct outbox {
    struct slab *slab;
    size_t word;
    uint64_t mask;
    size_t size, align; /* as passed to the last free, for reports */
};

/* Where the heap's sweep is, see sweep.h. */
struct sweep {
    struct slab *slab;   /* current, although no bin allocates from it: nobody else looks at it meanwhile. NULL: none */
    uint32_t slot;       /* the next to look at */
    uint32_t run;        /* from here up to it, all are free */
    uint32_t next_class; /* the bin to look for a slab in */
};

/* A family: blocks of all sizes that live and die together. Each thread that allocates from it has a heap for it, so that it is a
 * second index to bins, and all below is as ever. Families that ended serve again, with their heaps. */
struct family {
    uint32_t index;            /* in threads' tables, from 1 on, for ever */
    unit_id blocks;            /* its large blocks, see units.h; under LOCK_FAMILIES */
    struct heap *heaps;        /* of all threads; under LOCK_FAMILIES */
    struct family *next;       /* of all families */
    struct family *next_ended; /* of those that may serve again */
    void *handle;              /* the program's name for it. NULL: ended */
    const char *name;
    size_t limit;                           /* bytes */
    _Atomic size_t slab_bytes, large_bytes; /* what it has */
};

/* The heaps of one thread, by their families' indexes. */
struct family_heaps {
    uint32_t count;
    struct heap *heaps[]; /* the first is NULL, as is that of a family not used yet */
};

/* The bins come last: what most threads write lies on two pages. */
struct heap {
    struct outbox outbox;
    struct sweep sweep;
    slab_list revisit;  /* slabs the owner should look at; under the heap's lock */
    slab_list slabs;    /* all that a family's heap has; under the same lock */
    uint32_t refills;   /* of its bins; the owner's */
    uint32_t purged_at; /* milliseconds: when such a refill last looked for memory of age; the owner's */
    bool is_owned;      /* by a thread. Not: pooled, or lent for one operation */
    bool is_known;
    uint32_t number;         /* its thread's: 1, 2, ...; 0 for heap_none and heap_late */
    struct heap *next;       /* in the pool */
    struct heap *next_known; /* among the heaps that may be abandoned */
    struct heap *older;      /* among all of them: created before this one */
    struct os_owner owner;   /* of a known heap */
    size_t purged;           /* bins that thread_purge has been at; the owner's */
    /* of a thread's own heap: itself, no family, and what families its thread has used; these are the owner's */
    struct heap *base;
    struct family *family;
    struct family_heaps *families;
    struct heap *next_of_family; /* among the family's heaps */
    struct bin bins[CLASS_COUNT];
};

_Static_assert(sizeof(struct heap) <= HEAP_ALIGN, "a heap is found from its bins by a mask");

extern struct heap heap_none, heap_late;

#if ALLOC_THREADS
/* The bins of the calling thread's heap. One word in static thread-local space: one instruction finds it, and there is always room
 * for it when glibc loads the library late (for other C libraries see cmake/library.cmake). */
extern _Thread_local struct bin *own_bins;
/* What families it has used. One word more, so that a family's bins are two loads away. */
extern _Thread_local struct family_heaps *own_families;
#else
extern struct bin *own_bins;
extern struct family_heaps *own_families;
#endif
extern struct family_heaps families_none; /* a thread without a heap of a family has this */

/* Of a bin of a thread's heap. Not of heap_none and heap_late, which lie where the linker puts them: it does not always give what
 * an object asks for beyond a page. */
static inline struct heap *heap_of(const struct bin *bin)
{
    return (struct heap *)((uintptr_t)bin & ~(uintptr_t)(HEAP_ALIGN - 1));
}

static inline struct heap *heap_self(void) { return (struct heap *)((char *)own_bins - offsetof(struct heap, bins)); }

/* Whether a bin is of the heap that the thread allocates from. It may be marked (BIN_CALLED), or NULL: then it is not. */
static inline bool heap_is_current(const struct bin *bin)
{
    return ((uintptr_t)bin ^ (uintptr_t)own_bins) < HEAP_ALIGN;
}

/* Whether a bin is the calling thread's, of whatever family. */
static inline bool heap_is_own(const struct bin *bin) { return heap_of(bin)->number == heap_self()->number; }

static inline size_t heap_class(const struct bin *bin) { return (size_t)(bin - heap_of(bin)->bins); }

static inline void heap_lock(const struct heap *heap) { lock_acquire(LOCK_HEAP + heap->number % HEAP_LOCKS); }
static inline void heap_unlock(const struct heap *heap) { lock_release(LOCK_HEAP + heap->number % HEAP_LOCKS); }

/* A heap without a thread, or a fresh one. NULL: no memory. */
struct heap *heap_take(void);

#if ALLOC_THREADS
/* A heap without a thread. NULL: there is none. */
struct heap *heap_take_pooled(void);

/* Gives a heap back: the next thread finds it, or, `last`, the one after all others. */
void heap_put(struct heap *heap, bool last);

/* In a forked child: its parent's heaps have no owners that could end. */
void heap_forget_owners(void);
#endif

/* All heaps, the newest first. */
struct heap *heap_newest(void);
/* A heap of a family for the thread that has `base`, which is the calling one. NULL: no memory. */
struct heap *heap_create_for(struct family *family, struct heap *base);

/* Counts what a family is to have more. False: beyond its limit. Nothing for no family. */
bool heap_charge(struct family *family, size_t bytes, bool large);
void heap_discharge(struct family *family, size_t bytes, bool large);

struct heap_counts {
    size_t heaps, pooled;
};
struct heap_counts heap_count(void);

/* The bin of the calling thread for a class: one of heap_none's or heap_late's where the thread has no heap. */
static inline struct bin *heap_bin(size_t class)
{
    struct bin *bin = &own_bins[class];
    __asm__("" : "+r"(bin)); /* one register from here on: the compiler would compute each field's address anew */
    return bin;
}

#endif
