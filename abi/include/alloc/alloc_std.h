/* alloc: a sized-free memory allocator. The stable C surface.
 *
 * The caller passes to free what it passed to allocate: the size (and, for the _aligned functions, the alignment).
 * That is what lets the engine keep nothing per allocation. Sizes and alignments are in bytes throughout.
 *
 *     natural functions  (alloc_malloc, ...)          a block of n bytes is aligned to the power of two at or above n
 *     aligned functions  (alloc_malloc_aligned, ...)  a block has the alignment asked for and the tightest size class
 *
 * The two families are not mixed: what came from a natural function is freed by alloc_free or resized by alloc_realloc;
 * what came from an _aligned function by alloc_free_aligned or alloc_realloc_aligned with the same alignment. Within a
 * family a block may be freed with any size that alloc_good_size (or alloc_good_size_aligned) maps to the same value.
 *
 * Sizes: 0 behaves as 1. Alignments: a power of two up to ALLOC_ALIGN_MAX. The natural alignment of large blocks stops
 * at ALLOC_ALIGN_MAX too.
 *
 * Errors: a function that returns a pointer returns NULL with errno ENOMEM when memory is short or the size is one that
 * nobody can have (above PTRDIFF_MAX, or count * size overflows), and NULL with errno EINVAL when the alignment is not
 * a power of two or is above ALLOC_ALIGN_MAX. A failed resize leaves the old block as it was. Frees keep errno.
 *
 * Misuse (a wrong size, a pointer freed twice, ...) that is detected ends in one line on standard error and abort().
 *
 * Threads: every function may be called from any thread at any time, also in thread-exit destructors, and a block may
 * be freed or resized by a thread other than the one that allocated it. No function is async-signal-safe. A library
 * built with ALLOC_THREADS=OFF must stay in one thread.
 *
 * Complexity: O(1) without loops, apart from the bytes that zeroing and moving touch and from the kernel's own work.
 */
#ifndef ALLOC_STD_H
#define ALLOC_STD_H

#include <stddef.h>

#define ALLOC_VERSION_MAJOR 1
#define ALLOC_VERSION_MINOR 0
#define ALLOC_VERSION_PATCH 0
/* The version of this header as one number, 10000 * major + 100 * minor + patch. */
#define ALLOC_VERSION (10000 * ALLOC_VERSION_MAJOR + 100 * ALLOC_VERSION_MINOR + ALLOC_VERSION_PATCH)

/* The largest alignment, in bytes. */
#define ALLOC_ALIGN_MAX ((size_t)64 << 20)

#if defined(__GNUC__) || defined(__clang__)
#define ALLOC_API       __attribute__((__visibility__("default")))
#define ALLOC_ATTR(...) __attribute__((__VA_ARGS__))
#else
#define ALLOC_API
#define ALLOC_ATTR(...)
#endif

/* Which function frees a block: GCC 11 and later warn when a caller mixes the families. */
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 11
#define ALLOC_FREED_BY(function) ALLOC_ATTR(__malloc__, __malloc__(function, 1))
#else
#define ALLOC_FREED_BY(function) ALLOC_ATTR(__malloc__)
#endif

#ifdef __cplusplus
#define ALLOC_NOEXCEPT noexcept
extern "C" {
#else
#define ALLOC_NOEXCEPT ALLOC_ATTR(__nothrow__)
#endif

/* ---- natural alignment ------------------------------------------------------------------------------------------ */

/* Frees a block of `size` bytes. NULL is ignored, whatever the size. Keeps errno. */
ALLOC_API void alloc_free(void *ptr, size_t size) ALLOC_NOEXCEPT;

/* Allocates `size` bytes, contents undefined. NULL with ENOMEM. */
ALLOC_API void *alloc_malloc(size_t size) ALLOC_NOEXCEPT ALLOC_FREED_BY(alloc_free)
    ALLOC_ATTR(__alloc_size__(1), __warn_unused_result__);

/* Allocates `size` bytes, all zero. NULL with ENOMEM. */
ALLOC_API void *alloc_zalloc(size_t size) ALLOC_NOEXCEPT ALLOC_FREED_BY(alloc_free)
    ALLOC_ATTR(__alloc_size__(1), __warn_unused_result__);

/* Allocates `count` objects of `size` bytes, all zero; freed with alloc_free(ptr, count * size). NULL with ENOMEM,
 * also when count * size overflows. */
ALLOC_API void *alloc_calloc(size_t count, size_t size) ALLOC_NOEXCEPT ALLOC_FREED_BY(alloc_free)
    ALLOC_ATTR(__alloc_size__(1, 2), __warn_unused_result__);

/* Resizes a block from `old_size` to `new_size` bytes and returns it, moved or not; the first min(old, new) bytes keep
 * their contents, growth is undefined. Where both sizes have one good size the pointer stays the same. NULL as `ptr`
 * allocates. NULL with ENOMEM: the old block is untouched and still the caller's. */
ALLOC_API void *alloc_realloc(void *ptr, size_t old_size, size_t new_size) ALLOC_NOEXCEPT
    ALLOC_ATTR(__alloc_size__(3), __warn_unused_result__);

/* As alloc_realloc; bytes from `old_size` to `new_size` are zero. */
ALLOC_API void *alloc_rezalloc(void *ptr, size_t old_size, size_t new_size) ALLOC_NOEXCEPT
    ALLOC_ATTR(__alloc_size__(3), __warn_unused_result__);

/* How many bytes a block allocated with `size` really holds, all usable by its owner: at least `size`; 0 when nobody
 * can have such a block. Pure arithmetic, touches no state. */
ALLOC_API size_t alloc_good_size(size_t size) ALLOC_NOEXCEPT ALLOC_ATTR(__const__);

/* ---- alignment by request --------------------------------------------------------------------------------------- */

/* Frees a block allocated with `size` bytes at alignment `align`. NULL is ignored. Keeps errno. */
ALLOC_API void alloc_free_aligned(void *ptr, size_t size, size_t align) ALLOC_NOEXCEPT;

/* Allocates `size` bytes at a multiple of `align` bytes, contents undefined. NULL with ENOMEM or EINVAL. */
ALLOC_API void *alloc_malloc_aligned(size_t size, size_t align) ALLOC_NOEXCEPT ALLOC_FREED_BY(alloc_free_aligned)
    ALLOC_ATTR(__alloc_size__(1), __alloc_align__(2), __warn_unused_result__);

/* As alloc_malloc_aligned, all zero. */
ALLOC_API void *alloc_zalloc_aligned(size_t size, size_t align) ALLOC_NOEXCEPT ALLOC_FREED_BY(alloc_free_aligned)
    ALLOC_ATTR(__alloc_size__(1), __alloc_align__(2), __warn_unused_result__);

/* As alloc_realloc for blocks of the aligned family; both sizes at the one alignment. NULL with ENOMEM or EINVAL: the
 * old block is untouched. */
ALLOC_API void *alloc_realloc_aligned(void *ptr, size_t old_size, size_t new_size, size_t align) ALLOC_NOEXCEPT
    ALLOC_ATTR(__alloc_size__(3), __alloc_align__(4), __warn_unused_result__);

/* As alloc_good_size for the aligned family; 0 also when the alignment is invalid. */
ALLOC_API size_t alloc_good_size_aligned(size_t size, size_t align) ALLOC_NOEXCEPT ALLOC_ATTR(__const__);

/* ---- version ---------------------------------------------------------------------------------------------------- */

/* The version of the library that runs, in the form of ALLOC_VERSION. */
ALLOC_API unsigned alloc_version(void) ALLOC_NOEXCEPT ALLOC_ATTR(__const__);

/* The same as text, "1.0.0"; a static string. */
ALLOC_API const char *alloc_version_string(void) ALLOC_NOEXCEPT ALLOC_ATTR(__const__);

#ifdef __cplusplus
}
#endif

#endif
