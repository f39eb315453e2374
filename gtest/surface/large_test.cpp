// Large blocks: what is freed serves the next ones and stays within bounds; resizing moves pages, not bytes; zeroing touches
// nothing that is zero.
#include "usage.h"
#include "worker.h"

#include <alloc/alloc_ext.h>
#include <map>

using namespace support;

namespace
{

constexpr size_t never = 1 << 30; // milliseconds

// Without huge pages a page touched first is a page fault.
class Large : public testing::Test
{
  protected:
    void TearDown() override { alloc_trim(); }

    Setting small_pages{ALLOC_OPTION_HUGE_PAGES, ALLOC_HUGE_PAGES_OFF};
};

// ---- random replacement -------------------------------------------------------------------------------------------

struct Limits {
    size_t bytes, age;
};

// A table of blocks of which one is replaced at a time.
class Replacement : public testing::TestWithParam<Limits>
{
  protected:
    void replace(size_t i, size_t size)
    {
        Request &request = requests[i];
        if (blocks[i] != nullptr) {
            ASSERT_TRUE(holds_edges(blocks[i], request.size, request.size)) << request;
            release(blocks[i], request);
            live -= good_size(request);
        }
        expect_bounded();
        request.size = size;
        blocks[i] = allocate(request);
        ASSERT_NE(blocks[i], nullptr) << request;
        live += good_size(request);
        expect_bounded();
        touch_pages(blocks[i], 0, size);
        fill_edges(blocks[i], size, size);
        expect_bounded();
    }

    void expect_bounded() const
    {
        const struct alloc_stats stats = statistics();
        EXPECT_EQ(stats.large_live_bytes, live);
        EXPECT_LE(stats.large_cached_bytes, GetParam().age == 0 ? 0 : GetParam().bytes);
        EXPECT_LE(measured_bytes(), before + live + live / 10 + GetParam().bytes + 2 * MiB);
    }

    void TearDown() override
    {
        for (size_t i = 0; i < std::size(blocks); i++)
            release(blocks[i], requests[i]);
        alloc_trim();
        EXPECT_LE(measured_bytes(), before + 2 * MiB);
    }

    Setting limit{ALLOC_OPTION_LARGE_CACHE_LIMIT, GetParam().bytes}, age{ALLOC_OPTION_PURGE_AGE, GetParam().age};
    void *blocks[12] = {};
    Request requests[12] = {};
    size_t live = 0;
    size_t before = measured_bytes();
};

TEST_P(Replacement, KeepsResidentMemoryWithinWhatIsLiveAndTheLimit)
{
    Random random(GetParam().bytes);
    const size_t most = (TEST_SANITIZED ? 1 : 8) * MiB;
    for (size_t step = 0; step < repetitions(160) && !HasFailure(); step++)
        replace(random.below(std::size(blocks)), 520 * KiB + random.below(most));
}

INSTANTIATE_TEST_SUITE_P(With, Replacement,
                         testing::Values(Limits{0, 100}, Limits{3 * MiB, 100}, Limits{24 * MiB, 100},
                                         Limits{384 * MiB, 100}, Limits{384 * MiB, 0}, Limits{24 * MiB, never}),
                         [](const auto &info) {
                             return std::to_string(info.param.bytes / MiB) + "MiBFor" + std::to_string(info.param.age) +
                                    "ms";
                         });

// ---- reuse --------------------------------------------------------------------------------------------------------

TEST_F(Large, ServesTheSameSizeAgainWithoutAPageFault)
{
    const Setting age(ALLOC_OPTION_PURGE_AGE, never);
    for (size_t size : {513 * KiB, MiB, 2 * MiB + 4097, 5 * MiB, 31 * MiB}) {
        alloc_trim();
        void *block = alloc_malloc(size);
        size_t before = 0;
        for (size_t i = 0; i < repetitions(200); i++) {
            ASSERT_NE(block, nullptr);
            touch_pages(block, 0, size);
            before = i == 0 ? page_faults() : before;
            alloc_free(block, size);
            block = alloc_malloc(size);
        }
        touch_pages(block, 0, size);
        EXPECT_TRUE(!can_measure || page_faults() <= before + 8) << size << ": " << page_faults() - before;
        alloc_free(block, size);
    }
}

// Of what random replacement touches, a small part is new to the process.
TEST_F(Large, ServesOtherSizesWithFewPageFaults)
{
    const Setting age(ALLOC_OPTION_PURGE_AGE, never);
    Random random(0);
    constexpr size_t warm = 100;
    const size_t steps = warm + repetitions(400);
    void *blocks[16] = {};
    size_t sizes[16] = {};
    size_t touched = 0, before = 0;
    for (size_t step = 0; step < steps; step++) {
        if (step == warm) {
            touched = 0;
            before = page_faults();
        }
        const size_t i = random.below(std::size(blocks));
        alloc_free(blocks[i], sizes[i]);
        sizes[i] = MiB + random.below(7 * MiB);
        blocks[i] = alloc_malloc(sizes[i]);
        ASSERT_NE(blocks[i], nullptr);
        touch_pages(blocks[i], 0, sizes[i]);
        touched += (sizes[i] + page_size() - 1) / page_size();
    }
    const size_t faults = page_faults() - before;
    EXPECT_TRUE(!can_measure || faults < touched / 4) << faults << " page faults for " << touched << " pages";
    for (size_t i = 0; i < std::size(blocks); i++)
        alloc_free(blocks[i], sizes[i]);
}

// What is cached ages, also where a part of it serves in between.
TEST_F(Large, GivesBackWhatDoesNotServe)
{
    const Setting age(ALLOC_OPTION_PURGE_AGE, 50);
    alloc_free(alloc_malloc(30 * MiB), 30 * MiB);
    EXPECT_GE(statistics().large_cached_bytes, 30 * MiB);
    for (size_t i = 0; i < 20; i++) {
        wait_milliseconds(10);
        alloc_free(alloc_malloc(MiB), MiB);
    }
    EXPECT_LE(statistics().large_cached_bytes, 2 * MiB);
}

// ---- blocks do not overlap ----------------------------------------------------------------------------------------

// Every family, size and alignment, recycled and fresh, resized and freed, against a map of who has which addresses.
TEST_F(Large, BlocksAreAlignedAndNobodyElses)
{
    struct Block {
        Request request;
        uint64_t mark;
    };
    std::map<char *, Block> blocks;
    Random random(0);
    const auto add = [&](void *ptr, Request request) {
        ASSERT_NE(ptr, nullptr) << request;
        ASSERT_TRUE(is_aligned(ptr, promised_align(request))) << request << ": " << ptr;
        char *start = static_cast<char *>(ptr);
        const auto next = blocks.lower_bound(start);
        ASSERT_TRUE(next == blocks.end() || start + good_size(request) <= next->first) << request << ": " << ptr;
        ASSERT_TRUE(next == blocks.begin() ||
                    std::prev(next)->first + good_size(std::prev(next)->second.request) <= start)
            << request << ": " << ptr;
        const uint64_t mark = random.next();
        fill_edges(ptr, good_size(request), mark);
        blocks[start] = {request, mark};
    };
    const auto any_size = [&] { return 512 * KiB + 1 + random.below(random.one_in(8) ? 40 * MiB : 4 * MiB); };
    for (size_t step = 0; step < repetitions(6000) && !HasFatalFailure(); step++) {
        if (blocks.size() < 8 + random.below(24)) {
            const Request request = {any_size(), random.one_in(2) ? 0 : size_t{1} << random.below(27)};
            add(allocate(request), request);
            continue;
        }
        const auto chosen = std::next(blocks.begin(), static_cast<ptrdiff_t>(random.below(blocks.size())));
        char *ptr = chosen->first;
        const Block block = chosen->second;
        blocks.erase(chosen);
        ASSERT_TRUE(holds_edges(ptr, good_size(block.request), block.mark)) << block.request;
        if (random.one_in(3)) {
            const Request resized = {any_size(), block.request.align};
            ptr = static_cast<char *>(resize(ptr, block.request, resized.size));
            ASSERT_TRUE(holds(ptr, edge, block.mark)) << block.request << " to " << resized;
            add(ptr, resized);
        } else
            release(ptr, block.request);
    }
    for (const auto &[ptr, block] : blocks)
        release(ptr, block.request);
    EXPECT_EQ(statistics().large_live, 0u);
}

// A recycled block has the alignment asked for, whatever it was freed with.
TEST_F(Large, AlignmentsHoldForRecycledBlocks)
{
    for (size_t size : {size_t{1}, 600 * KiB, MiB, 3 * MiB + 1})
        for (size_t align : alignments()) {
            const Request requests[] = {{size, align}, {size + MiB, 1}, {size + MiB, 0}};
            for (const Request &request : requests) {
                void *block = allocate(request);
                ASSERT_NE(block, nullptr) << request;
                EXPECT_TRUE(is_aligned(block, promised_align(request))) << request << ": " << block;
                fill_edges(block, good_size(request), align);
                release(block, request);
            }
        }
}

// ---- growth -------------------------------------------------------------------------------------------------------

// The most resident since the last call of start().
class Peak
{
  public:
    void start()
    {
        FILE *file = std::fopen("/proc/self/clear_refs", "w");
        ASSERT_NE(file, nullptr);
        std::fputs("5", file);
        std::fclose(file);
        before = resident_bytes();
    }
    size_t bytes() const { return process_bytes("/proc/self/status", "VmHWM:") - before; }

  private:
    size_t before = 0;
};

// How often something is put behind the block: every so many steps. 0: never.
class Growth : public testing::TestWithParam<size_t>
{
  protected:
    static constexpr size_t step_size = 64 * KiB;
    static constexpr size_t first_size = MiB, last_size = (TEST_SANITIZED ? 64 : 1024) * MiB;

    void touch_step(size_t from)
    {
        touch_pages(block, from, from + step_size);
        fill(block + from, sizeof(uint64_t), from);
    }

    void grow()
    {
        if (GetParam() != 0 && size / step_size % GetParam() == 0)
            put_behind();
        const size_t before = page_faults();
        const Clock::time_point start = Clock::now();
        char *grown = static_cast<char *>(alloc_realloc(block, size, size + step_size));
        times.push_back(Clock::now() - start);
        ASSERT_NE(grown, nullptr);
        moves += grown != block;
        block = grown;
        touch_step(size);
        size += step_size;
        faults = page_faults() - before;
    }

    // A block that begins where this one ends, so that it cannot grow. Those that do not go when there is one.
    void put_behind()
    {
        std::vector<void *> others;
        for (obstacles.push_back(nullptr); obstacles.back() != block + size && others.size() < 4096;) {
            obstacles.back() = alloc_malloc_aligned(obstacle_size, 4096);
            if (obstacles.back() != block + size)
                others.push_back(obstacles.back());
        }
        for (void *other : others)
            alloc_free_aligned(other, obstacle_size, 4096);
        if (obstacles.back() != block + size)
            obstacles.pop_back();
    }

    void TearDown() override
    {
        for (void *obstacle : obstacles)
            alloc_free_aligned(obstacle, obstacle_size, 4096);
    }

    static constexpr size_t obstacle_size = 576 * KiB;
    std::vector<void *> obstacles;
    Setting small_pages{ALLOC_OPTION_HUGE_PAGES, ALLOC_HUGE_PAGES_OFF};
    Setting no_purge{ALLOC_OPTION_PURGE_AGE, 1u << 30}; // or what it does would depend on how long it takes
    using Clock = std::chrono::steady_clock;
    std::vector<Clock::duration> times; // of each reallocation
    char *block = nullptr;
    size_t size = first_size, moves = 0, faults = 0;
};

TEST_P(Growth, MovesPagesAndNotBytes)
{
    times.reserve(last_size / step_size);
    Peak peak;
    size_t steps_with_faults = 0; // where a move copied
    peak.start();
    alloc_trim(); // or the block would grow into what is cached
    block = static_cast<char *>(alloc_malloc(first_size));
    ASSERT_NE(block, nullptr);
    for (size_t from = 0; from < size; from += step_size)
        touch_step(from);
    while (size < last_size && !HasFatalFailure()) {
        grow();
        steps_with_faults += faults > first_size / page_size() / 2;
    }
    EXPECT_GE(moves, obstacles.size());
    // Below 16 MiB a block is copied where there is dirty memory to move to.
    EXPECT_TRUE(!can_measure || steps_with_faults <= 16 * MiB / (32 * step_size))
        << steps_with_faults << " of " << moves;
    EXPECT_TRUE(GetParam() == 0 || obstacles.size() > 4) << obstacles.size();
    EXPECT_TRUE(!can_measure || peak.bytes() < size + 8 * MiB || steps_with_faults != 0) << peak.bytes();
    for (size_t from = 0; from < size; from += step_size)
        ASSERT_TRUE(holds(block + from, sizeof(uint64_t), from)) << from;

    const auto part = static_cast<ptrdiff_t>(std::min<size_t>(1024, times.size() / 4));
    const auto median = [part](std::vector<Clock::duration>::iterator first) {
        std::nth_element(first, first + part / 2, first + part);
        return first[part / 2];
    };
    EXPECT_LT(median(times.end() - part), 4 * median(times.begin()));
    alloc_free(block, size);
}

INSTANTIATE_TEST_SUITE_P(WithAnObstacleEvery, Growth, testing::Values(0, 32), [](const auto &info) {
    return info.param == 0 ? std::string("Never") : std::to_string(info.param) + "Steps";
});

// Memory freed at different times by different blocks becomes one block; that one too moves its pages.
TEST_F(Large, BlocksMadeOfSeveralMovePages)
{
    const Setting age(ALLOC_OPTION_PURGE_AGE, never);
    constexpr size_t part = 3 * MiB;
    char *parts[8];
    for (char *&each : parts) {
        each = static_cast<char *>(alloc_malloc_aligned(part, 4096));
        ASSERT_NE(each, nullptr);
        touch_pages(each, 0, part);
    }
    for (char *each : parts)
        alloc_free_aligned(each, part, 4096);
    constexpr size_t whole = std::size(parts) * part;
    char *block = static_cast<char *>(alloc_malloc_aligned(whole, 4096));
    ASSERT_NE(block, nullptr);
    touch_pages(block, 0, whole);
    fill_edges(block, whole, 1);
    size_t faults = 0;
    const size_t before = page_faults();
    block = static_cast<char *>(alloc_realloc_aligned(block, whole, 2 * whole, 4096));
    faults = page_faults() - before;
    ASSERT_NE(block, nullptr);
    EXPECT_TRUE(!can_measure || faults < 32) << faults;
    EXPECT_TRUE(holds_edges(block, whole, 1));
    alloc_free_aligned(block, 2 * whole, 4096);
}

// ---- shrinking ----------------------------------------------------------------------------------------------------

TEST_F(Large, ShrinkingGivesTheTailBack)
{
    const Setting age(ALLOC_OPTION_PURGE_AGE, never);
    constexpr size_t whole = 96 * MiB, rest = 3 * MiB;
    const size_t before = measured_bytes();
    char *block = static_cast<char *>(alloc_malloc(whole));
    ASSERT_NE(block, nullptr);
    touch_pages(block, 0, whole);
    fill_edges(block, rest, 1);
    EXPECT_EQ(alloc_realloc(block, whole, rest), block);
    EXPECT_EQ(statistics().large_live_bytes, rest);
    EXPECT_LE(measured_bytes(), before + whole + 2 * MiB);
    EXPECT_EQ(alloc_trim(), 1);
    EXPECT_LE(measured_bytes(), before + rest + 2 * MiB);
    EXPECT_TRUE(holds_edges(block, rest, 1));
    alloc_free(block, rest);
}

TEST_F(Large, GrowsIntoTheTailThatItGaveBack)
{
    const Setting age(ALLOC_OPTION_PURGE_AGE, never);
    constexpr size_t whole = 24 * MiB, rest = 17 * MiB; // of one alignment
    char *block = static_cast<char *>(alloc_malloc(whole));
    ASSERT_NE(block, nullptr);
    touch_pages(block, 0, whole);
    const size_t before = page_faults();
    for (size_t i = 0; i < repetitions(100); i++) {
        ASSERT_EQ(alloc_realloc(block, whole, rest), block);
        ASSERT_EQ(alloc_realloc(block, rest, whole), block);
        touch_pages(block, 0, whole);
    }
    EXPECT_TRUE(!can_measure || page_faults() <= before + 32)
        << page_faults() - before; // the first calls of a process have some of their own
    alloc_free(block, whole);
}

// ---- zero ---------------------------------------------------------------------------------------------------------

// Leaves memory that is not zero where the next block of `size` is taken from.
void leave_dirty(size_t size)
{
    void *block = alloc_malloc(size);
    ASSERT_NE(block, nullptr);
    std::memset(block, 0xff, size);
    alloc_free(block, size);
    EXPECT_GE(statistics().large_cached_bytes, size);
}

TEST_F(Large, RecycledMemoryIsCleared)
{
    const Setting age(ALLOC_OPTION_PURGE_AGE, never);
    constexpr size_t size = 8 * MiB;
    for (size_t less : {size_t{0}, size_t{1}, 5000 * size_t{1}, 3 * MiB}) {
        const size_t wanted = size - less;
        leave_dirty(size);
        void *block = alloc_zalloc(wanted);
        EXPECT_TRUE(is_zero(block, 0, wanted)) << wanted;
        alloc_free(block, wanted);

        leave_dirty(size);
        block = alloc_calloc(wanted, 1);
        EXPECT_TRUE(is_zero(block, 0, wanted)) << wanted;
        alloc_free(block, wanted);

        leave_dirty(size);
        block = alloc_zalloc_aligned(wanted, 4096);
        EXPECT_TRUE(is_zero(block, 0, wanted)) << wanted;
        alloc_free_aligned(block, wanted, 4096);

        leave_dirty(size);
        block = alloc_rezalloc(nullptr, 0, wanted);
        EXPECT_TRUE(is_zero(block, 0, wanted)) << wanted;
        alloc_free(block, wanted);

        leave_dirty(size);
        block = alloc_rezalloc(alloc_malloc(1000), 1000, wanted); // from a slot
        EXPECT_TRUE(is_zero(block, 1000, wanted)) << wanted;
        alloc_free(block, wanted);
    }
}

TEST_F(Large, GrowthIntoRecycledMemoryIsCleared)
{
    const Setting age(ALLOC_OPTION_PURGE_AGE, never);
    Random random(0);
    for (size_t i = 0; i < repetitions(50); i++) {
        const size_t whole = 3 * MiB - random.below(8192), rest = 2 * MiB + 1 + random.below(MiB - 8192);
        void *block = alloc_malloc(whole);
        ASSERT_NE(block, nullptr);
        std::memset(block, 0xff, whole);
        block = alloc_realloc(block, whole, rest);
        block = alloc_rezalloc(block, rest, whole);
        ASSERT_NE(block, nullptr);
        EXPECT_TRUE(is_zero(block, rest, whole)) << rest << " to " << whole;
        alloc_free(block, whole);
    }
}

TEST_F(Large, FreshMemoryIsNotTouchedToBeZero)
{
    constexpr size_t size = 256 * MiB;
    alloc_trim();
    const size_t before = measured_bytes(), faults = page_faults();
    void *blocks[] = {alloc_zalloc(size), alloc_calloc(size / 8, 8), alloc_zalloc_aligned(size, 4096),
                      alloc_rezalloc(nullptr, 0, size), alloc_rezalloc(alloc_zalloc(MiB), MiB, size)};
    EXPECT_TRUE(!can_measure || page_faults() < faults + 32) << page_faults() - faults;
    EXPECT_LE(measured_bytes(), before + MiB);
    for (size_t i = 0; i < std::size(blocks); i++) {
        ASSERT_NE(blocks[i], nullptr);
        for (size_t offset = 0; offset < size; offset += 16 * MiB)
            EXPECT_TRUE(is_zero(blocks[i], offset, offset + 64));
        i == 2 ? alloc_free_aligned(blocks[i], size, 4096) : alloc_free(blocks[i], size);
    }
}

// Of a large table that is zero a program may use little, again and again, while it has other large blocks.
TEST_F(Large, RecycledMemoryThatIsHardlyUsedStaysAway)
{
    constexpr size_t size = 100 * MiB;
    std::vector<void *> others(50);
    for (void *&other : others) {
        other = alloc_malloc(2 * MiB);
        ASSERT_NE(other, nullptr);
        touch_pages(other, 0, 1);
    }
    const size_t before = measured_bytes();
    for (size_t i = 0; i < 20; i++) {
        auto *table = static_cast<char *>(alloc_zalloc(size));
        ASSERT_NE(table, nullptr);
        ASSERT_EQ(table[size / 2], 0);
        table[size / 2] = 1;
        EXPECT_LE(measured_bytes(), before + MiB);
        alloc_free(table, size);
    }
    for (void *other : others)
        alloc_free(other, 2 * MiB);
}

// ---- a service that has gone quiet --------------------------------------------------------------------------------

// Whatever it allocates, as long as that leads to a slow path now and then.
TEST_F(Large, IdleMemoryGoesBackWhileASmallProgramGoesOn)
{
    constexpr size_t bytes = 400 * MiB, size = 3 * MiB;
    alloc_trim();
    const size_t before = measured_bytes();
    std::vector<void *> blocks(bytes / size);
    for (void *&block : blocks) {
        block = alloc_malloc_aligned(size, 4096);
        ASSERT_NE(block, nullptr);
        touch_pages(block, 0, size);
    }
    for (void *block : blocks)
        alloc_free_aligned(block, size, 4096);

    std::vector<void *> requests(200);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    while (std::chrono::steady_clock::now() < end) {
        for (void *&request : requests)
            request = alloc_malloc(100);
        for (void *request : requests)
            alloc_free(request, 100);
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    EXPECT_LE(measured_bytes(), before + bytes / 10);
}

// ---- threads ------------------------------------------------------------------------------------------------------

#if ALLOC_THREADS

TEST_F(Large, OtherThreadsMayFreeResizeAndReuse)
{
    std::vector<std::pair<void *, Request>> blocks(40);
    std::vector<std::unique_ptr<Worker>> workers(4);
    for (auto &worker : workers)
        worker = std::make_unique<Worker>();
    Random random(0);
    for (size_t turn = 0; turn < repetitions(2000) && !HasFatalFailure(); turn++) {
        auto &[block, request] = blocks[random.below(blocks.size())];
        workers[random.below(workers.size())]->run([&, &block = block, &request = request] {
            const Request next = {520 * KiB + random.below(8 * MiB), request.align};
            if (block == nullptr)
                block = allocate(next);
            else {
                ASSERT_TRUE(holds_edges(block, request.size, request.size));
                if (random.one_in(2)) {
                    release(block, request);
                    block = nullptr;
                    return;
                }
                block = resize(block, request, next.size);
            }
            ASSERT_NE(block, nullptr);
            request = next;
            fill_edges(block, request.size, request.size);
        });
    }
    for (auto &[block, request] : blocks)
        if (block != nullptr)
            release(block, request);
    EXPECT_EQ(statistics().large_live, 0u);
    EXPECT_EQ(statistics().large_live_bytes, 0u);
}

TEST_F(Large, ThreadsFreeAndReuseAtTheSameTime)
{
    seed();
    std::atomic<void *> table[64] = {};
    std::vector<std::thread> threads;
    constexpr size_t size = 700 * KiB;
    for (size_t number = 0; number < 4; number++)
        threads.emplace_back([&table, number] {
            Random random(number);
            for (size_t step = 0; step < repetitions(20000); step++) {
                void *block = alloc_malloc(size);
                ASSERT_NE(block, nullptr);
                fill_edges(block, size, reinterpret_cast<uintptr_t>(block));
                block = table[random.below(std::size(table))].exchange(block);
                if (block == nullptr)
                    continue;
                EXPECT_TRUE(holds_edges(block, size, reinterpret_cast<uintptr_t>(block)));
                alloc_free(block, size);
            }
        });
    for (std::thread &thread : threads)
        thread.join();
    for (std::atomic<void *> &block : table)
        alloc_free(block, size);
    EXPECT_EQ(statistics().large_live, 0u);
}

#endif

// ---- misuse -------------------------------------------------------------------------------------------------------

void (*volatile unchecked_free)(void *, size_t) = alloc_free; // compilers would warn

TEST_F(Large, ADoubleFreeIsReportedWhileTheBlockIsCached)
{
    testing::FLAGS_gtest_death_test_style = "threadsafe";
    void *block = alloc_malloc(MiB);
    EXPECT_EXIT(
        {
            unchecked_free(block, MiB);
            unchecked_free(block, MiB);
        },
        testing::KilledBySignal(SIGABRT), "^alloc: alloc_free\\(0x[0-9a-f]+, 1048576\\): double free: [^\n]*\n$");
    alloc_free(block, MiB);
}

} // namespace
