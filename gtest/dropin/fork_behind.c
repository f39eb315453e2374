/* A program that knows of the drop-in only by way of a library, so that the C library comes before it where symbols are looked
 * up. It forks in a thread; in the child, that thread and a new one must not share a heap: their blocks lie in slabs of their
 * own, of 64 KiB. */
#include "fork_library.h"

#include <pthread.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

static void *allocate(void *unused)
{
    (void)unused;
    return library_block();
}

static void *in_new_thread(void *(*function)(void *))
{
    pthread_t thread;
    void *result = NULL;
    if (pthread_create(&thread, NULL, function, NULL) == 0)
        pthread_join(thread, &result);
    return result;
}

static int slabs_are_apart(void)
{
    uintptr_t other = (uintptr_t)in_new_thread(allocate), own = (uintptr_t)library_block();
    return other != 0 && own != 0 && other >> 16 != own >> 16;
}

/* NULL if all is well. */
static void *fork_once(void *unused)
{
    static int status;
    library_block();
    pid_t child = fork();
    if (child == 0)
        _exit(slabs_are_apart() ? 0 : 1);
    return child > 0 && waitpid(child, &status, 0) == child && status == 0 ? unused : &status;
}

int main(void)
{
    library_block();
    return in_new_thread(fork_once) == NULL ? 0 : 1;
}
