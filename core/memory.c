#include "memory.h"

#include "option.h"
#include "probe.h"

OS_SMALL_STATE struct memory_counts memory_counts;

/* What is charged, and what is only being asked for: a count that may be over the limit for a moment. */
OS_SMALL_STATE static _Atomic size_t asked_for;

static void add(_Atomic size_t *count, size_t size) { atomic_fetch_add_explicit(count, size, memory_order_relaxed); }

void memory_charge_anyway(size_t size)
{
    add(&asked_for, size);
    add(&memory_counts.charged, size);
}

/* Counted before it is used, so that threads which do so at the same time stay below the limit together. */
bool memory_charge(size_t size)
{
    size_t limit = option(OPTION_MAPPED_LIMIT);
    size_t before = atomic_fetch_add_explicit(&asked_for, size, memory_order_acquire);
    if (limit == 0 || (before <= limit && size <= limit - before)) {
        add(&memory_counts.charged, size);
        return true;
    }
    atomic_fetch_sub_explicit(&asked_for, size, memory_order_relaxed);
    return false;
}

void memory_discharge(size_t size)
{
    atomic_fetch_sub_explicit(&memory_counts.charged, size, memory_order_relaxed);
    atomic_fetch_sub_explicit(&asked_for, size, memory_order_release); /* last: what is charged stays within it */
}

bool memory_purge(void *start, size_t size)
{
    if (!os_purge(start, size))
        return false;
    add(&memory_counts.purges, 1);
    probe(purge, start, size);
    return true;
}
