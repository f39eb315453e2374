// Objects allocated by some threads and freed by others: half the threads produce, half consume, and every producer
// feeds every consumer in turn through a bounded queue of their own.
#include "harness.h"
#include "ring.h"

#include <array>

namespace
{

constexpr size_t object_size = 32;
constexpr size_t chunk_objects = 64;
constexpr size_t chunks_in_flight = 16;
constexpr size_t most_pairs = 8;

using Chunk = std::array<void *, chunk_objects>;
bench::Ring<Chunk, chunks_in_flight> rings[most_pairs][most_pairs]; // [producer][consumer]

// One iteration: a chunk to each consumer, and for these a chunk from each producer.
void producer_consumer(benchmark::State &state)
{
    const size_t pairs = static_cast<size_t>(state.threads()) / 2;
    const size_t self = static_cast<size_t>(state.thread_index()) / 2;
    size_t produced = 0;
    bench::start_together();
    if (state.thread_index() % 2 == 0) {
        for (auto _ : state)
            for (size_t consumer = 0; consumer < pairs; consumer++) {
                for (void *&object : rings[self][consumer].reserve())
                    object = bench::make_object(object_size);
                rings[self][consumer].publish();
                produced += chunk_objects;
            }
    } else {
        for (auto _ : state)
            for (size_t producer = 0; producer < pairs; producer++) {
                for (void *object : rings[producer][self].receive())
                    allocator::release(object, object_size);
                rings[producer][self].consume();
            }
    }
    bench::finish(state, produced);
}

BENCHMARK(producer_consumer)->UseManualTime()->ThreadRange(2, 2 * most_pairs);

} // namespace
