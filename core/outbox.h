/* Frees of slots that another heap owns.
 *
 * They wait in the thread's outbox for others of the same map word: one push then frees them all. `size` and `align` are only for
 * reports.
 */
#ifndef ALLOC_OUTBOX_H
#define ALLOC_OUTBOX_H

#include "heap.h"

/* Frees a slot of another heap's slab, the index-th, by way of the calling thread's heap. */
void outbox_add(struct heap *heap, struct slab *slab, size_t index, size_t size, size_t align);

#if ALLOC_THREADS
/* Frees slots of one map word at once. */
void outbox_push(struct slab *slab, size_t word, uint64_t mask, size_t size, size_t align);

/* Frees what waits. */
void outbox_flush(struct heap *heap);
#endif

#endif
