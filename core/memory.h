/* Memory from the system, counted: what is usable, against the limit that the program may set, and what is reserved.
 *
 * Sizes and addresses are multiples of the page size. Any thread; nothing here is called with a heap's lock held.
 */
#ifndef ALLOC_MEMORY_H
#define ALLOC_MEMORY_H

#include "os/os.h"

#include <stdatomic.h>

struct memory_counts {
    _Atomic size_t reserved;  /* bytes of addresses */
    _Atomic size_t committed; /* bytes of them that are usable and not purged */
    _Atomic size_t purges;    /* times that memory went back to the system */
};

extern struct memory_counts memory_counts;

/* As the os functions of these names. */
void *memory_reserve(size_t size, size_t align, size_t room);
void memory_unreserve(void *start, size_t size); /* of what was not committed */
bool memory_commit(void *start, size_t size);    /* false also beyond the limit */
void *memory_map(size_t size, size_t align);     /* NULL also beyond the limit */
bool memory_extend(void *start, size_t old_size, size_t new_size);
/* Moves a mapping, by its pages or else its bytes, to reserved addresses, where it becomes larger. False: it is as it was. */
bool memory_move(void *from, size_t size, void *to, size_t new_size);
void memory_release(void *start, size_t size);

/* Gives the memory back and keeps the addresses. */
void memory_purge(void *start, size_t size);
/* The same for a part of what stays in use: it still counts. */
void memory_give_back(void *start, size_t size);
/* Counts purged memory that is used again. False: beyond the limit. */
bool memory_charge(size_t size);
void memory_discharge(size_t size);

#endif
