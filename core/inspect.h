/* What an address lies in, and every block there is: for questions that the program asks about itself. Housekeeping. */
#ifndef ALLOC_CORE_INSPECT_H
#define ALLOC_CORE_INSPECT_H

#include <stdbool.h>
#include <stddef.h>

enum inspect_state {
    INSPECT_FOREIGN, /* no memory that blocks are made of */
    INSPECT_UNUSED,  /* memory that is no block's at the moment */
    INSPECT_FREE,    /* a slot that is free */
    INSPECT_LIVE,    /* a block that the program has */
    INSPECT_UNKNOWN  /* a slot that the program has, or that some other thread holds back since it was freed */
};

/* start, size and what follows are of a block. */
struct inspect_block {
    enum inspect_state state;
    char *start;
    size_t size;
    bool is_slot;
    bool is_own; /* its slab is the calling thread's */
};

/* Any address may be asked for, by any thread at any time. */
struct inspect_block inspect(const void *p);

/* Visits every live block until a visit's result is not 0, which is returned. Nobody else may be inside the engine. */
int inspect_walk(int (*visit)(void *context, void *start, size_t size), void *context);

#endif
