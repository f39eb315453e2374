// Random replacement of large blocks, of page-exact sizes: one of 32 is freed, and another allocated in its place and
// touched once a page. With several threads, each has its part of the blocks.
//
// The number of replacements is fixed, as in churn. Counters: live, the bytes in blocks at the end, to hold rss
// against; live_most, the most there were, to hold peak_rss against (with several threads: the sum of each one's most).
#include "block.h"
#include "replacement.h"

#include <algorithm>

namespace
{

using bench::Block;
using bench::page;

constexpr size_t blocks = 32;
const size_t mebibyte_pages = bench::scaled(256);
const size_t replacements = bench::scaled(512);

// From 1 to 32 MiB, every size as likely as any other: half the bytes are in blocks above 22 MiB.
size_t large_size(bench::Random &random)
{
    return page * bench::random_size(random, mebibyte_pages, 32 * mebibyte_pages);
}

// From 64 KiB to 32 MiB, every doubling as likely as any other: sizes as programs have them.
size_t wide_size(bench::Random &random) { return page * bench::random_size_by_doubling(random, 16, 9); }

using Size = size_t (*)(bench::Random &);

char mark_of(const Block &block) { return static_cast<char>(block.size / page); }

Block make_block(size_t size)
{
    const Block block{static_cast<char *>(allocator::allocate(size)), size};
    bench::touch(block, mark_of(block));
    return block;
}

void release_block(const Block &block)
{
    bench::expect_touched(block, mark_of(block));
    allocator::release(block.start, block.size);
}

void large(benchmark::State &state, Size random_size)
{
    const size_t threads = static_cast<size_t>(state.threads());
    const size_t timed = replacements / threads;
    bench::Random random(static_cast<size_t>(state.thread_index()));
    bench::Array<Block> live(blocks / threads);
    size_t bytes = 0, most = 0;
    const auto fill = [&](Block &block) {
        block = make_block(random_size(random));
        bytes += block.size;
        most = std::max(most, bytes);
    };
    const auto release = [&](const Block &block) {
        bytes -= block.size;
        release_block(block);
    };

    bench::replace_at_random(state, live, random, timed, fill, release);
    state.counters["live"] = static_cast<double>(bytes);
    state.counters["live_most"] = static_cast<double>(most);
    for (const Block &block : live)
        release_block(block);
}

BENCHMARK_CAPTURE(large, 1MiB_to_32MiB, large_size)->Iterations(1)->Threads(1);
BENCHMARK_CAPTURE(large, 64KiB_to_32MiB, wide_size)->Iterations(1)->Threads(1);
BENCHMARK_CAPTURE(large, 64KiB_to_32MiB, wide_size)->Iterations(1)->UseManualTime()->ThreadRange(2, 16);

} // namespace
