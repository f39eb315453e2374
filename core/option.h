/* Settings of the process: read from the environment once, at start; changed and asked for by any thread at any time. */
#ifndef ALLOC_OPTION_H
#define ALLOC_OPTION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The numbers are part of the ABI: they are those of enum alloc_option. */
enum option {
    OPTION_HUGE_PAGES,        /* enum huge_pages */
    OPTION_PURGE_AGE,         /* milliseconds that what is cached stays */
    OPTION_CACHE_LIMIT,       /* bytes of empty slabs that are cached, all of them together */
    OPTION_LARGE_CACHE_LIMIT, /* bytes of freed large blocks that are cached */
    OPTION_MAPPED_LIMIT,      /* bytes that the process may have mapped; 0: as many as the system gives */
    OPTION_VERBOSITY,         /* 0: only what is fatal; 1: settings that are ignored; 2: statistics at exit */
    OPTION_STRICT, /* 1: a wrong size from a program that need not pass one is misuse, a foreign pointer too */
    OPTION_COUNT
};

enum huge_pages { HUGE_PAGES_OFF, HUGE_PAGES_AUTO, HUGE_PAGES_ALWAYS };

extern _Atomic size_t option_values[OPTION_COUNT];

static inline size_t option(enum option option)
{
    return atomic_load_explicit(&option_values[option], memory_order_relaxed);
}

/* Whether something of one time is `age` milliseconds old, an age that OPTION_PURGE_AGE can have. Signed, since clocks are
 * read before locks are taken: what another thread put in meanwhile is newer than `now`. */
static inline bool is_older_than(size_t age, uint32_t since, uint32_t now)
{
    return (int32_t)(now - since) >= (int32_t)age;
}

/* False: no such option, or not a value it can have. */
bool option_set(size_t option, size_t value);

/* Reads the environment, the first time it is called. What is not understood is reported in one line and ignored. */
void option_start(void);

#endif
