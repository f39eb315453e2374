#define _GNU_SOURCE
#include "os/os.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#if ALLOC_THREADS
#include <pthread.h>
#include <sys/syscall.h>
#endif

size_t os_page_size(void) { return (size_t)sysconf(_SC_PAGESIZE); }

/* ---- mappings --------------------------------------------------------------------------------------------------- */

/* Where the last aligned mapping was put, or where the kernel last preferred to put one: it hands addresses out
 * downwards, so below there is room. A wrong hint costs a system call, nothing else: racing writers do no harm. */
static _Atomic(uintptr_t) lowest;

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

void *os_reserve(size_t size, size_t align) { return map_aligned(size, align, PROT_NONE); }

bool os_commit(void *start, size_t size) { return mprotect(start, size, PROT_READ | PROT_WRITE) == 0; }

void *os_map(size_t size, size_t align) { return map_aligned(size, align, PROT_READ | PROT_WRITE); }

void os_purge(void *start, size_t size)
{
    int saved = errno;
    madvise(start, size, MADV_DONTNEED);
    errno = saved;
}

void os_release(void *start, size_t size)
{
    int saved = errno;
    uintptr_t released = (uintptr_t)start; /* pairs of map and release use the same addresses again */
    atomic_compare_exchange_strong_explicit(&lowest, &released, released + size, memory_order_relaxed,
                                            memory_order_relaxed);
    /* The kernel may refuse to cut a mapping in two when there are too many: the memory at least goes back. */
    if (munmap(start, size) != 0)
        madvise(start, size, MADV_DONTNEED);
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

bool os_move(void *from, size_t size, void *to)
{
    /* Asked first, because older kernels drop the target before they find that the source cannot be moved. */
    return is_one_mapping(from, size) && mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to) != MAP_FAILED;
}

bool os_extend(void *start, size_t old_size, size_t new_size)
{
    return mremap(start, old_size, new_size, 0) != MAP_FAILED;
}

void os_huge_pages(void *start, size_t size, bool wanted)
{
    int saved = errno;
    madvise(start, size, wanted ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    errno = saved;
}

/* ---- threads ---------------------------------------------------------------------------------------------------- */

#if ALLOC_THREADS

static pthread_mutex_t *mutex_of(struct os_lock *lock)
{
    _Static_assert(sizeof(pthread_mutex_t) <= sizeof lock->opaque, "a mutex fits the lock");
    return (pthread_mutex_t *)lock->opaque; /* zero is PTHREAD_MUTEX_INITIALIZER with glibc and with musl */
}

void os_lock_acquire(struct os_lock *lock) { pthread_mutex_lock(mutex_of(lock)); }

void os_lock_release(struct os_lock *lock) { pthread_mutex_unlock(mutex_of(lock)); }

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t exit_key;
static bool have_exit_key;
static _Atomic(const struct os_events *) events_to_start;

static void start(void)
{
    const struct os_events *events = atomic_load_explicit(&events_to_start, memory_order_relaxed);
    have_exit_key = pthread_key_create(&exit_key, events->thread_exit) == 0;
    pthread_atfork(events->fork_prepare, events->fork_parent, events->fork_child);
}

void os_start(const struct os_events *events)
{
    atomic_store_explicit(&events_to_start, events, memory_order_relaxed); /* the same from every caller */
    pthread_once(&once, start);
}

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

_Noreturn void os_fatal(const char *line, size_t length)
{
    ssize_t written = write(STDERR_FILENO, line, length);
    (void)written; /* nobody is left to tell */
    abort();
}
