/* Slabs between two lives, and the map blocks that served before.
 *
 * The memory of an empty slab is a run of the page heap's; its header stays where it is. A slab for which there was no memory
 * for maps is set aside, and taken last: it would hide the others.
 */
#ifndef ALLOC_POOL_H
#define ALLOC_POOL_H

#include "region.h"

/* A slab nobody else has, with usable memory of undefined contents. NULL when there is none. Any thread, no lock held. */
struct slab *pool_take(enum slab_kind kind);

/* One that was set aside. */
struct slab *pool_take_unfit(enum slab_kind kind);

/* Makes the memory of an empty slab, pooled by its owner, free. */
void pool_give_back(struct slab *slab);

/* Puts back a slab just taken that its taker has no memory to begin. */
void pool_set_aside(struct slab *slab);

/* A block for a map over `slots` slots of a class; *clean tells whether it is still zero. */
struct map *pool_take_map(enum slab_kind kind, size_t class, size_t slots, bool *clean);
void pool_give_map(enum slab_kind kind, size_t class, size_t slots, struct map *map);

#endif
