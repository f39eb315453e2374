/* What gdb looks at: blocks of known sizes and states, in two threads. Prints `name address` lines, then waits to be looked at. */
#include <alloc/alloc_std.h>

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static pthread_barrier_t reached;
static void *given[3];
/* Compilers warn of pointers that are used once they are freed. */
static void (*volatile unseen_free)(void *, size_t) = alloc_free;

static void show(const char *name, const void *address) { printf("%s %p\n", name, address); }

static void *work(void *unused)
{
    void *own = alloc_malloc(4096);
    show("other_live", own);
    unseen_free(given[0], 16);   /* waits in the outbox */
    unseen_free(given[1], 4096); /* held back for this thread */
    pthread_barrier_wait(&reached);
    pause();
    return unused;
}

int main(void)
{
    pthread_t thread;
    void *kept = alloc_malloc(96), *freed = alloc_malloc(100), *large = alloc_malloc((1 << 20) + 1);
    void *many[100];
    pthread_barrier_init(&reached, NULL, 2);
    given[0] = alloc_malloc(16);
    given[1] = alloc_malloc(4096);
    for (int i = 0; i < 100; i++)
        many[i] = alloc_malloc(2048);
    for (int i = 0; i < 10; i++)
        unseen_free(many[i], 2048);
    if (pthread_create(&thread, NULL, work, NULL) != 0)
        return 1;
    pthread_barrier_wait(&reached);
    unseen_free(freed, 100);
    show("live", kept);
    show("inside", (char *)kept + 17);
    show("held_back", freed);
    show("freed_by_owner", many[9]);
    show("never", (char *)many[99] + 10 * 2048);
    show("outbox", given[0]);
    show("held_by_other", given[1]);
    show("large", large);
    show("inside_large", (char *)large + (1 << 20));
    show("local", &thread);
    puts("ready");
    fflush(stdout);
    (void)getchar();
    return 0;
}
