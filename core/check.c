#include "check.h"

#include "heap.h"
#include "large.h"
#include "os/os.h"

#include <stdio.h>

/* ---- reports ---------------------------------------------------------------------------------------------------- */

struct line {
    char text[256];
    size_t length;
};

/* A line that is too long is cut, its end kept. */
static void end_line(struct line *line, int length)
{
    line->length = length < 0 ? 0 : (size_t)length < sizeof line->text ? (size_t)length : sizeof line->text - 1;
    if (line->length > 0)
        line->text[line->length - 1] = '\n';
}

static size_t large_known(const void *p);

static struct line describe(const char *function, const void *p, size_t size, size_t align, const char *kind,
                            const struct slab *slab)
{
    char given[64] = "", holds[64];
    if (align == 0)
        (void)snprintf(given, sizeof given, ", %zu", size);
    else if (align != UNSIZED)
        (void)snprintf(given, sizeof given, ", %zu, %zu", size, align);
    if (slab != NULL)
        (void)snprintf(holds, sizeof holds, "its slab holds slots of %u bytes", (unsigned)class_slot_size(slab->class));
    else if (region_known(p))
        (void)snprintf(holds, sizeof holds, "its slab holds nothing");
    else if (large_known(p) != 0)
        (void)snprintf(holds, sizeof holds, "it is a block of %zu bytes", large_known(p));
    else
        (void)snprintf(holds, sizeof holds, "no block of this library begins there");
    struct line line;
    end_line(&line,
             snprintf(line.text, sizeof line.text, "alloc: %s(%p%s): %s: %s\n", function, p, given, kind, holds));
    return line;
}

_Noreturn void misuse(const char *function, const void *p, size_t size, size_t align, const char *kind,
                      const struct slab *slab)
{
    struct line line = describe(function, p, size, align, kind, slab);
    os_fatal(line.text, line.length);
}

void misuse_tolerated(const char *function, const void *p, size_t size, size_t align, const char *kind,
                      const struct slab *slab)
{
    struct line line = describe(function, p, size, align, kind, slab);
    os_write(line.text, line.length);
}

static const char *free_function(size_t align)
{
    return align == 0 ? "alloc_free" : align == UNSIZED ? "free" : "alloc_free_aligned";
}

_Noreturn void misuse_free(const void *p, size_t size, size_t align, const char *kind, const struct slab *slab)
{
    misuse(free_function(align), p, size, align, kind, slab);
}

size_t verify_slot(const char *function, const struct slab *slab, const void *p, size_t size, size_t align)
{
    uint32_t index = slab_index(slab, p);
    bool is_start = slab_starts_slot_at(slab, p);
    if (!is_start || index >= slab_granted(slab))
        misuse(function != NULL ? function : free_function(align), p, size, align,
               is_start ? "not allocated" : "not the start of a slot", slab);
    return index;
}

#if !ALLOC_DEBUG

static size_t large_known(const void *p)
{
    (void)p;
    return 0;
}

#else

_Noreturn void check_failed(const char *file, int at, const char *expression)
{
    struct line line;
    end_line(&line, snprintf(line.text, sizeof line.text, "alloc: internal error: %s:%d: %s\n", file, at, expression));
    os_fatal(line.text, line.length);
}

/* ---- what is handed out: slots ----------------------------------------------------------------------------------- */

bool check_region_begin(struct region *region)
{
    region->shadow = os_map(REGION_SIZE / 8, os_page_size());
    return region->shadow != NULL;
}

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

static size_t large_known(const void *p)
{
    struct large_entry *entry = large_entry(p);
    return entry != NULL && atomic_load(&entry->start) == (uintptr_t)p ? atomic_load(&entry->bytes) : 0;
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
        misuse(function, p, size, align, "wrong size", NULL);
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

/* ---- the invariants ---------------------------------------------------------------------------------------------- */

/* The bits of a map that nobody writes to; its summaries say where they are. */
static size_t count_map(struct map *map, size_t granted)
{
    size_t count = 0;
    for (size_t word = 0; word < map_words(granted); word++) {
        uint64_t bits = atomic_load(&map->word[word]);
        bool listed = atomic_load(map_group(map, word / 64)) >> (word % 64) & 1;
        bool taken = map->taken_group == word / 64 && (map->taken >> (word % 64) & 1);
        check((bits != 0) == (listed || taken));
        check(!listed || (atomic_load(&map->top[word / 64 / 64]) >> (word / 64 % 64) & 1));
        count += population(bits);
    }
    return count;
}

void check_slab(struct slab *slab)
{
    size_t capacity = slab_capacity(slab_kind_of(slab), slab->class);
    size_t freed = slab_freed_count(slab);
    check(slab_granted(slab) <= capacity && freed <= slab_granted(slab));
    check(freed == count_map(slab->local, slab_granted(slab)));
}

void check_slab_quiet(struct slab *slab)
{
    check_slab(slab);
    uint32_t waiting = atomic_load(&slab_remote(slab)->pushed) - slab_remote(slab)->popped;
    check(waiting == (ALLOC_THREADS ? count_map(slab->remote, slab_granted(slab)) : 0));
}

#endif
