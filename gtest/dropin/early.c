/* A program that allocates from its first moment to its last: before any constructor has run (unless FIRST_IN_A_LIBRARY: then
 * it is a constructor of a library that comes first), in main, and in a destructor. Exit status 0 when all is well. */
#include "early.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *first;

static void before_constructors(void)
{
    first = malloc(1000);
    memset(first, 1, 1000);
}
#ifndef FIRST_IN_A_LIBRARY
__attribute__((section(".preinit_array"), used)) static void (*const preinit)(void) = before_constructors;
#endif

/* The library's have slots of 1024 bytes; the system's malloc would say 1000. */
static void require_ours(void *block)
{
    if (malloc_usable_size(block) == 1024)
        return;
    fprintf(stderr, "a block of %zu bytes is not the library's\n", malloc_usable_size(block));
    _exit(1);
}

__attribute__((destructor)) static void end(void)
{
    void *block = malloc(1000);
    require_ours(block);
    free(block);
    free(early_block(2));
}

int main(void)
{
#ifdef FIRST_IN_A_LIBRARY
    before_constructors();
#endif
    require_ours(first);
    if (memchr(first, 0, 1000) != NULL)
        return 2;
    first = realloc(first, 1010);
    require_ours(first);
    free(first);
    for (int i = 0; i < 2; i++) {
        if (malloc_usable_size(early_block(i)) == 0)
            return 3;
        free(early_block(i));
    }
    return 0;
}
