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
 * Sizes: 0 behaves as 1. Alignments: a power of two. The natural alignment of large blocks stops at
 * ALLOC_ALIGN_MAX.
 *
 * Errors: a function that returns a pointer returns NULL with errno ENOMEM when memory is short or the size is one that
 * nobody can have (above PTRDIFF_MAX, or count * size overflows), and NULL with errno EINVAL when the alignment is not
 * a power of two. A failed resize leaves the old block as it was. Frees keep errno.
 *
 * Misuse (a wrong size, a pointer freed twice, ...) that is detected ends in one line on standard error and abort().
 *
 * Threads: every function may be called from any thread at any time, also in thread-exit destructors, and a block may
 * be freed or resized by a thread other than the one that allocated it. No function is async-signal-safe. A library
 * built with ALLOC_THREADS=OFF must stay in one thread.
 *
 * Complexity: O(1) without loops, apart from the bytes that zeroing and moving touch and from the kernel's own work. Where
 * memory is refused, at most 1,024 steps give back what is kept before a call fails.
 */
#ifndef ALLOC_STD_H
#define ALLOC_STD_H

#include <stddef.h>

#define ALLOC_VERSION_MAJOR 1
#define ALLOC_VERSION_MINOR 1
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

/* Whether the compiler is told what blocks really hold (alloc_fortify.h), or what was asked for (which number of the arguments), or nothing. */
#define ALLOC_BYTES(...) ALLOC_ATTR(__alloc_size__(__VA_ARGS__))
#if defined(_FORTIFY_SOURCE) && defined(__OPTIMIZE__) && defined(__GNUC__) && !defined(ALLOC_NO_FORTIFY)
#if _FORTIFY_SOURCE > 0
#ifdef __clang__
#undef ALLOC_BYTES
#define ALLOC_BYTES(...)
#else
#define ALLOC_IS_FORTIFIED
#endif
#endif
#endif

/* Which function frees a block: GCC 11 and later warn when a caller mixes the families. */
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 11
#define ALLOC_FREED_BY(function) ALLOC_ATTR(__malloc__, __malloc__(function, 1))
#else
#define ALLOC_FREED_BY(function) ALLOC_ATTR(__malloc__)
#endif
/* The same where a second declaration may have it: the function that carries it cannot be inlined. */
#ifdef ALLOC_IS_FORTIFIED
#define ALLOC_OWNED_BY(function)
#else
#define ALLOC_OWNED_BY(function) ALLOC_FREED_BY(function)
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
ALLOC_API void *alloc_malloc(size_t size) ALLOC_NOEXCEPT ALLOC_OWNED_BY(alloc_free) ALLOC_BYTES(1)
    ALLOC_ATTR(__warn_unused_result__);

/* Allocates `size` bytes, all zero. NULL with ENOMEM. */
ALLOC_API void *alloc_zalloc(size_t size) ALLOC_NOEXCEPT ALLOC_OWNED_BY(alloc_free) ALLOC_BYTES(1)
    ALLOC_ATTR(__warn_unused_result__);

/* Allocates `count` objects of `size` bytes, all zero; freed with alloc_free(ptr, count * size). NULL with ENOMEM,
 * also when count * size overflows. */
ALLOC_API void *alloc_calloc(size_t count, size_t size) ALLOC_NOEXCEPT ALLOC_OWNED_BY(alloc_free) ALLOC_BYTES(1, 2)
    ALLOC_ATTR(__warn_unused_result__);

/* Resizes a block from `old_size` to `new_size` bytes and returns it, moved or not; the first min(old, new) bytes keep
 * their contents, growth is undefined. Where both sizes have one good size the pointer stays the same. NULL as `ptr`
 * allocates. NULL with ENOMEM: the old block is untouched and still the caller's. */
ALLOC_API void *alloc_realloc(void *ptr, size_t old_size, size_t new_size) ALLOC_NOEXCEPT ALLOC_BYTES(3)
    ALLOC_ATTR(__warn_unused_result__);

/* As alloc_realloc; bytes from `old_size` to `new_size` are zero. */
ALLOC_API void *alloc_rezalloc(void *ptr, size_t old_size, size_t new_size) ALLOC_NOEXCEPT ALLOC_BYTES(3)
    ALLOC_ATTR(__warn_unused_result__);

/* How many bytes a block allocated with `size` really holds, all usable by its owner: at least `size`; 0 when nobody
 * can have such a block. Pure arithmetic, touches no state. All of it may be used at every level of _FORTIFY_SOURCE. */
ALLOC_API size_t alloc_good_size(size_t size) ALLOC_NOEXCEPT ALLOC_ATTR(__const__);

/* ---- alignment by request --------------------------------------------------------------------------------------- */

/* Frees a block allocated with `size` bytes at alignment `align`. NULL is ignored. Keeps errno. */
ALLOC_API void alloc_free_aligned(void *ptr, size_t size, size_t align) ALLOC_NOEXCEPT;

/* Allocates `size` bytes at a multiple of `align` bytes, contents undefined. NULL with ENOMEM or EINVAL. */
ALLOC_API void *alloc_malloc_aligned(size_t size, size_t align) ALLOC_NOEXCEPT ALLOC_OWNED_BY(alloc_free_aligned)
    ALLOC_BYTES(1) ALLOC_ATTR(__alloc_align__(2), __warn_unused_result__);

/* As alloc_malloc_aligned, all zero. */
ALLOC_API void *alloc_zalloc_aligned(size_t size, size_t align) ALLOC_NOEXCEPT ALLOC_OWNED_BY(alloc_free_aligned)
    ALLOC_BYTES(1) ALLOC_ATTR(__alloc_align__(2), __warn_unused_result__);

/* As alloc_realloc for blocks of the aligned family; both sizes at the one alignment. NULL with ENOMEM or EINVAL: the
 * old block is untouched. */
ALLOC_API void *alloc_realloc_aligned(void *ptr, size_t old_size, size_t new_size, size_t align) ALLOC_NOEXCEPT
    ALLOC_BYTES(3) ALLOC_ATTR(__alloc_align__(4), __warn_unused_result__);

/* As alloc_good_size for the aligned family; 0 also when the alignment is invalid. */
ALLOC_API size_t alloc_good_size_aligned(size_t size, size_t align) ALLOC_NOEXCEPT ALLOC_ATTR(__const__);

/* ---- memory goes back ------------------------------------------------------------------------------------------- */

/* Memory whose last block is freed can be used again by every thread at once, and goes back to the system without being
 * asked: what is cached for the next allocations is bounded in bytes (ALLOC_OPTION_CACHE_LIMIT for slabs of small blocks,
 * ALLOC_OPTION_LARGE_CACHE_LIMIT for blocks above 512 KiB, of which what is more than twice what is live, or 32 MiB,
 * goes back by two pieces at each free); the excess goes back as it comes in, and what has been cached for
 * ALLOC_OPTION_PURGE_AGE goes back one by one as later calls put memory into the cache or take it out. There is no thread in the background: a process that makes no call
 * keeps what is cached. Beside that, each thread keeps, per size class that it used, one slab (64 KiB, 512 KiB or 2 MiB) and those
 * of up to six blocks freed last.
 *
 * alloc_purge gives back one step's worth: of the calling thread's slabs, then of what is cached. 1: there may be more; 0:
 * nothing was left. A step is O(1). <alloc/alloc_ext.h> has alloc_trim, which takes all of them. */
ALLOC_API int alloc_purge(void) ALLOC_NOEXCEPT;

/* ---- options ---------------------------------------------------------------------------------------------------- */

/* Each is also an environment variable, read at start: the name without OPTION_, as in ALLOC_PURGE_AGE=1000. Bytes take
 * a suffix K, M or G, or k, m or g. What the environment says wrongly is reported in one line on standard error and ignored. Numbers
 * are never reused; a library older than an option refuses it. */
enum alloc_option {
    /* Since 1.1. */
    ALLOC_OPTION_HUGE_PAGES =
        0, /* enum alloc_huge_pages (in the environment: off, auto, always, or the number); auto. For memory
                                     reserved from then on */
    ALLOC_OPTION_PURGE_AGE = 1,   /* milliseconds that cached memory stays, up to 2^31 - 1; 500. 0: nothing is cached */
    ALLOC_OPTION_CACHE_LIMIT = 2, /* bytes of empty slabs cached, by the whole process; 32 MiB */
    ALLOC_OPTION_LARGE_CACHE_LIMIT = 3, /* bytes of freed blocks above 512 KiB cached, by the whole process; 384 MiB */
    ALLOC_OPTION_MAPPED_LIMIT = 4, /* bytes that may be usable at a time, cached ones included; an allocation beyond
                                           fails with ENOMEM; 0: no limit. Slabs count from 2 MiB on */
    ALLOC_OPTION_VERBOSITY = 5,    /* 0: only misuse is reported; 1: also what is wrong in the environment; 2: also
                                           statistics at exit; 1 */
    ALLOC_OPTION_STRICT = 6        /* 1: a wrong size passed to free_sized or operator delete is misuse, and so is a
                                           pointer passed to free that is no block's; 0: the size is reported, once per
                                           size class, and the block freed for what it is; the pointer is reported, once,
                                           and left alone; 0 */
};

enum alloc_huge_pages {
    ALLOC_HUGE_PAGES_OFF = 0, /* nowhere */
    ALLOC_HUGE_PAGES_AUTO =
        1, /* for slabs of small blocks where there are many; blocks above 512 KiB as the system has it */
    ALLOC_HUGE_PAGES_ALWAYS = 2 /* for all slabs of 2 MiB, and for blocks of 2 MiB and more */
};

/* Both: 0, or -1 with errno EINVAL when the library has no such option or the option no such value. Any thread. */
ALLOC_API int alloc_option_set(enum alloc_option option, size_t value) ALLOC_NOEXCEPT;
ALLOC_API int alloc_option_get(enum alloc_option option, size_t *value) ALLOC_NOEXCEPT;

/* ---- statistics ------------------------------------------------------------------------------------------------- */

/* Nothing is counted when blocks are allocated and freed; what is said of blocks is what their slabs know. A slab is
 * current (its thread allocates from it), parked, available (enough free for its thread to take it up again), cached
 * (empty), purged (empty, without memory) or fresh (never used). Numbers are of one moment each, not all of the same. */
/* In C++ the functions hide the constructors that no struct here has. */
#if defined(__cplusplus) && defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#endif

struct alloc_stats {
    size_t regions;           /* of up to 128 MiB of addresses */
    size_t reserved_bytes;    /* addresses, committed ones among them */
    size_t committed_bytes;   /* usable and not purged; what ALLOC_OPTION_MAPPED_LIMIT limits */
    size_t resident_estimate; /* bytes of memory: slots ever handed out, cached slabs, large blocks live and cached */
    size_t slabs_current, slabs_parked, slabs_available, slabs_cached, slabs_purged, slabs_fresh;
    size_t slab_bytes;   /* of current, parked and available slabs */
    size_t cached_bytes; /* of cached slabs */
    size_t large_live;   /* blocks above 512 KiB */
    size_t large_live_bytes;
    size_t large_cached; /* pieces of memory kept of such blocks */
    size_t large_cached_bytes;
    size_t remote_frees; /* frees by other threads than the one whose slab it was, as far as they are passed on */
    size_t purges;       /* times that memory went back to the system */
    size_t heaps_live;   /* one per thread that allocates */
    size_t heaps_pooled; /* of threads that ended */
};

/* Fills the first `size` bytes of *out, zero beyond what the library knows; sizeof *out is right whatever the library's
 * version. O(slabs). 0, or -1 with errno EINVAL: out is NULL. Any thread. */
ALLOC_API int alloc_stats(struct alloc_stats *out, size_t size) ALLOC_NOEXCEPT;

struct alloc_stats_class {
    size_t slot_size; /* bytes; 0: a number that no class has */
    size_t slabs_current, slabs_parked, slabs_available;
    size_t slab_bytes;
    size_t slots;      /* that these slabs have */
    size_t slots_free; /* that parked and available slabs know to be free */
};

/* As alloc_stats, for the class of a number from 0 on. -1 with EINVAL also beyond the last one. */
ALLOC_API int alloc_stats_class(unsigned number, struct alloc_stats_class *out, size_t size) ALLOC_NOEXCEPT;

#if defined(__cplusplus) && defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

/* Writes all of it, and what families in use have, as one JSON object on one line, with one call of write(context, text, length): passed on to the system in one piece,
 * lines of several processes do not mix. Only where the system has no memory for the text it is written by and by, with many calls. No
 * lock is held meanwhile: write may allocate. Any thread. */
ALLOC_API void alloc_stats_json(void (*write)(void *context, const char *text, size_t length), void *context);

/* ---- version ---------------------------------------------------------------------------------------------------- */

/* The version of the library that runs, in the form of ALLOC_VERSION. */
ALLOC_API unsigned alloc_version(void) ALLOC_NOEXCEPT ALLOC_ATTR(__const__);

/* The same as text, "1.0.0"; a static string. */
ALLOC_API const char *alloc_version_string(void) ALLOC_NOEXCEPT ALLOC_ATTR(__const__);

#ifdef ALLOC_IS_FORTIFIED
#include <alloc/alloc_fortify.h>
#endif

#ifdef __cplusplus
}
#endif

#endif
