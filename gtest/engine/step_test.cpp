// Two threads meet in a slab, at every instruction: one does something of some hundred instructions, and before each of
// them in turn another does something whole. Wherever that is, no slot is in two hands, none is lost, and an empty slab
// is noticed: by the owner's next slow path at the latest, where the last free was its own and is what was stopped.
#include "settle_fixture.h"
#include "stepper.h"

#include <functional>
#include <set>

namespace
{

using namespace slabs;

class Steps : public testing::TestWithParam<Kind>
{
  protected:
    const Request request = GetParam().request;
    Worker owner, other;
    Population taken;
    const struct heap *heap = nullptr;
    Slots slots; // of the slab that the threads meet in: full and parked

    void begin()
    {
        owner.run([&] {
            taken = fill(request, 1);
            engine_hold_nothing_back();
            heap = engine_own_heap();
            slots = taken.full.back();
        });
        ASSERT_EQ(view(slots.front()).state, VIEW_PARKED);
    }

    void SetUp() override
    {
#if defined(__SANITIZE_THREAD__)
        GTEST_SKIP() << "the thread sanitizer follows no breakpoints";
#endif
    }

    void TearDown() override { engine_validate(); }

    struct Act {
        Worker *by; // nullptr: the thread that runs the test
        std::function<void()> body;
    };

    // Two threads meet, once for every instruction of what one of them does.
    void at_every_instruction(const std::function<void()> &prepare, const Act &stepped, const Act &whole,
                              const std::function<void()> &check)
    {
        auto step = [&](const std::function<void()> &body) {
            if (stepped.by != nullptr)
                stepped.by->run(body);
            else
                body();
        };
        auto finish = [&] {
            check();
            owner.run([&] { release_slots(taken.rest, request); });
        };
        std::vector<Stepper::Instruction> instructions;
        begin();
        prepare();
        step([&] { instructions = Stepper::trace(stepped.body); });
        whole.by->run(whole.body);
        finish();
        EXPECT_GT(instructions.size(), 20u) << "so few are not what was meant";
        for (size_t i = 0; i < instructions.size() && !HasFailure(); i++) {
            begin();
            prepare();
            step([&] { Stepper::run(instructions[i], stepped.body, *whole.by, whole.body); });
            finish();
            EXPECT_FALSE(HasFailure()) << "stopped before instruction " << i << ", "
                                       << static_cast<void *>(instructions[i]);
        }
    }

    // The slots from one to another, counted from the end.
    Slots last(size_t from, size_t to = 0) const
    {
        return {slots.end() - static_cast<ptrdiff_t>(from), slots.end() - static_cast<ptrdiff_t>(to)};
    }
    Slots but_last(size_t count) const { return {slots.begin(), slots.end() - static_cast<ptrdiff_t>(count)}; }

    // A push without what a test does for it.
    struct push begin_push(const Slots &some) const
    {
        return engine_push_begin(some.data(), some.size(), request.size, request.align);
    }
    static void finish_push(struct push &push)
    {
        while (push.next != PUSH_DONE)
            engine_push_step(&push);
    }

    void expect_noticed(bool last_may_be_the_owners)
    {
        View slab = view(slots.front());
        if (last_may_be_the_owners && is_overlooked(slab)) {
            EXPECT_TRUE(slab.is_to_revisit) << "empty, and nobody knows";
            owner.run([&] { go_slow_paths(engine_heap_revisits(heap)); });
            slab = view(slots.front());
        }
        EXPECT_TRUE(slab.heap != heap || slab.class_number != class_of(request)) << "empty, and not given back";
    }

    // Nothing is lost, and once all is free, that is noticed.
    void expect_exact(const Slots &with_the_program)
    {
        std::set<void *> distinct(with_the_program.begin(), with_the_program.end());
        EXPECT_EQ(distinct.size(), with_the_program.size()) << "a slot is in two hands";
        int64_t here = 0;
        for (void *slot : with_the_program)
            here += view(slot).slab == view(slots.front()).slab;
        EXPECT_EQ(view(slots.front()).out, here);
    }
};

INSTANTIATE_TEST_SUITE_P(Kinds, Steps, testing::Values(kinds[1], kinds[3]),
                         [](const auto &info) { return info.param.name; });

// ---- who frees the last slot --------------------------------------------------------------------------------------

TEST_P(Steps, OfAPushWhileAnotherPusherFreesTheRest)
{
    for (size_t theirs : {1, 2, 3}) {
        struct push mine;
        at_every_instruction(
            [&] {
                push_slots(but_last(1 + theirs), request);
                mine = begin_push(last(1));
            },
            {nullptr, [&] { finish_push(mine); }}, {&other, [&] { push_slots(last(1 + theirs, 1), request); }},
            [&] { expect_noticed(false); });
    }
}

TEST_P(Steps, OfAPushWhileTheOwnerFreesTheRest)
{
    for (size_t theirs : {1, 2, 3}) {
        struct push mine;
        at_every_instruction(
            [&] {
                owner.run([&] { release_slots(but_last(1 + theirs), request); });
                mine = begin_push(last(1));
            },
            {nullptr, [&] { finish_push(mine); }}, {&owner, [&] { release_slots(last(1 + theirs, 1), request); }},
            [&] { expect_noticed(false); });
    }
}

// The pusher reads what the owner freed, says how many more pushes it wants to hear of, and reads again. Frees before that
// which the owner's threshold does not tell of are seen the second time: the slab is given back at once.
TEST_P(Steps, OfALookWhileTheOwnerFreesTheRest)
{
    struct push mine;
    bool is_looking = false;
    size_t looks = 0;
    at_every_instruction(
        [&] {
            // The owner looks and expects to free half of what is left, then others free most of that.
            ptrdiff_t freed = 0;
            do
                owner.run([&] { release_slots({slots[static_cast<size_t>(freed++)]}, request); });
            while (view(slots.front()).countdown <= 2);
            push_slots({slots.begin() + freed, slots.end() - 2}, request);
            EXPECT_GT(view(slots.front()).countdown, 2u);
            mine = begin_push(last(1));
            is_looking = false;
        },
        {nullptr, [&] { finish_push(mine); }},
        {&owner,
         [&] {
             is_looking = static_cast<int32_t>(distance(view(slots.front()))) < 0; // every push passes
             release_slots(last(2, 1), request);
         }},
        [&] {
            looks += is_looking;
            expect_noticed(false);
        });
    EXPECT_GT(looks, 10u);
}

TEST_P(Steps, OfAFreeOfTheOwnersWhileOthersFreeTheRest)
{
    for (size_t theirs : {1, 2, 3})
        at_every_instruction([&] { push_slots(but_last(1 + theirs), request); },
                             {&owner, [&] { support::release(slots.back(), request); }},
                             {&other, [&] { push_slots(last(1 + theirs, 1), request); }},
                             [&] { expect_noticed(true); });
}

// Who looked first may still be on its way to the lock when the slab is another heap's.
TEST_P(Steps, OfAFreeOfTheOwnersWhileTheSlabIsEmptiedAndTakenByAnotherHeap)
{
    Slots theirs;
    View taken_over = {};
    at_every_instruction(
        [&] {
            push_slots(but_last(2), request);
            theirs.clear();
        },
        {&owner, [&] { support::release(slots.back(), request); }},
        {&other,
         [&] {
             push_slots(last(2, 1), request);
             for (size_t i = 0; i < slots.size() + 2; i++)
                 theirs.push_back(support::allocate(request));
             for (int i = 0; i < 2; i++) { // so that its threshold is not where another look would put it
                 release_slots({theirs.front()}, request);
                 theirs.erase(theirs.begin());
             }
             taken_over = view(slots.front());
         }},
        [&] {
            expect_exact(theirs);
            if (taken_over.heap != heap) {
                EXPECT_EQ(view(slots.front()).heap, taken_over.heap);
                EXPECT_EQ(view(slots.front()).countdown, taken_over.countdown);
            }
            other.run([&] { release_slots(theirs, request); });
        });
}

TEST_P(Steps, OfAPushThatEmptiesTheSlabWhileAnotherHeapTakesSlabs)
{
    struct push mine;
    Slots theirs;
    at_every_instruction(
        [&] {
            push_slots(but_last(1), request);
            mine = begin_push(last(1));
            theirs.clear();
        },
        {nullptr, [&] { finish_push(mine); }},
        {&other,
         [&] {
             for (size_t i = 0; i < slots.size() + 2; i++)
                 theirs.push_back(support::allocate(request));
         }},
        [&] {
            expect_exact(theirs);
            expect_noticed(false);
            other.run([&] { release_slots(theirs, request); });
        });
}

// ---- who takes the slab up, or leaves it ----------------------------------------------------------------------------

TEST_P(Steps, OfTakingTheSlabUpWhileOthersFreeTheRest)
{
    void *mine = nullptr;
    at_every_instruction([&] { push_slots(but_last(slots.size() / 2), request); }, // the next slow path takes it up
                         {&owner, [&] { mine = support::allocate(request); }},
                         {&other, [&] { push_slots(last(slots.size() / 2), request); }},
                         [&] {
                             EXPECT_FALSE(is_overlooked(view(slots.front())));
                             expect_exact({mine});
                             owner.run([&] { release_slots({mine}, request); });
                         });
}

TEST_P(Steps, OfParkingTheCurrentSlabWhileOthersEmptyIt)
{
    void *mine = nullptr;
    Slots of_current;
    at_every_instruction(
        [&] {
            push_slots(but_last(slots.size() / 2), request);
            of_current.swap(taken.rest);
            taken.rest.clear();
            EXPECT_EQ(view(of_current.front()).state, VIEW_CURRENT);
        },
        {&owner, [&] { mine = support::allocate(request); }}, {&other, [&] { push_slots(of_current, request); }},
        [&] {
            EXPECT_FALSE(is_overlooked(view(of_current.front())));
            taken.rest = last(slots.size() / 2);
            taken.rest.push_back(mine);
            expect_exact(taken.rest);
        });
}

TEST_P(Steps, OfAPushWhileTheOwnerAllocatesFromTheSlab)
{
    struct push mine;
    Slots allocated;
    at_every_instruction(
        [&] {
            push_slots(but_last(slots.size() / 2), request);
            owner.run([&] { allocated = {support::allocate(request)}; });
            EXPECT_EQ(view(slots.front()).state, VIEW_CURRENT);
            mine = begin_push(last(1));
        },
        {nullptr, [&] { finish_push(mine); }},
        {&owner,
         [&] {
             for (size_t i = 0; i < slots.size() / 2; i++) // one more than were free
                 allocated.push_back(support::allocate(request));
         }},
        [&] {
            Slots all = last(slots.size() / 2, 1);
            all.insert(all.end(), allocated.begin(), allocated.end());
            expect_exact(all);
            taken.rest.insert(taken.rest.end(), all.begin(), all.end());
        });
}

} // namespace
