/* Sizes of large blocks whose owner will not pass them back: an entry per MiB of the address space, in tables for a region
 * each. The natural alignment of the smallest large block is a MiB, so that no two begin in the same one. Any thread.
 */
#ifndef ALLOC_BLOCK_H
#define ALLOC_BLOCK_H

#include <stdbool.h>
#include <stddef.h>

#define BLOCK_ALIGN ((size_t)1 << 20)

/* `p` is a multiple of BLOCK_ALIGN. False: no memory for its table. */
bool block_record(const void *p, size_t size);

/* 0: no block begins there. Any address may be asked for. */
size_t block_size(const void *p);

/* The block is given up; returns its size. Of threads that do so at the same time, one gets it, the others 0. */
size_t block_forget(const void *p);

#endif
