#include "check.h"

#include "large.h"
#include "misuse.h"
#include "os/os.h"
#include "report.h"
#include "slab.h"

#if ALLOC_DEBUG

/* ---- what is handed out: slots ----------------------------------------------------------------------------------- */

static bool shadow_set(const void *p, bool handed_out)
{
    uint32_t offset = region_offset(p);
    _Atomic uint64_t *word = &region_of(p)->shadow[offset / 64];
    uint64_t bit = (uint64_t)1 << (offset % 64);
    return ((handed_out ? atomic_fetch_or(word, bit) : atomic_fetch_and(word, ~bit)) & bit) != 0;
}

static bool shadow_get(const void *p)
{
    uint32_t offset = region_offset(p);
    return atomic_load(&region_of(p)->shadow[offset / 64]) >> (offset % 64) & 1;
}

/* ---- what is handed out: large blocks ---------------------------------------------------------------------------- */

/* A table with an entry per page of the address space, of which almost nothing is ever touched. */
struct large_entry {
    _Atomic uintptr_t start; /* stays when the block is freed */
    _Atomic size_t bytes;    /* 0: freed */
};

#define LARGE_TABLE_SIZE ((((size_t)1 << ADDRESS_BITS) / PAGE_SIZE_MIN) * sizeof(struct large_entry))

static _Atomic(struct large_entry *) large_table;

/* Some block could not be recorded: from then on large blocks that are not go unchecked. */
static atomic_bool large_incomplete;

/* NULL where the system has no addresses for the table, and for what is no address. */
static struct large_entry *large_entry(const void *p)
{
    if ((uintptr_t)p >> ADDRESS_BITS != 0)
        return NULL;
    struct large_entry *table = atomic_load(&large_table);
    if (table == NULL) {
        struct large_entry *fresh = os_map(LARGE_TABLE_SIZE, os_page_size());
        if (fresh == NULL) {
            atomic_store(&large_incomplete, true);
            return NULL;
        }
        os_dont_dump(fresh, LARGE_TABLE_SIZE);
        if (atomic_compare_exchange_strong(&large_table, &table, fresh))
            table = fresh;
        else
            os_release(fresh, LARGE_TABLE_SIZE);
    }
    return &table[(uintptr_t)p / PAGE_SIZE_MIN];
}

/* ---- handing out and taking back ---------------------------------------------------------------------------------- */

void *check_allocated(void *p, size_t size, size_t align)
{
    if (p == NULL)
        return NULL;
    if (request_has_slot(size, align)) {
        check(region_known(p) && slab_of(p)->class == request_class(size, align));
        check(align == UNSIZED ||
              ((uintptr_t)p & ((align == 0 ? class_slot_size(request_class(size, align)) : align) - 1)) == 0);
        check(!shadow_set(p, true));
        return p;
    }
    struct large_entry *entry = large_entry(p);
    if (entry != NULL) {
        check(atomic_load(&entry->bytes) == 0);
        atomic_store(&entry->start, (uintptr_t)p);
        atomic_store(&entry->bytes, large_good_size(size));
    }
    return p;
}

void check_named(const char *function, const void *p, size_t size, size_t align)
{
    bool has_slot = request_has_slot(size, align);
    if (region_known(p)) {
        const struct slab *slab = slab_of(p);
        if (region_offset(p) < 2 * TABLE_SIZE)
            misuse(function, p, size, align, "foreign pointer", NULL);
        if (atomic_load_explicit(&slab->bin, memory_order_relaxed) == NULL)
            misuse(function, p, size, align, "not allocated", NULL);
        if (!has_slot || slab->class != request_class(size, align))
            misuse(function, p, size, align, "wrong size", slab);
        if ((size_t)((const char *)p - slab_start(slab)) % class_slot_size(slab->class) != 0)
            misuse(function, p, size, align, "not the start of a slot", slab);
        if (!shadow_get(p))
            misuse(function, p, size, align, "double free", slab);
        return;
    }
    struct large_entry *entry = large_entry(p);
    if (entry == NULL || atomic_load(&entry->start) != (uintptr_t)p) {
        if (!has_slot && atomic_load(&large_incomplete))
            return;
        misuse(function, p, size, align, "foreign pointer", NULL);
    }
    if (atomic_load(&entry->bytes) == 0)
        misuse(function, p, size, align, "double free", NULL);
    if (has_slot || large_good_size(size) != atomic_load(&entry->bytes))
        misuse_of_large(function, p, size, align, atomic_load(&entry->bytes));
}

void check_freed(const char *function, void *p, size_t size, size_t align)
{
    check_named(function, p, size, align);
    if (request_has_slot(size, align)) {
        if (!shadow_set(p, false)) /* two threads at the same time */
            misuse(function, p, size, align, "double free", slab_of(p));
        return;
    }
    struct large_entry *entry = large_entry(p);
    bool is_recorded = entry != NULL && atomic_load(&entry->start) == (uintptr_t)p;
    if (is_recorded && atomic_exchange(&entry->bytes, 0) == 0)
        misuse(function, p, size, align, "double free", NULL);
}

void check_foreign(const char *function, const void *p)
{
    struct large_entry *entry = large_entry(p);
    if (entry != NULL && atomic_load(&entry->start) == (uintptr_t)p)
        misuse(function, p, 0, UNSIZED, "double free", NULL);
}

#endif
