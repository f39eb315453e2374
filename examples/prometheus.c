/* Statistics as Prometheus reads them (text format 0.0.4): what a service answers to GET /metrics. */
#include <alloc/alloc_std.h>
#include <stdio.h>

static void put(FILE *out, const char *name, const char *type, const char *help, size_t value)
{
    fprintf(out, "# HELP alloc_%s %s\n# TYPE alloc_%s %s\nalloc_%s %zu\n", name, help, name, type, name, value);
}

static void put_all(FILE *out)
{
    struct alloc_stats s;
    if (alloc_stats(&s, sizeof s) != 0)
        return;
    put(out, "reserved_bytes", "gauge", "Addresses, used or not.", s.reserved_bytes);
    put(out, "committed_bytes", "gauge", "Usable memory that was not given back.", s.committed_bytes);
    put(out, "resident_bytes", "gauge", "Estimate of resident memory.", s.resident_estimate);
    put(out, "slab_bytes", "gauge", "Slabs of small blocks in use.", s.slab_bytes);
    put(out, "large_bytes", "gauge", "Blocks above 512 KiB in use.", s.large_live_bytes);
    put(out, "cached_bytes", "gauge", "Free memory kept for the next allocations.",
        s.cached_bytes + s.large_cached_bytes);
    put(out, "heaps", "gauge", "Heaps, one per thread that allocates.", s.heaps_live);
    put(out, "remote_frees_total", "counter", "Frees by other threads than the owner.", s.remote_frees);
    put(out, "purges_total", "counter", "Times that memory went back to the system.", s.purges);

    /* Of each size class that has slabs: how many slots, and how many of them are known to be free. */
    static const char *const names[] = {"slots", "slots_free"};
    for (int i = 0; i < 2; i++) {
        struct alloc_stats_class c;
        fprintf(out, "# HELP alloc_class_%s Slots of a size class.\n# TYPE alloc_class_%s gauge\n", names[i], names[i]);
        for (unsigned n = 0; alloc_stats_class(n, &c, sizeof c) == 0; n++)
            if (c.slots != 0)
                fprintf(out, "alloc_class_%s{size=\"%zu\"} %zu\n", names[i], c.slot_size,
                        i == 0 ? c.slots : c.slots_free);
    }
}

int main(void)
{
    /* Something to show. */
    enum { COUNT = 1000 };
    void *blocks[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        blocks[i] = alloc_malloc(i + 1);
    void *large = alloc_malloc((size_t)4 << 20);
    put_all(stdout);
    alloc_free(large, (size_t)4 << 20);
    for (size_t i = 0; i < COUNT; i++)
        alloc_free(blocks[i], i + 1);
    return 0;
}
