#define _GNU_SOURCE
#include "os/os.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#if ALLOC_THREADS
#include "os/os_linux_fork.h"

#include <pthread.h>
#include <sys/syscall.h>
#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#endif
#endif

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000 /* Linux 4.17 */
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24 /* Linux 5.18 */
#endif

/* No call of the engine's that succeeds changes errno, whatever the system said in between; who fails sets it at last. So
 * every function here that asks the system begins with this. */
static inline void restore_errno(const int *saved) { errno = *saved; }
#define KEEP_ERRNO __attribute__((cleanup(restore_errno), unused)) const int saved_errno = errno

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

/* Maps at the next aligned address below the last one that leaves `room` free behind it, or not at all. */
static void *map_below(size_t size, size_t align, size_t room, int protection)
{
    uintptr_t last = atomic_load_explicit(&lowest, memory_order_relaxed);
    size_t below = size + room;
    /* Without a hint the kernel stays within ADDRESS_BITS; one near the top would ask it for more, where it has more. */
    void *p = map_at(last > below ? (last - below) & ~(align - 1) : 0, size, protection);
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

static void *map_aligned(size_t size, size_t align, size_t room, int protection)
{
    if (align <= os_page_size())
        return map_at(0, size, protection);
    void *p = map_below(size, align, room, protection);
    if (p == NULL) /* the address was taken: once more, below where the kernel went instead */
        p = map_below(size, align, room, protection);
    return p != NULL || room != 0 ? p : map_wide(size, align, protection);
}

static void advise(void *start, size_t size, int advice) { madvise(start, size, advice); }

void os_dont_dump(void *start, size_t size)
{
    KEEP_ERRNO;
    advise(start, size, MADV_DONTDUMP);
}

void *os_reserve(size_t size, size_t align, size_t room)
{
    KEEP_ERRNO;
    char *start = size + room < size ? NULL : map_aligned(size, align, room, PROT_NONE);
    if (start != NULL)
        os_dont_dump(start, size);
    return start;
}

static bool map_if_free(void *start, size_t size, int protection, bool *is_taken)
{
    /* Kernels before 4.17 take the address as a hint. */
    void *p = mmap(start, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    *is_taken = p == MAP_FAILED ? errno == EEXIST : p != start;
    if (p != MAP_FAILED && p != start)
        munmap(p, size);
    return p == start;
}

bool os_reserve_at(void *start, size_t size)
{
    KEEP_ERRNO;
    bool is_taken;
    bool reserved = map_if_free(start, size, PROT_NONE, &is_taken);
    if (reserved)
        os_dont_dump(start, size);
    return reserved;
}

bool os_map_at(void *start, size_t size, bool *is_taken)
{
    KEEP_ERRNO;
    return map_if_free(start, size, PROT_READ | PROT_WRITE, is_taken);
}

/* Maps usable memory over what is there, which goes. */
static bool map_over(void *start, size_t size)
{
    return mmap(start, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) !=
           MAP_FAILED;
}

bool os_commit(void *start, size_t size)
{
    KEEP_ERRNO;
    if (mprotect(start, size, PROT_READ | PROT_WRITE) != 0) /* a sandbox may refuse this alone; a limit means it */
        return errno != ENOMEM && map_over(start, size);
    advise(start, size, MADV_DODUMP);
    return true;
}

void *os_map(size_t size, size_t align)
{
    KEEP_ERRNO;
    return map_aligned(size, align, 0, PROT_READ | PROT_WRITE);
}

void *os_map_zero(size_t size)
{
    KEEP_ERRNO;
    void *p = map_at(0, size, PROT_READ);
    if (p != NULL) {
        os_dont_dump(p, size);
        os_huge_pages(p, size, false);
    }
    return p;
}

bool os_purge(void *start, size_t size)
{
    KEEP_ERRNO;
    /* The first is refused where memory is locked; both may be where the program is confined. */
    return madvise(start, size, MADV_DONTNEED) == 0 || madvise(start, size, MADV_DONTNEED_LOCKED) == 0 ||
           map_over(start, size);
}

/* The kernel may refuse to cut a mapping in two when there are too many. */
bool os_release(void *start, size_t size)
{
    KEEP_ERRNO;
    return munmap(start, size) == 0;
}

/* Asks by growing it: only that looks whether a range is one mapping, which an earlier move may have split. */
static bool is_one_mapping(void *start, size_t size)
{
    size_t page = os_page_size();
    if (mremap(start, size, size + page, 0) == MAP_FAILED)
        return errno != EFAULT && errno != ENOSYS && errno != EPERM;
    munmap((char *)start + size, page);
    return true;
}

bool os_move(void *from, size_t size, void *to, size_t new_size, bool *lost)
{
    KEEP_ERRNO;
    *lost = false;
    /* Asked first, because older kernels drop the target before they find that the source cannot be moved. */
    if (!is_one_mapping(from, size))
        return false;
    /* Extended in the same step, or it would be two mappings from then on, which cannot be moved again. */
    bool moved = mremap(from, size, new_size, MREMAP_MAYMOVE | MREMAP_FIXED, to) != MAP_FAILED;
    /* Between the two calls the place is free for anybody: a thread's stack that came there must not be mapped over. */
    bool is_taken;
    *lost = moved ? !map_if_free(from, size, PROT_READ | PROT_WRITE, &is_taken) : !map_over(to, new_size);
    return moved;
}

void os_huge_pages(void *start, size_t size, bool wanted)
{
    KEEP_ERRNO;
    advise(start, size, wanted ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
}

/* ---- threads ---------------------------------------------------------------------------------------------------- */

#if ALLOC_THREADS

/* A thread is known by the address of this, so that it is the same thread in a forked child. */
static _Thread_local uint64_t identity;

static uintptr_t self(void) { return (uintptr_t)&identity; }

#define OTHERS_WAIT ((uintptr_t)1)

/* As in <linux/futex.h>, which some C libraries, musl among them, leave to a package of its own. */
enum futex_operation { FUTEX_WAIT_PRIVATE = 128, FUTEX_WAKE_PRIVATE = 129 };

/* A lock whose holder is set by the same instruction that takes it. With a pthread mutex, a signal handler could not tell
 * whether the thread it interrupted has the lock. After "Futexes Are Tricky", Ulrich Drepper, 2011. */
static void futex(struct os_lock *lock, enum futex_operation operation, uint32_t value)
{
    uint32_t *half = (uint32_t *)&lock->holder + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__); /* with the lowest bit */
    KEEP_ERRNO;
    syscall(SYS_futex, half, operation, value, NULL, NULL, 0);
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
            futex(lock, FUTEX_WAIT_PRIVATE, (uint32_t)waited);
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
    static _Thread_local volatile bool is_inside;
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
    if (os_sees_fork_handlers() && os_is_single_threaded())
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
        futex(lock, FUTEX_WAKE_PRIVATE, 1);
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

/* A robust mutex: at a thread's end the kernel marks those that it holds. No system call, unlike a comparison of thread numbers,
 * which a sandbox may kill for. */
void os_owner_begin(struct os_owner *owner)
{
    pthread_mutexattr_t robust;
    pthread_mutexattr_init(&robust);
    pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&owner->mutex, &robust);
}

bool os_owner_set(struct os_owner *owner) { return pthread_mutex_trylock(&owner->mutex) == 0; }

void os_owner_clear(struct os_owner *owner) { (void)pthread_mutex_unlock(&owner->mutex); }

bool os_owner_take_over(struct os_owner *owner)
{
    switch (pthread_mutex_trylock(&owner->mutex)) {
    case 0:
        pthread_mutex_unlock(&owner->mutex);
        return false;
    case EOWNERDEAD:
        pthread_mutex_consistent(&owner->mutex);
        return true;
    default:
        return false;
    }
}

bool os_at_thread_exit(void *subject) { return have_exit_key && pthread_setspecific(exit_key, subject) == 0; }

#endif

/* ---- the rest --------------------------------------------------------------------------------------------------- */

uint32_t os_milliseconds(void)
{
    KEEP_ERRNO;
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint32_t)now.tv_sec * 1000 + (uint32_t)now.tv_nsec / 1000000;
}

uint64_t os_thread_nanoseconds(void)
{
    KEEP_ERRNO;
    struct timespec taken = {0};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &taken);
    return (uint64_t)taken.tv_sec * 1000000000 + (uint64_t)taken.tv_nsec;
}

/* As secure_getenv, which lies where a small program has no other page of the C library's. */
static bool is_limited(int resource)
{
    struct rlimit limit;
    return getrlimit(resource, &limit) == 0 && limit.rlim_cur < OS_AMPLE;
}

bool os_memory_is_limited(void)
{
    KEEP_ERRNO;
    return is_limited(RLIMIT_AS) || is_limited(RLIMIT_DATA);
}

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

unsigned os_process(void) { return (unsigned)getpid(); }

void os_program(char name[16])
{
    KEEP_ERRNO;
    name[0] = '\0';
    if (prctl(PR_GET_NAME, name) != 0)
        name[0] = '\0';
    for (size_t i = 0; i < 15 && name[i] != '\0'; i++)
        if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._", name[i]) == NULL)
            name[i] = '_';
    name[15] = '\0';
}

void os_write(const char *line, size_t length)
{
    KEEP_ERRNO;
    ssize_t written = write(STDERR_FILENO, line, length);
    (void)written; /* nobody is left to tell */
}

_Noreturn void os_fatal(const char *line, size_t length)
{
    os_write(line, length);
    abort();
}
