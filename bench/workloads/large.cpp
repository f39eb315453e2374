// Random replacement of large blocks, of page-exact sizes: one of 32 is freed, and another allocated in its place and
// touched once a page. With several threads, each has its part of the blocks.
//
// The number of replacements is fixed, as in churn. Counters: live, the bytes in blocks at the end, to hold rss
// against; live_most, the most there were (with several threads: the sum of each one's most), to hold peak_rss against.
#include "harness.h"

#include <algorithm>

namespace
{

constexpr size_t blocks = 32;
constexpr size_t page = 4096;
constexpr size_t largest = 32 << 20;
const size_t replacements = bench::scaled(512);

// Every number of pages as likely as any other: half the bytes are in blocks above 22 MiB.
struct Uniform {
    size_t smallest;
    size_t operator()(bench::Random &random) const
    {
        return smallest + page * random.below((largest - smallest) / page + 1);
    }
};

// Every doubling as likely as any other: sizes as programs have them.
struct LogUniform {
    size_t smallest;
    size_t operator()(bench::Random &random) const
    {
        size_t doublings = 0;
        while (smallest << doublings < largest)
            doublings++;
        const size_t base = smallest << random.below(doublings);
        return base + page * random.below(base / page + 1);
    }
};

struct Block {
    char *start;
    size_t size;
};

template <typename Sizes> Block make_block(const Sizes &sizes, bench::Random &random)
{
    const size_t size = sizes(random);
    char *start = static_cast<char *>(allocator::allocate(size));
    for (size_t at = 0; at < size; at += page)
        start[at] = static_cast<char>(size / page);
    return {start, size};
}

void release_block(const Block &block)
{
    const char mark = static_cast<char>(block.size / page);
    bench::expect(block.start[0] == mark && block.start[block.size - page] == mark, "a block keeps its contents");
    allocator::release(block.start, block.size);
}

template <typename Sizes> void large(benchmark::State &state, const Sizes &sizes)
{
    const size_t threads = static_cast<size_t>(state.threads());
    const size_t timed = replacements / threads;
    bench::Random random(static_cast<size_t>(state.thread_index()));
    bench::Array<Block> live(blocks / threads);
    size_t bytes = 0, most = 0;
    const auto fill = [&](Block &block) {
        block = make_block(sizes, random);
        bytes += block.size;
        most = std::max(most, bytes);
    };
    const auto replace = [&] {
        Block &block = live[random.below(live.size())];
        bytes -= block.size;
        release_block(block);
        fill(block);
    };

    for (Block &block : live)
        fill(block);
    for (size_t i = 0; i < 2 * live.size(); i++)
        replace();
    for (auto _ : state)
        for (size_t i = 0; i < timed; i++)
            replace();
    bench::finish(state, timed);
    state.counters["live"] = static_cast<double>(bytes);
    state.counters["live_most"] = static_cast<double>(most);
    for (const Block &block : live)
        release_block(block);
}

BENCHMARK_CAPTURE(large, 1MiB_to_32MiB, Uniform{1 << 20})->Iterations(1)->Threads(1);
BENCHMARK_CAPTURE(large, 64KiB_to_32MiB, LogUniform{64 << 10})->Iterations(1)->Threads(1);
BENCHMARK_CAPTURE(large, 64KiB_to_32MiB, LogUniform{64 << 10})->Iterations(1)->UseRealTime()->ThreadRange(2, 16);

} // namespace
