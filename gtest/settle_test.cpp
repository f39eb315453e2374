// Who looks at a slab, and when: each rule by itself. One thread, the owner, fills slabs; it and others free the slots in
// every order. Whoever frees a slab's last slot gives the slab back, also while the owner sleeps; each bin keeps one.
#include "slabs.h"
#include "worker.h"

#include <gtest/gtest.h>
#include <optional>
#include <unordered_set>

namespace
{

using namespace slabs;

constexpr uint32_t ever = UINT32_C(1) << 30; // a distance between counts of pushes that no thread covers

uint32_t distance(const View &slab) { return slab.notify_at - slab.pushed; }
uint32_t countdown(const View &slab) { return slab.settle_at - slab.freed; }

// Whatever mix of local and remote frees empties the slab, it reaches one of the thresholds on the way: the most frees
// that reach neither do not empty it. Or the owner is to look at it anyway.
bool will_be_noticed(const View &slab)
{
    return slab.is_to_revisit || int64_t{countdown(slab)} - 1 + int64_t{distance(slab)} - 1 < slab.out;
}

// Every second slot, the even or the odd ones.
Slots half(const Slots &slots, size_t which)
{
    Slots some;
    for (size_t i = which; i < slots.size(); i += 2)
        some.push_back(slots[i]);
    return some;
}

class Settle : public testing::TestWithParam<Kind>
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
            release(taken.rest, request);
            go_slow_paths(engine_heap_revisits(heap) + 1);
        });
        EXPECT_LE(engine_heap_owns(heap, class_of(request)), 2u) << "the current slab, and an empty one kept";
        engine_validate();
    }

    void by_owner(const Slots &slots)
    {
        owner.run([&] { release(slots, request); });
    }

    void by_others(const Slots &slots)
    {
        others->run([&] { release(slots, request); });
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

    void expect_all_but_one_given_back() const
    {
        EXPECT_EQ(count_overlooked(), 0u);
        EXPECT_EQ(count_owned(), 1u) << "the one kept";
    }

    // The only empty slabs not given back: their last free was the owner's, which is to look at them when it comes by.
    void expect_the_owner_gives_back_the_rest()
    {
        for (const Slots &slots : taken.full)
            EXPECT_TRUE(!is_overlooked(view(slots.front())) || view(slots.front()).is_to_revisit);
        owner.run([&] { go_slow_paths(engine_heap_revisits(heap)); });
        expect_all_but_one_given_back();
    }

    // Counts of pushes that wrap while the slabs are freed.
    void let_counts_wrap()
    {
        for (const Slots &slots : taken.full)
            engine_move_pushed(slots.front(), UINT32_C(0) - static_cast<uint32_t>(slots.size() / 3));
    }

    void free_in_random_order();
};

INSTANTIATE_TEST_SUITE_P(Kinds, Settle, testing::ValuesIn(kinds), [](const auto &info) { return info.param.name; });

// ---- empty slabs are given back -----------------------------------------------------------------------------------

TEST_P(Settle, SlabsFreedByOthersAreGivenBackWhileTheOwnerSleeps)
{
    for (const Slots &slots : taken.full)
        by_others(slots);
    flush();
    expect_all_but_one_given_back();
}

TEST_P(Settle, SlabsFreedByTheOwnerAreGivenBack)
{
    for (const Slots &slots : taken.full)
        by_owner(slots);
    expect_all_but_one_given_back();
}

TEST_P(Settle, SlabsHalfFreedByTheOwnerAreGivenBackWhileItSleeps)
{
    for (const Slots &slots : taken.full)
        by_owner(half(slots, 0));
    for (const Slots &slots : taken.full)
        by_others(half(slots, 1));
    flush();
    expect_all_but_one_given_back();
}

TEST_P(Settle, SlabsHalfFreedByOthersAreGivenBackByTheOwner)
{
    for (const Slots &slots : taken.full)
        by_others(half(slots, 1));
    flush();
    for (const Slots &slots : taken.full)
        by_owner(half(slots, 0));
    expect_the_owner_gives_back_the_rest();
}

TEST_P(Settle, SlabsFreedHalfAndHalfAtTheSameTimeAreGivenBack)
{
    owner.start([&] {
        for (const Slots &slots : taken.full)
            release(half(slots, 0), request);
    });
    for (const Slots &slots : taken.full)
        by_others(half(slots, 1));
    flush();
    owner.wait();
    expect_the_owner_gives_back_the_rest();
}

TEST_P(Settle, SlabsFreedByOthersAreGivenBackAfterTheOwnerExited)
{
    by_others(half(taken.full.back(), 0)); // others have a heap of their own by now, and do not adopt the one left
    Population left;
    const struct heap *pooled = nullptr;
    {
        Worker short_lived;
        short_lived.run([&] {
            left = fill(request, GetParam().count);
            pooled = engine_own_heap();
        });
    }
    for (const Slots &slots : left.full)
        by_others(slots);
    by_others(left.rest);
    by_others(half(taken.full.back(), 1)); // flushes what went before
    EXPECT_EQ(engine_heap_owns(pooled, class_of(request)), 1u) << "the one kept";

    taken.full.pop_back();
    for (const Slots &slots : taken.full)
        by_owner(slots);
}

// Frees all slabs bit by bit, slots of a word by others or single ones by the owner, and looks at the slabs all the time.
void Settle::free_in_random_order()
{
    owner.run([&] {
        support::Random random(0);
        std::vector<Slots> left = taken.full;
        while (!left.empty()) {
            size_t chosen = random.below(left.size());
            Slots &slots = left[chosen];
            Slots some;
            size_t word = engine_slot_number(slots.back()) / 64, most = 1 + random.below(64);
            do {
                some.push_back(slots.back());
                slots.pop_back();
            } while (some.size() < most && !slots.empty() && engine_slot_number(slots.back()) / 64 == word);
            bool is_local = random.one_in(2);
            if (is_local)
                release(some, request);
            else
                push_slots(some, request);

            View slab = view(some.front());
            if (slots.empty()) {
                ASSERT_TRUE(!is_overlooked(slab) || (is_local && slab.is_to_revisit)) << "empty, and nobody knows";
                left.erase(left.begin() + static_cast<ptrdiff_t>(chosen));
            } else {
                ASSERT_EQ(slab.out, static_cast<int64_t>(slots.size()));
                ASSERT_TRUE(will_be_noticed(slab))
                    << slab.out << " out, countdown " << countdown(slab) << ", distance " << distance(slab);
            }
        }
    });
    expect_the_owner_gives_back_the_rest();
}

TEST_P(Settle, OneThresholdMustFireWhateverTheMix)
{
    for (size_t round = 0; round < support::repetitions(40) && !HasFailure(); round++) {
        free_in_random_order();
        owner.run([&] {
            release(taken.rest, request);
            taken = fill(request, GetParam().count);
        });
    }
    for (const Slots &slots : taken.full)
        by_owner(slots);
}

// ---- the revisit list: a free of the owner's own was the last, and its threshold could not tell -------------------------

TEST_P(Settle, TheOwnersNextSlowPathsGiveBackWhatItDidNotSee)
{
    for (Slots &slots : taken.full) {
        // The owner frees from the end until it has just looked, and has few slots left, all of one word ...
        owner.run([&] {
            for (;;) {
                View slab = view(slots.front());
                if (slab.out <= 64 && slab.out >= 3 && countdown(slab) == (slab.out + 1) / 2 &&
                    distance(slab) == countdown(slab))
                    break;
                support::release(slots.back(), request);
                slots.pop_back();
            }
        });
        // ... then others free all but one of them at once: more than the owner's threshold expects to be left ...
        Slots most(slots.begin() + 1, slots.end());
        push_slots(most, request);
        EXPECT_TRUE(view(slots.front()).is_to_revisit);
        // ... and the owner the last one.
        by_owner({slots.front()});
        EXPECT_TRUE(is_overlooked(view(slots.front())));
    }
    EXPECT_EQ(engine_heap_revisits(heap), taken.full.size());
    // The first allocation of a class is a slow path.
    std::vector<Request> unused;
    for (size_t size : support::slot_sizes())
        if (size != GetParam().request.size)
            unused.push_back({size, 1});
    for (size_t left = taken.full.size(); left > 0; left--) {
        EXPECT_EQ(engine_heap_revisits(heap), left);
        owner.run([&] { support::release(support::allocate(unused[left]), unused[left]); });
    }
    EXPECT_EQ(engine_heap_revisits(heap), 0u);
    expect_all_but_one_given_back();
}

// ---- the one kept ----------------------------------------------------------------------------------------------------

TEST_P(Settle, TheEmptySlabKeptIsTheNextOneUsed)
{
    for (const Slots &slots : taken.full)
        by_owner(slots);
    owner.run([&] {
        for (int round = 0; round < 5; round++) {
            const void *kept = nullptr;
            for (const View &slab : all())
                if (slab.heap == heap && slab.is_kept && slab.class_number == class_of(request))
                    kept = slab.start;
            ASSERT_NE(kept, nullptr);
            uint32_t owned = engine_heap_owns(heap, class_of(request));
            Slots again;
            while (view(kept).state != VIEW_CURRENT) {
                again.push_back(support::allocate(request));
                ASSERT_EQ(engine_heap_owns(heap, class_of(request)), owned) << "no slab is taken while one is kept";
            }
            ASSERT_FALSE(view(kept).is_kept);
            Population more = fill(request, 1);
            release(again, request);
            release(more.full.front(), request);
            release(more.rest, request);
        }
    });
}

// ---- current slabs -----------------------------------------------------------------------------------------------------

TEST_P(Settle, SettlingTheCurrentSlabDoesNothing)
{
    owner.run([&] {
        // A slab that is current, and a bit more than half of it handed out.
        Population more = fill(request, 1);
        Slots slots;
        const slab *current = view(more.rest.back()).slab;
        while (slots.size() < view(more.rest.back()).capacity / 2) {
            void *slot = support::allocate(request);
            if (view(slot).slab != current)
                more.rest.insert(more.rest.end(), slots.begin(), slots.end()), slots.clear();
            current = view(slot).slab;
            slots.push_back(slot);
        }
        View before = view(slots.front());
        ASSERT_EQ(before.state, VIEW_CURRENT);
        EXPECT_EQ(before.settle_at, UINT32_MAX);
        EXPECT_EQ(distance(before), ever);

        engine_skip_pushes(slots.front(), ever - 1);
        Slots pushed = half(slots, 0);
        push_slots({pushed.back()}, request);
        EXPECT_EQ(distance(view(slots.front())), ever) << "the push that arrived there put it out of reach again";
        pushed.pop_back();
        push_slots(pushed, request);
        release(half(slots, 1), request);
        View after = view(slots.front());
        EXPECT_EQ(after.state, VIEW_CURRENT);
        EXPECT_EQ(after.heap, heap);
        EXPECT_FALSE(after.is_to_revisit || after.is_kept);
        EXPECT_EQ(after.settle_at, UINT32_MAX);
        EXPECT_EQ(after.granted, before.granted);

        release(more.full.front(), request);
        release(more.rest, request);
    });
    for (const Slots &slots : taken.full)
        by_owner(slots);
}

// ---- counts of pushes wrap -----------------------------------------------------------------------------------------------

TEST_P(Settle, WrappingCountsOfPushesAreCompared)
{
    let_counts_wrap();
    for (const Slots &slots : taken.full)
        by_others(slots);
    flush();
    expect_all_but_one_given_back();
}

TEST_P(Settle, WrappingCountsOfPushesAreComparedWhateverTheMix)
{
    let_counts_wrap();
    free_in_random_order();
}

// ---- a pusher stops in the middle ------------------------------------------------------------------------------------------

// One pusher stops before a step of its push, of one slot of the last slab; the others and the owner go on.
class StoppedPusher : public Settle
{
  protected:
    std::unordered_set<void *> live; // slots with the program: none may be handed out twice
    struct push push = {nullptr, 0, 0, PUSH_DONE};

    void SetUp() override
    {
        Settle::SetUp();
        for (const Slots &slots : taken.full)
            live.insert(slots.begin(), slots.end());
        live.insert(taken.rest.begin(), taken.rest.end());
        taken.rest.clear();
    }

    void TearDown() override
    {
        go_on();
        owner.run([&] { free_by_others({live.begin(), live.end()}); });
        owner.run([&] { go_slow_paths(engine_heap_revisits(heap)); });
        for (const View &slab : all())
            EXPECT_TRUE(slab.heap != heap || !is_overlooked(slab)) << "a slab is lost";
        Settle::TearDown();
    }

    void *allocate()
    {
        void *slot = support::allocate(request);
        EXPECT_TRUE(live.insert(slot).second) << slot << " is in two hands";
        return slot;
    }

    void free_by_others(const Slots &some)
    {
        std::map<const slab *, Slots> by_slab;
        for (void *slot : some) {
            live.erase(slot);
            by_slab[view(slot).slab].push_back(slot);
        }
        for (const auto &[slab, few] : by_slab)
            push_slots(few, request);
    }

    void free_by_owner(const Slots &some)
    {
        for (void *slot : some)
            live.erase(slot);
        release(some, request);
    }

    void stop_before(push_step step)
    {
        void *slot = taken.full.back().front();
        live.erase(slot);
        push = engine_push_begin(&slot, 1, request.size, request.align);
        while (push.next != step) {
            ASSERT_LT(push.next, step);
            engine_push_step(&push);
        }
    }

    void go_on()
    {
        while (push.next != PUSH_DONE)
            engine_push_step(&push);
    }

    uint32_t owned() const { return engine_heap_owns(heap, class_of(request)); }
};

// All but those whose slabs have many groups of words: a stopped pusher can hide one of them, not the slab.
INSTANTIATE_TEST_SUITE_P(Kinds, StoppedPusher, testing::Values(kinds[0], kinds[2], kinds[3], kinds[4], kinds[5]),
                         [](const auto &info) { return info.param.name; });

constexpr push_step steps[] = {PUSH_GROUP, PUSH_TOP, PUSH_COUNT};

TEST_P(StoppedPusher, DoesNotMakeOthersTakeMoreThanTwiceTheSlabsTheyNeed)
{
    uint32_t needed = owned();
    owner.run([&] {
        for (push_step step : steps) {
            stop_before(step);
            for (int round = 0; round < 4; round++) {
                size_t count = live.size();
                free_by_others({live.begin(), live.end()});
                while (live.size() < count)
                    allocate();
                ASSERT_LE(owned(), 2 * needed) << "stopped before step " << step;
            }
            go_on();
            // The next one stops where the first slab may be another's by now: start over.
            free_by_others({live.begin(), live.end()});
            Population again = fill(request, GetParam().count);
            taken.full = again.full;
            for (const Slots &slots : taken.full)
                live.insert(slots.begin(), slots.end());
            live.insert(again.rest.begin(), again.rest.end());
        }
    });
}

// Each push into the slab that the stopped one hides could make it look worth taking up, ahead of others that are.
TEST_P(StoppedPusher, DoesNotMakeOthersTakeUpItsSlabInVainAgainAndAgain)
{
    uint32_t needed = owned();
    owner.run([&] {
        support::Random random(0);
        const Slots hidden = taken.full.back();
        stop_before(PUSH_TOP);
        size_t next = 1; // of the hidden ones to be freed: so many first that each further one could list the slab
        while (next < hidden.size() / 4)
            free_by_others({hidden[next++]});
        for (int round = 0; round < 60 && next < hidden.size(); round++) {
            Slots rest, some;
            for (void *slot : live)
                if (view(slot).slab != push.slab)
                    rest.push_back(slot);
            for (size_t i = 0; i < hidden.size() / 2; i++) {
                std::swap(rest[i], rest[i + random.below(rest.size() - i)]);
                some.push_back(rest[i]);
            }
            free_by_others(some);
            free_by_others({hidden[next++]});
            for (size_t i = 0; i <= some.size(); i++)
                allocate();
            ASSERT_LE(owned(), 2 * needed) << "in round " << round;
        }
        go_on();
    });
}

// Slots that are counted but hidden are waited for, not looked for.
TEST_P(StoppedPusher, ItsSlabIsNotListedUntilItGoesOn)
{
    owner.run([&] {
        const Slots slots = taken.full.back();
        std::unordered_set<void *> hidden = {slots.front()};
        stop_before(PUSH_TOP);
        for (size_t next = 1; next < slots.size(); next++) {
            free_by_others({slots[next]});
            hidden.insert(slots[next]);
            ASSERT_EQ(view(slots.front()).state, VIEW_PARKED);
        }
        for (size_t i = 0; i < 2 * slots.size(); i++) {
            allocate();
            ASSERT_EQ(view(slots.front()).state, VIEW_PARKED);
        }
        go_on();
        EXPECT_EQ(view(slots.front()).state, VIEW_AVAILABLE);
        for (size_t i = 0; !hidden.empty() && i < 4 * slots.size(); i++)
            hidden.erase(allocate());
        EXPECT_TRUE(hidden.empty()) << hidden.size() << " slots lost";
    });
}

// Slots can be collected, and freed again by the owner, before the pusher has counted them: fewer are free then than the
// counts say, never more.
TEST_P(StoppedPusher, WhatItHasNotCountedIsNotEmpty)
{
    owner.run([&] {
        const Slots slots = taken.full.back();
        free_by_others({slots.begin() + static_cast<ptrdiff_t>(slots.size() / 2), slots.end()});
        ASSERT_EQ(view(slots.front()).state, VIEW_AVAILABLE);
        stop_before(PUSH_COUNT);
        for (size_t i = 0; live.count(slots.front()) == 0 || view(slots.front()).state == VIEW_CURRENT; i++) {
            ASSERT_LE(i, 2 * slots.size());
            allocate();
        }
        EXPECT_EQ(view(slots.front()).waiting, -1);

        free_by_owner(taken.full.front());
        ASSERT_TRUE(view(taken.full.front().front()).is_kept);
        free_by_owner(slots);
        EXPECT_EQ(view(slots.front()).heap, heap) << "given back before its last push was counted";
        EXPECT_EQ(view(slots.front()).out, 1);
        go_on();
        EXPECT_EQ(view(slots.front()).state, VIEW_POOLED);
    });
}

} // namespace
