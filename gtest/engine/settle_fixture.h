// A thread, the owner, that filled slabs, and others that free what it allocated.
#ifndef ALLOC_TEST_SETTLE_FIXTURE_H
#define ALLOC_TEST_SETTLE_FIXTURE_H

#include "slabs.h"
#include "worker.h"

#include <gtest/gtest.h>
#include <optional>

namespace slabs
{

constexpr uint32_t ever = UINT32_C(1) << 30; // a distance between counts of pushes that no thread covers

inline uint32_t distance(const View &slab) { return slab.notify_at - slab.pushed; }

// Whatever mix of local and remote frees empties the slab, it reaches one of the thresholds on the way: the most frees
// that reach neither do not empty it. Or the next free is looked at, whoever does it.
inline bool will_be_noticed(const View &slab)
{
    return slab.is_called ? distance(slab) == 1 : int64_t{slab.countdown} - 1 + int64_t{distance(slab)} - 1 < slab.out;
}

// Every second slot, the even or the odd ones.
inline Slots half(const Slots &slots, size_t which)
{
    Slots some;
    for (size_t i = which; i < slots.size(); i += 2)
        some.push_back(slots[i]);
    return some;
}

class Owned : public testing::TestWithParam<Kind>
{
  protected:
    const Request request = GetParam().request;
    Worker owner;
    std::optional<Worker> others{std::in_place};
    const struct heap *heap = nullptr;
    Population taken;

    void SetUp() override
    {
        owner.run([&] {
            taken = fill(request, GetParam().count);
            heap = engine_own_heap();
        });
    }

    // By now the test has freed what it filled. The owner frees the rest, and passes by once for every slab to revisit.
    void TearDown() override
    {
        flush();
        owner.run([&] {
            release_slots(taken.rest, request);
            go_slow_paths(engine_heap_revisits(heap) + 1);
        });
        EXPECT_LE(engine_heap_owns(heap, class_of(request)), 1u) << "the current slab";
        engine_validate();
    }

    void by_owner(const Slots &slots)
    {
        owner.run([&] { release_slots(slots, request); });
    }

    void by_others(const Slots &slots)
    {
        others->run([&] { release_slots(slots, request); });
    }

    // What others freed last waits in their outbox until they free something else, or exit.
    void flush()
    {
        others.reset();
        others.emplace();
    }

    size_t count_overlooked() const
    {
        size_t count = 0;
        for (const Slots &slots : taken.full)
            count += is_overlooked(view(slots.front()));
        return count;
    }

    size_t count_owned() const
    {
        size_t count = 0;
        for (const Slots &slots : taken.full) {
            View slab = view(slots.front());
            count += slab.heap == heap && slab.class_number == class_of(request);
        }
        return count;
    }

    void expect_all_given_back() const
    {
        EXPECT_EQ(count_overlooked(), 0u);
        EXPECT_EQ(count_owned(), 0u);
    }

    // The only empty slabs not given back: their last free was the owner's, who was called while that was under way, and who
    // is to look at them when it comes by.
    void expect_the_owner_gives_back_the_rest()
    {
        for (const Slots &slots : taken.full)
            EXPECT_TRUE(!is_overlooked(view(slots.front())) || view(slots.front()).is_to_revisit);
        owner.run([&] { go_slow_paths(engine_heap_revisits(heap)); });
        expect_all_given_back();
    }

    // Counts of pushes that wrap while the slabs are freed.
    void let_counts_wrap()
    {
        for (const Slots &slots : taken.full)
            engine_move_pushed(slots.front(), UINT32_C(0) - static_cast<uint32_t>(slots.size() / 3));
    }
};

} // namespace slabs

#endif
