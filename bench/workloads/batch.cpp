// A batch of 32-byte objects allocated, then freed: the last first, the first first, or in random order.
#include "harness.h"

#include <numeric>
#include <utility>

namespace
{

constexpr size_t object_size = 32;

enum class Order { lifo, fifo, random };

void fill(bench::Array<uint32_t> &sequence, Order order)
{
    std::iota(sequence.begin(), sequence.end(), 0);
    if (order == Order::lifo)
        std::reverse(sequence.begin(), sequence.end());
    bench::Random random;
    if (order == Order::random)
        for (size_t i = sequence.size(); i > 1; i--)
            std::swap(sequence[i - 1], sequence[random.below(i)]);
}

void batch(benchmark::State &state, Order order)
{
    const size_t count = static_cast<size_t>(state.range(0));
    bench::Array<void *> objects(count);
    bench::Array<uint32_t> sequence(count);
    fill(sequence, order);
    for (auto _ : state) {
        for (void *&object : objects)
            object = bench::make_object(object_size);
        for (const uint32_t i : sequence)
            allocator::release(objects[i], object_size);
    }
    bench::finish(state, static_cast<size_t>(state.iterations()) * count);
}

BENCHMARK_CAPTURE(batch, lifo, Order::lifo)->RangeMultiplier(10)->Range(100, 10'000)->Threads(1);
BENCHMARK_CAPTURE(batch, fifo, Order::fifo)->RangeMultiplier(10)->Range(100, 10'000)->Threads(1);
BENCHMARK_CAPTURE(batch, random, Order::random)->RangeMultiplier(10)->Range(100, 10'000)->Threads(1);

} // namespace
