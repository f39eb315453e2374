/* Empty slabs between two lives, and the map blocks that served before.
 *
 *   cached   with their memory, the newest first to be taken. Together at most OPTION_CACHE_LIMIT bytes, and each for
 *            OPTION_PURGE_AGE: whoever takes a slab or gives one back later also purges one that is older
 *   purged   without. Decommitted, where memory was refused: then it does not count against the system's limits either
 *   unfit    for which there was no memory for maps: taken last, or they would hide the others
 *
 * A purge never runs inside a lock.
 */
#ifndef ALLOC_POOL_H
#define ALLOC_POOL_H

#include "region.h"

/* A slab nobody else has, with usable memory of undefined contents: an empty one, else a fresh one. NULL when there is no
 * memory. Any thread, no lock held. */
struct slab *slab_take(enum slab_kind kind);

/* One that was set aside. */
struct slab *slab_take_unfit(enum slab_kind kind);

/* Puts an empty slab, pooled by its owner, where any thread can take it. */
void slab_give_back(struct slab *slab);

/* Puts back a slab just taken that its taker has no memory to begin. */
void slab_set_aside(struct slab *slab);

/* Purges the slab that has been cached longest. False: none is cached. */
bool pool_purge_oldest(void);

/* Where the system or the limit refuses `size` bytes: gives back as much of what is cached, large blocks too, in 1,024 steps at
 * most. False: nothing was. */
bool reclaim(size_t size);

/* A block for a map over `slots` slots of a class; *clean tells whether it is still zero. */
struct map *map_acquire(enum slab_kind kind, size_t class, size_t slots, bool *clean);
void map_release(enum slab_kind kind, size_t class, size_t slots, struct map *map);

struct pool_counts {
    size_t cached[SLAB_KINDS]; /* slabs */
    size_t purged[SLAB_KINDS];
};

struct pool_counts pool_count(void);

#endif
