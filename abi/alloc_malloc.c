/* The drop-in: the functions of alloc/alloc_gp.h under the names of the C library and of the C++ language.
 *
 * One translation unit with them, so that the standard names are the same functions and not calls of them. C++ names are
 * written as the Itanium ABI mangles them: the library must not need the C++ runtime in a C program.
 */
#include "alloc_gp.c" /* NOLINT(bugprone-suspicious-include) */

#include "memory.h"
#include "stats.h"

#include <limits.h>

#define SAME_AS(function) __attribute__((visibility("default"), alias(#function)))
#define EXPORTED          __attribute__((visibility("default")))
#define SELDOM            __attribute__((section(".text.seldom"))) /* lies where most programs touch nothing: alloc_malloc.ld */

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

EXPORTED SELDOM void *valloc(size_t size) { return alloc_gp_aligned_alloc(os_page_size(), size); }

EXPORTED SELDOM void *pvalloc(size_t size)
{
    size_t bytes = large_good_size(size);
    return bytes == 0 ? fail(ENOMEM) : alloc_gp_aligned_alloc(os_page_size(), bytes);
}

EXPORTED SELDOM int malloc_trim(size_t keep)
{
    (void)keep;
    size_t before = atomic_load_explicit(&memory_counts.purges, memory_order_relaxed);
    while (alloc_purge() != 0) {
    }
    return atomic_load_explicit(&memory_counts.purges, memory_order_relaxed) != before;
}

/* The settings of another allocator: accepted and ignored. */
EXPORTED SELDOM int mallopt(int parameter, int value)
{
    (void)parameter;
    (void)value;
    return 1;
}

/* As the C library declares them, which has the second one since glibc 2.33 and not at all elsewhere. */
struct mallinfo_int {
    int arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};
struct mallinfo_size {
    size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};
struct mallinfo_int mallinfo(void);
struct mallinfo_size mallinfo2(void);
int malloc_info(int options, FILE *stream);
void malloc_stats(void);

/* Slots in use are those that their slabs do not know to be free. */
EXPORTED SELDOM struct mallinfo_size mallinfo2(void)
{
    struct alloc_stats stats;
    struct slab_stats slabs = stats_of_slabs(EVERY_CLASS);
    (void)alloc_stats(&stats, sizeof stats);
    return (struct mallinfo_size){
        .arena = stats.slab_bytes + stats.cached_bytes,
        .ordblks = stats.slabs_available + stats.slabs_cached,
        .hblks = stats.large_live,
        .hblkhd = stats.large_live_bytes,
        .uordblks = slabs.used,
        .fordblks = stats.slab_bytes - slabs.used + stats.cached_bytes,
        .keepcost = stats.cached_bytes + stats.large_cached_bytes,
    };
}

static SELDOM int to_int(size_t n) { return n > INT_MAX ? INT_MAX : (int)n; }

EXPORTED SELDOM struct mallinfo_int mallinfo(void)
{
    struct mallinfo_size info = mallinfo2();
    return (struct mallinfo_int){
        .arena = to_int(info.arena),
        .ordblks = to_int(info.ordblks),
        .hblks = to_int(info.hblks),
        .hblkhd = to_int(info.hblkhd),
        .uordblks = to_int(info.uordblks),
        .fordblks = to_int(info.fordblks),
        .keepcost = to_int(info.keepcost),
    };
}

/* With the elements of glibc's format, version 1, that say something of this heap. */
EXPORTED SELDOM int malloc_info(int options, FILE *stream)
{
    if (options != 0)
        return EINVAL;
    struct mallinfo_size info = mallinfo2();
    size_t system = info.arena + info.hblkhd;
    return fprintf(stream,
                   "<malloc version=\"1\">\n<total type=\"rest\" count=\"%zu\" size=\"%zu\"/>\n"
                   "<total type=\"mmap\" count=\"%zu\" size=\"%zu\"/>\n<system type=\"current\" size=\"%zu\"/>\n"
                   "</malloc>\n",
                   info.ordblks, info.fordblks, info.hblks, info.hblkhd, system) < 0
               ? -1
               : 0;
}

EXPORTED SELDOM void malloc_stats(void)
{
    struct mallinfo_size info = mallinfo2();
    char text[256];
    int length = snprintf(text, sizeof text,
                          "Arena 0:\nsystem bytes     = %10zu\nin use bytes     = %10zu\nTotal (incl. mmap):\n"
                          "system bytes     = %10zu\nin use bytes     = %10zu\n",
                          info.arena, info.uordblks, info.arena + info.hblkhd, info.uordblks + info.hblkhd);
    if (length > 0)
        os_write(text, (size_t)length);
}

/* glibc's own names for them, by which programs reach the real functions that wrap these. NOLINTBEGIN(bugprone-reserved-identifier) */
void *__libc_malloc(size_t size) SAME_AS(alloc_gp_malloc);
void *__libc_calloc(size_t count, size_t size) SAME_AS(alloc_gp_calloc);
void *__libc_realloc(void *ptr, size_t size) SAME_AS(alloc_gp_realloc);
void __libc_free(void *ptr) SAME_AS(alloc_gp_free);
void *__libc_memalign(size_t align, size_t size) SAME_AS(alloc_gp_memalign);
void *__libc_valloc(size_t size) SAME_AS(valloc);
void *__libc_pvalloc(size_t size) SAME_AS(pvalloc);
int __libc_mallopt(int parameter, int value) SAME_AS(mallopt);
struct mallinfo_int __libc_mallinfo(void) SAME_AS(mallinfo);
int __posix_memalign(void **ptr, size_t align, size_t size) SAME_AS(alloc_gp_posix_memalign);
/* NOLINTEND(bugprone-reserved-identifier) */

/* ---- C++ --------------------------------------------------------------------------------------------------------------- */

/* The C++ runtime: a program of C may load it later, with a library that its other symbols do not see. So it is looked up by
 * its name, and when it is needed. A program linked without shared libraries has it, or it does not. */
typedef void (*new_handler)(void);
new_handler std_get_new_handler(void) __asm__("_ZSt15get_new_handlerv") __attribute__((weak));
_Noreturn void std_throw_bad_alloc(void) __asm__("_ZSt17__throw_bad_allocv") __attribute__((weak));

#pragma weak dlopen /* a program linked without shared libraries has none to open */

/* The runtime's library, if it is loaded. */
static SELDOM void *runtime_library(void)
{
    return dlopen == NULL ? NULL : dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_NOLOAD);
}

static SELDOM void *runtime_symbol(const char *name)
{
    int saved = errno;
    void *symbol = dlsym(RTLD_DEFAULT, name);
    void *library = symbol != NULL ? NULL : runtime_library();
    if (library != NULL)
        symbol = dlsym(library, name);
    errno = saved;
    return symbol;
}

/* What is behind a function of this library's. NULL: nothing is, or only itself. */
static SELDOM void *runtime_symbol_behind(const char *name)
{
    int saved = errno;
    void *library = runtime_library();
    void *symbol = library == NULL ? NULL : dlsym(library, name);
    errno = saved;
    return symbol;
}

static SELDOM _Noreturn void throw_bad_alloc(void)
{
    void (*throw)(void) = std_throw_bad_alloc;
    if (throw == NULL)
        *(void **)&throw = runtime_symbol("_ZSt17__throw_bad_allocv");
    if (throw != NULL)
        throw();
    static const char line[] = "alloc: operator new: out of memory, and no C++ runtime to tell\n";
    os_fatal(line, sizeof line - 1);
}

static SELDOM new_handler handler(void)
{
    new_handler (*get)(void) = std_get_new_handler;
    if (get == NULL)
        *(void **)&get = runtime_symbol("_ZSt15get_new_handlerv");
    return get == NULL ? NULL : get();
}

/* What the standard asks of operator new when memory is short: the new handler may find some, as often as it can. */
static SELDOM OUT_OF_LINE void *new_failed(size_t size, size_t align)
{
    void *p = NULL;
    for (new_handler found = handler(); p == NULL && is_valid_align(align) && found != NULL; found = handler()) {
        found();
        p = allocate(size, align, false);
    }
    if (p == NULL)
        throw_bad_alloc();
    return p;
}

/* The forms that throw nothing are the others, with what they throw caught; C cannot catch, but the C++ runtime's own form, which
 * calls operator new, can. Without a new handler there is nothing to try. `name`: of that form. */
static SELDOM OUT_OF_LINE void *nothrow_failed(const char *name, size_t size, size_t align, const void *nothrow)
{
    if (handler() == NULL)
        return NULL;
    void *form = runtime_symbol_behind(name);
    if (form == NULL)
        return NULL;
    if (align == 0) {
        void *(*allocate_nothrow)(size_t, const void *);
        *(void **)&allocate_nothrow = form;
        return allocate_nothrow(size, nothrow);
    }
    void *(*allocate_aligned_nothrow)(size_t, size_t, const void *);
    *(void **)&allocate_aligned_nothrow = form;
    return allocate_aligned_nothrow(size, align, nothrow);
}

/* operator new, new[], nothrow, aligned, and the deletes of each. NOLINTBEGIN(bugprone-reserved-identifier) */
EXPORTED void *_Znwm(size_t size)
{
    void *p = gp_malloc(size);
    return p != NULL ? p : new_failed(size, object_mask(size) + 1);
}
EXPORTED void *_ZnwmRKSt9nothrow_t(size_t size, const void *nothrow)
{
    void *p = gp_malloc(size);
    return p != NULL ? p : nothrow_failed("_ZnwmRKSt9nothrow_t", size, 0, nothrow);
}
EXPORTED void *_ZnwmSt11align_val_t(size_t size, size_t align)
{
    void *p = alloc_gp_aligned_alloc(align, size);
    return p != NULL ? p : new_failed(size, align);
}
EXPORTED void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, size_t align, const void *nothrow)
{
    void *p = alloc_gp_aligned_alloc(align, size);
    return p != NULL ? p : nothrow_failed("_ZnwmSt11align_val_tRKSt9nothrow_t", size, align, nothrow);
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
