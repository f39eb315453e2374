/* Sizes of large blocks whose owner will not pass them back: an entry per page of the address space, in tables for 128 MiB
 * each, of which what is not used is never touched. Any thread. */
#ifndef ALLOC_BLOCK_H
#define ALLOC_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCK_MAX ((size_t)UINT32_MAX << 12)

/* `p` and `size` are multiples of the page size. False: no memory for its table, or more than an entry can tell. */
bool block_record(const void *p, size_t size);

/* 0: no block begins there. Any address may be asked for. */
size_t block_size(const void *p);

/* The block is given up; returns its size. Of threads that do so at the same time, one gets it, the others 0. */
size_t block_forget(const void *p);

#endif
