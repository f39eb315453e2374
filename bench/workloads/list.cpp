// A linked list of half a million nodes: built, walked, torn down. On a fresh heap, and on one aged by churn, whose
// free slots lie scattered. With several threads, each has its part of the nodes and ages its own part of the heap.
//
// One list per process is timed: a second one would find the memory of the first.
#include "list.h"
#include "harness.h"

#include <optional>
#include <string>
#include <utility>

namespace
{

constexpr size_t list_nodes = 500'000;
constexpr size_t aged_objects = 2'000'000;
constexpr size_t aging_replacements = 10'000'000;

// Live objects around free slots in random places: objects replaced at random, then a quarter of them freed.
class AgedHeap
{
  public:
    explicit AgedHeap(size_t threads, size_t seed) : live_(bench::scaled(aged_objects) / threads), count_(live_.size())
    {
        bench::Random random(seed);
        for (void *&object : live_)
            object = bench::make_object(sizeof(bench::Node));
        for (size_t i = bench::scaled(aging_replacements) / threads; i > 0; i--) {
            void *&object = live_[random.below(count_)];
            allocator::release(object, sizeof(bench::Node));
            object = bench::make_object(sizeof(bench::Node));
        }
        for (; count_ > live_.size() - live_.size() / 4; count_--) {
            std::swap(live_[random.below(count_)], live_[count_ - 1]);
            allocator::release(live_[count_ - 1], sizeof(bench::Node));
        }
    }
    ~AgedHeap()
    {
        while (count_ > 0)
            allocator::release(live_[--count_], sizeof(bench::Node));
    }
    AgedHeap(const AgedHeap &) = delete;
    AgedHeap &operator=(const AgedHeap &) = delete;

  private:
    bench::Array<void *> live_;
    size_t count_;
};

enum class Heap { fresh, aged };
enum class Phase { build, walk, free };

void list(benchmark::State &state, Phase timed, Heap heap)
{
    const size_t threads = static_cast<size_t>(state.threads());
    const size_t nodes = bench::scaled(list_nodes) / threads;
    std::optional<AgedHeap> aged;
    if (heap == Heap::aged)
        aged.emplace(threads, static_cast<size_t>(state.thread_index()));

    bench::Node *list = timed == Phase::build ? nullptr : bench::build_list(nodes);
    bench::start_together();
    for (auto _ : state) {
        switch (timed) {
        case Phase::build:
            list = bench::build_list(nodes);
            break;
        case Phase::walk:
            benchmark::DoNotOptimize(bench::walk_list(list));
            break;
        case Phase::free:
            bench::tear_down_list(std::exchange(list, nullptr));
            break;
        }
    }
    bench::finish(state, nodes);
    bench::tear_down_list(list);
}

void both_heaps(const std::string &phase_name, Phase phase)
{
    for (const auto &[heap_name, heap] : {std::pair{"/fresh", Heap::fresh}, std::pair{"/aged", Heap::aged}}) {
        const std::string name = phase_name + heap_name;
        benchmark::RegisterBenchmark(name.c_str(), list, phase, heap)->Iterations(1)->Threads(1);
        benchmark::RegisterBenchmark(name.c_str(), list, phase, heap)->Iterations(1)->Threads(2)->UseManualTime();
    }
}

const bool registered = [] {
    both_heaps("list_build", Phase::build);
    both_heaps("list_walk", Phase::walk);
    both_heaps("list_free", Phase::free);
    return true;
}();

} // namespace
