#include "pool.h"

#include "lock.h"
#include "option.h"
#include "pages.h"
#include "probe.h"
#include "slab.h"

static slab_id unfit[SLAB_KINDS];                 /* through slab.links */
static void *map_blocks[SLAB_KINDS][CLASS_COUNT]; /* each holding the next */

void pool_give_back(struct slab *slab)
{
    enum slab_kind kind = slab_kind_of(slab);
    probe(slab_given_back, slab_start(slab), kind_size(kind), class_slot_size(slab->class));
    pages_give((enum space)kind, slab_start(slab), kind_size(kind));
    pages_purge_aged();
}

/* ---- taking ------------------------------------------------------------------------------------------------------- */

/* What has pages serves either of the large kinds. */
static enum slab_kind sibling(enum slab_kind kind)
{
    return kind == SLAB_LARGE ? SLAB_HUGE : kind == SLAB_HUGE ? SLAB_LARGE : kind;
}

static struct slab *take_dirty(enum slab_kind kind)
{
    size_t size = kind_size(kind);
    void *start = pages_take_dirty((enum space)kind, size, size);
    if (start == NULL)
        start = pages_take_dirty((enum space)sibling(kind), size, size);
    return start == NULL ? NULL : slab_of(start);
}

static bool purge_kind(enum slab_kind kind, enum slab_kind wanted)
{
    return kind != wanted && pages_purge_oldest((enum space)kind, kind_size(wanted));
}

/* What is dirty serves another size: the program has gone on. For each slab that gets pages, as many go. */
static void purge_other_kinds(enum slab_kind kind)
{
    (void)(purge_kind(SLAB_SMALL, kind) || purge_kind(SLAB_MEDIUM, kind) || purge_kind(SLAB_LARGE, kind) ||
           purge_kind(SLAB_HUGE, kind));
}

static struct slab *take_clean(enum slab_kind kind)
{
    purge_other_kinds(kind);
    void *start = pages_take_clean((enum space)kind, kind_size(kind), kind_size(kind));
    if (start == NULL)
        start = region_take(kind);
    return start == NULL ? NULL : slab_of(start);
}

/* ---- huge pages, as long as they are cheap ------------------------------------------------------------------------ */

/* What the small pages cost that it stands for. The system's memory may be fragmented, or the host's: then it costs many
 * times as much. */
#define HUGE_PAGE_NANOSECONDS 1000000
#define HUGE_PAUSE_MAX        127

/* Written by all without a lock: what is lost is one slab's kind. */
OS_SMALL_STATE static struct {
    _Atomic uint32_t skip;  /* slabs to go without */
    _Atomic uint32_t pause; /* to skip when the next one is dear */
} huge = {.pause = 1};

static bool huge_pages_pause(void)
{
    uint32_t skip = atomic_load_explicit(&huge.skip, memory_order_relaxed);
    if (skip == 0 || option(OPTION_HUGE_PAGES) == HUGE_PAGES_ALWAYS)
        return false;
    atomic_store_explicit(&huge.skip, skip - 1, memory_order_relaxed);
    return true;
}

/* Has the system provide a slab's huge page, and learns from what it took. */
static struct slab *touch(struct slab *slab)
{
    if (slab == NULL || slab_kind_of(slab) != SLAB_HUGE)
        return slab;
    uint64_t before = os_thread_nanoseconds();
    *(volatile char *)slab_start(slab) = 0;
    bool is_dear = os_thread_nanoseconds() - before > HUGE_PAGE_NANOSECONDS;
    uint32_t pause = atomic_load_explicit(&huge.pause, memory_order_relaxed);
    atomic_store_explicit(&huge.skip, is_dear ? pause : 0, memory_order_relaxed);
    pause = !is_dear ? 1 : pause < HUGE_PAUSE_MAX ? 2 * pause + 1 : HUGE_PAUSE_MAX;
    atomic_store_explicit(&huge.pause, pause, memory_order_relaxed);
    return slab;
}

struct slab *pool_take(enum slab_kind kind)
{
    struct slab *slab = take_dirty(kind);
    if (slab != NULL)
        return slab;
    if (kind == SLAB_HUGE && huge_pages_pause())
        slab = take_clean(SLAB_LARGE);
    return slab != NULL ? slab : touch(take_clean(kind));
}

/* ---- slabs set aside ------------------------------------------------------------------------------------------------ */

struct slab *pool_take_unfit(enum slab_kind kind)
{
    lock_acquire(LOCK_POOL);
    struct slab *slab = unfit[kind] == 0 ? NULL : slab_from_id(unfit[kind]);
    if (slab != NULL)
        unfit[kind] = slab->links[LINKS_STATE].next;
    lock_release(LOCK_POOL);
    return slab;
}

void pool_set_aside(struct slab *slab)
{
    lock_acquire(LOCK_POOL);
    slab->state = SLAB_SET_ASIDE;
    slab->links[LINKS_STATE].next = unfit[slab_kind_of(slab)];
    unfit[slab_kind_of(slab)] = slab_to_id(slab);
    lock_release(LOCK_POOL);
}

/* ---- map blocks ---------------------------------------------------------------------------------------------------- */

struct map *pool_take_map(enum slab_kind kind, size_t class, size_t slots, bool *clean)
{
    lock_acquire(LOCK_POOL);
    void *block = map_blocks[kind][class];
    if (block != NULL)
        map_blocks[kind][class] = *(void **)block;
    lock_release(LOCK_POOL);
    *clean = block == NULL;
    if (block == NULL)
        block = meta_allocate(map_bytes(slots), 64);
    if (block == NULL && pages_reclaim(map_bytes(slots)))
        block = meta_allocate(map_bytes(slots), 64);
    return block == NULL ? NULL : map_at(block, slots);
}

void pool_give_map(enum slab_kind kind, size_t class, size_t slots, struct map *map)
{
    void *block = map_block(map, slots);
    lock_acquire(LOCK_POOL);
    *(void **)block = map_blocks[kind][class];
    map_blocks[kind][class] = block;
    lock_release(LOCK_POOL);
}
