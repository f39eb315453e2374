/* A program with fork handlers of its own, registered while it has one thread: one waits for a thread that allocates, and one,
 * a library's that came even earlier, allocates. */
#include "fork_library.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool is_over;

static void prepare(void) { pthread_mutex_lock(&mutex); }
static void end(void) { pthread_mutex_unlock(&mutex); }

enum { ROUNDS = 300, SIZE = 32768, COUNT = 64 }; /* of which few fit into what the allocator hands out without a lock */

static void use(void)
{
    void *blocks[COUNT];
    for (int i = 0; i < COUNT; i++)
        if ((blocks[i] = malloc(SIZE)) == NULL)
            abort();
    for (int i = 0; i < COUNT; i++)
        free(blocks[i]);
}

static void *allocate(void *unused)
{
    while (!is_over) {
        pthread_mutex_lock(&mutex);
        use();
        pthread_mutex_unlock(&mutex);
    }
    return unused;
}

int main(void)
{
    pthread_t threads[2];
    if (pthread_atfork(prepare, end, end) != 0)
        return 1;
    for (int i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, allocate, NULL) != 0)
            return 1;
    for (int round = 0; round < ROUNDS; round++) {
        int status;
        pid_t child = fork();
        if (child == 0) {
            use();
            _exit(0);
        }
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
            return 1;
    }
    is_over = true;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    return handler_calls() == ROUNDS ? 0 : 1;
}
