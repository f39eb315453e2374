#include "region.h"

#include "check.h"
#include "heap.h"

/* ---- the registry of regions ------------------------------------------------------------------------------------ */

/* A bit per REGION_SIZE of the address space. */
static _Atomic uint64_t registry[((size_t)1 << (ADDRESS_BITS - REGION_SHIFT)) / 64];

bool region_known(const void *p)
{
    size_t number = (uintptr_t)p >> REGION_SHIFT;
    if (number / 64 >= sizeof registry / sizeof registry[0])
        return false;
    return atomic_load_explicit(&registry[number / 64], memory_order_acquire) >> (number % 64) & 1;
}

static void register_region(const struct region *region)
{
    size_t number = (uintptr_t)region >> REGION_SHIFT;
    atomic_fetch_or_explicit(&registry[number / 64], (uint64_t)1 << (number % 64), memory_order_release);
}

/* ---- growing: the only place that waits for the system with a lock held ------------------------------------------ */

/* A reservation handed out from its start, committed COMMIT_SIZE at a time. */
struct frontier {
    char *next;      /* not handed out yet */
    char *committed; /* usable up to here */
    char *end;
};

#define META_SIZE ((size_t)8 << 20) /* reserved at a time for what lies outside of slabs */

static struct {
    struct os_lock lock;
    struct frontier slabs[SLAB_KINDS];
    struct frontier meta;
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
        if (!os_commit(frontier->committed, more))
            return NULL;
        frontier->committed += more;
    }
    frontier->next = taken + size;
    return taken;
}

/* Small slabs, tables and maps are touched here and there: huge pages are not for them. */
static bool frontier_reserve(struct frontier *frontier, size_t size, size_t align)
{
    char *start = os_reserve(size, align);
    if (start == NULL)
        return false;
    os_huge_pages(start, size, false);
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

static bool region_begin(struct frontier *frontier, enum slab_kind kind)
{
    struct frontier fresh;
    if (!region_reserve(&fresh))
        return false;
    size_t tables = round_up(2 * TABLE_SIZE, kind_size(kind));
    size_t size = (size_t)(fresh.end - fresh.next);
    struct region *region = (struct region *)frontier_take(&fresh, tables);
    if (region == NULL || !check_region_begin(region)) {
        os_release(fresh.end - size, size);
        return false;
    }
    region->slab_shift = kind_shift(kind);
    region->slab_mask = (uint32_t)kind_size(kind) - 1;
    register_region(region);
    *frontier = fresh;
    return true;
}

static struct slab *slab_fresh(enum slab_kind kind)
{
    struct frontier *frontier = &growth.slabs[kind];
    size_t size = kind_size(kind);
    os_lock_acquire(&growth.lock);
    char *start = NULL;
    if (frontier_has(frontier, size) || region_begin(frontier, kind))
        start = frontier_take(frontier, size);
    os_lock_release(&growth.lock);
    return start == NULL ? NULL : slab_of(start);
}

static void *meta_take(size_t size, size_t align)
{
    struct frontier *frontier = &growth.meta;
    size_t skip = -(uintptr_t)frontier->next & (align - 1);
    if (!frontier_has(frontier, size + skip)) {
        if (!frontier_reserve(frontier, META_SIZE, COMMIT_SIZE))
            return NULL;
        skip = 0; /* a reservation starts aligned to more than anyone asks for */
    }
    char *start = frontier_take(frontier, size + skip);
    return start == NULL ? NULL : start + skip;
}

void *meta_allocate(size_t size, size_t align)
{
    os_lock_acquire(&growth.lock);
    void *start = meta_take(size, align);
    os_lock_release(&growth.lock);
    return start;
}

/* ---- the pools: empty slabs and map blocks ------------------------------------------------------------------------ */

static struct {
    struct os_lock lock;
    slab_id cached[SLAB_KINDS]; /* with their memory; lists through slab.links */
    slab_id purged[SLAB_KINDS]; /* without */
    slab_id unfit[SLAB_KINDS];  /* for which there was no memory for maps: taken last, or they would hide the others */
    size_t cached_bytes;
    void *maps[SLAB_KINDS][CLASS_COUNT]; /* blocks that served before, each holding the next */
} pool;

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

static size_t slab_size(const struct slab *slab) { return kind_size(region_kind(region_of(slab))); }

struct slab *slab_take(enum slab_kind kind)
{
    os_lock_acquire(&pool.lock);
    struct slab *slab = pop(&pool.cached[kind]);
    if (slab != NULL)
        pool.cached_bytes -= slab_size(slab);
    else
        slab = pop(&pool.purged[kind]);
    os_lock_release(&pool.lock);
    if (slab == NULL)
        slab = slab_fresh(kind);
    if (slab == NULL) {
        os_lock_acquire(&pool.lock);
        slab = pop(&pool.unfit[kind]);
        os_lock_release(&pool.lock);
    }
    return slab;
}

void slab_set_aside(struct slab *slab)
{
    os_lock_acquire(&pool.lock);
    push(&pool.unfit[region_kind(region_of(slab))], slab);
    os_lock_release(&pool.lock);
}

void slab_give_back(struct slab *slab)
{
    enum slab_kind kind = region_kind(region_of(slab));
    size_t size = slab_size(slab);
    os_lock_acquire(&pool.lock);
    bool keep = pool.cached_bytes + size <= POOL_CACHE_LIMIT;
    if (keep) {
        pool.cached_bytes += size;
        push(&pool.cached[kind], slab);
    }
    os_lock_release(&pool.lock);
    if (keep)
        return;
    os_purge(slab_start(slab), size);
    os_lock_acquire(&pool.lock);
    push(&pool.purged[kind], slab);
    os_lock_release(&pool.lock);
}

void slab_set_huge(struct slab *slab, bool wanted)
{
    if (((slab->flags & SLAB_HUGE) != 0) == wanted)
        return;
    slab->flags ^= SLAB_HUGE;
    os_huge_pages(slab_start(slab), slab_size(slab), wanted);
}

struct map *map_acquire(enum slab_kind kind, size_t class, size_t slots, bool *clean)
{
    os_lock_acquire(&pool.lock);
    void *block = pool.maps[kind][class];
    if (block != NULL)
        pool.maps[kind][class] = *(void **)block;
    os_lock_release(&pool.lock);
    *clean = block == NULL;
    if (block == NULL)
        block = meta_allocate(map_bytes(slots), 64);
    return block == NULL ? NULL : map_at(block, slots);
}

void map_release(enum slab_kind kind, size_t class, size_t slots, struct map *map)
{
    void *block = map_block(map, slots);
    os_lock_acquire(&pool.lock);
    *(void **)block = pool.maps[kind][class];
    pool.maps[kind][class] = block;
    os_lock_release(&pool.lock);
}

/* ---- fork ------------------------------------------------------------------------------------------------------- */

void region_fork_prepare(void)
{
    os_lock_acquire(&growth.lock);
    os_lock_acquire(&pool.lock);
}

void region_fork_done(void)
{
    os_lock_release(&pool.lock);
    os_lock_release(&growth.lock);
}
