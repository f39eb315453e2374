/* Address space into slabs.
 *
 *     63            47                    27            16, 19 or 21     0
 *    +---------------+---------------------+--------------+--------------+
 *    | (unused)      | region base         | slab index   | offset       |   a slot's address
 *    +---------------+---------------------+--------------+--------------+
 *
 * A region is at most REGION_SIZE of addresses, aligned to that, cut into slabs of one kind, as many as there was need for.
 * It begins with two tables of 64-byte entries that one index addresses; the slabs they lie in hold no slots:
 *
 *    region base              [ struct region | slab 1 | slab 2 | ... ]      what the owner writes
 *    region base + TABLE_SIZE [ (unused)      | remote 1 | remote 2 | ... ]  what other threads write
 *
 * So a slot's slab is found from its address alone: a mask, a load of the shift, a shift, an add. No lock, no search.
 * Behind them lies the table of its units (units.h).
 * Tables are out of band on purpose: every slot is naturally aligned from its slab's first byte, headers of neighbours
 * share a page instead of aliasing to one cache set, and an overflow does not reach them. They are never unmapped.
 */
#ifndef ALLOC_REGION_H
#define ALLOC_REGION_H

#include "units.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REGION_SHIFT      WINDOW_SHIFT
#define REGION_SIZE       WINDOW
#define SLAB_SMALL_SHIFT  16 /* 64 KiB */
#define SLAB_MEDIUM_SHIFT 19 /* 512 KiB, one slot at least */
#define SLAB_LARGE_SHIFT  21 /* 2 MiB, one huge page */
#define HUGE_PAGE         ((size_t)1 << SLAB_LARGE_SHIFT)
#define SLAB_INDEX_BITS   (REGION_SHIFT - SLAB_SMALL_SHIFT)
#define TABLE_SIZE        ((size_t)64 << SLAB_INDEX_BITS)
#define ADDRESS_BITS      48

/* Each kind in regions of its own, and these in a space of its own. */
enum slab_kind {
    SLAB_SMALL = SPACE_SMALL,
    SLAB_MEDIUM = SPACE_MEDIUM,
    SLAB_LARGE = SPACE_LARGE,
    SLAB_HUGE = SPACE_HUGE, /* a large slab that a huge page backs */
    SLAB_KINDS
};

static inline unsigned kind_shift(enum slab_kind kind)
{
    return kind == SLAB_SMALL ? SLAB_SMALL_SHIFT : kind == SLAB_MEDIUM ? SLAB_MEDIUM_SHIFT : SLAB_LARGE_SHIFT;
}
static inline size_t kind_size(enum slab_kind kind) { return (size_t)1 << kind_shift(kind); }

/* Immutable once the region serves slabs, but for its end. */
struct region {
    uint32_t slab_shift;
    uint32_t slab_mask;        /* slab size - 1 */
    _Atomic uint64_t *shadow;  /* debug builds: a bit per byte, set at the start of every slot handed out */
    struct region *next;       /* the region begun before */
    _Atomic uint32_t slab_end; /* the index after that of its last slab */
    enum slab_kind kind;
    char padding[32];
};

_Static_assert(sizeof(struct region) == 64, "the region takes the place of a slab's header");

static inline struct region *region_of(const void *p)
{
    return (struct region *)((uintptr_t)p & ~(uintptr_t)(REGION_SIZE - 1));
}

static inline uint32_t region_offset(const void *p) { return (uint32_t)((uintptr_t)p & (REGION_SIZE - 1)); }

/* The tables take so many bytes. */
#define TABLES_SIZE (UNIT_TABLE_OFFSET + UNIT_TABLE_SIZE)
_Static_assert(UNIT_TABLE_OFFSET == 2 * TABLE_SIZE, "the table of units lies behind the others");

/* The index of the first slab behind the tables. */
static inline uint32_t region_first_slab(const struct region *region)
{
    return (uint32_t)((TABLES_SIZE + region->slab_mask) >> region->slab_shift);
}

/* Which addresses are regions: by window, the slab shift of the region there, or 0. Before the first region, `mask` lets every
 * address find the same 0. */
#define REGIONS_MAX ((size_t)1 << (ADDRESS_BITS - REGION_SHIFT))
struct region_table {
    _Atomic(const _Atomic uint8_t *) shifts;
    _Atomic size_t mask;
};
extern struct region_table region_table __attribute__((visibility("hidden"))); /* found without a table of addresses */

/* The shift for any address, of which the bits beyond ADDRESS_BITS do not count. Where a region has no slab any more, what
 * its table has for one is zero. */
static inline unsigned region_shift(const void *p)
{
    size_t mask = atomic_load_explicit(&region_table.mask, memory_order_acquire);
    const _Atomic uint8_t *shifts = atomic_load_explicit(&region_table.shifts, memory_order_acquire);
    return atomic_load_explicit(&shifts[((uintptr_t)p >> REGION_SHIFT) & mask], memory_order_acquire);
}

/* Whether an address lies in a region. Any address may be asked for; for cold paths. */
static inline bool region_known(const void *p)
{
    unsigned shift = (uintptr_t)p >> ADDRESS_BITS == 0 ? region_shift(p) : 0;
    return shift != 0 &&
           region_offset(p) >> shift < atomic_load_explicit(&region_of(p)->slab_end, memory_order_relaxed);
}

/* The memory of a slab that never served. NULL when there is none. */
void *region_take(enum slab_kind kind);

/* All regions, the newest first; their slabs from region_first_slab to slab_end. */
struct region *region_newest(void);

#endif
