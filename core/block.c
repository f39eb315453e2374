#include "block.h"

#include "region.h"

#include <stdatomic.h>

#define PAGE_SHIFT      12 /* of the smallest page there is */
#define PAGES_PER_TABLE (REGION_SIZE >> PAGE_SHIFT)

struct table {
    _Atomic uint32_t pages[PAGES_PER_TABLE]; /* of the block that begins there; 0: none does */
};

static _Atomic(struct table *) tables[(size_t)1 << (ADDRESS_BITS - REGION_SHIFT)];

static _Atomic uint32_t *entry(const void *p)
{
    uintptr_t address = (uintptr_t)p;
    if (address >> ADDRESS_BITS != 0 || address % ((size_t)1 << PAGE_SHIFT) != 0)
        return NULL;
    struct table *table = atomic_load_explicit(&tables[address >> REGION_SHIFT], memory_order_acquire);
    return table == NULL ? NULL : &table->pages[(address >> PAGE_SHIFT) % PAGES_PER_TABLE];
}

bool block_record(const void *p, size_t size)
{
    _Atomic(struct table *) *place = &tables[(uintptr_t)p >> REGION_SHIFT];
    struct table *none = NULL;
    if (size > BLOCK_MAX)
        return false;
    if (atomic_load_explicit(place, memory_order_relaxed) == NULL) {
        struct table *fresh = meta_allocate(sizeof(struct table), 64);
        if (fresh == NULL)
            return false;
        atomic_compare_exchange_strong(place, &none, fresh); /* another thread's does as well */
    }
    atomic_store_explicit(entry(p), (uint32_t)(size >> PAGE_SHIFT), memory_order_relaxed);
    return true;
}

size_t block_size(const void *p)
{
    _Atomic uint32_t *pages = entry(p);
    return pages == NULL ? 0 : (size_t)atomic_load_explicit(pages, memory_order_relaxed) << PAGE_SHIFT;
}

size_t block_forget(const void *p)
{
    _Atomic uint32_t *pages = entry(p);
    return pages == NULL ? 0 : (size_t)atomic_exchange_explicit(pages, 0, memory_order_relaxed) << PAGE_SHIFT;
}
