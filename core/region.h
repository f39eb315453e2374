/* Address space into slabs.
 *
 *     63            47                    27            16 or 21         0
 *    +---------------+---------------------+--------------+--------------+
 *    | (unused)      | region base         | slab index   | offset       |   a slot's address
 *    +---------------+---------------------+--------------+--------------+
 *
 * A region is REGION_SIZE of addresses, aligned to its size, cut into slabs of one kind. It begins with two tables of
 * 64-byte entries that one index addresses; the slabs they lie in hold no slots:
 *
 *    region base              [ struct region | slab 1 | slab 2 | ... ]      what the owner writes
 *    region base + TABLE_SIZE [ (unused)      | remote 1 | remote 2 | ... ]  what other threads write
 *
 * So a slot's slab is found from its address alone: a mask, a load of the shift, a shift, an add. No lock, no search.
 * Tables are out of band on purpose: every slot is naturally aligned from its slab's first byte, headers of neighbours
 * share a page instead of aliasing to one cache set, and an overflow does not reach them. They are never unmapped.
 */
#ifndef ALLOC_REGION_H
#define ALLOC_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REGION_SHIFT     27
#define REGION_SIZE      ((size_t)1 << REGION_SHIFT)
#define SLAB_SMALL_SHIFT 16 /* 64 KiB */
#define SLAB_LARGE_SHIFT 21 /* 2 MiB, one huge page */
#define SLAB_INDEX_BITS  (REGION_SHIFT - SLAB_SMALL_SHIFT)
#define TABLE_SIZE       ((size_t)64 << SLAB_INDEX_BITS)
#define COMMIT_SIZE      ((size_t)2 << 20) /* committed at a time: each commit locks the process's mappings */
#define ADDRESS_BITS     48

/* Empty slabs whose memory stays with the process for the next taker, all of them together; beyond it, a slab's memory
 * goes back to the system as the slab comes in. */
#define POOL_CACHE_LIMIT ((size_t)32 << 20)

enum slab_kind { SLAB_SMALL, SLAB_LARGE, SLAB_KINDS };

static inline unsigned kind_shift(enum slab_kind kind)
{
    return kind == SLAB_SMALL ? SLAB_SMALL_SHIFT : SLAB_LARGE_SHIFT;
}
static inline size_t kind_size(enum slab_kind kind) { return (size_t)1 << kind_shift(kind); }

/* Immutable once the region serves slabs. */
struct region {
    uint32_t slab_shift;
    uint32_t slab_mask;       /* slab size - 1 */
    _Atomic uint64_t *shadow; /* debug builds: a bit per byte, set at the start of every slot handed out */
    char padding[48];
};

_Static_assert(sizeof(struct region) == 64, "the region takes the place of a slab's header");

struct slab;

static inline struct region *region_of(const void *p)
{
    return (struct region *)((uintptr_t)p & ~(uintptr_t)(REGION_SIZE - 1));
}

static inline uint32_t region_offset(const void *p) { return (uint32_t)((uintptr_t)p & (REGION_SIZE - 1)); }

static inline enum slab_kind region_kind(const struct region *region)
{
    return region->slab_shift == SLAB_SMALL_SHIFT ? SLAB_SMALL : SLAB_LARGE;
}

/* Whether an address lies in a region. Any address may be asked for; for cold paths. */
bool region_known(const void *p);

/* A slab nobody else has, with usable memory of undefined contents: a pooled one, else a fresh one. NULL when there is
 * no memory. Any thread, no lock held. */
struct slab *slab_take(enum slab_kind kind);

/* Puts an empty slab, pooled by its owner, where any thread can take it. */
void slab_give_back(struct slab *slab);

/* Puts back a slab just taken that its taker has no memory to begin. */
void slab_set_aside(struct slab *slab);

/* Whether huge pages may back a large slab that its caller just took. */
void slab_set_huge(struct slab *slab, bool wanted);

/* Memory for what the engine keeps outside of slabs, zero, a multiple of `align`, never given back. NULL when there is
 * none. */
void *meta_allocate(size_t size, size_t align);

/* A block for a map over `slots` slots of a class; *clean tells whether it is still zero. */
struct map *map_acquire(enum slab_kind kind, size_t class, size_t slots, bool *clean);
void map_release(enum slab_kind kind, size_t class, size_t slots, struct map *map);

void region_fork_prepare(void);
void region_fork_done(void);

#endif
