// Resizing: from every way a block can be kept to every other, with contents, zeroing and failures.
#include "support.h"

#include <cerrno>
#if ALLOC_THREADS
#include <thread>
#endif

using namespace support;

namespace
{

// Sizes around what changes how a block is kept: a slot of the same class, another class, another kind of slab, a
// mapping of other length, of another alignment.
constexpr size_t sizes[] = {0,          1,
                            7,          8,
                            9,          24,
                            64,         65,
                            100,        1000,
                            4096,       4097,
                            8192,       8193,
                            65536,      300000,
                            512 * KiB,  512 * KiB + 1,
                            600 * KiB,  600 * KiB + 1,
                            MiB - 5000, MiB,
                            MiB + 1,    2 * MiB + 7};

// Each family resizes from every size to every other. The parameter is the alignment, 0 for the natural family.
class Resize : public testing::TestWithParam<size_t>
{
  protected:
    template <class Check> static void every_pair(Check check)
    {
        for (size_t from : sizes)
            for (size_t to : sizes)
                check(Request{from, GetParam()}, Request{to, GetParam()});
    }
};

TEST_P(Resize, KeepsContentsAndAlignment)
{
    every_pair([](Request from, Request to) {
        void *block = allocate(from);
        ASSERT_NE(block, nullptr) << from;
        fill(block, from.size, from.size);
        void *resized = resize(block, from, to.size);
        ASSERT_NE(resized, nullptr) << from << " to " << to;
        EXPECT_TRUE(is_aligned(resized, promised_align(to))) << from << " to " << to << ": " << resized;
        EXPECT_TRUE(holds(resized, std::min(from.size, to.size), from.size)) << from << " to " << to;
        EXPECT_TRUE(resized == block || good_size(from) != good_size(to)) << from << " to " << to;
        release(resized, to);
    });
}

// A block between two others grows, moves or shrinks, and is used to its new end.
TEST_P(Resize, LeavesOtherBlocksAlone)
{
    every_pair([](Request from, Request to) {
        void *blocks[3];
        for (void *&block : blocks) {
            block = allocate(from);
            ASSERT_NE(block, nullptr) << from;
            fill_edges(block, good_size(from), 1);
        }
        blocks[1] = resize(blocks[1], from, to.size);
        ASSERT_NE(blocks[1], nullptr) << from << " to " << to;
        fill_edges(blocks[1], good_size(to), 2);
        EXPECT_TRUE(holds_edges(blocks[0], good_size(from), 1)) << from << " to " << to;
        EXPECT_TRUE(holds_edges(blocks[2], good_size(from), 1)) << from << " to " << to;
        release(blocks[0], from);
        release(blocks[1], to);
        release(blocks[2], from);
    });
}

TEST_P(Resize, OfNullAllocates)
{
    for (size_t size : sizes) {
        const Request request = {size, GetParam()};
        for (size_t old_size : {size_t{0}, size_t{100}, SIZE_MAX}) {
            void *block = resize(nullptr, {old_size, GetParam()}, size);
            ASSERT_NE(block, nullptr) << request;
            EXPECT_TRUE(is_aligned(block, promised_align(request)));
            fill(block, good_size(request), 1);
            release(block, request);
        }
    }
}

TEST_P(Resize, KeepsTheBlockWhenThereIsNoRoom)
{
    for (size_t size : sizes) {
        const Request request = {size, GetParam()};
        void *block = allocate(request);
        ASSERT_NE(block, nullptr);
        fill(block, good_size(request), size);
        // More than addresses are, more than anybody can have, and what wraps when it is rounded up.
        for (size_t wanted : {SIZE_MAX / 4, size_t{PTRDIFF_MAX} - 4096, size_t{PTRDIFF_MAX}, size_t{PTRDIFF_MAX} + 1,
                              SIZE_MAX - 4095, SIZE_MAX}) {
            errno = 0;
            EXPECT_EQ(resize(block, request, wanted), nullptr) << request << " to " << wanted;
            EXPECT_EQ(errno, ENOMEM) << request << " to " << wanted;
            if (GetParam() == 0) {
                errno = 0;
                EXPECT_EQ(alloc_rezalloc(block, size, wanted), nullptr) << request << " to " << wanted;
                EXPECT_EQ(errno, ENOMEM) << request << " to " << wanted;
            }
        }
        EXPECT_TRUE(holds(block, good_size(request), size)) << request;
        release(block, request);
    }
}

// A block with a life of its own: each size follows from chance, contents go along.
TEST_P(Resize, FollowsARandomWalk)
{
    Random random(GetParam());
    for (size_t walk = 0; walk < repetitions(16); walk++) {
        Request request = {0, GetParam()};
        void *block = nullptr;
        size_t known = 0; // bytes of contents
        for (size_t step = 0; step < 100; step++) {
            const size_t size = random.one_in(4) ? random.below(2 * MiB) : random.request().size;
            block = resize(block, request, size);
            ASSERT_NE(block, nullptr) << request << " to " << size;
            known = std::min(known, size);
            ASSERT_TRUE(holds(block, known, walk)) << request << " to " << size;
            request.size = size;
            if (random.one_in(2)) {
                fill(block, size, walk);
                known = size;
            }
        }
        release(block, request);
    }
}

INSTANTIATE_TEST_SUITE_P(At, Resize, testing::Values(0, 8, 64, 4096, MiB, ALLOC_ALIGN_MAX),
                         testing::PrintToStringParamName());

// ---- zeroed growth ------------------------------------------------------------------------------------------------

// Leaves free slots that are not zero for the next blocks of a size. Mappings come zeroed from the system.
void dirty(size_t size)
{
    if (size > slot_size_max)
        return;
    void *blocks[4];
    for (void *&block : blocks) {
        block = alloc_malloc(size);
        std::memset(block, 0xff, alloc_good_size(size));
    }
    for (void *block : blocks)
        alloc_free(block, size);
}

TEST(ResizeZeroed, KeepsContentsAndZeroesGrowth)
{
    for (size_t from : sizes)
        for (size_t to : sizes) {
            dirty(to);
            void *block = alloc_malloc(from);
            ASSERT_NE(block, nullptr);
            std::memset(block, 0xff, alloc_good_size(from)); // also what lies between the size and the block's end
            fill(block, from, from);
            void *resized = alloc_rezalloc(block, from, to);
            ASSERT_NE(resized, nullptr) << from << " to " << to;
            EXPECT_TRUE(holds(resized, std::min(from, to), from)) << from << " to " << to;
            EXPECT_TRUE(is_zero(resized, from, to)) << from << " to " << to;
            EXPECT_TRUE(is_aligned(resized, promised_align({to, 0}))) << from << " to " << to;
            EXPECT_TRUE(resized == block || alloc_good_size(from) != alloc_good_size(to)) << from << " to " << to;
            fill(resized, alloc_good_size(to), 1);
            alloc_free(resized, to);
        }
}

TEST(ResizeZeroed, OfNullAllocatesZeroedMemory)
{
    for (size_t size : sizes)
        for (size_t old_size : {size_t{0}, size_t{100}, 2 * MiB}) {
            dirty(size);
            void *block = alloc_rezalloc(nullptr, old_size, size);
            ASSERT_NE(block, nullptr) << size;
            EXPECT_TRUE(is_zero(block, 0, size)) << size;
            fill(block, alloc_good_size(size), 1);
            alloc_free(block, size);
        }
}

// Shrinking leaves old bytes behind the end; growing again must not bring them back.
TEST(ResizeZeroed, ForgetsWhatWasCutOff)
{
    Random random(0);
    size_t size = 1;
    auto *block = static_cast<char *>(alloc_zalloc(size));
    for (size_t step = 0; step < repetitions(2000); step++) {
        const size_t next = random.one_in(10) ? random.below(4 * MiB) : random.request().size;
        block = static_cast<char *>(alloc_rezalloc(block, size, next));
        ASSERT_NE(block, nullptr) << size << " to " << next;
        ASSERT_TRUE(is_zero(block, size, next)) << size << " to " << next;
        std::memset(block, 0xff, next);
        size = next;
    }
    alloc_free(block, size);
}

// ---- blocks of other threads --------------------------------------------------------------------------------------

#if ALLOC_THREADS

TEST(ResizeAcrossThreads, TakesBlocksOfAnotherThread)
{
    for (size_t align : {0, 8})
        for (size_t from : sizes)
            for (size_t to : {size_t{1}, size_t{100}, size_t{10000}, MiB}) {
                const Request request = {from, align};
                void *block = nullptr;
                std::thread([&] {
                    block = allocate(request);
                    fill(block, from, from);
                }).join();
                void *resized = resize(block, request, to);
                ASSERT_NE(resized, nullptr);
                EXPECT_TRUE(holds(resized, std::min(from, to), from)) << request << " to " << to;
                release(resized, {to, align});
            }
}

// Large blocks leave addresses that another thread is given at once.
TEST(ResizeAcrossThreads, MovesLargeBlocksOfSeveralThreadsAtATime)
{
    std::vector<std::thread> threads;
    for (size_t number = 0; number < 3; number++)
        threads.emplace_back([number] {
            for (size_t i = 0; i < repetitions(3000); i++) {
                void *block = alloc_malloc(600 * KiB);
                fill(block, 1000, number);
                block = alloc_realloc(block, 600 * KiB, 3 * MiB);
                EXPECT_TRUE(holds(block, 1000, number));
                alloc_free(block, 3 * MiB);
            }
        });
    for (std::thread &thread : threads)
        thread.join();
}

#endif

} // namespace
