/* Works on blocks in two threads and in a forked child, by the names of malloc and, with SIZED, by those of alloc. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef SIZED
#include <alloc/alloc_std.h>
#define allocate         alloc_malloc
#define release(p, size) alloc_free(p, size)
#else
#define allocate         malloc
#define release(p, size) free(p)
#endif

static void *work(void *right)
{
    for (size_t i = 0; i < 1000; i++) {
        size_t size = 1 + i * i;
        char *block = allocate(size);
        if (block == NULL)
            return NULL;
        memset(block, 1, size < 1000 ? size : 1000);
        release(block, size);
    }
    return right;
}

int main(int argc, char **argv)
{
    (void)argc;
    pthread_t thread;
    void *right = NULL;
    if (pthread_create(&thread, NULL, work, argv) != 0 || work(argv) != argv || pthread_join(thread, &right) != 0)
        return 1;
    pid_t child = fork();
    if (child == 0)
        _exit(work(argv) == argv ? 0 : 1);
    int status = -1;
    if (child < 0 || waitpid(child, &status, 0) != child)
        return 1;
    puts(right == argv && status == 0 ? "right" : "wrong");
    return 0;
}
