/* Address space that was never used: handed out from the start of a reservation, which grows at its end.
 *
 *     start                next               committed            end
 *       [ handed out        | usable, zero      | addresses only    ]   (addresses left free, to grow into)
 *
 * Each kind of memory has a reservation of its own, because whether huge pages may back memory is a property of a mapping:
 * so a reservation stays two mappings whatever happens inside. It begins small and doubles; where addresses are short, it
 * takes what is asked for and no more. Where it cannot grow in place, another one takes its place.
 */
#ifndef ALLOC_RESERVATION_H
#define ALLOC_RESERVATION_H

#include "memory.h"

#define WINDOW_SHIFT 27
#define WINDOW       ((size_t)1 << WINDOW_SHIFT) /* what reservations begin at a multiple of */
#define COMMIT_SIZE  ((size_t)2 << 20)           /* committed at a time: each commit locks the process's mappings */

/* What follows is called under LOCK_GROWTH, where not said otherwise, the only one that is held across system calls. */

/* The next address of a space. NULL: it has none yet. */
char *reservation_next(enum space space);

/* Makes sure that `size` more bytes of addresses lie at reservation_next. False: they are taken, or addresses are short. */
bool reservation_extend(enum space space, size_t size);

/* Begins another reservation, with addresses for `size` bytes, at a multiple of WINDOW and of `align`. False: the old one
 * stays. */
bool reservation_begin(enum space space, size_t size, size_t align);

/* Hands out the next `size` bytes, of which there are addresses, usable and zero. NULL: the system refuses the memory. */
char *reservation_take(enum space space, size_t size);
/* Takes back what was handed out last. */
void reservation_untake(enum space space, size_t size);

/* Makes addresses that were handed out and given back to the system usable again, zero. Any thread. */
enum restored { RESTORED, NOT_RESTORED, TAKEN_BY_OTHERS };
enum restored reservation_restore(enum space space, void *start, size_t size);

/* Gives addresses that were handed out back to the system. False: it refuses. Any thread. */
bool reservation_release(enum space space, void *start, size_t size);
/* They are gone already. */
void reservation_lose(enum space space, size_t size);

/* Gives back what was reserved beyond what is handed out. 0: nothing. */
size_t reservation_trim(enum space space);

/* Whether memory or addresses are short. Any thread. */
bool reservation_is_short(void);

/* Bytes of addresses in all. Any thread. */
size_t reservation_reserved(enum space space);
/* Those that are not handed out. */
size_t reservation_left(enum space space);

/* Memory for what the engine keeps about memory, zero, a multiple of `align`, up to WINDOW; never given back. NULL when there
 * is none. Takes LOCK_GROWTH. */
void *meta_allocate(size_t size, size_t align);
/* The same, with the lock held. */
void *meta_allocate_locked(size_t size, size_t align);

#endif
