/* The table of units: what is known of each 64 KiB of addresses, by their number, in tables for a window each, of which what is
 * not used is never touched.
 *
 * A unit's entry says what run of free memory begins or ends there (pages.c). Slabs have theirs in their region; for large blocks,
 * tables are provided window by window, each with a second one beside it: the sizes of the blocks that begin there. That one is a page
 * per window, so that to know every block costs next to nothing.
 */
#ifndef ALLOC_UNITS_H
#define ALLOC_UNITS_H

#include "reservation.h"

#include <stdatomic.h>
#include <stdint.h>

#define UNIT_SHIFT   16 /* the largest page size there is */
#define UNIT         ((size_t)1 << UNIT_SHIFT)
#define ADDRESS_BITS 48

/* A unit's number: its address, shifted. 0: none. */
typedef uint32_t unit_id;

/* Lists that a run is in: by what it can serve, of any alignment or of its natural one, and by age. */
enum link { BY_SIZE, BY_ROOM, INDEXES, BY_AGE = INDEXES, LINKS };

struct unit {
    /* under the lock of the space */
    uint32_t units;       /* of the free run that begins or ends here; 0: none does */
    uint32_t dirty_since; /* of the run that begins here, in milliseconds */
    union {
        struct {
            unit_id next, previous;
        } links[LINKS];
        struct { /* of the large block of a family that begins here, under LOCK_FAMILIES */
            struct family *family;
            unit_id next, previous;
        } member;
    };
    uint8_t state; /* of the run that begins or ends here */
    /* any thread's */
    _Atomic uint8_t is_freed;    /* a block began here and was freed, and none has begun here since */
    _Atomic uint32_t page_count; /* of the block that begins here, where the table of sizes cannot tell */
};

static inline unit_id unit_id_of(const void *p) { return (unit_id)((uintptr_t)p >> UNIT_SHIFT); }
static inline char *unit_address(unit_id id) { return (char *)((uintptr_t)id << UNIT_SHIFT); }

#define WINDOW_UNITS      (WINDOW / UNIT)
#define UNIT_TABLE_OFFSET ((size_t)256 << 10) /* of a region's, behind its other tables */
#define UNIT_TABLE_SIZE   (WINDOW_UNITS * sizeof(struct unit))

/* The same for large blocks. NULL: their window has no table. */
struct unit *units_find(unit_id id);

/* The last unit up to this one, or the first one from it on, that has an entry there. 0: none has. */
unit_id units_before(unit_id id);
unit_id units_from(unit_id id);

/* The entry of a unit of a space. NULL: there is none, so that no run can begin or end there. */
static inline struct unit *unit_of(enum space space, unit_id id)
{
    if (space == SPACE_BLOCKS)
        return units_find(id);
    uintptr_t window = (uintptr_t)unit_address(id) & ~(uintptr_t)(WINDOW - 1);
    return (struct unit *)(window + UNIT_TABLE_OFFSET) + id % WINDOW_UNITS;
}

/* Sees to it that a unit has an entry. False: there is no memory for its table. */
bool units_provide(enum space space, unit_id id);
/* The same for large blocks, with LOCK_GROWTH held. */
bool units_provide_locked(unit_id id);

/* ---- large blocks: any thread ---------------------------------------------------------------------------------------- */

#define BLOCK_MAX ((size_t)UINT32_MAX << 12)

/* A block of so many bytes begins here, whole pages. False: no memory to know it, or more than an entry can tell. */
bool unit_record(const void *p, size_t size);

/* Its size. 0: no block begins there. Any address may be asked for. */
size_t unit_recorded(const void *p);

/* The block that an address lies in, and its size. NULL: it lies in none. Any address may be asked for. As many steps as there are units
 * from the start of the block, or of the last one before. */
char *unit_block_at(const void *p, size_t *size);

/* The block is given up. False: there is none. Of threads that do so at the same time, one is told that there was. */
bool unit_forget(const void *p);

/* Whether a block began here and was freed, and none has begun here since. Any address may be asked for. */
bool unit_is_freed(const void *p);

/* ---- large blocks of families ----------------------------------------------------------------------------------------- */

struct family;

/* The family of the block that begins here. NULL: none. Any address may be asked for. */
struct family *unit_family(const void *p);

/* A recorded block joins the list of its family's; one that is given up leaves it. */
void unit_join(struct family *family, unit_id *list, const void *p);
void unit_leave(unit_id *list, const void *p);

#endif
