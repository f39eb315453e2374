/* Settling: who looks at a slab, when, and what becomes of it.
 *
 * A slab is current, parked, available or pooled. Which frees make somebody look is said at settle.c's look_at.
 */
#ifndef ALLOC_SETTLE_H
#define ALLOC_SETTLE_H

#include "slab.h"

struct heap;

/* ---- the owner's side ------------------------------------------------------------------------------------------- */

/* Prepares a slab just taken for a new life as the current slab of a bin. False: no memory for its maps; the slab is
 * as it was. */
bool settle_begin(struct slab *slab, struct bin *bin, size_t class);

/* A current slab becomes parked, available or, if it is empty, is given back. */
void settle_park(struct slab *slab);

/* The owner's look, when countdown has reached 0. */
void settle_owner(struct slab *slab);

/* The owner looks at one slab of its heap's revisit list. False: there is none. */
bool settle_revisit(struct heap *heap);

/* Takes the next available slab of a bin, which becomes current. */
struct slab *settle_take_available(struct bin *bin);

/* The same of those that were swept. */
struct slab *settle_take_swept(struct bin *bin);

/* As settle_take_available, of a bin whose heap has no thread and is the caller's for the moment: the slab changes hands. */
struct slab *settle_take_over(struct bin *from, struct bin *bin);

/* Has a slab leave a family's heap, whatever its slots: nobody frees or allocates any of the family meanwhile. NULL: there is none
 * left. */
struct slab *settle_evict(struct heap *heap);

/* Takes the next available slab of a bin if most of it is free, and it was not swept; it becomes current. */
struct slab *settle_take_sparse(struct bin *bin);

/* Whether three quarters of what a current slab has handed out is free again; its owner asks. */
bool settle_is_idle_current(struct slab *slab);

/* ---- anybody's side --------------------------------------------------------------------------------------------- */

/* What anybody may know of a slab. */
struct settle_glance {
    enum slab_state state;
    size_t class;
    const struct family *family; /* NULL: none */
    uint32_t capacity, granted;
    uint32_t free; /* of a current slab, only its owner knows: then 0 */
};

/* Looks at a slab from outside, for statistics. */
struct settle_glance settle_glance(struct slab *slab);

/* What anybody may know of the slot that an address lies in. */
struct settle_slot {
    const struct bin *bin; /* of the slab's owner. NULL: no slot lies there */
    char *start;
    size_t size;
    bool
        is_free; /* never handed out, or its slab says so: bins and outboxes may hold free slots that it knows nothing of */
};

/* Looks at a slot of a slab from outside. */
struct settle_slot settle_slot(struct slab *slab, const void *p);

/* Frees slots of one map word that another heap owns: bits first, then the count, then a look if it is time for one.
 * A constant number of instructions without a retry. Returns those that were free already: none, or it is misuse. */
uint64_t settle_push(struct slab *slab, size_t word, uint64_t mask);

/* The parts of a push after its bits are reachable. A test stops in between. */
void settle_push_count(struct slab *slab, unsigned count);

#endif
