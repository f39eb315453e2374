// Memory used for the first time: 256 MiB of blocks of one size, allocated and touched once a page. The time is per
// page of 4 KiB, of whatever size the blocks are: the system's page faults, and what an allocator adds to them or
// saves. With several threads, each has its part.
#include "block.h"

#include <algorithm>

namespace
{

using bench::Block;
using bench::page;

const size_t all_bytes = bench::scaled(256 << 20);

void first_touch(benchmark::State &state)
{
    const size_t size = static_cast<size_t>(state.range(0));
    const size_t bytes = all_bytes / static_cast<size_t>(state.threads());
    bench::Array<Block> blocks(std::max<size_t>(bytes / size, 1));
    bench::start_together();
    for (auto _ : state)
        for (Block &block : blocks) {
            block = {static_cast<char *>(allocator::allocate(size)), size};
            bench::touch(block, 1);
        }
    bench::finish(state, std::max<size_t>(blocks.size() * size / page, 1));
    for (const Block &block : blocks) {
        bench::expect_touched(block, 1);
        allocator::release(block.start, block.size);
    }
}

BENCHMARK(first_touch)->Arg(64)->Arg(1 << 10)->Arg(32 << 10)->Arg(1 << 20)->Arg(32 << 20)->Iterations(1)->Threads(1);
BENCHMARK(first_touch)->Arg(1 << 10)->Iterations(1)->UseManualTime()->ThreadRange(2, 16);

} // namespace
