/* The drop-in: the functions of alloc/alloc_gp.h under the names of the C library and of the C++ language.
 *
 * One translation unit with them, so that the standard names are the same functions and not calls of them. C++ names are
 * written as the Itanium ABI mangles them: the library must not need the C++ runtime in a C program.
 */
#include "alloc_gp.c" /* NOLINT(bugprone-suspicious-include) */

#include "alloc_operators.h"
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
 * calls operator new, can. `name`: of that form. False: there is none. */
static SELDOM bool runtime_nothrow(const char *name, size_t size, size_t align, const void *nothrow, void **p)
{
    void *form = runtime_symbol_behind(name);
    if (form == NULL)
        return false;
    if (align == 0) {
        void *(*allocate_nothrow)(size_t, const void *);
        *(void **)&allocate_nothrow = form;
        *p = allocate_nothrow(size, nothrow);
    } else {
        void *(*allocate_aligned_nothrow)(size_t, size_t, const void *);
        *(void **)&allocate_aligned_nothrow = form;
        *p = allocate_aligned_nothrow(size, align, nothrow);
    }
    return true;
}

/* Without a new handler there is nothing to try. */
static SELDOM OUT_OF_LINE void *nothrow_failed(const char *name, size_t size, size_t align, const void *nothrow)
{
    void *p = NULL;
    if (handler() != NULL)
        (void)runtime_nothrow(name, size, align, nothrow, &p);
    return p;
}

/* A program's own operators, for the forms that are made of them. */
static SELDOM OUT_OF_LINE void *program_new(size_t size) { return operators.new_object(size); }
static SELDOM OUT_OF_LINE void program_delete(void *ptr) { operators.delete_object(ptr); }
static SELDOM OUT_OF_LINE void program_delete_array(void *ptr) { operators.delete_array(ptr); }
static SELDOM OUT_OF_LINE void *program_new_aligned(size_t size, size_t align)
{
    return operators.new_object_aligned(size, align);
}
static SELDOM OUT_OF_LINE void program_delete_aligned(void *ptr, size_t align)
{
    operators.delete_object_aligned(ptr, align);
}
static SELDOM OUT_OF_LINE void program_delete_array_aligned(void *ptr, size_t align)
{
    operators.delete_array_aligned(ptr, align);
}
static SELDOM OUT_OF_LINE void *program_nothrow(const char *name, size_t size, const void *nothrow,
                                                void *(*replaced)(size_t))
{
    void *p;
    return runtime_nothrow(name, size, 0, nothrow, &p) ? p : replaced(size);
}
static SELDOM OUT_OF_LINE void *program_nothrow_aligned(const char *name, size_t size, size_t align,
                                                        const void *nothrow, void *(*replaced)(size_t, size_t))
{
    void *p;
    return runtime_nothrow(name, size, align, nothrow, &p) ? p : replaced(size, align);
}

/* operator new, new[], nothrow, aligned, and the deletes of each. NOLINTBEGIN(bugprone-reserved-identifier) */
#define OPERATOR EXPORTED __attribute__((weak)) /* a program that is linked with the static library may have its own */

OPERATOR void *_Znwm(size_t size)
{
    void *p = gp_malloc(size);
    return p != NULL ? p : new_failed(size, object_mask(size) + 1);
}
OPERATOR void *_ZnwmSt11align_val_t(size_t size, size_t align)
{
    void *p = alloc_gp_aligned_alloc(align, size);
    return p != NULL ? p : new_failed(size, align);
}

/* This library's own, whatever has their names in the process. */
#define OWN(function) __attribute__((alias(#function)))
static void *own_new(size_t size) OWN(_Znwm);
static void *own_new_aligned(size_t size, size_t align) OWN(_ZnwmSt11align_val_t);
static void *own_new_array(size_t size) OWN(_Znam);
static void *own_new_array_aligned(size_t size, size_t align) OWN(_ZnamSt11align_val_t);
static void own_delete(void *ptr) OWN(_ZdlPv);
static void own_delete_aligned(void *ptr, size_t align) OWN(_ZdlPvSt11align_val_t);
static void own_delete_array(void *ptr) OWN(_ZdaPv);
static void own_delete_array_aligned(void *ptr, size_t align) OWN(_ZdaPvSt11align_val_t);

static bool has_new(void) { return operators.new_object != own_new; }
static bool has_new_array(void) { return has_new() || operators.new_array != own_new_array; }
static bool has_new_aligned(void) { return operators.new_object_aligned != own_new_aligned; }
static bool has_new_array_aligned(void)
{
    return has_new_aligned() || operators.new_array_aligned != own_new_array_aligned;
}

OPERATOR void *_Znam(size_t size) { return has_new() ? program_new(size) : own_new(size); }
OPERATOR void *_ZnamSt11align_val_t(size_t size, size_t align)
{
    return has_new_aligned() ? program_new_aligned(size, align) : own_new_aligned(size, align);
}

HOT void *new_nothrow(const char *name, size_t size, const void *nothrow)
{
    void *p = gp_malloc(size);
    return p != NULL ? p : nothrow_failed(name, size, 0, nothrow);
}

HOT void *new_aligned_nothrow(const char *name, size_t size, size_t align, const void *nothrow)
{
    void *p = alloc_gp_aligned_alloc(align, size);
    return p != NULL ? p : nothrow_failed(name, size, align, nothrow);
}

OPERATOR void *_ZnwmRKSt9nothrow_t(size_t size, const void *nothrow)
{
    const char *name = "_ZnwmRKSt9nothrow_t";
    return has_new() ? program_nothrow(name, size, nothrow, operators.new_object) : new_nothrow(name, size, nothrow);
}
OPERATOR void *_ZnamRKSt9nothrow_t(size_t size, const void *nothrow)
{
    const char *name = "_ZnamRKSt9nothrow_t";
    return has_new_array() ? program_nothrow(name, size, nothrow, operators.new_array)
                           : new_nothrow(name, size, nothrow);
}
OPERATOR void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, size_t align, const void *nothrow)
{
    const char *name = "_ZnwmSt11align_val_tRKSt9nothrow_t";
    return has_new_aligned() ? program_nothrow_aligned(name, size, align, nothrow, operators.new_object_aligned)
                             : new_aligned_nothrow(name, size, align, nothrow);
}
OPERATOR void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t size, size_t align, const void *nothrow)
{
    const char *name = "_ZnamSt11align_val_tRKSt9nothrow_t";
    return has_new_array_aligned() ? program_nothrow_aligned(name, size, align, nothrow, operators.new_array_aligned)
                                   : new_aligned_nothrow(name, size, align, nothrow);
}

static bool has_delete(void) { return operators.delete_object != own_delete; }
static bool has_delete_array(void) { return operators.delete_array != own_delete_array; }
static bool has_delete_aligned(void) { return operators.delete_object_aligned != own_delete_aligned; }
static bool has_delete_array_aligned(void) { return operators.delete_array_aligned != own_delete_array_aligned; }

/* By what the process has for it. A size says nothing of a block that a program's own operator new made. */
HOT void delete_object(void *ptr)
{
    if (has_delete())
        program_delete(ptr);
    else
        alloc_gp_free(ptr);
}
HOT void delete_object_sized(void *ptr, size_t size)
{
    if (has_delete())
        program_delete(ptr);
    else
        free_checked("operator delete", ptr, size, 0, last_of_object(size));
}
HOT void delete_object_aligned(void *ptr, size_t align)
{
    if (has_delete_aligned())
        program_delete_aligned(ptr, align);
    else
        alloc_gp_free(ptr);
}
HOT void delete_object_aligned_sized(void *ptr, size_t size, size_t align)
{
    if (has_delete_aligned())
        program_delete_aligned(ptr, align);
    else
        free_checked("operator delete", ptr, size, align, last_byte(size, align));
}

OPERATOR void _ZdlPv(void *ptr) SAME_AS(alloc_gp_free);
OPERATOR void _ZdaPv(void *ptr) { delete_object(ptr); }
OPERATOR void _ZdlPvm(void *ptr, size_t size) { delete_object_sized(ptr, size); }
OPERATOR void _ZdaPvm(void *ptr, size_t size)
{
    if (has_delete_array())
        program_delete_array(ptr);
    else
        delete_object_sized(ptr, size);
}
OPERATOR void _ZdlPvRKSt9nothrow_t(void *ptr, const void *nothrow)
{
    (void)nothrow;
    delete_object(ptr);
}
OPERATOR void _ZdaPvRKSt9nothrow_t(void *ptr, const void *nothrow)
{
    (void)nothrow;
    if (has_delete_array())
        program_delete_array(ptr);
    else
        delete_object(ptr);
}

OPERATOR void _ZdlPvSt11align_val_t(void *ptr, size_t align)
{
    (void)align;
    alloc_gp_free(ptr);
}
OPERATOR void _ZdaPvSt11align_val_t(void *ptr, size_t align) { delete_object_aligned(ptr, align); }
OPERATOR void _ZdlPvmSt11align_val_t(void *ptr, size_t size, size_t align)
{
    delete_object_aligned_sized(ptr, size, align);
}
OPERATOR void _ZdaPvmSt11align_val_t(void *ptr, size_t size, size_t align)
{
    if (has_delete_array_aligned())
        program_delete_array_aligned(ptr, align);
    else
        delete_object_aligned_sized(ptr, size, align);
}
OPERATOR void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *ptr, size_t align, const void *nothrow)
{
    (void)nothrow;
    delete_object_aligned(ptr, align);
}
OPERATOR void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *ptr, size_t align, const void *nothrow)
{
    (void)nothrow;
    if (has_delete_array_aligned())
        program_delete_array_aligned(ptr, align);
    else
        delete_object_aligned(ptr, align);
}
/* NOLINTEND(bugprone-reserved-identifier) */
