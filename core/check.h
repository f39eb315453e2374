/* What a debug build (ALLOC_DEBUG) knows of what is handed out: every slot. Large blocks are known in any build.
 *
 * The functions compile to nothing elsewhere: callers have no #if.
 */
#ifndef ALLOC_CHECK_H
#define ALLOC_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#if ALLOC_DEBUG

/* A slot, or a large block, is handed out; returns p. */
void *check_allocated(void *p, size_t size, size_t align);
/* It comes back with a size and an alignment. */
void check_freed(const char *function, void *p, size_t size, size_t align);
/* Whatever was handed out of this memory is gone. */
void check_evicted(const void *start, size_t size);
/* It is named with a size and an alignment and stays. */
void check_named(const char *function, const void *p, size_t size, size_t align);
/* Whether a slot that begins there is handed out. */
bool check_is_out(const void *p);

#else

#define check_allocated(p, size, align)       ((void)(size), (void)(align), (p))
#define check_freed(function, p, size, align) ((void)(function), (void)(p), (void)(size), (void)(align))
#define check_evicted(start, size)            ((void)(start), (void)(size))
#define check_named(function, p, size, align) check_freed(function, p, size, align)

#endif

#endif
