/* Memory of large blocks that were freed, for the next ones: pieces, keyed by the size they can serve.
 *
 * A piece serves a block from its start; what is left of it stays, and joins the block again when that is freed. So the
 * memory behind a block that alternates between sizes is neither unmapped nor faulted in each time.
 *
 * A piece has two keys: its size, for blocks that need no more than a page's alignment, and for others its size, or the
 * alignment of its start if that is less: what has room for n bytes by that also has their natural alignment. Every function is O(1), takes the cache's lock for a few instructions and calls nobody; what is to
 * be released is handed to the caller.
 */
#ifndef ALLOC_CACHE_H
#define ALLOC_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct range {
    char *start;
    size_t size; /* 0: none */
};

/* Takes `size` bytes at a multiple of `align`. What comes may be shorter: a piece that would do if it were extended. */
struct range cache_take(size_t size, size_t align);

/* Takes the `size` bytes that begin at `start`, if they are cached. */
bool cache_take_at(char *start, size_t size);

/* Puts memory in. False: there is no room to keep track of it. `*is_double`: some of it is there already. */
bool cache_put(struct range range, uint32_t now, bool *is_double);

/* Of the piece that was put in first: all of it, if it has been there for `age` milliseconds; else as much as is more
 * than `limit` bytes in all. */
struct range cache_evict(uint32_t now, size_t age, size_t limit);

/* Of the piece that was put in last: as much as is more than `limit` bytes in all. */
struct range cache_trim(size_t limit);

struct cache_counts {
    size_t pieces, bytes;
};
struct cache_counts cache_count(void);

#endif
