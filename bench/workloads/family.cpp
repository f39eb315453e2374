// Linked lists that grow a node at a time, amid random replacements of other objects of the same size, are walked: all of them on
// one heap, or each in a family of its own where the allocator has such things.
//
// The lists are as long as it takes to be larger than the caches; one walk goes over each of them once.
#include "family.h"
#include "list.h"

#include <memory>
#include <vector>

namespace
{

constexpr size_t list_count = 16;
constexpr size_t nodes_per_list = 100'000;
constexpr size_t other_objects = 1'000'000;
constexpr size_t replacements_per_node = 6; // some 10 million in all

// A list whose nodes come from a family, or from where all else comes from.
class List
{
  public:
    explicit List(bench::Family *family) : family_(family) {}
    ~List()
    {
        if (family_ && bench::Family::resets)
            family_->reset();
        else
            bench::tear_down_list(first_);
    }
    List(const List &) = delete;
    List &operator=(const List &) = delete;

    void add(size_t value)
    {
        void *memory = family_ ? family_->allocate(sizeof(bench::Node), 0) : allocator::allocate(sizeof(bench::Node));
        auto *node = static_cast<bench::Node *>(memory);
        node->next = nullptr;
        node->value[0] = value;
        *end_ = node;
        end_ = &node->next;
    }
    uint64_t walk() const { return bench::walk_list(first_); }

  private:
    bench::Family *family_;
    bench::Node *first_ = nullptr, **end_ = &first_;
};

void family_walk(benchmark::State &state, bool has_families)
{
    bench::Random random;
    const size_t nodes = bench::scaled(nodes_per_list);
    bench::Array<void *> others(bench::scaled(other_objects));
    for (void *&other : others)
        other = bench::make_object(sizeof(bench::Node));
    {
        std::vector<std::unique_ptr<bench::Family>> families;
        std::vector<std::unique_ptr<List>> lists;
        for (size_t i = 0; i < list_count; i++) {
            families.push_back(has_families ? std::make_unique<bench::Family>() : nullptr);
            lists.push_back(std::make_unique<List>(families.back().get()));
        }
        for (size_t i = 0; i < nodes * list_count; i++) {
            lists[random.below(list_count)]->add(i);
            for (size_t j = 0; j < replacements_per_node; j++) {
                void *&other = others[random.below(others.size())];
                allocator::release(other, sizeof(bench::Node));
                other = bench::make_object(sizeof(bench::Node));
            }
        }
        for (auto _ : state)
            for (const auto &list : lists)
                benchmark::DoNotOptimize(list->walk());
        bench::finish(state, nodes * list_count);
        lists.clear();
    }
    for (void *other : others)
        allocator::release(other, sizeof(bench::Node));
}

const bool registered = [] {
    benchmark::RegisterBenchmark("family_walk/one_heap", family_walk, false)->Iterations(5)->Threads(1);
    benchmark::RegisterBenchmark("family_walk/families", family_walk, true)->Iterations(5)->Threads(1);
    return true;
}();

} // namespace
