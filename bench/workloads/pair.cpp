// One object, allocated and freed, over and over: the shortest way through an allocator.
#include "harness.h"

namespace
{

void pair(benchmark::State &state)
{
    const size_t size = static_cast<size_t>(state.range(0));
    for (auto _ : state)
        allocator::release(bench::make_object(size), size);
    bench::finish(state, static_cast<size_t>(state.iterations()));
}

BENCHMARK(pair)->Arg(16)->Arg(32)->Arg(64)->Arg(256)->Arg(1024)->Arg(8192)->Threads(1);

} // namespace
