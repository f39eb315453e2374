// Zeroed memory: blocks allocated all zero, written to and checked once a page. Fresh from the system, which zeroes it,
// and recycled, which somebody must clear.
#include "block.h"

#include <algorithm>

namespace
{

using bench::Block;
using bench::page;

const size_t fresh_bytes = bench::scaled(256 << 20);
constexpr size_t recycled_bytes = 1 << 20; // or two blocks

// Writes a page before it reads it: the other way round, fresh pages would cost a fault more.
Block make_zeroed(size_t size)
{
    const Block block{static_cast<char *>(allocator::allocate_zeroed(size)), size};
    bench::touch(block, 1);
    char bits = block.start[size - 2];
    for (size_t at = 0; at < size; at += page)
        bits |= block.start[at + 1];
    bench::expect(bits == 0, "a zeroed block is zero");
    return block;
}

void release_all(bench::Array<Block> &blocks)
{
    for (const Block &block : blocks)
        allocator::release(block.start, block.size);
}

void calloc_fresh(benchmark::State &state)
{
    const size_t size = static_cast<size_t>(state.range(0));
    bench::Array<Block> blocks(std::max<size_t>(fresh_bytes / size, 1));
    for (auto _ : state)
        for (Block &block : blocks)
            block = make_zeroed(size);
    bench::finish(state, blocks.size());
    release_all(blocks);
}

void calloc_recycled(benchmark::State &state)
{
    const size_t size = static_cast<size_t>(state.range(0));
    bench::Array<Block> blocks(std::max<size_t>(recycled_bytes / size, 2));
    for (auto _ : state) {
        for (Block &block : blocks)
            block = make_zeroed(size);
        release_all(blocks);
    }
    bench::finish(state, static_cast<size_t>(state.iterations()) * blocks.size());
}

BENCHMARK(calloc_fresh)->Name("calloc/fresh")->RangeMultiplier(32)->Range(32, 32 << 20)->Iterations(1)->Threads(1);
BENCHMARK(calloc_recycled)->Name("calloc/recycled")->RangeMultiplier(32)->Range(32, 32 << 20)->Threads(1);

} // namespace
