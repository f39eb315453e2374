#include "region.h"

#include "check.h"
#include "lock.h"
#include "memory.h"
#include "option.h"
#include "slab.h"

_Atomic uint8_t region_shifts[(size_t)1 << (ADDRESS_BITS - REGION_SHIFT)];

/* ---- growing: the only place that waits for the system with a lock held ------------------------------------------ */

/* A reservation handed out from its start, committed COMMIT_SIZE at a time. */
struct frontier {
    char *next;      /* not handed out yet */
    char *committed; /* usable up to here */
    char *end;
};

#define META_SIZE ((size_t)8 << 20) /* reserved at a time for what lies outside of slabs */

OS_SMALL_STATE static struct {
    struct frontier slabs[SLAB_KINDS];
    struct frontier meta;
    struct region *newest;
} growth;

static bool frontier_has(const struct frontier *frontier, size_t size)
{
    return size <= (size_t)(frontier->end - frontier->next);
}

/* Hands out `size` bytes that the frontier has, or NULL when the system has no memory: the frontier stays as it was. */
static char *frontier_take(struct frontier *frontier, size_t size)
{
    char *taken = frontier->next;
    if (taken + size > frontier->committed) {
        size_t more = round_up((size_t)(taken + size - frontier->committed), COMMIT_SIZE);
        if (!memory_commit(frontier->committed, more))
            return NULL;
        frontier->committed += more;
    }
    frontier->next = taken + size;
    return taken;
}

static bool frontier_reserve(struct frontier *frontier, size_t size, size_t align)
{
    char *start = memory_reserve(size, align, 0);
    if (start == NULL)
        return false;
    *frontier = (struct frontier){.next = start, .committed = start, .end = start + size};
    return true;
}

/* Addresses for a region, or where they are short (a limit on them) for a fraction of one, aligned alike. */
static bool region_reserve(struct frontier *frontier)
{
    return frontier_reserve(frontier, REGION_SIZE, REGION_SIZE) ||
           frontier_reserve(frontier, REGION_SIZE / 4, REGION_SIZE) ||
           frontier_reserve(frontier, REGION_SIZE / 16, REGION_SIZE);
}

void region_advise(enum slab_kind kind, void *start, size_t size)
{
    os_huge_pages(start, size, kind == SLAB_HUGE && option(OPTION_HUGE_PAGES) != HUGE_PAGES_OFF);
}

static bool region_begin(struct frontier *frontier, enum slab_kind kind)
{
    struct frontier fresh;
    if (!region_reserve(&fresh))
        return false;
    size_t tables = round_up(2 * TABLE_SIZE, kind_size(kind));
    size_t size = (size_t)(fresh.end - fresh.next);
    os_huge_pages(fresh.next, tables, false);
    struct region *region = (struct region *)frontier_take(&fresh, tables);
    if (region == NULL || !check_region_begin(region)) {
        memory_discharge((size_t)(fresh.committed - (fresh.end - size)));
        memory_unreserve(fresh.end - size, size);
        return false;
    }
    region_advise(kind, fresh.next, (size_t)(fresh.end - fresh.next));
    region->slab_shift = kind_shift(kind);
    region->slab_mask = (uint32_t)kind_size(kind) - 1;
    region->slab_end = (uint32_t)(size >> kind_shift(kind));
    region->kind = kind;
    region->next = growth.newest;
    growth.newest = region;
    atomic_store_explicit(&region_shifts[(uintptr_t)region >> REGION_SHIFT], (uint8_t)region->slab_shift,
                          memory_order_release);
    *frontier = fresh;
    return true;
}

struct slab *slab_fresh(enum slab_kind kind)
{
    struct frontier *frontier = &growth.slabs[kind];
    size_t size = kind_size(kind);
    lock_acquire(LOCK_GROWTH);
    char *start = NULL;
    if (frontier_has(frontier, size) || region_begin(frontier, kind))
        start = frontier_take(frontier, size);
    lock_release(LOCK_GROWTH);
    return start == NULL ? NULL : slab_of(start);
}

static void *meta_take(size_t size, size_t align)
{
    struct frontier *frontier = &growth.meta;
    size_t skip = -(uintptr_t)frontier->next & (align - 1);
    if (!frontier_has(frontier, size + skip)) {
        if (!frontier_reserve(frontier, META_SIZE, COMMIT_SIZE))
            return NULL;
        os_huge_pages(frontier->next, META_SIZE, false);
        skip = 0; /* a reservation starts aligned to more than anyone asks for */
    }
    char *start = frontier_take(frontier, size + skip);
    return start == NULL ? NULL : start + skip;
}

void *meta_allocate(size_t size, size_t align)
{
    lock_acquire(LOCK_GROWTH);
    void *start = meta_take(size, align);
    lock_release(LOCK_GROWTH);
    return start;
}

/* ---- statistics --------------------------------------------------------------------------------------------------- */

struct region *region_newest(void)
{
    lock_acquire(LOCK_GROWTH);
    struct region *newest = growth.newest;
    lock_release(LOCK_GROWTH);
    return newest;
}

void region_count_fresh(size_t fresh[SLAB_KINDS])
{
    lock_acquire(LOCK_GROWTH);
    for (enum slab_kind kind = 0; kind < SLAB_KINDS; kind++)
        fresh[kind] = (size_t)(growth.slabs[kind].end - growth.slabs[kind].next) >> kind_shift(kind);
    lock_release(LOCK_GROWTH);
}
