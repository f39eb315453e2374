#include "pages.h"

#include "lock.h"
#include "memory.h"
#include "option.h"
#include "report.h"
#include "size_class.h"
#include "units.h"

enum state { DIRTY, CLEAN, RELEASED, STATES, BEHIND_FIRST = STATES };

/* ---- the index of a space's runs, under its lock ---------------------------------------------------------------------- */

#define ROWS        32 /* powers of two */
#define COLUMN_BITS 3  /* steps between two of them */
#define COLUMNS     (1 << COLUMN_BITS)

/* Lists by key, and which of them have runs. */
struct index {
    unit_id first[ROWS][COLUMNS];
    uint8_t columns[ROWS];
    uint32_t rows;
};

static struct heap_of_pages {
    struct index indexes[STATES][INDEXES];
    unit_id newest, oldest; /* of the dirty ones */
    size_t runs[STATES];
    _Atomic size_t units[STATES]; /* read without the lock */
} spaces[SPACES];

struct key {
    unsigned row, column;
};

static struct key key_of(uint32_t units)
{
    size_t size = (size_t)units << COLUMN_BITS, log = log2_floor(size);
    return (struct key){(unsigned)log - COLUMN_BITS, (unsigned)(size >> (log - COLUMN_BITS)) & (COLUMNS - 1)};
}

#define NATURAL_MAX ((uint32_t)(ALIGN_MAX / UNIT))

/* How much of a run lies behind its first multiple of `align`. */
static uint32_t behind(unit_id id, uint32_t units, uint32_t align)
{
    uint32_t skipped = -id & (align - 1);
    return skipped < units ? units - skipped : 0;
}

/* The largest block of a run that has its natural alignment. A power of two that goes into the run twice fits in any case;
 * so there are three alignments to try. */
static uint32_t room(unit_id id, uint32_t units)
{
    uint32_t low = (uint32_t)1 << log2_floor(units);
    if (low >= NATURAL_MAX) {
        uint32_t room = behind(id, units, NATURAL_MAX);
        return room > NATURAL_MAX / 2 ? room : NATURAL_MAX / 2;
    }
    uint32_t widest = behind(id, units, 2 * low), middle = behind(id, units, low);
    if (widest > low)
        return widest;
    if (middle > low)
        middle = low;
    return middle > low / 2 || low == 1 ? middle : low / 2;
}

static uint32_t key_units(unit_id id, uint32_t units, enum link link)
{
    return link == BY_SIZE ? units : room(id, units);
}

static unsigned lowest(uint32_t bits) { return (unsigned)__builtin_ctz(bits); }

/* The best fit but for the steps of the keys. 0: none. */
static unit_id find(enum space space, const struct index *index, uint32_t units, enum link link)
{
    struct key key = key_of(units);
    unit_id same = index->first[key.row][key.column];
    if (same != 0 && key_units(same, unit_of(space, same)->units, link) >= units)
        return same;
    uint32_t columns = index->columns[key.row] & ((uint32_t)-2 << key.column);
    if (columns != 0)
        return index->first[key.row][lowest(columns)];
    uint32_t rows = key.row == ROWS - 1 ? 0 : index->rows & ((uint32_t)-2 << key.row);
    return rows == 0 ? 0 : index->first[lowest(rows)][lowest(index->columns[lowest(rows)])];
}

static void link_in(enum space space, unit_id *first, unit_id id, enum link link)
{
    struct unit *unit = unit_of(space, id);
    unit->links[link].next = *first;
    unit->links[link].previous = 0;
    if (*first != 0)
        unit_of(space, *first)->links[link].previous = id;
    *first = id;
}

static void link_out(enum space space, unit_id *first, unit_id id, enum link link)
{
    struct unit *unit = unit_of(space, id);
    unit_id next = unit->links[link].next, previous = unit->links[link].previous;
    *(previous == 0 ? first : &unit_of(space, previous)->links[link].next) = next;
    if (next != 0)
        unit_of(space, next)->links[link].previous = previous;
}

static void enter_index(enum space space, struct index *index, unit_id id, uint32_t units, enum link link)
{
    struct key key = key_of(units);
    link_in(space, &index->first[key.row][key.column], id, link);
    index->columns[key.row] |= (uint8_t)(1u << key.column);
    index->rows |= (uint32_t)1 << key.row;
}

static void leave_index(enum space space, struct index *index, unit_id id, uint32_t units, enum link link)
{
    struct key key = key_of(units);
    link_out(space, &index->first[key.row][key.column], id, link);
    if (index->first[key.row][key.column] == 0)
        index->columns[key.row] &= (uint8_t) ~(1u << key.column);
    if (index->columns[key.row] == 0)
        index->rows &= ~((uint32_t)1 << key.row);
}

/* ---- runs, under the lock of their space ------------------------------------------------------------------------------ */

/* What is known of a run beside where it is. A dirty one's place in the list by age is behind that of `newer`; 0: the first. */
struct kind {
    enum state state;
    unit_id newer;
    uint32_t dirty_since;
};

static void enter_age(enum space space, unit_id id, struct kind kind)
{
    struct heap_of_pages *heap = &spaces[space];
    struct unit *unit = unit_of(space, id);
    unit_id *next = kind.newer == 0 ? &heap->newest : &unit_of(space, kind.newer)->links[BY_AGE].next;
    unit->dirty_since = kind.dirty_since;
    unit->links[BY_AGE].next = *next;
    unit->links[BY_AGE].previous = kind.newer;
    *(*next == 0 ? &heap->oldest : &unit_of(space, *next)->links[BY_AGE].previous) = id;
    *next = id;
}

static void leave_age(enum space space, unit_id id)
{
    struct heap_of_pages *heap = &spaces[space];
    if (heap->oldest == id)
        heap->oldest = unit_of(space, id)->links[BY_AGE].previous;
    link_out(space, &heap->newest, id, BY_AGE);
}

static void count(struct heap_of_pages *heap, enum state state, size_t runs, size_t units)
{
    heap->runs[state] += runs;
    size_t before = atomic_load_explicit(&heap->units[state], memory_order_relaxed);
    atomic_store_explicit(&heap->units[state], before + units, memory_order_relaxed);
}

/* Both ends have entries, and the last one's tells that no run begins there. Nothing for an empty one. */
static void put_in(enum space space, unit_id id, uint32_t units, struct kind kind)
{
    struct heap_of_pages *heap = &spaces[space];
    if (units == 0)
        return;
    struct unit *unit = unit_of(space, id);
    struct unit *last = unit_of(space, id + units - 1);
    unit->units = last->units = units;
    last->state = BEHIND_FIRST;
    unit->state = (uint8_t)kind.state;
    enter_index(space, &heap->indexes[kind.state][BY_SIZE], id, units, BY_SIZE);
    enter_index(space, &heap->indexes[kind.state][BY_ROOM], id, room(id, units), BY_ROOM);
    if (kind.state == DIRTY)
        enter_age(space, id, kind);
    count(heap, kind.state, 1, units);
}

static struct kind take_out(enum space space, unit_id id)
{
    struct heap_of_pages *heap = &spaces[space];
    struct unit *unit = unit_of(space, id);
    uint32_t units = unit->units;
    struct kind kind = {(enum state)unit->state, unit->links[BY_AGE].previous, unit->dirty_since};
    leave_index(space, &heap->indexes[kind.state][BY_SIZE], id, units, BY_SIZE);
    leave_index(space, &heap->indexes[kind.state][BY_ROOM], id, room(id, units), BY_ROOM);
    if (kind.state == DIRTY)
        leave_age(space, id);
    unit->units = unit_of(space, id + units - 1)->units = 0;
    count(heap, kind.state, (size_t)-1, -(size_t)units);
    return kind;
}

/* Takes `units` from the `skipped`th on out of a run, whose rest stays as it was. False: a table is missing, for an end of
 * what stays: *missing. */
static bool cut(enum space space, unit_id id, uint32_t skipped, uint32_t units, unit_id *missing)
{
    uint32_t left = unit_of(space, id)->units - skipped - units;
    unit_id end = id + skipped + units;
    *missing = skipped != 0 && unit_of(space, id + skipped - 1) == NULL ? id + skipped - 1
               : left != 0 && unit_of(space, end) == NULL               ? end
                                                                        : 0;
    if (*missing != 0)
        return false;
    struct kind kind = take_out(space, id);
    put_in(space, end, left, kind);
    put_in(space, id, skipped, kind);
    struct unit *first = unit_of(space, id + skipped);
    if (first != NULL && atomic_load_explicit(&first->is_freed, memory_order_relaxed) != 0)
        atomic_store_explicit(&first->is_freed, 0, memory_order_relaxed);
    return true;
}

/* The free run of a state that ends before a unit, or that begins at it. 0: none. */
static unit_id run_before(enum space space, unit_id id, enum state state)
{
    struct unit *last = unit_of(space, id - 1);
    unit_id first = last == NULL ? 0 : id - last->units;
    return last == NULL || last->units == 0 || unit_of(space, first)->state != state ? 0 : first;
}

static unit_id run_at(enum space space, unit_id id, enum state state)
{
    if (space != SPACE_BLOCKS && id % WINDOW_UNITS == 0) /* a region ends here */
        return 0;
    struct unit *first = unit_of(space, id);
    return first == NULL || first->units == 0 || first->state != state ? 0 : id;
}

static uint32_t units_of(enum space space, unit_id id) { return id == 0 ? 0 : unit_of(space, id)->units; }

/* Puts a run in, with its neighbours if they are in the same state. Returns where the whole begins. The whole is as old
 * as its largest part: or what is never used behind a block would stay as young as the block. */
static unit_id merge(enum space space, unit_id id, uint32_t units, struct kind kind)
{
    unit_id before = run_before(space, id, kind.state), after = run_at(space, id + units, kind.state);
    uint32_t before_units = units_of(space, before), after_units = units_of(space, after);
    bool after_is_larger = after_units > before_units;
    unit_id larger = after_is_larger ? after : before, smaller = after_is_larger ? before : after;
    if (smaller != 0)
        (void)take_out(space, smaller);
    if (larger != 0) {
        uint32_t larger_units = units_of(space, larger);
        struct kind of_larger = take_out(space, larger);
        if (larger_units > units)
            kind = of_larger;
    }
    put_in(space, id - before_units, before_units + units + after_units, kind);
    return id - before_units;
}

/* ---- taking ------------------------------------------------------------------------------------------------------------ */

static void lock(enum space space) { lock_acquire(LOCK_PAGES + (unsigned)space); }
static void unlock(enum space space) { lock_release(LOCK_PAGES + (unsigned)space); }

static unit_id try_take(enum space space, enum state state, uint32_t units, uint32_t align, unit_id *missing)
{
    struct index *indexes = spaces[space].indexes[state];
    uint32_t fitting = align / 2 >= units ? align : units; /* the smallest block with that natural alignment */
    *missing = 0;
    lock(space);
    unit_id id = align == 1             ? find(space, &indexes[BY_SIZE], units, BY_SIZE)
                 : align <= NATURAL_MAX ? find(space, &indexes[BY_ROOM], fitting, BY_ROOM)
                                        : find(space, &indexes[BY_SIZE], units + align, BY_SIZE);
    uint32_t skipped = -id & (align - 1);
    if (id != 0 && !cut(space, id, skipped, units, missing))
        id = 0;
    unlock(space);
    return id == 0 ? 0 : id + skipped;
}

#define SIZE_MAX_IN_UNITS ((size_t)1 << (ADDRESS_BITS - 1))

static bool has(enum space space, enum state state)
{
    return atomic_load_explicit(&spaces[space].units[state], memory_order_relaxed) != 0;
}

static void *take(enum space space, enum state state, size_t size, size_t align)
{
    if (!has(space, state) || size > SIZE_MAX_IN_UNITS)
        return NULL;
    uint32_t units = (uint32_t)(size >> UNIT_SHIFT), align_units = align <= UNIT ? 1 : (uint32_t)(align >> UNIT_SHIFT);
    unit_id missing;
    unit_id taken = try_take(space, state, units, align_units, &missing);
    if (taken == 0 && missing != 0 && units_provide(space, missing))
        taken = try_take(space, state, units, align_units, &missing);
    return taken == 0 ? NULL : unit_address(taken);
}

void *pages_take_dirty(enum space space, size_t size, size_t align) { return take(space, DIRTY, size, align); }

/* The ends of a run have entries. False: there is no memory for them, so that it could not be found again; it goes back to the
 * system, addresses and all. */
static bool provide_tables(enum space space, char *start, size_t size, enum state state)
{
    if (units_provide(space, unit_id_of(start)) && units_provide(space, unit_id_of(start + size - 1)))
        return true;
    if (state == DIRTY)
        memory_discharge(size);
    if (state != RELEASED && !reservation_release(space, start, size))
        (void)memory_purge(start, size);
    return false;
}

static void put(enum space space, void *start, size_t size, struct kind kind)
{
    if (!provide_tables(space, start, size, kind.state))
        return;
    lock(space);
    (void)merge(space, unit_id_of(start), (uint32_t)(size >> UNIT_SHIFT), kind);
    unlock(space);
}

/* Has a run mapped again that was unmapped. NULL: addresses are short, or somebody else has them now. */
static void *restore(enum space space, void *start, size_t size)
{
    if (start == NULL)
        return NULL;
    enum restored restored = reservation_restore(space, start, size);
    if (restored == NOT_RESTORED)
        put(space, start, size, (struct kind){.state = RELEASED});
    return restored == RESTORED ? start : NULL;
}

void *pages_take_clean(enum space space, size_t size, size_t align)
{
    if ((!has(space, CLEAN) && !has(space, RELEASED)) || !memory_charge(size))
        return NULL;
    void *p = take(space, CLEAN, size, align);
    if (p == NULL)
        p = restore(space, take(space, RELEASED, size, align), size);
    if (p == NULL)
        memory_discharge(size);
    return p;
}

bool pages_take_at(enum space space, char *start, size_t size, bool *zero)
{
    unit_id id = unit_id_of(start), missing = 0;
    uint32_t units = (uint32_t)(size >> UNIT_SHIFT);
    struct unit *unit = unit_of(space, id);
    if (unit == NULL || !memory_charge(size))
        return false;
    lock(space);
    bool taken = unit->units >= units && unit->state < RELEASED && cut(space, id, 0, units, &missing);
    *zero = taken && unit->state == CLEAN;
    unlock(space);
    if (!taken || !*zero)
        memory_discharge(size);
    return taken;
}

/* ---- giving back to the system ------------------------------------------------------------------------------------------ */

static struct kind dirty_now(void) { return (struct kind){DIRTY, 0, os_milliseconds()}; }

/* Memory that is nobody's for the moment. */
static void purge(enum space space, void *start, size_t size)
{
    if (memory_purge(start, size)) {
        memory_discharge(size);
        put(space, start, size, (struct kind){.state = CLEAN});
    } else {
        put(space, start, size, dirty_now());
    }
}

/* Purges the start of one dirty run, at most so many bytes, if it is so old: the run that begins at a unit, or for 0 the
 * one that has been dirty longest. Returns how much. */
#define ALL ((size_t)UINT32_MAX << UNIT_SHIFT)
static size_t purge_run(enum space space, unit_id which, size_t most, size_t age)
{
    struct heap_of_pages *heap = &spaces[space];
    uint32_t units = most >= ALL ? UINT32_MAX : (uint32_t)(most >> UNIT_SHIFT);
    if (!has(space, DIRTY))
        return 0;
    uint32_t now = os_milliseconds();
    unit_id missing = 0;
    lock(space);
    unit_id id = which != 0 ? run_at(space, which, DIRTY) : heap->oldest;
    bool taken = id != 0 && (age == 0 || is_older_than(age, unit_of(space, id)->dirty_since, now));
    if (taken) {
        units = units < unit_of(space, id)->units ? units : unit_of(space, id)->units;
        taken = cut(space, id, 0, units, &missing);
    }
    unlock(space);
    if (taken)
        purge(space, unit_address(id), (size_t)units << UNIT_SHIFT);
    else if (missing != 0)
        (void)units_provide(space, missing);
    return taken ? (size_t)units << UNIT_SHIFT : 0;
}

static size_t purge_oldest(enum space space, size_t most, size_t age) { return purge_run(space, 0, most, age); }

/* Of memory that is purged in passing: so much takes less than a millisecond. */
#define STEP ((size_t)4 << 20)

bool pages_purge_oldest(enum space space, size_t most) { return purge_oldest(space, most, 0) != 0; }

void pages_purge_aged(void)
{
    size_t age = option(OPTION_PURGE_AGE);
    (void)purge_oldest(SPACE_BLOCKS, STEP, age);
    (void)purge_oldest(SPACE_LARGE, STEP, age);
    (void)purge_oldest(SPACE_HUGE, STEP, age);
    (void)purge_oldest(SPACE_MEDIUM, STEP, age);
    (void)purge_oldest(SPACE_SMALL, STEP, age);
}

static size_t bytes(enum space space, enum state state)
{
    return atomic_load_explicit(&spaces[space].units[state], memory_order_relaxed) << UNIT_SHIFT;
}

/* What is more than may be kept, together with the spaces that have one limit with this. */
static size_t excess(enum space space)
{
    bool is_blocks = space == SPACE_BLOCKS;
    size_t limit = option(is_blocks ? OPTION_LARGE_CACHE_LIMIT : OPTION_CACHE_LIMIT);
    size_t dirty = is_blocks ? bytes(SPACE_BLOCKS, DIRTY)
                             : bytes(SPACE_SMALL, DIRTY) + bytes(SPACE_MEDIUM, DIRTY) + bytes(SPACE_LARGE, DIRTY) +
                                   bytes(SPACE_HUGE, DIRTY);
    if (option(OPTION_PURGE_AGE) == 0)
        limit = 0;
    return dirty > limit ? round_up(dirty - limit, UNIT) : 0;
}

static void purge_excess(enum space space, unit_id which)
{
    size_t more = excess(space);
    if (more != 0)
        (void)purge_run(space, which, more, 0);
}

void pages_give(enum space space, void *start, size_t size)
{
    struct kind kind = dirty_now();
    if (!provide_tables(space, start, size, DIRTY))
        return;
    lock(space);
    atomic_store_explicit(&unit_of(space, unit_id_of(start))->is_freed, 1, memory_order_relaxed);
    unit_id given = merge(space, unit_id_of(start), (uint32_t)(size >> UNIT_SHIFT), kind);
    unlock(space);
    purge_excess(space, 0);
    purge_excess(space, 0);
    purge_excess(space, given); /* nothing loops, and yet it is enough: this is at least as large as what was given */
}

void pages_give_clean(enum space space, void *start, size_t size)
{
    if (size != 0)
        put(space, start, size, (struct kind){.state = CLEAN});
}

/* Unmaps clean memory, about as much as is wanted at a time. 0: there is none, or the system refuses. Not what a window begins
 * with: reservations begin at windows, and so none can come over a released run, which is still in the lists. */
static size_t release_clean(enum space space, size_t wanted)
{
    const struct index *index = &spaces[space].indexes[CLEAN][BY_SIZE];
    unit_id missing = 0;
    uint32_t units = (uint32_t)(round_up(wanted, UNIT) >> UNIT_SHIFT);
    lock(space);
    unsigned row = index->rows == 0 ? 0 : (unsigned)log2_floor(index->rows);
    unit_id id = index->rows == 0 ? 0 : index->first[row][log2_floor(index->columns[row])];
    uint32_t skipped = id % WINDOW_UNITS == 0, end = (uint32_t)WINDOW_UNITS - id % WINDOW_UNITS;
    if (end > units_of(space, id))
        end = units_of(space, id);
    if (units > end - skipped)
        units = end - skipped;
    bool taken = id != 0 && units != 0 && cut(space, id, skipped, units, &missing);
    unlock(space);
    if (missing != 0)
        (void)units_provide(space, missing);
    if (!taken)
        return 0;
    char *start = unit_address(id + skipped);
    size_t size = (size_t)units << UNIT_SHIFT;
    bool released = reservation_release(space, start, size);
    put(space, start, size, (struct kind){.state = released ? RELEASED : CLEAN});
    return released ? size : 0;
}

static size_t trim(enum space space)
{
    lock_acquire(LOCK_GROWTH);
    size_t size = reservation_trim(space);
    lock_release(LOCK_GROWTH);
    return size;
}

/* The program's own limit is for what is charged, the system's may be for addresses. */
static bool addresses_may_be_short(void) { return option(OPTION_MAPPED_LIMIT) == 0; }

/* One thing of a space. */
static size_t reclaim_from(enum space space, size_t wanted)
{
    size_t purged = purge_oldest(space, ALL, 0);
    if (!addresses_may_be_short())
        return purged;
    size_t trimmed = trim(space);
    return trimmed + release_clean(space, wanted);
}

/* Of each space; false: there is no more, or no more is wanted. */
__attribute__((noinline)) static bool reclaim_step(size_t *wanted)
{
    size_t size = reclaim_from(SPACE_BLOCKS, *wanted) + reclaim_from(SPACE_LARGE, *wanted) +
                  reclaim_from(SPACE_HUGE, *wanted) + reclaim_from(SPACE_MEDIUM, *wanted) +
                  reclaim_from(SPACE_SMALL, *wanted);
    *wanted -= size < *wanted ? size : *wanted;
    return size != 0 && *wanted != 0;
}

/* Far enough: what OPTION_CACHE_LIMIT keeps unless it is set are 512 small slabs. */
#define RECLAIM_STEPS 1024

__attribute__((noinline)) static void reclaim(size_t *wanted)
{
    for (unsigned left = RECLAIM_STEPS; left != 0 && reclaim_step(wanted); left--) {
    }
}

/* Of addresses, what follows may need as many as a region takes. */
#define RELEASED_MIN ((size_t)(ALLOC_DEBUG ? 64 : 16) << 20)

bool pages_reclaim(size_t size)
{
    size_t most = addresses_may_be_short() && size < RELEASED_MIN ? RELEASED_MIN : size, wanted = most;
    reclaim(&wanted);
    return wanted != most;
}

/* How much free memory begins at a unit that has an entry. */
static size_t free_from(enum space space, unit_id id)
{
    const struct unit *unit = unit_of(space, id);
    lock(space);
    size_t units = unit->state == BEHIND_FIRST ? 0 : unit->units;
    unlock(space);
    return units << UNIT_SHIFT;
}

bool pages_are_free(const void *p)
{
    if ((uintptr_t)p >> ADDRESS_BITS != 0)
        return false;
    for (unit_id id = units_before(unit_id_of(p)); id != 0; id = units_before(id - 1)) {
        size_t size = free_from(SPACE_BLOCKS, id), offset = (size_t)((const char *)p - unit_address(id));
        if (size != 0 || unit_recorded(unit_address(id)) != 0)
            return offset < size;
    }
    return false;
}

struct pages_counts pages_count(enum space space)
{
    struct heap_of_pages *heap = &spaces[space];
    lock(space);
    struct pages_counts counts = {.dirty_runs = heap->runs[DIRTY],
                                  .dirty = bytes(space, DIRTY),
                                  .clean = bytes(space, CLEAN),
                                  .released = bytes(space, RELEASED)};
    unlock(space);
    return counts;
}

#if ALLOC_DEBUG

/* What the lists of one key hold, run by run: where it should be, whole, and not beside another of its state. */
static size_t check_list(enum space space, enum state state, enum link link, unsigned row, unsigned column)
{
    const struct index *index = &spaces[space].indexes[state][link];
    size_t units = 0;
    unit_id previous = 0;
    for (unit_id id = index->first[row][column]; id != 0; id = unit_of(space, id)->links[link].next) {
        const struct unit *first = unit_of(space, id);
        struct key key = key_of(key_units(id, first->units, link));
        check(key.row == row && key.column == column && first->state == state && first->units != 0);
        const struct unit *last = unit_of(space, id + first->units - 1);
        check(last->units == first->units && (last == first || last->state == BEHIND_FIRST));
        check(first->links[link].previous == previous);
        check(run_before(space, id, state) == 0 && run_at(space, id + first->units, state) == 0);
        units += first->units;
        previous = id;
    }
    check((units != 0) == ((index->columns[row] >> column & 1) != 0) && (units == 0 || (index->rows >> row & 1) != 0));
    return units;
}

static size_t check_index(enum space space, enum state state, enum link link)
{
    size_t units = 0;
    for (unsigned row = 0; row < ROWS; row++)
        for (unsigned column = 0; column < COLUMNS; column++)
            units += check_list(space, state, link, row, column);
    return units;
}

void pages_check(enum space space)
{
    const struct heap_of_pages *heap = &spaces[space];
    lock(space);
    for (enum state state = 0; state < STATES; state++) {
        size_t units = atomic_load_explicit(&heap->units[state], memory_order_relaxed);
        check(check_index(space, state, BY_SIZE) == units && check_index(space, state, BY_ROOM) == units);
    }
    size_t aged = 0;
    for (unit_id id = heap->newest; id != 0; id = unit_of(space, id)->links[BY_AGE].next) {
        aged += unit_of(space, id)->units;
        check(unit_of(space, id)->links[BY_AGE].next != 0 || heap->oldest == id);
    }
    check(aged == atomic_load_explicit(&heap->units[DIRTY], memory_order_relaxed));
    unlock(space);
}

#endif
