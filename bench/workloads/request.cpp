// Requests: 64 at a time, each a thousand blocks of mixed sizes that are allocated by two threads and gone at once when it is over.
// Block by block, or each request in a family of its own where the allocator has such things.
#include "family.h"

#include <atomic>
#include <memory>
#include <vector>

namespace
{

constexpr size_t request_count = 64;
constexpr size_t blocks_per_request = 1000;
constexpr size_t threads = 2;

// Where two threads wait for each other.
class Barrier
{
  public:
    void wait()
    {
        const size_t round = round_.load(std::memory_order_acquire);
        if (waiting_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads) {
            waiting_.store(0, std::memory_order_relaxed);
            round_.store(round + 1, std::memory_order_release);
        }
        while (round_.load(std::memory_order_acquire) == round)
            asm volatile("" : : : "memory");
    }

  private:
    std::atomic<size_t> waiting_{0}, round_{0};
};

// 16 to 512 bytes, small ones most.
size_t block_size(bench::Random &random) { return size_t{16} << random.below(1 + random.below(6)); }

struct Shared {
    std::vector<std::unique_ptr<bench::Family>> families;
    Barrier barrier;
};

Shared *shared;

void request(benchmark::State &state, bool has_families)
{
    const auto thread = static_cast<size_t>(state.thread_index());
    const size_t count = bench::scaled(blocks_per_request) / threads;
    if (thread == 0) {
        shared = new Shared;
        for (size_t i = 0; i < request_count; i++)
            shared->families.push_back(std::make_unique<bench::Family>());
    }
    bench::Random random(thread);
    bench::Array<void *> blocks(request_count * count);
    const bool frees_each = !has_families || !bench::Family::resets;
    bench::start_together();
    for (auto _ : state) {
        for (size_t i = 0; i < blocks.size(); i++) {
            const size_t size = block_size(random);
            void *block =
                has_families ? shared->families[i % request_count]->allocate(size, thread) : allocator::allocate(size);
            *static_cast<size_t *>(block) = size;
            blocks[i] = block;
        }
        shared->barrier.wait();
        if (frees_each)
            for (void *block : blocks)
                allocator::release(block, bench::object_size(block));
        else
            for (size_t i = thread; i < request_count; i += threads)
                shared->families[i]->reset();
        shared->barrier.wait();
    }
    bench::finish(state, blocks.size());
    if (thread == 0)
        delete shared;
}

const bool registered = [] {
    for (const bool has_families : {false, true})
        benchmark::RegisterBenchmark(has_families ? "request/families" : "request/each_block", request, has_families)
            ->Iterations(20)
            ->Threads(static_cast<int>(threads))
            ->UseManualTime();
    return true;
}();

} // namespace
