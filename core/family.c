#include "family.h"

#include "check.h"
#include "large.h"
#include "pool.h"
#include "reservation.h"
#include "settle.h"
#include "thread.h"

#include <string.h>

OS_SMALL_STATE static struct {
    struct family *_Atomic first;
    struct family *ended;
    uint32_t count;
} families; /* under LOCK_FAMILIES */

/* ---- lives ------------------------------------------------------------------------------------------------------------- */

static struct family *take_ended(void)
{
    lock_acquire(LOCK_FAMILIES);
    struct family *family = families.ended;
    if (family != NULL)
        families.ended = family->next_ended;
    lock_release(LOCK_FAMILIES);
    return family;
}

static struct family *create(void)
{
    struct family *family = meta_allocate(sizeof *family, _Alignof(struct family));
    if (family == NULL)
        return NULL;
    lock_acquire(LOCK_FAMILIES);
    family->index = ++families.count;
    family->next = families.first;
    atomic_store_explicit(&families.first, family, memory_order_release);
    lock_release(LOCK_FAMILIES);
    return family;
}

struct family *family_begin(void *handle, const char *name, size_t limit)
{
    struct family *family = take_ended();
    if (family == NULL)
        family = create();
    if (family == NULL)
        return NULL;
    lock_acquire(LOCK_FAMILIES);
    family->limit = limit;
    family->handle = handle;
    family->name = name;
    lock_release(LOCK_FAMILIES);
    return family;
}

/* What its bins hold is in slabs that have left. */
static void clear(struct heap *heap)
{
    memset(&heap->sweep, 0, sizeof heap->sweep);
    heap->purged = 0;
    for (size_t i = 0; i < CLASS_COUNT; i++)
        if (heap->bins[i].slot_size != 0)
            memset(&heap->bins[i], 0, sizeof heap->bins[i]);
}

void family_reset(struct family *family)
{
    for (struct heap *heap = family->heaps; heap != NULL; heap = heap->next_of_family) {
        for (struct slab *slab; (slab = settle_evict(heap)) != NULL;) {
            check_evicted(slab_start(slab), kind_size(slab_kind_of(slab)));
            pool_give_back(slab);
        }
        clear(heap);
    }
    while (family->blocks != 0) {
        void *p = unit_address(family->blocks);
        large_free(p, unit_recorded(p), ALIGN_MAX);
    }
}

void family_end(struct family *family)
{
    lock_acquire(LOCK_FAMILIES);
    family->handle = NULL;
    family->next_ended = families.ended;
    families.ended = family;
    lock_release(LOCK_FAMILIES);
}

struct family *family_next(const struct family *family)
{
    return family != NULL ? family->next : atomic_load_explicit(&families.first, memory_order_acquire);
}

bool family_name(const struct family *family, char name[FAMILY_NAME])
{
    lock_acquire(LOCK_FAMILIES); /* the program may take the name away once the family ended */
    bool is_there = family->handle != NULL;
    size_t length = is_there ? strlen(family->name) : 0;
    if (length > FAMILY_NAME - 1)
        length = FAMILY_NAME - 1;
    while (length > 0 && ((unsigned char)family->name[length] & 0xC0) == 0x80) /* within a character */
        length--;
    if (is_there)
        memcpy(name, family->name, length);
    lock_release(LOCK_FAMILIES);
    name[length] = '\0';
    return is_there;
}

/* ---- the thread's heap ------------------------------------------------------------------------------------------------- */

/* The thread's own heap, or one that it borrows. */
static struct heap *find_base(void)
{
    struct heap *heap = heap_self();
    if (heap->number != 0)
        return heap->base;
    heap = thread_adopt();
    return heap != NULL ? heap : heap_take();
}

/* Only of threads that are too late for a heap of their own. */
static void give_back(struct heap *base)
{
#if ALLOC_THREADS
    heap_put(base, false);
#else
    (void)base;
#endif
}

static void use(struct heap *heap, struct heap *base)
{
    own_bins = heap->bins;
    own_families = base == NULL ? &families_none : base->families;
}

struct heap *family_enter(struct family *family)
{
    struct heap *before = heap_self(), *base = find_base();
    if (base == NULL)
        return NULL;
    if (before->number == 0)
        before = heap_self(); /* adopted, or too late */
    struct family_heaps *table = base->families;
    struct heap *heap = family->index < table->count ? table->heaps[family->index] : NULL;
    if (heap == NULL)
        heap = heap_create_for(family, base);
    if (heap != NULL)
        use(heap, base);
    else if (before->number == 0)
        give_back(base);
    return heap == NULL ? NULL : before;
}

void family_leave(struct heap *before)
{
    struct heap *base = heap_self()->base;
    use(before, before->base);
    if (before->number == 0)
        give_back(base);
}
