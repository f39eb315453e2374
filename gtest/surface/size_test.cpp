// Sizes and alignments: at every class boundary, at every alignment, and the arithmetic of alloc_good_size.
#include "support.h"

using namespace support;

namespace
{

size_t round_to_pages(size_t size)
{
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    return (size + page - 1) / page * page;
}

// What the documentation says, by search instead of arithmetic.
size_t expected_good_size(Request request)
{
    const size_t size = std::max<size_t>(request.size, 1);
    for (size_t slot : slot_sizes()) {
        bool fits = request.align == 0 ? slot == power_at_or_above(size) : slot >= size && slot % request.align == 0;
        if (fits)
            return slot;
    }
    return round_to_pages(size);
}

// Every family: the natural one and each alignment.
std::vector<size_t> families()
{
    std::vector<size_t> aligns = alignments();
    aligns.insert(aligns.begin(), 0);
    return aligns;
}

// The smallest size with the same good size, found by halving.
size_t smallest_alike(Request request)
{
    const size_t good = good_size(request);
    size_t below = 0, alike = request.size;
    while (below < alike) {
        const size_t middle = below + (alike - below) / 2;
        if (good_size({middle, request.align}) == good)
            alike = middle;
        else
            below = middle + 1;
    }
    return alike;
}

// ---- around every slot size ---------------------------------------------------------------------------------------

class SlotSize : public testing::TestWithParam<size_t>
{
  protected:
    // One less, the size itself, one more.
    static std::vector<size_t> around() { return {GetParam() - 1, GetParam(), GetParam() + 1}; }
};

TEST_P(SlotSize, IsTheGoodSizeOfWhatItFitsTightest)
{
    for (size_t align : families())
        for (size_t size : around()) {
            Request request = {size, align};
            EXPECT_EQ(good_size(request), expected_good_size(request)) << request;
        }
}

TEST_P(SlotSize, HoldsAllItsBytesAtItsAlignment)
{
    for (size_t align : families())
        for (size_t size : around()) {
            const Request request = {size, align};
            const size_t bytes = good_size(request);
            void *blocks[3];
            for (size_t i = 0; i < 3; i++) {
                blocks[i] = allocate(request);
                ASSERT_NE(blocks[i], nullptr) << request;
                EXPECT_TRUE(is_aligned(blocks[i], promised_align(request))) << request << ": " << blocks[i];
                fill_edges(blocks[i], bytes, i);
            }
            for (size_t i = 0; i < 3; i++)
                EXPECT_TRUE(holds_edges(blocks[i], bytes, i)) << request;
            release(blocks[0], request);
            release(blocks[1], {bytes, align}); // any size of the class will do
            release(blocks[2], {smallest_alike(request), align});
        }
}

// More than a bin takes from small slabs, so that the next kind is seen too.
TEST_P(SlotSize, LiesApartFromAllOthers)
{
    const size_t slot = GetParam();
    const size_t align = slot & (~slot + 1); // the largest that divides it
    const size_t count = std::min<size_t>(5 * MiB / slot, 100000) + 2;
    std::vector<char *> blocks(count);
    for (char *&block : blocks) {
        block = static_cast<char *>(alloc_malloc_aligned(slot, align));
        ASSERT_NE(block, nullptr);
        ASSERT_TRUE(is_aligned(block, align)) << static_cast<void *>(block);
    }
    std::sort(blocks.begin(), blocks.end());
    for (size_t i = 1; i < count; i++)
        ASSERT_GE(blocks[i], blocks[i - 1] + slot);
    for (char *block : blocks)
        alloc_free_aligned(block, slot, align);
}

INSTANTIATE_TEST_SUITE_P(Every, SlotSize, testing::ValuesIn(slot_sizes()), testing::PrintToStringParamName());

// ---- at every alignment -------------------------------------------------------------------------------------------

class Alignment : public testing::TestWithParam<size_t>
{
};

TEST_P(Alignment, IsKeptForEverySize)
{
    for (size_t size :
         {0UL, 1UL, 3UL, 8UL, 24UL, 100UL, 1000UL, 4096UL, 5000UL, 70000UL, 300000UL, 600000UL, 1048577UL}) {
        const Request request = {size, GetParam()};
        std::vector<void *> blocks;
        for (size_t i = 0; i < 8; i++) {
            blocks.push_back(i % 2 == 0 ? allocate(request) : allocate_zeroed(request));
            ASSERT_NE(blocks[i], nullptr) << request;
            ASSERT_TRUE(is_aligned(blocks[i], GetParam())) << request << ": " << blocks[i];
            fill_edges(blocks[i], size, i);
        }
        for (size_t i = 0; i < 8; i++) {
            EXPECT_TRUE(holds_edges(blocks[i], size, i)) << request;
            release(blocks[i], request);
        }
    }
}

// A small block at a large alignment is a mapping of a page; enough large blocks come to lie in between.
TEST_P(Alignment, IsKeptAmongLargeBlocksOfOtherAlignments)
{
    const size_t smalls = 100, all = 700;
    auto request = [](size_t i) { return i < smalls ? Request{1, GetParam()} : Request{600 * KiB, 4096}; };
    std::vector<char *> blocks;
    for (size_t i = 0; i < all; i++) {
        blocks.push_back(static_cast<char *>(allocate(request(i))));
        ASSERT_NE(blocks[i], nullptr) << request(i);
        ASSERT_TRUE(is_aligned(blocks[i], request(i).align)) << request(i);
        *blocks[i] = static_cast<char>(i);
    }
    for (size_t i = 0; i < all; i++) {
        EXPECT_EQ(*blocks[i], static_cast<char>(i));
        release(blocks[i], request(i));
    }
}

INSTANTIATE_TEST_SUITE_P(Every, Alignment, testing::ValuesIn(alignments()), testing::PrintToStringParamName());

TEST(NaturalAlignment, HoldsForLargeBlocksUpToTheLargestAlignment)
{
    for (size_t size :
         {512 * KiB + 1, MiB, MiB + 1, 3 * MiB, 32 * MiB, 32 * MiB + 1, 64 * MiB, 64 * MiB + 1, 200 * MiB}) {
        char *block = static_cast<char *>(alloc_malloc(size));
        ASSERT_NE(block, nullptr) << size;
        EXPECT_TRUE(is_aligned(block, promised_align({size, 0}))) << size;
        block[0] = block[size / 2] = block[size - 1] = 1;
        alloc_free(block, size);
    }
}

// ---- the arithmetic -----------------------------------------------------------------------------------------------

class GoodSize : public testing::TestWithParam<size_t>
{
};

TEST_P(GoodSize, GrowsWithTheSizeAndIsItsOwnGoodSize)
{
    size_t before = 1;
    for (size_t size = 0; size < 2 * slot_size_max; size += size < 10000 ? 1 : 101) {
        const Request request = {size, GetParam()};
        const size_t good = good_size(request);
        ASSERT_GE(good, std::max<size_t>(size, 1)) << request;
        ASSERT_GE(good, before) << request;
        ASSERT_EQ(good_size({good, GetParam()}), good) << request;
        ASSERT_TRUE(good > slot_size_max || GetParam() > slot_size_max || good % promised_align(request) == 0)
            << request;
        before = good;
    }
}

TEST_P(GoodSize, IsZeroForASizeNobodyCanHave)
{
    for (size_t size : {size_t{PTRDIFF_MAX} + 1, SIZE_MAX - 4096, SIZE_MAX})
        EXPECT_EQ(good_size({size, GetParam()}), 0u) << size;
}

INSTANTIATE_TEST_SUITE_P(Every, GoodSize, testing::ValuesIn(families()), testing::PrintToStringParamName());

TEST(GoodSizeAligned, WastesAQuarterAtMost)
{
    for (size_t size = 1; size <= slot_size_max; size += size < 10000 ? 1 : 101)
        ASSERT_LE(alloc_good_size_aligned(size, 1), size + std::max<size_t>(size / 4, 7)) << size;
}

TEST(GoodSizeAligned, IsZeroForAnInvalidAlignment)
{
    for (size_t align : {size_t{0}, size_t{3}, size_t{24}, 3 * ALLOC_ALIGN_MAX, SIZE_MAX})
        EXPECT_EQ(alloc_good_size_aligned(100, align), 0u) << align;
}

} // namespace
