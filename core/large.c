#include "large.h"

#include "heap.h"
#include "lock.h"
#include "memory.h"
#include "misuse.h"
#include "pages.h"
#include "probe.h"
#include "size_class.h"

#include <errno.h>
#include <string.h>

/* Zeroing what is dirty is cheaper than giving it back and having it again page by page, if all of it is used; but who asks for
 * so much may touch little. */
#define ZEROED_MAX ((size_t)32 << 20)
/* From here on moving page tables is cheaper than copying to where there are no pages yet, and from the second size on than
 * copying to where there are. */
#define MOVED_MIN      ((size_t)1 << 20)
#define MOVED_TO_CLEAN ((size_t)16 << 20)

/* Of any address that a program can have. */
#define ALIGN_POSSIBLE ((size_t)1 << (ADDRESS_BITS - 2))

OS_SMALL_STATE static struct {
    _Atomic size_t live, live_bytes;
} counts;

size_t large_good_size(size_t size)
{
    size += size == 0; /* an alignment can be what makes a block large */
    return size > (size_t)PTRDIFF_MAX - UNIT ? 0 : round_up(size, os_page_size());
}

size_t large_natural_align(size_t size) { return size > ALIGN_MAX / 2 ? ALIGN_MAX : (size_t)1 << log2_ceil(size); }

struct large_counts large_count(void)
{
    return (struct large_counts){atomic_load_explicit(&counts.live, memory_order_relaxed),
                                 atomic_load_explicit(&counts.live_bytes, memory_order_relaxed)};
}

static void count_live(size_t blocks, size_t bytes)
{
    atomic_fetch_add_explicit(&counts.live, blocks, memory_order_relaxed);
    atomic_fetch_add_explicit(&counts.live_bytes, bytes, memory_order_relaxed);
}

static size_t run_size(size_t bytes) { return round_up(bytes, UNIT); }

/* ---- memory ---------------------------------------------------------------------------------------------------------- */

/* Memory can be free when its ends have entries. */
static bool provide_ends(char *start, size_t size)
{
    return units_provide_locked(unit_id_of(start)) && units_provide_locked(unit_id_of(start + size - 1));
}

/* Memory that was never used, at the end of the space. What has to be skipped for the alignment becomes free. */
static void *take_fresh(size_t size, size_t align)
{
    if (!memory_charge(size))
        return NULL;
    lock_acquire(LOCK_GROWTH);
    char *next = reservation_next(SPACE_BLOCKS);
    size_t skipped = -(uintptr_t)next & (align - 1);
    if (skipped > WINDOW || !reservation_extend(SPACE_BLOCKS, skipped + size)) {
        skipped = 0;
        next = reservation_begin(SPACE_BLOCKS, size, align) ? reservation_next(SPACE_BLOCKS) : NULL;
    }
    if (next != NULL && !provide_ends(next, skipped + size))
        next = NULL;
    if (next != NULL && reservation_take(SPACE_BLOCKS, skipped + size) == NULL)
        next = NULL;
    lock_release(LOCK_GROWTH);
    if (next == NULL) {
        memory_discharge(size);
        return NULL;
    }
    pages_give_clean(SPACE_BLOCKS, next, skipped);
    return next + skipped;
}

static void *take_clean(size_t size, size_t align)
{
    void *p = pages_take_clean(SPACE_BLOCKS, size, align);
    return p != NULL ? p : take_fresh(size, align);
}

/* *zero: it is. */
static void *take(size_t size, size_t align, bool *zero)
{
    void *p = pages_take_dirty(SPACE_BLOCKS, size, align);
    *zero = p == NULL;
    return p != NULL ? p : take_clean(size, align);
}

static void *take_or_reclaim(size_t size, size_t align, bool *zero)
{
    void *p = take(size, align, zero);
    return p == NULL && pages_reclaim(size) ? take(size, align, zero) : p;
}

/* Makes memory free again. What is lost is the system's, which may give it to anybody: nothing is kept of it. */
static void leave(char *p, size_t run, bool is_clean, bool is_lost)
{
    if (!is_clean && !is_lost) {
        pages_give(SPACE_BLOCKS, p, run);
        return;
    }
    memory_discharge(run);
    if (is_lost)
        reservation_lose(SPACE_BLOCKS, run);
    else
        pages_give_clean(SPACE_BLOCKS, p, run);
}

static void clear(char *start, size_t size)
{
    size_t page = os_page_size();
    char *first = (char *)round_up((size_t)start, page),
         *last = (char *)((uintptr_t)(start + size) & ~(uintptr_t)(page - 1));
    if (size <= ZEROED_MAX || !memory_purge(first, (size_t)(last - first))) {
        memset(start, 0, size);
        return;
    }
    memset(start, 0, (size_t)(first - start));
    memset(last, 0, (size_t)(start + size - last));
}

/* ---- blocks ------------------------------------------------------------------------------------------------------------ */

/* Has the table of units know a block: its size, its family. False: no memory for it. */
static bool note(struct family *family, const void *p, size_t bytes)
{
    if (!unit_record(p, bytes))
        return false;
    if (family != NULL)
        unit_join(family, &family->blocks, p);
    return true;
}

/* False: it is unknown. */
static bool forget(struct family *family, const void *p)
{
    if (!unit_forget(p))
        return false;
    if (family != NULL)
        unit_leave(&family->blocks, p);
    return true;
}

static void *fail(void)
{
    errno = ENOMEM;
    return NULL;
}

void *large_allocate(size_t size, size_t align, bool zeroed)
{
    size_t bytes = large_good_size(size);
    struct family *family = heap_self()->family;
    bool zero;
    pages_purge_aged();
    if (!heap_charge(family, bytes, true))
        return fail();
    void *p = bytes == 0 || align > ALIGN_POSSIBLE ? NULL : take_or_reclaim(run_size(bytes), align, &zero);
    if (p != NULL && !note(family, p, bytes)) {
        leave(p, run_size(bytes), zero, false);
        p = NULL;
    }
    if (p == NULL) {
        heap_discharge(family, bytes, true);
        return fail();
    }
    if (zeroed && !zero)
        clear(p, size);
    count_live(1, bytes);
    probe(large_taken, p, bytes);
    return p;
}

void large_verify(const char *function, const void *p, size_t size, size_t align)
{
    size_t bytes = unit_recorded(p);
    if (bytes == 0)
        misuse(function, p, size, align, unit_is_freed(p) ? "double free" : "foreign pointer", NULL);
    if (request_has_slot(size, align) || large_good_size(size) != bytes)
        misuse_of_large(function, p, size, align, bytes);
}

void large_free(void *p, size_t size, size_t align)
{
    size_t bytes = large_good_size(size);
    if (unit_recorded(p) != bytes)
        large_verify(misuse_function(align), p, size, align);
    struct family *family = unit_family(p);
    if (!forget(family, p)) /* another thread was first */
        misuse_free(p, size, align, "double free", NULL);
    heap_discharge(family, bytes, true);
    count_live((size_t)-1, -bytes);
    probe(large_given_back, p, bytes);
    pages_give(SPACE_BLOCKS, p, run_size(bytes));
    pages_purge_aged();
}

/* ---- resizing ------------------------------------------------------------------------------------------------------------ */

/* What is free behind a block, or was never used. */
static bool take_behind(char *end, size_t more, bool *zero)
{
    if (pages_take_at(SPACE_BLOCKS, end, more, zero))
        return true;
    if (!memory_charge(more))
        return false;
    lock_acquire(LOCK_GROWTH);
    bool taken = reservation_next(SPACE_BLOCKS) == end && reservation_extend(SPACE_BLOCKS, more) &&
                 provide_ends(end, more) && reservation_take(SPACE_BLOCKS, more) != NULL;
    lock_release(LOCK_GROWTH);
    if (!taken)
        memory_discharge(more);
    *zero = true;
    return taken;
}

static bool resize_in_place(char *p, size_t old_bytes, size_t new_bytes, size_t align, bool zeroed)
{
    size_t old_run = run_size(old_bytes), new_run = run_size(new_bytes);
    bool zero = true;
    if (new_run < old_run)
        pages_give(SPACE_BLOCKS, p + new_run, old_run - new_run);
    if (new_run > old_run && (((uintptr_t)p & (align - 1)) != 0 || !take_behind(p + old_run, new_run - old_run, &zero)))
        return false;
    if (zeroed && new_bytes > old_bytes)
        clear(p + old_bytes, (zero && new_run > old_run ? old_run : new_bytes) - old_bytes);
    return true;
}

/* Where a block moves to. */
struct place {
    char *start; /* NULL: there is none */
    size_t size;
    bool is_clean;
    bool on_credit; /* to be had only because the block lends what it is charged: it may move by its pages alone */
};

static struct place take_place(size_t size, size_t align, bool clean)
{
    bool zero = true;
    char *start = clean ? take_clean(size, align) : take(size, align, &zero);
    return (struct place){start, size, zero, false};
}

/* A block that has been resized may be again: as much behind it stays free, if there is so much. By its pages, it takes no more than
 * the larger of the two. */
static struct place find_place(size_t old_run, size_t new_run, size_t align)
{
    bool clean = old_run >= MOVED_TO_CLEAN;
    struct place place = take_place(2 * new_run, align, clean);
    if (place.start == NULL)
        place = take_place(new_run, align, false);
    if (place.start == NULL && pages_reclaim(new_run))
        place = take_place(new_run, align, false);
    if (place.start == NULL && old_run >= MOVED_MIN) {
        memory_discharge(old_run);
        place = take_place(new_run, align, true);
        memory_charge_anyway(old_run);
        place.on_credit = true;
    }
    return place;
}

/* By its pages if they are many, or else by its bytes. Room behind the block moves with it: it stays one mapping as it grows, and can
 * be moved again. False: the block is as it was. */
static bool move(char *from, size_t old_bytes, const struct place *place, size_t new_run)
{
    size_t old_run = run_size(old_bytes);
    bool lost = false,
         moved = place->is_clean && old_run >= MOVED_MIN && os_move(from, old_run, place->start, place->size, &lost);
    if (!moved && (lost || place->on_credit)) {
        leave(place->start, place->size, place->is_clean, lost);
        return false;
    }
    if (!moved)
        memcpy(place->start, from, old_bytes);
    leave(from, old_run, moved, lost);
    if (place->size > new_run)
        leave(place->start + new_run, place->size - new_run, place->is_clean, false);
    return true;
}

static void *resize_elsewhere(char *p, size_t old_bytes, size_t new_bytes, size_t align, bool zeroed)
{
    struct family *family = unit_family(p);
    size_t old_run = run_size(old_bytes), new_run = run_size(new_bytes);
    struct place place = find_place(old_run, new_run, align);
    char *to = place.start;
    if (to == NULL)
        return NULL;
    if (!note(family, to, new_bytes)) {
        leave(to, place.size, place.is_clean, false);
        return NULL;
    }
    (void)forget(family, p); /* before it is free: then another block may begin there */
    if (!move(p, old_bytes, &place, new_run)) {
        (void)forget(family, to);
        (void)note(family, p, old_bytes); /* in the tables that it has */
        return NULL;
    }
    if (zeroed)
        clear(to + old_bytes, (place.is_clean ? old_run : new_bytes) - old_bytes);
    return to;
}

void *large_resize(void *p, size_t old_size, size_t new_size, size_t align, bool zeroed)
{
    size_t old_bytes = large_good_size(old_size), new_bytes = large_good_size(new_size);
    pages_purge_aged();
    if (new_bytes == 0 || new_bytes > BLOCK_MAX)
        return fail();
    struct family *family = unit_family(p);
    size_t more = new_bytes > old_bytes ? new_bytes - old_bytes : 0;
    if (!heap_charge(family, more, true))
        return fail();
    void *resized = p;
    if (!resize_in_place(p, old_bytes, new_bytes, align, zeroed))
        resized = resize_elsewhere(p, old_bytes, new_bytes, align, zeroed);
    else
        (void)unit_record(p, new_bytes); /* in the table that it has */
    heap_discharge(family, resized == NULL ? more : old_bytes + more - new_bytes, true);
    if (resized == NULL)
        return fail();
    count_live(0, new_bytes - old_bytes);
    probe(large_resized, p, old_bytes, resized, new_bytes);
    return resized;
}
