/* A library that knows nothing of the drop-in and is initialised before it, with a fork handler that allocates. */
#include "fork_library.h"

#include <pthread.h>
#include <stdlib.h>

static int calls;

static void allocate(void)
{
    void *volatile block = malloc((size_t)3 << 20);
    free(block);
    calls++;
}

__attribute__((constructor)) static void begin(void)
{
    if (pthread_atfork(allocate, NULL, NULL) != 0)
        abort();
}

int handler_calls(void) { return calls; }
