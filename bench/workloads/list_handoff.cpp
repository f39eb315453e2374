// Lists built by one thread, and walked and torn down by another, which finds the nodes in the first one's cache.
#include "harness.h"
#include "list.h"
#include "ring.h"

namespace
{

constexpr size_t lists_in_flight = 4;
bench::Ring<bench::Node *, lists_in_flight> ring;

void list_handoff(benchmark::State &state)
{
    const size_t nodes = static_cast<size_t>(state.range(0));
    const bool builds = state.thread_index() == 0;
    bench::start_together();
    for (auto _ : state) {
        if (builds) {
            ring.reserve() = bench::build_list(nodes);
            ring.publish();
        } else {
            bench::Node *list = ring.receive();
            ring.consume();
            benchmark::DoNotOptimize(bench::walk_list(list));
            bench::tear_down_list(list);
        }
    }
    bench::finish(state, builds ? static_cast<size_t>(state.iterations()) * nodes : 0);
}

BENCHMARK(list_handoff)->Arg(1'000)->Arg(100'000)->UseManualTime()->Threads(2);

} // namespace
