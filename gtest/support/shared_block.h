// A place for a block that threads share: whoever has claimed it may use what it holds.
#ifndef ALLOC_TEST_SHARED_BLOCK_H
#define ALLOC_TEST_SHARED_BLOCK_H

#include "support.h"

#include <atomic>

namespace support
{

class SharedBlock
{
  public:
    void *block = nullptr; // NULL: none
    Request request = {0, 0};

    // Calls use(*this), unless another thread is using it.
    template <class Use> void use_if_free(Use use)
    {
        if (is_claimed.exchange(true, std::memory_order_acquire))
            return;
        use(*this);
        is_claimed.store(false, std::memory_order_release);
    }

    void keep(void *kept, Request of, Random &random)
    {
        block = kept;
        request = of;
        mark = random.next();
        fill_edges(block, request.size, mark);
    }

    bool is_intact() const { return block == nullptr || holds_edges(block, request.size, mark); }

    // Whether the first bytes are what the block held before it was resized to where they are now.
    bool was_kept_in(const void *resized, size_t bytes) const { return holds(resized, bytes, mark); }

    void give()
    {
        if (block != nullptr)
            release(block, request);
        block = nullptr;
    }

  private:
    std::atomic<bool> is_claimed{false};
    uint64_t mark = 0;
};

} // namespace support

#endif
