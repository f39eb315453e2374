/* alloc: the general-purpose surface, for programs that do not know the sizes of what they free.
 *
 * The functions of the C and POSIX standards under names of their own, usable beside the system's malloc. A block of this
 * surface is freed and resized by this surface only. liballoc_malloc.so offers the same under the standard names.
 *
 * Sizes and alignments are in bytes. A block is aligned to 16, as max_align_t (in a library built with ALLOC_MALLOC_ALIGN=8, one of
 * up to 8 bytes to 8); the functions that take an alignment give that. Size 0 behaves as 1. Size classes are four per doubling: a
 * block holds at most a quarter more than was asked for, page-exact above 512 KiB.
 *
 * Errors: NULL with errno ENOMEM when memory is short, or the size is above PTRDIFF_MAX or a product overflows; a failed
 * resize leaves the old block as it was. Frees keep errno. Misuse that is detected (a block freed twice, a wrong size)
 * ends in one line on standard error and abort(). A pointer that no function of alloc returned is ignored by free and passed
 * on to glibc's realloc, if the C library is glibc (otherwise: ENOMEM).
 *
 * Threads: as <alloc/alloc_std.h>, whose options, statistics and promises on memory hold here too.
 */
#ifndef ALLOC_GP_H
#define ALLOC_GP_H

#include <alloc/alloc_std.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Since 1.1, all of them. */

/* Frees a block. NULL is ignored. Keeps errno. */
ALLOC_API void alloc_gp_free(void *ptr) ALLOC_NOEXCEPT;

/* Frees a block of alloc_gp_malloc, _calloc, _realloc or _reallocarray, for which `size` bytes were asked: C23. NULL is
 * ignored. */
ALLOC_API void alloc_gp_free_sized(void *ptr, size_t size) ALLOC_NOEXCEPT;

/* Frees a block of alloc_gp_aligned_alloc or _memalign, with what was asked for: C23. NULL is ignored. */
ALLOC_API void alloc_gp_free_aligned_sized(void *ptr, size_t align, size_t size) ALLOC_NOEXCEPT;

/* Allocates `size` bytes, contents undefined. */
ALLOC_API void *alloc_gp_malloc(size_t size) ALLOC_NOEXCEPT ALLOC_OWNED_BY(alloc_gp_free) ALLOC_BYTES(1)
    ALLOC_ATTR(__warn_unused_result__);

/* Allocates `count` objects of `size` bytes, all zero. */
ALLOC_API void *alloc_gp_calloc(size_t count, size_t size) ALLOC_NOEXCEPT ALLOC_OWNED_BY(alloc_gp_free)
    ALLOC_BYTES(1, 2) ALLOC_ATTR(__warn_unused_result__);

/* Resizes a block, moved or not; contents stay up to the smaller size. NULL as `ptr` allocates. Size 0 frees the block
 * and returns NULL, as glibc's. */
ALLOC_API void *alloc_gp_realloc(void *ptr, size_t size) ALLOC_NOEXCEPT ALLOC_BYTES(2)
    ALLOC_ATTR(__warn_unused_result__);

/* alloc_gp_realloc to count * size bytes; on overflow NULL with ENOMEM, the block untouched. */
ALLOC_API void *alloc_gp_reallocarray(void *ptr, size_t count, size_t size) ALLOC_NOEXCEPT ALLOC_BYTES(2, 3)
    ALLOC_ATTR(__warn_unused_result__);

/* Allocates `size` bytes at a multiple of `align`, a power of two; otherwise NULL with EINVAL. */
ALLOC_API void *alloc_gp_aligned_alloc(size_t align, size_t size) ALLOC_NOEXCEPT ALLOC_OWNED_BY(alloc_gp_free)
    ALLOC_BYTES(2) ALLOC_ATTR(__alloc_align__(1), __warn_unused_result__);

/* The same; an alignment that is no power of two is rounded up to one, as glibc's. */
ALLOC_API void *alloc_gp_memalign(size_t align, size_t size) ALLOC_NOEXCEPT ALLOC_FREED_BY(alloc_gp_free) ALLOC_BYTES(2)
    ALLOC_ATTR(__warn_unused_result__);

/* The same, by way of *ptr: 0, or EINVAL when `align` is no power of two and multiple of sizeof(void *), or
 * ENOMEM; *ptr and errno are untouched then. */
ALLOC_API int alloc_gp_posix_memalign(void **ptr, size_t align, size_t size) ALLOC_NOEXCEPT
    ALLOC_ATTR(__nonnull__, __warn_unused_result__);

/* The bytes that a block really holds, all usable, also with _FORTIFY_SOURCE. 0: NULL, or a pointer that no function of alloc returned. */
ALLOC_API size_t alloc_gp_usable_size(const void *ptr) ALLOC_NOEXCEPT;

#define ALLOC_GP_DECLARED
#ifdef ALLOC_IS_FORTIFIED
#include <alloc/alloc_fortify.h>
#endif

#ifdef __cplusplus
}
#endif

#endif
