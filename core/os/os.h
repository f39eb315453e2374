/* What the engine asks of the operating system, and nothing else: one file per system implements it (os_linux.c).
 *
 * Memory goes through three states:   reserved (addresses only) --commit--> usable, zero --purge--> the same.
 * What is not committed stays out of core dumps. Sizes and addresses are multiples of the page size. Nothing here is
 * called with a heap's lock held.
 */
#ifndef ALLOC_OS_H
#define ALLOC_OS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#if ALLOC_THREADS
#include <pthread.h>
#endif

size_t os_page_size(void);
#define PAGE_SIZE_MIN 4096

/* Addresses without memory, a multiple of `align`. Leaves `room` bytes of addresses free behind them, so that
 * os_reserve_at may succeed there; NULL when there is no such place. */
void *os_reserve(size_t size, size_t align, size_t room);
/* The same at an address. False: addresses are short, or something is there already. */
bool os_reserve_at(void *start, size_t size);
/* Makes reserved addresses usable. False when the system refuses; they stay reserved. */
bool os_commit(void *start, size_t size);
/* reserve + commit in one step. */
void *os_map(size_t size, size_t align);
/* The same at an address. False: memory is short; or, *is_taken, something is there already. */
bool os_map_at(void *start, size_t size, bool *is_taken);
/* Addresses that can be read, as zero; os_commit lets them be written. */
void *os_map_zero(size_t size);
/* Gives the memory back and keeps the addresses usable, zero. False when the system refuses: all is as it was. */
bool os_purge(void *start, size_t size);
/* Gives memory and addresses back. False: all is as it was. */
bool os_release(void *start, size_t size);
/* Moves the pages of a usable place to another, where all that is more becomes zero. What they leave is usable and zero; or if they
 * did not move, where they were to go is usable, with undefined contents. *lost: that other place is gone, the system did not let
 * it stay. */
bool os_move(void *from, size_t size, void *to, size_t new_size, bool *lost);
/* Keeps memory out of core dumps. Advice. */
void os_dont_dump(void *start, size_t size);
/* Whether huge pages may back this memory. Advice. */
void os_huge_pages(void *start, size_t size, bool wanted);

/* Whether the process may have so little memory, or so few addresses, that what one kind of block holds in advance is missed by
 * others. */
#define OS_AMPLE ((size_t)4 << 30)
bool os_memory_is_limited(void);

/* Marks variables that every process writes: they lie together, on the page of those that are not zero at first. */
#define OS_SMALL_STATE __attribute__((section(".data")))

/* Marks functions to run when the library is loaded, before the program's own start-up code, and after its end. */
#define OS_AT_LOAD __attribute__((constructor(101)))
#define OS_AT_EXIT __attribute__((destructor(101)))

/* Of a clock that never goes back; wraps. */
uint32_t os_milliseconds(void);

/* Of processor time that the calling thread has taken. */
uint64_t os_thread_nanoseconds(void);

/* NULL: not set, or not to be trusted by a program with more rights than its user. */
const char *os_environment(const char *variable);

/* The process's number, and the name of the program, with what is no letter, digit or one of -._ as `_`. */
unsigned os_process(void);
void os_program(char name[16]);

/* Writes to standard error. Allocates nothing. */
void os_write(const char *line, size_t length);

#if ALLOC_THREADS

/* Zero-initialised, usable at once. A cache line of its own. */
struct os_lock {
    _Alignas(64) _Atomic uintptr_t holder; /* 0: nobody. The lowest bit: others wait */
    unsigned nested;                       /* forks that found the lock held by their own thread; the holder's */
};

void os_lock_acquire(struct os_lock *lock);
void os_lock_release(struct os_lock *lock);

/* Around a fork, which a signal handler may call while its thread holds the lock: then what the thread was doing goes on
 * in parent and child. False: another thread holds it. */
bool os_lock_begin_fork(struct os_lock *lock);
void os_lock_end_fork(struct os_lock *lock);

/* What the system calls back: at a thread's exit (with what os_at_thread_exit was given), and around a fork. heap.c defines
 * them. */
struct os_events {
    void (*thread_exit)(void *subject);
    void (*fork_prepare)(void);
    void (*fork_parent)(void);
    void (*fork_child)(void);
};
extern const struct os_events os_events;

/* Arranges for thread exits; later calls do nothing. At load, or before the first heap, should that come even earlier. */
void os_start(void);
/* Arranges for forks, at load: around a fork these then come inside of what the program registers, whose handlers may
 * allocate, or wait for a thread that does. May be put off for as long as the process has one thread, which cannot be
 * inside of a lock when it forks, and nobody else has registered any. */
void os_at_fork(void);
/* Whether the process is known to have but one thread. */
bool os_is_single_threaded(void);
/* Arranges thread_exit(subject) for the calling thread. False when the system has no room for it. */
bool os_at_thread_exit(void *subject);

/* Says that a thread owns something, and whether it ended without giving that up. */
struct os_owner {
    pthread_mutex_t mutex;
};
void os_owner_begin(struct os_owner *owner);
/* The calling thread owns it. False where that cannot be said, while another thread asks whether the owner has ended. */
bool os_owner_set(struct os_owner *owner);
/* The calling thread no longer does. */
void os_owner_clear(struct os_owner *owner);
/* Whether its owner has ended: then the calling thread owns it. True once, for one of those who ask. */
bool os_owner_take_over(struct os_owner *owner);

#else

struct os_owner {
    char unused;
};

struct os_lock {
    char unused;
};
static inline void os_lock_acquire(struct os_lock *lock) { (void)lock; }
static inline void os_lock_release(struct os_lock *lock) { (void)lock; }

#endif

/* Writes one line to standard error and aborts. Allocates nothing. */
_Noreturn void os_fatal(const char *line, size_t length);

#endif
