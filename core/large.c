#include "large.h"

#include "cache.h"
#include "check.h"
#include "memory.h"
#include "option.h"
#include "pool.h"
#include "size_class.h"

#include <errno.h>
#include <string.h>

#define LARGE_CACHE_MIN ((size_t)32 << 20)
#define CACHED_MIN      ((size_t)64 << 10) /* of a tail: smaller ones are not worth keeping track of */

OS_SMALL_STATE static struct {
    _Atomic size_t live, live_bytes;
} counts;

size_t large_good_size(size_t size)
{
    size += size == 0; /* an alignment can be what makes a block large */
    return size > (size_t)PTRDIFF_MAX - os_page_size() ? 0 : round_up(size, os_page_size());
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

/* ---- the cache's limits ------------------------------------------------------------------------------------------- */

static size_t cache_limit(void)
{
    size_t limit = option(OPTION_LARGE_CACHE_LIMIT);
    size_t wanted = 2 * atomic_load_explicit(&counts.live_bytes, memory_order_relaxed);
    if (wanted < LARGE_CACHE_MIN)
        wanted = LARGE_CACHE_MIN;
    return wanted < limit ? wanted : limit;
}

static size_t release(struct range range)
{
    if (range.size != 0)
        memory_release(range.start, range.size);
    return range.size;
}

static void evict(void) { release(cache_evict(os_milliseconds(), option(OPTION_PURGE_AGE), cache_limit())); }

size_t large_purge_oldest(void) { return release(cache_evict(os_milliseconds(), 0, 0)); }

/* Two out for one in, so that a smaller limit is reached although nothing loops; the last of the excess comes off what
 * was just put in. */
static void put(const void *p, struct range range, size_t size, size_t align)
{
    bool is_double = false;
    if (!cache_put(range, os_milliseconds(), &is_double))
        release(range);
    if (is_double)
        misuse_free(p, size, align, "double free", NULL);
    evict();
    evict();
    release(cache_trim(cache_limit()));
}

/* ---- blocks ------------------------------------------------------------------------------------------------------- */

/* In between it is left to the system's setting: a program may touch little of a large block. */
static void advise_huge(void *start, size_t size)
{
    size_t huge_pages = option(OPTION_HUGE_PAGES);
    if (size >= HUGE_PAGE && huge_pages != HUGE_PAGES_AUTO)
        os_huge_pages(start, size, huge_pages == HUGE_PAGES_ALWAYS);
}

/* At the natural alignment, whatever was asked for: freed, it then serves every block of its size. */
static void *map_fresh(size_t size, size_t align)
{
    size_t natural = large_natural_align(size);
    void *p = align < natural ? memory_map(size, natural) : NULL;
    if (p == NULL)
        p = memory_map(size, align);
    if (p != NULL)
        advise_huge(p, size);
    return p;
}

void *large_allocate(size_t size, size_t align, bool *zero)
{
    size_t bytes = large_good_size(size);
    *zero = false;
    if (bytes != 0) {
        evict();
        struct range cached = cache_take(bytes, align);
        if (cached.size == bytes || (cached.size != 0 && memory_extend(cached.start, cached.size, bytes))) {
            count_live(1, bytes);
            return cached.start;
        }
        if (cached.size != 0)
            put(cached.start, cached, cached.size, align);
    }
    void *p = bytes == 0 ? NULL : map_fresh(bytes, align);
    if (p == NULL && bytes != 0 && reclaim(bytes))
        p = map_fresh(bytes, align);
    if (p == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    *zero = true;
    count_live(1, bytes);
    return p;
}

void large_free(void *p, size_t size, size_t align)
{
    size_t bytes = large_good_size(size);
    count_live((size_t)-1, -bytes);
    put(p, (struct range){p, bytes}, size, align);
}

static void shrink(char *p, size_t old_bytes, size_t new_bytes)
{
    struct range tail = {p + new_bytes, old_bytes - new_bytes};
    count_live(0, -tail.size);
    if (tail.size < CACHED_MIN)
        release(tail);
    else
        put(tail.start, tail, tail.size, 0);
}

/* Without moving: into what is cached behind it, or into addresses that are free. */
static bool grow_in_place(char *p, size_t old_bytes, size_t new_bytes, bool zeroed)
{
    size_t more = new_bytes - old_bytes;
    if (!cache_take_at(p + old_bytes, more))
        return memory_extend(p, old_bytes, new_bytes);
    if (zeroed)
        memset(p + old_bytes, 0, more);
    return true;
}

bool large_resize_in_place(void *p, size_t old_size, size_t new_size, size_t align, bool zeroed)
{
    size_t old_bytes = large_good_size(old_size), new_bytes = large_good_size(new_size);
    if (new_bytes == old_bytes)
        return true;
    if (new_bytes == 0)
        return false;
    if (new_bytes < old_bytes) {
        shrink(p, old_bytes, new_bytes);
        return true; /* the alignment of the larger size is a multiple of the smaller one's */
    }
    if (((uintptr_t)p & (align - 1)) != 0 || !grow_in_place(p, old_bytes, new_bytes, zeroed))
        return false;
    count_live(0, new_bytes - old_bytes);
    return true;
}

void *large_reserve(size_t size, size_t align)
{
    size_t bytes = large_good_size(size);
    size_t natural = large_natural_align(size) > align ? large_natural_align(size) : align;
    /* With as many addresses behind it, so that a block which grows in steps moves when it has doubled. */
    void *p = bytes == 0 ? NULL : memory_reserve(bytes, natural, bytes);
    if (p == NULL)
        errno = ENOMEM;
    return p;
}

void large_unreserve(void *p, size_t size) { memory_unreserve(p, large_good_size(size)); }

bool large_move(void *from, size_t old_size, void *to, size_t new_size)
{
    size_t old_bytes = large_good_size(old_size), new_bytes = large_good_size(new_size);
    if (!memory_move(from, old_bytes, to, new_bytes) &&
        !(reclaim(new_bytes) && memory_move(from, old_bytes, to, new_bytes))) {
        errno = ENOMEM;
        return false;
    }
    advise_huge(to, new_bytes);
    count_live(0, new_bytes - old_bytes);
    return true;
}

void *large_resize(void *p, size_t old_size, size_t new_size, size_t align, bool zeroed)
{
    if (large_resize_in_place(p, old_size, new_size, align, zeroed))
        return p;
    void *to = large_reserve(new_size, align);
    if (to == NULL || large_move(p, old_size, to, new_size))
        return to;
    large_unreserve(to, new_size);
    return NULL;
}
