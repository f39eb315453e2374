/* Statistics: what is counted where slabs and blocks change hands, and what a walk over the slabs finds. Nothing is
 * counted on the hot path. Housekeeping. */
#ifndef ALLOC_STATS_H
#define ALLOC_STATS_H

#include "region.h"

struct family;

/* Of slabs that heaps own: of one class, or of all. */
struct slab_stats {
    size_t current[SLAB_KINDS], parked[SLAB_KINDS], available[SLAB_KINDS];
    size_t bytes;    /* of these slabs */
    size_t touched;  /* of these bytes: what was ever handed out */
    size_t capacity; /* slots */
    size_t used;     /* bytes of slots that are not known to be free */
    size_t free;     /* slots that are known to be free: those of current slabs are not */
};

#define EVERY_CLASS ((size_t)-1)

struct slab_stats stats_of_slabs(size_t class);
struct slab_stats stats_of_family(const struct family *family);

/* Slots that other threads than their owner freed, since the start of the process. */
size_t stats_remote_frees(void);

size_t stats_regions(void);

/* Bytes of addresses. */
size_t stats_reserved(void);

/* Slabs for which there are addresses that never served. */
size_t stats_fresh_slabs(void);

#endif
