/* Large blocks: whole mappings, exact to the page, without any header. The size comes back with the free.
 *
 * `align` is a power of two up to ALIGN_MAX. Sizes and alignments have been checked by the caller.
 */
#ifndef ALLOC_LARGE_H
#define ALLOC_LARGE_H

#include <stddef.h>

/* The bytes that a block of `size` takes. 0: nobody can have so many. */
size_t large_good_size(size_t size);

/* The natural alignment of a block of `size`. */
size_t large_natural_align(size_t size);

/* A mapping, zero. NULL with ENOMEM. */
void *large_allocate(size_t size, size_t align);

void large_free(void *p, size_t size);

/* Resizes a block in place, or moves its pages, not its bytes. NULL with ENOMEM: it is as it was. */
void *large_resize(void *p, size_t old_size, size_t new_size, size_t align);

#endif
