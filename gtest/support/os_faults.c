#define _GNU_SOURCE
#include "os_faults.h"

#include "os/os.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24 /* Linux 5.18 */
#endif

static atomic_long calls, failed;
static atomic_long fail_first, fail_last; /* of the calls; 0: none */
static const char *_Atomic first_name;

void os_faults_arm(long first, bool for_good)
{
    atomic_store(&calls, 0);
    atomic_store(&failed, 0);
    atomic_store(&first_name, NULL);
    atomic_store(&fail_last, for_good ? INTPTR_MAX : first);
    atomic_store(&fail_first, first);
}

void os_faults_disarm(void) { atomic_store(&fail_first, 0); }

long os_faults_count(void) { return atomic_load(&failed); }

const char *os_faults_first(void) { return atomic_load(&first_name); }

static void (*_Atomic watcher)(bool purges);

void os_faults_watch(void (*watch)(bool purges)) { atomic_store(&watcher, watch); }

static _Atomic uint64_t time_step, processor_time;

void os_faults_take_time(uint64_t nanoseconds) { atomic_store(&time_step, nanoseconds); }

static bool fails(const char *name, bool purges)
{
    void (*watch)(bool) = atomic_load(&watcher);
    if (watch != NULL)
        watch(purges);
    long first = atomic_load(&fail_first);
    if (first == 0)
        return false;
    long call = atomic_fetch_add(&calls, 1) + 1;
    if (call < first || call > atomic_load(&fail_last))
        return false;
    if (atomic_fetch_add(&failed, 1) == 0)
        atomic_store(&first_name, name);
    errno = ENOMEM;
    return true;
}

/* The linker's names for a wrapped function: NOLINTBEGIN(bugprone-reserved-identifier) */

void *__real_mmap(void *start, size_t size, int protection, int flags, int file, off_t offset);
void *__wrap_mmap(void *start, size_t size, int protection, int flags, int file, off_t offset);
int __real_mprotect(void *start, size_t size, int protection);
int __wrap_mprotect(void *start, size_t size, int protection);
int __real_munmap(void *start, size_t size);
int __wrap_munmap(void *start, size_t size);
int __real_madvise(void *start, size_t size, int advice);
int __wrap_madvise(void *start, size_t size, int advice);
void *__real_mremap(void *start, size_t size, size_t new_size, int flags, ...);
void *__wrap_mremap(void *start, size_t size, size_t new_size, int flags, ...);
int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

void *__wrap_mmap(void *start, size_t size, int protection, int flags, int file, off_t offset)
{
    return fails("mmap", false) ? MAP_FAILED : __real_mmap(start, size, protection, flags, file, offset);
}

int __wrap_mprotect(void *start, size_t size, int protection)
{
    return fails("mprotect", false) ? -1 : __real_mprotect(start, size, protection);
}

int __wrap_munmap(void *start, size_t size) { return fails("munmap", false) ? -1 : __real_munmap(start, size); }

int __wrap_madvise(void *start, size_t size, int advice)
{
    bool purges = advice == MADV_DONTNEED || advice == MADV_DONTNEED_LOCKED;
    return fails("madvise", purges) ? -1 : __real_madvise(start, size, advice);
}

void *__wrap_mremap(void *start, size_t size, size_t new_size, int flags, ...)
{
    if (fails("mremap", false))
        return MAP_FAILED;
    if ((flags & MREMAP_FIXED) == 0)
        return __real_mremap(start, size, new_size, flags);
    va_list rest;
    va_start(rest, flags);
    void *target = va_arg(rest, void *);
    va_end(rest);
    return __real_mremap(start, size, new_size, flags, target);
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    uint64_t step = atomic_load(&time_step);
    if (clock != CLOCK_THREAD_CPUTIME_ID || step == 0)
        return __real_clock_gettime(clock, now);
    uint64_t time = atomic_fetch_add(&processor_time, step) + step;
    now->tv_sec = (time_t)(time / 1000000000);
    now->tv_nsec = (long)(time % 1000000000);
    return 0;
}

#if ALLOC_THREADS

int __real_pthread_key_create(pthread_key_t *key, void (*destructor)(void *));
int __wrap_pthread_key_create(pthread_key_t *key, void (*destructor)(void *));
int __real_pthread_setspecific(pthread_key_t key, const void *value);
int __wrap_pthread_setspecific(pthread_key_t key, const void *value);

int __wrap_pthread_key_create(pthread_key_t *key, void (*destructor)(void *))
{
    /* Others create keys too: the engine's call comes from the file that os_start is in. */
    ptrdiff_t away = (char *)__builtin_return_address(0) - (char *)(uintptr_t)os_start;
    bool is_engine = away > -8192 && away < 8192;
    return is_engine && getenv(OS_FAULTS_NO_KEY) != NULL ? EAGAIN : __real_pthread_key_create(key, destructor);
}

int __wrap_pthread_setspecific(pthread_key_t key, const void *value)
{
    return fails("pthread_setspecific", false) ? ENOMEM : __real_pthread_setspecific(key, value);
}

int os_faults_set_specific(pthread_key_t key, const void *value) { return __real_pthread_setspecific(key, value); }

#endif

/* NOLINTEND(bugprone-reserved-identifier) */
