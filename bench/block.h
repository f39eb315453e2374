// A block of bytes, as the workloads with large or resized blocks use and check it.
#ifndef ALLOC_BENCH_BLOCK_H
#define ALLOC_BENCH_BLOCK_H

#include "harness.h"

namespace bench
{

constexpr size_t page = 4096;

struct Block {
    char *start;
    size_t size;
};

// Writes the mark to the last byte, and once a page from byte `from` on.
inline void touch(const Block &block, char mark, size_t from = 0)
{
    block.start[block.size - 1] = mark;
    for (size_t at = from; at < block.size; at += page)
        block.start[at] = mark;
    asm volatile("" : : "r"(block.start) : "memory"); // the compiler must not see that nobody reads it
}

// Expects what touch has written, at both ends.
inline void expect_touched(const Block &block, char mark)
{
    expect(block.start[0] == mark && block.start[block.size - 1] == mark, "a block keeps its contents");
}

// Uniform from `smallest` to `largest`.
inline size_t random_size(Random &random, size_t smallest, size_t largest)
{
    return smallest + random.below(largest - smallest + 1);
}

// A doubling between `smallest` and `smallest` << `doublings`, every one as likely as any other, then uniform in it.
inline size_t random_size_by_doubling(Random &random, size_t smallest, size_t doublings)
{
    const size_t least = smallest << random.below(doublings);
    return random_size(random, least, 2 * least);
}

} // namespace bench

#endif
