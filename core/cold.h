/* What the hot path does not do itself. */
#ifndef ALLOC_COLD_H
#define ALLOC_COLD_H

#include "heap.h"

/* Refills bin.mask and allocates; finds a heap for a thread that has none. NULL with ENOMEM. */
void *cold_refill(struct bin *bin);

/* Frees other threads' slots, and what is held back or marked; reports misuse. */
void cold_free(void *p, size_t size, size_t align);

#endif
