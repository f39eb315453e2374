/* alloc: convenience over the stable surface, all of it inline.
 *
 * Nothing here has state or a symbol in the library: each function and macro is a few lines over <alloc/alloc_std.h>, so
 * that a block made here may be freed or resized there, and the other way round. All blocks are of the natural family:
 * a block of n bytes is aligned to the power of two at or above n, which is enough for whatever type has n bytes.
 *
 * Types: `T` is any complete object type that a `*` can be appended to. Constructors and destructors are not run, so in
 * C++ these are for trivial types. Sizes and errors, unless said otherwise: sizes are in bytes and counts in elements;
 * what returns a pointer returns NULL with errno ENOMEM, also where a product of count and size overflows. Threads:
 * everything may be called from any thread at any time; the caller keeps others off the variables it passes.
 */
#ifndef ALLOC_EXT_H
#define ALLOC_EXT_H

#include <alloc/alloc_std.h>

#include <errno.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
#define ALLOC_CAST(type, value) static_cast<type>(value)
#else
#define ALLOC_CAST(type, value) ((type)(value))
#endif

/* ---- objects and arrays ----------------------------------------------------------------------------------------- */

/* Allocates `count` elements of `size` bytes each, contents undefined; freed with alloc_free(ptr, count * size). Aligned
 * to the power of two at or above count * size. NULL with ENOMEM, also when count * size overflows. Any thread. */
ALLOC_ATTR(__malloc__, __alloc_size__(1, 2), __warn_unused_result__)
static inline void *alloc_malloc_array(size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size) {
        errno = ENOMEM;
        return NULL;
    }
    return alloc_malloc(count * size);
}

/* Allocates a T, contents undefined, as a T *; freed with alloc_delete. Aligned for T. NULL with ENOMEM. Any thread. */
#define alloc_new(T) ALLOC_CAST(T *, alloc_malloc(sizeof(T)))

/* Allocates an array of `count` T, contents undefined, as a T *; freed with alloc_delete_array and the same count.
 * Aligned for T; a count of 0 gives a unique pointer to no element. NULL with ENOMEM, also when the size in bytes
 * overflows. Any thread. */
#define alloc_new_array(T, count) ALLOC_CAST(T *, alloc_malloc_array((count), sizeof(T)))

/* Frees what alloc_new allocated; `ptr` has the type that alloc_new gave it, since sizeof *ptr is the size freed. It is
 * evaluated once; NULL is ignored. Keeps errno. Any thread. */
#define alloc_delete(ptr) alloc_free((ptr), sizeof(*(ptr)))

/* Frees an array of `count` elements; `ptr` has the type that alloc_new_array gave it. Each argument is evaluated once;
 * NULL is ignored, whatever the count. Keeps errno. Any thread. */
#define alloc_delete_array(ptr, count) alloc_free((ptr), (count) * sizeof(*(ptr)))

/* ---- copies ----------------------------------------------------------------------------------------------------- */

/* Allocates a copy of the `size` bytes at `source`, which may be NULL when size is 0; freed with alloc_free(ptr, size).
 * Aligned to the power of two at or above size. NULL with ENOMEM. Any thread. */
ALLOC_ATTR(__malloc__, __alloc_size__(2), __warn_unused_result__)
static inline void *alloc_memdup(const void *source, size_t size)
{
    void *copy = alloc_malloc(size);
    if (copy != NULL && size != 0)
        memcpy(copy, source, size);
    return copy;
}

/* Allocates a copy of a string with its terminator; freed with alloc_free(ptr, strlen(ptr) + 1). No alignment beyond
 * what its size gives. NULL with ENOMEM. Any thread. */
ALLOC_ATTR(__malloc__, __nonnull__, __warn_unused_result__)
static inline char *alloc_strdup(const char *string)
{
    return ALLOC_CAST(char *, alloc_memdup(string, strlen(string) + 1));
}

/* ---- memory goes back ------------------------------------------------------------------------------------------- */

/* Gives back all memory that is cached, and what the calling thread's slabs keep; other threads' slabs stay as they are.
 * 1 if there was any, otherwise 0, as glibc's malloc_trim. Not O(1): as many steps as things are cached. Any thread. */
static inline int alloc_trim(void)
{
    struct alloc_stats before, after;
    (void)alloc_stats(&before, sizeof before);
    while (alloc_purge()) {
    }
    (void)alloc_stats(&after, sizeof after);
    return after.purges != before.purges;
}

/* ---- growing arrays --------------------------------------------------------------------------------------------- */

/* Makes room for at least `needed` elements of `size` bytes in an array that has room for `*capacity`: the capacity
 * grows by half or to what is needed, whichever is more, and then to what the block really holds, so that appending one
 * by one moves each element O(1) times on average. Returns the array, moved or not, and sets *capacity; its elements
 * keep their contents, new ones are undefined. An array that has room already is returned as it is. `array` is NULL with
 * a capacity of 0 or a block of *capacity * size bytes, and is freed as such a block; `size` is not 0. Aligned to the
 * power of two at or above the bytes. NULL with ENOMEM, also on overflow: array and *capacity are untouched. Any
 * thread. */
ALLOC_ATTR(__nonnull__(2), __warn_unused_result__)
static inline void *alloc_realloc_grown(void *array, size_t *capacity, size_t needed, size_t size)
{
    const size_t most = PTRDIFF_MAX / size;
    size_t wanted = *capacity < most - most / 3 ? *capacity + *capacity / 2 : most;
    size_t room;
    void *grown;

    if (array != NULL && needed <= *capacity)
        return array;
    if (wanted < needed)
        wanted = needed;
    room = wanted <= most ? alloc_good_size(wanted * size) / size : 0;
    if (room < wanted) { /* nobody can have such a block */
        errno = ENOMEM;
        return NULL;
    }
    grown = alloc_realloc(array, *capacity * size, room * size);
    if (grown != NULL)
        *capacity = room;
    return grown;
}

/* alloc_realloc_grown for an array of T, as a T *; freed with alloc_delete_array(array, *capacity). Each argument is
 * evaluated once. NULL with ENOMEM, also on overflow: array and *capacity are untouched. Any thread. */
#define alloc_grow_array(T, array, capacity, needed) \
    ALLOC_CAST(T *, alloc_realloc_grown((array), (capacity), (needed), sizeof(T)))

#endif
