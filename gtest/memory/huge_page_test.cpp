// Huge pages: from a bin's ninth large slab on, and as long as they are cheap. A slab that may have one is of the huge kind.
#include "os_faults.h"
#include "slabs.h"
#include "usage.h"

#include <algorithm>
#include <alloc/alloc_ext.h>
#include <initializer_list>
#include <utility>

namespace
{

using namespace slabs;
using support::Setting;

// Nanoseconds that the first touch of a huge page may take, and one too many.
constexpr uint64_t cheap = 1'000'000, dear = cheap + 1;

constexpr size_t without = 8; // large slabs of a bin

using Kinds = std::vector<bool>; // of slabs, in the order in which a bin takes them: whether they are of the huge kind

Kinds all_huge(size_t count) { return Kinds(count, true); }

// One of the huge kind before each pause, whose lengths are given.
Kinds with_pauses(std::initializer_list<size_t> lengths)
{
    Kinds kinds;
    for (size_t length : lengths) {
        kinds.push_back(true);
        kinds.insert(kinds.end(), length, false);
    }
    return kinds;
}

class HugePages : public testing::Test
{
  protected:
    Request request = {4096, 0};
    std::vector<Slots> slabs; // large ones, in the order in which the bin took them
    Slots in_small;

    // Without a pause, whatever was before: a cheap page ends it.
    void SetUp() override
    {
        alloc_trim();
        os_faults_take_time(cheap);
        const Setting always(ALLOC_OPTION_HUGE_PAGES, ALLOC_HUGE_PAGES_ALWAYS);
        constexpr Request other = {support::slot_size_max, 0};
        const Population taken = fill(other, 1);
        release_slots(taken.full.front(), other);
        release_slots(taken.rest, other);
        alloc_trim();
    }

    void TearDown() override
    {
        os_faults_take_time(0);
        for (const Slots &slots : slabs)
            release_slots(slots, request);
        release_slots(in_small, request);
        alloc_trim();
        engine_validate();
    }

    // Allocates until the bin took `count` more large slabs, and fills the last of them. What kinds they are of; fewer where
    // memory is out.
    Kinds take(size_t count)
    {
        Kinds kinds;
        for (;;) {
            if (kinds.size() == count && slabs.back().size() == view(slabs.back().front()).capacity)
                return kinds;
            void *slot = support::allocate(request);
            if (slot == nullptr)
                return kinds;
            const View slab = view(slot);
            if (!slab.is_large) {
                in_small.push_back(slot);
                continue;
            }
            if (slabs.empty() || view(slabs.back().front()).slab != slab.slab) {
                slabs.emplace_back();
                kinds.push_back(slab.is_huge);
            }
            slabs.back().push_back(slot);
        }
    }

    // One of them may be from before.
    void take_those_without() { take(without); }
};

TEST_F(HugePages, BeginWithTheNinthLargeSlab)
{
    request = {2048, 0}; // of which there are none from before
    const Kinds kinds = take(without + 4);
    EXPECT_EQ(std::count(kinds.begin(), kinds.begin() + without, true), 0);
    EXPECT_EQ(Kinds(kinds.begin() + without, kinds.end()), all_huge(4));
}

TEST_F(HugePages, AreAllWantedWhileTheyAreCheap)
{
    take_those_without();
    EXPECT_EQ(take(60), all_huge(60));
}

// Each that is dear makes the next pause longer, up to 127 slabs; one that is cheap ends that.
TEST_F(HugePages, PauseWhileTheyAreDear)
{
    take_those_without();
    const std::pair<uint64_t, Kinds> phases[] = {{dear, with_pauses({1, 3, 7, 15, 31, 63, 127, 127})},
                                                 {cheap, all_huge(20)},
                                                 {2 * UINT64_C(1'000'000'000), with_pauses({1, 3, 7})},
                                                 {cheap, all_huge(20)}};
    for (const auto &[time, expected] : phases) {
        os_faults_take_time(time);
        EXPECT_EQ(take(expected.size()), expected);
    }
}

TEST_F(HugePages, DoNotPauseWhereTheyAreAlwaysWanted)
{
    const Setting always(ALLOC_OPTION_HUGE_PAGES, ALLOC_HUGE_PAGES_ALWAYS);
    take_those_without();
    os_faults_take_time(dear);
    EXPECT_EQ(take(40), all_huge(40));
}

// What serves instead may not be there.
TEST_F(HugePages, ServeInAPauseWhereThereAreNoOthers)
{
    constexpr size_t count = 30;
    take_those_without();
    EXPECT_EQ(take(count), all_huge(count));
    os_faults_take_time(dear);
    const Kinds pauses = with_pauses({1, 3, 7, 15, 31});
    EXPECT_EQ(take(pauses.size() - 8), Kinds(pauses.begin(), pauses.end() - 8));
    for (size_t i = 0; i < count; i++) {
        release_slots(slabs[without], request);
        slabs.erase(slabs.begin() + without);
    }
    alloc_trim();
    os_faults_arm(1, true); // there are only those that served before
    const Kinds kinds = take(SIZE_MAX);
    os_faults_disarm();
    EXPECT_GE(static_cast<size_t>(std::count(kinds.begin(), kinds.end(), true)), count);
}

} // namespace
