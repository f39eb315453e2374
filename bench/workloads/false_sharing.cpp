// Objects of 8 bytes, each written many times by its one thread: as fast as the thread alone, unless the allocator
// gave two threads parts of one cache line. In `active` each thread allocates its objects; in `passive` its first one
// came from another thread, beside those of the others, and is freed before the thread allocates.
//
// Writes are atomic, for each of them must own the line; plain ones would wait in the store buffer and hide it. The
// time is the threads' CPU time, for it does not matter whether they wait for each other elsewhere.
#include "harness.h"

#include <array>
#include <atomic>
#include <new>
#include <utility>

namespace
{

constexpr size_t object_size = 8;
constexpr size_t writes = 100;
constexpr size_t most_threads = 16;

std::array<void *, most_threads> given;

void write_to(void *object)
{
    auto *word = new (object) std::atomic<size_t>(0);
    for (size_t i = 0; i < writes; i++)
        word->fetch_add(1, std::memory_order_relaxed);
    bench::expect(*word == writes, "an object has one owner");
}

void false_sharing(benchmark::State &state, bool passive)
{
    const size_t self = static_cast<size_t>(state.thread_index());
    if (self == 0 && passive)
        for (size_t i = 0; i < static_cast<size_t>(state.threads()); i++)
            given[i] = bench::make_object(object_size);
    for (auto _ : state) {
        if (given[self])
            allocator::release(std::exchange(given[self], nullptr), object_size);
        void *object = bench::make_object(object_size);
        write_to(object);
        allocator::release(object, object_size);
    }
    bench::finish(state, static_cast<size_t>(state.iterations()));
}

BENCHMARK_CAPTURE(false_sharing, active, false)->ThreadRange(1, most_threads);
BENCHMARK_CAPTURE(false_sharing, passive, true)->ThreadRange(1, most_threads);

} // namespace
