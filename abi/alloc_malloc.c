/* The drop-in: the functions of alloc/alloc_gp.h under the names of the C library and of the C++ language.
 *
 * One translation unit with them, so that the standard names are the same functions and not calls of them. C++ names are
 * written as the Itanium ABI mangles them: the library must not need the C++ runtime in a C program.
 */
#include "alloc_gp.c" /* NOLINT(bugprone-suspicious-include) */

#include "memory.h"

#include <malloc.h>

#define SAME_AS(function) __attribute__((visibility("default"), alias(#function)))
#define EXPORTED          __attribute__((visibility("default")))

/* ---- C, POSIX and glibc ---------------------------------------------------------------------------------------------- */

/* glibc's headers declare most of these, with attributes that need not be repeated. */
#pragma GCC diagnostic ignored "-Wmissing-attributes"
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

void *malloc(size_t size) SAME_AS(alloc_gp_malloc);
void *calloc(size_t count, size_t size) SAME_AS(alloc_gp_calloc);
void *realloc(void *ptr, size_t size) SAME_AS(alloc_gp_realloc);
void *reallocarray(void *ptr, size_t count, size_t size) SAME_AS(alloc_gp_reallocarray);
void free(void *ptr) SAME_AS(alloc_gp_free);
void cfree(void *ptr) SAME_AS(alloc_gp_free);
void free_sized(void *ptr, size_t size) SAME_AS(alloc_gp_free_sized);
void free_aligned_sized(void *ptr, size_t align, size_t size) SAME_AS(alloc_gp_free_aligned_sized);
void *aligned_alloc(size_t align, size_t size) SAME_AS(alloc_gp_aligned_alloc);
void *memalign(size_t align, size_t size) SAME_AS(alloc_gp_memalign);
int posix_memalign(void **ptr, size_t align, size_t size) SAME_AS(alloc_gp_posix_memalign);
EXPORTED size_t malloc_usable_size(void *ptr) { return alloc_gp_usable_size(ptr); }

EXPORTED void *valloc(size_t size) { return alloc_gp_aligned_alloc(os_page_size(), size); }

EXPORTED void *pvalloc(size_t size)
{
    size_t bytes = large_good_size(size);
    return bytes == 0 ? fail(ENOMEM) : alloc_gp_aligned_alloc(os_page_size(), bytes);
}

EXPORTED int malloc_trim(size_t keep)
{
    (void)keep;
    size_t before = atomic_load_explicit(&memory_counts.purges, memory_order_relaxed);
    while (alloc_purge() != 0) {
    }
    return atomic_load_explicit(&memory_counts.purges, memory_order_relaxed) != before;
}

/* The settings of another allocator: accepted and ignored. */
EXPORTED int mallopt(int parameter, int value)
{
    (void)parameter;
    (void)value;
    return 1;
}

EXPORTED struct mallinfo2 mallinfo2(void)
{
    struct alloc_stats stats;
    (void)alloc_stats(&stats, sizeof stats);
    return (struct mallinfo2){
        .arena = stats.committed_bytes - stats.large_live_bytes,
        .ordblks = stats.slabs_available + stats.slabs_cached,
        .hblks = stats.large_live,
        .hblkhd = stats.large_live_bytes,
        .uordblks = stats.slab_bytes,
        .fordblks = stats.cached_bytes + stats.large_cached_bytes,
        .keepcost = stats.cached_bytes + stats.large_cached_bytes,
    };
}

/* ---- C++ --------------------------------------------------------------------------------------------------------------- */

/* Of the C++ runtime, where the program has it. */
typedef void (*new_handler)(void);
new_handler std_get_new_handler(void) __asm__("_ZSt15get_new_handlerv") __attribute__((weak));
_Noreturn void std_throw_bad_alloc(void) __asm__("_ZSt17__throw_bad_allocv") __attribute__((weak));

static _Noreturn void throw_bad_alloc(void)
{
    if (std_throw_bad_alloc != NULL)
        std_throw_bad_alloc();
    static const char line[] = "alloc: operator new: out of memory, and no C++ runtime to tell\n";
    os_fatal(line, sizeof line - 1);
}

/* What the standard asks of operator new when memory is short: the new handler may find some, as often as it can. Not of the
 * forms that throw nothing: a handler may throw, and C cannot catch. */
static OUT_OF_LINE void *new_failed(size_t size, size_t align)
{
    void *p = NULL;
    while (p == NULL && is_valid_align(align) && std_get_new_handler != NULL && std_get_new_handler() != NULL) {
        std_get_new_handler()();
        p = allocate(size, align, false);
    }
    if (p == NULL)
        throw_bad_alloc();
    return p;
}

/* operator new, new[], nothrow, aligned, and the deletes of each. NOLINTBEGIN(bugprone-reserved-identifier) */
EXPORTED void *_Znwm(size_t size)
{
    void *p = gp_malloc(size);
    return p != NULL ? p : new_failed(size, object_mask(size) + 1);
}
EXPORTED void *_ZnwmRKSt9nothrow_t(size_t size, const void *nothrow)
{
    (void)nothrow;
    return gp_malloc(size);
}
EXPORTED void *_ZnwmSt11align_val_t(size_t size, size_t align)
{
    void *p = alloc_gp_aligned_alloc(align, size);
    return p != NULL ? p : new_failed(size, align);
}
EXPORTED void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, size_t align, const void *nothrow)
{
    (void)nothrow;
    return alloc_gp_aligned_alloc(align, size);
}
void *_Znam(size_t size) SAME_AS(_Znwm);
void *_ZnamRKSt9nothrow_t(size_t size, const void *nothrow) SAME_AS(_ZnwmRKSt9nothrow_t);
void *_ZnamSt11align_val_t(size_t size, size_t align) SAME_AS(_ZnwmSt11align_val_t);
void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t size, size_t align, const void *nothrow)
    SAME_AS(_ZnwmSt11align_val_tRKSt9nothrow_t);

EXPORTED void _ZdlPvmSt11align_val_t(void *ptr, size_t size, size_t align)
{
    free_checked("operator delete", ptr, size, align, last_byte(size, align));
}
EXPORTED void _ZdlPvm(void *ptr, size_t size) { free_checked("operator delete", ptr, size, 0, last_of_object(size)); }
EXPORTED void _ZdlPvSt11align_val_t(void *ptr, size_t align)
{
    (void)align;
    alloc_gp_free(ptr);
}
EXPORTED void _ZdlPvRKSt9nothrow_t(void *ptr, const void *nothrow)
{
    (void)nothrow;
    alloc_gp_free(ptr);
}
EXPORTED void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *ptr, size_t align, const void *nothrow)
{
    (void)align;
    (void)nothrow;
    alloc_gp_free(ptr);
}
void _ZdlPv(void *ptr) SAME_AS(alloc_gp_free);
void _ZdaPv(void *ptr) SAME_AS(alloc_gp_free);
void _ZdaPvm(void *ptr, size_t size) SAME_AS(_ZdlPvm);
void _ZdaPvmSt11align_val_t(void *ptr, size_t size, size_t align) SAME_AS(_ZdlPvmSt11align_val_t);
void _ZdaPvSt11align_val_t(void *ptr, size_t align) SAME_AS(_ZdlPvSt11align_val_t);
void _ZdaPvRKSt9nothrow_t(void *ptr, const void *nothrow) SAME_AS(_ZdlPvRKSt9nothrow_t);
void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *ptr, size_t align, const void *nothrow)
    SAME_AS(_ZdlPvSt11align_val_tRKSt9nothrow_t);
/* NOLINTEND(bugprone-reserved-identifier) */
