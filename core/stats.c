#include "stats.h"

#include "lock.h"
#include "os/os.h"
#include "settle.h"

static void add_slab(struct slab_stats *stats, struct slab *slab, const struct settle_glance *glance)
{
    enum slab_kind kind = slab_kind_of(slab);
    stats->current[kind] += glance->state == SLAB_CURRENT;
    stats->parked[kind] += glance->state == SLAB_PARKED;
    stats->available[kind] += glance->state == SLAB_AVAILABLE;
    size_t touched = round_up((size_t)glance->granted * class_slot_size(glance->class), os_page_size());
    stats->bytes += kind_size(kind);
    stats->touched += kind == SLAB_HUGE || touched > kind_size(kind) ? kind_size(kind) : touched;
    stats->capacity += glance->capacity;
    stats->free += glance->free;
    size_t used = glance->state == SLAB_CURRENT ? glance->granted : glance->capacity - glance->free;
    stats->used += used * class_slot_size(glance->class);
}

/* What is looked for: a class, or a family. */
static bool is_wanted(const struct settle_glance *glance, size_t class, const struct family *family)
{
    return glance->state != SLAB_POOLED && (class == EVERY_CLASS || class == glance->class) &&
           (family == NULL || family == glance->family);
}

static struct slab_stats add_slabs(size_t class, const struct family *family)
{
    struct slab_stats stats = {0};
    for (struct region *region = region_newest(); region != NULL; region = region->next)
        for (uint32_t i = region_first_slab(region); i < region->slab_end; i++) {
            struct slab *slab = (struct slab *)region + i;
            struct settle_glance glance = settle_glance(slab);
            if (is_wanted(&glance, class, family))
                add_slab(&stats, slab, &glance);
        }
    return stats;
}

struct slab_stats stats_of_slabs(size_t class) { return add_slabs(class, NULL); }

struct slab_stats stats_of_family(const struct family *family) { return add_slabs(EVERY_CLASS, family); }

size_t stats_remote_frees(void)
{
    size_t count = 0;
    for (struct region *region = region_newest(); region != NULL; region = region->next)
        for (uint32_t i = region_first_slab(region); i < region->slab_end; i++)
            count += atomic_load_explicit(&slab_remote((struct slab *)region + i)->pushed, memory_order_relaxed);
    return count;
}

size_t stats_fresh_slabs(void)
{
    size_t count = 0;
    lock_acquire(LOCK_GROWTH);
    for (enum slab_kind kind = 0; kind < SLAB_KINDS; kind++)
        count += reservation_left((enum space)kind) >> kind_shift(kind);
    lock_release(LOCK_GROWTH);
    return count;
}

size_t stats_reserved(void)
{
    size_t size = 0;
    for (enum space space = 0; space < RESERVATIONS; space++)
        size += reservation_reserved(space);
    return size;
}

size_t stats_regions(void)
{
    size_t count = 0;
    for (struct region *region = region_newest(); region != NULL; region = region->next)
        count++;
    return count;
}
