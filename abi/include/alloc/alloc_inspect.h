/* alloc: questions about single addresses and about all blocks, for debuggers, leak checkers and tests.
 *
 * None of this is fast: what is said of each function is how many steps it takes. Under valgrind, which replaces the functions that
 * allocate, no block is known here.
 */
#ifndef ALLOC_INSPECT_H
#define ALLOC_INSPECT_H

#include <alloc/alloc_std.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Since 1.2, all of them. */

/* Whether an address lies in memory that blocks are made of: in a slab, in a live block above 512 KiB, or in what is kept of freed
 * ones. 1 or 0. Any value may be passed: nothing is read from there. 0 also for what the library keeps about the memory, and for
 * addresses that it never handed out. Steps as alloc_block. Any thread, at any time. */
ALLOC_API int alloc_owns(const void *address) ALLOC_NOEXCEPT;

enum alloc_block_state {
    ALLOC_BLOCK_NONE =
        0, /* no block: not the library's memory, or such as is in no block at the moment (alloc_owns tells) */
    ALLOC_BLOCK_FREE = 1, /* a block that is free, or was never handed out */
    ALLOC_BLOCK_LIVE = 2, /* a block that the program has */
    ALLOC_BLOCK_UNKNOWN =
        3 /* the program has it, or another thread does not yet give back what it freed; never of a block above
                               512 KiB, nor in the debug build, nor while there has been but one thread */
};

enum alloc_block_kind {
    ALLOC_BLOCK_SLOT = 1, /* one of the blocks of one size that a slab is cut into */
    ALLOC_BLOCK_LARGE = 2 /* above 512 KiB, or with a larger alignment; only live ones are known */
};

/* In C++ the function hides the constructor that the struct does not have. */
#if defined(__cplusplus) && defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#endif

struct alloc_block {
    void *start;                  /* of the block that the address lies in, also where it is not its start */
    size_t size;                  /* bytes that the block holds: at least what was asked for */
    enum alloc_block_state state; /* NONE: all else is zero */
    enum alloc_block_kind kind;
    int is_own; /* 1: a slot of a slab that the calling thread allocates from, or did */
};

/* Fills the first `size` bytes of *out with what is known of the block that an address lies in, zero beyond what the library knows;
 * sizeof *out is right whatever the library's version. 0, or -1 with errno EINVAL: out is NULL. Any value may be passed as address:
 * nothing is read from there. Any thread, at any time; of blocks that others allocate or free meanwhile the answer is of one moment.
 * A block that the program has, and that the calling thread knows to be there, is never called free.
 *
 * The debug build knows each slot's state exactly. The release build knows what slabs tell: free are slots that were never handed out, that were
 * given back, or that the calling thread holds for its next allocations (up to 64 of a size, those freed last, and those of other threads'
 * slabs on their way back). What another thread holds in this way it does not know: UNKNOWN.
 *
 * O(1) for slots; for others as many steps as there are pieces of 64 KiB between the address and the start of the block, or of the last
 * one before it. */
ALLOC_API int alloc_block(const void *address, struct alloc_block *out, size_t size) ALLOC_NOEXCEPT;

#if defined(__cplusplus) && defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

/* Calls visit(context, start, size) for every live block, of every function's and of every thread's, in no particular order, until a
 * call returns something else than 0. Returns what the last call did, 0 if there was none. `size` is what the block holds.
 * Free are also the blocks that a thread holds back for its next allocations, and those of another thread's slabs that are on their way
 * there: the walk is exact.
 *
 * No other thread may be inside a function of the library meanwhile, nor may `visit` call one but alloc_owns, alloc_block and the
 * statistics. As many steps as there are slots ever handed out, for each 64 of them one per thread there was, and pieces of 64 KiB in the
 * windows of 128 MiB that have had blocks above 512 KiB. */
ALLOC_API int alloc_walk(int (*visit)(void *context, void *start, size_t size), void *context);

#ifdef __cplusplus
}
#endif

#endif
