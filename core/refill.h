/* Refills: where a bin's next slots come from. */
#ifndef ALLOC_REFILL_H
#define ALLOC_REFILL_H

#include "bin.h"

/* Fills bin.mask, which is empty, and allocates; for a bin of a heap that is the calling thread's, if only for the moment. NULL
 * with ENOMEM. */
void *refill_bin(struct bin *bin);

/* The same of a bin that may still hold slots. */
void *refill_allocate(struct bin *bin);

#endif
