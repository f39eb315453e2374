// A bounded queue of chunks from one thread to one other. Chunks are filled and read in place; one release store
// hands one over, so that moving an object costs little beside allocating and freeing it.
#ifndef ALLOC_BENCH_RING_H
#define ALLOC_BENCH_RING_H

#include <sched.h>

#include <array>
#include <atomic>
#include <cstddef>

namespace bench
{

template <typename Chunk, size_t capacity> class Ring
{
  public:
    // The producer's: the next chunk to fill, when there is room for one; then hand it over.
    Chunk &reserve()
    {
        const size_t at = produced_.load(std::memory_order_relaxed);
        wait_until([&] { return at - consumed_.load(std::memory_order_acquire) < capacity; });
        return chunks_[at % capacity];
    }
    void publish() { step(produced_); }

    // The consumer's: the next chunk to read, when there is one; then give its place back.
    Chunk &receive()
    {
        const size_t at = consumed_.load(std::memory_order_relaxed);
        wait_until([&] { return produced_.load(std::memory_order_acquire) != at; });
        return chunks_[at % capacity];
    }
    void consume() { step(consumed_); }

  private:
    // Spins for some microseconds, then lets others run: there may be more threads than processors.
    template <typename Condition> static void wait_until(Condition condition)
    {
        for (size_t tries = 0; !condition(); tries++)
            if (tries > 1000)
                sched_yield();
    }

    // Each counter has one writer.
    static void step(std::atomic<size_t> &counter)
    {
        counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    }

    alignas(64) std::atomic<size_t> produced_{0};
    alignas(64) std::atomic<size_t> consumed_{0};
    alignas(64) std::array<Chunk, capacity> chunks_;
};

} // namespace bench

#endif
