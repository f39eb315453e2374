/* A library whose constructor comes before nearly all others and uses up what a process starts with: it registers more fork
 * handlers and creates more keys than the C library has places for without allocating, and it allocates. */
#include "early.h"

#include <pthread.h>
#include <stdlib.h>

static void *blocks[3];

static void nothing(void) {}

__attribute__((constructor(101))) static void begin(void)
{
    pthread_key_t key;
    for (int i = 0; i < 100; i++)
        pthread_atfork(nothing, nothing, nothing);
    for (int i = 0; i < 100; i++)
        if (pthread_key_create(&key, NULL) != 0 || pthread_setspecific(key, &blocks) != 0)
            abort();
    blocks[0] = malloc(100);
    blocks[1] = calloc(1, 2 << 20);
    if (posix_memalign(&blocks[2], 4096, 5000) != 0)
        abort();
}

void *early_block(int number) { return blocks[number]; }
