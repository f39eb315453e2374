// A model of what is handed out: every live block with its size, alignment and contents.
#ifndef ALLOC_TEST_SHADOW_H
#define ALLOC_TEST_SHADOW_H

#include "support.h"

#include <map>

namespace support
{

class Shadow
{
  public:
    struct Block {
        void *ptr;
        Request request;
        uint64_t mark; // of its contents
    };

    // A block that was just handed out: it must be aligned and overlap no live one. Fills all it holds.
    testing::AssertionResult add(void *ptr, Request request)
    {
        if (ptr == nullptr)
            return testing::AssertionFailure() << request << ": no memory";
        if (!is_aligned(ptr, promised_align(request)))
            return testing::AssertionFailure() << request << ": " << ptr << " is not aligned";
        const uintptr_t start = reinterpret_cast<uintptr_t>(ptr), end = start + good_size(request);
        const auto after = ends.upper_bound(start); // the live block with the lowest end above the start
        if (after != ends.end() && after->second < end)
            return testing::AssertionFailure() << request << ": " << ptr << " overlaps a live block";
        ends.emplace(end, start);
        blocks.push_back({ptr, request, marks++});
        fill(ptr, good_size(request), blocks.back().mark);
        return testing::AssertionSuccess();
    }

    // Any live block, which is live no longer.
    Block take(Random &random)
    {
        std::swap(blocks[random.below(blocks.size())], blocks.back());
        const Block block = blocks.back();
        blocks.pop_back();
        ends.erase(reinterpret_cast<uintptr_t>(block.ptr) + good_size(block.request));
        return block;
    }

    size_t count() const { return blocks.size(); }

  private:
    std::vector<Block> blocks;
    std::map<uintptr_t, uintptr_t> ends; // of all blocks: end to start
    uint64_t marks = 0;
};

} // namespace support

#endif
