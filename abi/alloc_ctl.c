/* The rest of alloc/alloc_std.h, and alloc/alloc_inspect.h: what does not allocate, free or resize; and statistics of families. */
#include "alloc/alloc_family.h"
#include "alloc/alloc_inspect.h"

#include "family.h"
#include "heap.h"
#include "inspect.h"
#include "large.h"
#include "memory.h"
#include "option.h"
#include "pages.h"
#include "stats.h"
#include "thread.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

_Static_assert((int)ALLOC_OPTION_HUGE_PAGES == OPTION_HUGE_PAGES && (int)ALLOC_OPTION_PURGE_AGE == OPTION_PURGE_AGE &&
                   (int)ALLOC_OPTION_CACHE_LIMIT == OPTION_CACHE_LIMIT &&
                   (int)ALLOC_OPTION_LARGE_CACHE_LIMIT == OPTION_LARGE_CACHE_LIMIT &&
                   (int)ALLOC_OPTION_MAPPED_LIMIT == OPTION_MAPPED_LIMIT &&
                   (int)ALLOC_OPTION_VERBOSITY == OPTION_VERBOSITY && (int)ALLOC_OPTION_STRICT == OPTION_STRICT,
               "the header and the engine agree");

static int invalid(void)
{
    errno = EINVAL;
    return -1;
}

/* ---- memory goes back, options ------------------------------------------------------------------------------------ */

/* What a heap's slabs give up is free, and purged by the next call. */
int alloc_purge(void)
{
    return pages_purge_oldest(SPACE_BLOCKS, SIZE_MAX) || pages_purge_oldest(SPACE_LARGE, SIZE_MAX) ||
           pages_purge_oldest(SPACE_HUGE, SIZE_MAX) || pages_purge_oldest(SPACE_MEDIUM, SIZE_MAX) ||
           pages_purge_oldest(SPACE_SMALL, SIZE_MAX) || thread_purge();
}

int alloc_option_set(enum alloc_option option, size_t value)
{
    option_start(); /* or the environment would be read later, and win */
    return option_set((size_t)option, value) ? 0 : invalid();
}

int alloc_option_get(enum alloc_option number, size_t *value)
{
    option_start();
    if ((size_t)number >= OPTION_COUNT || value == NULL)
        return invalid();
    *value = option((enum option)number);
    return 0;
}

/* ---- statistics --------------------------------------------------------------------------------------------------- */

static size_t sum(const size_t counts[SLAB_KINDS])
{
    size_t all = 0;
    for (enum slab_kind kind = 0; kind < SLAB_KINDS; kind++)
        all += counts[kind];
    return all;
}

static size_t load(const _Atomic size_t *count) { return atomic_load_explicit(count, memory_order_relaxed); }

static struct alloc_stats collect(void)
{
    struct slab_stats slabs = stats_of_slabs(EVERY_CLASS);
    struct pages_counts blocks = pages_count(SPACE_BLOCKS);
    struct large_counts live = large_count();
    struct heap_counts heaps = heap_count();
    size_t cached = 0, slabs_cached = 0, slabs_free = 0;
    for (enum slab_kind kind = 0; kind < SLAB_KINDS; kind++) {
        struct pages_counts pages = pages_count((enum space)kind);
        cached += pages.dirty;
        slabs_cached += pages.dirty / kind_size(kind);
        slabs_free += (pages.dirty + pages.clean + pages.released) / kind_size(kind);
    }
    return (struct alloc_stats){
        .regions = stats_regions(),
        .reserved_bytes = stats_reserved(),
        .committed_bytes = load(&memory_counts.charged),
        .resident_estimate = slabs.touched + cached + live.live_bytes + blocks.dirty,
        .slabs_current = sum(slabs.current),
        .slabs_parked = sum(slabs.parked),
        .slabs_available = sum(slabs.available),
        .slabs_cached = slabs_cached,
        .slabs_purged = slabs_free - slabs_cached, /* also those of which a part is cached */
        .slabs_fresh = stats_fresh_slabs(),
        .slab_bytes = slabs.bytes,
        .cached_bytes = cached,
        .large_live = live.live,
        .large_live_bytes = live.live_bytes,
        .large_cached = blocks.dirty_runs,
        .large_cached_bytes = blocks.dirty,
        .remote_frees = stats_remote_frees(),
        .purges = load(&memory_counts.purges),
        .heaps_live = heaps.heaps - heaps.pooled,
        .heaps_pooled = heaps.pooled,
    };
}

/* A caller compiled with another version has a struct of another size. */
static int hand_out(void *out, size_t size, const void *stats, size_t known)
{
    if (out == NULL)
        return invalid();
    memset(out, 0, size);
    memcpy(out, stats, size < known ? size : known);
    return 0;
}

int alloc_stats(struct alloc_stats *out, size_t size)
{
    struct alloc_stats stats = collect();
    return hand_out(out, size, &stats, sizeof stats);
}

int alloc_stats_class(unsigned number, struct alloc_stats_class *out, size_t size)
{
    if (number >= CLASS_COUNT)
        return invalid();
    struct alloc_stats_class stats = {0};
    if (class_exists(number)) {
        struct slab_stats slabs = stats_of_slabs(number);
        stats = (struct alloc_stats_class){
            .slot_size = class_slot_size(number),
            .slabs_current = sum(slabs.current),
            .slabs_parked = sum(slabs.parked),
            .slabs_available = sum(slabs.available),
            .slab_bytes = slabs.bytes,
            .slots = slabs.capacity,
            .slots_free = slabs.free,
        };
    }
    return hand_out(out, size, &stats, sizeof stats);
}

static struct alloc_family_stats family_stats(const struct family *family)
{
    struct slab_stats slabs = {0};
    if (atomic_load_explicit(&family->slab_bytes, memory_order_relaxed) != 0) /* else there is nothing to be found */
        slabs = stats_of_family(family);
    size_t large_bytes = atomic_load_explicit(&family->large_bytes, memory_order_relaxed);
    return (struct alloc_family_stats){
        .slab_bytes = slabs.bytes,
        .used_bytes = slabs.used,
        .large_bytes = large_bytes,
        .resident_estimate = slabs.touched + large_bytes,
    };
}

int alloc_family_stats(const alloc_family *handle, struct alloc_family_stats *out, size_t size)
{
    const struct family *family = handle->state;
    struct alloc_family_stats stats = {0};
    if (family != NULL)
        stats = family_stats(family);
    return hand_out(out, size, &stats, sizeof stats);
}

/* ---- single addresses, all blocks ---------------------------------------------------------------------------------- */

int alloc_owns(const void *address) { return inspect(address).state != INSPECT_FOREIGN; }

int alloc_block(const void *address, struct alloc_block *out, size_t size)
{
    static const enum alloc_block_state states[] = {
        [INSPECT_FREE] = ALLOC_BLOCK_FREE, [INSPECT_LIVE] = ALLOC_BLOCK_LIVE, [INSPECT_UNKNOWN] = ALLOC_BLOCK_UNKNOWN};
    struct inspect_block seen = inspect(address);
    struct alloc_block block = {
        .start = seen.start,
        .size = seen.size,
        .state = states[seen.state],
        .is_own = seen.is_own,
    };
    if (block.state != ALLOC_BLOCK_NONE)
        block.kind = seen.is_slot ? ALLOC_BLOCK_SLOT : ALLOC_BLOCK_LARGE;
    return hand_out(out, size, &block, sizeof block);
}

int alloc_walk(int (*visit)(void *context, void *start, size_t size), void *context)
{
    return inspect_walk(visit, context);
}

/* ---- as JSON ------------------------------------------------------------------------------------------------------- */

struct writer {
    void (*write)(void *context, const char *text, size_t length);
    void *context;
    const char *separator; /* before the next number */
};

static void put_text(const struct writer *writer, const char *text)
{
    writer->write(writer->context, text, strlen(text));
}

static void put_number(struct writer *writer, const char *name, size_t value)
{
    char text[96];
    int length = snprintf(text, sizeof text, "%s\"%s\": %zu", writer->separator, name, value);
    writer->write(writer->context, text, length < 0 ? 0 : (size_t)length);
    writer->separator = ", ";
}

static void put_class(struct writer *writer, const struct alloc_stats_class *stats)
{
    put_number(writer, "slot_size", stats->slot_size);
    put_number(writer, "slabs_current", stats->slabs_current);
    put_number(writer, "slabs_parked", stats->slabs_parked);
    put_number(writer, "slabs_available", stats->slabs_available);
    put_number(writer, "slab_bytes", stats->slab_bytes);
    put_number(writer, "slots", stats->slots);
    put_number(writer, "slots_free", stats->slots_free);
}

/* A JSON string. */
static void put_string(const struct writer *writer, const char *text)
{
    put_text(writer, "\"");
    for (; *text != '\0'; text++) {
        char escaped[8] = {*text, '\0'};
        if (*text == '"' || *text == '\\' || (unsigned char)*text < ' ')
            (void)snprintf(escaped, sizeof escaped, "\\u00%02x", (unsigned char)*text);
        put_text(writer, escaped);
    }
    put_text(writer, "\"");
}

static void put_family(struct writer *writer, const char *name, const struct alloc_family_stats *stats)
{
    put_text(writer, writer->separator);
    put_text(writer, "{\"name\": ");
    put_string(writer, name);
    writer->separator = ", ";
    put_number(writer, "slab_bytes", stats->slab_bytes);
    put_number(writer, "used_bytes", stats->used_bytes);
    put_number(writer, "large_bytes", stats->large_bytes);
    put_number(writer, "resident_estimate", stats->resident_estimate);
    put_text(writer, "}");
}

static void put_families(struct writer *writer)
{
    writer->separator = "";
    for (const struct family *family = family_next(NULL); family != NULL; family = family_next(family)) {
        char name[FAMILY_NAME];
        if (!family_name(family, name))
            continue;
        struct alloc_family_stats stats = family_stats(family);
        put_family(writer, name, &stats);
    }
}

static void put_all(void (*write)(void *context, const char *text, size_t length), void *context)
{
    struct writer writer = {write, context, "{"};
    struct alloc_stats stats = collect();
    char program[16], text[48];
    os_program(program);
    (void)snprintf(text, sizeof text, ", \"program\": \"%s\"", program);
    put_number(&writer, "version", ALLOC_VERSION);
    put_number(&writer, "process", os_process());
    put_text(&writer, text);
    put_number(&writer, "regions", stats.regions);
    put_number(&writer, "reserved_bytes", stats.reserved_bytes);
    put_number(&writer, "committed_bytes", stats.committed_bytes);
    put_number(&writer, "resident_estimate", stats.resident_estimate);
    put_number(&writer, "slabs_current", stats.slabs_current);
    put_number(&writer, "slabs_parked", stats.slabs_parked);
    put_number(&writer, "slabs_available", stats.slabs_available);
    put_number(&writer, "slabs_cached", stats.slabs_cached);
    put_number(&writer, "slabs_purged", stats.slabs_purged);
    put_number(&writer, "slabs_fresh", stats.slabs_fresh);
    put_number(&writer, "slab_bytes", stats.slab_bytes);
    put_number(&writer, "cached_bytes", stats.cached_bytes);
    put_number(&writer, "large_live", stats.large_live);
    put_number(&writer, "large_live_bytes", stats.large_live_bytes);
    put_number(&writer, "large_cached", stats.large_cached);
    put_number(&writer, "large_cached_bytes", stats.large_cached_bytes);
    put_number(&writer, "remote_frees", stats.remote_frees);
    put_number(&writer, "purges", stats.purges);
    put_number(&writer, "heaps_live", stats.heaps_live);
    put_number(&writer, "heaps_pooled", stats.heaps_pooled);
    put_text(&writer, ", \"classes\": [");
    const char *separator = "";
    for (unsigned number = 0; number < CLASS_COUNT; number++) {
        struct alloc_stats_class class_stats;
        (void)alloc_stats_class(number, &class_stats, sizeof class_stats);
        if (class_stats.slab_bytes == 0)
            continue;
        put_text(&writer, separator);
        writer.separator = "{";
        put_class(&writer, &class_stats);
        put_text(&writer, "}");
        separator = ", ";
    }
    put_text(&writer, "], \"families\": [");
    put_families(&writer);
    put_text(&writer, "]}\n");
}

/* ---- in one piece ---------------------------------------------------------------------------------------------------- */

/* Room beyond what the line takes: other threads may begin to use classes and families before it is written. */
#define LINE_MORE ((size_t)16 << 10)

struct line {
    char *text;
    size_t length, room;
};

/* How many bytes it would be. */
static void to_length(void *context, const char *text, size_t length)
{
    size_t *sum = context;
    (void)text;
    *sum += length;
}

static void to_line(void *context, const char *text, size_t length)
{
    struct line *line = context;
    if (length > line->room - line->length)
        length = line->room - line->length;
    memcpy(line->text + line->length, text, length);
    line->length += length;
}

/* Not on the stack: threads may have small ones. */
static void write_line(const char *prefix, void (*write)(void *context, const char *text, size_t length), void *context)
{
    size_t room = LINE_MORE;
    put_all(to_length, &room);
    room = round_up(room, os_page_size());
    struct line line = {os_map(room, os_page_size()), 0, room};
    if (line.text == NULL) {
        put_all(write, context);
        return;
    }
    to_line(&line, prefix, strlen(prefix));
    put_all(to_line, &line);
    write(context, line.text, line.length);
    (void)os_release(line.text, room);
}

void alloc_stats_json(void (*write)(void *context, const char *text, size_t length), void *context)
{
    write_line("", write, context);
}

static void to_standard_error(void *context, const char *text, size_t length)
{
    (void)context;
    os_write(text, length);
}

/* So lines of processes which end at the same time do not mix. */
OS_AT_EXIT static void at_exit(void)
{
    if (option(OPTION_VERBOSITY) >= 2)
        write_line("alloc: ", to_standard_error, NULL);
}
