// Objects of 8 bytes, each written many times by its one thread: as fast as the thread alone, unless the allocator
// gave two threads parts of one cache line. In `active` each thread allocates its objects; in `passive` it first frees
// some that came from another thread, each beside those of the others.
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

constexpr size_t given_to_each = 32;

std::array<std::array<void *, most_threads>, given_to_each> given;

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
    bool has_some = passive;
    if (self == 0 && passive)
        for (auto &neighbours : given)
            for (size_t i = 0; i < static_cast<size_t>(state.threads()); i++)
                neighbours[i] = bench::make_object(object_size);
    for (auto _ : state) {
        if (std::exchange(has_some, false))
            for (const auto &neighbours : given)
                allocator::release(neighbours[self], object_size);
        void *object = bench::make_object(object_size);
        write_to(object);
        allocator::release(object, object_size);
    }
    bench::finish(state, static_cast<size_t>(state.iterations()));
}

BENCHMARK_CAPTURE(false_sharing, active, false)->ThreadRange(1, most_threads);
BENCHMARK_CAPTURE(false_sharing, passive, true)->ThreadRange(1, most_threads);

} // namespace
