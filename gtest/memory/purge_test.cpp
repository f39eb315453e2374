// Memory goes back: within the bound that the header states, with age, when it is asked for; and whoever frees it, also
// while the thread that allocated it sleeps and after it exited.
#include "usage.h"
#include "worker.h"

#include <alloc/alloc_ext.h>
#include <atomic>
#include <memory>
#include <thread>

using namespace support;

namespace
{

constexpr size_t never = 1 << 30; // milliseconds
constexpr size_t large_slab = 2 * MiB;

// Blocks linked through their own memory: to hold on to them takes none besides.
class Chain
{
  public:
    void push(void *block)
    {
        std::memcpy(block, &first, sizeof first);
        first = block;
    }
    void *pop()
    {
        void *block = first;
        if (block != nullptr)
            std::memcpy(&first, block, sizeof first);
        return block;
    }
    void allocate(Request request, size_t count)
    {
        for (size_t i = 0; i < count; i++) {
            void *block = support::allocate(request);
            ASSERT_NE(block, nullptr);
            touch_pages(block, 0, good_size(request));
            push(block);
        }
    }
    void release_all(Request request)
    {
        while (void *block = pop())
            release(block, request);
    }

  private:
    void *first = nullptr;
};

// Two of one kind of slab each, and mappings.
constexpr Request mixed[] = {{16, 0}, {24, 8}, {256, 0}, {3000, 8}, {8192, 0}, {100 * KiB, 8}, {MiB, 0}};

// ---- the bound ----------------------------------------------------------------------------------------------------

class CacheLimit : public testing::TestWithParam<size_t>
{
};

TEST_P(CacheLimit, IsKeptAtEveryFree)
{
    const Setting limit(ALLOC_OPTION_CACHE_LIMIT, GetParam()), age(ALLOC_OPTION_PURGE_AGE, never);
    for (Request request : {Request{64, 0}, {8192, 0}, {64 * KiB, 0}}) {
        alloc_trim();
        std::vector<void *> blocks(80 * MiB / request.size);
        for (void *&block : blocks)
            block = allocate(request);
        Random random(request.size);
        for (size_t i = blocks.size() - 1; i > 0; i--)
            std::swap(blocks[i], blocks[random.below(i + 1)]);
        size_t freed = 0;
        for (void *block : blocks) {
            release(block, request);
            if (++freed % (blocks.size() / 512) == 0) {
                ASSERT_LE(statistics().cached_bytes, GetParam()) << request << ", " << freed << " freed";
            }
        }
        EXPECT_GE(statistics().cached_bytes + large_slab + 64 * KiB, GetParam()) << "what may be cached is";
    }
}

INSTANTIATE_TEST_SUITE_P(Of, CacheLimit, testing::Values(0, 3 * MiB, 32 * MiB),
                         [](const auto &info) { return std::to_string(info.param / MiB) + "MiB"; });

// ---- age ----------------------------------------------------------------------------------------------------------

class Purge : public testing::Test
{
  protected:
    void SetUp() override { alloc_trim(); }
    void TearDown() override
    {
        for (void *block : kept)
            alloc_free(block, MiB);
        alloc_trim();
    }

    static void cache_slabs(size_t bytes, Request request = {64 * KiB, 0})
    {
        Chain blocks;
        blocks.allocate(request, bytes / request.size);
        blocks.release_all(request);
    }

    // Each is a piece of its own: those between them stay.
    void cache_large_blocks(size_t count)
    {
        std::vector<void *> blocks(2 * count);
        for (void *&block : blocks)
            block = alloc_malloc(MiB);
        for (size_t i = 0; i < blocks.size(); i += 2) {
            alloc_free(blocks[i], MiB);
            kept.push_back(blocks[i + 1]);
        }
        EXPECT_EQ(statistics().large_cached, count);
    }

    std::vector<void *> kept;
};

TEST_F(Purge, AgedSlabsGoBackOneByOne)
{
    const Setting age(ALLOC_OPTION_PURGE_AGE, never); // however long this takes
    cache_slabs(20 * large_slab);
    const size_t cached = statistics().slabs_cached;
    EXPECT_GE(cached, 10u);
    const Setting lower_age(ALLOC_OPTION_PURGE_AGE, 20);
    wait_milliseconds(60);
    EXPECT_EQ(statistics().slabs_cached, cached) << "nobody called";
    // Blocks of another class, more than a slab of them, of other slabs.
    size_t rounds = 0;
    for (; rounds < cached && statistics().cached_bytes >= large_slab; rounds++) {
        const size_t before = statistics().slabs_cached;
        cache_slabs(96 * KiB, {8192, 0});
        EXPECT_LE(before, statistics().slabs_cached + 12); // two for each slow path
    }
    EXPECT_LT(statistics().cached_bytes, large_slab) << rounds;
}

TEST_F(Purge, AgedLargeBlocksGoBackOneByOne)
{
    const Setting age(ALLOC_OPTION_PURGE_AGE, never); // however long this takes
    const Setting limit(ALLOC_OPTION_LARGE_CACHE_LIMIT, 16 * MiB);
    cache_large_blocks(8);
    const Setting lower_age(ALLOC_OPTION_PURGE_AGE, 20);
    wait_milliseconds(60);
    EXPECT_EQ(statistics().large_cached_bytes, 8 * MiB) << "nobody called";
    for (size_t i = 0; i < 8; i++)
        alloc_free(alloc_malloc(600 * KiB), 600 * KiB);
    EXPECT_LE(statistics().large_cached_bytes, MiB);
}

TEST_F(Purge, NothingIsCachedAtAgeZero)
{
    const Setting age(ALLOC_OPTION_PURGE_AGE, 0);
    cache_slabs(20 * large_slab);
    EXPECT_EQ(statistics().slabs_cached, 0u);
    void *block = alloc_malloc(8 * MiB);
    block = alloc_realloc(block, 8 * MiB, 5 * MiB);
    EXPECT_EQ(statistics().large_cached, 0u);
    alloc_free(block, 5 * MiB);
    EXPECT_EQ(statistics().large_cached, 0u);
}

// ---- when asked for -----------------------------------------------------------------------------------------------

TEST_F(Purge, EndsStepByStep)
{
    const Setting age(ALLOC_OPTION_PURGE_AGE, never);
    const Setting limit(ALLOC_OPTION_CACHE_LIMIT, 16 * MiB);
    const size_t before = measured_bytes();
    cache_large_blocks(10);
    for (Request request : mixed)
        cache_slabs(4 * MiB, request);
    const struct alloc_stats cached = statistics();
    EXPECT_GT(cached.slabs_cached, 0u);
    EXPECT_GT(cached.large_cached, 0u);
    // A step of each thing that is cached, and some for each class, which a thread may have slabs of.
    const size_t most = 2 * (cached.slabs_cached + cached.large_cached) + 400;
    size_t steps = 0, purges = cached.purges;
    for (int more = 1; more != 0 && steps <= most; steps++) {
        more = alloc_purge();
        const size_t now = statistics().purges;
        EXPECT_LE(now, purges + 1) << "step " << steps;
        purges = now;
    }
    EXPECT_LE(steps, most);
    const struct alloc_stats after = statistics();
    EXPECT_EQ(after.slabs_cached, 0u);
    EXPECT_EQ(after.cached_bytes, 0u);
    EXPECT_EQ(after.large_cached, 0u);
    EXPECT_EQ(after.large_cached_bytes, 0u);
    EXPECT_LE(measured_bytes(),
              before + (ALLOC_DEBUG || !ALLOC_THREADS ? 8 : 2) * MiB); // an only thread keeps its slabs
}

TEST_F(Purge, TrimSaysWhetherThereWasAny)
{
    const Setting age(ALLOC_OPTION_PURGE_AGE, never);
    for (Request request : mixed) {
        cache_slabs(4 * MiB, request);
        EXPECT_EQ(alloc_trim(), 1) << request;
        EXPECT_EQ(alloc_trim(), 0) << request;
        EXPECT_EQ(statistics().cached_bytes + statistics().large_cached_bytes, 0u) << request;
    }
}

// What is in use stays as it is, and what the thread holds of its slabs is not lost.
TEST_F(Purge, LeavesBlocksAlone)
{
    Random random(0);
    std::vector<std::pair<void *, Request>> blocks(3000);
    for (size_t step = 0; step < repetitions(60000); step++) {
        auto &[block, request] = blocks[random.below(blocks.size())];
        if (block != nullptr) {
            ASSERT_TRUE(holds_edges(block, request.size, request.size)) << request;
            release(block, request);
        }
        request = random.request();
        block = allocate(request);
        ASSERT_NE(block, nullptr) << request;
        fill_edges(block, request.size, request.size);
        if (random.one_in(50))
            alloc_purge();
        if (random.one_in(2000))
            alloc_trim();
    }
    for (auto &[block, request] : blocks)
        release(block, request);
}

#if ALLOC_THREADS

TEST_F(Purge, TrimsWhileOthersAllocateAndFree)
{
    seed();
    std::atomic<bool> is_over{false};
    std::vector<std::thread> threads;
    for (size_t number = 0; number < 3; number++)
        threads.emplace_back([&is_over, number] {
            Random random(number);
            while (!is_over) {
                const Request request = mixed[random.below(std::size(mixed))];
                std::vector<void *> blocks(1 + random.below(std::min<size_t>(6 * MiB / request.size, 500)));
                for (size_t i = 0; i < blocks.size(); i++) {
                    blocks[i] = allocate(request);
                    fill(blocks[i], 16, i);
                }
                for (size_t i = 0; i < blocks.size(); i++) {
                    EXPECT_TRUE(holds(blocks[i], 16, i)) << request;
                    release(blocks[i], request);
                }
            }
        });
    for (size_t i = 0; i < repetitions(400); i++) {
        alloc_free(alloc_malloc(64 * KiB), 64 * KiB);
        alloc_trim();
        alloc_purge();
    }
    is_over = true;
    for (std::thread &thread : threads)
        thread.join();
    alloc_trim();
    EXPECT_EQ(statistics().cached_bytes + statistics().large_cached_bytes, 0u);
}

// ---- whoever frees it ---------------------------------------------------------------------------------------------

// A gigabyte of blocks of one size, or less, of which a twentieth may be left once all are freed: what is cached, and what
// the library knows of the addresses. Debug builds know more.
class GivenBack : public testing::TestWithParam<Request>
{
  protected:
    static constexpr size_t chains_count = 16;

    void SetUp() override
    {
        alloc_trim();
        before = resident();
        alloc_free(alloc_malloc(16), 16);
    }

    static size_t resident() { return can_measure && !ALLOC_DEBUG ? resident_bytes() : statistics().resident_estimate; }

    size_t count() const { return total / good_size(GetParam()); }

    // Neighbours go to different chains.
    void allocate_part(size_t parts)
    {
        for (size_t i = 0; i < count() / parts / chains_count; i++)
            for (Chain &chain : chains)
                chain.allocate(GetParam(), 1);
    }

    void allocate_all()
    {
        allocate_part(1);
        EXPECT_GT(resident(), before + total / 100 * 95);
    }

    // Those of some chains, each thread those of its own, at the same time. The threads live on.
    void free_chains(size_t first, size_t end)
    {
        for (size_t i = first; i < end; i++)
            freers[i % std::size(freers)].start([this, i] { chains[i].release_all(GetParam()); });
        for (Worker &freer : freers)
            freer.wait();
    }

    void expect_given_back() const
    {
        const struct alloc_stats stats = statistics();
        EXPECT_LT(resident(), before + total / 20 + allowance)
            << stats.slabs_current << " slabs current, " << stats.slabs_parked << " parked, " << stats.slabs_available
            << " available, " << stats.slabs_cached << " cached, " << stats.slabs_purged << " purged, "
            << stats.resident_estimate << " bytes estimated";
    }

    // Of small blocks, or without huge pages, as much takes too long.
    const bool takes_long = GetParam().size < 256 || (GetParam().size > 4 * KiB && GetParam().size < MiB);
    const size_t total = (ALLOC_DEBUG || TEST_SANITIZED ? 64 : takes_long ? 384 : 1024) * MiB;
    const size_t allowance = total < 100 * MiB ? 4 * large_slab : 0; // where so few would be all that may be left
    const size_t cached = total < 1024 * MiB ? total / 128 : 32 * MiB;
    Setting slabs{ALLOC_OPTION_CACHE_LIMIT, cached}, large{ALLOC_OPTION_LARGE_CACHE_LIMIT, cached};
    Chain chains[chains_count];
    Worker freers[2];
    size_t before = 0;
};

TEST_P(GivenBack, WhileTheOwnerSleeps)
{
    Worker owner;
    owner.run([this] { allocate_all(); });
    free_chains(0, chains_count);
    expect_given_back();
}

TEST_P(GivenBack, WhenTheOwnerFreedHalfAndMadeOneMoreCall)
{
    Worker owner;
    owner.run([this] {
        allocate_all();
        for (size_t i = 0; i < chains_count; i += 2)
            chains[i].release_all(GetParam());
    });
    free_chains(0, chains_count);
    owner.run([] { alloc_free(alloc_malloc(40), 40); });
    expect_given_back();
}

// Few of the frees are the owner's, but the first and the last ones are.
TEST_P(GivenBack, WhenOwnerAndOthersTakeTurns)
{
    Worker owner;
    owner.run([this] {
        allocate_all();
        chains[0].release_all(GetParam());
    });
    free_chains(1, chains_count - 1);
    owner.run([this] { chains[chains_count - 1].release_all(GetParam()); });
    owner.run([] { alloc_free(alloc_malloc(40), 40); });
    expect_given_back();
}

TEST_P(GivenBack, WhenTheOwnerFreesAtTheSameTime)
{
    Worker owner;
    owner.run([this] { allocate_all(); });
    owner.start([this] {
        for (size_t i = 0; i < chains_count; i += 2)
            chains[i].release_all(GetParam());
    });
    for (size_t i = 1; i < chains_count; i += 2)
        freers[i / 2 % 2].start([this, i] { chains[i].release_all(GetParam()); });
    for (Worker &freer : freers)
        freer.wait();
    owner.wait();
    owner.run([] { alloc_free(alloc_malloc(40), 40); });
    expect_given_back();
}

TEST_P(GivenBack, WhenTheOwnerHasExited)
{
    std::thread([this] { allocate_all(); }).join();
    free_chains(0, chains_count);
    expect_given_back();
}

// The last few that it frees are far apart: what a heap holds back for its next allocations must not keep their slabs.
TEST_P(GivenBack, WhenTheOwnerFreedAllAndExited)
{
    std::thread([this] {
        for (Chain &chain : chains)
            chain.allocate(GetParam(), count() / chains_count);
        bool is_left = true;
        while (is_left) {
            is_left = false;
            for (Chain &chain : chains)
                if (void *block = chain.pop()) {
                    release(block, GetParam());
                    is_left = true;
                }
        }
    }).join();
    expect_given_back();
}

// All of a pool's threads allocate; then one after the other exits, and the last frees everything.
TEST_P(GivenBack, WhenAThreadPoolShrinks)
{
    constexpr size_t workers = 8;
    {
        std::vector<std::unique_ptr<Worker>> pool(workers);
        for (size_t i = 0; i < workers; i++) {
            pool[i] = std::make_unique<Worker>();
            pool[i]->run([this] { allocate_part(workers); });
        }
        if (!ALLOC_DEBUG && !TEST_SANITIZED) { // elsewhere some sizes do not make eight parts
            EXPECT_GT(resident(), before + total / 100 * 95);
        }
        while (pool.size() > 1)
            pool.pop_back();
        pool[0]->run([this] {
            for (Chain &chain : chains)
                chain.release_all(GetParam());
        });
        expect_given_back();
    }
    EXPECT_LE(statistics().heaps_live, 4u);
}

INSTANTIATE_TEST_SUITE_P(Of, GivenBack, testing::ValuesIn(mixed),
                         [](const auto &info) { return std::to_string(info.param.size) + "Bytes"; });

// ---- a thread that only frees -------------------------------------------------------------------------------------

// Batch after batch goes from one thread to another, which allocates nothing, ever.
TEST(OnlyFrees, LeavesNothingBehind)
{
    Worker allocates, frees;
    Chain batches[2][std::size(mixed)];
    Random random(0);
    size_t warm = 0, most = 0;
    const size_t rounds = repetitions(8000);
    for (size_t round = 0; round < rounds; round++) {
        auto &made = batches[round % 2], &used = batches[1 - round % 2];
        allocates.start([&] {
            for (size_t i = 0; i < std::size(mixed); i++) {
                const Request request = mixed[i];
                const size_t count = random.below(std::min<size_t>(2000, 512 * KiB / request.size + 2));
                for (size_t block = 0; block < count; block++)
                    made[i].push(allocate(request));
            }
        });
        frees.run([&] {
            for (size_t i = 0; i < std::size(mixed); i++)
                used[i].release_all(mixed[i]);
        });
        allocates.wait();
        if (round % (rounds / 8 + 1) != rounds / 8)
            continue;
        const size_t now = can_measure ? resident_bytes() : statistics().committed_bytes;
        warm = warm == 0 ? now : warm;
        most = std::max(most, now);
    }
    // What is cached between two batches is a matter of chance, up to what one has.
    EXPECT_LE(most, warm + 16 * MiB);
    for (auto &batch : batches)
        for (size_t i = 0; i < std::size(mixed); i++)
            batch[i].release_all(mixed[i]);
}

#endif

} // namespace
