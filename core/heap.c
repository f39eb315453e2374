#include "heap.h"

#include "check.h"

#include <errno.h>

/* A bin owns up to this many slabs of the small kind before it takes large ones: small programs stay small, big ones
 * get huge pages. */
#define SMALL_OWNED_MAX 16
/* Large slabs of a bin that recycle by list: with the small ones about 8 MiB, what caches hold. Beyond, order counts. */
#define LARGE_LISTS_MAX 4
#define SMALL_SLOT_MAX  8192 /* larger slots are cut from large slabs only */
#define LIST_SLOT_MIN   sizeof(void *)
#define LIST_SLOT_MAX   32768
#define HUGE_SLOT_MAX   4096 /* larger slots waste huge pages when only a few are in use */
#define GRANT_BYTES     8192 /* never-used slots are granted by up to 64, and no more than this at a time */

_Alignas(HEAP_ALIGN) struct heap heap_none;
_Alignas(HEAP_ALIGN) struct heap heap_late;

#if ALLOC_THREADS
_Thread_local struct heap *heap_self = &heap_none;
#else
struct heap *heap_self = &heap_none;
#endif

/* ---- locks ------------------------------------------------------------------------------------------------------ */

static struct os_lock locks[HEAP_LOCKS];

void heap_lock(const struct heap *heap) { os_lock_acquire(&locks[heap->number % HEAP_LOCKS]); }

void heap_unlock(const struct heap *heap) { os_lock_release(&locks[heap->number % HEAP_LOCKS]); }

/* ---- filling a bin from one slab --------------------------------------------------------------------------------- */

static void hold_word(struct bin *bin, struct slab *slab, size_t word, uint64_t mask)
{
    bin->base = slab_start(slab) + word * 64 * bin->slot_size;
    bin->mask = mask;
}

static void hold_list(struct bin *bin, void *first, uint32_t length)
{
    bin->free = first;
    bin->list_length = length;
}

/* Slots that the owner freed itself. */
static bool fill_local(struct bin *bin, struct slab *slab)
{
    if (!slab->is_list) {
        size_t word;
        uint64_t mask = map_take(slab->local, &word);
        if (mask == 0)
            return false;
        hold_word(bin, slab, word, mask);
        slab_unfree(slab, population(mask));
        return true;
    }
    if (slab->spare_count != 0) {
        hold_list(bin, slab_remote(slab)->spare, slab->spare_count);
        slab->spare_count = 0;
        return true;
    }
    if (slab->freed == NULL)
        return false;
    hold_list(bin, slab->freed, slab_freed_count(slab));
    slab->freed = NULL;
    slab_unfree(slab, bin->list_length);
    return true;
}

/* Slots that others freed. */
static bool fill_remote(struct bin *bin, struct slab *slab)
{
#if ALLOC_THREADS
    size_t word;
    uint64_t mask = map_collect(slab->remote, &word);
    if (mask != 0) {
        slab_remote(slab)->popped += population(mask);
        hold_word(bin, slab, word, mask);
        return true;
    }
#endif
    (void)bin;
    (void)slab;
    return false;
}

/* Slots never handed out in this life of the slab: a full mask, no memory is read. Powers of two, so that a mask stays
 * within a word. */
static bool fill_fresh(struct bin *bin, struct slab *slab)
{
    uint32_t left = slots_that_fit(region_kind(region_of(slab)), bin->reciprocal) - slab->granted;
    if (left == 0)
        return false;
    uint32_t count = GRANT_BYTES / bin->slot_size;
    count = count >= 64 ? 64 : count == 0 ? 1 : (uint32_t)1 << log2_floor(count);
    if (count > left)
        count = left;
    size_t word = slab->granted / 64, bit = slab->granted % 64;
    if (bit == 0) {
        if (slab->flags & SLAB_LOCAL_USED)
            map_reset_word(slab->local, word);
        if (slab->flags & SLAB_REMOTE_USED)
            map_reset_word(slab->remote, word);
    }
    slab->granted += count;
    hold_word(bin, slab, word, ~(uint64_t)0 >> (64 - count) << bit);
    return true;
}

/* ---- refilling a bin --------------------------------------------------------------------------------------------- */

/* Bins start as zero, and most are never used. */
static void bin_begin(struct bin *bin)
{
    bin->slot_size = class_slot_size(bin_class(bin));
    bin->reciprocal = class_reciprocal(bin->slot_size);
    bin->recent_max = bin->slot_size <= RECENT_SLOT_MAX ? RECENT_MAX : 0;
}

/* A fresh slab for a bin, of the kind and way to recycle that its growth asks for. */
static struct slab *take_fresh(struct bin *bin)
{
    bool small = bin->slot_size <= SMALL_SLOT_MAX && bin->small_owned < SMALL_OWNED_MAX;
    bool is_list = bin->slot_size >= LIST_SLOT_MIN && bin->slot_size <= LIST_SLOT_MAX &&
                   (small || bin->large_owned < LARGE_LISTS_MAX);
    struct slab *slab = slab_take(small ? SLAB_SMALL : SLAB_LARGE);
    if (slab == NULL)
        return NULL;
    if (!small) {
        /* Huge pages for bins past their lists, where all of the slab will be used: one page too many is then a few
         * percent of what the bin holds. */
        bool whole = (size_t)slots_that_fit(SLAB_LARGE, bin->reciprocal) * bin->slot_size > kind_size(SLAB_LARGE) / 2;
        slab_set_huge(slab, whole && bin->slot_size <= HUGE_SLOT_MAX && bin->large_owned >= LARGE_LISTS_MAX);
    }
    if (slab_begin(slab, bin, bin_class(bin), is_list))
        return slab;
    slab_give_back(slab);
    return NULL;
}

static void change_current(struct bin *bin, struct slab *next)
{
    struct slab *used = bin->current;
    bin->current = next;
    if (used != NULL)
        slab_park(used);
}

static bool bin_is_empty(const struct bin *bin) { return bin->free == NULL && bin->mask == 0; }

static void *bin_pop(struct bin *bin) { return bin->free != NULL ? bin_pop_free(bin) : bin_pop_mask(bin); }

/* The current slab has nothing freed to offer: an available slab, the current one's never-used slots, a fresh slab, in
 * this order. An available slab can turn out dry, when a pusher has not finished yet: nothing is retried then, and the
 * current slab is not parked before its successor has yielded. */
static void *refill_slow(struct bin *bin)
{
    if (bin->slot_size == 0)
        bin_begin(bin);
    struct slab *next = slab_take_available(bin);
    if (next != NULL) {
        if (fill_local(bin, next) || fill_remote(bin, next) || fill_fresh(bin, next)) {
            change_current(bin, next);
            return bin_pop(bin);
        }
        slab_park(next);
    }
    if (bin->current != NULL && fill_fresh(bin, bin->current))
        return bin_pop(bin);
    next = take_fresh(bin);
    if (next == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    fill_fresh(bin, next);
    change_current(bin, next);
    return bin_pop(bin);
}

static void *refill_owned(struct bin *bin)
{
    struct slab *slab = bin->current;
    if (slab != NULL && (fill_local(bin, slab) || fill_remote(bin, slab)))
        return bin_pop(bin);
    /* Without the lock, this can only miss a slab that was listed this moment. */
    bool have_available = atomic_load_explicit(&bin->available, memory_order_relaxed) != 0;
    if (slab != NULL && !have_available && fill_fresh(bin, slab))
        return bin_pop(bin);
    return refill_slow(bin);
}

/* ---- the heaps --------------------------------------------------------------------------------------------------- */

static struct {
    struct os_lock lock;
    struct heap *pooled;
    uint32_t count;
    struct heap *known;   /* all heaps, but in a forked child those of its parent */
    struct heap *suspect; /* the next of them to be checked for an owner that has ended */
} heaps;

static struct heap *heap_create(void)
{
    struct heap *heap = meta_allocate(sizeof(struct heap), HEAP_ALIGN);
    if (heap == NULL)
        return NULL;
    os_lock_acquire(&heaps.lock);
    heap->number = ++heaps.count;
    heap->next_known = heaps.known;
    heaps.known = heap;
    os_lock_release(&heaps.lock);
    return heap;
}

#if ALLOC_THREADS

static struct heap *heap_take_pooled(void)
{
    os_lock_acquire(&heaps.lock);
    struct heap *heap = heaps.pooled;
    if (heap != NULL)
        heaps.pooled = heap->next;
    os_lock_release(&heaps.lock);
    return heap;
}

/* A heap whose thread ended without giving it back: its first use of the library came in the last round of thread-exit
 * destructors, or it never ran them. Heaps are checked in turn when there is reason to create one. */
static struct heap *heap_take_abandoned(void)
{
    os_lock_acquire(&heaps.lock);
    struct heap *heap = heaps.suspect != NULL ? heaps.suspect : heaps.known;
    if (heap != NULL)
        heaps.suspect = heap->next_known;
    os_lock_release(&heaps.lock);
    if (heap == NULL)
        return NULL;
    os_thread owner = atomic_load_explicit(&heap->owner, memory_order_acquire);
    bool taken = owner != 0 && os_thread_has_ended(owner) && atomic_compare_exchange_strong(&heap->owner, &owner, 0);
    return taken ? heap : NULL;
}

static void heap_put(struct heap *heap)
{
    atomic_store_explicit(&heap->owner, 0, memory_order_relaxed);
    os_lock_acquire(&heaps.lock);
    heap->next = heaps.pooled;
    heaps.pooled = heap;
    os_lock_release(&heaps.lock);
}

static struct heap *heap_take(void)
{
    struct heap *heap = heap_take_pooled();
    if (heap != NULL)
        return heap;
    /* Two, so that more are found than created. */
    heap = heap_take_abandoned();
    struct heap *other = heap_take_abandoned();
    if (heap == NULL)
        heap = other;
    else if (other != NULL)
        heap_put(other);
    return heap != NULL ? heap : heap_create();
}

/* Frees slots of one map word that another heap owns. `size` and `align` are only for the report. */
static void push(struct slab *slab, size_t word, uint64_t mask, size_t size, size_t align)
{
    uint64_t clash = slab_push(slab, word, mask);
    if (clash != 0) {
        size_t index = word * 64 + (size_t)__builtin_ctzll(clash);
        misuse_free(slab_start(slab) + index * class_slot_size(slab->class), size, align, "double free", slab);
    }
}

static void outbox_flush(struct outbox *outbox)
{
    if (outbox->mask == 0)
        return;
    uint64_t mask = outbox->mask;
    outbox->mask = 0;
    push(outbox->slab, outbox->word, mask, outbox->size, outbox->align);
}

/* What a bin holds of its current slab, `listed` slots of a list or a mask, goes back to the slab, which is parked. */
static void bin_retire(struct bin *bin, uint32_t listed)
{
    struct slab *slab = bin->current;
    if (slab == NULL)
        return;
    if (bin->mask != 0) {
        /* The way any other thread frees them: it fits whatever the slab, and wherever the mask came from. */
        push(slab, (size_t)(bin->base - slab_start(slab)) / bin->slot_size / 64, bin->mask, bin->slot_size, 0);
        bin->mask = 0;
    }
    if (listed != 0) {
        slab_remote(slab)->spare = bin->free;
        slab->spare_count = listed;
        bin->free = NULL;
    }
    if (!slab->is_list)
        map_untake(slab->local);
    map_untake(slab->remote);
    bin->current = NULL;
    slab_park(slab);
}

/* Housekeeping: a list has at most as many slots as a slab. */
static uint32_t list_count(void *slot)
{
    uint32_t count = 0;
    for (; slot != NULL; slot = *(void **)slot)
        count++;
    return count;
}

void heap_flush_recent(struct heap *heap)
{
    for (size_t class = 0; class < CLASS_COUNT; class ++) {
        struct bin *bin = &heap->bins[class];
        for (; bin->recent_count != 0; bin->recent_count--) {
            void *p = bin->recent[bin->recent_count];
            bin_free_to_slab(bin, slab_of(p), p, bin->slot_size, 0);
        }
    }
}

static void thread_exit(void *subject)
{
    struct heap *heap = subject;
    outbox_flush(&heap->outbox);
    heap_flush_recent(heap);
    heap_self = &heap_late;
    for (size_t class = 0; class < CLASS_COUNT; class ++)
        bin_retire(&heap->bins[class], list_count(heap->bins[class].free));
    heap_put(heap);
}

static void fork_prepare(void)
{
    for (unsigned i = 0; i < HEAP_LOCKS; i++)
        os_lock_acquire(&locks[i]);
    os_lock_acquire(&heaps.lock);
    region_fork_prepare();
}

static void fork_parent(void)
{
    region_fork_done();
    os_lock_release(&heaps.lock);
    for (unsigned i = 0; i < HEAP_LOCKS; i++)
        os_lock_release(&locks[i]);
}

/* The heaps of threads that do not exist in the child are left alone there: their slabs' lists are whole, since these
 * change under the locks just taken, and their live slots can be freed; but what their owners were doing is not known,
 * so nobody may take them for abandoned. */
static void fork_child(void)
{
    heaps.known = NULL;
    heaps.suspect = NULL;
    fork_parent();
}

static const struct os_events events = {thread_exit, fork_prepare, fork_parent, fork_child};

OS_AT_LOAD static void at_load(void) { os_start(&events); }

/* A heap for the calling thread, for good. NULL when it cannot have one: no memory, or it is too late in its life. */
static struct heap *heap_adopt(void)
{
    if (heap_self == &heap_late)
        return NULL;
    struct heap *heap = heap_take();
    if (heap == NULL)
        return NULL;
    heap_self = heap; /* from here on, whatever the system allocates in the calls below is served */
    atomic_store_explicit(&heap->owner, os_thread_self(), memory_order_release);
    os_start(&events);
    if (os_at_thread_exit(heap))
        return heap;
    heap_self = &heap_late; /* nobody would tell when the thread exits */
    heap_put(heap);
    return NULL;
}

/* Allocates for a thread that is too late for a heap of its own: with a pooled one, just for this. */
static void *allocate_late(size_t class)
{
    struct heap *heap = heap_take();
    if (heap == NULL)
        return NULL;
    struct bin *bin = &heap->bins[class];
    void *p;
    if (bin_is_empty(bin)) {
        p = refill_owned(bin);
        bin_retire(bin, bin->free == NULL ? 0 : bin->list_length - 1);
    } else { /* an abandoned heap's: it stays as it is for whoever adopts it */
        p = bin_pop(bin);
    }
    heap_put(heap);
    return p;
}

/* A slot of another heap's slab: it waits in the outbox for others of its word. */
static void free_remote(struct slab *slab, void *p, size_t size, size_t align)
{
    size_t index = (size_t)((char *)p - slab_start(slab)) / class_slot_size(slab->class);
    size_t word = index / 64;
    uint64_t bit = map_bit(index);
    struct heap *heap = heap_self;
    if (heap->number == 0) {
        int saved = errno;
        heap = heap_adopt();
        errno = saved;
    }
    if (heap == NULL) {
        push(slab, word, bit, size, align);
        return;
    }
    struct outbox *outbox = &heap->outbox;
    if (outbox->slab != slab || outbox->word != word || outbox->mask == 0) {
        outbox_flush(outbox);
        outbox->slab = slab;
        outbox->word = word;
    } else if (outbox->mask & bit)
        misuse_free(p, size, align, "double free", slab);
    outbox->mask |= bit;
    outbox->size = size;
    outbox->align = align;
}

#else

static struct heap *heap_adopt(void)
{
    struct heap *heap = heap_create();
    if (heap != NULL)
        heap_self = heap;
    return heap;
}

static void *allocate_late(size_t class)
{
    (void)class;
    return NULL;
}

static void free_remote(struct slab *slab, void *p, size_t size, size_t align)
{
    misuse_free(p, size, align, "not allocated", slab); /* there is no other heap */
}

#endif

/* ---- entries from the hot path ----------------------------------------------------------------------------------- */

void *bin_refill(struct bin *bin)
{
    if (heap_of(bin)->number != 0)
        return refill_owned(bin);
    size_t class = bin_class(bin);
    struct heap *heap = heap_adopt();
    void *p;
    if (heap == NULL)
        p = allocate_late(class);
    else
        p = bin_is_empty(&heap->bins[class]) ? refill_owned(&heap->bins[class]) : bin_pop(&heap->bins[class]);
    if (p == NULL)
        errno = ENOMEM;
    return p;
}

void bin_free_bit(struct bin *bin, struct slab *slab, void *p, size_t size, size_t align)
{
    size_t index = slot_index(region_offset(p) & region_of(p)->slab_mask, bin->reciprocal);
    uint64_t word = map_add(slab->local, index);
    if (word & map_bit(index)) {
        free_cold(p, size, align);
        return;
    }
    if (word == 0)
        map_mark(slab->local, index / 64);
    bin_count_free(slab);
}

void free_cold(void *p, size_t size, size_t align)
{
    struct slab *slab = slab_of(p);
    struct bin *bin = atomic_load_explicit(&slab->bin, memory_order_relaxed);
    if (bin == NULL)
        misuse_free(p, size, align, "not allocated", NULL);
    size_t class = request_class(size, align);
    if (slab->class != class)
        misuse_free(p, size, align, "wrong size", slab);
    if (bin == bin_of_class(class)) /* its own slab: only a slot that is free already comes here */
        misuse_free(p, size, align, "double free", slab);
    free_remote(slab, p, size, align);
}
