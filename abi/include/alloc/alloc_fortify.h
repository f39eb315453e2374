/* Included by the headers of alloc where _FORTIFY_SOURCE is set: the C library's functions then look at how many bytes a block
 * has, as the compiler knows it. All that alloc_good_size (or alloc_gp_usable_size) says is usable may be used; so what the
 * compiler is told of a block here is that, and no more. It checks sizes that are known when the program is compiled; from level 3
 * on, all.
 *
 * Each function is declared a second time, with one more argument that it does not read: the bytes that the block holds. For Clang, which knows a
 * function by its name alone, nothing is said of a block's size then, and the C library does not check it.
 */
#ifndef ALLOC_FORTIFY_H
#define ALLOC_FORTIFY_H

#ifdef __cplusplus
#define ALLOC_FORTIFIED_END noexcept
#else
#define ALLOC_FORTIFIED_END
#endif
#define ALLOC_FORTIFIED \
    extern __inline __attribute__((__always_inline__, __gnu_inline__, __artificial__, __warn_unused_result__)) void *
#define ALLOC_FORTIFIED_GOOD extern __inline __attribute__((__always_inline__, __gnu_inline__, __artificial__)) size_t

/* Whether to compute what a block holds: free where the size is a constant. */
#define ALLOC_FORTIFIED_IF(size) (__builtin_constant_p(size) || _FORTIFY_SOURCE > 2)

/* A second declaration of `function`, whose blocks have as many bytes as argument `number` says, or as nobody knows. */
#define ALLOC_FORTIFIED_AS(name, function, number, more, parameters)    \
    extern void *name parameters ALLOC_FORTIFIED_END __asm__(#function) \
        __attribute__((__nothrow__, __alloc_size__(number))) more;
#define ALLOC_FORTIFIED_PLAIN(name, function, parameters) \
    extern void *name parameters ALLOC_FORTIFIED_END __asm__(#function) __attribute__((__nothrow__));
#define ALLOC_FORTIFIED_NO_MORE

#if defined(__x86_64__)
#define ALLOC_FORTIFIED_PAGE ((size_t)4096)
#else
#define ALLOC_FORTIFIED_PAGE ((size_t)65536) /* the largest there is */
#endif
#define ALLOC_FORTIFIED_SLOT_MAX ((size_t)512 << 10)

ALLOC_FORTIFIED_GOOD alloc_fortified_log2(size_t n) { return n == 0 ? 0 : 63 - (size_t)__builtin_clzll(n); }

ALLOC_FORTIFIED_GOOD alloc_fortified_pages(size_t size)
{
    return (size + ALLOC_FORTIFIED_PAGE - 1) & ~(ALLOC_FORTIFIED_PAGE - 1);
}

/* As alloc_good_size. */
ALLOC_FORTIFIED_GOOD alloc_fortified_good(size_t size)
{
    return size <= 1                          ? 1
           : size <= ALLOC_FORTIFIED_SLOT_MAX ? (size_t)2 << alloc_fortified_log2(size - 1)
                                              : alloc_fortified_pages(size);
}

/* As alloc_good_size_aligned: four sizes between two powers of two. */
ALLOC_FORTIFIED_GOOD alloc_fortified_good_aligned(size_t size, size_t align)
{
    size_t last = ((size == 0 ? 1 : size) - 1) | (align - 1);
    return last >= ALLOC_FORTIFIED_SLOT_MAX ? alloc_fortified_pages(size)
           : last < 4                       ? alloc_fortified_good(last + 1)
                      : ((last | 7) | (((size_t)1 << (alloc_fortified_log2(last | 7) - 2)) - 1)) + 1;
}

/* As alloc_gp_usable_size of a block for `size` bytes. */
ALLOC_FORTIFIED_GOOD alloc_fortified_good_object(size_t size)
{
    return alloc_fortified_good_aligned(size, size > 8 ? 16 : 8);
}

/* SIZE_MAX where the product overflows: there is no such block. */
ALLOC_FORTIFIED_GOOD alloc_fortified_product(size_t count, size_t size)
{
    size_t product;
    return __builtin_mul_overflow(count, size, &product) ? (size_t)-1 : product;
}

#endif

/* ---- alloc_std.h ---------------------------------------------------------------------------------------------------- */

#ifndef ALLOC_FORTIFY_STD
#define ALLOC_FORTIFY_STD

ALLOC_FORTIFIED_PLAIN(alloc_plain_malloc, alloc_malloc, (size_t size))
ALLOC_FORTIFIED_AS(alloc_good_malloc, alloc_malloc, 2, ALLOC_FREED_BY(alloc_free), (size_t size, size_t good))
ALLOC_FORTIFIED alloc_malloc(size_t size) ALLOC_FORTIFIED_END
{
    return ALLOC_FORTIFIED_IF(size) ? alloc_good_malloc(size, alloc_fortified_good(size)) : alloc_plain_malloc(size);
}

ALLOC_FORTIFIED_PLAIN(alloc_plain_zalloc, alloc_zalloc, (size_t size))
ALLOC_FORTIFIED_AS(alloc_good_zalloc, alloc_zalloc, 2, ALLOC_FREED_BY(alloc_free), (size_t size, size_t good))
ALLOC_FORTIFIED alloc_zalloc(size_t size) ALLOC_FORTIFIED_END
{
    return ALLOC_FORTIFIED_IF(size) ? alloc_good_zalloc(size, alloc_fortified_good(size)) : alloc_plain_zalloc(size);
}

ALLOC_FORTIFIED_PLAIN(alloc_plain_calloc, alloc_calloc, (size_t count, size_t size))
ALLOC_FORTIFIED_AS(alloc_good_calloc, alloc_calloc, 3, ALLOC_FREED_BY(alloc_free),
                   (size_t count, size_t size, size_t good))
ALLOC_FORTIFIED alloc_calloc(size_t count, size_t size) ALLOC_FORTIFIED_END
{
    return ALLOC_FORTIFIED_IF(count * size)
               ? alloc_good_calloc(count, size, alloc_fortified_good(alloc_fortified_product(count, size)))
               : alloc_plain_calloc(count, size);
}

ALLOC_FORTIFIED_PLAIN(alloc_plain_realloc, alloc_realloc, (void *ptr, size_t old_size, size_t new_size))
ALLOC_FORTIFIED_AS(alloc_good_realloc, alloc_realloc, 4, ALLOC_FORTIFIED_NO_MORE,
                   (void *ptr, size_t old_size, size_t new_size, size_t good))
ALLOC_FORTIFIED alloc_realloc(void *ptr, size_t old_size, size_t new_size) ALLOC_FORTIFIED_END
{
    return ALLOC_FORTIFIED_IF(new_size) ? alloc_good_realloc(ptr, old_size, new_size, alloc_fortified_good(new_size))
                                        : alloc_plain_realloc(ptr, old_size, new_size);
}

ALLOC_FORTIFIED_PLAIN(alloc_plain_rezalloc, alloc_rezalloc, (void *ptr, size_t old_size, size_t new_size))
ALLOC_FORTIFIED_AS(alloc_good_rezalloc, alloc_rezalloc, 4, ALLOC_FORTIFIED_NO_MORE,
                   (void *ptr, size_t old_size, size_t new_size, size_t good))
ALLOC_FORTIFIED alloc_rezalloc(void *ptr, size_t old_size, size_t new_size) ALLOC_FORTIFIED_END
{
    return ALLOC_FORTIFIED_IF(new_size) ? alloc_good_rezalloc(ptr, old_size, new_size, alloc_fortified_good(new_size))
                                        : alloc_plain_rezalloc(ptr, old_size, new_size);
}

ALLOC_FORTIFIED_PLAIN(alloc_plain_malloc_aligned, alloc_malloc_aligned, (size_t size, size_t align))
ALLOC_FORTIFIED_AS(alloc_good_malloc_aligned, alloc_malloc_aligned, 3, ALLOC_FREED_BY(alloc_free_aligned),
                   (size_t size, size_t align, size_t good))
ALLOC_FORTIFIED alloc_malloc_aligned(size_t size, size_t align) ALLOC_FORTIFIED_END
{
    return ALLOC_FORTIFIED_IF(size | align)
               ? alloc_good_malloc_aligned(size, align, alloc_fortified_good_aligned(size, align))
               : alloc_plain_malloc_aligned(size, align);
}

ALLOC_FORTIFIED_PLAIN(alloc_plain_zalloc_aligned, alloc_zalloc_aligned, (size_t size, size_t align))
ALLOC_FORTIFIED_AS(alloc_good_zalloc_aligned, alloc_zalloc_aligned, 3, ALLOC_FREED_BY(alloc_free_aligned),
                   (size_t size, size_t align, size_t good))
ALLOC_FORTIFIED alloc_zalloc_aligned(size_t size, size_t align) ALLOC_FORTIFIED_END
{
    return ALLOC_FORTIFIED_IF(size | align)
               ? alloc_good_zalloc_aligned(size, align, alloc_fortified_good_aligned(size, align))
               : alloc_plain_zalloc_aligned(size, align);
}

ALLOC_FORTIFIED_PLAIN(alloc_plain_realloc_aligned, alloc_realloc_aligned,
                      (void *ptr, size_t old_size, size_t new_size, size_t align))
ALLOC_FORTIFIED_AS(alloc_good_realloc_aligned, alloc_realloc_aligned, 5, ALLOC_FORTIFIED_NO_MORE,
                   (void *ptr, size_t old_size, size_t new_size, size_t align, size_t good))
ALLOC_FORTIFIED alloc_realloc_aligned(void *ptr, size_t old_size, size_t new_size, size_t align) ALLOC_FORTIFIED_END
{
    return ALLOC_FORTIFIED_IF(new_size | align)
               ? alloc_good_realloc_aligned(ptr, old_size, new_size, align,
                                            alloc_fortified_good_aligned(new_size, align))
               : alloc_plain_realloc_aligned(ptr, old_size, new_size, align);
}

#endif

/* ---- alloc_gp.h ----------------------------------------------------------------------------------------------------- */

#if defined(ALLOC_GP_DECLARED) && !defined(ALLOC_FORTIFY_GP)
#define ALLOC_FORTIFY_GP

ALLOC_FORTIFIED_PLAIN(alloc_plain_gp_malloc, alloc_gp_malloc, (size_t size))
ALLOC_FORTIFIED_AS(alloc_good_gp_malloc, alloc_gp_malloc, 2, ALLOC_FREED_BY(alloc_gp_free), (size_t size, size_t good))
ALLOC_FORTIFIED alloc_gp_malloc(size_t size) ALLOC_FORTIFIED_END
{
    return ALLOC_FORTIFIED_IF(size) ? alloc_good_gp_malloc(size, alloc_fortified_good_object(size))
                                    : alloc_plain_gp_malloc(size);
}

ALLOC_FORTIFIED_PLAIN(alloc_plain_gp_calloc, alloc_gp_calloc, (size_t count, size_t size))
ALLOC_FORTIFIED_AS(alloc_good_gp_calloc, alloc_gp_calloc, 3, ALLOC_FREED_BY(alloc_gp_free),
                   (size_t count, size_t size, size_t good))
ALLOC_FORTIFIED alloc_gp_calloc(size_t count, size_t size) ALLOC_FORTIFIED_END
{
    return ALLOC_FORTIFIED_IF(count * size)
               ? alloc_good_gp_calloc(count, size, alloc_fortified_good_object(alloc_fortified_product(count, size)))
               : alloc_plain_gp_calloc(count, size);
}

ALLOC_FORTIFIED_PLAIN(alloc_plain_gp_realloc, alloc_gp_realloc, (void *ptr, size_t size))
ALLOC_FORTIFIED_AS(alloc_good_gp_realloc, alloc_gp_realloc, 3, ALLOC_FORTIFIED_NO_MORE,
                   (void *ptr, size_t size, size_t good))
ALLOC_FORTIFIED alloc_gp_realloc(void *ptr, size_t size) ALLOC_FORTIFIED_END
{
    return ALLOC_FORTIFIED_IF(size) ? alloc_good_gp_realloc(ptr, size, alloc_fortified_good_object(size))
                                    : alloc_plain_gp_realloc(ptr, size);
}

ALLOC_FORTIFIED_PLAIN(alloc_plain_gp_aligned_alloc, alloc_gp_aligned_alloc, (size_t align, size_t size))
ALLOC_FORTIFIED_AS(alloc_good_gp_aligned_alloc, alloc_gp_aligned_alloc, 3, ALLOC_FREED_BY(alloc_gp_free),
                   (size_t align, size_t size, size_t good))
ALLOC_FORTIFIED alloc_gp_aligned_alloc(size_t align, size_t size) ALLOC_FORTIFIED_END
{
    return ALLOC_FORTIFIED_IF(size | align)
               ? alloc_good_gp_aligned_alloc(align, size, alloc_fortified_good_aligned(size, align))
               : alloc_plain_gp_aligned_alloc(align, size);
}

#endif
