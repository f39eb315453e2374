/* The surface of alloc/alloc_family.h: a family's bins in the place of the thread's, and everything else as in alloc_std.h, within
 * the family. */
#include "alloc/alloc_family.h"

#include "check.h"
#include "family.h"
#include "hot.h"
#include "misuse.h"
#include "thread.h"

#include <errno.h>

#define OUT_OF_LINE __attribute__((noinline))

/* ---- handles -------------------------------------------------------------------------------------------------------- */

/* The family of a handle, from its first use on. NULL: no memory. Of threads that begin it at the same time, one does. */
static struct family *begin(alloc_family *handle)
{
    struct family *family = __atomic_load_n(&handle->state, __ATOMIC_ACQUIRE);
    if (family != NULL)
        return family;
    void *found = NULL;
    family =
        family_begin(handle, handle->name == NULL ? "" : handle->name, handle->limit == 0 ? SIZE_MAX : handle->limit);
    if (family == NULL)
        return NULL;
    if (!__atomic_compare_exchange_n(&handle->state, &found, family, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        family_end(family);
        return found;
    }
    __atomic_store_n(&handle->index, family->index, __ATOMIC_RELAXED);
    return family;
}

static struct heap *fail(int error)
{
    errno = error;
    return NULL;
}

/* From here on, until family_leave, the thread allocates from the family. */
static struct heap *enter(alloc_family *handle)
{
    struct family *family = begin(handle);
    struct heap *before = family == NULL ? NULL : family_enter(family);
    return before != NULL ? before : fail(ENOMEM);
}

alloc_family *alloc_family_create(const struct alloc_family_info *info, size_t info_size)
{
    struct alloc_family_info known = {0};
    if (info_size >= sizeof known.name)
        known.name = info->name;
    if (info_size >= sizeof known)
        known.limit = info->limit;
    alloc_family *handle = alloc_zalloc(sizeof *handle);
    if (handle == NULL)
        return NULL;
    handle->created = 1;
    handle->name = known.name;
    handle->limit = known.limit;
    if (begin(handle) != NULL)
        return handle;
    alloc_free(handle, sizeof *handle);
    errno = ENOMEM;
    return NULL;
}

void alloc_family_reset(alloc_family *handle)
{
    if (handle->state != NULL)
        family_reset(handle->state);
}

void alloc_family_destroy(alloc_family *handle)
{
    if (handle == NULL)
        return;
    alloc_family_reset(handle);
    if (handle->state != NULL)
        family_end(handle->state);
    handle->state = NULL;
    handle->index = 0;
    if (handle->created != 0)
        alloc_free(handle, sizeof *handle);
}

alloc_family *alloc_family_swap(alloc_family *handle)
{
    const struct family *family = heap_self()->family;
    alloc_family *before = family == NULL ? NULL : family->handle;
    if (heap_self()->number == 0 && thread_adopt() == NULL) /* the thread is too late for a heap to keep */
        return fail(ENOMEM), NULL;
    if (handle != NULL)
        (void)enter(handle);
    else if (before != NULL)
        family_leave(heap_self()->base);
    return before;
}

/* ---- allocate --------------------------------------------------------------------------------------------------------- */

/* The calling thread's heap for a family. NULL: it has none yet. */
HOT struct heap *heap_for(const alloc_family *handle)
{
    uint32_t index = __atomic_load_n(&handle->index, __ATOMIC_RELAXED);
    const struct family_heaps *table = own_families;
    return index < table->count ? table->heaps[index] : NULL;
}

/* `align` 0: natural. */
static OUT_OF_LINE void *allocate_within(alloc_family *handle, size_t size, size_t align, bool zeroed)
{
    struct heap *before = enter(handle);
    if (before == NULL)
        return NULL;
    void *p = align == 0 ? zeroed ? alloc_zalloc(size) : alloc_malloc(size)
              : zeroed ? alloc_zalloc_aligned(size, align)
                         : alloc_malloc_aligned(size, align);
    family_leave(before);
    return p;
}

void *alloc_family_malloc(alloc_family *handle, size_t size)
{
    struct heap *heap = heap_for(handle);
    if (heap == NULL || !size_has_slot(size))
        return allocate_within(handle, size, 0, false);
    return check_allocated(hot_allocate(&heap->bins[class_natural(size)]), size, 0);
}

void *alloc_family_malloc_aligned(alloc_family *handle, size_t size, size_t align)
{
    struct heap *heap = heap_for(handle);
    size_t last = last_byte(size, align);
    if (!is_power_of_two(align))
        return fail(EINVAL);
    if (heap == NULL || !last_byte_has_slot(last))
        return allocate_within(handle, size, align, false);
    return check_allocated(hot_allocate(&heap->bins[class_aligned(last)]), size, align);
}

void *alloc_family_zalloc(alloc_family *handle, size_t size) { return allocate_within(handle, size, 0, true); }

void *alloc_family_zalloc_aligned(alloc_family *handle, size_t size, size_t align)
{
    return is_power_of_two(align) ? allocate_within(handle, size, align, true) : fail(EINVAL);
}

void *alloc_family_calloc(alloc_family *handle, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return fail(ENOMEM);
    return alloc_family_zalloc(handle, total);
}

/* ---- free ------------------------------------------------------------------------------------------------------------- */

/* Reports a block that is another family's, as far as its slab or the table of units tells. */
static void verify(const char *function, const alloc_family *handle, const void *p, size_t size, size_t align)
{
    bool has_slot = request_has_slot(size, align);
    const struct slab *slab = has_slot && region_known(p) ? slab_of(p) : NULL;
    struct bin *owner = slab == NULL ? NULL : slab_bin(slab);
    const struct family *family = has_slot ? owner == NULL ? NULL : heap_of(owner)->family : unit_family(p);
    if (has_slot && owner == NULL)
        misuse(function, p, size, align, "not allocated", NULL);
    if (family == NULL || family != __atomic_load_n(&handle->state, __ATOMIC_ACQUIRE))
        misuse(function, p, size, align, "wrong family", slab);
}

static OUT_OF_LINE void free_checked(alloc_family *handle, void *p, size_t size, size_t align)
{
    verify(align == 0 ? "alloc_family_free" : "alloc_family_free_aligned", handle, p, size, align);
    if (align == 0)
        alloc_free(p, size);
    else
        alloc_free_aligned(p, size, align);
}

/* A block of the family, freed by who has the heap that it is of: nothing is left to be checked. */
HOT bool free_own(struct bin *bin, const char *function, void *p, size_t size, size_t align)
{
    struct slab *slab = slab_of(p);
    if (atomic_load_explicit(&slab->bin, memory_order_relaxed) != bin)
        return false;
    check_freed(function, p, size, align);
    hot_free_own(bin, slab, p, size, align);
    return true;
}

void alloc_family_free(alloc_family *handle, void *ptr, size_t size)
{
    if (ptr == NULL)
        return;
    struct heap *heap = heap_for(handle);
    if (heap == NULL || !size_has_slot(size) ||
        !free_own(&heap->bins[class_natural(size)], "alloc_family_free", ptr, size, 0))
        free_checked(handle, ptr, size, 0);
}

void alloc_family_free_aligned(alloc_family *handle, void *ptr, size_t size, size_t align)
{
    if (ptr == NULL)
        return;
    struct heap *heap = heap_for(handle);
    size_t last = last_byte(size, align);
    if (heap == NULL || (align & (align - 1)) != 0 || !last_byte_has_slot(last) ||
        !free_own(&heap->bins[class_aligned(last)], "alloc_family_free_aligned", ptr, size, align))
        free_checked(handle, ptr, size, align);
}

/* ---- resize ----------------------------------------------------------------------------------------------------------- */

static void *resize_within(const char *function, alloc_family *handle, void *ptr, size_t old_size, size_t new_size,
                           size_t align, bool zeroed)
{
    if (ptr != NULL)
        verify(function, handle, ptr, old_size, align);
    struct heap *before = enter(handle);
    if (before == NULL)
        return NULL;
    void *p = align != 0 ? alloc_realloc_aligned(ptr, old_size, new_size, align)
              : zeroed   ? alloc_rezalloc(ptr, old_size, new_size)
                         : alloc_realloc(ptr, old_size, new_size);
    family_leave(before);
    return p;
}

void *alloc_family_realloc(alloc_family *handle, void *ptr, size_t old_size, size_t new_size)
{
    return resize_within("alloc_family_realloc", handle, ptr, old_size, new_size, 0, false);
}

void *alloc_family_rezalloc(alloc_family *handle, void *ptr, size_t old_size, size_t new_size)
{
    return resize_within("alloc_family_rezalloc", handle, ptr, old_size, new_size, 0, true);
}

void *alloc_family_realloc_aligned(alloc_family *handle, void *ptr, size_t old_size, size_t new_size, size_t align)
{
    return is_power_of_two(align)
               ? resize_within("alloc_family_realloc_aligned", handle, ptr, old_size, new_size, align, false)
               : fail(EINVAL);
}
