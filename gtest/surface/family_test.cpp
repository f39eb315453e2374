// Families: their blocks are as good as any, lie by themselves, and go together; also with threads, limits, forks and misuse.
#include "usage.h"

#include <alloc/alloc_family.h>
#include <alloc/alloc_gp.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <ctime>
#include <map>
#include <memory>
#include <set>
#if ALLOC_THREADS
#include <pthread.h>
#include <thread>
#endif

using namespace support;

namespace
{

void *allocate_in(alloc_family &family, Request request)
{
    return request.align == 0 ? alloc_family_malloc(&family, request.size)
                              : alloc_family_malloc_aligned(&family, request.size, request.align);
}

void release_in(alloc_family &family, void *block, Request request)
{
    if (request.align == 0)
        alloc_family_free(&family, block, request.size);
    else
        alloc_family_free_aligned(&family, block, request.size, request.align);
}

struct alloc_family_stats stats_of(const alloc_family &family)
{
    struct alloc_family_stats stats;
    EXPECT_EQ(alloc_family_stats(&family, &stats, sizeof stats), 0);
    return stats;
}

// All sizes around the classes', at the alignments that matter, and large ones.
std::vector<Request> requests()
{
    std::vector<Request> all = {{0, 0}, {0, 8}, {600 * KiB, 0}, {3 * MiB + 1, 0}, {700 * KiB, 64}, {100, 4 * MiB}};
    for (size_t size : slot_sizes())
        for (size_t near : {size - 1, size, size + 1})
            for (size_t align : {0, 1, 8, 64, 4096})
                all.push_back({near, align});
    return all;
}

class Family : public testing::Test
{
  protected:
    ~Family() override { alloc_family_destroy(&family); }
    alloc_family family = ALLOC_FAMILY_INIT("test");
};

// ---- blocks -------------------------------------------------------------------------------------------------------------

TEST_F(Family, ServesEveryRequest)
{
    const std::vector<Request> all = requests();
    std::vector<void *> blocks;
    for (size_t i = 0; i < all.size(); i++) {
        void *block = allocate_in(family, all[i]);
        ASSERT_NE(block, nullptr) << all[i];
        EXPECT_TRUE(is_aligned(block, promised_align(all[i]))) << all[i];
        fill_edges(block, good_size(all[i]), i);
        blocks.push_back(block);
    }
    for (size_t i = 0; i < all.size(); i++) {
        EXPECT_TRUE(holds_edges(blocks[i], good_size(all[i]), i)) << all[i];
        release_in(family, blocks[i], all[i]);
    }
    EXPECT_EQ(stats_of(family).large_bytes, 0u);
}

TEST_F(Family, RefusesWhatNobodyCanHave)
{
    volatile size_t huge = PTRDIFF_MAX;
    errno = 0;
    EXPECT_EQ(alloc_family_malloc(&family, huge + 1), nullptr);
    EXPECT_EQ(errno, ENOMEM);
    errno = 0;
    EXPECT_EQ(alloc_family_calloc(&family, huge, 4), nullptr);
    EXPECT_EQ(errno, ENOMEM);
    for (size_t align : {0, 3, 24}) {
        errno = 0;
        EXPECT_EQ(alloc_family_malloc_aligned(&family, 100, align), nullptr);
        EXPECT_EQ(errno, EINVAL);
        errno = 0;
        EXPECT_EQ(alloc_family_realloc_aligned(&family, nullptr, 0, 100, align), nullptr);
        EXPECT_EQ(errno, EINVAL);
    }
    alloc_family_free(&family, nullptr, 100);
    alloc_family_free_aligned(&family, nullptr, 100, 8);
}

TEST_F(Family, ZeroesWhatItSays)
{
    for (size_t size : {size_t{1}, size_t{100}, 5 * KiB, 600 * KiB}) {
        void *dirty = alloc_family_malloc(&family, size);
        fill(dirty, size, 1);
        alloc_family_free(&family, dirty, size);
        void *blocks[] = {alloc_family_zalloc(&family, size), alloc_family_calloc(&family, 1, size),
                          alloc_family_zalloc_aligned(&family, size, 8)};
        for (void *block : blocks)
            EXPECT_TRUE(is_zero(block, 0, size)) << size;
        alloc_family_free(&family, blocks[0], size);
        alloc_family_free(&family, blocks[1], size);
        alloc_family_free_aligned(&family, blocks[2], size, 8);
    }
}

TEST_F(Family, ResizesWithinItself)
{
    size_t sizes[] = {0, 1, 100, 129, 5 * KiB, 600 * KiB, 2 * MiB, 40 * MiB, 700 * KiB, 513 * KiB, 100, 24};
    void *natural = nullptr, *aligned = nullptr;
    size_t former = 0;
    for (size_t size : sizes) {
        natural = alloc_family_rezalloc(&family, natural, former, size);
        aligned = alloc_family_realloc_aligned(&family, aligned, former, size, 64);
        ASSERT_TRUE(natural != nullptr && aligned != nullptr);
        EXPECT_TRUE(former == 0 || (holds(natural, std::min(former, std::min(size, edge)), 1) &&
                                    holds(aligned, std::min(former, std::min(size, edge)), 2)));
        EXPECT_TRUE(size <= former || former < edge || is_zero(natural, former, size));
        fill(natural, size, 1);
        fill(aligned, size, 2);
        former = size;
    }
    natural = alloc_family_realloc(&family, natural, former, 1000);
    alloc_family_free(&family, natural, 1000);
    alloc_family_free_aligned(&family, aligned, former, 64);
    EXPECT_EQ(stats_of(family).large_bytes, 0u);
}

// ---- together ------------------------------------------------------------------------------------------------------------

// The claim: whatever else is allocated meanwhile, a family's blocks lie side by side.
TEST_F(Family, LiesTogether)
{
    constexpr size_t count = 1000, size = 64;
    Random random(1);
    std::vector<void *> others(10000), blocks;
    for (void *&other : others)
        other = alloc_malloc(size);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < 50; j++) {
            void *&other = others[random.below(others.size())];
            alloc_free(other, size);
            other = alloc_malloc(size);
        }
        blocks.push_back(alloc_family_malloc(&family, size));
    }
    for (size_t i = 1; i < count; i++)
        EXPECT_TRUE(static_cast<char *>(blocks[i]) == static_cast<char *>(blocks[i - 1]) + size || i % 1024 == 0) << i;
    for (void *other : others)
        alloc_free(other, size);
}

TEST_F(Family, ResetFreesAllOfItAndNothingElse)
{
    const std::vector<Request> all = requests();
    alloc_family other = ALLOC_FAMILY_INIT("other");
    std::vector<void *> strangers, own;
    for (size_t round = 0; round < 3; round++) {
        const struct alloc_stats before = statistics();
        for (Request request : all) {
            void *block = allocate_in(family, request);
            ASSERT_NE(block, nullptr) << request;
            fill_edges(block, good_size(request), 1);
            if (round == 1 && request.size % 3 == 0)
                release_in(family, block, request);
            if (round == 0) {
                strangers.push_back(allocate_in(other, request));
                own.push_back(allocate(request));
                fill_edges(strangers.back(), good_size(request), 2);
                fill_edges(own.back(), good_size(request), 3);
            }
        }
        EXPECT_GT(stats_of(family).used_bytes, 1 * MiB);
        EXPECT_GT(stats_of(family).large_bytes, 3 * MiB);
        alloc_family_reset(&family);
        const struct alloc_family_stats stats = stats_of(family);
        EXPECT_EQ(stats.slab_bytes + stats.used_bytes + stats.large_bytes + stats.resident_estimate, 0u);
        if (round > 0) {
            EXPECT_EQ(statistics().slab_bytes, before.slab_bytes);
            EXPECT_EQ(statistics().large_live_bytes, before.large_live_bytes);
        }
        for (size_t i = 0; i < all.size(); i++) {
            EXPECT_TRUE(holds_edges(strangers[i], good_size(all[i]), 2)) << all[i];
            EXPECT_TRUE(holds_edges(own[i], good_size(all[i]), 3)) << all[i];
        }
    }
    for (size_t i = 0; i < all.size(); i++)
        release(own[i], all[i]);
    alloc_family_destroy(&other);
}

TEST_F(Family, ResetMemoryServesEverybody)
{
    constexpr size_t size = 100, total = 64 * MiB;
    std::vector<size_t> peaks;
    for (size_t round = 0; round < 4; round++) {
        for (size_t i = 0; i < total / 128; i++)
            ASSERT_NE(alloc_family_malloc(&family, size), nullptr);
        alloc_family_reset(&family);
        peaks.push_back(statistics().committed_bytes);
        std::vector<void *> blocks(total / 128);
        for (void *&block : blocks)
            block = alloc_malloc(size);
        for (void *block : blocks)
            alloc_free(block, size);
    }
    EXPECT_LE(peaks.back(), peaks.front() + 8 * MiB);
}

// 256 MiB in blocks of 32 bytes: what is done for each of these would take a hundred times as long.
TEST_F(Family, ResetDoesNotTakeTimeWithBlocks)
{
    if (!can_measure || ALLOC_DEBUG)
        GTEST_SKIP() << "times of a build that is measured";
    constexpr size_t slabs_size = 256 * MiB;
    const Setting setting(ALLOC_OPTION_CACHE_LIMIT, 1 << 30); // what the kernel needs to take pages back is not ours
    for (size_t i = 0; i < slabs_size / 32; i++)
        ASSERT_NE(alloc_family_malloc(&family, 32), nullptr);
    const std::clock_t start = std::clock(); // processor time: the machine may be busy
    alloc_family_reset(&family);
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    RecordProperty("microseconds", static_cast<int>(seconds * 1e6));
    EXPECT_LT(seconds, 0.005);
}

TEST_F(Family, IsThereBeforeItsFirstUse)
{
    static alloc_family constant = ALLOC_FAMILY_INIT("constant");
    alloc_family_reset(&constant);
    EXPECT_EQ(stats_of(constant).slab_bytes, 0u);
    void *block = alloc_family_malloc(&constant, 100);
    EXPECT_NE(block, nullptr);
    alloc_family_free(&constant, block, 100);
    alloc_family_destroy(&constant);
    alloc_family_destroy(&constant);
    alloc_family_free(&constant, alloc_family_malloc(&constant, 100), 100); // again
    alloc_family_destroy(&constant);
    alloc_family_destroy(nullptr);
}

TEST_F(Family, IsCreatedAndDestroyedAnyNumberOfTimes)
{
    size_t reserved = 0;
    for (size_t i = 0; i < repetitions(2000); i++) {
        const struct alloc_family_info info = {"created", 0};
        alloc_family *created = alloc_family_create(i % 2 == 0 ? &info : nullptr, i % 2 == 0 ? sizeof info : 0);
        ASSERT_NE(created, nullptr);
        fill(alloc_family_malloc(created, 1000), 1000, i);
        ASSERT_NE(alloc_family_malloc(created, 600 * KiB), nullptr);
        alloc_family_destroy(created);
        if (i == 10)
            reserved = statistics().reserved_bytes;
    }
    EXPECT_LE(statistics().reserved_bytes, reserved + 8 * MiB);
}

TEST_F(Family, AreManyAtATime)
{
    std::vector<std::unique_ptr<alloc_family>> families;
    for (size_t i = 0; i < 300; i++) {
        families.emplace_back(new alloc_family(ALLOC_FAMILY_INIT("many")));
        for (size_t size : {16, 600})
            fill(alloc_family_malloc(families.back().get(), size), size, i);
    }
    std::set<uintptr_t> slabs;
    for (auto &each : families)
        slabs.insert(reinterpret_cast<uintptr_t>(alloc_family_malloc(each.get(), 16)) / (64 * KiB));
    EXPECT_EQ(slabs.size(), families.size());
    for (auto &each : families)
        alloc_family_destroy(each.get());
}

TEST_F(Family, KeepsItsLimit)
{
    const struct alloc_family_info info = {"limited", 4 * MiB};
    alloc_family *limited = alloc_family_create(&info, sizeof info);
    ASSERT_NE(limited, nullptr);
    for (size_t round = 0; round < 2; round++) {
        size_t small = 0;
        while (alloc_family_malloc(limited, 1000) != nullptr)
            small++;
        EXPECT_EQ(errno, ENOMEM);
        EXPECT_GT(small * 1024, 2 * MiB);
        EXPECT_LE(small * 1024, 4 * MiB);
        alloc_family_reset(limited);
        void *large = alloc_family_malloc(limited, 3 * MiB);
        EXPECT_NE(large, nullptr);
        EXPECT_EQ(alloc_family_malloc(limited, 2 * MiB), nullptr);
        EXPECT_EQ(alloc_family_realloc(limited, large, 3 * MiB, 5 * MiB), nullptr);
        large = alloc_family_realloc(limited, large, 3 * MiB, 1 * MiB);
        EXPECT_NE(large, nullptr);
        void *other = alloc_family_malloc(limited, 2 * MiB);
        EXPECT_NE(other, nullptr);
        EXPECT_EQ(stats_of(*limited).large_bytes, 3 * MiB);
        alloc_family_free(limited, other, 2 * MiB);
        alloc_free(large, 1 * MiB); // of any family
        EXPECT_EQ(stats_of(*limited).large_bytes, 0u);
    }
    alloc_family_destroy(limited);
}

// ---- the default family --------------------------------------------------------------------------------------------------

TEST_F(Family, MayBeTheDefault)
{
    alloc_family inner = ALLOC_FAMILY_INIT("inner");
    void *outside = alloc_malloc(100);
    EXPECT_EQ(alloc_family_swap(&family), nullptr);
    void *small = alloc_malloc(100), *large = alloc_malloc(600 * KiB), *unsized = alloc_gp_malloc(50);
    void *unsized_large = alloc_gp_malloc(700 * KiB);
    EXPECT_EQ(alloc_family_swap(&inner), &family);
    void *other = alloc_malloc(100);
    alloc_free(outside, 100);
    EXPECT_EQ(alloc_family_swap(nullptr), &inner);
    EXPECT_EQ(alloc_family_swap(nullptr), nullptr);
    EXPECT_EQ(stats_of(family).large_bytes, good_size({600 * KiB, 0}) + 704 * KiB - 4 * KiB);
    EXPECT_EQ(stats_of(inner).used_bytes % 128, 0u);
    alloc_family_free(&family, small, 100);
    alloc_family_free(&family, large, 600 * KiB);
    alloc_gp_free(unsized);
    unsized_large = alloc_gp_realloc(unsized_large, 40 * MiB);
    EXPECT_GE(stats_of(family).large_bytes, 40 * MiB);
    alloc_gp_free(unsized_large);
    EXPECT_EQ(stats_of(family).large_bytes, 0u);
    alloc_free(other, 100); // of any family
    void *again = alloc_malloc(100);
    EXPECT_NE(again, other);
    alloc_free(again, 100);
    alloc_family_destroy(&inner);
}

TEST_F(Family, BlocksThatAreUnsizedGoWithAResetToo)
{
    for (size_t round = 0; round < 3; round++) {
        (void)alloc_family_swap(&family);
        std::vector<void *> blocks;
        for (size_t size : {1, 100, 5000, 600000, 700000})
            blocks.push_back(alloc_gp_malloc(size));
        (void)alloc_family_swap(nullptr);
        const size_t live = statistics().large_live;
        alloc_family_reset(&family);
        EXPECT_EQ(statistics().large_live, live - 2);
        EXPECT_EQ(alloc_gp_usable_size(blocks.back()), 0u);
    }
}

TEST_F(Family, StatsMayBeOfAnyVersion)
{
    EXPECT_EQ(alloc_family_stats(&family, nullptr, 8), -1);
    EXPECT_EQ(errno, EINVAL);
    ASSERT_NE(alloc_family_malloc(&family, 100), nullptr);
    struct {
        struct alloc_family_stats known;
        size_t more;
    } out = {{}, 1};
    EXPECT_EQ(alloc_family_stats(&family, &out.known, sizeof out), 0);
    EXPECT_EQ(out.known.slab_bytes, 64 * KiB);
    EXPECT_EQ(out.more, 0u);
    out.known.used_bytes = 7;
    EXPECT_EQ(alloc_family_stats(&family, &out.known, sizeof(size_t)), 0);
    EXPECT_EQ(out.known.used_bytes, 7u);
}

// ---- a shadow model -------------------------------------------------------------------------------------------------------

struct Live {
    Request request;
    uint64_t mark;
};

TEST(Families, DoWhatAModelSays)
{
    Random random(1);
    alloc_family families[] = {ALLOC_FAMILY_INIT("a"), ALLOC_FAMILY_INIT("b"), ALLOC_FAMILY_INIT("c")};
    std::map<void *, Live> live[std::size(families)];
    const std::vector<Request> all = requests();
    uint64_t mark = 0;
    for (size_t step = 0; step < repetitions(60000); step++) {
        const size_t number = random.below(std::size(families));
        auto &blocks = live[number];
        const size_t action = random.below(2000);
        if (action == 0) {
            alloc_family_reset(&families[number]);
            blocks.clear();
        } else if (action % 2 == 0 || blocks.empty()) {
            const Request request = all[random.below(all.size())];
            void *block = allocate_in(families[number], request);
            ASSERT_NE(block, nullptr) << request;
            fill(block, std::min(request.size, size_t{64}), ++mark);
            ASSERT_TRUE(blocks.emplace(block, Live{request, mark}).second) << "handed out twice";
        } else {
            auto found = blocks.lower_bound(reinterpret_cast<void *>(random.below(SIZE_MAX)));
            if (found == blocks.end())
                found = blocks.begin();
            const auto [block, is] = *found;
            ASSERT_TRUE(holds(block, std::min(is.request.size, size_t{64}), is.mark)) << is.request;
            blocks.erase(found);
            if (action % 3 == 0)
                release(block, is.request); // of any family
            else
                release_in(families[number], block, is.request);
        }
    }
    for (size_t number = 0; number < std::size(families); number++) {
        for (const auto &[block, is] : live[number])
            EXPECT_TRUE(holds(block, std::min(is.request.size, size_t{64}), is.mark)) << is.request;
        alloc_family_destroy(&families[number]);
    }
}

// ---- misuse ------------------------------------------------------------------------------------------------------------------

class FamilyMisuse : public Family
{
  protected:
    void SetUp() override { testing::FLAGS_gtest_death_test_style = "threadsafe"; }
    alloc_family other = ALLOC_FAMILY_INIT("other");
};

#define EXPECT_MISUSE(statement, call, kind) \
    EXPECT_EXIT(statement, testing::KilledBySignal(SIGABRT), "^alloc: " call "(\\(.*\\))?: " kind)

TEST_F(FamilyMisuse, ABlockOfAnotherFamily)
{
    void *slot = alloc_family_malloc(&other, 100), *large = alloc_family_malloc(&other, 600 * KiB);
    void *aligned = alloc_family_malloc_aligned(&other, 100, 8);
    EXPECT_MISUSE(alloc_family_free(&family, slot, 100), "alloc_family_free\\(0x[0-9a-f]+, 100\\)", "wrong family");
    EXPECT_MISUSE(alloc_family_free(&family, large, 600 * KiB), "alloc_family_free\\(0x[0-9a-f]+, 614400\\)",
                  "wrong family");
    EXPECT_MISUSE(alloc_family_free_aligned(&family, aligned, 100, 8),
                  "alloc_family_free_aligned\\(0x[0-9a-f]+, 100, 8\\)", "wrong family");
    EXPECT_MISUSE((void)!alloc_family_realloc(&family, slot, 100, 200), "alloc_family_realloc", "wrong family");
    EXPECT_MISUSE((void)!alloc_family_rezalloc(&family, large, 600 * KiB, 200), "alloc_family_rezalloc",
                  "wrong family");
    EXPECT_MISUSE((void)!alloc_family_realloc_aligned(&family, aligned, 100, 200, 8), "alloc_family_realloc_aligned",
                  "wrong family");
    alloc_family_destroy(&other);
}

TEST_F(FamilyMisuse, ABlockOfNoFamily)
{
    ASSERT_NE(alloc_family_malloc(&family, 100), nullptr);
    void *slot = alloc_malloc(100), *large = alloc_malloc(600 * KiB);
    EXPECT_MISUSE(alloc_family_free(&family, slot, 100), "alloc_family_free", "wrong family");
    EXPECT_MISUSE(alloc_family_free(&family, large, 600 * KiB), "alloc_family_free", "wrong family");
    alloc_free(slot, 100);
    alloc_free(large, 600 * KiB);
}

TEST_F(FamilyMisuse, AWrongSize)
{
    void *slot = alloc_family_malloc(&family, 100);
    EXPECT_MISUSE(alloc_family_free(&family, slot, 200), "alloc(_family)?_free\\(0x[0-9a-f]+, 200\\)", "wrong size");
}

TEST_F(FamilyMisuse, ADoubleFree)
{
    void *slot = alloc_family_malloc(&family, 100);
    alloc_family_free(&family, slot, 100);
    EXPECT_MISUSE(alloc_family_free(&family, slot, 100), "alloc(_family)?_free", "double free");
    EXPECT_MISUSE(alloc_free(slot, 100), "alloc_free", "double free");
}

TEST_F(FamilyMisuse, AFreeAfterAReset)
{
    void *slot = alloc_family_malloc(&family, 100), *large = alloc_family_malloc(&family, 600 * KiB);
    alloc_family_reset(&family);
    EXPECT_MISUSE(alloc_family_free(&family, slot, 100), "alloc_family_free", "not allocated");
    EXPECT_MISUSE(alloc_family_free(&family, large, 600 * KiB), "alloc_family_free", "wrong family");
}

// ---- threads ---------------------------------------------------------------------------------------------------------------

#if ALLOC_THREADS

TEST_F(Family, BeginsOnceForAllThreads)
{
    for (size_t round = 0; round < repetitions(100); round++) {
        alloc_family fresh = ALLOC_FAMILY_INIT("fresh");
        std::atomic<size_t> ready{0};
        std::vector<std::thread> threads;
        void *blocks[3];
        for (void *&block : blocks)
            threads.emplace_back([&] {
                for (ready++; ready < std::size(blocks);) {
                }
                block = alloc_family_malloc(&fresh, 100);
            });
        for (std::thread &thread : threads)
            thread.join();
        for (void *block : blocks)
            alloc_family_free(&fresh, block, 100);
        alloc_family_destroy(&fresh);
    }
}

TEST_F(Family, OtherThreadsFreeItsBlocks)
{
    constexpr size_t count = 4000;
    for (size_t way = 0; way < 4; way++) {
        std::vector<void *> blocks(count);
        for (size_t i = 0; i < count; i++)
            blocks[i] = alloc_family_malloc(&family, 16 + i % 300);
        std::thread([&] {
            if (way == 1)
                alloc_family_free(&family, alloc_family_malloc(&family, 100), 100); // has a heap of it
            if (way == 2)
                (void)alloc_family_swap(&family);
            for (size_t i = 0; i < count; i++)
                if (way == 3 || (way == 2 && i % 2 == 0))
                    alloc_free(blocks[i], 16 + i % 300);
                else
                    alloc_family_free(&family, blocks[i], 16 + i % 300);
        }).join();
        // What this thread holds for its next allocations counts as used.
        EXPECT_LE(stats_of(family).slab_bytes, (6 + (way == 1)) * 64 * KiB) << way;
        alloc_family_reset(&family);
    }
}

TEST_F(Family, OutlivesItsThreads)
{
    std::vector<void *> blocks(3000);
    for (size_t round = 0; round < 3; round++) {
        std::thread([&] {
            for (size_t i = 0; i < blocks.size(); i++) {
                blocks[i] = alloc_family_malloc(&family, 200);
                fill(blocks[i], 200, i);
            }
        }).join();
        std::thread([&] { alloc_free(alloc_malloc(10), 10); }).join(); // the next one with the heap
        for (size_t i = 0; i < blocks.size(); i++)
            EXPECT_TRUE(holds(blocks[i], 200, i));
        if (round == 0)
            for (void *block : blocks)
                alloc_family_free(&family, block, 200);
        alloc_family_reset(&family);
        EXPECT_EQ(stats_of(family).slab_bytes, 0u);
    }
}

// What others allocated outside and is freed under a default family is not the family's to hand out.
TEST_F(Family, HoldsNothingBackOfOthers)
{
    std::set<void *> others, own;
    std::thread([&] {
        for (size_t i = 0; i < 100; i++)
            others.insert(alloc_malloc(200));
    }).join();
    for (size_t i = 0; i < 100; i++)
        own.insert(alloc_malloc(200));
    (void)alloc_family_swap(&family);
    for (size_t i = 0; i < 100; i++) {
        void *block = alloc_malloc(200);
        EXPECT_TRUE(others.count(block) + own.count(block) == 0);
        for (std::set<void *> *blocks : {&others, &own}) {
            alloc_free(*blocks->begin(), 200);
            void *again = alloc_malloc(200);
            EXPECT_NE(again, *blocks->begin());
            blocks->erase(blocks->begin());
        }
    }
    (void)alloc_family_swap(nullptr);
}

// Whoever ended left a slab that was available, with blocks that live on: a family must not get it, or a reset would free them.
TEST_F(Family, TakesNoSlabsOver)
{
    std::vector<void *> blocks;
    std::thread([&] {
        for (size_t i = 0; i < 600; i++)
            blocks.push_back(alloc_malloc(100));
        for (size_t i = 0; i < blocks.size(); i++)
            if (i % 4 == 0)
                fill(blocks[i], 100, i);
            else
                alloc_free(blocks[i], 100);
    }).join();
    for (size_t i = 0; i < 2000; i++)
        std::memset(alloc_family_malloc(&family, 100), 1, 128);
    alloc_family_reset(&family);
    for (size_t i = 0; i < blocks.size(); i += 4) {
        EXPECT_TRUE(holds(blocks[i], 100, i));
        alloc_free(blocks[i], 100);
    }
}

// In the last round of a thread's destructors, when its heap is gone already: it borrows one, and can have no default family.
struct LateErrand {
    alloc_family *family;
    pthread_key_t key;
    int round;
    bool is_served, has_no_default;
};

void come_late(void *value)
{
    auto *errand = static_cast<LateErrand *>(value);
    if (++errand->round < PTHREAD_DESTRUCTOR_ITERATIONS - 2 * (TEST_SANITIZED != 0)) {
        pthread_setspecific(errand->key, errand);
        return;
    }
    void *block = alloc_family_malloc(errand->family, 100), *large = alloc_family_zalloc(errand->family, 600 * KiB);
    errand->is_served = block != nullptr && large != nullptr;
    alloc_family_free(errand->family, block, 100);
    alloc_family_free(errand->family, large, 600 * KiB);
    errno = 0;
    errand->has_no_default = alloc_family_swap(errand->family) == nullptr && errno == ENOMEM;
}

TEST_F(Family, ServesThreadsThatEnd)
{
    LateErrand errand{&family, 0, 0, false, false};
    ASSERT_EQ(pthread_key_create(&errand.key, come_late), 0);
    const size_t heaps = statistics().heaps_live;
    for (size_t i = 0; i < 10; i++) {
        errand.round = 0;
        std::thread([&] {
            alloc_free(alloc_malloc(1), 1);
            pthread_setspecific(errand.key, &errand);
        }).join();
        EXPECT_TRUE(errand.is_served);
        EXPECT_TRUE(errand.has_no_default || TEST_SANITIZED != 0);
    }
    EXPECT_EQ(statistics().heaps_live, heaps);
    EXPECT_LE(stats_of(family).slab_bytes, 64 * KiB);
    pthread_key_delete(errand.key);
}

// Requests of several threads in many families, each reset when it is over.
TEST(Families, ServeRequests)
{
    seed();
    constexpr size_t family_count = 8, worker_count = 3;
    alloc_family families[family_count];
    for (alloc_family &family : families)
        family = ALLOC_FAMILY_INIT("request");
    std::atomic<size_t> wrong{0};
    for (size_t round = 0; round < repetitions(40); round++) {
        std::vector<std::vector<std::pair<void *, size_t>>> given(worker_count);
        std::vector<std::thread> threads;
        for (size_t number = 0; number < worker_count; number++)
            threads.emplace_back([&, number] {
                Random random(round * worker_count + number);
                std::vector<std::pair<void *, size_t>> own[family_count];
                for (size_t i = 0; i < 3000; i++) {
                    const size_t which = random.below(family_count),
                                 size = 1 + random.below(random.one_in(50) ? 1 << 20 : 500);
                    void *block = alloc_family_malloc(&families[which], size);
                    fill(block, std::min(size, size_t{32}), size);
                    own[which].emplace_back(block, size);
                    if (random.one_in(2)) {
                        const auto [old, old_size] = own[which].back();
                        own[which].pop_back();
                        wrong += !holds(old, std::min(old_size, size_t{32}), old_size);
                        alloc_family_free(&families[which], old, old_size);
                    }
                }
                given[number] = own[0];
            });
        for (std::thread &thread : threads)
            thread.join();
        // Some are freed by a thread that did not allocate them, right before they would go anyway.
        std::thread([&] {
            for (const auto &blocks : given)
                for (const auto &[block, size] : blocks) {
                    wrong += !holds(block, std::min(size, size_t{32}), size);
                    alloc_family_free(&families[0], block, size);
                }
        }).join();
        for (alloc_family &family : families)
            alloc_family_reset(&family);
    }
    EXPECT_EQ(wrong, 0u);
    for (alloc_family &family : families) {
        EXPECT_EQ(stats_of(family).slab_bytes, 0u);
        alloc_family_destroy(&family);
    }
}

TEST_F(Family, IsAForkedChildsToo)
{
    std::vector<void *> blocks;
    std::thread([&] {
        for (size_t i = 0; i < 1000; i++)
            blocks.push_back(alloc_family_malloc(&family, 100));
    }).join();
    void *own = alloc_family_malloc(&family, 600 * KiB);
    expect_in_child([&] {
        for (void *block : blocks)
            alloc_family_free(&family, block, 100);
        alloc_family_free(&family, own, 600 * KiB);
        EXPECT_NE(alloc_family_malloc(&family, 100), nullptr);
        alloc_family_reset(&family);
        EXPECT_EQ(stats_of(family).slab_bytes, 0u);
    });
}

#endif

} // namespace
