/* Families: what lives and dies together, see struct family. A thread's first use of one makes a heap for it; from then on it is
 * found in the thread's table, and allocates and frees as any heap does.
 *
 * Nothing of a family waits anywhere but in its own heaps: frees by other threads are pushed at once, and slabs of heaps without a
 * thread are not taken over. So a reset has only these heaps to clear.
 */
#ifndef ALLOC_FAMILY_H
#define ALLOC_FAMILY_H

#include "heap.h"

/* A family of that name and limit in bytes, for the handle. NULL: no memory. */
struct family *family_begin(void *handle, const char *name, size_t limit);

/* Nobody uses the family meanwhile: every block of it is gone, and its memory is free. Housekeeping. */
void family_reset(struct family *family);

/* It has no block, and may serve again. */
void family_end(struct family *family);

/* Makes the calling thread's heap for a family the one that it allocates from, until family_leave gets what this returns. NULL: no
 * memory. A thread that is too late for heaps borrows one. */
struct heap *family_enter(struct family *family);
void family_leave(struct heap *before);

/* The family after another one, or the first one, NULL. Families stay. */
struct family *family_next(const struct family *family);

#define FAMILY_NAME 64

/* The first bytes of its name, whole characters of UTF-8. False: it ended. */
bool family_name(const struct family *family, char name[FAMILY_NAME]);

#endif
