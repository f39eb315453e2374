#include "cache.h"

#include "lock.h"
#include "option.h"
#include "region.h"
#include "size_class.h"

#define PAGE_MIN    4096 /* what all pieces are aligned to */
#define PIECES_MAX  2046
#define TABLE_BITS  11
#define ROWS        64 /* powers of two */
#define COLUMN_BITS 3  /* steps between two of them */
#define COLUMNS     (1 << COLUMN_BITS)

typedef uint16_t piece_id; /* 0: none */

/* Lists that a piece is in: two by what it can serve, of any alignment or of its natural one, and one by age. */
enum link { BY_SIZE, BY_ROOM, INDEXES, BY_AGE = INDEXES, LINKS };

/* Lists by key, and which of them have pieces. */
struct index {
    piece_id first[ROWS][COLUMNS];
    uint8_t columns[ROWS];
    uint64_t rows;
};

struct piece {
    struct range range;
    struct {
        piece_id next, previous;
    } links[LINKS];
    uint32_t cached_at;
};

static struct {
    struct piece pieces[1 + PIECES_MAX + 1]; /* one to join its neighbours, where there is no room for one more */
    piece_id used;                           /* pieces ever used: the lowest ones */
    piece_id free;                           /* linked by age */
    /* Where a piece begins and ends. An entry is lost when another one takes its place: then two neighbours are not
     * joined, which costs nothing else. */
    piece_id by_start[1 << TABLE_BITS], by_end[1 << TABLE_BITS];
    struct index indexes[INDEXES];
    piece_id newest, oldest;
    struct cache_counts counts;
} cache;

/* ---- keys --------------------------------------------------------------------------------------------------------- */

struct key {
    unsigned row, column;
};

static struct key key_of(size_t size)
{
    size_t log = log2_floor(size); /* at least a page */
    return (struct key){(unsigned)log, (unsigned)(size >> (log - COLUMN_BITS)) & (COLUMNS - 1)};
}

/* The largest block that a range can serve from its start, with its natural alignment where that is asked for. */
static size_t room(struct range range, enum link index)
{
    size_t align = (uintptr_t)range.start & -(uintptr_t)range.start;
    return index == BY_SIZE || range.size < align || align >= ALIGN_MAX ? range.size : align;
}

static unsigned lowest(uint64_t bits) { return (unsigned)__builtin_ctzll(bits); }

/* A piece with room for `size` bytes, the best fit but for the steps of the keys. */
static piece_id find(size_t size, enum link link)
{
    const struct index *index = &cache.indexes[link];
    struct key key = key_of(size);
    piece_id same = index->first[key.row][key.column];
    if (same != 0 && room(cache.pieces[same].range, link) >= size)
        return same;
    uint64_t columns = index->columns[key.row] & ((uint64_t)-2 << key.column);
    if (columns != 0)
        return index->first[key.row][lowest(columns)];
    uint64_t rows = index->rows & ((uint64_t)-2 << key.row);
    return rows == 0 ? 0 : index->first[lowest(rows)][lowest(index->columns[lowest(rows)])];
}

/* The largest piece of less than `size` and more than half of it. */
static piece_id find_shorter(size_t size, enum link link)
{
    const struct index *index = &cache.indexes[link];
    struct key key = key_of(size);
    unsigned columns = index->columns[key.row] & ((2u << key.column) - 1);
    return columns == 0 ? 0 : index->first[key.row][log2_floor(columns)];
}

/* ---- putting in and taking out, under the lock ---------------------------------------------------------------------- */

static piece_id *slot_in(piece_id *table, const char *address)
{
    /* Pages, spread by the golden ratio: Knuth, The Art of Computer Programming 3, 6.4. */
    return &table[((uintptr_t)address >> 12) * 0x9e3779b97f4a7c15u >> (64 - TABLE_BITS)];
}

static piece_id find_start(const char *start)
{
    piece_id id = *slot_in(cache.by_start, start);
    return cache.pieces[id].range.start == start ? id : 0;
}

static piece_id find_end(const char *end)
{
    piece_id id = *slot_in(cache.by_end, end);
    struct range range = cache.pieces[id].range;
    return id != 0 && range.start + range.size == end ? id : 0;
}

static void link_in(piece_id *first, piece_id id, enum link link)
{
    cache.pieces[id].links[link].next = *first;
    cache.pieces[id].links[link].previous = 0;
    cache.pieces[*first].links[link].previous = id; /* piece 0 is written to and never read */
    *first = id;
}

static void link_out(piece_id *first, piece_id id, enum link link)
{
    piece_id next = cache.pieces[id].links[link].next, previous = cache.pieces[id].links[link].previous;
    *(previous == 0 ? first : &cache.pieces[previous].links[link].next) = next;
    cache.pieces[next].links[link].previous = previous;
}

static void enter_index(piece_id id, enum link link)
{
    struct index *index = &cache.indexes[link];
    struct key key = key_of(room(cache.pieces[id].range, link));
    link_in(&index->first[key.row][key.column], id, link);
    index->columns[key.row] |= (uint8_t)(1u << key.column);
    index->rows |= (uint64_t)1 << key.row;
}

static void leave_index(piece_id id, enum link link)
{
    struct index *index = &cache.indexes[link];
    struct key key = key_of(room(cache.pieces[id].range, link));
    link_out(&index->first[key.row][key.column], id, link);
    if (index->first[key.row][key.column] == 0)
        index->columns[key.row] &= (uint8_t) ~(1u << key.column);
    if (index->columns[key.row] == 0)
        index->rows &= ~((uint64_t)1 << key.row);
}

/* Makes a piece known by its range. */
static void enter(piece_id id)
{
    struct range range = cache.pieces[id].range;
    *slot_in(cache.by_start, range.start) = id;
    *slot_in(cache.by_end, range.start + range.size) = id;
    enter_index(id, BY_SIZE);
    enter_index(id, BY_ROOM);
    cache.counts.pieces++;
    cache.counts.bytes += range.size;
}

static void leave(piece_id id)
{
    leave_index(id, BY_SIZE);
    leave_index(id, BY_ROOM);
    cache.counts.pieces--;
    cache.counts.bytes -= cache.pieces[id].range.size;
}

static struct range take_out(piece_id id)
{
    struct range range = cache.pieces[id].range;
    leave(id);
    if (cache.oldest == id)
        cache.oldest = cache.pieces[id].links[BY_AGE].previous;
    link_out(&cache.newest, id, BY_AGE);
    cache.pieces[id].range = (struct range){NULL, 0};
    cache.pieces[id].links[BY_AGE].next = cache.free;
    cache.free = id;
    return range;
}

static piece_id put_in(struct range range, uint32_t now)
{
    piece_id id = cache.free;
    if (id != 0)
        cache.free = cache.pieces[id].links[BY_AGE].next;
    else
        id = ++cache.used;
    cache.pieces[id].range = range;
    cache.pieces[id].cached_at = now;
    enter(id);
    if (cache.newest == 0)
        cache.oldest = id;
    link_in(&cache.newest, id, BY_AGE);
    return id;
}

/* Changes a piece where it is by age. */
static void change(piece_id id, struct range range)
{
    leave(id);
    cache.pieces[id].range = range;
    enter(id);
}

/* Takes the first `size` bytes, or all, off a piece; the rest goes on ageing. */
static struct range take_front(piece_id id, size_t size)
{
    struct range range = cache.pieces[id].range;
    if (range.size <= size)
        return take_out(id);
    change(id, (struct range){range.start + size, range.size - size});
    return (struct range){range.start, size};
}

/* Makes two neighbours one, as old as the larger one: or what is never used behind a block would stay as young as the
 * block. */
static piece_id join(piece_id low, piece_id high)
{
    if (low == 0 || high == 0)
        return low + high;
    struct range a = cache.pieces[low].range, b = cache.pieces[high].range;
    piece_id kept = a.size > b.size ? low : high;
    (void)take_out(kept == low ? high : low);
    change(kept, (struct range){a.start, a.size + b.size});
    return kept;
}

/* ---- what others call ----------------------------------------------------------------------------------------------- */

struct range cache_take(size_t size, size_t align)
{
    struct range range = {NULL, 0};
    lock_acquire(LOCK_LARGE);
    enum link index = align <= PAGE_MIN ? BY_SIZE : BY_ROOM;
    piece_id id = find(size, index);
    if (id == 0)
        id = find_shorter(size, index);
    if (id != 0 && ((uintptr_t)cache.pieces[id].range.start & (align - 1)) == 0)
        range = take_front(id, size);
    lock_release(LOCK_LARGE);
    return range;
}

bool cache_take_at(char *start, size_t size)
{
    lock_acquire(LOCK_LARGE);
    piece_id id = find_start(start);
    bool found = id != 0 && cache.pieces[id].range.size >= size;
    if (found)
        (void)take_front(id, size);
    lock_release(LOCK_LARGE);
    return found;
}

bool cache_put(struct range range, uint32_t now, bool *is_double)
{
    lock_acquire(LOCK_LARGE);
    char *end = range.start + range.size;
    *is_double = find_start(range.start) != 0 || find_end(end) != 0;
    piece_id before = find_end(range.start), after = find_start(end);
    piece_id id = join(join(before, put_in(range, now)), after);
    bool is_one_too_many = cache.counts.pieces > PIECES_MAX;
    if (is_one_too_many)
        (void)take_out(id);
    lock_release(LOCK_LARGE);
    return !is_one_too_many;
}

/* Cuts what is more than `limit` bytes off the end of a piece, or somewhat more: down to a huge page's boundary. */
static struct range cut_excess(piece_id id, size_t limit)
{
    if (cache.counts.bytes <= limit)
        return (struct range){NULL, 0};
    struct range *piece = &cache.pieces[id].range;
    size_t excess = cache.counts.bytes - limit;
    size_t kept = piece->size > excess ? piece->size - excess : 0;
    size_t beyond = ((uintptr_t)piece->start + kept) & (HUGE_PAGE - 1);
    if (kept <= beyond)
        return take_out(id);
    kept -= beyond;
    struct range cut = {piece->start + kept, piece->size - kept};
    change(id, (struct range){piece->start, kept});
    return cut;
}

struct range cache_evict(uint32_t now, size_t age, size_t limit)
{
    lock_acquire(LOCK_LARGE);
    piece_id id = cache.oldest;
    bool is_aged = id != 0 && is_older_than(age, cache.pieces[id].cached_at, now);
    struct range range = is_aged ? take_out(id) : cut_excess(id, limit);
    lock_release(LOCK_LARGE);
    return range;
}

struct range cache_trim(size_t limit)
{
    lock_acquire(LOCK_LARGE);
    struct range range = cut_excess(cache.newest, limit);
    lock_release(LOCK_LARGE);
    return range;
}

struct cache_counts cache_count(void)
{
    lock_acquire(LOCK_LARGE);
    struct cache_counts counts = cache.counts;
    lock_release(LOCK_LARGE);
    return counts;
}
