#include "white_box.h"

#include "check.h"
#include "hot.h"
#include "large.h"
#include "memory.h"
#include "pages.h"
#include "pool.h"

#include <alloc/alloc_std.h>

#include <stdio.h>

/* ---- arithmetic -------------------------------------------------------------------------------------------------- */

static enum slab_kind kind_of(bool is_large) { return is_large ? SLAB_LARGE : SLAB_SMALL; }

size_t engine_class_count(void) { return CLASS_COUNT; }
size_t engine_slot_size_max(void) { return SLOT_SIZE_MAX; }
size_t engine_log2_floor(size_t n) { return log2_floor(n); }
size_t engine_log2_ceil(size_t n) { return log2_ceil(n); }
bool engine_is_power_of_two(size_t n) { return is_power_of_two(n); }
size_t engine_round_up(size_t n, size_t align) { return round_up(n, align); }
bool engine_request_has_slot(size_t size, size_t align) { return request_has_slot(size, align); }
size_t engine_class_natural(size_t size) { return class_natural(size); }
size_t engine_class_aligned(size_t size, size_t align) { return class_aligned(last_byte(size, align)); }
size_t engine_request_class(size_t size, size_t align) { return request_class(size, align); }
size_t engine_class_slot_size(size_t class_number) { return class_slot_size(class_number); }
uint32_t engine_slot_index(size_t offset, uint32_t slot_size)
{
    return slot_index(offset, class_reciprocal(slot_size));
}
size_t engine_slab_bytes(bool is_large) { return (size_t)1 << (is_large ? SLAB_LARGE_SHIFT : SLAB_SMALL_SHIFT); }
unsigned engine_population(uint64_t mask) { return population(mask); }

uint32_t engine_slab_capacity(bool is_large, size_t class_number)
{
    return slab_capacity(kind_of(is_large), class_number);
}

uint32_t engine_slab_to_id(uintptr_t base, size_t index) { return slab_to_id((struct slab *)base + index); }
uintptr_t engine_slab_from_id(uint32_t id) { return (uintptr_t)slab_from_id(id); }

/* ---- maps -------------------------------------------------------------------------------------------------------- */

size_t engine_map_words(size_t slots) { return map_bytes(slots) / sizeof(uint64_t); }
struct map *engine_map_at(uint64_t *block, size_t slots) { return map_at(block, slots); }
uint64_t *engine_map_block(struct map *map, size_t slots) { return map_block(map, slots); }
void engine_map_reset(struct map *map) { map_reset_top(map); }
void engine_map_reset_word(struct map *map, size_t word) { map_reset_word(map, word); }

bool engine_map_add(struct map *map, size_t index)
{
    uint64_t word = map_add(map, index / 64, map_bit(index));
    if (word == 0)
        map_mark(map, index / 64);
    return (word & map_bit(index)) == 0;
}

uint64_t engine_map_take(struct map *map, size_t *word) { return map_take(map, word); }

/* ---- slabs ------------------------------------------------------------------------------------------------------- */

/* Free slots that a bin allocates from: all of them its current slab's. */
static uint32_t count_held(const struct bin *bin) { return population(bin->mask); }

/* Slots of a slab that its bin holds back. */
static uint32_t count_held_back(const struct bin *bin, const struct slab *slab)
{
    uint32_t count = 0;
    for (uint32_t i = bin->room; bin->recent[i] != NULL; i++)
        count += slab_of(bin->recent[i]) == slab;
    return count;
}

static struct slab_view view(struct slab *slab)
{
    enum slab_kind kind = slab_kind_of(slab);
    const struct bin *bin = slab_bin(slab);
    uint32_t pushed = atomic_load(&slab_remote(slab)->pushed);
    struct slab_view view = {
        .slab = slab,
        .heap = bin == NULL ? NULL : heap_of(bin),
        .start = slab_start(slab),
        .class_number = slab->class,
        .state = (enum view_state)slab->state,
        .is_large = kind >= SLAB_LARGE,
        .is_huge = kind == SLAB_HUGE,
        .is_to_revisit = slab->flags & SLAB_REVISIT,
        .is_called = (uintptr_t)atomic_load(&slab->bin) & BIN_CALLED,
        .capacity = slab_capacity(kind, slab->class),
        .granted = slab_granted(slab),
        .freed = slab_freed_count(slab),
        .waiting = (int32_t)(pushed - slab_remote(slab)->popped),
        .held = bin != NULL && bin->current == slab ? count_held(bin) : 0,
        .held_back = bin != NULL ? count_held_back(bin, slab) : 0,
        .countdown = atomic_load(&slab->countdown),
        .notify_at = atomic_load(&slab->notify_at),
        .pushed = pushed,
        .has_dirty_local = slab->flags & SLAB_LOCAL_USED,
        .has_dirty_remote = slab->flags & SLAB_REMOTE_USED,
    };
    if (bin == NULL) { /* what says how many slots it had free serves another purpose in a pool */
        view.granted = view.freed = view.countdown = 0;
        view.waiting = 0;
    }
    view.out = (int64_t)view.granted - view.freed - view.waiting - view.held - view.held_back;
    return view;
}

struct slab_view engine_view_slab(const void *slot) { return view(slab_of(slot)); }

/* The first region, after NULL, or the next one; NULL: no more. */
static struct region *next_region(struct region *region)
{
    for (uintptr_t base = (uintptr_t)region + REGION_SIZE; base >> ADDRESS_BITS == 0; base += REGION_SIZE)
        if (region_known((void *)base))
            return (struct region *)base;
    return NULL;
}

static struct slab *region_slab(struct region *region, size_t index) { return (struct slab *)region + index; }
static bool has_served(const struct slab *slab) { return slab->local != NULL; }

void engine_visit_slabs(void (*visit)(const struct slab_view *view, void *context), void *context)
{
    for (struct region *region = next_region(NULL); region != NULL; region = next_region(region))
        for (size_t index = region_first_slab(region); index < region->slab_end; index++)
            if (has_served(region_slab(region, index))) {
                struct slab_view seen = view(region_slab(region, index));
                visit(&seen, context);
            }
}

void engine_flush_recent(void)
{
    for (size_t i = 0; i < CLASS_COUNT; i++)
        bin_flush_recent(&own_bins[i]);
}

void engine_hold_nothing_back(void)
{
    engine_flush_recent();
    for (size_t i = 0; i < CLASS_COUNT; i++) {
        own_bins[i].room = 0;
        own_bins[i].recent[0] = NULL;
    }
}

size_t engine_count_slabs_passed_over(void)
{
    size_t count = 0;
    for (struct region *region = next_region(NULL); region != NULL; region = next_region(region))
        for (size_t index = region_first_slab(region), waiting = 0; index < region->slab_end; index++)
            if (has_served(region_slab(region, index))) {
                count += waiting;
                waiting = 0;
            } else {
                waiting += region_slab(region, index)->state != SLAB_SET_ASIDE;
            }
    return count;
}

void engine_validate(void)
{
    for (struct region *region = ALLOC_DEBUG ? next_region(NULL) : NULL; region != NULL; region = next_region(region))
        for (size_t index = region_first_slab(region); index < region->slab_end; index++)
            if (atomic_load(&region_slab(region, index)->bin) != NULL)
                slab_check_quiet(region_slab(region, index));
#if ALLOC_DEBUG
    for (enum space space = 0; space < SPACES; space++)
        pages_check(space);
#endif
}

size_t engine_slot_number(const void *slot)
{
    const struct slab *slab = slab_of(slot);
    return (size_t)((const char *)slot - slab_start(slab)) / class_slot_size(slab->class);
}

void engine_skip_pushes(const void *slot, uint32_t count)
{
    struct remote *remote = slab_remote(slab_of(slot));
    atomic_fetch_add(&remote->pushed, count);
    remote->popped += count;
}

void engine_skip_frees(const void *slot, uint32_t count)
{
    struct slab *slab = slab_of(slot);
    slab->armed -= count;
    atomic_fetch_sub(&slab->countdown, count);
}

void engine_move_pushed(const void *slot, uint32_t pushed)
{
    uint32_t distance = pushed - atomic_load(&slab_remote(slab_of(slot))->pushed);
    engine_skip_pushes(slot, distance);
    atomic_fetch_add(&slab_of(slot)->notify_at, distance);
}

void *engine_take_metadata(size_t bytes) { return meta_allocate(bytes, 64); }

size_t engine_map_bytes(bool is_large, size_t class_number)
{
    return map_bytes(slab_capacity(kind_of(is_large), class_number));
}

size_t engine_committed_bytes(void) { return atomic_load(&memory_counts.charged); }

static bool is_same(const char *what, size_t counted, size_t there)
{
    if (counted != there)
        (void)fprintf(stderr, "%s: %zu bytes are counted, there are %zu\n", what, counted, there);
    return counted == there;
}

bool engine_memory_is_accounted(void)
{
    static const char *const names[] = {"small slabs", "medium slabs", "large slabs", "huge slabs", "large blocks"};
    size_t slabs[SPACES] = {0}, pooled[SPACES] = {0}, charged = large_count().live_bytes;
    for (struct region *region = region_newest(); region != NULL; region = region->next) {
        slabs[region->kind] += (size_t)region->slab_end << region->slab_shift;
        for (size_t index = region_first_slab(region); index < region->slab_end; index++)
            if (atomic_load(&region_slab(region, index)->bin) == NULL &&
                region_slab(region, index)->state != SLAB_SET_ASIDE)
                pooled[region->kind] += kind_size(region->kind);
            else
                charged += kind_size(region->kind);
    }
    bool is_accounted = true;
    for (enum space space = 0; space < SPACES; space++) {
        struct pages_counts pages = pages_count(space);
        size_t free = pages.dirty + pages.clean + pages.released;
        charged += pages.dirty;
        if (space == SPACE_BLOCKS)
            pooled[space] = slabs[space] = free + large_count().live_bytes; /* of whole units */
        is_accounted &= is_same(names[space], free, space == SPACE_BLOCKS ? free : pooled[space]);
        is_accounted &=
            is_same(names[space], reservation_reserved(space), slabs[space] - pages.released + reservation_left(space));
    }
    charged += reservation_reserved(SPACE_META) - reservation_left(SPACE_META);
    return is_same("charged", atomic_load(&memory_counts.charged), charged) && is_accounted;
}

bool engine_all_is_free(void)
{
    while (alloc_purge() != 0)
        continue;
    engine_validate();
    return engine_memory_is_accounted();
}

/* ---- heaps ------------------------------------------------------------------------------------------------------- */

const struct heap *engine_own_heap(void) { return heap_self()->number == 0 ? NULL : heap_self(); }
uint32_t engine_heap_number(const struct heap *heap) { return heap->number; }
const struct heap *engine_owner(const void *slot) { return heap_of(slab_bin(slab_of(slot))); }

uint32_t engine_heap_owns(const struct heap *heap, size_t class_number)
{
    return (uint32_t)atomic_load(&heap->bins[class_number].first_owned) +
           atomic_load(&heap->bins[class_number].large_owned);
}

uint32_t engine_heap_revisits(const struct heap *heap)
{
    const slab_id first = atomic_load(&heap->revisit);
    if (first == 0)
        return 0;
    uint32_t count = 1;
    for (slab_id id = slab_from_id(first)->links[LINKS_REVISIT].next; id != first;
         id = slab_from_id(id)->links[LINKS_REVISIT].next)
        count++;
    return count;
}

/* ---- the clock --------------------------------------------------------------------------------------------------- */

static _Atomic bool clock_is_set;
static _Atomic uint32_t clock_is_at;

void engine_set_clock(uint32_t milliseconds)
{
    atomic_store(&clock_is_at, milliseconds);
    atomic_store(&clock_is_set, true);
}

/* The linker sends the engine's calls here. NOLINTBEGIN(bugprone-reserved-identifier) */
uint32_t __real_os_milliseconds(void);
uint32_t __wrap_os_milliseconds(void);

uint32_t __wrap_os_milliseconds(void)
{
    return atomic_load(&clock_is_set) ? atomic_load(&clock_is_at) : __real_os_milliseconds();
}
/* NOLINTEND(bugprone-reserved-identifier) */

/* ---- remote maps, and stopping in the middle --------------------------------------------------------------------- */

#if ALLOC_THREADS

uint64_t engine_map_push(struct map *map, size_t word, uint64_t mask) { return map_push(map, word, mask); }
uint64_t engine_map_push_bits(struct map *map, size_t word, uint64_t mask) { return map_push_bits(map, word, mask); }
void engine_map_push_summary(struct map *map, size_t word) { map_push_summary(map, word); }
uint64_t engine_map_collect(struct map *map, size_t *word) { return map_collect(map, word); }
void engine_map_untake(struct map *map) { map_untake(map); }

struct push engine_push_begin(void *const *slots, size_t count, size_t size, size_t align)
{
    struct push push = {slab_of(slots[0]), engine_slot_number(slots[0]) / 64, 0, PUSH_BITS};
    for (size_t i = 0; i < count; i++) {
        check_freed("engine_push_begin", slots[i], size, align);
        push.mask |= map_bit(engine_slot_number(slots[i]));
    }
    return push;
}

void engine_push_step(struct push *push)
{
    struct map *map = push->slab->remote;
    size_t group = push->word / 64;
    switch (push->next) {
    case PUSH_BITS:
        push->next = map_push_bits(map, push->word, push->mask) == 0 ? PUSH_GROUP : PUSH_COUNT;
        break;
    case PUSH_GROUP: /* this step and the next are map_push_summary */
        push->next = atomic_fetch_add(map_group(map, group), map_bit(push->word)) == 0 ? PUSH_TOP : PUSH_COUNT;
        break;
    case PUSH_TOP:
        atomic_fetch_or(&map->top[group / 64], map_bit(group));
        push->next = PUSH_COUNT;
        break;
    case PUSH_COUNT:
        push->next = PUSH_DONE;
        settle_push_count(push->slab, population(push->mask));
        break;
    case PUSH_DONE:
        break;
    }
}

static _Thread_local void (*lock_hook)(void *context);
static _Thread_local void *lock_hook_context;

void engine_before_next_lock(void (*hook)(void *context), void *context)
{
    lock_hook = hook;
    lock_hook_context = context;
}

/* The linker sends the engine's calls of os_lock_acquire here. NOLINTBEGIN(bugprone-reserved-identifier) */
void __real_os_lock_acquire(struct os_lock *lock);
void __wrap_os_lock_acquire(struct os_lock *lock);

void __wrap_os_lock_acquire(struct os_lock *lock)
{
    void (*hook)(void *) = lock_hook;
    lock_hook = NULL;
    if (hook != NULL)
        hook(lock_hook_context);
    __real_os_lock_acquire(lock);
}

static bool holds_lock(unsigned from)
{
    struct os_lock probe = {0}; /* says how this thread is written down as a holder */
    __real_os_lock_acquire(&probe);
    bool holds = false;
    for (unsigned i = from; i < LOCK_COUNT; i++)
        holds |= (atomic_load(&locks[i].holder) & ~(uintptr_t)1) == probe.holder;
    return holds;
}
/* NOLINTEND(bugprone-reserved-identifier) */

#else

static bool holds_lock(unsigned from)
{
    (void)from;
    return false;
}

#endif

bool engine_holds_lock(void) { return holds_lock(0); }
bool engine_holds_lock_but_growth(void) { return holds_lock(LOCK_GROWTH + 1); }
