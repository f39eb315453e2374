/* A program that loads a library whose constructor waits for a thread, which makes its first allocation meanwhile: that must
 * not wait for the dynamic loader. */
#include "fork_library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool is_locked, is_loading;

void wait_in_constructor(void)
{
    is_loading = true;
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
}

static void *allocate(void *unused)
{
    pthread_mutex_lock(&mutex);
    is_locked = true;
    while (!is_loading)
        usleep(1000);
    void *volatile block = malloc(100);
    free(block);
    pthread_mutex_unlock(&mutex);
    return unused;
}

/* So that neither creating a thread nor loading has to take anything from behind a lock. */
static void warm_up(void)
{
    for (size_t size = 8; size < 70000; size += 8) {
        void *volatile blocks[3];
        for (int i = 0; i < 3; i++)
            blocks[i] = malloc(size);
        for (int i = 0; i < 3; i++)
            free(blocks[i]);
    }
}

int main(int count, char **arguments)
{
    pthread_t thread;
    warm_up();
    if (count != 2 || pthread_create(&thread, NULL, allocate, NULL) != 0)
        return 1;
    while (!is_locked)
        usleep(1000);
    if (dlopen(arguments[1], RTLD_NOW) == NULL)
        return 1;
    return pthread_join(thread, NULL);
}
