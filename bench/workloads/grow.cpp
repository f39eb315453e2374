// Blocks that grow by being resized, filled as they grow: vectors, whose capacity grows by half, and strings, appended
// to piece by piece, each from 16 bytes to so many; and one block that grows from so many MiB on by 16 MiB, in steps of
// 64 KiB: a step should cost the same at a thousand MiB as at one.
#include "block.h"

#include <array>
#include <cstring>

namespace
{

using bench::Block;

constexpr size_t first_size = 16;
constexpr size_t element = 8;
constexpr size_t grown_in_turns = 4; // so that a block does not just grow into free memory behind it
constexpr size_t step = 64 << 10;
constexpr size_t steps = 256;

size_t vector_size(size_t size, bench::Random &) { return size + size / 2 / element * element; }

size_t string_size(size_t size, bench::Random &random) { return size + 1 + random.below(size / 4 + 16); }

using NextSize = size_t (*)(size_t size, bench::Random &);

void grow_by(Block &block, size_t bytes)
{
    const size_t old_size = block.size;
    block.size += bytes;
    block.start = static_cast<char *>(allocator::resize(block.start, old_size, block.size));
}

void grow(benchmark::State &state, NextSize next_size)
{
    const size_t largest = bench::scaled(static_cast<size_t>(state.range(0)));
    bench::Random random;
    size_t resized = 0;
    for (auto _ : state) {
        std::array<Block, grown_in_turns> blocks = {};
        for (Block &block : blocks) {
            grow_by(block, first_size);
            bench::touch(block, 1);
        }
        for (size_t turn = 0, full = 0; full < blocks.size(); turn++) {
            Block &block = blocks[turn % blocks.size()];
            const size_t old_size = block.size;
            if (old_size >= largest)
                continue;
            bench::expect_touched(block, 1);
            grow_by(block, next_size(old_size, random) - old_size);
            std::memset(block.start + old_size, 1, block.size - old_size);
            resized++;
            full += block.size >= largest;
        }
        for (const Block &block : blocks)
            allocator::release_resized(block.start, block.size);
    }
    bench::finish(state, resized);
}

void grow_block(benchmark::State &state)
{
    Block block = {};
    grow_by(block, bench::scaled(static_cast<size_t>(state.range(0)) << 20) / step * step + step);
    bench::touch(block, 1);
    for (auto _ : state)
        for (size_t i = 0; i < steps; i++) {
            const size_t old_size = block.size;
            grow_by(block, step);
            bench::touch(block, 1, old_size);
        }
    bench::finish(state, steps);
    bench::expect_touched(block, 1);
    allocator::release_resized(block.start, block.size);
}

BENCHMARK_CAPTURE(grow, vector, vector_size)->Arg(1 << 10)->Arg(64 << 10)->Arg(1 << 20)->Arg(64 << 20)->Threads(1);
BENCHMARK_CAPTURE(grow, string, string_size)->Arg(1 << 10)->Arg(64 << 10)->Arg(1 << 20)->Arg(64 << 20)->Threads(1);
BENCHMARK(grow_block)->Arg(1)->Arg(64)->Arg(1008)->Iterations(1)->Threads(1);

} // namespace
