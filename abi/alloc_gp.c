/* The surface of alloc/alloc_gp.h: blocks whose size is found from their address.
 *
 * A slot's size is in its slab's header; that of a large block in a table beside it (units.h). What the program passes to
 * the sized frees saves the way through the header, and is checked.
 */
#define _GNU_SOURCE /* RTLD_NEXT */
#include "alloc/alloc_gp.h"

#include "check.h"
#include "hot.h"
#include "large.h"
#include "misuse.h"
#include "option.h"
#include "units.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define OUT_OF_LINE __attribute__((noinline))

static void *fail(int error)
{
    errno = error;
    return NULL;
}

/* ---- sizes -------------------------------------------------------------------------------------------------------- */

_Static_assert(ALLOC_MALLOC_ALIGN == 16 || ALLOC_MALLOC_ALIGN == 8, "ALLOC_MALLOC_ALIGN is 16 or 8");

/* What any object may need, as the mask that rounds up to it; built with ALLOC_MALLOC_ALIGN=8, any object of the size. */
HOT size_t object_mask(size_t size) { return size > 8 ? 15 : ALLOC_MALLOC_ALIGN - 1; }

/* The last byte of a block for `size`; size 0 gives the largest number there is. */
HOT size_t last_of_object(size_t size) { return (size - 1) | object_mask(size); }

/* To a power of two, as glibc's memalign. */
static size_t round_up_align(size_t align)
{
    return align > (SIZE_MAX >> 2) ? align : (size_t)1 << log2_ceil(align + (align == 0));
}

static bool is_valid_align(size_t align) { return is_power_of_two(align); }

/* ---- allocate ------------------------------------------------------------------------------------------------------ */

static void *allocated(void *p, size_t class) { return check_allocated(p, class_slot_size(class), UNSIZED); }

/* `align` is valid, size 0 counts as 1. */
static OUT_OF_LINE void *allocate(size_t size, size_t align, bool zeroed)
{
    size += size == 0;
    size_t last = last_byte(size, align);
    if (!last_byte_has_slot(last))
        return large_allocate(size, align, zeroed);
    size_t class = class_aligned(last);
    void *p = allocated(hot_allocate(heap_bin(class)), class);
    if (p != NULL && zeroed)
        memset(p, 0, size);
    return p;
}

static OUT_OF_LINE void *allocate_cold(size_t size) { return allocate(size, object_mask(size) + 1, false); }

HOT void *gp_malloc(size_t size)
{
    size_t last = last_of_object(size);
    if (!last_byte_has_slot(last))
        return allocate_cold(size);
    size_t class = class_aligned(last);
    return allocated(hot_allocate(heap_bin(class)), class);
}

void *alloc_gp_malloc(size_t size) { return gp_malloc(size); }

void *alloc_gp_calloc(size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return fail(ENOMEM);
    return allocate(total, object_mask(total) + 1, true);
}

void *alloc_gp_aligned_alloc(size_t align, size_t size)
{
    return is_valid_align(align) ? allocate(size, align, false) : fail(EINVAL);
}

void *alloc_gp_memalign(size_t align, size_t size) { return alloc_gp_aligned_alloc(round_up_align(align), size); }

int alloc_gp_posix_memalign(void **ptr, size_t align, size_t size)
{
    if (!is_valid_align(align) || align % sizeof(void *) != 0)
        return EINVAL;
    int saved = errno;
    void *p = allocate(size, align, false);
    errno = saved;
    if (p == NULL)
        return ENOMEM;
    *ptr = p;
    return 0;
}

/* ---- find ---------------------------------------------------------------------------------------------------------- */

/* The slab of an address in a region of this shift. */
HOT struct slab *slab_at(const void *p, unsigned shift)
{
    return (struct slab *)region_of(p) + (region_offset(p) >> shift);
}

/* The slab of a slot. NULL: it is none. */
static struct slab *slab_known(const void *p)
{
    struct slab *slab = slab_find(p);
    return slab == NULL || atomic_load_explicit(&slab->bin, memory_order_relaxed) == NULL ? NULL : slab;
}

size_t alloc_gp_usable_size(const void *ptr)
{
    const struct slab *slab = slab_known(ptr);
    if (slab == NULL)
        return unit_recorded(ptr);
    bool was_handed_out = slab_starts_slot_at(slab, ptr) && slab_index(slab, ptr) < slab_granted(slab);
    return was_handed_out ? class_slot_size(slab->class) : 0;
}

/* ---- free ---------------------------------------------------------------------------------------------------------- */

/* A pointer that is no block's. Another allocator may know it, from before this one was loaded: it is left alone, which is said once. */
static OUT_OF_LINE void report_foreign(const char *function, const void *p)
{
    static atomic_bool reported;
    if (option(OPTION_STRICT) != 0)
        misuse(function, p, 0, UNSIZED, "foreign pointer", NULL);
    if (option(OPTION_VERBOSITY) != 0 && !atomic_exchange(&reported, true))
        misuse_tolerated(function, p, 0, UNSIZED, "foreign pointer", NULL);
}

static void free_large(void *p)
{
    size_t bytes = unit_recorded(p);
    if (bytes != 0) {
        large_free(p, bytes, UNSIZED);
    } else if (region_known(p)) {
        misuse_free(p, 0, UNSIZED, "not allocated", NULL);
    } else if (unit_is_freed(p)) {
        misuse_free(p, 0, UNSIZED, "double free", NULL);
    } else if (p != NULL) {
        report_foreign("free", p);
    }
}

/* Everything but a slot of the thread's own slab. */
static OUT_OF_LINE void free_elsewhere(void *p)
{
    const struct slab *slab = slab_known(p);
    if (slab == NULL) {
        free_large(p);
        return;
    }
    size_t size = class_slot_size(slab->class);
    check_freed("free", p, size, UNSIZED);
    cold_free(p, size, UNSIZED);
}

/* NULL takes the way of pointers from elsewhere: no region begins at 0. */
void alloc_gp_free(void *ptr)
{
    unsigned shift = region_shift(ptr);
    if (shift == 0) {
        free_elsewhere(ptr);
        return;
    }
    struct slab *slab = slab_at(ptr, shift);
    struct bin *bin = atomic_load_explicit(&slab->bin, memory_order_relaxed);
    if (!heap_is_current(bin)) {
        free_elsewhere(ptr);
        return;
    }
    check_freed("free", ptr, bin->slot_size, UNSIZED);
    hot_free_own(bin, slab, ptr, bin->slot_size, UNSIZED);
}

/* ---- free with a size ------------------------------------------------------------------------------------------------ */

/* Programs in the wild pass wrong sizes. The slab says what is right; each size class is reported once. */
static OUT_OF_LINE void report_size(const char *function, const void *p, size_t size, size_t align)
{
    static atomic_bool reported[CLASS_COUNT + 1];
    const struct slab *slab = slab_known(p);
    if (option(OPTION_STRICT) != 0)
        misuse(function, p, size, align, "wrong size", slab);
    if (option(OPTION_VERBOSITY) == 0 || atomic_exchange(&reported[slab == NULL ? CLASS_COUNT : slab->class], true))
        return;
    misuse_tolerated(function, p, size, align, "wrong size", slab);
}

/* `align` is what the block was allocated with; 0: none. */
static OUT_OF_LINE void free_checked_cold(const char *function, void *p, size_t size, size_t align)
{
    const struct slab *slab = slab_known(p);
    size_t bytes = slab == NULL ? unit_recorded(p) : 0;
    size_t bytes_asked = size + (size == 0);
    size_t align_asked = align == 0 ? object_mask(bytes_asked) + 1 : round_up_align(align); /* as memalign does */
    size_t last = last_byte(bytes_asked, align_asked);
    bool has_slot = last_byte_has_slot(last);
    bool is_right = slab != NULL ? has_slot && class_aligned(last) == slab->class
                                 : bytes == 0 || (!has_slot && large_good_size(size) == bytes);
    if (!is_right)
        report_size(function, p, size, align);
    alloc_gp_free(p);
}

/* As alloc_gp_free, with a look at whether the last byte is one that the slot's class is for. */
HOT void free_checked(const char *function, void *p, size_t size, size_t align, size_t last)
{
    unsigned shift = region_shift(p);
    if (ALLOC_DEBUG || shift == 0) {
        free_checked_cold(function, p, size, align);
        return;
    }
    struct slab *slab = slab_at(p, shift);
    struct bin *bin = atomic_load_explicit(&slab->bin, memory_order_relaxed);
    if (!heap_is_current(bin) || last - bin->below >= bin->slot_size - bin->below) {
        free_checked_cold(function, p, size, align);
        return;
    }
    hot_free_own(bin, slab, p, bin->slot_size, UNSIZED);
}

void alloc_gp_free_sized(void *ptr, size_t size) { free_checked("free_sized", ptr, size, 0, last_of_object(size)); }

void alloc_gp_free_aligned_sized(void *ptr, size_t align, size_t size)
{
    free_checked("free_aligned_sized", ptr, size, align, last_byte(size, align));
}

/* ---- resize ---------------------------------------------------------------------------------------------------------- */

/* Of the C library, if it is glibc: a block from before alloc was there is resized by who knows its size. */
static OUT_OF_LINE void *realloc_elsewhere(void *p, size_t size)
{
    void *(*function)(void *, size_t);
    *(void **)&function = dlsym(RTLD_NEXT, "__libc_realloc");
    return function == NULL ? fail(ENOMEM) : function(p, size);
}

static void *reallocate(void *p, size_t size)
{
    const struct slab *slab = slab_known(p);
    size_t holds = slab != NULL ? class_slot_size(slab->class) : unit_recorded(p);
    if (holds == 0 && (region_known(p) || unit_is_freed(p)))
        misuse("realloc", p, 0, UNSIZED, "not allocated", NULL);
    if (holds == 0)
        return realloc_elsewhere(p, size);
    size_t last = last_of_object(size);
    bool to_slot = last_byte_has_slot(last);
    if (slab != NULL) {
        check_named("realloc", p, holds, UNSIZED);
        (void)misuse_unless_slot("realloc", slab, p, holds, UNSIZED);
    }
    if (slab != NULL && to_slot && class_slot_size(class_aligned(last)) == holds)
        return p;
    if (slab == NULL && !to_slot)
        return large_resize(p, holds, size, 1, false);
    int saved = errno;
    void *moved = alloc_gp_malloc(size);
    if (moved == NULL && size <= holds) { /* the block as it is holds what is asked for */
        errno = saved;
        return p;
    }
    if (moved == NULL)
        return NULL;
    memcpy(moved, p, holds < size ? holds : size);
    alloc_gp_free(p);
    return moved;
}

void *alloc_gp_realloc(void *ptr, size_t size)
{
    if (ptr == NULL)
        return alloc_gp_malloc(size);
    if (size != 0)
        return reallocate(ptr, size);
    alloc_gp_free(ptr);
    return NULL;
}

void *alloc_gp_reallocarray(void *ptr, size_t count, size_t size)
{
    size_t total;
    return __builtin_mul_overflow(count, size, &total) ? fail(ENOMEM) : alloc_gp_realloc(ptr, total);
}
