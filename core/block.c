#include "block.h"

#include "region.h"

#include <stdatomic.h>

#define BLOCKS_PER_TABLE (REGION_SIZE / BLOCK_ALIGN)

struct table {
    _Atomic size_t size[BLOCKS_PER_TABLE];
};

static _Atomic(struct table *) tables[(size_t)1 << (ADDRESS_BITS - REGION_SHIFT)];

static _Atomic size_t *entry(const void *p)
{
    uintptr_t address = (uintptr_t)p;
    if (address >> ADDRESS_BITS != 0 || address % BLOCK_ALIGN != 0)
        return NULL;
    struct table *table = atomic_load_explicit(&tables[address >> REGION_SHIFT], memory_order_acquire);
    return table == NULL ? NULL : &table->size[address / BLOCK_ALIGN % BLOCKS_PER_TABLE];
}

bool block_record(const void *p, size_t size)
{
    _Atomic(struct table *) *place = &tables[(uintptr_t)p >> REGION_SHIFT];
    struct table *none = NULL;
    if (atomic_load_explicit(place, memory_order_relaxed) == NULL) {
        struct table *fresh = meta_allocate(sizeof(struct table), 64);
        if (fresh == NULL)
            return false;
        atomic_compare_exchange_strong(place, &none, fresh); /* another thread's does as well */
    }
    atomic_store_explicit(entry(p), size, memory_order_relaxed);
    return true;
}

size_t block_size(const void *p)
{
    _Atomic size_t *size = entry(p);
    return size == NULL ? 0 : atomic_load_explicit(size, memory_order_relaxed);
}

size_t block_forget(const void *p)
{
    _Atomic size_t *size = entry(p);
    return size == NULL ? 0 : atomic_exchange_explicit(size, 0, memory_order_relaxed);
}
