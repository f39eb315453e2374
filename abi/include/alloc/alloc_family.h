/* alloc: families. What lives and dies together lies together.
 *
 * A family is a second index beside the size: its blocks, small and large, come from memory of its own, and all of them can be
 * freed at once. A list in a family of its own lies side by side, whatever else the program allocates meanwhile; the blocks of a
 * request, a document or a level of a game go when it is over, without a free for each.
 *
 *     static alloc_family nodes = ALLOC_FAMILY_INIT("nodes");
 *     struct node *node = alloc_family_malloc(&nodes, sizeof *node);
 *     alloc_family_free(&nodes, node, sizeof *node);
 *     alloc_family_reset(&nodes);
 *
 * Sizes, alignments, errors and misuse are as alloc_std.h has them. One more misuse is caught: a block freed or resized by
 * a family that it is not of. alloc_free and alloc_free_aligned free blocks of any family.
 *
 * Threads: every function may be called from any thread at any time, and a block may be freed by any thread, but while a thread is
 * in alloc_family_reset or alloc_family_destroy, none may use the family or its blocks. Whoever resets a family sees to that, as whoever frees a block
 * sees to it that nobody uses it. None is async-signal-safe.
 *
 * Memory: a family has slabs of its own, one of 64 KiB at least for each size class and thread, of which the pages that were used
 * take memory; and some 10 KiB for each thread. It keeps what its threads hold for their next allocations until it is reset, also
 * after they have ended.
 *
 * Complexity: as alloc_std.h, but for alloc_family_reset and alloc_family_destroy, which take time with the family's slabs, large blocks and
 * threads, not with its blocks. Under valgrind, families are served by alloc as elsewhere, and not watched.
 */
#ifndef ALLOC_FAMILY_H_
#define ALLOC_FAMILY_H_

#include <alloc/alloc_std.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A family. Its fields are the library's. It stays where it is while it is used. */
typedef struct alloc_family {
    unsigned index;
    unsigned created;
    const char *name;
    size_t limit;
    void *state;
    void *reserved[3];
} alloc_family;

/* A family before its first use, which needs no call: for variables of static storage duration, or any other. `name`, a string
 * literal, is for statistics. */
#define ALLOC_FAMILY_INIT(name)       \
    {                                 \
        0, 0, name, 0, 0, { 0, 0, 0 } \
    }

/* What a family is created with. All zero is right. */
struct alloc_family_info {
    const char *name; /* for statistics, while the family is there. NULL: none */
    size_t limit;     /* bytes of its slabs and large blocks; beyond it allocations fail. 0: none */
};

/* Creates a family. `info_size` is sizeof(struct alloc_family_info) as the caller knows it; NULL with 0 is all zero. NULL with ENOMEM. */
ALLOC_API alloc_family *alloc_family_create(const struct alloc_family_info *info, size_t info_size) ALLOC_NOEXCEPT
    ALLOC_ATTR(__warn_unused_result__);

/* Frees every block of a family at once, and all it keeps. Keeps errno. */
ALLOC_API void alloc_family_reset(alloc_family *family) ALLOC_NOEXCEPT;

/* Resets a family and ends it. One that was created is no more; one that was initialised is as before its first use. No thread may have it
 * as its default family. NULL is ignored. Keeps errno. */
ALLOC_API void alloc_family_destroy(alloc_family *family) ALLOC_NOEXCEPT;

/* Makes a family the one that the calling thread's allocations without a family come from: alloc_malloc and all others of this library,
 * malloc too where it is the library's. NULL: none. Returns the one before, NULL if there was none. With ENOMEM, and only then, errno is
 * set: it stays what it was. Until the thread ends or swaps again. */
ALLOC_API alloc_family *alloc_family_swap(alloc_family *family) ALLOC_NOEXCEPT;

/* Blocks are as large as alloc_good_size says, so that compilers are not told what was asked for. */

/* ---- natural alignment ------------------------------------------------------------------------------------------ */

/* Frees a block of `size` bytes. NULL is ignored, whatever the size. Keeps errno. */
ALLOC_API void alloc_family_free(alloc_family *family, void *ptr, size_t size) ALLOC_NOEXCEPT;

/* Allocates `size` bytes, contents undefined. NULL with ENOMEM. */
ALLOC_API void *alloc_family_malloc(alloc_family *family, size_t size) ALLOC_NOEXCEPT ALLOC_ATTR(__malloc__)
    ALLOC_ATTR(__warn_unused_result__);

/* Allocates `size` bytes, all zero. NULL with ENOMEM. */
ALLOC_API void *alloc_family_zalloc(alloc_family *family, size_t size) ALLOC_NOEXCEPT ALLOC_ATTR(__malloc__)
    ALLOC_ATTR(__warn_unused_result__);

/* Allocates `count` objects of `size` bytes, all zero. NULL with ENOMEM, also when count * size overflows. */
ALLOC_API void *alloc_family_calloc(alloc_family *family, size_t count, size_t size) ALLOC_NOEXCEPT
    ALLOC_ATTR(__malloc__) ALLOC_ATTR(__warn_unused_result__);

/* Resizes a block of the family, as alloc_realloc does. NULL with ENOMEM: the old block is untouched. */
ALLOC_API void *alloc_family_realloc(alloc_family *family, void *ptr, size_t old_size, size_t new_size) ALLOC_NOEXCEPT
    ALLOC_ATTR(__warn_unused_result__);

/* As alloc_family_realloc; bytes from `old_size` to `new_size` are zero. */
ALLOC_API void *alloc_family_rezalloc(alloc_family *family, void *ptr, size_t old_size, size_t new_size) ALLOC_NOEXCEPT
    ALLOC_ATTR(__warn_unused_result__);

/* ---- alignment by request --------------------------------------------------------------------------------------- */

/* Frees a block allocated with `size` bytes at alignment `align`. NULL is ignored. Keeps errno. */
ALLOC_API void alloc_family_free_aligned(alloc_family *family, void *ptr, size_t size, size_t align) ALLOC_NOEXCEPT;

/* Allocates `size` bytes at a multiple of `align` bytes, contents undefined. NULL with ENOMEM or EINVAL. */
ALLOC_API void *alloc_family_malloc_aligned(alloc_family *family, size_t size, size_t align) ALLOC_NOEXCEPT
    ALLOC_ATTR(__malloc__) ALLOC_ATTR(__alloc_align__(3), __warn_unused_result__);

/* As alloc_family_malloc_aligned, all zero. */
ALLOC_API void *alloc_family_zalloc_aligned(alloc_family *family, size_t size, size_t align) ALLOC_NOEXCEPT
    ALLOC_ATTR(__malloc__) ALLOC_ATTR(__alloc_align__(3), __warn_unused_result__);

/* As alloc_realloc_aligned, of a block of the family. */
ALLOC_API void *alloc_family_realloc_aligned(alloc_family *family, void *ptr, size_t old_size, size_t new_size,
                                             size_t align) ALLOC_NOEXCEPT
    ALLOC_ATTR(__alloc_align__(5), __warn_unused_result__);

/* ---- statistics --------------------------------------------------------------------------------------------------- */

/* In C++ the function hides a constructor that the struct does not have. */
#if defined(__cplusplus) && defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#endif

struct alloc_family_stats {
    size_t slab_bytes;        /* of its slabs */
    size_t used_bytes;        /* of slots of these that are not known to be free */
    size_t large_bytes;       /* of its large blocks */
    size_t resident_estimate; /* what of all this has pages, at most */
};

/* Fills `size` bytes of *out, sizeof *out as the caller knows it. Exact where no thread uses the family meanwhile, but that slots which
 * threads hold for their next allocations count as used. 0, or -1 with EINVAL: `out` is NULL. Takes time with the program's slabs. */
ALLOC_API int alloc_family_stats(const alloc_family *family, struct alloc_family_stats *out,
                                 size_t size) ALLOC_NOEXCEPT;

#if defined(__cplusplus) && defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

#ifdef __cplusplus
}
#endif

#endif
