#include "harness.h"

#include <dlfcn.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

namespace bench
{
namespace
{

// Bytes in arrays, now and at most. The other threads of a workload may be gone when the first one reports.
std::mutex mapped_lock;
size_t mapped, mapped_most;

// A field of /proc/self/status, in bytes. Not getrusage: its maximum starts at what the parent had.
double memory_field(const char *name)
{
    char line[128];
    double kib = 0;
    std::FILE *status = std::fopen("/proc/self/status", "r");
    if (!status)
        return 0;
    while (std::fgets(line, sizeof line, status))
        if (std::strncmp(line, name, std::strlen(name)) == 0)
            kib = std::atof(line + std::strlen(name));
    std::fclose(status);
    return kib * 1024;
}

std::string library_of(const void *address)
{
    Dl_info found;
    return dladdr(address, &found) && found.dli_fname ? found.dli_fname : "?";
}

} // namespace

size_t scaled(size_t full)
{
    static const char *scale = std::getenv("ALLOC_BENCH_SCALE");
    return scale ? std::max<size_t>(64, static_cast<size_t>(static_cast<double>(full) * std::atof(scale))) : full;
}

void *map_pages(size_t bytes)
{
    void *pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (pages == MAP_FAILED) {
        std::perror("bench: mmap");
        std::exit(1);
    }
    const std::lock_guard<std::mutex> lock(mapped_lock);
    mapped += bytes;
    mapped_most = std::max(mapped_most, mapped);
    return pages;
}

void unmap_pages(void *pages, size_t bytes)
{
    munmap(pages, bytes);
    const std::lock_guard<std::mutex> lock(mapped_lock);
    mapped -= bytes;
}

void finish(benchmark::State &state, size_t items)
{
    state.SetItemsProcessed(static_cast<int64_t>(items));
    if (state.thread_index() != 0)
        return; // counters are summed over threads
    state.counters["peak_rss"] = memory_field("VmHWM:");
    state.counters["rss"] = memory_field("VmRSS:");
    state.counters["harness"] = static_cast<double>(mapped_most);
}

} // namespace bench

int main(int argc, char **argv)
{
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 1;
    benchmark::AddCustomContext("allocator", BENCH_ALLOCATOR_NAME);
    benchmark::AddCustomContext("allocator_version", allocator::version());
    benchmark::AddCustomContext("allocator_library", bench::library_of(allocator::entry()));
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
