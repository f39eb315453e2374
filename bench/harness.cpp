#include "harness.h"

#include <dlfcn.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

namespace bench
{
namespace
{

// Bytes in arrays, now and at most, and the page faults they took. The other threads of a workload may be gone when
// the first one reports.
std::mutex mapped_lock;
size_t mapped, mapped_most, mapped_faults;

// When the last thread was ready, and when the first one came out of the loop's end, where each waits for all others.
std::atomic<int64_t> ready, done;

int64_t nanoseconds() { return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count(); }

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

// Of the process (RUSAGE_SELF) or of this thread (RUSAGE_THREAD).
size_t count_page_faults(int whose)
{
    struct rusage usage = {};
    getrusage(whose, &usage);
    return static_cast<size_t>(usage.ru_minflt + usage.ru_majflt);
}

// Reports a workload when it has returned, and so adds what can only be known then.
class FinalMemory : public benchmark::BenchmarkReporter
{
  public:
    bool ReportContext(const Context &context) override { return display_->ReportContext(context); }
    void ReportRuns(const std::vector<Run> &runs) override
    {
        std::vector<Run> completed = runs;
        for (Run &run : completed)
            if (run.run_type == Run::RT_Iteration)
                run.counters["final_rss"] = memory_field("VmRSS:");
        display_->ReportRuns(completed);
    }
    void Finalize() override { display_->Finalize(); }

  private:
    std::unique_ptr<BenchmarkReporter> display_{benchmark::CreateDefaultDisplayReporter()};
};

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
    const size_t faults = count_page_faults(RUSAGE_THREAD);
    void *pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (pages == MAP_FAILED) {
        std::perror("bench: mmap");
        std::exit(1);
    }
    const std::lock_guard<std::mutex> lock(mapped_lock);
    mapped += bytes;
    mapped_most = std::max(mapped_most, mapped);
    mapped_faults += count_page_faults(RUSAGE_THREAD) - faults;
    return pages;
}

void unmap_pages(void *pages, size_t bytes)
{
    munmap(pages, bytes);
    const std::lock_guard<std::mutex> lock(mapped_lock);
    mapped -= bytes;
}

double resident()
{
    const std::lock_guard<std::mutex> lock(mapped_lock);
    return memory_field("VmRSS:") - static_cast<double>(mapped);
}

void start_together()
{
    done.store(INT64_MAX);
    const int64_t now = nanoseconds();
    for (int64_t last = ready.load(); last < now && !ready.compare_exchange_weak(last, now);)
        continue;
}

void finish(benchmark::State &state, size_t items)
{
    const int64_t now = nanoseconds();
    for (int64_t first = done.load(); now < first && !done.compare_exchange_weak(first, now);)
        continue;
    state.SetIterationTime(1e-9 * static_cast<double>(done.load() - ready.load()));
    state.SetItemsProcessed(static_cast<int64_t>(items));
    if (state.thread_index() != 0)
        return; // counters are summed over threads
    state.counters["peak_rss"] = memory_field("VmHWM:");
    state.counters["rss"] = memory_field("VmRSS:");
    state.counters["harness"] = static_cast<double>(mapped_most);
    state.counters["page_faults"] = static_cast<double>(count_page_faults(RUSAGE_SELF) - mapped_faults);
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
    bench::FinalMemory reporter;
    benchmark::RunSpecifiedBenchmarks(&reporter);
    benchmark::Shutdown();
    return 0;
}
