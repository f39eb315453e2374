#include "lock.h"

OS_SMALL_STATE struct os_lock locks[LOCK_COUNT];

#if ALLOC_THREADS

static void end_fork(unsigned count)
{
    while (count-- > 0)
        os_lock_end_fork(&locks[count]);
}

/* All locks, or none and the one that somebody else holds. */
static struct os_lock *try_begin_fork(void)
{
    for (unsigned i = 0; i < LOCK_COUNT; i++)
        if (!os_lock_begin_fork(&locks[i])) {
            end_fork(i);
            return &locks[i];
        }
    return NULL;
}

/* The forking thread may be inside of a lock already, by way of a signal handler; so nobody may wait for a lock with
 * others in hand. */
void lock_begin_fork(void)
{
    for (struct os_lock *held = try_begin_fork(); held != NULL; held = try_begin_fork()) {
        os_lock_acquire(held);
        os_lock_release(held);
    }
}

void lock_end_fork(void) { end_fork(LOCK_COUNT); }

#endif
