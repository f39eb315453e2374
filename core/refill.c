#include "refill.h"

#include "option.h"
#include "pages.h"
#include "pool.h"
#include "probe.h"
#include "reservation.h"
#include "sweep.h"

#include <errno.h>

/* A bin begins with so many slabs of the kind that fits its slots, and goes on with large ones: small programs stay small,
 * many sizes take few addresses, big programs get huge pages. */
#define FIRST_OWNED_MAX 16
#define SMALL_SLOT_MAX  16384
/* Huge pages begin when a bin has this many large slabs: one page too many is then a fraction of what it holds. */
#define HUGE_OWNED_MIN 8
#define HUGE_SLOT_MAX  4096 /* larger slots waste huge pages when only a few are in use */
#define GRANT_BYTES    8192 /* never-used slots are granted by up to 64, and no more than this at a time */

/* ---- filling a bin from one slab --------------------------------------------------------------------------------- */

static void hold_word(struct bin *bin, struct slab *slab, size_t word, uint64_t mask)
{
    bin->base = slab_start(slab) + word * 64 * bin->slot_size;
    bin->mask = mask;
    probe(refill, bin->slot_size, bin->base, mask);
}

/* Slots that the owner freed itself. The counts say when there are none: then the maps stay untouched. */
static bool fill_local(struct bin *bin, struct slab *slab)
{
    size_t word;
    if (slab_freed_count(slab) == 0)
        return false;
    uint64_t mask = map_take(slab->local, &word);
    if (mask == 0)
        return false;
    hold_word(bin, slab, word, mask);
    slab_unfree(slab, population(mask));
    return true;
}

/* Slots that others freed. */
static bool fill_remote(struct bin *bin, struct slab *slab)
{
#if ALLOC_THREADS
    size_t word;
    if (!slab_has_pushed(slab))
        return false;
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
    uint32_t granted = slab_granted(slab);
    uint32_t left = slots_that_fit(slab_kind_of(slab), bin->reciprocal) - granted;
    if (left == 0)
        return false;
    uint32_t count = GRANT_BYTES / bin->slot_size;
    count = count >= 64 ? 64 : count == 0 ? 1 : (uint32_t)1 << log2_floor(count);
    if (count > left)
        count = left;
    size_t word = granted / 64, bit = granted % 64;
    if (bit == 0) {
        if (slab->flags & SLAB_LOCAL_USED)
            map_reset_word(slab->local, word);
        if (slab->flags & SLAB_REMOTE_USED)
            map_reset_word(slab->remote, word);
    }
    slab_set_granted(slab, granted + count);
    hold_word(bin, slab, word, ~(uint64_t)0 >> (64 - count) << bit);
    return true;
}

/* ---- refilling a bin --------------------------------------------------------------------------------------------- */

/* Bins start as zero, and most are never used. */
static void bin_begin(struct bin *bin)
{
    bin->slot_size = class_slot_size(heap_class(bin));
    bin->reciprocal = class_reciprocal(bin->slot_size);
    bin->below = class_below(heap_class(bin));
    uint32_t fit = RECENT_BYTES / bin->slot_size;
    bin->room = fit < RECENT_MAX ? fit : RECENT_MAX;
    bin->misaligned = (bin->slot_size & -bin->slot_size) - 1;
}

/* Huge pages are not for the tiny classes, of whose slabs a map can hold only a part. */
static bool wants_huge_pages(const struct bin *bin)
{
    bool whole = (size_t)slots_that_fit(SLAB_HUGE, bin->reciprocal) * bin->slot_size > kind_size(SLAB_HUGE) / 2;
    switch (option(OPTION_HUGE_PAGES)) {
    case HUGE_PAGES_OFF:
        return false;
    case HUGE_PAGES_ALWAYS:
        return whole;
    default:
        return whole && bin->slot_size <= HUGE_SLOT_MAX &&
               atomic_load_explicit(&bin->large_owned, memory_order_relaxed) >= HUGE_OWNED_MIN;
    }
}

static struct slab *take_if_fit(const struct bin *bin, enum slab_kind kind)
{
    return slots_that_fit(kind, bin->reciprocal) == 0 ? NULL : pool_take(kind);
}

/* The kind is a preference: where memory is short, there may be a slab of another. */
static struct slab *take_of_any_kind(const struct bin *bin, enum slab_kind kind)
{
    struct slab *slab = pool_take(kind);
    if (slab == NULL)
        slab = take_if_fit(bin, SLAB_SMALL);
    if (slab == NULL)
        slab = take_if_fit(bin, SLAB_MEDIUM);
    if (slab == NULL)
        slab = take_if_fit(bin, SLAB_LARGE);
    if (slab == NULL)
        slab = take_if_fit(bin, SLAB_HUGE);
    return slab;
}

/* A slab for a bin, of the kind that its growth asks for if there is one. */
static struct slab *take_slab(const struct bin *bin)
{
    size_t small_max = reservation_is_short() ? kind_size(SLAB_SMALL) : SMALL_SLOT_MAX;
    enum slab_kind first = bin->slot_size <= small_max ? SLAB_SMALL : SLAB_MEDIUM;
    bool begins = atomic_load_explicit(&bin->first_owned, memory_order_relaxed) < FIRST_OWNED_MAX;
    enum slab_kind kind = begins ? first : wants_huge_pages(bin) ? SLAB_HUGE : SLAB_LARGE;
    struct slab *slab = take_of_any_kind(bin, kind);
    if (slab == NULL && pages_reclaim(kind_size(kind)))
        slab = take_of_any_kind(bin, kind);
    return slab != NULL ? slab : pool_take_unfit(kind);
}

/* Begins a fresh slab for a bin. */
static struct slab *take_fresh(struct bin *bin)
{
    struct family *family = heap_of(bin)->family;
    struct slab *slab = take_slab(bin);
    if (slab == NULL)
        return NULL;
    size_t size = kind_size(slab_kind_of(slab));
    if (!heap_charge(family, size, false)) {
        pool_give_back(slab);
        return NULL;
    }
    if (settle_begin(slab, bin, heap_class(bin)))
        return slab;
    heap_discharge(family, size, false);
    pool_set_aside(slab);
    return NULL;
}

static void change_current(struct bin *bin, struct slab *next)
{
    struct slab *used = bin->current;
    bin->current = next;
    if (used != NULL)
        settle_park(used);
}

/* Fills the bin from a slab that was available. False: there is none, or it turned out dry, since a pusher has not finished
 * yet: nothing is retried then, and the current slab is not parked before its successor has yielded. */
static bool take_up(struct bin *bin, struct slab *slab)
{
    if (slab == NULL)
        return false;
    bool filled = fill_local(bin, slab) || fill_remote(bin, slab) || fill_fresh(bin, slab);
    if (filled)
        change_current(bin, slab);
    else
        settle_park(slab);
    return filled;
}

/* Never-used slots of the current slab: the heap grows, and sweeps for it. */
static bool fill_growing(struct bin *bin)
{
    if (bin->current == NULL || !fill_fresh(bin, bin->current))
        return false;
    if (slab_kind_of(bin->current) != SLAB_SMALL && heap_is_own(bin))
        sweep_steps(bin);
    return true;
}

#if ALLOC_THREADS

/* An available slab of a heap without a thread. One heap is asked, and another one next time where it has none: what ended
 * threads have left is found before long. */
static struct slab *take_over(struct bin *bin)
{
    struct heap *heap = heap_of(bin)->family != NULL ? NULL : heap_take_pooled(); /* which has blocks of no family */
    if (heap == NULL)
        return NULL;
    struct slab *slab = settle_take_over(&heap->bins[heap_class(bin)], bin);
    heap_put(heap, slab == NULL);
    return slab;
}

#else

static struct slab *take_over(struct bin *bin)
{
    (void)bin;
    return NULL;
}

#endif

/* The current slab has nothing freed to offer: an available slab, the current one's never-used slots, a slab of a heap without a
 * thread, one that was swept, a fresh one, in this order. */
static void *refill_slow(struct bin *bin)
{
    pages_purge_aged();
    if (bin->slot_size == 0)
        bin_begin(bin);
    (void)settle_revisit(heap_of(bin));
    if (take_up(bin, settle_take_available(bin)) || fill_growing(bin) || take_up(bin, take_over(bin)) ||
        take_up(bin, settle_take_swept(bin)))
        return bin_pop_mask(bin);
    struct slab *next = take_fresh(bin);
    if (next == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    fill_fresh(bin, next);
    change_current(bin, next);
    return bin_pop_mask(bin);
}

/* A thread that has gone quiet may find what it needs in its current slabs for ever: now and then these refills give back what is
 * idle, too; not more than once for each tick of the clock, since looking takes locks. */
#define REFILLS_PER_PURGE 16

static void purge_now_and_then(struct heap *heap)
{
    if (++heap->refills % REFILLS_PER_PURGE != 0)
        return;
    uint32_t now = os_milliseconds();
    if (heap->purged_at == now)
        return;
    heap->purged_at = now;
    pages_purge_aged();
}

void *refill_bin(struct bin *bin)
{
    struct slab *slab = bin->current;
    purge_now_and_then(heap_of(bin));
    if (slab != NULL && (fill_local(bin, slab) || fill_remote(bin, slab)))
        return bin_pop_mask(bin);
    /* Without the lock, this can only miss a slab that was listed this moment. */
    if (atomic_load_explicit(&bin->available, memory_order_relaxed) == 0 && fill_growing(bin))
        return bin_pop_mask(bin);
    return refill_slow(bin);
}

void *refill_allocate(struct bin *bin) { return bin_is_empty(bin) ? refill_bin(bin) : bin_pop_mask(bin); }
