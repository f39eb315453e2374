#include "units.h"

#include "lock.h"

#define WINDOW_NUMBERS ((size_t)1 << (ADDRESS_BITS - WINDOW_SHIFT))
#define LEAF_SIZE      ((size_t)2048)

/* What is known of a window of large blocks. */
struct table {
    _Atomic uint16_t page_counts[WINDOW_UNITS]; /* of the block that begins there. 0: none does */
    struct unit units[WINDOW_UNITS];
};
/* Of a block of a family, and of one with as many pages, the unit's entry has the count. */
#define MEMBER     (UINT16_MAX - 1)
#define MANY       UINT16_MAX
#define PAGE_SHIFT 12 /* of the smallest page there is */
_Static_assert(sizeof(_Atomic uint16_t[WINDOW_UNITS]) == (size_t)1 << PAGE_SHIFT, "a page per window");

/* By window, in two levels. NULL: nobody needed it. */
struct leaf {
    _Atomic(struct table *) tables[LEAF_SIZE];
};
static _Atomic(struct leaf *) leaves[WINDOW_NUMBERS / LEAF_SIZE];

static struct table *find_table(size_t window)
{
    struct leaf *leaf = atomic_load_explicit(&leaves[window / LEAF_SIZE], memory_order_acquire);
    return leaf == NULL ? NULL : atomic_load_explicit(&leaf->tables[window % LEAF_SIZE], memory_order_acquire);
}

struct unit *units_find(unit_id id)
{
    struct table *table = find_table(id / WINDOW_UNITS);
    return table == NULL ? NULL : &table->units[id % WINDOW_UNITS];
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
    struct table *table = leaf == NULL ? NULL : meta_allocate_locked(sizeof *table, (size_t)1 << PAGE_SHIFT);
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

/* ---- large blocks -------------------------------------------------------------------------------------------------------- */

static size_t size_of(const struct table *table, size_t number)
{
    uint32_t count = atomic_load_explicit(&table->page_counts[number], memory_order_acquire);
    if (count >= MEMBER)
        count = atomic_load_explicit(&table->units[number].page_count, memory_order_relaxed);
    return (size_t)count << PAGE_SHIFT;
}

/* Where a block could begin. NULL: none does. */
static struct table *table_of(const void *p)
{
    return (uintptr_t)p >> ADDRESS_BITS != 0 || (uintptr_t)p % UNIT != 0 ? NULL
                                                                         : find_table(unit_id_of(p) / WINDOW_UNITS);
}

bool unit_record(const void *p, size_t size)
{
    if (size > BLOCK_MAX || !units_provide(SPACE_BLOCKS, unit_id_of(p)))
        return false;
    struct table *table = table_of(p);
    size_t number = unit_id_of(p) % WINDOW_UNITS, count = size >> PAGE_SHIFT;
    bool is_member = atomic_load_explicit(&table->page_counts[number], memory_order_relaxed) == MEMBER;
    if (count >= MEMBER || is_member)
        atomic_store_explicit(&table->units[number].page_count, (uint32_t)count, memory_order_relaxed);
    atomic_store_explicit(&table->page_counts[number],
                          is_member        ? MEMBER
                          : count < MEMBER ? (uint16_t)count
                                           : MANY,
                          memory_order_release);
    return true;
}

size_t unit_recorded(const void *p)
{
    const struct table *table = table_of(p);
    return table == NULL ? 0 : size_of(table, unit_id_of(p) % WINDOW_UNITS);
}

bool unit_forget(const void *p)
{
    struct table *table = table_of(p);
    return table != NULL &&
           atomic_exchange_explicit(&table->page_counts[unit_id_of(p) % WINDOW_UNITS], 0, memory_order_acq_rel) != 0;
}

bool unit_is_freed(const void *p)
{
    const struct table *table = table_of(p);
    return table != NULL &&
           atomic_load_explicit(&table->units[unit_id_of(p) % WINDOW_UNITS].is_freed, memory_order_relaxed) != 0;
}

/* ---- looking for blocks --------------------------------------------------------------------------------------------------- */

static bool has_leaf(size_t window)
{
    return atomic_load_explicit(&leaves[window / LEAF_SIZE], memory_order_acquire) != NULL;
}

unit_id units_before(unit_id id)
{
    if (units_find(id) != NULL)
        return id;
    for (size_t left = id / WINDOW_UNITS; left != 0; left--) {
        if (find_table(left - 1) != NULL)
            return (unit_id)(left * WINDOW_UNITS - 1);
        if (!has_leaf(left - 1))
            left -= (left - 1) % LEAF_SIZE;
    }
    return 0;
}

unit_id units_from(unit_id id)
{
    if (units_find(id) != NULL)
        return id;
    for (size_t window = id / WINDOW_UNITS + 1; window < WINDOW_NUMBERS; window++) {
        if (find_table(window) != NULL)
            return (unit_id)(window * WINDOW_UNITS);
        if (!has_leaf(window))
            window |= LEAF_SIZE - 1;
    }
    return 0;
}

char *unit_block_at(const void *p, size_t *size)
{
    if ((uintptr_t)p >> ADDRESS_BITS != 0)
        return NULL;
    for (unit_id id = units_before(unit_id_of(p)); id != 0; id = units_before(id - 1)) {
        char *start = unit_address(id);
        *size = unit_recorded(start);
        if (*size != 0)
            return (size_t)((const char *)p - start) < *size ? start : NULL;
    }
    return NULL;
}

/* ---- large blocks of families ----------------------------------------------------------------------------------------- */

struct family *unit_family(const void *p)
{
    const struct table *table = table_of(p);
    size_t number = unit_id_of(p) % WINDOW_UNITS;
    bool is_member = table != NULL && atomic_load_explicit(&table->page_counts[number], memory_order_acquire) == MEMBER;
    return is_member ? table->units[number].member.family : NULL;
}

void unit_join(struct family *family, unit_id *list, const void *p)
{
    unit_id id = unit_id_of(p);
    struct table *table = find_table(id / WINDOW_UNITS);
    struct unit *unit = units_find(id);
    uint32_t page_count = (uint32_t)(size_of(table, id % WINDOW_UNITS) >> PAGE_SHIFT);
    lock_acquire(LOCK_FAMILIES);
    unit->member.family = family;
    unit->member.previous = 0;
    unit->member.next = *list;
    if (*list != 0)
        units_find(*list)->member.previous = id;
    *list = id;
    lock_release(LOCK_FAMILIES);
    atomic_store_explicit(&unit->page_count, page_count, memory_order_relaxed);
    atomic_store_explicit(&table->page_counts[id % WINDOW_UNITS], MEMBER, memory_order_release);
}

void unit_leave(unit_id *list, const void *p)
{
    const struct unit *unit = units_find(unit_id_of(p));
    lock_acquire(LOCK_FAMILIES);
    unit_id next = unit->member.next, previous = unit->member.previous;
    if (next != 0)
        units_find(next)->member.previous = previous;
    if (previous != 0)
        units_find(previous)->member.next = next;
    else
        *list = next;
    lock_release(LOCK_FAMILIES);
}
