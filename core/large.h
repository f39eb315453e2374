/* Large blocks: runs of the page heap, exact to the page, without any header. Their sizes are in the table of units, which the one
 * that comes back with the free is compared to.
 *
 * `align` is a power of two. Sizes and alignments have been checked by the caller.
 */
#ifndef ALLOC_LARGE_H
#define ALLOC_LARGE_H

#include <stdbool.h>
#include <stddef.h>

/* The bytes that a block of `size` takes. 0: nobody can have so many. */
size_t large_good_size(size_t size);

/* The natural alignment of a block of `size`. */
size_t large_natural_align(size_t size);

/* NULL with ENOMEM. `zeroed`: its contents are zero; otherwise they are undefined. */
void *large_allocate(size_t size, size_t align, bool zeroed);

/* Reports it unless a block of this size begins there. `align` as in misuse.h, also below. */
void large_verify(const char *function, const void *p, size_t size, size_t align);

void large_free(void *p, size_t size, size_t align);

/* Resizes a block in place, or moves its pages or its bytes. NULL with ENOMEM: it is as it was. `zeroed`: what it gains beyond
 * its good size is zero. */
void *large_resize(void *p, size_t old_size, size_t new_size, size_t align, bool zeroed);

struct large_counts {
    size_t live, live_bytes;
};
struct large_counts large_count(void);

#endif
