/* All locks of the engine, so that a fork can take them all. Each is held for a few instructions, and only LOCK_GROWTH
 * across system calls; nobody who holds one waits for another.
 */
#ifndef ALLOC_LOCK_H
#define ALLOC_LOCK_H

#include "memory.h"

#define HEAP_LOCKS 16 /* shared by all heaps */

enum lock {
    LOCK_GROWTH,                     /* reservations and regions */
    LOCK_POOL,                       /* slabs set aside, and map blocks */
    LOCK_HEAPS,                      /* the list of heaps */
    LOCK_FAMILIES,                   /* families, their heaps and their large blocks */
    LOCK_PAGES,                      /* the first of SPACES: a space's free runs */
    LOCK_HEAP = LOCK_PAGES + SPACES, /* the first of HEAP_LOCKS */
    LOCK_COUNT = LOCK_HEAP + HEAP_LOCKS
};

extern struct os_lock locks[LOCK_COUNT];

static inline void lock_acquire(unsigned lock) { os_lock_acquire(&locks[lock]); }
static inline void lock_release(unsigned lock) { os_lock_release(&locks[lock]); }

#if ALLOC_THREADS
/* Around a fork. Housekeeping. */
void lock_begin_fork(void);
void lock_end_fork(void);
#endif

#endif
