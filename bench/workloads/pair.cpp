// One object, allocated and freed, over and over: the shortest way through an allocator. The size is a constant, as it
// is where a program allocates a type.
#include "harness.h"

namespace
{

template <size_t size> void pair(benchmark::State &state)
{
    for (auto _ : state)
        allocator::release(bench::make_object(size), size);
    bench::finish(state, static_cast<size_t>(state.iterations()));
}

BENCHMARK(pair<16>)->Name("pair/16")->Threads(1);
BENCHMARK(pair<32>)->Name("pair/32")->Threads(1);
BENCHMARK(pair<64>)->Name("pair/64")->Threads(1);
BENCHMARK(pair<256>)->Name("pair/256")->Threads(1);
BENCHMARK(pair<1024>)->Name("pair/1024")->Threads(1);
BENCHMARK(pair<8192>)->Name("pair/8192")->Threads(1);

} // namespace
