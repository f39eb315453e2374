/* Misuse: what a caller passed is not what it was given. Each kind is told in one line. */
#ifndef ALLOC_MISUSE_H
#define ALLOC_MISUSE_H

#include <stddef.h>

struct slab;

/* One line on standard error, then abort():
 *     alloc: FUNCTION(POINTER[, SIZE[, ALIGN]]): KIND: what the slab holds
 * `align` 0: the natural family. `slab` NULL: nothing is known of it. */
_Noreturn void misuse(const char *function, const void *p, size_t size, size_t align, const char *kind,
                      const struct slab *slab);

/* The same without abort(), for what the slab puts right. */
void misuse_tolerated(const char *function, const void *p, size_t size, size_t align, const char *kind,
                      const struct slab *slab);

/* As misuse, from a free. */
_Noreturn void misuse_free(const void *p, size_t size, size_t align, const char *kind, const struct slab *slab);

/* The index of a block of a slab. Reports it unless it is where a slot begins that was handed out in this life of the slab.
 * `function` NULL: of a free. */
size_t misuse_unless_slot(const char *function, const struct slab *slab, const void *p, size_t size, size_t align);

/* A wrong size of a large block of so many bytes. */
_Noreturn void misuse_of_large(const char *function, const void *p, size_t size, size_t align, size_t bytes);

/* The name of the function that frees. */
const char *misuse_function(size_t align);

#endif
