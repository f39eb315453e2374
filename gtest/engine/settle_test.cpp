// Who looks at a slab, and when: each rule by itself. One thread, the owner, fills slabs; it and others free the slots in
// every order. Whoever frees a slab's last slot gives the slab back, also while the owner sleeps.
#include "settle_fixture.h"

namespace
{

using namespace slabs;

class Settle : public Owned
{
  protected:
    void free_in_random_order();

    // The owner frees slots of a slab, from the end, until it has just looked at it and few are left, all of one word.
    void make_owner_look(Slots &slots)
    {
        owner.run([&] {
            for (;;) {
                View slab = view(slots.front());
                if (slab.out <= 64 && slab.out >= 3 && slab.countdown == (slab.out + 1) / 2 &&
                    distance(slab) == slab.countdown)
                    return;
                release_slots({slots.back()}, request);
                slots.pop_back();
            }
        });
    }

    // Others free all of them but the first, at once: more than the owner's threshold leaves.
    void push_all_but_one(Slots &slots)
    {
        push_slots({slots.begin() + 1, slots.end()}, request);
        slots.resize(1);
    }
};

INSTANTIATE_TEST_SUITE_P(Kinds, Settle, testing::ValuesIn(kinds), [](const auto &info) { return info.param.name; });

// ---- empty slabs are given back -----------------------------------------------------------------------------------

TEST_P(Settle, SlabsFreedByOthersAreGivenBackWhileTheOwnerSleeps)
{
    for (const Slots &slots : taken.full)
        by_others(slots);
    flush();
    expect_all_given_back();
}

TEST_P(Settle, SlabsFreedByTheOwnerAreGivenBack)
{
    for (const Slots &slots : taken.full)
        by_owner(slots);
    expect_all_given_back();
}

TEST_P(Settle, SlabsHalfFreedByTheOwnerAreGivenBackWhileItSleeps)
{
    for (const Slots &slots : taken.full)
        by_owner(half(slots, 0));
    for (const Slots &slots : taken.full)
        by_others(half(slots, 1));
    flush();
    expect_all_given_back();
}

TEST_P(Settle, SlabsHalfFreedByOthersAreGivenBackByTheOwner)
{
    for (const Slots &slots : taken.full)
        by_others(half(slots, 1));
    flush();
    for (const Slots &slots : taken.full)
        by_owner(half(slots, 0));
    expect_all_given_back();
}

TEST_P(Settle, SlabsFreedHalfAndHalfAtTheSameTimeAreGivenBack)
{
    owner.start([&] {
        for (const Slots &slots : taken.full)
            release_slots(half(slots, 0), request);
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
    EXPECT_EQ(engine_heap_owns(pooled, class_of(request)), 0u);

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
            if (random.one_in(2))
                release_slots(some, request);
            else
                push_slots(some, request);

            View slab = view(some.front());
            if (slots.empty()) {
                ASSERT_FALSE(is_overlooked(slab));
                left.erase(left.begin() + static_cast<ptrdiff_t>(chosen));
            } else {
                ASSERT_EQ(slab.out, static_cast<int64_t>(slots.size()));
                ASSERT_TRUE(will_be_noticed(slab))
                    << slab.out << " out, countdown " << slab.countdown << ", distance " << distance(slab);
            }
        }
    });
    expect_all_given_back();
}

TEST_P(Settle, OneThresholdMustFireWhateverTheMix)
{
    for (size_t round = 0; round < support::repetitions(40) && !HasFailure(); round++) {
        free_in_random_order();
        owner.run([&] {
            release_slots(taken.rest, request);
            taken = fill(request, GetParam().count);
        });
    }
    for (const Slots &slots : taken.full)
        by_owner(slots);
}

// ---- the owner's threshold is past what others left ---------------------------------------------------------------------

TEST_P(Settle, AnOwnerThatIsCalledLooksBeforeItsNextFree)
{
    for (Slots &slots : taken.full) {
        make_owner_look(slots);
        EXPECT_FALSE(view(slots.front()).is_called);
        push_all_but_one(slots);
        EXPECT_TRUE(view(slots.front()).is_called);
        by_owner(slots);
        EXPECT_EQ(view(slots.front()).state, VIEW_POOLED);
    }
    EXPECT_EQ(engine_heap_revisits(heap), 0u);
}

TEST_P(Settle, OthersMayComeBeforeAnOwnerThatIsCalled)
{
    for (Slots &slots : taken.full) {
        make_owner_look(slots);
        push_all_but_one(slots);
        push_slots(slots, request);
        EXPECT_EQ(view(slots.front()).state, VIEW_POOLED);
    }
    EXPECT_EQ(engine_heap_revisits(heap), 0u);
}

// The mark is gone once the owner looked, for whatever reason: its frees take the short way again.
TEST_P(Settle, AnOwnerThatLookedIsCalledNoMore)
{
    for (Slots &slots : taken.full) {
        make_owner_look(slots);
        push_slots({slots.begin() + 2, slots.end()}, request);
        slots.resize(2);
        EXPECT_TRUE(view(slots.front()).is_called);
    }
    owner.run([&] { go_slow_paths(engine_heap_revisits(heap)); });
    EXPECT_EQ(engine_heap_revisits(heap), 0u);
    for (const Slots &slots : taken.full) {
        EXPECT_FALSE(view(slots.front()).is_called);
        EXPECT_EQ(view(slots.front()).countdown, 1u);
        by_owner(slots);
    }
    expect_all_given_back();
}

// ---- the revisit list: a free of the owner's own was the last, and under way when it was called -------------------------

class Overlooked : public Settle
{
  protected:
    void SetUp() override
    {
        Settle::SetUp();
        for (Slots &slots : taken.full) {
            make_owner_look(slots);
            owner.run([&] { support::release(slots.front(), request); }); // held back: its slab does not know yet
            push_all_but_one(slots);
            EXPECT_TRUE(view(slots.front()).is_to_revisit);
            owner.run([] { engine_flush_recent(); });
            EXPECT_TRUE(is_overlooked(view(slots.front())));
        }
        EXPECT_EQ(engine_heap_revisits(heap), taken.full.size());
    }
};

// Those that are held back.
INSTANTIATE_TEST_SUITE_P(Kinds, Overlooked, testing::Values(kinds[0], kinds[2], kinds[4], kinds[5]),
                         [](const auto &info) { return info.param.name; });

TEST_P(Overlooked, SlabsAreGivenBackByTheOwnersNextSlowPaths)
{
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
    expect_all_given_back();
}

TEST_P(Overlooked, SlabsAreGivenBackByTheOwnersExit)
{
    owner.replace();
    EXPECT_EQ(engine_heap_revisits(heap), 0u);
    expect_all_given_back();
}

// Taken up, a slab is its owner's anyway. Looked at later, from the list, it could be given back under its hands.
TEST_P(Settle, ASlabTakenUpIsNotRevisited)
{
    Slots &first = taken.full[0], &second = taken.full[1];
    for (Slots *slots : {&second, &first}) // the one listed last is the one taken up first ...
        make_owner_look(*slots);
    for (Slots *slots : {&first, &second}) // ... but not the one revisited first
        push_all_but_one(*slots);
    ASSERT_EQ(engine_heap_revisits(heap), 2u);
    owner.run([&] {
        while (view(first.front()).state != VIEW_CURRENT && taken.rest.size() < 100'000)
            taken.rest.push_back(support::allocate(request));
    });
    ASSERT_EQ(view(first.front()).state, VIEW_CURRENT);
    EXPECT_FALSE(view(first.front()).is_to_revisit || view(first.front()).is_called);
    EXPECT_EQ(engine_heap_revisits(heap), 0u);
    for (const Slots &slots : taken.full)
        by_owner(slots);
}

// ---- the slots freed last -------------------------------------------------------------------------------------------

// A bin holds a few of them back, of whatever slabs, for the allocations that come next. Only their slabs have to wait.
TEST_P(Settle, SlotsHeldBackKeepNoOthersWaiting)
{
    owner.run([&] {
        for (const Slots &slots : taken.full)
            for (void *slot : slots)
                support::release(slot, request);
    });
    uint32_t held_back = 0;
    for (const Slots &slots : taken.full)
        held_back += view(slots.front()).held_back;
    EXPECT_LE(held_back, 8u);
    EXPECT_EQ(held_back > 0, request.size <= 32 * support::KiB) << "small ones";
    for (const Slots &slots : taken.full) {
        View slab = view(slots.front());
        EXPECT_FALSE(is_overlooked(slab));
        EXPECT_TRUE(slab.heap == nullptr || slab.held_back > 0);
    }
    owner.run([&] { engine_flush_recent(); });
    expect_all_given_back();
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
        EXPECT_GT(before.countdown, ever / 2);
        EXPECT_EQ(distance(before), ever);

        engine_skip_pushes(slots.front(), ever - 1);
        Slots pushed = half(slots, 0);
        push_slots({pushed.back()}, request);
        EXPECT_EQ(distance(view(slots.front())), ever) << "the push that arrived there put it out of reach again";
        pushed.pop_back();
        push_slots(pushed, request);
        engine_skip_frees(slots.front(), view(slots.front()).countdown - 1);
        release_slots(half(slots, 1), request);
        View after = view(slots.front());
        EXPECT_EQ(after.state, VIEW_CURRENT);
        EXPECT_EQ(after.heap, heap);
        EXPECT_FALSE(after.is_to_revisit || after.is_called);
        EXPECT_EQ(after.granted, before.granted);

        release_slots(more.full.front(), request);
        release_slots(more.rest, request);
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
    expect_all_given_back();
}

TEST_P(Settle, WrappingCountsOfPushesAreComparedWhateverTheMix)
{
    let_counts_wrap();
    free_in_random_order();
}

} // namespace
