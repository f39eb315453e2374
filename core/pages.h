/* The page heap: free memory in runs of 64 KiB units, for slabs and large blocks alike.
 *
 *   dirty   has pages, of undefined contents: the first to be taken; purged when nobody has taken it for a while
 *   clean   has none, is known to be zero
 *   released  clean, and its addresses went back too, because they were short: they are asked for again
 *   never used yet: what a space's reservation (reservation.h) has left
 *
 * What is known of a run is in the table of units, in the entries of its first and last unit: nothing is ever written to free
 * memory, and a run finds its neighbours by looking to its left and right. A run is split and merged at once. Of runs that
 * can serve a request the smallest but for the steps of the index is taken: two-level segregated fit, after TLSF (Masmano,
 * Ripoll, Crespo, Real, 2004), once by size and once by the largest block that fits at its natural alignment.
 *
 * Each space has its own runs and its own lock, held for some dozen instructions and never across a system call. Sizes are
 * multiples of UNIT, alignments powers of two. Any thread.
 */
#ifndef ALLOC_PAGES_H
#define ALLOC_PAGES_H

#include "units.h"

/* Free memory of a space at a multiple of `align`. NULL: there is none that fits. What is clean is charged by this. */
void *pages_take_dirty(enum space space, size_t size, size_t align);
void *pages_take_clean(enum space space, size_t size, size_t align);

/* As many bytes as are asked for that lie behind a block, if they are free. *zero: they are. */
bool pages_take_at(enum space space, char *start, size_t size, bool *zero);

/* Makes memory free, and gives back what is more than the space may keep. */
void pages_give(enum space space, void *start, size_t size);
/* The same for memory that has no pages and is not charged; nothing, if size is 0. */
void pages_give_clean(enum space space, void *start, size_t size);

/* Gives some of what has been dirty longest back to the system, where that is long enough. In all spaces, a step each; for slow
 * paths of any kind. */
void pages_purge_aged(void);
/* Of what has been dirty longest, however short, at most so many bytes, of one run. False: nothing is dirty. */
bool pages_purge_oldest(enum space space, size_t most);

/* Where the system or the limit refuses memory: gives back as much of what is free, addresses too, in 1,024 steps at most. False: nothing
 * was. */
bool pages_reclaim(size_t size);

/* Whether an address lies in free memory of large blocks. As many steps as there are units from where the memory begins, or the block before
 * it. Any address may be asked for. */
bool pages_are_free(const void *p);

struct pages_counts {
    size_t dirty_runs;
    size_t dirty, clean, released; /* bytes */
};
struct pages_counts pages_count(enum space space);

#if ALLOC_DEBUG
/* Every run of a space: in its lists, whole, and merged. */
void pages_check(enum space space);
#endif

#endif
