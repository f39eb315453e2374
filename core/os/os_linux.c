#define _GNU_SOURCE
#include "os/os.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#if ALLOC_THREADS
#include "os/os_linux_fork.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#endif
#endif

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24 /* Linux 5.18 */
#endif

size_t os_page_size(void) { return (size_t)getpagesize(); }

/* ---- mappings --------------------------------------------------------------------------------------------------- */

/* Where the last aligned mapping was put, or where the kernel last preferred to put one: it hands addresses out
 * downwards, so below there is room. A wrong hint costs a system call, nothing else: racing writers do no harm. */
OS_SMALL_STATE static _Atomic(uintptr_t) lowest;

static void *map_at(uintptr_t hint, size_t size, int protection)
{
    /* No swap is reserved: what is only reserved must not count, and the rest is counted when it is touched. */
    void *p = mmap((void *)hint, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* Maps at the next aligned address below the last one, or not at all. */
static void *map_below(size_t size, size_t align, int protection)
{
    uintptr_t last = atomic_load_explicit(&lowest, memory_order_relaxed);
    /* Without a hint the kernel stays within ADDRESS_BITS; one near the top would ask it for more, where it has more. */
    void *p = map_at(last > size ? (last - size) & ~(align - 1) : 0, size, protection);
    if (p == NULL)
        return NULL;
    atomic_store_explicit(&lowest, (uintptr_t)p, memory_order_relaxed);
    if (((uintptr_t)p & (align - 1)) == 0)
        return p;
    munmap(p, size);
    return NULL;
}

static void unmap_part(char *start, size_t size)
{
    if (size != 0)
        munmap(start, size);
}

/* Twice the size, the ends given back: always aligned, but a limit on addresses may refuse it. */
static void *map_wide(size_t size, size_t align, int protection)
{
    if (size + align < size)
        return NULL;
    char *wide = map_at(0, size + align, protection);
    if (wide == NULL)
        return NULL;
    size_t before = -(uintptr_t)wide & (align - 1);
    unmap_part(wide, before);
    unmap_part(wide + before + size, align - before);
    return wide + before;
}

static void *map_aligned(size_t size, size_t align, int protection)
{
    if (align <= os_page_size())
        return map_at(0, size, protection);
    void *p = map_below(size, align, protection);
    if (p == NULL) /* the address was taken: once more, below where the kernel went instead */
        p = map_below(size, align, protection);
    return p != NULL ? p : map_wide(size, align, protection);
}

static void advise(void *start, size_t size, int advice)
{
    int saved = errno;
    madvise(start, size, advice);
    errno = saved;
}

void os_dont_dump(void *start, size_t size) { advise(start, size, MADV_DONTDUMP); }

void *os_reserve(size_t size, size_t align, size_t room)
{
    char *start = room == 0 ? NULL : map_aligned(size + room, align, PROT_NONE);
    if (start != NULL)
        unmap_part(start + size, room);
    else
        start = map_aligned(size, align, PROT_NONE);
    if (start != NULL)
        os_dont_dump(start, size);
    return start;
}

bool os_commit(void *start, size_t size)
{
    if (mprotect(start, size, PROT_READ | PROT_WRITE) != 0)
        return false;
    advise(start, size, MADV_DODUMP);
    return true;
}

void *os_map(size_t size, size_t align) { return map_aligned(size, align, PROT_READ | PROT_WRITE); }

void os_purge(void *start, size_t size)
{
    int saved = errno;
    if (madvise(start, size, MADV_DONTNEED) != 0) /* refused where memory is locked */
        madvise(start, size, MADV_DONTNEED_LOCKED);
    errno = saved;
}

bool os_decommit(void *start, size_t size)
{
    int saved = errno;
    /* The addresses stay taken while they are mapped anew. */
    void *p = mmap(start, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    errno = saved;
    if (p == MAP_FAILED)
        return false;
    os_dont_dump(start, size);
    return true;
}

void os_release(void *start, size_t size)
{
    int saved = errno;
    uintptr_t released = (uintptr_t)start; /* pairs of map and release use the same addresses again */
    atomic_compare_exchange_strong_explicit(&lowest, &released, released + size, memory_order_relaxed,
                                            memory_order_relaxed);
    /* The kernel may refuse to cut a mapping in two when there are too many: the memory at least goes back. */
    if (munmap(start, size) != 0)
        os_purge(start, size);
    errno = saved;
}

/* Asks by growing it: only that looks whether a range is one mapping, which the program may have split by giving advice
 * on a part of it. */
static bool is_one_mapping(void *start, size_t size)
{
    size_t page = os_page_size();
    if (mremap(start, size, size + page, 0) == MAP_FAILED)
        return errno != EFAULT;
    munmap((char *)start + size, page);
    return true;
}

bool os_move(void *from, size_t size, void *to, size_t new_size)
{
    /* Asked first, because older kernels drop the target before they find that the source cannot be moved. Moved and
     * extended in one step, or it would be two mappings from then on. */
    return is_one_mapping(from, size) && mremap(from, size, new_size, MREMAP_MAYMOVE | MREMAP_FIXED, to) != MAP_FAILED;
}

bool os_extend(void *start, size_t old_size, size_t new_size)
{
    return mremap(start, old_size, new_size, 0) != MAP_FAILED;
}

void os_huge_pages(void *start, size_t size, bool wanted)
{
    advise(start, size, wanted ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
}

/* ---- threads ---------------------------------------------------------------------------------------------------- */

#if ALLOC_THREADS

/* A thread is known by the address of this, so that it is the same thread in a forked child. */
static _Thread_local uint64_t identity __attribute__((tls_model("initial-exec")));

static uintptr_t self(void) { return (uintptr_t)&identity; }

#define OTHERS_WAIT ((uintptr_t)1)

/* A lock whose holder is set by the same instruction that takes it. With a pthread mutex, a signal handler could not tell
 * whether the thread it interrupted has the lock. After "Futexes Are Tricky", Ulrich Drepper, 2011. */
static void futex(struct os_lock *lock, int operation, uint32_t value)
{
    uint32_t *half = (uint32_t *)&lock->holder + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__); /* with the lowest bit */
    int saved = errno;
    syscall(SYS_futex, half, operation | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
    errno = saved;
}

static bool lock_try(struct os_lock *lock, uintptr_t holder)
{
    uintptr_t nobody = 0;
    return atomic_compare_exchange_strong_explicit(&lock->holder, &nobody, holder, memory_order_acquire,
                                                   memory_order_relaxed);
}

static __attribute__((noinline)) void lock_wait(struct os_lock *lock)
{
    while (!lock_try(lock, self() | OTHERS_WAIT)) {
        uintptr_t holder = atomic_load_explicit(&lock->holder, memory_order_relaxed);
        uintptr_t waited = holder | OTHERS_WAIT;
        if (holder != 0 &&
            (holder == waited || atomic_compare_exchange_strong_explicit(&lock->holder, &holder, waited,
                                                                         memory_order_relaxed, memory_order_relaxed)))
            futex(lock, FUTEX_WAIT, (uint32_t)waited);
    }
}

/* Whether fork handlers wait for a second thread. */
OS_SMALL_STATE static atomic_bool is_put_off;

bool os_is_single_threaded(void)
{
#if __has_include(<sys/single_threaded.h>)
    return __libc_single_threaded;
#else
    return false;
#endif
}

static void register_fork(void) { pthread_atfork(os_events.fork_prepare, os_events.fork_parent, os_events.fork_child); }

/* Once: of two registrations, one could come outside of what is registered between them. */
void os_register_fork(void)
{
    OS_SMALL_STATE static pthread_once_t once = PTHREAD_ONCE_INIT;
    /* Volatile, because pthread_once is declared not to come back here; by os_linux_fork.c it does. */
    static _Thread_local volatile bool is_inside __attribute__((tls_model("initial-exec")));
    if (is_inside)
        return;
    is_inside = true;
    pthread_once(&once, register_fork);
    is_inside = false;
    /* Last, so that no thread takes a lock before they are registered. */
    atomic_store_explicit(&is_put_off, false, memory_order_relaxed);
}

void os_at_fork(void)
{
    if (os_sees_fork_handlers != NULL && os_sees_fork_handlers() && os_is_single_threaded())
        atomic_store_explicit(&is_put_off, true, memory_order_relaxed);
    else
        os_register_fork();
}

void os_lock_acquire(struct os_lock *lock)
{
    if (atomic_load_explicit(&is_put_off, memory_order_relaxed) && !os_is_single_threaded())
        os_register_fork();
    if (!lock_try(lock, self()))
        lock_wait(lock);
}

void os_lock_release(struct os_lock *lock)
{
    if (atomic_exchange_explicit(&lock->holder, 0, memory_order_release) & OTHERS_WAIT)
        futex(lock, FUTEX_WAKE, 1);
}

bool os_lock_begin_fork(struct os_lock *lock)
{
    if (lock_try(lock, self()))
        return true;
    if ((atomic_load_explicit(&lock->holder, memory_order_relaxed) & ~OTHERS_WAIT) != self())
        return false;
    lock->nested++;
    return true;
}

void os_lock_end_fork(struct os_lock *lock)
{
    if (lock->nested != 0)
        lock->nested--;
    else
        os_lock_release(lock);
}

OS_SMALL_STATE static pthread_once_t once = PTHREAD_ONCE_INIT;
OS_SMALL_STATE static pthread_key_t exit_key;
OS_SMALL_STATE static bool have_exit_key;

static void start(void) { have_exit_key = pthread_key_create(&exit_key, os_events.thread_exit) == 0; }

void os_start(void) { pthread_once(&once, start); }

os_thread os_thread_self(void) { return (os_thread)syscall(SYS_gettid); }

bool os_thread_has_ended(os_thread thread)
{
    int saved = errno;
    bool ended = syscall(SYS_tgkill, getpid(), thread, 0) != 0 && errno == ESRCH; /* signal 0 only asks */
    errno = saved;
    return ended;
}

bool os_at_thread_exit(void *subject) { return have_exit_key && pthread_setspecific(exit_key, subject) == 0; }

#endif

/* ---- the rest --------------------------------------------------------------------------------------------------- */

uint32_t os_milliseconds(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint32_t)now.tv_sec * 1000 + (uint32_t)now.tv_nsec / 1000000;
}

uint64_t os_thread_nanoseconds(void)
{
    struct timespec taken = {0};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &taken);
    return (uint64_t)taken.tv_sec * 1000000000 + (uint64_t)taken.tv_nsec;
}

/* As secure_getenv, which lies where a small program has no other page of the C library's. */
const char *os_environment(const char *variable)
{
    size_t length = strlen(variable);
    if (environ == NULL || getauxval(AT_SECURE) != 0)
        return NULL;
    for (char **entry = environ; *entry != NULL; entry++)
        if (strncmp(*entry, variable, length) == 0 && (*entry)[length] == '=')
            return *entry + length + 1;
    return NULL;
}

void os_write(const char *line, size_t length)
{
    int saved = errno;
    ssize_t written = write(STDERR_FILENO, line, length);
    (void)written; /* nobody is left to tell */
    errno = saved;
}

_Noreturn void os_fatal(const char *line, size_t length)
{
    os_write(line, length);
    abort();
}
