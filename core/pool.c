#include "pool.h"

#include "large.h"
#include "lock.h"
#include "memory.h"
#include "option.h"
#include "slab.h"

/* Lists through slab.links. */
struct queue {
    slab_id newest, oldest;
};

OS_SMALL_STATE static struct {
    struct queue cached[SLAB_KINDS];
    slab_id purged[SLAB_KINDS];
    slab_id decommitted[SLAB_KINDS];
    slab_id unfit[SLAB_KINDS];
    size_t cached_bytes;
    struct pool_counts counts;
} pool;

static void *map_blocks[SLAB_KINDS][CLASS_COUNT]; /* each holding the next */

/* ---- lists, under the pool's lock --------------------------------------------------------------------------------- */

static struct slab *pop(slab_id *list)
{
    if (*list == 0)
        return NULL;
    struct slab *slab = slab_from_id(*list);
    *list = slab->links[LINKS_STATE].next;
    return slab;
}

static void push(slab_id *list, struct slab *slab)
{
    slab->links[LINKS_STATE].next = *list;
    *list = slab_to_id(slab);
}

static struct slab *lock_and_pop(slab_id *list)
{
    lock_acquire(LOCK_POOL);
    struct slab *slab = pop(list);
    lock_release(LOCK_POOL);
    return slab;
}

static void lock_and_push(slab_id *list, struct slab *slab)
{
    lock_acquire(LOCK_POOL);
    push(list, slab);
    lock_release(LOCK_POOL);
}

static void cache(struct slab *slab, uint32_t now)
{
    struct queue *queue = &pool.cached[slab_kind_of(slab)];
    slab_id id = slab_to_id(slab);
    slab->pooled_at = now;
    slab->links[LINKS_STATE] = (struct slab_links){.next = queue->newest, .previous = 0};
    *(queue->newest == 0 ? &queue->oldest : &slab_from_id(queue->newest)->links[LINKS_STATE].previous) = id;
    queue->newest = id;
    pool.cached_bytes += kind_size(slab_kind_of(slab));
    pool.counts.cached[slab_kind_of(slab)]++;
}

static struct slab *uncache(slab_id id)
{
    if (id == 0)
        return NULL;
    struct slab *slab = slab_from_id(id);
    struct queue *queue = &pool.cached[slab_kind_of(slab)];
    struct slab_links own = slab->links[LINKS_STATE];
    *(own.previous == 0 ? &queue->newest : &slab_from_id(own.previous)->links[LINKS_STATE].next) = own.next;
    *(own.next == 0 ? &queue->oldest : &slab_from_id(own.next)->links[LINKS_STATE].previous) = own.previous;
    pool.cached_bytes -= kind_size(slab_kind_of(slab));
    pool.counts.cached[slab_kind_of(slab)]--;
    return slab;
}

/* The older of two cached slabs; 0 is none. */
static slab_id older(slab_id a, slab_id b)
{
    if (a == 0 || b == 0)
        return a + b;
    return is_older_than(0, slab_from_id(a)->pooled_at, slab_from_id(b)->pooled_at) ? a : b;
}

static slab_id oldest(void)
{
    return older(older(pool.cached[SLAB_SMALL].oldest, pool.cached[SLAB_LARGE].oldest), pool.cached[SLAB_HUGE].oldest);
}

/* Takes out the slab cached longest, if that is long enough. */
static struct slab *uncache_aged(uint32_t now)
{
    slab_id id = oldest();
    bool is_aged = id != 0 && is_older_than(option(OPTION_PURGE_AGE), slab_from_id(id)->pooled_at, now);
    return is_aged ? uncache(id) : NULL;
}

/* ---- giving memory back: no lock held ----------------------------------------------------------------------------- */

static void purge(struct slab *slab)
{
    if (slab == NULL)
        return;
    memory_purge(slab_start(slab), kind_size(slab_kind_of(slab)));
    lock_acquire(LOCK_POOL);
    push(&pool.purged[slab_kind_of(slab)], slab);
    pool.counts.purged[slab_kind_of(slab)]++;
    lock_release(LOCK_POOL);
}

bool pool_purge_oldest(void)
{
    lock_acquire(LOCK_POOL);
    struct slab *slab = uncache(oldest());
    lock_release(LOCK_POOL);
    purge(slab);
    return slab != NULL;
}

/* Takes the memory of an empty slab out of what the system counts; its size. */
static size_t decommit_one(void)
{
    (void)pool_purge_oldest();
    lock_acquire(LOCK_POOL);
    struct slab *slab = pop(&pool.purged[SLAB_LARGE]);
    if (slab == NULL)
        slab = pop(&pool.purged[SLAB_HUGE]);
    if (slab == NULL)
        slab = pop(&pool.purged[SLAB_SMALL]);
    lock_release(LOCK_POOL);
    if (slab == NULL)
        return 0;
    size_t size = kind_size(slab_kind_of(slab));
    bool done = os_decommit(slab_start(slab), size);
    lock_and_push(done ? &pool.decommitted[slab_kind_of(slab)] : &pool.purged[slab_kind_of(slab)], slab);
    return done ? size : 0;
}

/* One thing; false: there is no more, or no more is wanted. */
static bool reclaim_1(size_t *wanted)
{
    size_t size = large_purge_oldest();
    if (size == 0)
        size = decommit_one();
    *wanted -= size < *wanted ? size : *wanted;
    return size != 0 && *wanted != 0;
}

/* No loop, but far enough: the slabs that OPTION_CACHE_LIMIT keeps unless it is set are 512 small ones. */
#define FOUR_TIMES(step)                                                     \
    __attribute__((noinline)) static bool step##_4(size_t *wanted)           \
    {                                                                        \
        return step(wanted) && step(wanted) && step(wanted) && step(wanted); \
    }
FOUR_TIMES(reclaim_1)
FOUR_TIMES(reclaim_1_4)
FOUR_TIMES(reclaim_1_4_4)
FOUR_TIMES(reclaim_1_4_4_4)
FOUR_TIMES(reclaim_1_4_4_4_4)

bool reclaim(size_t size)
{
    size_t wanted = size;
    (void)reclaim_1_4_4_4_4_4(&wanted);
    return wanted != size;
}

void slab_give_back(struct slab *slab)
{
    size_t size = kind_size(slab_kind_of(slab)), limit = option(OPTION_CACHE_LIMIT);
    uint32_t now = os_milliseconds();
    lock_acquire(LOCK_POOL);
    struct slab *aged = uncache_aged(now);
    bool keep = size <= limit && pool.cached_bytes <= limit - size && option(OPTION_PURGE_AGE) != 0;
    if (keep)
        cache(slab, now);
    lock_release(LOCK_POOL);
    purge(aged);
    if (!keep)
        purge(slab);
}

/* ---- taking ------------------------------------------------------------------------------------------------------- */

/* What has memory serves either of the large kinds. */
static enum slab_kind sibling(enum slab_kind kind)
{
    return kind == SLAB_SMALL ? SLAB_SMALL : kind == SLAB_LARGE ? SLAB_HUGE : SLAB_LARGE;
}

static struct slab *take_cached(enum slab_kind kind)
{
    lock_acquire(LOCK_POOL);
    struct slab *slab = uncache(pool.cached[kind].newest);
    if (slab == NULL)
        slab = uncache(pool.cached[sibling(kind)].newest);
    struct slab *aged = pool.cached_bytes == 0 ? NULL : uncache_aged(os_milliseconds());
    lock_release(LOCK_POOL);
    purge(aged);
    return slab;
}

static struct slab *take_purged(enum slab_kind kind)
{
    if (!memory_charge(kind_size(kind)))
        return NULL;
    lock_acquire(LOCK_POOL);
    struct slab *slab = pop(&pool.purged[kind]);
    pool.counts.purged[kind] -= slab != NULL;
    lock_release(LOCK_POOL);
    if (slab == NULL)
        memory_discharge(kind_size(kind));
    return slab;
}

static struct slab *take_decommitted(enum slab_kind kind)
{
    struct slab *slab = lock_and_pop(&pool.decommitted[kind]);
    if (slab == NULL)
        return NULL;
    if (memory_commit(slab_start(slab), kind_size(kind))) {
        region_advise(kind, slab_start(slab), kind_size(kind));
        lock_acquire(LOCK_POOL);
        pool.counts.purged[kind]--;
        lock_release(LOCK_POOL);
        return slab;
    }
    lock_and_push(&pool.decommitted[kind], slab);
    return NULL;
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

static struct slab *take_without_memory(enum slab_kind kind)
{
    struct slab *slab = take_purged(kind);
    if (slab == NULL)
        slab = take_decommitted(kind);
    return slab != NULL ? slab : slab_fresh(kind);
}

struct slab *slab_take(enum slab_kind kind)
{
    struct slab *slab = take_cached(kind);
    if (slab != NULL)
        return slab;
    (void)pool_purge_oldest(); /* of another size: the program has gone on */
    if (kind == SLAB_HUGE && huge_pages_pause())
        slab = take_without_memory(SLAB_LARGE);
    return slab != NULL ? slab : touch(take_without_memory(kind));
}

struct slab *slab_take_unfit(enum slab_kind kind) { return lock_and_pop(&pool.unfit[kind]); }

void slab_set_aside(struct slab *slab) { lock_and_push(&pool.unfit[slab_kind_of(slab)], slab); }

/* ---- map blocks ---------------------------------------------------------------------------------------------------- */

struct map *map_acquire(enum slab_kind kind, size_t class, size_t slots, bool *clean)
{
    lock_acquire(LOCK_POOL);
    void *block = map_blocks[kind][class];
    if (block != NULL)
        map_blocks[kind][class] = *(void **)block;
    lock_release(LOCK_POOL);
    *clean = block == NULL;
    if (block == NULL)
        block = meta_allocate(map_bytes(slots), 64);
    return block == NULL ? NULL : map_at(block, slots);
}

void map_release(enum slab_kind kind, size_t class, size_t slots, struct map *map)
{
    void *block = map_block(map, slots);
    lock_acquire(LOCK_POOL);
    *(void **)block = map_blocks[kind][class];
    map_blocks[kind][class] = block;
    lock_release(LOCK_POOL);
}

/* ---- statistics --------------------------------------------------------------------------------------------------- */

struct pool_counts pool_count(void)
{
    lock_acquire(LOCK_POOL);
    struct pool_counts counts = pool.counts;
    lock_release(LOCK_POOL);
    return counts;
}
