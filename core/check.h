/* Assertions, the invariant validator and misuse reports.
 *
 * A release build checks what costs the hot path nothing. A debug build (ALLOC_DEBUG) also knows every slot and every
 * large block handed out, and executes the equations that stand above the structs. The functions that only a debug
 * build needs compile to nothing elsewhere: callers have no #if.
 */
#ifndef ALLOC_CHECK_H
#define ALLOC_CHECK_H

#include <stdbool.h>
#include <stddef.h>

struct slab;
struct region;

/* One line on standard error, then abort():
 *     alloc: FUNCTION(POINTER[, SIZE[, ALIGN]]): KIND: what the slab holds
 * `align` 0: the natural family. `slab` NULL: nothing is known of it. */
_Noreturn void misuse(const char *function, const void *p, size_t size, size_t align, const char *kind,
                      const struct slab *slab);

/* The same without abort(), for what the slab puts right. */
void misuse_tolerated(const char *function, const void *p, size_t size, size_t align, const char *kind,
                      const struct slab *slab);

/* As misuse, from a free. */
_Noreturn void misuse_free(const void *p, size_t size, size_t align, const char *kind, const struct slab *slab);

/* The index of a block of a slab. Reports it unless it is where a slot begins that was handed out in this life of the slab.
 * `function` NULL: of a free. */
size_t verify_slot(const char *function, const struct slab *slab, const void *p, size_t size, size_t align);

#if ALLOC_DEBUG

_Noreturn void check_failed(const char *file, int line, const char *expression);
#define check(expression) ((expression) ? (void)0 : check_failed(__FILE__, __LINE__, #expression))

/* A region is about to serve slabs. False: no memory to keep track of its slots. */
bool check_region_begin(struct region *region);
/* A slot or large block is handed out; returns p. */
void *check_allocated(void *p, size_t size, size_t align);
/* It comes back with a size and an alignment. */
void check_freed(const char *function, void *p, size_t size, size_t align);
/* It is named with a size and an alignment and stays. */
void check_named(const char *function, const void *p, size_t size, size_t align);
/* A pointer comes back that is no block: was it one? */
void check_foreign(const char *function, const void *p);
/* The equation above struct slab, bit by bit, as far as its owner, who calls, writes it. */
void check_slab(struct slab *slab);
/* And the rest of it, when nobody uses the slab. */
void check_slab_quiet(struct slab *slab);

#else

#define check(expression) ((void)0)
static inline bool check_region_begin(struct region *region)
{
    (void)region;
    return true;
}
static inline void *check_allocated(void *p, size_t size, size_t align)
{
    (void)size;
    (void)align;
    return p;
}
static inline void check_freed(const char *function, void *p, size_t size, size_t align)
{
    (void)function;
    (void)p;
    (void)size;
    (void)align;
}
static inline void check_named(const char *function, const void *p, size_t size, size_t align)
{
    (void)function;
    (void)p;
    (void)size;
    (void)align;
}
static inline void check_foreign(const char *function, const void *p)
{
    (void)function;
    (void)p;
}
static inline void check_slab(struct slab *slab) { (void)slab; }
static inline void check_slab_quiet(struct slab *slab) { (void)slab; }

#endif

#endif
