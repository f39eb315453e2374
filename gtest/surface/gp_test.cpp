// The unsized surface, rule by rule of the C and POSIX standards; sizes come back from the address alone.
#include "gp_support.h"

#include <alloc/alloc_ext.h>

#include <string>
#if ALLOC_THREADS
#include <thread>
#endif

using namespace support;

namespace
{

// Sizes that are passed to a free are right here: what the library takes for wrong ends the test.
[[maybe_unused]] const bool is_strict = alloc_option_set(ALLOC_OPTION_STRICT, 1) == 0;

// More than addresses are, more than anybody can have, and what wraps when it is rounded up.
constexpr size_t impossible[] = {
    SIZE_MAX / 4, size_t{PTRDIFF_MAX} - 4096, size_t{PTRDIFF_MAX}, size_t{PTRDIFF_MAX} + 1, SIZE_MAX - 4095, SIZE_MAX};

struct alloc_stats stats()
{
    struct alloc_stats now;
    EXPECT_EQ(alloc_stats(&now, sizeof now), 0);
    return now;
}

// ---- sizes ----------------------------------------------------------------------------------------------------------

TEST(Sizes, AreAlignedForAnyObjectAndWhollyUsable)
{
    Shadow live;
    for (size_t size : edge_sizes()) {
        void *block = alloc_gp_malloc(size);
        ASSERT_TRUE(live.add(block, object(size)));
        EXPECT_EQ(alloc_gp_usable_size(block), good_size(object(size))) << size;
        EXPECT_GE(alloc_gp_usable_size(block), size);
        EXPECT_TRUE(size < 64 || alloc_gp_usable_size(block) <= size + size / 4) << size;
    }
    Random random(0);
    while (live.count() > 0) {
        const Shadow::Block block = live.take(random);
        EXPECT_TRUE(holds(block.ptr, alloc_gp_usable_size(block.ptr), block.mark)) << block.request;
        alloc_gp_free(block.ptr);
    }
}

TEST(Sizes, ThatNobodyCanHaveAreRefused)
{
    for (size_t size : impossible) {
        EXPECT_FAILS(alloc_gp_malloc(opaque(size)), ENOMEM);
        EXPECT_FAILS(alloc_gp_calloc(1, opaque(size)), ENOMEM);
        EXPECT_FAILS(alloc_gp_calloc(opaque(size), 1), ENOMEM);
        EXPECT_FAILS(alloc_gp_realloc(nullptr, opaque(size)), ENOMEM);
        EXPECT_FAILS(alloc_gp_aligned_alloc(64, opaque(size)), ENOMEM);
        EXPECT_FAILS(alloc_gp_memalign(ALLOC_ALIGN_MAX, opaque(size)), ENOMEM);
        EXPECT_FAILS(alloc_gp_reallocarray(nullptr, opaque(size), 1), ENOMEM);
    }
}

TEST(Sizes, WhoseProductOverflowsAreRefused)
{
    void *block = alloc_gp_malloc(100);
    fill(block, 100, 1);
    for (size_t count : {size_t{2}, size_t{3}, size_t{1} << 32, SIZE_MAX})
        for (size_t size : {SIZE_MAX / 2 + 1, (size_t{1} << 63) + 8, SIZE_MAX}) {
            EXPECT_FAILS(alloc_gp_calloc(opaque(count), opaque(size)), ENOMEM);
            EXPECT_FAILS(alloc_gp_reallocarray(block, opaque(count), opaque(size)), ENOMEM);
            EXPECT_FAILS(alloc_gp_reallocarray(nullptr, opaque(size), opaque(count)), ENOMEM);
        }
    EXPECT_TRUE(holds(block, 100, 1));
    alloc_gp_free(block);
}

TEST(GpCalloc, ZeroesAlsoWhatServedBefore)
{
    for (size_t size : edge_sizes()) {
        void *dirty[3];
        for (void *&block : dirty) {
            block = alloc_gp_malloc(size);
            ASSERT_NE(block, nullptr) << size;
            std::memset(block, 0xff, alloc_gp_usable_size(block));
        }
        for (void *block : dirty)
            alloc_gp_free(block);
        for (size_t count : {1, 3}) {
            void *block = alloc_gp_calloc(count, size);
            ASSERT_NE(block, nullptr) << count << " of " << size;
            EXPECT_TRUE(is_aligned(block, object_align(count * size))) << count << " of " << size;
            EXPECT_GE(alloc_gp_usable_size(block), count * size);
            EXPECT_TRUE(is_zero(block, 0, count * size)) << count << " of " << size;
            alloc_gp_free(block);
        }
    }
}

// ---- alignments -----------------------------------------------------------------------------------------------------

void *aligned_by_pointer(size_t align, size_t size)
{
    void *block = nullptr;
    return alloc_gp_posix_memalign(&block, align, size) == 0 ? block : nullptr;
}

// Each of the three functions, with every size at every alignment.
class GpAligned : public testing::TestWithParam<void *(*)(size_t, size_t)>
{
};

TEST_P(GpAligned, GivesTheAlignment)
{
    Random random(1);
    for (size_t align : alignments()) {
        if (align < sizeof(void *) && GetParam() == aligned_by_pointer)
            continue;
        Shadow live;
        for (size_t size :
             {size_t{0}, size_t{1}, size_t{24}, size_t{100}, size_t{4096}, size_t{70000}, 600 * KiB, MiB}) {
            void *block = GetParam()(align, size);
            ASSERT_TRUE(live.add(block, {size, align}));
            EXPECT_EQ(alloc_gp_usable_size(block), alloc_good_size_aligned(size, align)) << size << " at " << align;
        }
        while (live.count() > 0) {
            const Shadow::Block block = live.take(random);
            EXPECT_TRUE(holds(block.ptr, good_size(block.request), block.mark)) << block.request;
            if (random.one_in(2))
                alloc_gp_free(block.ptr);
            else
                alloc_gp_free_aligned_sized(block.ptr, align, block.request.size);
        }
    }
}

// What the block was aligned to is not kept, what it contains is.
TEST_P(GpAligned, CanBeResized)
{
    for (size_t align : {size_t{8}, size_t{64}, size_t{4096}, MiB, 4 * MiB})
        for (size_t from : {size_t{1}, size_t{100}, size_t{4096}, 600 * KiB})
            for (size_t to : {size_t{1}, size_t{80}, size_t{4000}, size_t{4096}, size_t{70000}, 700 * KiB, 3 * MiB}) {
                void *block = GetParam()(align, from);
                ASSERT_NE(block, nullptr);
                fill(block, from, align);
                block = alloc_gp_realloc(block, to);
                ASSERT_NE(block, nullptr) << from << " at " << align << " to " << to;
                EXPECT_TRUE(holds(block, std::min(from, to), align)) << from << " at " << align << " to " << to;
                fill(block, alloc_gp_usable_size(block), 1);
                EXPECT_GE(alloc_gp_usable_size(block), to);
                alloc_gp_free(block);
            }
}

std::string name_of_function(const testing::TestParamInfo<GpAligned::ParamType> &info)
{
    const char *const names[] = {"AlignedAlloc", "Memalign", "PosixMemalign"};
    return names[info.index];
}

INSTANTIATE_TEST_SUITE_P(By, GpAligned, testing::Values(alloc_gp_aligned_alloc, alloc_gp_memalign, aligned_by_pointer),
                         name_of_function);

TEST(AlignedAlloc, RefusesWhatIsNoAlignment)
{
    for (size_t align : {size_t{0}, size_t{3}, size_t{24}, size_t{4097}, 3 * ALLOC_ALIGN_MAX, SIZE_MAX})
        EXPECT_FAILS(alloc_gp_aligned_alloc(opaque(align), 100), EINVAL);
}

TEST(Memalign, RoundsAlignmentsUp)
{
    for (size_t align : {size_t{0}, size_t{3}, size_t{24}, size_t{100}, size_t{4097}, ALLOC_ALIGN_MAX - 1})
        for (size_t size : {size_t{1}, size_t{33}, size_t{1000}, 600 * KiB}) {
            void *block = alloc_gp_memalign(opaque(align), size);
            ASSERT_NE(block, nullptr) << align;
            EXPECT_TRUE(is_aligned(block, power_at_or_above(std::max<size_t>(align, 1)))) << align;
            fill_edges(block, size, 1);
            alloc_gp_free(block);
        }
    for (size_t align : {SIZE_MAX / 2 + 2, SIZE_MAX})
        EXPECT_FAILS(alloc_gp_memalign(opaque(align), 100), EINVAL);
}

// 0 or an error, and errno and the pointer untouched by one.
TEST(PosixMemalign, ReturnsItsErrors)
{
    void *const before = &errno;
    void *block = before;
    errno = 12345;
    for (size_t align : {size_t{0}, size_t{1}, size_t{4}, size_t{24}, 3 * ALLOC_ALIGN_MAX, SIZE_MAX})
        EXPECT_EQ(alloc_gp_posix_memalign(&block, opaque(align), 100), EINVAL) << align;
    for (size_t size : impossible)
        EXPECT_EQ(alloc_gp_posix_memalign(&block, 4096, opaque(size)), ENOMEM) << size;
    EXPECT_EQ(block, before);
    EXPECT_EQ(alloc_gp_posix_memalign(&block, sizeof(void *), 0), 0);
    EXPECT_NE(block, before);
    EXPECT_EQ(errno, 12345);
    alloc_gp_free(block);
}

// ---- resizing -------------------------------------------------------------------------------------------------------

TEST(Realloc, KeepsContentsFromEverySizeToEvery)
{
    std::vector<size_t> some;
    for (size_t i = 0; i < edge_sizes().size(); i += 5)
        some.push_back(edge_sizes()[i]);
    for (size_t size : {512 * KiB, 512 * KiB + 1, 600 * KiB, 3 * MiB})
        some.push_back(size);
    for (size_t from : some)
        for (size_t to : some) {
            if (to == 0)
                continue;
            void *neighbour = alloc_gp_malloc(from), *block = alloc_gp_malloc(from);
            fill_edges(neighbour, from, 1);
            fill_edges(block, from, 2);
            void *resized = alloc_gp_realloc(block, to);
            ASSERT_NE(resized, nullptr) << from << " to " << to;
            const size_t kept = std::min(from, to);
            EXPECT_TRUE(kept == from ? holds_edges(resized, kept, 2) : holds(resized, std::min(kept, edge), 2))
                << from << " to " << to;
            EXPECT_EQ(alloc_gp_usable_size(resized), good_size(object(to))) << from << " to " << to;
            EXPECT_TRUE(is_aligned(resized, object_align(to))) << from << " to " << to;
            EXPECT_TRUE(resized == block || good_size(object(from)) != good_size(object(to))) << from << " to " << to;
            fill_edges(resized, alloc_gp_usable_size(resized), 3);
            EXPECT_TRUE(holds_edges(neighbour, from, 1)) << from << " to " << to;
            alloc_gp_free(neighbour);
            alloc_gp_free_sized(resized, to);
        }
}

TEST(Realloc, OfNullAllocates)
{
    for (size_t size : edge_sizes()) {
        void *block = alloc_gp_realloc(nullptr, size);
        ASSERT_NE(block, nullptr) << size;
        fill_edges(block, alloc_gp_usable_size(block), 1);
        alloc_gp_free_sized(block, size);
    }
}

// As glibc's: and the memory is there for others at once.
TEST(Realloc, ToNothingFrees)
{
    for (size_t size : edge_sizes()) {
        void *block = alloc_gp_malloc(size);
        EXPECT_EQ(alloc_gp_realloc(block, 0), nullptr) << size;
        void *again = alloc_gp_malloc(size);
        EXPECT_TRUE(again == block || size > 4096) << size; // up to there, what is freed last is handed out first
        EXPECT_EQ(alloc_gp_reallocarray(again, 0, 100), nullptr) << size;
    }
}

TEST(Realloc, KeepsTheBlockWhenThereIsNoRoom)
{
    for (size_t size : edge_sizes()) {
        void *block = alloc_gp_malloc(size);
        ASSERT_NE(block, nullptr) << size;
        const size_t usable = alloc_gp_usable_size(block);
        fill_edges(block, usable, size);
        for (size_t wanted : impossible)
            EXPECT_FAILS(alloc_gp_realloc(block, opaque(wanted)), ENOMEM);
        EXPECT_EQ(alloc_gp_usable_size(block), usable);
        EXPECT_TRUE(holds_edges(block, usable, size)) << size;
        alloc_gp_free_sized(block, size);
    }
}

TEST(Realloc, FreesWhatItMovesFrom)
{
    struct alloc_stats warm = {};
    auto *block = alloc_gp_malloc(100);
    for (size_t i = 0; i < 20000; i++) {
        for (size_t size : {size_t{300}, size_t{20000}, size_t{100}})
            block = alloc_gp_realloc(block, size);
        if (i % 1000 == 0)
            block = alloc_gp_realloc(alloc_gp_realloc(block, MiB), 100);
        if (i == 100)
            warm = stats();
    }
    alloc_gp_free(block);
    EXPECT_LE(stats().slab_bytes, warm.slab_bytes);
    EXPECT_EQ(stats().large_live, warm.large_live);
}

TEST(Realloc, GrowsStepByStep)
{
    size_t size = 1;
    auto *bytes = static_cast<char *>(alloc_gp_malloc(size));
    bytes[0] = 1;
    while (size < 20 * MiB) {
        const size_t more = size + size / 3 + 1;
        bytes = static_cast<char *>(alloc_gp_realloc(bytes, more));
        ASSERT_NE(bytes, nullptr) << more;
        ASSERT_EQ(bytes[size - 1], static_cast<char>(size)) << more;
        ASSERT_EQ(bytes[0], 1);
        bytes[more - 1] = static_cast<char>(more);
        size = more;
    }
    while (size > 1) {
        size -= size / 3 + 1;
        bytes = static_cast<char *>(alloc_gp_realloc(bytes, std::max<size_t>(size, 1)));
        ASSERT_EQ(bytes[0], 1) << size;
    }
    alloc_gp_free(bytes);
}

// ---- freeing --------------------------------------------------------------------------------------------------------

TEST(Free, KeepsErrno)
{
    for (size_t size : edge_sizes()) {
        std::vector<void *> blocks(40);
        for (void *&block : blocks)
            block = alloc_gp_malloc(size);
        errno = 12345;
        for (size_t i = 0; i < blocks.size(); i++)
            if (i % 2 == 0)
                alloc_gp_free(blocks[i]);
            else
                alloc_gp_free_sized(blocks[i], size);
        alloc_gp_free(nullptr);
        ASSERT_EQ(errno, 12345) << size;
    }
}

TEST(Free, OfNullIsNothing)
{
    alloc_gp_free(nullptr);
    for (size_t size : {size_t{0}, size_t{100}, MiB, SIZE_MAX}) {
        alloc_gp_free_sized(nullptr, size);
        for (size_t align : {size_t{0}, size_t{16}, MiB, SIZE_MAX})
            alloc_gp_free_aligned_sized(nullptr, align, size);
    }
    EXPECT_EQ(alloc_gp_usable_size(nullptr), 0u);
}

#if ALLOC_THREADS
// The first call of a thread is a free: of a slot, of a large block, of nothing.
TEST(Free, KeepsErrnoAsAThreadsFirstCall)
{
    for (size_t size : {size_t{24}, size_t{5000}, 600 * KiB}) {
        void *block = alloc_gp_malloc(size);
        std::thread([&] {
            errno = 12345;
            alloc_gp_free(block);
            EXPECT_EQ(errno, 12345) << size;
        }).join();
    }
}

#endif

// ---- large blocks ---------------------------------------------------------------------------------------------------

// More than a region's table of sizes has entries for, of every length: all sizes come back.
TEST(GpLarge, ManyAreToldApart)
{
    const size_t before = stats().large_live;
    std::vector<void *> blocks(repetitions(400));
    const auto size_of = [](size_t i) { return 512 * KiB + 1 + i * 4999; };
    for (size_t i = 0; i < blocks.size(); i++) {
        blocks[i] = alloc_gp_malloc(size_of(i));
        ASSERT_NE(blocks[i], nullptr);
        fill(blocks[i], 64, i);
    }
    EXPECT_EQ(stats().large_live, before + blocks.size());
    for (size_t i = 0; i < blocks.size(); i++) {
        EXPECT_EQ(alloc_gp_usable_size(blocks[i]), good_size(object(size_of(i))));
        EXPECT_TRUE(holds(blocks[i], 64, i));
        alloc_gp_free(blocks[i]);
    }
    EXPECT_EQ(stats().large_live, before);
}

// Neither what lies inside of a block nor what another one left there is taken for a block.
TEST(GpLarge, BeginWhereTheyBegin)
{
    for (size_t round = 0; round < 4; round++) {
        auto *block = static_cast<char *>(alloc_gp_malloc(8 * MiB));
        for (size_t inside = MiB; inside < 8 * MiB; inside += MiB)
            EXPECT_EQ(alloc_gp_usable_size(block + inside), 0u) << inside;
        void *parts[6];
        alloc_gp_free(block);
        for (void *&part : parts)
            part = alloc_gp_malloc(MiB);
        for (void *part : parts) {
            EXPECT_EQ(alloc_gp_usable_size(part), MiB);
            unchecked::free(part);
            EXPECT_EQ(alloc_gp_usable_size(part), 0u);
        }
    }
}

TEST(GpLarge, LeaveNothingWhereTheyMovedFrom)
{
    size_t moved = 0;
    void *blocks[8]; // one beside the other, so that most have no room to grow
    for (void *&block : blocks)
        block = alloc_gp_malloc(MiB);
    for (void *&block : blocks) {
        void *const before = block;
        block = unchecked::realloc(block, 3 * MiB);
        moved += block != before;
        EXPECT_EQ(alloc_gp_usable_size(before), block == before ? 3 * MiB : 0);
    }
    EXPECT_GT(moved, 0u);
    for (void *block : blocks)
        alloc_gp_free(block);
}

TEST(GpLarge, ServeAgainOnceTheyAreFreed)
{
    ASSERT_EQ(alloc_option_set(ALLOC_OPTION_PURGE_AGE, size_t{1} << 30), 0); // however slow this is
    for (size_t size : {600 * KiB, MiB, 5 * MiB}) {
        alloc_trim(); // what is cached could be joined to it
        void *block = alloc_gp_malloc(size);
        const size_t committed = stats().committed_bytes;
        for (size_t round = 0; round < 20; round++) {
            unchecked::free(block);
            void *again = alloc_gp_malloc(size);
            ASSERT_EQ(again, block) << size;
            EXPECT_EQ(alloc_gp_usable_size(again), good_size(object(size)));
        }
        EXPECT_EQ(stats().committed_bytes, committed);
        alloc_gp_free(block);
    }
}

TEST(GpLarge, RefusedBeyondTheLimitLeaveTheOldBlock)
{
    void *block = alloc_gp_malloc(2 * MiB);
    fill_edges(block, 2 * MiB, 1);
    ASSERT_EQ(alloc_option_set(ALLOC_OPTION_MAPPED_LIMIT, stats().committed_bytes + 2 * MiB), 0);
    EXPECT_FAILS(alloc_gp_malloc(64 * MiB), ENOMEM);
    EXPECT_FAILS(alloc_gp_calloc(64, MiB), ENOMEM);
    EXPECT_FAILS(alloc_gp_realloc(block, 64 * MiB), ENOMEM);
    EXPECT_EQ(alloc_gp_usable_size(block), 2 * MiB);
    ASSERT_EQ(alloc_option_set(ALLOC_OPTION_MAPPED_LIMIT, 0), 0);
    block = alloc_gp_realloc(block, 64 * MiB);
    ASSERT_NE(block, nullptr);
    EXPECT_TRUE(holds(block, edge, 1));
    alloc_gp_free_sized(block, 64 * MiB);
}

} // namespace
