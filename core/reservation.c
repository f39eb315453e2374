#include "reservation.h"

#include "lock.h"
#include "option.h"
#include "size_class.h"

/* Left free behind a reservation, where there are so many. */
#define ROOM     ((size_t)16 << 30)
#define STEP_MIN ((size_t)1 << 20)
#define STEP_MAX ((size_t)64 << 20)

OS_SMALL_STATE static struct reservation {
    char *next, *committed, *end;
} reservations[RESERVATIONS];

static _Atomic size_t reserved[RESERVATIONS]; /* bytes */

static void count(enum space space, size_t size)
{
    atomic_fetch_add_explicit(&reserved[space], size, memory_order_relaxed);
}

size_t reservation_reserved(enum space space) { return atomic_load_explicit(&reserved[space], memory_order_relaxed); }

/* Memory or addresses are short when the process began with a limit, or once the system refused. Asked at the first
 * reservation alone: later, a sandbox may kill for the question. */
enum supply { UNKNOWN, AMPLE, SHORT };
OS_SMALL_STATE static _Atomic enum supply supply;

bool reservation_is_short(void) { return atomic_load_explicit(&supply, memory_order_relaxed) == SHORT; }

/* As much again as there is. Where memory is short an eighth: what one kind of memory holds in advance, the others and the
 * program's own mappings cannot have. */
static size_t step(enum space space)
{
    size_t size = reservation_reserved(space);
    if (reservation_is_short())
        return round_up(size / 8, os_page_size());
    return size < STEP_MIN ? STEP_MIN : size > STEP_MAX ? STEP_MAX : size;
}

/* Huge pages are only for what is touched as a whole. Of large blocks a program may touch little: the system's setting holds. */
static void advise(enum space space, void *start, size_t size)
{
    size_t huge_pages = option(OPTION_HUGE_PAGES);
    if (space == SPACE_HUGE || space == SPACE_BLOCKS) {
        if (space == SPACE_HUGE || huge_pages != HUGE_PAGES_AUTO)
            os_huge_pages(start, size, huge_pages != HUGE_PAGES_OFF);
    } else
        os_huge_pages(start, size, false);
}

char *reservation_next(enum space space) { return reservations[space].next; }

size_t reservation_left(enum space space) { return (size_t)(reservations[space].end - reservations[space].next); }

static bool extend_by(enum space space, size_t size)
{
    struct reservation *reservation = &reservations[space];
    if (!os_reserve_at(reservation->end, size))
        return false;
    count(space, size);
    advise(space, reservation->end, size);
    reservation->end += size;
    return true;
}

bool reservation_extend(enum space space, size_t size)
{
    struct reservation *reservation = &reservations[space];
    size_t left = reservation_left(space);
    if (size <= left)
        return true;
    if (reservation->end == NULL)
        return false;
    size_t more = round_up(size - left, os_page_size()), wanted = step(space);
    if (more < wanted && extend_by(space, wanted))
        return true;
    if (more < wanted)
        supply = SHORT;
    return extend_by(space, more);
}

static bool begin_with(enum space space, size_t size, size_t align, size_t room)
{
    char *start = os_reserve(size, align, room);
    if (start == NULL)
        return false;
    (void)reservation_trim(space);
    reservation_lose(space, reservation_left(space)); /* what the system refuses to take back is given up */
    count(space, size);
    advise(space, start, size);
    reservations[space] = (struct reservation){start, start, start + size};
    return true;
}

bool reservation_begin(enum space space, size_t size, size_t align)
{
    if (supply == UNKNOWN)
        supply = os_memory_is_limited() ? SHORT : AMPLE;
    size_t wanted = step(space);
    size = round_up(size, os_page_size());
    if (align < WINDOW)
        align = WINDOW;
    return (size < wanted && begin_with(space, wanted, align, ROOM)) || begin_with(space, size, align, ROOM) ||
           begin_with(space, size, align, 0);
}

/* Commits what lies before `end` and somewhat more, or where that is refused, no more. */
static bool commit_to(enum space space, char *end)
{
    struct reservation *reservation = &reservations[space];
    size_t usual = step(space);
    if (usual > COMMIT_SIZE)
        usual = COMMIT_SIZE;
    size_t left = (size_t)(reservation->end - reservation->committed);
    size_t more = round_up((size_t)(end - reservation->committed), os_page_size());
    size_t wanted = usual < more ? more : usual < left ? usual : left;
    if (os_commit(reservation->committed, wanted))
        more = wanted;
    else if (more == wanted || !os_commit(reservation->committed, more))
        return false;
    reservation->committed += more;
    return true;
}

char *reservation_take(enum space space, size_t size)
{
    struct reservation *reservation = &reservations[space];
    char *taken = reservation->next;
    if (taken + size > reservation->committed && !commit_to(space, taken + size))
        return NULL;
    reservation->next = taken + size;
    return taken;
}

void reservation_untake(enum space space, size_t size) { reservations[space].next -= size; }

enum restored reservation_restore(enum space space, void *start, size_t size)
{
    bool is_taken;
    if (!os_map_at(start, size, &is_taken)) /* usable in the same step: two could leave it reserved and unknown */
        return is_taken ? TAKEN_BY_OTHERS : NOT_RESTORED;
    count(space, size);
    advise(space, start, size);
    return RESTORED;
}

void reservation_lose(enum space space, size_t size) { count(space, -size); }

bool reservation_release(enum space space, void *start, size_t size)
{
    if (!os_release(start, size))
        return false;
    reservation_lose(space, size);
    return true;
}

size_t reservation_trim(enum space space)
{
    struct reservation *reservation = &reservations[space];
    char *kept = (char *)round_up((size_t)reservation->next, os_page_size());
    size_t size = (size_t)(reservation->end - kept);
    if (size == 0 || !reservation_release(space, kept, size))
        return 0;
    reservation->end = kept;
    if (reservation->committed > kept)
        reservation->committed = kept;
    return size;
}

/* ---- metadata ------------------------------------------------------------------------------------------------------ */

void *meta_allocate_locked(size_t size, size_t align)
{
    size_t skip = -(uintptr_t)reservation_next(SPACE_META) & (align - 1);
    if (!reservation_extend(SPACE_META, skip + size)) {
        if (!reservation_begin(SPACE_META, size, WINDOW))
            return NULL;
        skip = 0;
    }
    if (!memory_charge(skip + size))
        return NULL;
    char *start = reservation_take(SPACE_META, skip + size);
    if (start == NULL)
        memory_discharge(skip + size);
    return start == NULL ? NULL : start + skip;
}

void *meta_allocate(size_t size, size_t align)
{
    lock_acquire(LOCK_GROWTH);
    void *start = meta_allocate_locked(size, align);
    lock_release(LOCK_GROWTH);
    return start;
}
