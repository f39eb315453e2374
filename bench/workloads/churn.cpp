// Random replacement: among so many live objects one is freed, and another allocated in its place.
//
// The number of replacements is fixed, so that every allocator goes through the same history. With several threads, each
// has its part of the objects and of the replacements.
#include "replacement.h"

namespace
{

const size_t replacements = bench::scaled(5'000'000);
constexpr size_t object_size = 32;
constexpr size_t mixed_smallest = 16;
constexpr size_t mixed_largest = 256;

void churn(benchmark::State &state)
{
    bench::Random random;
    bench::Array<void *> live(bench::scaled(static_cast<size_t>(state.range(0))));
    const auto fill = [](void *&object) { object = bench::make_object(object_size); };
    const auto release = [](void *object) { allocator::release(object, object_size); };

    bench::replace_at_random(state, live, random, replacements, fill, release);
    for (void *object : live)
        release(object);
}

struct Sized {
    void *object;
    size_t size;
};

// Sizes from 16 to 256 bytes, every one as likely as any other.
void churn_mixed(benchmark::State &state)
{
    const size_t threads = static_cast<size_t>(state.threads());
    const size_t timed = replacements / threads;
    bench::Random random(static_cast<size_t>(state.thread_index()));
    bench::Array<Sized> live(bench::scaled(static_cast<size_t>(state.range(0))) / threads);
    const auto fill = [&](Sized &entry) {
        entry.size = mixed_smallest + random.below(mixed_largest - mixed_smallest + 1);
        entry.object = bench::make_object(entry.size);
    };
    const auto release = [](const Sized &entry) { allocator::release(entry.object, entry.size); };

    bench::replace_at_random(state, live, random, timed, fill, release);
    for (const Sized &entry : live)
        release(entry);
}

BENCHMARK(churn)->Arg(10'000)->Arg(100'000)->Arg(200'000)->Arg(500'000)->Arg(4'000'000)->Iterations(1)->Threads(1);
BENCHMARK(churn_mixed)->Arg(100'000)->Arg(500'000)->Iterations(1)->Threads(1);
BENCHMARK(churn_mixed)->Arg(500'000)->Iterations(1)->UseManualTime()->ThreadRange(2, 16);

} // namespace
