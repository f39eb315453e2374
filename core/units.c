#include "units.h"

#include "lock.h"

#define WINDOW_NUMBERS ((size_t)1 << (ADDRESS_BITS - WINDOW_SHIFT))
#define LEAF_SIZE      ((size_t)2048)

/* By window, in two levels: the table of its units. NULL: nobody needed it. */
struct leaf {
    _Atomic(struct unit *) tables[LEAF_SIZE];
};
static _Atomic(struct leaf *) leaves[WINDOW_NUMBERS / LEAF_SIZE];

struct unit *units_find(unit_id id)
{
    size_t window = id / WINDOW_UNITS;
    struct leaf *leaf = atomic_load_explicit(&leaves[window / LEAF_SIZE], memory_order_acquire);
    struct unit *table =
        leaf == NULL ? NULL : atomic_load_explicit(&leaf->tables[window % LEAF_SIZE], memory_order_acquire);
    return table == NULL ? NULL : table + id % WINDOW_UNITS;
}

static struct leaf *provide_leaf(size_t number)
{
    struct leaf *leaf = atomic_load_explicit(&leaves[number], memory_order_relaxed);
    if (leaf == NULL) {
        leaf = meta_allocate_locked(sizeof *leaf, 64);
        atomic_store_explicit(&leaves[number], leaf, memory_order_release);
    }
    return leaf;
}

bool units_provide_locked(unit_id id)
{
    size_t window = id / WINDOW_UNITS;
    if (units_find(id) != NULL)
        return true;
    struct leaf *leaf = provide_leaf(window / LEAF_SIZE);
    struct unit *table = leaf == NULL ? NULL : meta_allocate_locked(UNIT_TABLE_SIZE, 64);
    if (table != NULL)
        atomic_store_explicit(&leaf->tables[window % LEAF_SIZE], table, memory_order_release);
    return table != NULL;
}

bool units_provide(enum space space, unit_id id)
{
    if (unit_of(space, id) != NULL)
        return true;
    lock_acquire(LOCK_GROWTH);
    bool provided = units_provide_locked(id);
    lock_release(LOCK_GROWTH);
    return provided;
}

/* ---- recorded blocks ---------------------------------------------------------------------------------------------------- */

#define PAGE_SHIFT 12 /* of the smallest page there is */

/* NULL: no block begins there. */
static struct unit *entry_of(const void *p)
{
    if ((uintptr_t)p >> ADDRESS_BITS != 0 || (uintptr_t)p % UNIT != 0)
        return NULL;
    return units_find(unit_id_of(p));
}

bool unit_record(const void *p, size_t size)
{
    if (size > BLOCK_MAX || !units_provide(SPACE_BLOCKS, unit_id_of(p)))
        return false;
    atomic_store_explicit(&entry_of(p)->page_count, (uint32_t)(size >> PAGE_SHIFT), memory_order_relaxed);
    return true;
}

size_t unit_recorded(const void *p)
{
    const struct unit *unit = entry_of(p);
    return unit == NULL ? 0 : (size_t)atomic_load_explicit(&unit->page_count, memory_order_relaxed) << PAGE_SHIFT;
}

size_t unit_forget(const void *p)
{
    struct unit *unit = entry_of(p);
    return unit == NULL ? 0
                        : (size_t)atomic_exchange_explicit(&unit->page_count, 0, memory_order_relaxed) << PAGE_SHIFT;
}

bool unit_is_freed(const void *p)
{
    const struct unit *unit = entry_of(p);
    return unit != NULL && atomic_load_explicit(&unit->is_freed, memory_order_relaxed) != 0;
}
