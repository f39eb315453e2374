// What goes from one life to the next: slabs that another bin takes, maps that are not zero any more, heaps that the next
// thread adopts.
#include "settle_fixture.h"

#include <atomic>
#include <climits>
#include <pthread.h>
#include <set>

namespace
{

using namespace slabs;

// Slots with the program, each once; and how many of them are whose slab's.
class Live
{
  public:
    void add(void *slot)
    {
        EXPECT_TRUE(slots.insert(slot).second) << slot << " is in two hands";
        per_slab[view(slot).slab]++;
    }
    void remove(void *slot)
    {
        slots.erase(slot);
        per_slab[view(slot).slab]--;
    }
    // Nothing is lost either: what the slabs of a heap do not have is what the program has.
    void expect_exact(const struct heap *heap, Request request) const
    {
        for (const View &slab : all()) {
            auto known = per_slab.find(slab.slab);
            if (slab.heap == heap && slab.class_number == class_of(request)) {
                EXPECT_EQ(slab.out, known == per_slab.end() ? 0 : known->second);
            }
        }
        engine_validate();
    }

  private:
    std::set<void *> slots;
    std::map<const slab *, int64_t> per_slab;
};

// Frees by the owner, or by others.
void free_slots(const Slots &slots, Request request, bool by_owner)
{
#if ALLOC_THREADS
    if (!by_owner) {
        push_slots(slots, request);
        return;
    }
#endif
    (void)by_owner;
    release_slots(slots, request);
}

// ---- maps of former lives -----------------------------------------------------------------------------------------

class DirtyMaps : public testing::TestWithParam<Kind>
{
};

INSTANTIATE_TEST_SUITE_P(Kinds, DirtyMaps, testing::ValuesIn(kinds), [](const auto &info) { return info.param.name; });

// Bits that nobody collected stay set when a slab is given back. In its next life its slots must be neither free before
// they are handed out nor freed twice when they are freed.
TEST_P(DirtyMaps, AreClearedBeforeTheirSlotsAreHandedOut)
{
    const Request request = GetParam().request;
    std::set<const slab *> given_back;
    size_t lives_on_dirty_maps = 0;
    for (size_t life = 0; life < 4; life++) {
        Population population = fill(request, GetParam().count);
        Live live;
        for (const Slots &slots : population.full) {
            for (void *slot : slots)
                live.add(slot);
            View slab = view(slots.front());
            lives_on_dirty_maps += given_back.count(slab.slab) && (slab.has_dirty_local || slab.has_dirty_remote);
            EXPECT_EQ(slab.out, slab.capacity);
        }
        engine_validate();
        for (const Slots &slots : population.full) {
            free_slots(half(slots, life % 2), request, life / 2 == 0);
            engine_validate();
            free_slots(half(slots, 1 - life % 2), request, life / 2 != 0);
            if (view(slots.front()).heap == nullptr)
                given_back.insert(view(slots.front()).slab);
        }
        release_slots(population.rest, request);
    }
    EXPECT_GT(lives_on_dirty_maps, 0u);
}

// A map serves slabs of one class; a slab that changes its class takes another one, which is not zero either.
TEST(Lives, SlabsMayChangeClassFromLifeToLife)
{
    const Request small[] = {{1, 0},  {2, 0},    {4, 0},    {8, 0},    {48, 8},
                             {64, 0}, {1024, 0}, {4096, 0}, {5000, 8}, {8192, 0}};
    const Request large[] = {{10000, 8}, {16384, 0}, {65536, 0}, {100000, 8}, {262144, 0}, {524288, 0}};
    support::Random random(1);
    std::set<std::pair<const slab *, size_t>> lives;
    std::set<const slab *> served;
    for (size_t life = 0; life < support::repetitions(200) && !testing::Test::HasFailure(); life++) {
        const Request request =
            random.one_in(3) ? large[random.below(std::size(large))] : small[random.below(std::size(small))];
        Population population = fill(request, 2 + random.below(3));
        for (Slots &slots : population.full) {
            served.insert(view(slots.front()).slab);
            lives.insert({view(slots.front()).slab, view(slots.front()).class_number});
            for (size_t i = slots.size() - 1; i > 0; i--)
                std::swap(slots[i], slots[random.below(i + 1)]);
            size_t cut = random.below(slots.size() + 1);
            free_slots({slots.begin(), slots.begin() + static_cast<ptrdiff_t>(cut)}, request, life % 2 == 0);
            if (life % 16 == 0)
                engine_validate();
            free_slots({slots.begin() + static_cast<ptrdiff_t>(cut), slots.end()}, request, life % 2 != 0);
        }
        release_slots(population.rest, request);
    }
    EXPECT_GT(3 * lives.size(), 4 * served.size()) << "few slabs changed their class";
}

#if ALLOC_THREADS

// ---- heaps --------------------------------------------------------------------------------------------------------

// An owner exits with what it holds of its current slabs; the next thread finds it all, once.
class Adoption : public testing::TestWithParam<Kind>
{
  protected:
    const Request request = GetParam().request;
    const struct heap *heap = nullptr;
    Live live;
    Population plug; // so that the heap has no other slab with free slots

    void SetUp() override
    {
        in_a_thread([&] {
            plug = fill(request, 3);
            for (const Slots &slots : plug.full)
                for (void *slot : slots)
                    live.add(slot);
            for (void *slot : plug.rest)
                live.add(slot);
        });
    }

    void TearDown() override
    {
        in_a_thread([&] {
            for (const Slots &slots : plug.full)
                for (void *slot : slots)
                    free_one(slot);
            for (void *slot : plug.rest)
                free_one(slot);
            go_slow_paths(engine_heap_revisits(engine_own_heap()));
        });
        for (const View &slab : all())
            EXPECT_FALSE(slab.heap == heap && is_overlooked(slab));
    }

    // A thread's life; it uses its heap in any case. The heap is always the same: pooled last, adopted first.
    template <class Body> void in_a_thread(Body body)
    {
        {
            Worker worker;
            worker.run([&] {
                release_slots({support::allocate(request)}, request);
                body();
                EXPECT_TRUE(heap == nullptr || heap == engine_own_heap());
                heap = engine_own_heap();
            });
        }
        live.expect_exact(heap, request);
    }

    void *allocate()
    {
        void *slot = support::allocate(request);
        live.add(slot);
        return slot;
    }

    void free_one(void *slot)
    {
        live.remove(slot);
        release_slots({slot}, request);
    }
};

INSTANTIATE_TEST_SUITE_P(Kinds, Adoption, testing::ValuesIn(kinds), [](const auto &info) { return info.param.name; });

TEST_P(Adoption, FindsTheRestOfAMask)
{
    // The slab that was current when the first thread exited, with a few of its slots handed out.
    Slots slots = plug.rest;
    const View left = view(slots.back());
    ASSERT_EQ(left.heap, heap);
    EXPECT_EQ(left.state, VIEW_AVAILABLE) << "never-used slots are worth listing";
    in_a_thread([&] {
        while (view(slots.back()).out < left.capacity) {
            slots.push_back(allocate());
            ASSERT_EQ(view(slots.back()).slab, left.slab);
        }
    });
    plug.rest = slots;
}

TEST_P(Adoption, FindsTheRestOfWhatWasFreed)
{
    Slots &slots = plug.rest;
    const slab *only = view(slots.back()).slab;
    const uint32_t freed = view(slots.back()).capacity / 2;
    in_a_thread([&] {
        while (view(slots.back()).out < view(slots.back()).capacity)
            slots.push_back(allocate());
        for (uint32_t i = 0; i < freed; i++) {
            free_one(slots.back());
            slots.pop_back();
        }
        slots.push_back(allocate()); // from the words of those
        ASSERT_EQ(view(slots.back()).slab, only);
        free_one(slots.back());
        slots.pop_back();
        ASSERT_EQ(view(slots.back()).state, VIEW_CURRENT);
    });
    const View left = view(slots.back());
    EXPECT_EQ(left.out, left.capacity - freed);
    in_a_thread([&] { // which allocates one and frees it, like every thread here
        slots.push_back(allocate());
        ASSERT_EQ(view(slots.back()).slab, only);
        free_one(slots.back());
        slots.pop_back();
    });
    in_a_thread([&] {
        for (uint32_t i = 0; i < freed; i++) {
            slots.push_back(allocate());
            ASSERT_EQ(view(slots.back()).slab, only);
        }
    });
}

TEST_P(Adoption, FindsWhatTheBinHeldBack)
{
    Slots &slots = plug.full.front();
    const size_t count = std::min<size_t>(slots.size() / 2, 20);
    in_a_thread([&] {
        for (size_t i = 0; i < count; i++) {
            live.remove(slots[i]);
            support::release(slots[i], request);
        }
    });
    EXPECT_EQ(view(slots.front()).out, static_cast<int64_t>(slots.size() - count));
    EXPECT_EQ(view(slots.front()).held_back, 0u) << "nobody would look at what an exiting thread holds back";
    slots.erase(slots.begin(), slots.begin() + static_cast<ptrdiff_t>(count));
}

TEST_P(Adoption, FindsEverythingWhateverWasLeft)
{
    support::Random random(2);
    const size_t most = std::min(3 * size_t{engine_slab_capacity(false, class_of(request))} + 100, size_t{5000});
    Slots mine;
    for (size_t lives = 0; lives < support::repetitions(60) && !HasFailure(); lives++) {
        in_a_thread([&] {
            for (size_t bursts = random.below(6); bursts > 0; bursts--) {
                for (size_t i = random.below(most); i > 0 && mine.size() < 3 * most; i--)
                    mine.push_back(allocate());
                for (size_t i = random.below(mine.size() + 1); i > 0; i--) {
                    std::swap(mine[random.below(mine.size())], mine.back());
                    if (random.one_in(3)) {
                        live.remove(mine.back());
                        push_slots({mine.back()}, request);
                    } else {
                        free_one(mine.back());
                    }
                    mine.pop_back();
                }
            }
        });
    }
    in_a_thread([&] {
        for (void *slot : mine)
            free_one(slot);
    });
}

// ---- late ---------------------------------------------------------------------------------------------------------

// What a thread does in the destructors of its thread-specific data, after its heap is gone.
struct LateUse {
    pthread_key_t key;
    int rounds; // before it does it
    bool has_heap;
    std::atomic<uint32_t> *highest; // number of any heap used
    std::atomic<void *> *left_behind;
};

constexpr Request late_request = {256, 0};

void use_late(void *context)
{
    auto *use = static_cast<LateUse *>(context);
    if (use->rounds-- > 0) {
        pthread_setspecific(use->key, use);
        return;
    }
    void *slot = support::allocate(late_request), *other = support::allocate(late_request);
    for (void *each : {slot, other}) {
        uint32_t number = engine_heap_number(engine_owner(each));
        uint32_t highest = *use->highest;
        while (number > highest && !use->highest->compare_exchange_weak(highest, number))
            ;
    }
    support::release(slot, late_request);
    *use->left_behind = other;
}

// A borrowed heap is given back with nothing current: nobody would look at that.
TEST(LateDestructors, LeaveNoSlabCurrent)
{
    pthread_key_t key;
    ASSERT_EQ(pthread_key_create(&key, use_late), 0);
    std::atomic<uint32_t> highest{0};
    std::atomic<void *> left_behind{nullptr};
    LateUse use = {key, 1, true, &highest, &left_behind};
    std::thread([&] {
        support::release(support::allocate(late_request), late_request);
        pthread_setspecific(key, &use);
    }).join();
    ASSERT_NE(left_behind, nullptr);
    EXPECT_NE(view(left_behind).state, VIEW_CURRENT);
    support::release(left_behind, late_request);
    pthread_key_delete(key);
}

TEST(LateDestructors, LeaveNoHeapBehind)
{
    const size_t count = support::repetitions(10'000), at_once = 4;
    // Destructors run in so many rounds. In the last the thread sanitizer has taken leave of the thread, and what is
    // first used in the one before is given back in the last.
    const size_t rounds = TEST_SANITIZED ? PTHREAD_DESTRUCTOR_ITERATIONS - 2 : PTHREAD_DESTRUCTOR_ITERATIONS;
    pthread_key_t key;
    ASSERT_EQ(pthread_key_create(&key, use_late), 0);
    std::atomic<uint32_t> highest{0};
    for (size_t i = 0; i < count; i += at_once) {
        LateUse uses[at_once];
        std::atomic<void *> left_behind[at_once];
        std::vector<std::thread> threads;
        for (size_t me = 0; me < at_once; me++) {
            uses[me] = {key, static_cast<int>((i / at_once + me) % rounds), (i / at_once) % 2 == 0, &highest,
                        &left_behind[me]};
            threads.emplace_back([use = &uses[me]] {
                pthread_setspecific(use->key, use);
                if (use->has_heap)
                    support::release(support::allocate(late_request), late_request);
            });
        }
        for (auto &thread : threads)
            thread.join();
        for (auto &slot : left_behind) {
            ASSERT_NE(slot, nullptr);
            support::release(slot, late_request);
        }
    }
    pthread_key_delete(key);
    // A heap that its thread abandoned in the last round is found by chance, which gets better the more there are.
    EXPECT_LE(highest, 20 + count / 100);
    size_t slabs_used = 0;
    for (const View &slab : all())
        slabs_used += slab.class_number == class_of(late_request);
    EXPECT_LE(slabs_used, 2 * (20 + count / 100));
}

// ---- fork ---------------------------------------------------------------------------------------------------------

TEST_P(DirtyMaps, OfThreadsThatAForkedChildDoesNotHaveGoBackThere)
{
    const Request request = GetParam().request;
    Worker owner;
    Population taken;
    const struct heap *heap = nullptr;
    owner.run([&] {
        taken = fill(request, GetParam().count);
        heap = engine_own_heap();
        release_slots(half(taken.full.front(), 0), request);
    });
    support::expect_in_child([&] {
        push_slots(half(taken.full.front(), 1), request);
        for (size_t i = 1; i < taken.full.size(); i++)
            release_slots(taken.full[i], request);
        release_slots(taken.rest, request); // pushes what was in the outbox
        size_t owned = 0;
        for (const Slots &slots : taken.full)
            owned += view(slots.front()).heap == heap;
        EXPECT_EQ(owned, 0u);

        // The child's threads use what was given back, and nothing else of the parent's thread.
        std::set<const slab *> given_back;
        for (const Slots &slots : taken.full)
            if (view(slots.front()).heap == nullptr)
                given_back.insert(view(slots.front()).slab);
        size_t reused = 0;
        auto use = [&] {
            Population mine = fill(request, GetParam().count);
            for (const Slots &slots : mine.full) {
                EXPECT_NE(view(slots.front()).heap, heap);
                reused += given_back.count(view(slots.front()).slab);
                release_slots(slots, request);
            }
            release_slots(mine.rest, request);
        };
        use();
#if !defined(__SANITIZE_THREAD__) // which lets such a child have no threads
        Worker child_thread;
        child_thread.run(use);
#endif
        EXPECT_GT(reused, 0u);
        engine_validate();
    });
    owner.run([&] {
        release_slots(half(taken.full.front(), 1), request);
        for (size_t i = 1; i < taken.full.size(); i++)
            release_slots(taken.full[i], request);
        release_slots(taken.rest, request);
    });
    engine_validate();
}

#endif

} // namespace
