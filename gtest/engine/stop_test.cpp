// Pushers that stop in the middle, for as long as it takes others to go on without them, and finish then.
#include "settle_fixture.h"

#include <unordered_set>

namespace
{

using namespace slabs;

// ---- a pusher stops in the middle ------------------------------------------------------------------------------------------

// One pusher stops before a step of its push, of one slot of the last slab; the others and the owner go on.
class StoppedPusher : public Owned
{
  protected:
    std::unordered_set<void *> live; // slots with the program: none may be handed out twice
    struct push push = {nullptr, 0, 0, PUSH_DONE};

    void SetUp() override
    {
        Owned::SetUp();
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
        Owned::TearDown();
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
        release_slots(some, request);
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
INSTANTIATE_TEST_SUITE_P(Kinds, StoppedPusher, testing::ValuesIn(kinds, std::end(kinds) - 1),
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
        for (size_t next = 1; next < slots.size() / 2; next++) {
            free_by_others({slots[next]});
            hidden.insert(slots[next]);
            ASSERT_EQ(view(slots.front()).state, VIEW_PARKED);
        }
        for (size_t i = 0; i < 2 * slots.size(); i++) {
            allocate();
            ASSERT_EQ(view(slots.front()).state, VIEW_PARKED);
        }
        go_on();
        EXPECT_EQ(view(slots.front()).state, VIEW_AVAILABLE) << "whatever is still with the program";
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

        free_by_owner(slots);
        EXPECT_EQ(view(slots.front()).heap, heap) << "given back before its last push was counted";
        EXPECT_EQ(view(slots.front()).out, 1);
        go_on();
        EXPECT_EQ(view(slots.front()).state, VIEW_POOLED);
    });
}

// ---- a settle that comes late finds its slab in the next life ------------------------------------------------------------

// Stops the calling thread when it next takes a lock.
class StopAtLock
{
  public:
    void arm()
    {
        engine_before_next_lock(
            [](void *self) {
                static_cast<StopAtLock *>(self)->has_stopped = true;
                static_cast<StopAtLock *>(self)->gate.stop();
            },
            this);
    }
    bool has_stopped = false; // for the thread itself
    Gate gate;
};

class LateSettle : public Owned
{
  protected:
    // `late` frees slots of the last slab one by one until it is to settle; it goes on when the slab, emptied by others,
    // is in its next life, in the state given.
    template <class FreeOne> void settle_late(Worker &late, FreeOne free_one, Worker &next_owner, view_state state)
    {
        const Slots slots = taken.full.back();
        StopAtLock stop;
        size_t freed = 0;
        late.start([&] {
            stop.arm();
            while (!stop.has_stopped)
                free_one(slots[freed++]);
        });
        stop.gate.wait_until_reached();
        push_slots({slots.begin() + static_cast<ptrdiff_t>(freed), slots.end()}, request);
        ASSERT_EQ(view(slots.front()).state, VIEW_POOLED) << "emptied by others";

        Slots theirs;
        auto is_in_state = [&] {
            View slab = view(slots.front());
            return slab.state == state && slab.heap != nullptr;
        };
        next_owner.run([&] {
            auto takes_up = [&](view_state until) {
                while (view(slots.front()).heap == nullptr || view(slots.front()).state != until)
                    theirs.push_back(support::allocate(request));
            };
            takes_up(VIEW_CURRENT);
            if (state != VIEW_CURRENT)
                takes_up(VIEW_PARKED);
            for (size_t i = 0; !is_in_state(); i++) {
                release_slots({slots[i]}, request);
                theirs.erase(std::find(theirs.begin(), theirs.end(), slots[i]));
            }
        });
        View before = view(slots.front());
        stop.gate.open();
        late.wait();
        View after = view(slots.front());
        EXPECT_EQ(after.state, before.state);
        EXPECT_EQ(after.heap, before.heap);
        EXPECT_EQ(after.out, before.out);
        EXPECT_EQ(after.countdown, before.countdown);
        EXPECT_EQ(after.notify_at, before.notify_at);
        EXPECT_EQ(after.is_to_revisit, before.is_to_revisit);
        EXPECT_EQ(after.is_called, before.is_called);
        next_owner.run([&] { release_slots(theirs, request); });
        engine_validate();
    }

    // Leaves the last slab full.
    void begin()
    {
        owner.run([&] {
            release_slots(taken.rest, request);
            taken = fill(request, GetParam().count);
            for (size_t i = 0; i + 1 < taken.full.size(); i++)
                release_slots(taken.full[i], request);
        });
    }
};

INSTANTIATE_TEST_SUITE_P(Kinds, LateSettle, testing::ValuesIn(kinds, std::end(kinds) - 1),
                         [](const auto &info) { return info.param.name; });

TEST_P(LateSettle, OfAPusherIsHarmless)
{
    for (const Slots &slots : taken.full)
        by_owner(slots);
    Worker pusher, another;
    for (Worker *next_owner : {&another, &owner})
        for (view_state state : {VIEW_CURRENT, VIEW_PARKED, VIEW_AVAILABLE}) {
            begin();
            settle_late(
                pusher, [&](void *slot) { push_slots({slot}, request); }, *next_owner, state);
        }
}

TEST_P(LateSettle, OfTheFormerOwnerIsHarmless)
{
    for (const Slots &slots : taken.full)
        by_owner(slots);
    Worker another;
    for (view_state state : {VIEW_CURRENT, VIEW_PARKED, VIEW_AVAILABLE}) {
        begin();
        settle_late(
            owner, [&](void *slot) { release_slots({slot}, request); }, another, state);
    }
}

} // namespace
