#include "check.h"

#include "large.h"
#include "misuse.h"
#include "report.h"
#include "slab.h"

#include <string.h>

#if ALLOC_DEBUG

static bool shadow_set(const void *p, bool handed_out)
{
    uint32_t offset = region_offset(p);
    _Atomic uint64_t *word = &region_of(p)->shadow[offset / 64];
    uint64_t bit = (uint64_t)1 << (offset % 64);
    return ((handed_out ? atomic_fetch_or(word, bit) : atomic_fetch_and(word, ~bit)) & bit) != 0;
}

static bool shadow_get(const void *p)
{
    uint32_t offset = region_offset(p);
    return atomic_load(&region_of(p)->shadow[offset / 64]) >> (offset % 64) & 1;
}

bool check_is_out(const void *p) { return shadow_get(p); }

void *check_allocated(void *p, size_t size, size_t align)
{
    if (p == NULL || !request_has_slot(size, align))
        return p;
    check(region_known(p) && slab_of(p)->class == request_class(size, align));
    check(align == UNSIZED ||
          ((uintptr_t)p & ((align == 0 ? class_slot_size(request_class(size, align)) : align) - 1)) == 0);
    check(!shadow_set(p, true));
    return p;
}

void check_named(const char *function, const void *p, size_t size, size_t align)
{
    if (!region_known(p)) {
        large_verify(function, p, size, align);
        return;
    }
    const struct slab *slab = slab_find(p);
    if (slab == NULL)
        misuse(function, p, size, align, "foreign pointer", NULL);
    if (atomic_load_explicit(&slab->bin, memory_order_relaxed) == NULL)
        misuse(function, p, size, align, "not allocated", NULL);
    if (!request_has_slot(size, align) || slab->class != request_class(size, align))
        misuse(function, p, size, align, "wrong size", slab);
    if ((size_t)((const char *)p - slab_start(slab)) % class_slot_size(slab->class) != 0)
        misuse(function, p, size, align, "not the start of a slot", slab);
    if (!shadow_get(p))
        misuse(function, p, size, align, "double free", slab);
}

void check_freed(const char *function, void *p, size_t size, size_t align)
{
    check_named(function, p, size, align);
    if (request_has_slot(size, align) && !shadow_set(p, false)) /* two threads at the same time */
        misuse(function, p, size, align, "double free", slab_of(p));
}

void check_evicted(const void *start, size_t size)
{
    memset((uint64_t *)region_of(start)->shadow + region_offset(start) / 64, 0, size / 8);
}

#endif
