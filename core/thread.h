/* The lives of threads, as far as their heaps are concerned: adoption, exit, fork. */
#ifndef ALLOC_THREAD_H
#define ALLOC_THREAD_H

#include "heap.h"

/* A heap for the calling thread, for good. NULL when it cannot have one: no memory, or it is too late in its life. */
struct heap *thread_adopt(void);

/* Allocates for a thread that is too late for a heap of its own: with a pooled one, just for this. NULL: no memory. */
void *thread_allocate_late(size_t class);

/* Makes the slabs of the calling thread's next bin, or those it should look at, leave the heap where they are empty. One
 * step; false: it has been at all of them, and begins anew. */
bool thread_purge(void);

#endif
