#include "memory.h"

#include "option.h"

#include <string.h>

OS_SMALL_STATE struct memory_counts memory_counts;

/* What is committed, and what is only being asked for: a count that may be over the limit for a moment. */
OS_SMALL_STATE static _Atomic size_t charged;

static void add(_Atomic size_t *count, size_t size) { atomic_fetch_add_explicit(count, size, memory_order_relaxed); }
static void subtract(_Atomic size_t *count, size_t size)
{
    atomic_fetch_sub_explicit(count, size, memory_order_relaxed);
}

/* Counted before it is asked for, so that threads which do so at the same time stay below the limit together. */
bool memory_charge(size_t size)
{
    size_t limit = option(OPTION_MAPPED_LIMIT);
    size_t before = atomic_fetch_add_explicit(&charged, size, memory_order_acquire);
    if (limit == 0 || (before <= limit && size <= limit - before)) {
        add(&memory_counts.committed, size);
        return true;
    }
    subtract(&charged, size);
    return false;
}

void memory_discharge(size_t size)
{
    subtract(&memory_counts.committed, size);
    atomic_fetch_sub_explicit(&charged, size, memory_order_release); /* last: what is committed stays within it */
}

void *memory_reserve(size_t size, size_t align, size_t room)
{
    void *start = os_reserve(size, align, room);
    if (start != NULL)
        add(&memory_counts.reserved, size);
    return start;
}

void memory_unreserve(void *start, size_t size)
{
    subtract(&memory_counts.reserved, size);
    os_release(start, size);
}

bool memory_commit(void *start, size_t size)
{
    if (!memory_charge(size))
        return false;
    if (os_commit(start, size))
        return true;
    memory_discharge(size);
    return false;
}

void *memory_map(size_t size, size_t align)
{
    if (!memory_charge(size))
        return NULL;
    void *start = os_map(size, align);
    if (start == NULL)
        memory_discharge(size);
    else
        add(&memory_counts.reserved, size);
    return start;
}

bool memory_extend(void *start, size_t old_size, size_t new_size)
{
    size_t more = new_size - old_size;
    if (!memory_charge(more))
        return false;
    if (os_extend(start, old_size, new_size)) {
        add(&memory_counts.reserved, more);
        return true;
    }
    memory_discharge(more);
    return false;
}

bool memory_move(void *from, size_t size, void *to, size_t new_size)
{
    if (!memory_charge(new_size - size))
        return false;
    if (os_move(from, size, to, new_size)) {
        subtract(&memory_counts.reserved, size);
        return true;
    }
    /* By bytes, for which there are two for a moment. */
    if (!memory_charge(size)) {
        memory_discharge(new_size - size);
        return false;
    }
    if (!os_commit(to, new_size)) {
        memory_discharge(new_size);
        return false;
    }
    memcpy(to, from, size);
    memory_release(from, size);
    return true;
}

void memory_release(void *start, size_t size)
{
    os_release(start, size);
    memory_discharge(size);
    subtract(&memory_counts.reserved, size);
    add(&memory_counts.purges, 1);
}

void memory_give_back(void *start, size_t size)
{
    os_purge(start, size);
    add(&memory_counts.purges, 1);
}

void memory_purge(void *start, size_t size)
{
    memory_give_back(start, size);
    memory_discharge(size);
}
