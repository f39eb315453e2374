// Many threads that start and exit: each allocates so many objects, frees every other one, and leaves the rest to
// whoever started it. The time is per thread, its start and its end included.
#include "block.h"

#include <thread>

namespace
{

constexpr size_t smallest = 16;
constexpr size_t largest = 512;
const size_t threads_in_all = bench::scaled(1'600);

void live_and_die(bench::Array<bench::Block> &objects, bench::Random &random)
{
    for (bench::Block &object : objects) {
        object.size = bench::random_size(random, smallest, largest);
        object.start = static_cast<char *>(bench::make_object(object.size));
    }
    for (size_t i = 0; i < objects.size(); i += 2)
        allocator::release(objects[i].start, objects[i].size);
}

void thread_start(benchmark::State &state)
{
    const size_t count = threads_in_all / static_cast<size_t>(state.threads());
    bench::Random random(static_cast<size_t>(state.thread_index()));
    bench::Array<bench::Block> objects(static_cast<size_t>(state.range(0)));
    bench::start_together();
    for (auto _ : state)
        for (size_t started = 0; started < count; started++) {
            std::thread([&] { live_and_die(objects, random); }).join();
            for (size_t i = 1; i < objects.size(); i += 2) {
                bench::expect(bench::object_size(objects[i].start) == objects[i].size, "an object outlives its thread");
                allocator::release(objects[i].start, objects[i].size);
            }
        }
    bench::finish(state, count);
}

BENCHMARK(thread_start)->Arg(10)->Arg(1'000)->Iterations(1)->UseManualTime()->ThreadRange(1, 16);

} // namespace
