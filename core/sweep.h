/* Sweeping: memory inside slabs that are not empty goes back too, page by page.
 *
 * A program that frees most objects of one size, but not all, and goes on with another size would keep what it freed. So a
 * heap that grows also sweeps one of its other slabs that are mostly free, a few runs of free slots for each grant of
 * never-used ones: it gives back the pages that lie within them. A slab that was swept is taken up after all others.
 */
#ifndef ALLOC_SWEEP_H
#define ALLOC_SWEEP_H

#include "heap.h"

/* A few steps for a bin of the calling thread's that is granted never-used memory. */
void sweep_steps(const struct bin *growing);

/* Parks the slab that is being swept. */
void sweep_end(struct heap *heap);

#endif
