/* A slab: 64 KiB, 512 KiB or 2 MiB of slots of one size, and its header in the region's table.
 *
 *     handed out  +  (armed - countdown)  +  (pushed - popped)  +  (capacity - granted)  =  capacity
 *                    freed by its owner      freed by others       never handed out
 *
 * A slab's free slots are bits in two maps: slab.local has what its owner freed, slab.remote what others did. Neither a free
 * nor an allocation touches a slot, and slots come out in address order.
 *
 * A slab is
 *   pooled      in no heap; bin is NULL. Set aside, if there was no memory for its maps
 *   current     its bin allocates from it; only its owner looks at it
 *   parked      owned, not listed
 *   available   owned and listed in its bin, because it has enough free slots to be worth taking up again
 *
 * State, lists, granted and armed change under the lock of the heap that owns the slab, but for a current slab, where they
 * are its owner's. See look_at in settle.c for who looks at a slab, and when.
 */
#ifndef ALLOC_SLAB_H
#define ALLOC_SLAB_H

#include "map.h"
#include "region.h"
#include "size_class.h"

#include <stdatomic.h>

struct bin;

enum slab_state { SLAB_POOLED, SLAB_CURRENT, SLAB_PARKED, SLAB_AVAILABLE, SLAB_SET_ASIDE };

/* A slab's number: its region and its index, 0 for none. Half the size of a pointer. */
typedef uint32_t slab_id;

struct slab_links {
    slab_id next, previous;
};

/* What the links are used for: lists that a slab can be in at the same time. */
enum slab_links_use {
    LINKS_STATE,   /* its bin's available slabs, or a pool */
    LINKS_REVISIT, /* its heap's slabs that the owner should look at */
    LINKS_USES,
    LINKS_FAMILY = LINKS_USES /* all of a family's heap; these lie in struct remote, for want of room */
};

/* A list's first slab. Changed under a lock; whether it is empty may be read without. */
typedef _Atomic slab_id slab_list;

struct slab {
    _Atomic(struct bin *) bin; /* the owner's bin for this class, with BIN_CALLED; any thread reads it, see cold_free */
    struct map *local;         /* what the owner freed; owner only. NULL: the slab has no maps */
    _Atomic uint32_t countdown; /* local frees until the owner looks; the owner writes it, last of all in a free */
    uint32_t armed;             /* what countdown would be with no slot in local */
    _Atomic uint32_t notify_at; /* the remote.pushed at which whoever pushes looks */
    _Atomic uint32_t granted;   /* slots ever handed out: the lowest ones */
    struct map *remote;         /* what other threads freed */
    struct slab_links links[LINKS_USES];
    uint8_t class;
    uint8_t state; /* enum slab_state */
    uint8_t flags;
    bool has_family;     /* of its owner, which many would have to ask */
    uint32_t reciprocal; /* of its slots' size */
};

_Static_assert(sizeof(struct slab) == 64, "one cache line per slab: the metadata ratio depends on it");

enum slab_flags {
    SLAB_LOCAL_USED = 1,  /* the local map is not known to be zero */
    SLAB_REMOTE_USED = 2, /* the remote map is not known to be zero */
    SLAB_REVISIT = 4,     /* in its heap's revisit list */
    SLAB_SWEPT = 8,       /* pages of it were given back: it is listed apart */
};

/* What most slabs never need, apart from the header: its line is touched when other threads free, and they do not share
 * it with the owner's frees. The counters belong to the slab's index for ever, whatever life the slab is in: a push that
 * is late finds them. They only ever grow. */
struct remote {
    _Atomic uint32_t pushed; /* slots other threads freed */
    uint32_t popped;         /* slots the owner collected of them; may run ahead of pushed; owner only */
    struct slab_links links; /* LINKS_FAMILY */
    char padding[48];
};

_Static_assert(sizeof(struct remote) == 64, "no two slabs' counters share a line");

static inline struct slab *slab_of(const void *p)
{
    struct region *region = region_of(p);
    return (struct slab *)region + (region_offset(p) >> region->slab_shift);
}

/* The slab that an address lies in, whatever it holds. NULL: it lies in none. Any address may be asked for. */
static inline struct slab *slab_find(const void *p)
{
    if (!region_known(p))
        return NULL;
    const struct region *region = region_of(p);
    return region_offset(p) >> region->slab_shift < region_first_slab(region) ? NULL : slab_of(p);
}

/* A mark in slab.bin: the owner is called. Its next free of the slab then does not take the hot path, and looks. */
#define BIN_CALLED ((uintptr_t)1 << 63)

/* The owner's bin, marked or not. NULL: pooled. Acquires, as every store releases: who reads it finds the lock to take in the
 * owner's heap, which may just have been created, or be another's than before. */
static inline struct bin *slab_bin(const struct slab *slab)
{
    return (struct bin *)((uintptr_t)atomic_load_explicit(&slab->bin, memory_order_acquire) & ~BIN_CALLED);
}

static inline enum slab_kind slab_kind_of(const struct slab *slab) { return region_of(slab)->kind; }

static inline slab_id slab_to_id(const struct slab *slab)
{
    return (slab_id)(((uintptr_t)slab >> REGION_SHIFT) << SLAB_INDEX_BITS | region_offset(slab) / sizeof(struct slab));
}

/* `id` is not 0. */
static inline struct slab *slab_from_id(slab_id id)
{
    struct slab *table = (struct slab *)((uintptr_t)(id >> SLAB_INDEX_BITS) << REGION_SHIFT);
    return table + (id & (((slab_id)1 << SLAB_INDEX_BITS) - 1));
}

static inline struct remote *slab_remote(struct slab *slab) { return (struct remote *)((char *)slab + TABLE_SIZE); }

static inline char *slab_start(const struct slab *slab)
{
    struct region *region = region_of(slab);
    return (char *)region + ((region_offset(slab) / sizeof(struct slab)) << region->slab_shift);
}

static inline char *slab_slot(const struct slab *slab, size_t index)
{
    return slab_start(slab) + index * class_slot_size(slab->class);
}

/* The number of the slot that an address lies in. */
static inline uint32_t slab_index(const struct slab *slab, const void *p)
{
    return slot_index((size_t)((const char *)p - slab_start(slab)), slab->reciprocal);
}

/* Whether a slot begins there. */
static inline bool slab_starts_slot_at(const struct slab *slab, const void *p)
{
    return slab_slot(slab, slab_index(slab, p)) == p;
}

/* Slots that a slab has: what fits, and what a map can hold. The division is exact for every class: 2^16 and 2^21 leave
 * a remainder of at most 6/7 of a slot. */
static inline uint32_t slots_that_fit(enum slab_kind kind, uint32_t reciprocal)
{
    uint32_t fit = slot_index(kind_size(kind), reciprocal);
    return fit < MAP_SLOTS_MAX ? fit : MAP_SLOTS_MAX;
}

static inline uint32_t slab_capacity(enum slab_kind kind, size_t class)
{
    return slots_that_fit(kind, class_reciprocal(class_slot_size(class)));
}

/* ---- the owner's side ------------------------------------------------------------------------------------------- */

static inline uint32_t slab_granted(const struct slab *slab)
{
    return atomic_load_explicit(&slab->granted, memory_order_relaxed);
}

static inline void slab_set_granted(struct slab *slab, uint32_t count)
{
    atomic_store_explicit(&slab->granted, count, memory_order_relaxed);
}

/* Slots that the owner freed and that wait in local. */
static inline uint32_t slab_freed_count(const struct slab *slab)
{
    return slab->armed - atomic_load_explicit(&slab->countdown, memory_order_acquire);
}

/* Whether slots that others freed are counted and not collected; the owner asks. Who has not counted yet may hide others, until
 * he has. */
static inline bool slab_has_pushed(struct slab *slab)
{
    return atomic_load_explicit(&slab_remote(slab)->pushed, memory_order_relaxed) != slab_remote(slab)->popped;
}

/* Takes slots out of local; of a current slab. */
static inline void slab_unfree(struct slab *slab, uint32_t count) { slab->armed -= count; }

/* The free slots of a map word, as far as it was granted. Of a slab at rest all; of one in use some may be missing. */
static inline uint64_t slab_free_word(const struct slab *slab, size_t word)
{
    uint64_t free = atomic_load_explicit(&slab->local->word[word], memory_order_relaxed);
    return ALLOC_THREADS ? free | atomic_load_explicit(&slab->remote->word[word], memory_order_relaxed) : free;
}

/* ---- debug builds ------------------------------------------------------------------------------------------------ */

/* The equation above struct slab, bit by bit, as far as its owner, who calls, writes it. */
void slab_check(struct slab *slab);

/* And the rest of it, when nobody uses the slab. */
void slab_check_quiet(struct slab *slab);

#endif
