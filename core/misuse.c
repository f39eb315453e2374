#include "misuse.h"

#include "report.h"
#include "slab.h"

#include <stdio.h>

/* What a caller passed behind the pointer, as text. */
struct given {
    char text[64];
};

static struct given given_of(size_t size, size_t align)
{
    struct given given = {""};
    if (align == 0)
        (void)snprintf(given.text, sizeof given.text, ", %zu", size);
    else if (align != UNSIZED)
        (void)snprintf(given.text, sizeof given.text, ", %zu, %zu", size, align);
    return given;
}

/* What the slab holds that an address lies in. */
struct held {
    char text[64];
};

static struct held held_at(const void *p, const struct slab *slab)
{
    struct held held;
    size_t size;
    if (slab != NULL)
        (void)snprintf(held.text, sizeof held.text, "its slab holds slots of %u bytes",
                       (unsigned)class_slot_size(slab->class));
    else if (unit_block_at(p, &size) != NULL)
        (void)snprintf(held.text, sizeof held.text, "it lies in a block of %zu bytes", size);
    else
        (void)snprintf(held.text, sizeof held.text, "%s",
                       slab_find(p) != NULL ? "its slab holds nothing" : "no block of this library begins there");
    return held;
}

#define LINE "alloc: %s(%p%s): %s: %s\n"

_Noreturn void misuse(const char *function, const void *p, size_t size, size_t align, const char *kind,
                      const struct slab *slab)
{
    report_fatal(LINE, function, p, given_of(size, align).text, kind, held_at(p, slab).text);
}

void misuse_tolerated(const char *function, const void *p, size_t size, size_t align, const char *kind,
                      const struct slab *slab)
{
    report(LINE, function, p, given_of(size, align).text, kind, held_at(p, slab).text);
}

const char *misuse_function(size_t align)
{
    return align == 0 ? "alloc_free" : align == UNSIZED ? "free" : "alloc_free_aligned";
}

_Noreturn void misuse_free(const void *p, size_t size, size_t align, const char *kind, const struct slab *slab)
{
    misuse(misuse_function(align), p, size, align, kind, slab);
}

size_t misuse_unless_slot(const char *function, const struct slab *slab, const void *p, size_t size, size_t align)
{
    uint32_t index = slab_index(slab, p);
    bool is_start = slab_starts_slot_at(slab, p);
    if (!is_start || index >= slab_granted(slab))
        misuse(function != NULL ? function : misuse_function(align), p, size, align,
               is_start ? "not allocated" : "not the start of a slot", slab);
    return index;
}

_Noreturn void misuse_of_large(const char *function, const void *p, size_t size, size_t align, size_t bytes)
{
    report_fatal("alloc: %s(%p%s): wrong size: it is a block of %zu bytes\n", function, p, given_of(size, align).text,
                 bytes);
}
