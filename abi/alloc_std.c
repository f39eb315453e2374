/* The surface of alloc/alloc_std.h: sizes to bins, and what does not have a slot to mappings. */
#include "alloc/alloc_std.h"

#include "check.h"
#include "hot.h"
#include "large.h"
#include "misuse.h"

#include <errno.h>
#include <string.h>

_Static_assert(ALIGN_MAX == ALLOC_ALIGN_MAX, "the header and the engine agree");

#define OUT_OF_LINE __attribute__((noinline))

/* ---- allocate --------------------------------------------------------------------------------------------------- */

static void *fail(int error)
{
    errno = error;
    return NULL;
}

static bool is_valid_align(size_t align) { return is_power_of_two(align); }

static void *allocate_large(size_t size, size_t align, bool zeroed)
{
    return large_allocate(size, align == 0 ? large_natural_align(size) : align, zeroed);
}

/* What the hot path leaves: size 0 and large blocks. `align` 0: natural. */
static OUT_OF_LINE void *allocate_cold(size_t size, size_t align)
{
    if (request_has_slot(size, align))
        return check_allocated(hot_allocate(heap_bin(request_class(size, align))), size, align);
    return check_allocated(allocate_large(size, align, false), size, align);
}

static OUT_OF_LINE void *allocate_aligned_cold(size_t size, size_t align)
{
    return is_valid_align(align) ? allocate_cold(size, align) : fail(EINVAL);
}

void *alloc_malloc(size_t size)
{
    if (!size_has_slot(size))
        return allocate_cold(size, 0);
    return check_allocated(hot_allocate(heap_bin(class_natural(size))), size, 0);
}

void *alloc_malloc_aligned(size_t size, size_t align)
{
    size_t last = last_byte(size, align);
    if ((align & (align - 1)) != 0 || !last_byte_has_slot(last))
        return allocate_aligned_cold(size, align);
    return check_allocated(hot_allocate(heap_bin(class_aligned(last))), size, align);
}

static void *allocate(size_t size, size_t align)
{
    return align == 0 ? alloc_malloc(size) : alloc_malloc_aligned(size, align);
}

static void *allocate_zeroed(size_t size, size_t align)
{
    if (!request_has_slot(size, align))
        return check_allocated(allocate_large(size, align, true), size, align);
    void *p = allocate(size, align);
    if (p != NULL)
        memset(p, 0, size);
    return p;
}

void *alloc_zalloc(size_t size) { return allocate_zeroed(size, 0); }

void *alloc_zalloc_aligned(size_t size, size_t align)
{
    return is_valid_align(align) ? allocate_zeroed(size, align) : fail(EINVAL);
}

void *alloc_calloc(size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return fail(ENOMEM);
    return allocate_zeroed(total, 0);
}

/* ---- free ------------------------------------------------------------------------------------------------------- */

/* A block named with a size that has no slot must not lie in a slab. */
static void refuse_slot(const char *function, const void *ptr, size_t size, size_t align)
{
    if (region_known(ptr))
        misuse(function, ptr, size, align, "wrong size", slab_of(ptr));
}

static OUT_OF_LINE void free_odd(void *ptr, size_t size, size_t align)
{
    if (request_has_slot(size, align)) {
        hot_free(heap_bin(request_class(size, align)), ptr, size, align);
        return;
    }
    refuse_slot(align == 0 ? "alloc_free" : "alloc_free_aligned", ptr, size, align);
    large_free(ptr, size, align);
}

static OUT_OF_LINE void free_aligned_odd(void *ptr, size_t size, size_t align)
{
    if (!is_valid_align(align))
        misuse_free(ptr, size, align, "wrong alignment", NULL);
    check_freed("alloc_free_aligned", ptr, size, align);
    free_odd(ptr, size, align);
}

void alloc_free(void *ptr, size_t size)
{
    if (ptr == NULL)
        return;
    check_freed("alloc_free", ptr, size, 0);
    if (size_has_slot(size))
        hot_free(heap_bin(class_natural(size)), ptr, size, 0);
    else
        free_odd(ptr, size, 0);
}

void alloc_free_aligned(void *ptr, size_t size, size_t align)
{
    if (ptr == NULL)
        return;
    size_t last = last_byte(size, align);
    if ((align & (align - 1)) != 0 || !last_byte_has_slot(last)) {
        free_aligned_odd(ptr, size, align);
        return;
    }
    check_freed("alloc_free_aligned", ptr, size, align);
    hot_free(heap_bin(class_aligned(last)), ptr, size, align);
}

/* ---- resize ----------------------------------------------------------------------------------------------------- */

/* Before anything is copied: the old size is the right one, as far as a slab can tell. */
static void verify_old(const char *function, const void *ptr, size_t size, size_t align)
{
    check_named(function, ptr, size, align);
    if (!request_has_slot(size, align)) {
        refuse_slot(function, ptr, size, align);
        large_verify(function, ptr, size, align);
        return;
    }
    const struct slab *slab = slab_of(ptr);
    if (atomic_load_explicit(&slab->bin, memory_order_relaxed) == NULL)
        misuse(function, ptr, size, align, "not allocated", NULL);
    if (slab->class != request_class(size, align))
        misuse(function, ptr, size, align, "wrong size", slab);
    (void)misuse_unless_slot(function, slab, ptr, size, align);
}

static void *resize_large(void *ptr, size_t old_size, size_t new_size, size_t align, bool zeroed)
{
    return large_resize(ptr, old_size, new_size, align == 0 ? large_natural_align(new_size) : align, zeroed);
}

/* `zeroed`: what a block gains without moving into another slot is zero, beyond the good size of the old one. */
static void *resize(const char *function, void *ptr, size_t old_size, size_t new_size, size_t align, bool zeroed)
{
    if (ptr == NULL)
        return zeroed ? allocate_zeroed(new_size, align) : allocate(new_size, align);
    verify_old(function, ptr, old_size, align);
    bool from_slot = request_has_slot(old_size, align), to_slot = request_has_slot(new_size, align);
    if (from_slot && to_slot && request_class(old_size, align) == request_class(new_size, align))
        return ptr;
    if (!from_slot && !to_slot)
        return resize_large(ptr, old_size, new_size, align, zeroed);
    void *p = zeroed && !to_slot ? allocate_zeroed(new_size, align) : allocate(new_size, align);
    if (p == NULL)
        return NULL;
    memcpy(p, ptr, old_size < new_size ? old_size : new_size);
    if (align == 0)
        alloc_free(ptr, old_size);
    else
        alloc_free_aligned(ptr, old_size, align);
    return p;
}

void *alloc_realloc(void *ptr, size_t old_size, size_t new_size)
{
    return resize("alloc_realloc", ptr, old_size, new_size, 0, false);
}

void *alloc_rezalloc(void *ptr, size_t old_size, size_t new_size)
{
    char *p = resize("alloc_rezalloc", ptr, old_size, new_size, 0, true);
    if (p == NULL || ptr == NULL || new_size <= old_size)
        return p;
    size_t dirty_end = new_size;
    if (!request_has_slot(new_size,
                          0)) /* what it gained is zero; between the old size and its page's end it may not be */
        dirty_end = request_has_slot(old_size, 0) ? old_size : large_good_size(old_size);
    if (dirty_end > new_size)
        dirty_end = new_size;
    memset(p + old_size, 0, dirty_end - old_size);
    return p;
}

void *alloc_realloc_aligned(void *ptr, size_t old_size, size_t new_size, size_t align)
{
    return is_valid_align(align) ? resize("alloc_realloc_aligned", ptr, old_size, new_size, align, false)
                                 : fail(EINVAL);
}

/* ---- sizes and versions ----------------------------------------------------------------------------------------- */

static size_t good_size(size_t size, size_t align)
{
    return request_has_slot(size, align) ? class_slot_size(request_class(size, align)) : large_good_size(size);
}

size_t alloc_good_size(size_t size) { return good_size(size, 0); }

size_t alloc_good_size_aligned(size_t size, size_t align) { return is_valid_align(align) ? good_size(size, align) : 0; }

unsigned alloc_version(void) { return ALLOC_VERSION; }

#define TEXT(x)                           #x
#define VERSION_TEXT(major, minor, patch) TEXT(major) "." TEXT(minor) "." TEXT(patch)

const char *alloc_version_string(void)
{
    return VERSION_TEXT(ALLOC_VERSION_MAJOR, ALLOC_VERSION_MINOR, ALLOC_VERSION_PATCH);
}
