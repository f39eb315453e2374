/* What valgrind runs in the place of the library's functions: the system's malloc, which it watches. So it reports of this library's
 * blocks what it reports of malloc's: writes behind a block, uses after free, leaks.
 *
 * It finds these functions by their names (valgrind's manual, "Function wrapping": _vgr replaces, Za stands for any library).
 * Nobody else calls them, and they cost nothing where valgrind does not run. */
#include "alloc/alloc_gp.h"
#include "alloc/alloc_std.h"

#include "large.h"
#include "size_class.h"

#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define REPLACE(result, function, ...)                                                                 \
    result watched_##function(__VA_ARGS__) __asm__("_vgr00000ZU_Za_" #function) __attribute__((used)); \
    result watched_##function(__VA_ARGS__)

static void *fail(int error)
{
    errno = error;
    return NULL;
}

static void *allocate(size_t size, size_t align) { return align <= 16 ? malloc(size) : memalign(align, size); }

static size_t natural(size_t size) { return size == 0 ? 1 : large_natural_align(size); }

static void *zeroed(void *p, size_t size) { return p == NULL ? NULL : memset(p, 0, size); }

static void *resize(void *p, size_t old_size, size_t new_size, size_t align)
{
    void *moved = allocate(new_size, align);
    if (moved == NULL || p == NULL)
        return moved;
    memcpy(moved, p, old_size < new_size ? old_size : new_size);
    free(p);
    return moved;
}

/* ---- alloc_std.h ------------------------------------------------------------------------------------------------- */

REPLACE(void *, alloc_malloc, size_t size) { return allocate(size, natural(size)); }

REPLACE(void *, alloc_zalloc, size_t size) { return zeroed(allocate(size, natural(size)), size); }

REPLACE(void *, alloc_calloc, size_t count, size_t size)
{
    size_t total;
    return __builtin_mul_overflow(count, size, &total) ? fail(ENOMEM) : zeroed(allocate(total, natural(total)), total);
}

REPLACE(void, alloc_free, void *p, size_t size)
{
    (void)size;
    free(p);
}

REPLACE(void *, alloc_realloc, void *p, size_t old_size, size_t new_size)
{
    return resize(p, old_size, new_size, natural(new_size));
}

REPLACE(void *, alloc_rezalloc, void *p, size_t old_size, size_t new_size)
{
    char *resized = resize(p, old_size, new_size, natural(new_size));
    size_t kept = p == NULL ? 0 : old_size;
    if (resized != NULL && new_size > kept)
        memset(resized + kept, 0, new_size - kept);
    return resized;
}

REPLACE(size_t, alloc_good_size, size_t size) { return size; }

REPLACE(void *, alloc_malloc_aligned, size_t size, size_t align)
{
    return is_power_of_two(align) ? allocate(size, align) : fail(EINVAL);
}

REPLACE(void *, alloc_zalloc_aligned, size_t size, size_t align)
{
    return is_power_of_two(align) ? zeroed(allocate(size, align), size) : fail(EINVAL);
}

REPLACE(void, alloc_free_aligned, void *p, size_t size, size_t align)
{
    (void)size;
    (void)align;
    free(p);
}

REPLACE(void *, alloc_realloc_aligned, void *p, size_t old_size, size_t new_size, size_t align)
{
    return is_power_of_two(align) ? resize(p, old_size, new_size, align) : fail(EINVAL);
}

REPLACE(size_t, alloc_good_size_aligned, size_t size, size_t align) { return is_power_of_two(align) ? size : 0; }

/* ---- alloc_gp.h -------------------------------------------------------------------------------------------------- */

REPLACE(void *, alloc_gp_malloc, size_t size) { return malloc(size); }

REPLACE(void *, alloc_gp_calloc, size_t count, size_t size) { return calloc(count, size); }

REPLACE(void, alloc_gp_free, void *p) { free(p); }

REPLACE(void, alloc_gp_free_sized, void *p, size_t size)
{
    (void)size;
    free(p);
}

REPLACE(void, alloc_gp_free_aligned_sized, void *p, size_t align, size_t size)
{
    (void)align;
    (void)size;
    free(p);
}

REPLACE(void *, alloc_gp_realloc, void *p, size_t size) { return realloc(p, size); }

REPLACE(void *, alloc_gp_reallocarray, void *p, size_t count, size_t size)
{
    size_t total;
    return __builtin_mul_overflow(count, size, &total) ? fail(ENOMEM) : realloc(p, total);
}

REPLACE(void *, alloc_gp_aligned_alloc, size_t align, size_t size)
{
    return is_power_of_two(align) ? memalign(align, size) : fail(EINVAL);
}

REPLACE(void *, alloc_gp_memalign, size_t align, size_t size) { return memalign(align, size); }

REPLACE(int, alloc_gp_posix_memalign, void **p, size_t align, size_t size) { return posix_memalign(p, align, size); }

REPLACE(size_t, alloc_gp_usable_size, const void *p) { return malloc_usable_size((void *)(uintptr_t)p); }
