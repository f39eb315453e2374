#include "region.h"

#include "lock.h"
#include "memory.h"
#include "size_class.h"

static const _Atomic uint8_t no_region;
OS_SMALL_STATE struct region_table region_table = {.shifts = &no_region};
OS_SMALL_STATE static struct region *newest;

/* ---- which addresses are regions: under LOCK_GROWTH ---------------------------------------------------------------- */

/* The table is mapped when the first region begins: most of it is never written, nor read. */
static bool provide_table(void)
{
    if (atomic_load_explicit(&region_table.mask, memory_order_relaxed) != 0)
        return true;
    const _Atomic uint8_t *shifts = os_map_zero(REGIONS_MAX);
    if (shifts == NULL)
        return false;
    atomic_store_explicit(&region_table.shifts, shifts, memory_order_release);
    atomic_store_explicit(&region_table.mask, REGIONS_MAX - 1, memory_order_release);
    return true;
}

/* The page of the table that has a region's entry can be written. Each page once: where the system refuses to change it, it is
 * mapped anew, and what it had is gone. */
static bool provide_entry(const struct region *region)
{
    OS_SMALL_STATE static uint64_t provided[REGIONS_MAX / PAGE_SIZE_MIN / 64];
    if (!provide_table())
        return false;
    size_t index = (uintptr_t)region >> REGION_SHIFT, page = index / os_page_size();
    char *start = (char *)(uintptr_t)atomic_load(&region_table.shifts) + page * os_page_size();
    bool is_provided = provided[page / 64] >> (page % 64) & 1;
    if (!is_provided && !os_commit(start, os_page_size()))
        return false;
    provided[page / 64] |= (uint64_t)1 << (page % 64);
    return true;
}

static void publish(struct region *region)
{
    _Atomic uint8_t *shifts = (_Atomic uint8_t *)(uintptr_t)atomic_load(&region_table.shifts);
    atomic_store_explicit(&shifts[(uintptr_t)region >> REGION_SHIFT], (uint8_t)region->slab_shift,
                          memory_order_release);
}

/* ---- growing: under LOCK_GROWTH ------------------------------------------------------------------------------------- */

static size_t tables_size(enum slab_kind kind) { return round_up(TABLES_SIZE, kind_size(kind)); }

/* The tables of a region that begins at the next address of its space. */
static bool region_begin(enum slab_kind kind)
{
    size_t size = tables_size(kind);
    struct region *region = (struct region *)reservation_next((enum space)kind);
    if (kind == SLAB_HUGE)
        os_huge_pages(region, size, false);
    if (!provide_entry(region) || reservation_take((enum space)kind, size) == NULL)
        return false;
    region->shadow = ALLOC_DEBUG ? os_map(REGION_SIZE / 8, os_page_size()) : NULL;
    if (ALLOC_DEBUG && region->shadow == NULL) {
        reservation_untake((enum space)kind, size);
        return false;
    }
    region->slab_shift = kind_shift(kind);
    region->slab_mask = (uint32_t)kind_size(kind) - 1;
    region->kind = kind;
    region->next = newest;
    atomic_store_explicit(&region->slab_end, region_first_slab(region), memory_order_relaxed);
    newest = region;
    publish(region);
    return true;
}

/* Addresses for another slab where the last one ends, or for a region. */
static bool provide_addresses(enum slab_kind kind)
{
    enum space space = (enum space)kind;
    bool is_between_regions = (uintptr_t)reservation_next(space) % REGION_SIZE == 0;
    if (!is_between_regions && reservation_extend(space, kind_size(kind)))
        return true;
    size_t size = tables_size(kind) + kind_size(kind);
    bool extended = is_between_regions && reservation_extend(space, size);
    return (extended || reservation_begin(space, size, REGION_SIZE)) && region_begin(kind);
}

static char *grow(enum slab_kind kind)
{
    char *start = provide_addresses(kind) ? reservation_take((enum space)kind, kind_size(kind)) : NULL;
    if (start == NULL)
        return NULL;
    struct region *region = region_of(start);
    uint32_t end = (region_offset(start) >> region->slab_shift) + 1;
    atomic_store_explicit(&region->slab_end, end, memory_order_relaxed);
    return start;
}

void *region_take(enum slab_kind kind)
{
    if (!memory_charge(kind_size(kind)))
        return NULL;
    lock_acquire(LOCK_GROWTH);
    char *start = grow(kind);
    lock_release(LOCK_GROWTH);
    if (start == NULL)
        memory_discharge(kind_size(kind));
    return start;
}

struct region *region_newest(void)
{
    lock_acquire(LOCK_GROWTH);
    struct region *region = newest;
    lock_release(LOCK_GROWTH);
    return region;
}
