// What is cached between two lives: empty slabs, and large blocks that were freed. How much of it there is, for how long,
// who takes it; and that memory goes back to the system without anybody waiting for that.
#include "os_faults.h"
#include "slabs.h"
#include "usage.h"
#include "worker.h"

#include <atomic>
#include <functional>
#include <set>
#include <thread>

namespace
{

using namespace slabs;
using support::KiB, support::MiB;

constexpr size_t small_slab = 64 * KiB, medium_slab = 512 * KiB, large_slab = 2 * MiB;
constexpr Request in_small = {8192, 0}, in_medium = {32 * KiB, 0}, also_in_medium = {64 * KiB, 0};

constexpr std::pair<alloc_option, size_t> defaults[] = {{ALLOC_OPTION_PURGE_AGE, 100},
                                                        {ALLOC_OPTION_CACHE_LIMIT, 32 * MiB},
                                                        {ALLOC_OPTION_LARGE_CACHE_LIMIT, 384 * MiB},
                                                        {ALLOC_OPTION_MAPPED_LIMIT, 0},
                                                        {ALLOC_OPTION_HUGE_PAGES, ALLOC_HUGE_PAGES_AUTO}};
constexpr uint32_t age = 100;

struct alloc_stats stats()
{
    struct alloc_stats all;
    alloc_stats(&all, sizeof all);
    return all;
}

void set(alloc_option option, size_t value) { ASSERT_EQ(alloc_option_set(option, value), 0); }

// In a thread of its own, where there are threads; it has ended when this returns.
void elsewhere(const std::function<void()> &body)
{
#if ALLOC_THREADS
    std::thread(body).join();
#else
    body();
#endif
}

class Cached : public testing::Test
{
  protected:
    uint32_t now = 1000;

    void SetUp() override
    {
        for (auto [option, value] : defaults)
            set(option, value);
        engine_set_clock(now);
        purge_all();
    }

    void TearDown() override
    {
        os_faults_watch(nullptr);
        engine_validate();
    }

    static void purge_all()
    {
        while (alloc_purge() != 0)
            ;
        EXPECT_EQ(stats().cached_bytes, 0u);
        EXPECT_EQ(stats().large_cached_bytes, 0u);
    }

    void pass(uint32_t milliseconds) { engine_set_clock(now += milliseconds); }
};

// ---- empty slabs --------------------------------------------------------------------------------------------------

class Pool : public Cached
{
  protected:
    // Full slabs, each with a mark in its memory that is there for as long as the memory is.
    // None lies beside another: what is between them stays in use until the test ends.
    std::vector<Slots> fill_marked(Request request, size_t count)
    {
        std::vector<Slots> marked;
        Population population = fill(request, 2 * count);
        for (size_t i = 0; i < population.full.size(); i++)
            if (i % 2 == 0) {
                std::memset(last_word(population.full[i], request), 1, sizeof(uint64_t));
                marked.push_back(population.full[i]);
            } else {
                between.push_back({population.full[i], request});
            }
        release_slots(population.rest, request);
        return marked;
    }

    void TearDown() override
    {
        for (auto &[slots, request] : between)
            release_slots(slots, request);
        Cached::TearDown();
    }

    std::vector<std::pair<Slots, Request>> between;

    static bool has_memory(const Slots &slots, Request request)
    {
        return !support::is_zero(last_word(slots, request), 0, sizeof(uint64_t));
    }

    static void give_back(const Slots &slots, Request request)
    {
        release_slots(slots, request);
        EXPECT_EQ(view(slots.front()).state, VIEW_POOLED);
    }

  private:
    static char *last_word(const Slots &slots, Request request)
    {
        return static_cast<char *>(slots.back()) + request.size - sizeof(uint64_t);
    }
};

// Whoever emptied it, it is for everybody: for other threads, and for other classes of its kind.
TEST_F(Pool, ASlabThatWasEmptiedIsTakenAtOnce)
{
    constexpr size_t count = 6;
    std::vector<Slots> slabs;
    elsewhere([&] { slabs = fill_marked(in_medium, count); });
    elsewhere([&] {
        for (const Slots &slots : slabs)
            release_slots(slots, in_medium);
    });
    std::set<const slab *> emptied;
    for (const Slots &slots : slabs)
        emptied.insert(view(slots.front()).slab);
    const struct alloc_stats before = stats();
    EXPECT_GE(before.slabs_cached, count);
    elsewhere([&] {
        Population taken = fill(also_in_medium, count - 1);
        for (const Slots &slots : taken.full)
            EXPECT_EQ(emptied.count(view(slots.front()).slab), 1u);
        EXPECT_EQ(stats().slabs_fresh, before.slabs_fresh);
        EXPECT_LE(stats().committed_bytes, before.committed_bytes + medium_slab) << "for its metadata";
        for (const Slots &slots : taken.full)
            release_slots(slots, also_in_medium);
        release_slots(taken.rest, also_in_medium);
    });
}

// The two kinds of large slabs differ in what may back them, which does not matter where memory is there already.
TEST_F(Pool, ASlabServesEitherLargeKind)
{
    constexpr size_t count = 12;
    constexpr Request in_large = {4096, 0},
                      also_in_large = {2048, 0}; // behind the small slabs that their bins begin with
    Population small = fill(in_large, 17), also_small = fill(also_in_large, 17);
    constexpr std::pair<size_t, size_t> changes[] = {{ALLOC_HUGE_PAGES_ALWAYS, ALLOC_HUGE_PAGES_OFF},
                                                     {ALLOC_HUGE_PAGES_OFF, ALLOC_HUGE_PAGES_ALWAYS}};
    for (auto [former, latter] : changes) {
        purge_all();
        set(ALLOC_OPTION_HUGE_PAGES, former);
        const std::vector<Slots> slabs = fill_marked(in_large, count);
        std::set<const slab *> emptied;
        size_t of_the_kind = 0;
        for (const Slots &slots : slabs) {
            for (void *slot : slots)
                std::memset(slot, 1, in_large.size);
            emptied.insert(view(slots.front()).slab);
            of_the_kind += view(slots.front()).is_huge == (former == ALLOC_HUGE_PAGES_ALWAYS);
        }
        EXPECT_GE(of_the_kind, count - 1) << "one may be from before";
        for (const Slots &slots : slabs)
            give_back(slots, in_large);
        const struct alloc_stats before = stats();
        const size_t resident = support::measured_bytes();

        set(ALLOC_OPTION_HUGE_PAGES, latter);
        const Population taken = fill(also_in_large, count - 1);
        size_t taken_again = 0;
        for (const Slots &slots : taken.full) {
            taken_again += emptied.count(view(slots.front()).slab);
            for (void *slot : slots)
                std::memset(slot, 1, also_in_large.size);
        }
        EXPECT_GE(taken_again, count - 2) << "one may be from before";
        EXPECT_EQ(stats().slabs_fresh, before.slabs_fresh);
        EXPECT_LE(stats().committed_bytes, before.committed_bytes + large_slab) << "for its metadata";
        EXPECT_LE(support::measured_bytes(), resident + count * large_slab / 4);
        for (const Slots &slots : taken.full)
            release_slots(slots, also_in_large);
        release_slots(taken.rest, also_in_large);
    }
    for (auto [population, request] : {std::pair{&small, in_large}, {&also_small, also_in_large}}) {
        for (const Slots &slots : population->full)
            release_slots(slots, request);
        release_slots(population->rest, request);
    }
}

// What is cached and serves nobody does not add to what the system provides instead.
TEST_F(Pool, OneGoesBackForEachThatTheSystemProvides)
{
    Population growing = fill(in_medium, 1);
    const slab *current = view(growing.rest.back()).slab;
    const std::vector<Slots> small = fill_marked(in_small, 8);
    purge_all();
    for (const Slots &slots : small) {
        give_back(slots, in_small);
        pass(1);
    }
    const size_t cached = stats().cached_bytes;
    EXPECT_EQ(cached, small.size() * small_slab);
    for (size_t provided = 0; provided < small.size();) {
        growing.rest.push_back(support::allocate(in_medium));
        provided += view(growing.rest.back()).slab != current;
        current = view(growing.rest.back()).slab;
        ASSERT_EQ(stats().cached_bytes, cached - provided * small_slab);
        for (size_t i = 0; i < small.size(); i++)
            ASSERT_EQ(has_memory(small[i], in_small), i >= provided) << "the oldest goes first";
    }
    release_slots(growing.full.front(), in_medium);
    release_slots(growing.rest, in_medium);
}

TEST_F(Pool, TheSlabGivenBackLastIsTakenFirst)
{
    std::vector<Slots> slabs = fill_marked(in_medium, 4);
    std::vector<const slab *> order;
    for (size_t i : {2, 0, 3, 1}) {
        order.push_back(view(slabs[i].front()).slab);
        give_back(slabs[i], in_medium);
    }
    for (; !order.empty(); order.pop_back()) {
        const void *slot = support::allocate(also_in_medium);
        while (view(slot).slab != order.back() && std::count(order.begin(), order.end(), view(slot).slab) == 0)
            slot = support::allocate(also_in_medium);
        EXPECT_EQ(view(slot).slab, order.back());
    }
}

// After every single free, and whatever the kind: what is more goes back, of the one freed first.
TEST_F(Pool, NoMoreThanTheLimitIsCached)
{
    for (size_t limit : {size_t{0}, 256 * KiB, 1 * MiB, 1792 * KiB + 5}) {
        set(ALLOC_OPTION_CACHE_LIMIT, limit);
        std::vector<Slots> large = fill_marked(in_medium, 6), small = fill_marked(in_small, 14);
        purge_all();
        auto empty = [&](const Slots &slots, Request request, size_t bytes) {
            const size_t before = stats().cached_bytes;
            give_back(slots, request);
            EXPECT_LE(stats().cached_bytes, limit);
            EXPECT_GE(stats().cached_bytes + medium_slab, std::min(before + bytes, limit)) << "but nearly as much";
            EXPECT_TRUE(has_memory(slots, request) || bytes > limit || before > limit - bytes);
        };
        for (size_t i = 0; i < large.size(); i++) {
            empty(small[2 * i], in_small, small_slab);
            empty(large[i], in_medium, medium_slab);
            empty(small[2 * i + 1], in_small, small_slab);
        }
        for (size_t i = 2 * large.size(); i < small.size(); i++)
            empty(small[i], in_small, small_slab);
        purge_all();
    }
}

TEST_F(Pool, NothingIsCachedWhereItMayHaveNoAge)
{
    set(ALLOC_OPTION_PURGE_AGE, 0);
    std::vector<Slots> slabs = fill_marked(in_medium, 3);
    purge_all();
    for (const Slots &slots : slabs) {
        give_back(slots, in_medium);
        EXPECT_FALSE(has_memory(slots, in_medium));
    }
    EXPECT_EQ(stats().cached_bytes, 0u);
}

// What is resident, not only what the engine says.
TEST_F(Pool, MemoryBeyondTheLimitIsTheSystems)
{
    constexpr size_t count = 40;
    set(ALLOC_OPTION_CACHE_LIMIT, 4 * MiB);
    std::vector<Slots> slabs = fill_marked(in_medium, count);
    for (const Slots &slots : slabs)
        for (void *slot : slots)
            std::memset(slot, 1, in_medium.size);
    const size_t before = support::resident_bytes();
    for (const Slots &slots : slabs)
        release_slots(slots, in_medium);
    EXPECT_LT(support::resident_bytes(), before - (count * medium_slab - 4 * MiB) + 2 * MiB);
}

class AgedPool : public Pool, public testing::WithParamInterface<uint32_t>
{
  protected:
    // Five slabs given back 10 milliseconds apart, with the first of them 50 milliseconds old.
    std::vector<Slots> slabs;
    std::vector<Slots> others; // that can be given back at any time
    size_t next_other = 0;

    void SetUp() override
    {
        now = GetParam();
        Pool::SetUp();
        slabs = fill_marked(in_medium, 5);
        others = fill_marked(in_small, 12);
        purge_all();
        for (const Slots &slots : slabs) {
            give_back(slots, in_medium);
            pass(10);
        }
    }

    void expect_memory_but_of(size_t first) const
    {
        for (size_t i = 0; i < slabs.size(); i++)
            EXPECT_EQ(has_memory(slabs[i], in_medium), i >= first) << "slab " << i << " of " << first << " purged";
    }

    void give_back_another() { give_back(others[next_other++], in_small); }

    void TearDown() override
    {
        while (next_other < others.size())
            give_back_another();
        Pool::TearDown();
    }
};

// The clock starts where it pleases, and wraps.
INSTANTIATE_TEST_SUITE_P(At, AgedPool, testing::Values(0, 1000, uint32_t{INT32_MAX} - 20, UINT32_MAX - 20),
                         testing::PrintToStringParamName());

TEST_P(AgedPool, OneGoesBackForEachThatComesIn)
{
    pass(49);
    give_back_another();
    expect_memory_but_of(0);
    pass(1); // the first is of age
    give_back_another();
    expect_memory_but_of(1);
    give_back_another();
    expect_memory_but_of(1);
    pass(1000); // all are
    for (size_t purged = 2; purged <= slabs.size(); purged++) {
        give_back_another();
        expect_memory_but_of(purged);
    }
}

// The one that is taken is the newest, which stays what it is however old.
TEST_P(AgedPool, OneGoesBackForEachThatIsTaken)
{
    pass(60);
    Slots taken;
    size_t left = slabs.size();
    while (left > 3) {
        taken.push_back(support::allocate(also_in_medium));
        left -= view(taken.back()).slab == view(slabs[left - 1].front()).slab;
    }
    expect_memory_but_of(2);
    release_slots(taken, also_in_medium);
}

TEST_P(AgedPool, TheAgeMayBeChanged)
{
    set(ALLOC_OPTION_PURGE_AGE, 45);
    give_back_another();
    expect_memory_but_of(1);
    give_back_another();
    expect_memory_but_of(1);
    set(ALLOC_OPTION_PURGE_AGE, 1'000'000);
    pass(999'000);
    give_back_another();
    expect_memory_but_of(1);
}

// A thread that reads the clock, waits for the lock, and finds what came in since: that is new, not very old.
TEST_P(AgedPool, WhatCameInAfterTheClockWasReadIsNew)
{
    pass(1000);
    for (size_t i = 0; i < slabs.size(); i++)
        give_back_another();
    expect_memory_but_of(slabs.size());
    const Slots newest = fill_marked(in_medium, 1).front();
    purge_all();
    give_back(newest, in_medium);
    pass(UINT32_MAX); // 1 back
    give_back_another();
    EXPECT_TRUE(has_memory(newest, in_medium));
}

TEST_P(AgedPool, APurgeGivesBackTheOldest)
{
    for (size_t purged = 1; purged <= slabs.size(); purged++) {
        while (stats().cached_bytes > (slabs.size() - purged) * medium_slab) // not every step is one of the pool's
            ASSERT_EQ(alloc_purge(), 1);
        expect_memory_but_of(purged);
    }
}

// ---- large blocks -------------------------------------------------------------------------------------------------

class LargeCache : public Cached
{
  protected:
    std::vector<void *> blocks;

    void take(size_t count, size_t size)
    {
        for (; count > 0; count--) {
            blocks.push_back(support::allocate({size, 0}));
            std::memset(blocks.back(), 1, 16 * KiB);
        }
    }

    void give(size_t count, size_t size, const std::function<void()> &after)
    {
        for (; count > 0; count--) {
            alloc_free(blocks.back(), size);
            blocks.pop_back();
            after();
        }
    }
};

TEST_F(LargeCache, AFreedBlockIsTheNextOfItsSize)
{
    for (size_t size : {600 * KiB, 1 * MiB, 3 * MiB, 30 * MiB}) {
        take(1, size);
        void *block = blocks.back();
        std::memset(block, 1, size);
        const struct alloc_stats before = stats();
        give(1, size, [] {});
        EXPECT_GE(stats().large_cached_bytes, before.large_cached_bytes + size);
        char *again = static_cast<char *>(alloc_zalloc(size));
        EXPECT_EQ(again, block);
        EXPECT_TRUE(support::is_zero(again, 0, size)) << "not known to be zero";
        EXPECT_EQ(stats().reserved_bytes, before.reserved_bytes);
        EXPECT_EQ(stats().committed_bytes, before.committed_bytes);
        alloc_free(again, size);
        purge_all();
    }
}

TEST_F(LargeCache, HoldsNoMoreThanTheLimit)
{
    for (size_t limit : {size_t{0}, 1 * MiB, 10 * MiB, 31 * MiB}) {
        set(ALLOC_OPTION_LARGE_CACHE_LIMIT, limit);
        take(20, 3 * MiB);
        size_t most = 0;
        give(20, 3 * MiB, [&] {
            EXPECT_LE(stats().large_cached_bytes, limit);
            most = std::max(most, stats().large_cached_bytes);
        });
        EXPECT_GE(most + 2 * MiB, limit) << "but nearly as much";
        purge_all();
    }
}

// A limit that has become smaller is reached step by step: each block that comes in makes two go.
TEST_F(LargeCache, ComesDownToALowerLimit)
{
    take(12, 4 * MiB);
    give(8, 4 * MiB, [] {});
    ASSERT_EQ(stats().large_cached_bytes, 32 * MiB);
    set(ALLOC_OPTION_LARGE_CACHE_LIMIT, 2 * MiB);
    give(4, 4 * MiB, [] {});
    EXPECT_LE(stats().large_cached_bytes, 2 * MiB);
}

TEST_F(LargeCache, GivesBackWhatIsOfAge)
{
    const size_t sizes[] = {3 * MiB, 5 * MiB, 9 * MiB}; // of which none serves what follows
    for (size_t size : sizes)
        take(1, size);
    for (size_t i = std::size(sizes); i-- > 0;) {
        give(1, sizes[i], [] {});
        pass(10);
    }
    ASSERT_EQ(stats().large_cached_bytes, 17 * MiB);
    pass(age - 31);
    take(1, 40 * MiB);
    EXPECT_EQ(stats().large_cached_bytes, 17 * MiB);
    pass(1);
    take(1, 40 * MiB);
    EXPECT_EQ(stats().large_cached_bytes, 13 * MiB) << "4 MiB at a time";
    take(2, 40 * MiB);
    EXPECT_EQ(stats().large_cached_bytes, 8 * MiB) << "the one freed first";
    pass(1000);
    take(3, 40 * MiB);
    EXPECT_EQ(stats().large_cached_bytes, 0u) << "4 MiB for each block at least";
    give(7, 40 * MiB, [] {});
}

// ---- without anybody waiting --------------------------------------------------------------------------------------

#if ALLOC_THREADS

std::atomic<size_t> calls, purges, purges_with_a_lock, calls_with_a_lock;

void watch(bool is_purge)
{
    calls++;
    purges += is_purge;
    purges_with_a_lock += is_purge && engine_holds_lock();
    calls_with_a_lock += engine_holds_lock_but_growth();
}

class Unwaited : public Cached
{
  protected:
    void SetUp() override
    {
        Cached::SetUp();
        calls = purges = purges_with_a_lock = calls_with_a_lock = 0;
        os_faults_watch(watch);
    }
};

TEST_F(Unwaited, NoMemoryGoesBackInsideOfALock)
{
    set(ALLOC_OPTION_CACHE_LIMIT, 1 * MiB);
    set(ALLOC_OPTION_LARGE_CACHE_LIMIT, 8 * MiB);
    std::vector<std::thread> threads;
    for (uint64_t stream = 0; stream < 3; stream++)
        threads.emplace_back([stream] {
            support::Random random(stream);
            constexpr Request requests[] = {in_small, in_medium, also_in_medium, {64, 0}, {3000, 8}};
            for (size_t i = 0; i < support::repetitions(80); i++) {
                const Request request = requests[random.below(std::size(requests))];
                Population population = fill(request, 1 + random.below(3));
                const Request large = {700 * KiB + random.below(4 * MiB), 0};
                void *block = support::allocate(large);
                const size_t size = 700 * KiB + random.below(4 * MiB);
                block = support::resize(block, large, size);
                for (const Slots &slots : population.full)
                    release_slots(slots, request);
                release_slots(population.rest, request);
                alloc_free(block, size);
                if (random.one_in(8))
                    engine_set_clock(static_cast<uint32_t>(1000 + 150 * i));
                if (random.one_in(8))
                    alloc_purge();
            }
        });
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_GT(purges, support::repetitions(80));
    EXPECT_EQ(purges_with_a_lock, 0u) << "of " << purges;
    EXPECT_GT(calls - purges, support::repetitions(80)) << "large blocks";
    EXPECT_EQ(calls_with_a_lock, 0u) << "of " << calls;
    EXPECT_LE(stats().cached_bytes, 1 * MiB);

    // No slab is lost, and none in two lists.
    size_t pooled = 0;
    for (const View &slab : all())
        pooled += slab.state == VIEW_POOLED;
    const struct alloc_stats now = stats();
    EXPECT_EQ(now.slabs_cached + now.slabs_purged, pooled);
}

// That a call is made under a lock would be seen: address space grows under one.
TEST_F(Unwaited, ALockThatIsHeldIsSeen)
{
    static std::atomic<size_t> growth;
    os_faults_watch([](bool) { growth += engine_holds_lock() && !engine_holds_lock_but_growth(); });
    engine_take_metadata(4 * MiB);
    EXPECT_GT(growth, 0u);
}

#endif

} // namespace
