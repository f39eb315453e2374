#include "settle.h"

#include "heap.h"
#include "pool.h"
#include "probe.h"
#include "report.h"

/* Distances between push counts are signed differences: a count that every push has passed lies EVER behind, one that
 * none reaches EVER ahead. */
#define EVER ((uint32_t)1 << 30)

static uint32_t pushed_count(struct slab *slab)
{
    return atomic_load_explicit(&slab_remote(slab)->pushed, memory_order_seq_cst);
}

static void set_notify_at(struct slab *slab, uint32_t count)
{
    atomic_store_explicit(&slab->notify_at, count, memory_order_relaxed);
}

/* From here on every push passes the threshold, and whoever pushes waits for the lock, once. Sequentially consistent, as
 * is reading remote.pushed on both sides: of this (threshold, then count) and a push (count, then threshold) at the same
 * time, at least one sees the other. So a push that still saw the threshold before is in the count read next, and the
 * threshold set at the end of a look needs no order of its own: who does not see it yet comes and waits. */
static uint32_t open_to_pushes(struct slab *slab)
{
    atomic_store_explicit(&slab->notify_at, pushed_count(slab) - EVER, memory_order_seq_cst);
    return pushed_count(slab);
}

/* Starts the countdown at `need`, with `freed` slots waiting; owner only. */
static void arm(struct slab *slab, uint32_t freed, uint32_t need)
{
    slab->armed = freed + need;
    atomic_store_explicit(&slab->countdown, need, memory_order_relaxed);
}

/* ---- lists, all under the lock of the heap that owns the slab --------------------------------------------------- */

static slab_id list_first(const slab_list *list) { return atomic_load_explicit(list, memory_order_relaxed); }

static struct slab_links *links(struct slab *slab, enum slab_links_use use)
{
    return use == LINKS_FAMILY ? &slab_remote(slab)->links : &slab->links[use];
}

/* Lists are rings: the first slab's previous one is the last. */
static void list_insert(slab_list *list, struct slab *slab, enum slab_links_use use)
{
    slab_id id = slab_to_id(slab), first = list_first(list);
    slab_id last = first == 0 ? id : links(slab_from_id(first), use)->previous;
    *links(slab, use) = (struct slab_links){.next = first == 0 ? id : first, .previous = last};
    links(slab_from_id(links(slab, use)->next), use)->previous = id;
    links(slab_from_id(last), use)->next = id;
    atomic_store_explicit(list, id, memory_order_relaxed);
}

static void list_remove(slab_list *list, struct slab *slab, enum slab_links_use use)
{
    struct slab_links own = *links(slab, use);
    slab_id id = slab_to_id(slab);
    links(slab_from_id(own.previous), use)->next = own.next;
    links(slab_from_id(own.next), use)->previous = own.previous;
    if (list_first(list) == id)
        atomic_store_explicit(list, own.next == id ? 0 : own.next, memory_order_relaxed);
}

static void revisit_add(struct heap *heap, struct slab *slab)
{
    if (slab->flags & SLAB_REVISIT)
        return;
    slab->flags |= SLAB_REVISIT;
    list_insert(&heap->revisit, slab, LINKS_REVISIT);
}

static void revisit_remove(struct heap *heap, struct slab *slab)
{
    if ((slab->flags & SLAB_REVISIT) == 0)
        return;
    slab->flags &= (uint8_t)~SLAB_REVISIT;
    list_remove(&heap->revisit, slab, LINKS_REVISIT);
}

/* The owner's countdown is not for others to write: where it fires too late, the owner is called to look again. It comes
 * with its next free of the slab; but for one that is under way, after which there may be none, so that the slab is also on
 * the list that the owner's slow paths work off. Before the recount of the look, so that such a free is seen or sees the
 * mark. */
static void call_owner(struct slab *slab, struct bin *bin)
{
    revisit_add(heap_of(bin), slab);
    atomic_store_explicit(&slab->bin, (struct bin *)((uintptr_t)bin | BIN_CALLED), memory_order_seq_cst);
}

static void answer(struct slab *slab, struct bin *bin)
{
    revisit_remove(heap_of(bin), slab);
    if (atomic_load_explicit(&slab->bin, memory_order_relaxed) != bin)
        atomic_store_explicit(&slab->bin, bin, memory_order_release);
}

/* ---- settling --------------------------------------------------------------------------------------------------- */

/* Enough free slots to be worth taking up again: what is allocated together then lies close together, and a word holds
 * several slots when it is taken. The price is memory. */
static uint32_t ripe_count(uint32_t capacity) { return capacity < 4 ? 1 : capacity / 4; }

static void count_owned(const struct slab *slab, struct bin *bin, int change)
{
    _Atomic uint16_t *owned = slab_kind_of(slab) < SLAB_LARGE ? &bin->first_owned : &bin->large_owned;
    atomic_fetch_add_explicit(owned, (uint16_t)change, memory_order_relaxed);
}

/* The list of its bin that an available slab is in. */
static slab_list *list_of(const struct slab *slab, struct bin *bin)
{
    return slab->flags & SLAB_SWEPT ? &bin->swept : &bin->available;
}

/* Every slot is free: the slab leaves its heap. Its memory is given back once the lock is released. */
static void leave_heap(struct slab *slab, struct bin *bin)
{
    struct heap *heap = heap_of(bin);
    if (heap->family != NULL)
        list_remove(&heap->slabs, slab, LINKS_FAMILY);
    heap_discharge(heap->family, kind_size(slab_kind_of(slab)), false);
    if (slab->state == SLAB_AVAILABLE)
        list_remove(list_of(slab, bin), slab, LINKS_STATE);
    slab->flags &= (uint8_t)~SLAB_SWEPT;
    revisit_remove(heap, slab);
    count_owned(slab, bin, -1);
    /* All pushes are counted, so the maps' bits are exactly those not taken yet: with none, a map is zero. */
    if (slab_freed_count(slab) != 0)
        slab->flags |= SLAB_LOCAL_USED;
    if (pushed_count(slab) != slab_remote(slab)->popped)
        slab->flags |= SLAB_REMOTE_USED;
    slab->state = SLAB_POOLED;
    atomic_store_explicit(&slab->bin, NULL, memory_order_relaxed);
}

/* Whether slots that are counted can be found. A pusher that stops before it reaches the summary hides its slots, and
 * those that others push behind it. Read after `pushed`: the summary comes before the count. */
static bool remote_is_reachable(const struct slab *slab)
{
    return ALLOC_THREADS && (slab->remote->taken | atomic_load_explicit(&slab->remote->top[0], memory_order_relaxed) |
                             atomic_load_explicit(&slab->remote->top[1], memory_order_relaxed)) != 0;
}

enum look { LOOK_DONE, LOOK_EMPTY, LOOK_AGAIN };

/* One look at a parked or available slab: lists it, makes it leave its heap (LOOK_EMPTY), or arms its two thresholds, of
 * which one must fire before the slab can be empty: countdown for local frees, notify_at for remote ones, each at most
 * half of what is out. Whatever the mix, each look halves the rest.
 * Fields have owners: countdown is written by the owner alone, so what others see of its frees is at most too little,
 * and they call a slab empty only when it is. LOOK_AGAIN: frees came in meanwhile that empty it. */
static enum look look_at(struct slab *slab, struct bin *bin, bool is_owner)
{
    if (ALLOC_DEBUG && is_owner)
        slab_check(slab);
    uint32_t pushed = open_to_pushes(slab);
    uint32_t freed = slab_freed_count(slab);
    int64_t capacity = slots_that_fit(slab_kind_of(slab), bin->reciprocal);
    /* Signed: the owner can collect a slot before its pusher has counted it. */
    int64_t waiting = (int32_t)(pushed - slab_remote(slab)->popped);
    int64_t at_rest = capacity - slab_granted(slab);
    int64_t out = capacity - (at_rest + freed + waiting);
    int64_t usable = at_rest + freed + (waiting > 0 ? waiting : 0);
    int64_t ripe = ripe_count((uint32_t)capacity);
    bool is_hidden = waiting > 0 && at_rest + freed == 0 && !remote_is_reachable(slab);
    check(out >= 0 && usable <= capacity);

    if (out == 0) {
        leave_heap(slab, bin);
        return LOOK_EMPTY;
    }
    if (is_owner)
        answer(slab, bin);
    if (slab->state == SLAB_PARKED && usable >= ripe && !is_hidden) {
        slab->state = SLAB_AVAILABLE;
        list_insert(list_of(slab, bin), slab, LINKS_STATE);
    }
    int64_t missing = out;
    if (slab->state == SLAB_PARKED && usable < ripe && ripe - usable < missing)
        missing = ripe - usable;

    if (is_owner) {
        int64_t need = (out + 1) / 2 < missing ? (out + 1) / 2 : missing;
        if (need < 1)
            need = 1;
        arm(slab, freed, (uint32_t)need);
        set_notify_at(slab, pushed + (is_hidden ? 1 : (uint32_t)need));
        return LOOK_DONE;
    }
    int64_t countdown = (int32_t)(slab->armed - freed);
    bool owner_cannot_tell = countdown <= 0 || countdown > out;
    if (owner_cannot_tell)
        call_owner(slab, bin);
    bool next_push_tells = is_hidden || countdown <= 0 || countdown >= missing;
    set_notify_at(slab, pushed + (next_push_tells ? 1 : (uint32_t)(missing - countdown + 1)));
    freed = slab_freed_count(slab);
    waiting = (int32_t)(pushed_count(slab) - slab_remote(slab)->popped);
    return capacity == at_rest + freed + waiting ? LOOK_AGAIN : LOOK_DONE;
}

/* Locks the heap that owns a slab. NULL, and nothing locked: nobody does, or it changed hands meanwhile. */
static struct bin *lock_owner(struct slab *slab)
{
    struct bin *bin = slab_bin(slab);
    if (bin == NULL)
        return NULL;
    struct heap *heap = heap_of(bin);
    heap_lock(heap);
    bin = slab_bin(slab);
    if (bin != NULL && heap_of(bin) == heap)
        return bin;
    heap_unlock(heap);
    return NULL;
}

static bool is_idle(const struct slab *slab) { return slab->state == SLAB_PARKED || slab->state == SLAB_AVAILABLE; }

void settle_owner(struct slab *slab)
{
    struct bin *bin = lock_owner(slab);
    if (bin == NULL)
        return;
    /* Since the free was counted, somebody may have found the slab empty and another heap have taken it. */
    bool is_owner = heap_is_own(bin);
    enum look look = is_owner && is_idle(slab) ? look_at(slab, bin, true) : LOOK_DONE;
    heap_unlock(heap_of(bin));
    if (look == LOOK_EMPTY)
        pool_give_back(slab);
}

void settle_park(struct slab *slab)
{
    struct bin *bin = slab_bin(slab);
    heap_lock(heap_of(bin));
    slab->state = SLAB_PARKED;
    enum look look = look_at(slab, bin, true);
    heap_unlock(heap_of(bin));
    if (look == LOOK_EMPTY)
        pool_give_back(slab);
}

/* A current slab: its owner alone looks at it. Its thresholds are out of reach; that a slab stays current for so long
 * that they are reached all the same does no harm. */
static void make_current(struct slab *slab)
{
    slab->state = SLAB_CURRENT;
    arm(slab, slab_freed_count(slab), EVER);
    set_notify_at(slab, pushed_count(slab) + EVER);
}

bool settle_revisit(struct heap *heap)
{
    if (list_first(&heap->revisit) == 0)
        return false;
    heap_lock(heap);
    slab_id first = list_first(&heap->revisit);
    struct slab *slab = first == 0 ? NULL : slab_from_id(first);
    enum look look = LOOK_DONE;
    if (slab != NULL)
        look = look_at(slab, slab_bin(slab), true);
    heap_unlock(heap);
    if (look == LOOK_EMPTY)
        pool_give_back(slab);
    return slab != NULL;
}

/* The first of a bin's lists becomes current; under the heap's lock. */
static struct slab *take_first(slab_list *list, struct bin *bin)
{
    slab_id first = list_first(list);
    if (first == 0)
        return NULL;
    struct slab *slab = slab_from_id(first);
    list_remove(list, slab, LINKS_STATE);
    slab->flags &= (uint8_t)~SLAB_SWEPT;
    answer(slab, bin);
    make_current(slab);
    return slab;
}

static struct slab *lock_and_take(slab_list *list, struct bin *bin)
{
    if (list_first(list) == 0)
        return NULL;
    struct heap *heap = heap_of(bin);
    heap_lock(heap);
    struct slab *slab = take_first(list, bin);
    heap_unlock(heap);
    return slab;
}

struct slab *settle_take_available(struct bin *bin) { return lock_and_take(&bin->available, bin); }

struct slab *settle_take_swept(struct bin *bin) { return lock_and_take(&bin->swept, bin); }

struct slab *settle_take_over(struct bin *from, struct bin *bin)
{
    struct heap *heap = heap_of(from);
    (void)settle_revisit(heap);
    heap_lock(heap);
    struct slab *slab = take_first(&from->available, from);
    if (slab == NULL)
        slab = take_first(&from->swept, from);
    if (slab != NULL) {
        count_owned(slab, from, -1);
        count_owned(slab, bin, 1);
        atomic_store_explicit(&slab->bin, bin, memory_order_release);
    }
    heap_unlock(heap);
    return slab;
}

/* Slots that were freed, by the owner or by others; some of a slab in use may be missing. */
static uint32_t freed_by_anybody(struct slab *slab)
{
    int32_t waiting = (int32_t)(pushed_count(slab) - slab_remote(slab)->popped);
    return slab_freed_count(slab) + (waiting > 0 ? (uint32_t)waiting : 0);
}

/* Three quarters: what is swept and then used again costs page faults. */
static bool is_sparse(struct slab *slab, const struct bin *bin)
{
    uint32_t capacity = slots_that_fit(slab_kind_of(slab), bin->reciprocal);
    return freed_by_anybody(slab) > capacity - capacity / 4;
}

bool settle_is_idle_current(struct slab *slab)
{
    uint32_t granted = slab_granted(slab);
    return freed_by_anybody(slab) > granted - (granted + 3) / 4;
}

struct slab *settle_take_sparse(struct bin *bin)
{
    slab_list *list = &bin->available;
    if (list_first(list) == 0)
        return NULL;
    struct heap *heap = heap_of(bin);
    heap_lock(heap);
    slab_id id = list_first(list);
    struct slab *first = id == 0 ? NULL : slab_from_id(id), *taken = NULL;
    if (first != NULL && is_sparse(first, bin))
        taken = take_first(list, bin);
    else if (first != NULL) /* the next one's turn */
        atomic_store_explicit(list, first->links[LINKS_STATE].next, memory_order_relaxed);
    heap_unlock(heap);
    return taken;
}

struct settle_glance settle_glance(struct slab *slab)
{
    struct settle_glance glance = {.state = SLAB_POOLED};
    struct bin *bin = lock_owner(slab);
    if (bin == NULL)
        return glance;
    glance.state = slab->state;
    glance.class = slab->class;
    glance.family = heap_of(bin)->family;
    glance.capacity = slots_that_fit(slab_kind_of(slab), bin->reciprocal);
    glance.granted = slab_granted(slab);
    if (is_idle(slab))
        glance.free = glance.capacity - glance.granted + freed_by_anybody(slab);
    heap_unlock(heap_of(bin));
    return glance;
}

struct settle_slot settle_slot(struct slab *slab, const void *p)
{
    struct settle_slot slot = {.bin = NULL};
    const struct bin *bin = lock_owner(slab);
    if (bin == NULL)
        return slot;
    size_t size = class_slot_size(slab->class);
    size_t index = (size_t)((const char *)p - slab_start(slab)) / size; /* slab_index is for starts of slots */
    if (index < slab_capacity(slab_kind_of(slab), slab->class)) {
        bool is_free = index >= slab_granted(slab) || (slab_free_word(slab, index / 64) & map_bit(index)) != 0;
        slot = (struct settle_slot){bin, slab_slot(slab, index), size, is_free};
    }
    heap_unlock(heap_of(bin));
    return slot;
}

/* ---- lives ------------------------------------------------------------------------------------------------------ */

/* The maps of a slab's life before serve the next one if it has the same class. */
static bool acquire_maps(struct slab *slab, enum slab_kind kind, size_t class)
{
    if (slab->local != NULL) {
        if (slab->class == class)
            return true;
        uint32_t slots = slab_capacity(kind, slab->class);
        pool_give_map(kind, slab->class, slots, slab->local);
        if (ALLOC_THREADS)
            pool_give_map(kind, slab->class, slots, slab->remote);
        slab->local = NULL;
        slab->flags &= (uint8_t) ~(SLAB_LOCAL_USED | SLAB_REMOTE_USED);
    }
    uint32_t slots = slab_capacity(kind, class);
    bool local_clean, remote_clean = true;
    struct map *local = pool_take_map(kind, class, slots, &local_clean), *remote = NULL;
    if (local == NULL)
        return false;
    if (ALLOC_THREADS) {
        remote = pool_take_map(kind, class, slots, &remote_clean);
        if (remote == NULL) {
            pool_give_map(kind, class, slots, local);
            return false;
        }
    }
    slab->local = local;
    slab->remote = remote;
    slab->flags |= (local_clean ? 0 : SLAB_LOCAL_USED) | (remote_clean ? 0 : SLAB_REMOTE_USED);
    return true;
}

bool settle_begin(struct slab *slab, struct bin *bin, size_t class)
{
    enum slab_kind kind = slab_kind_of(slab);
    if (!acquire_maps(slab, kind, class))
        return false;
    slab->class = (uint8_t) class;
    slab->reciprocal = bin->reciprocal;
    slab->has_family = heap_of(bin)->family != NULL;
    slab_set_granted(slab, 0);
    arm(slab, 0, EVER);
    if (slab->flags & SLAB_LOCAL_USED)
        map_reset_top(slab->local);
    if (slab->flags & SLAB_REMOTE_USED)
        map_reset_top(slab->remote);
    if (slab_remote(slab)->popped !=
        pushed_count(slab)) /* not a write of what is there: the line may never have been touched */
        slab_remote(slab)->popped = pushed_count(slab);

    struct heap *heap = heap_of(bin);
    probe(slab_taken, slab_start(slab), kind_size(kind), bin->slot_size);
    heap_lock(heap);
    count_owned(slab, bin, 1);
    if (heap->family != NULL)
        list_insert(&heap->slabs, slab, LINKS_FAMILY);
    make_current(slab);
    atomic_store_explicit(&slab->bin, bin, memory_order_release);
    heap_unlock(heap);
    return true;
}

struct slab *settle_evict(struct heap *heap)
{
    heap_lock(heap);
    slab_id first = list_first(&heap->slabs);
    struct slab *slab = first == 0 ? NULL : slab_from_id(first);
    if (slab != NULL) {
        slab->flags |= SLAB_LOCAL_USED | (ALLOC_THREADS ? SLAB_REMOTE_USED : 0);
        leave_heap(slab, slab_bin(slab));
    }
    heap_unlock(heap);
    return slab;
}

/* ---- pushes ----------------------------------------------------------------------------------------------------- */

#if ALLOC_THREADS

/* After a push that reached the threshold. The slab may be in its next life: then its new owner is served instead. */
static void settle_pushed(struct slab *slab, uint32_t pushed)
{
    struct bin *bin = lock_owner(slab);
    if (bin == NULL)
        return;
    enum look look = LOOK_DONE;
    int32_t past = (int32_t)(pushed - atomic_load_explicit(&slab->notify_at, memory_order_relaxed));
    if (slab->state == SLAB_CURRENT)
        set_notify_at(slab, pushed_count(slab) + EVER);
    else if (is_idle(slab) && past >= 0) {
        look = look_at(slab, bin, false);
        if (look == LOOK_AGAIN) /* not a third time: who frees from here on sees a threshold that he reaches */
            look = look_at(slab, bin, false);
    }
    heap_unlock(heap_of(bin));
    if (look == LOOK_EMPTY)
        pool_give_back(slab);
}

void settle_push_count(struct slab *slab, unsigned count)
{
    uint32_t now = atomic_fetch_add_explicit(&slab_remote(slab)->pushed, count, memory_order_seq_cst) + count;
    if ((int32_t)(now - atomic_load_explicit(&slab->notify_at, memory_order_seq_cst)) >= 0)
        settle_pushed(slab, now);
}

uint64_t settle_push(struct slab *slab, size_t word, uint64_t mask)
{
    uint64_t clash = map_push(slab->remote, word, mask);
    if (clash == 0)
        settle_push_count(slab, population(mask));
    return clash;
}

#endif
