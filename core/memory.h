/* Memory that is in use, or free and not purged: counted, against the limit that the program may set.
 *
 * Sizes and addresses are multiples of the page size. Any thread.
 */
#ifndef ALLOC_MEMORY_H
#define ALLOC_MEMORY_H

#include "os/os.h"

#include <stdatomic.h>

/* What memory is for. The first are the kinds of slabs (region.h). */
enum space {
    SPACE_SMALL,
    SPACE_MEDIUM,
    SPACE_LARGE,
    SPACE_HUGE,   /* huge pages back it */
    SPACE_BLOCKS, /* large blocks */
    SPACES,
    SPACE_META = SPACES, /* what the engine keeps about the others */
    RESERVATIONS
};

struct memory_counts {
    _Atomic size_t charged; /* bytes */
    _Atomic size_t purges;  /* times that memory went back to the system */
};

extern struct memory_counts memory_counts;

/* Counts what is to be used. False: beyond the limit. */
bool memory_charge(size_t size);
void memory_discharge(size_t size);
/* For what was discharged only to be lent. */
void memory_charge_anyway(size_t size);

/* Gives the memory back and keeps the addresses. False: the system refuses, all is as it was. */
bool memory_purge(void *start, size_t size);

#endif
