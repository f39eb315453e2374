/* Large blocks: mappings, exact to the page, without any header. The size comes back with the free.
 *
 * Freed ones are cached (cache.h), never more than OPTION_LARGE_CACHE_LIMIT, and each for OPTION_PURGE_AGE: every call here
 * also gives back one that is older. What is more than twice all live blocks together, or LARGE_CACHE_MIN, goes back two pieces
 * at a time as blocks are freed.
 *
 * `align` is a power of two up to ALIGN_MAX. Sizes and alignments have been checked by the caller.
 */
#ifndef ALLOC_LARGE_H
#define ALLOC_LARGE_H

#include <stdbool.h>
#include <stddef.h>

/* The bytes that a block of `size` takes. 0: nobody can have so many. */
size_t large_good_size(size_t size);

/* The natural alignment of a block of `size`. */
size_t large_natural_align(size_t size);

/* NULL with ENOMEM. *zero: its contents are zero; otherwise they are undefined. */
void *large_allocate(size_t size, size_t align, bool *zero);

void large_free(void *p, size_t size, size_t align);

/* Resizes a block in place, or moves its pages, not its bytes. NULL with ENOMEM: it is as it was. `zeroed`: the pages it
 * gains are to be zero. */
void *large_resize(void *p, size_t old_size, size_t new_size, size_t align, bool zeroed);

/* The parts of it, for who must do something in between: in place, false where that is not possible; */
bool large_resize_in_place(void *p, size_t old_size, size_t new_size, size_t align, bool zeroed);
/* addresses to move a growing block to, NULL with ENOMEM; */
void *large_reserve(size_t size, size_t align);
void large_unreserve(void *p, size_t size);
/* the move itself, false with ENOMEM: block and addresses are as they were. */
bool large_move(void *from, size_t old_size, void *to, size_t new_size);

/* Gives back what was cached first; its size. 0: nothing is cached. */
size_t large_purge_oldest(void);

struct large_counts {
    size_t live, live_bytes;
};
struct large_counts large_count(void);

#endif
