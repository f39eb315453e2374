// Misuse: each kind that a build promises to detect ends in one line that says what went wrong, and abort().
#include "support.h"

#if ALLOC_THREADS
#include <thread>
#endif

using namespace support;

namespace
{

// The one line of a misuse: `call` as a regular expression in which ADDRESS stands for the pointer.
std::string line(std::string call, const std::string &kind, const std::string &holds)
{
    call.replace(call.find("ADDRESS"), 7, "0x[0-9a-f]+");
    return "^alloc: " + call + ": " + kind + ": " + holds + "\n$";
}

std::string holds_slots(size_t size) { return "its slab holds slots of " + std::to_string(size) + " bytes"; }

#define EXPECT_MISUSE(statement, call, kind, holds) \
    EXPECT_EXIT(statement, testing::KilledBySignal(SIGABRT), line(call, kind, holds))

// The functions through pointers that compilers do not see through: they would warn of what these tests do.
namespace unchecked
{
void (*volatile free)(void *, size_t) = alloc_free;
void (*volatile free_aligned)(void *, size_t, size_t) = alloc_free_aligned;
void *(*volatile realloc)(void *, size_t, size_t) = alloc_realloc;
void *(*volatile rezalloc)(void *, size_t, size_t) = alloc_rezalloc;
void *(*volatile realloc_aligned)(void *, size_t, size_t, size_t) = alloc_realloc_aligned;
} // namespace unchecked

class Misuse : public testing::Test
{
  protected:
    // The statement runs in a process of its own from the start, so that it may start threads.
    void SetUp() override { testing::FLAGS_gtest_death_test_style = "threadsafe"; }
};

// ---- a size or an alignment of another class -----------------------------------------------------------------------

TEST_F(Misuse, FreeWithASmallerSize)
{
    void *block = alloc_malloc(200);
    EXPECT_MISUSE(unchecked::free(block, 100), "alloc_free\\(ADDRESS, 100\\)", "wrong size", holds_slots(256));
    unchecked::free(block, 200);
}

TEST_F(Misuse, FreeWithALargerSize)
{
    void *block = alloc_malloc(100);
    EXPECT_MISUSE(unchecked::free(block, 129), "alloc_free\\(ADDRESS, 129\\)", "wrong size", holds_slots(128));
    unchecked::free(block, 100);
}

TEST_F(Misuse, FreeOfNoBytesWithAnotherSize)
{
    void *block = alloc_malloc(100);
    EXPECT_MISUSE(unchecked::free(block, 0), "alloc_free\\(ADDRESS, 0\\)", "wrong size", holds_slots(128));
    unchecked::free(block, 100);
}

TEST_F(Misuse, FreeOfASlotWithALargeSize)
{
    void *block = alloc_malloc(100);
    EXPECT_MISUSE(unchecked::free(block, 1 << 20), "alloc_free\\(ADDRESS, 1048576\\)", "wrong size", holds_slots(128));
    EXPECT_MISUSE(unchecked::free(block, SIZE_MAX), "alloc_free\\(ADDRESS, 18446744073709551615\\)", "wrong size",
                  holds_slots(128));
    unchecked::free(block, 100);
}

TEST_F(Misuse, FreeWithAnotherAlignment)
{
    void *block = alloc_malloc_aligned(24, 8);
    EXPECT_MISUSE(unchecked::free_aligned(block, 24, 16), "alloc_free_aligned\\(ADDRESS, 24, 16\\)", "wrong size",
                  holds_slots(24));
    EXPECT_MISUSE(unchecked::free_aligned(block, 24, MiB), "alloc_free_aligned\\(ADDRESS, 24, 1048576\\)", "wrong size",
                  holds_slots(24));
    unchecked::free_aligned(block, 24, 8);
}

TEST_F(Misuse, FreeWithAnInvalidAlignment)
{
    void *block = alloc_malloc_aligned(24, 8);
    EXPECT_MISUSE(unchecked::free_aligned(block, 24, 12), "alloc_free_aligned\\(ADDRESS, 24, 12\\)", "wrong alignment",
                  ".*");
    unchecked::free_aligned(block, 24, 8);
}

TEST_F(Misuse, FreeByTheOtherFamily)
{
    void *natural = alloc_malloc(100), *aligned = alloc_malloc_aligned(100, 4);
    EXPECT_MISUSE(unchecked::free_aligned(natural, 100, 8), "alloc_free_aligned\\(ADDRESS, 100, 8\\)", "wrong size",
                  holds_slots(128));
    EXPECT_MISUSE(unchecked::free(aligned, 100), "alloc_free\\(ADDRESS, 100\\)", "wrong size", holds_slots(112));
    unchecked::free(natural, 100);
    unchecked::free_aligned(aligned, 100, 4);
}

TEST_F(Misuse, ResizeFromAnotherSize)
{
    void *block = alloc_malloc(100), *aligned = alloc_malloc_aligned(100, 8);
    EXPECT_MISUSE(unchecked::realloc(block, 200, 300), "alloc_realloc\\(ADDRESS, 200\\)", "wrong size",
                  holds_slots(128));
    EXPECT_MISUSE(unchecked::realloc(block, MiB, 300), "alloc_realloc\\(ADDRESS, 1048576\\)", "wrong size",
                  holds_slots(128));
    EXPECT_MISUSE(unchecked::realloc(block, 20, 30), "alloc_realloc\\(ADDRESS, 20\\)", "wrong size", holds_slots(128));
    EXPECT_MISUSE(unchecked::rezalloc(block, 200, 300), "alloc_rezalloc\\(ADDRESS, 200\\)", "wrong size",
                  holds_slots(128));
    EXPECT_MISUSE(unchecked::realloc_aligned(aligned, 200, 300, 8), "alloc_realloc_aligned\\(ADDRESS, 200, 8\\)",
                  "wrong size", holds_slots(112));
    unchecked::free(block, 100);
    unchecked::free_aligned(aligned, 100, 8);
}

// ---- what is not allocated -----------------------------------------------------------------------------------------

// A block in a slab that became empty and left its owner: not in the first one that did, nor in the last one in use.
void *block_of_an_empty_slab(size_t size)
{
    std::vector<void *> blocks(4 * MiB / size);
    for (void *&block : blocks)
        block = alloc_malloc(size);
    for (void *block : blocks)
        unchecked::free(block, size);
    return blocks[blocks.size() / 2];
}

TEST_F(Misuse, FreeIntoASlabThatNobodyOwns)
{
    EXPECT_MISUSE(unchecked::free(block_of_an_empty_slab(8192), 8192), "alloc_free\\(ADDRESS, 8192\\)", "not allocated",
                  "its slab holds nothing");
    EXPECT_MISUSE(unchecked::free(block_of_an_empty_slab(64), 64), "alloc_free\\(ADDRESS, 64\\)", "not allocated",
                  "its slab holds nothing");
}

TEST_F(Misuse, ResizeOfWhatIsInASlabThatNobodyOwns)
{
    EXPECT_MISUSE(unchecked::realloc(block_of_an_empty_slab(64), 64, 50), "alloc_realloc\\(ADDRESS, 64\\)",
                  "not allocated", "its slab holds nothing");
}

// ---- freed twice ---------------------------------------------------------------------------------------------------

// In slabs of every kind.
class DoubleFree : public Misuse, public testing::WithParamInterface<size_t>
{
  protected:
    static std::string call(const char *rest = "")
    {
        return "alloc_free\\(ADDRESS, " + std::to_string(GetParam()) + rest + "\\)";
    }
};

TEST_P(DoubleFree, InARow)
{
    const size_t size = GetParam();
    void *kept = alloc_malloc(size), *block = alloc_malloc(size); // one keeps the slab in use
    EXPECT_MISUSE(
        {
            unchecked::free(block, size);
            unchecked::free(block, size);
        },
        call(), "double free", holds_slots(size));
    unchecked::free(block, size);
    unchecked::free(kept, size);
}

#if ALLOC_THREADS

template <class Body> void in_thread(Body body) { std::thread(body).join(); }

TEST_P(DoubleFree, InARowByAnotherThread)
{
    const size_t size = GetParam();
    void *kept = alloc_malloc(size), *block = alloc_malloc(size);
    EXPECT_MISUSE(in_thread([&] {
                      unchecked::free(block, size);
                      unchecked::free(block, size);
                  }),
                  call(), "double free", holds_slots(size));
    unchecked::free(block, size);
    unchecked::free(kept, size);
}

TEST_P(DoubleFree, ByAnotherThreadWithManyFreesInBetween)
{
    const size_t size = GetParam();
    std::vector<void *> blocks(1000);
    for (void *&block : blocks)
        block = alloc_malloc(size);
    EXPECT_MISUSE(in_thread([&] {
                      for (size_t i = 0; i < blocks.size() / 2; i++) // the others keep the slabs in use
                          unchecked::free(blocks[2 * i], size);
                      unchecked::free(blocks[0], size);
                  }),
                  call(), "double free", holds_slots(size));
    for (void *block : blocks)
        unchecked::free(block, size);
}

TEST_P(DoubleFree, ByTwoOtherThreads)
{
    const size_t size = GetParam();
    void *kept = alloc_malloc(size), *block = alloc_malloc(size);
    EXPECT_MISUSE(
        {
            in_thread([&] { unchecked::free(block, size); });
            in_thread([&] { unchecked::free(block, size); });
        },
        call(), "double free", holds_slots(size));
    unchecked::free(block, size);
    unchecked::free(kept, size);
}

#endif

INSTANTIATE_TEST_SUITE_P(OfSize, DoubleFree, testing::Values(1, 4, 64, 4096, 8192, 16384, 32768, 65536),
                         testing::PrintToStringParamName());

// Whichever of the slots that its bin holds back it is, or one whose bit is set already.
TEST_P(DoubleFree, WithOthersInBetween)
{
    const size_t size = GetParam();
    std::vector<void *> blocks(20); // the others keep the slabs in use
    for (void *&block : blocks)
        block = alloc_malloc(size);
    for (size_t others = 1; others < 10; others++)
        EXPECT_MISUSE(
            {
                for (size_t i = 0; i <= others; i++)
                    unchecked::free(blocks[2 * i], size);
                unchecked::free(blocks[0], size);
            },
            call(), "double free", holds_slots(size));
    for (void *block : blocks)
        unchecked::free(block, size);
}

// A heap holds the few slots that it freed last apart from the map: those freed before and after push it out of there.
TEST_F(Misuse, DoubleFreeLater)
{
    for (size_t size : {4, 32768}) {
        std::vector<void *> blocks(30); // a slab's, so that it stays in use
        for (void *&block : blocks)
            block = alloc_malloc(size);
        EXPECT_MISUSE(
            {
                for (size_t i = 0; i < 20; i++)
                    unchecked::free(blocks[i], size);
                unchecked::free(blocks[10], size);
            },
            "alloc_free\\(ADDRESS, [0-9]+\\)", "double free", holds_slots(size));
        for (void *block : blocks)
            unchecked::free(block, size);
    }
}

TEST_F(Misuse, DoubleFreeOfTheAlignedFamily)
{
    void *kept = alloc_malloc_aligned(24, 8), *block = alloc_malloc_aligned(24, 8);
    EXPECT_MISUSE(
        {
            unchecked::free_aligned(block, 24, 8);
            unchecked::free_aligned(block, 24, 8);
        },
        "alloc_free_aligned\\(ADDRESS, 24, 8\\)", "double free", holds_slots(24));
    unchecked::free_aligned(block, 24, 8);
    unchecked::free_aligned(kept, 24, 8);
}

// ---- not a block's start ---------------------------------------------------------------------------------------------

constexpr const char *inside = "not the start of a slot";

TEST_F(Misuse, FreeOfTheInsideOfABlock)
{
    for (size_t size : {16, 64, 4096, 65536, 524288}) {
        char *block = static_cast<char *>(alloc_malloc(size));
        EXPECT_MISUSE(unchecked::free(block + 8, size), "alloc_free\\(ADDRESS, [0-9]+\\)", inside, holds_slots(size));
        EXPECT_MISUSE(unchecked::realloc(block + 8, size, size + 1), "alloc_realloc\\(ADDRESS, [0-9]+\\)", inside,
                      holds_slots(size));
        unchecked::free(block, size);
    }
    char *block = static_cast<char *>(alloc_malloc_aligned(96, 8));
    EXPECT_MISUSE(unchecked::free_aligned(block + 8, 96, 8), "alloc_free_aligned\\(ADDRESS, 96, 8\\)", inside,
                  holds_slots(96));
#if ALLOC_THREADS
    EXPECT_MISUSE(in_thread([&] { unchecked::free_aligned(block + 32, 96, 8); }),
                  "alloc_free_aligned\\(ADDRESS, 96, 8\\)", inside, holds_slots(96));
#endif
    unchecked::free_aligned(block, 96, 8);
}

#if ALLOC_THREADS

TEST_F(Misuse, FreeByAnotherThreadOfWhatWasNeverHandedOut)
{
    char *block = static_cast<char *>(alloc_malloc(8192)); // the first of its slab's eight
    EXPECT_MISUSE(in_thread([&] { unchecked::free(block + 7 * 8192, 8192); }), "alloc_free\\(ADDRESS, 8192\\)",
                  ALLOC_DEBUG ? "double free" : "not allocated", holds_slots(8192));
    unchecked::free(block, 8192);
}

#endif

// ---- what only the debug build detects ------------------------------------------------------------------------------

TEST_F(Misuse, DoubleFreeOfALargeBlock)
{
    void *block = alloc_malloc(MiB);
    EXPECT_MISUSE(
        {
            unchecked::free(block, MiB);
            unchecked::free(block, MiB);
        },
        "alloc_free\\(ADDRESS, 1048576\\)", "double free", "no block of this library begins there");
    unchecked::free(block, MiB);
}

TEST_F(Misuse, FreeOfALargeBlockWithAnotherLargeSize)
{
    void *block = alloc_malloc(MiB);
    EXPECT_MISUSE(unchecked::free(block, MiB - 4096), "alloc_free\\(ADDRESS, 1044480\\)", "wrong size",
                  "it is a block of 1048576 bytes");
    EXPECT_MISUSE(unchecked::realloc(block, 2 * MiB, MiB), "alloc_realloc\\(ADDRESS, 2097152\\)", "wrong size",
                  "it is a block of 1048576 bytes");
    unchecked::free(block, MiB);
}

TEST_F(Misuse, FreeOfWhatBeginsNoLargeBlock)
{
    static char global[64];
    char *block = static_cast<char *>(alloc_malloc(MiB));
    EXPECT_MISUSE(unchecked::free(global, MiB), "alloc_free\\(ADDRESS, 1048576\\)", "foreign pointer",
                  "no block of this library begins there");
    EXPECT_MISUSE(unchecked::free(block + 4096, MiB), "alloc_free\\(ADDRESS, 1048576\\)", "foreign pointer",
                  "it lies in a block of 1048576 bytes");
    EXPECT_MISUSE(unchecked::free(block + MiB - 1, MiB), "alloc_free\\(ADDRESS, 1048576\\)", "foreign pointer",
                  "it lies in a block of 1048576 bytes");
    unchecked::free(block, MiB);
}

#if ALLOC_DEBUG

using MisuseInDebug = Misuse;

TEST_F(MisuseInDebug, DoubleFreeOfAListSlotAnyTimeLater)
{
    void *kept = alloc_malloc(64), *first = alloc_malloc(64), *second = alloc_malloc(64);
    EXPECT_MISUSE(
        {
            unchecked::free(first, 64);
            unchecked::free(second, 64);
            unchecked::free(first, 64);
        },
        "alloc_free\\(ADDRESS, 64\\)", "double free", holds_slots(64));
    unchecked::free(first, 64);
    unchecked::free(second, 64);
    unchecked::free(kept, 64);
}

#if ALLOC_THREADS
TEST_F(MisuseInDebug, DoubleFreeByTheOwnerAfterAnotherThread)
{
    void *kept = alloc_malloc(64), *block = alloc_malloc(64);
    EXPECT_MISUSE(
        {
            in_thread([&] { unchecked::free(block, 64); });
            unchecked::free(block, 64);
        },
        "alloc_free\\(ADDRESS, 64\\)", "double free", holds_slots(64));
    unchecked::free(block, 64);
    unchecked::free(kept, 64);
}
#endif

TEST_F(MisuseInDebug, ResizeOfWhatIsFree)
{
    void *kept = alloc_malloc(64), *block = alloc_malloc(64);
    EXPECT_MISUSE(
        {
            unchecked::free(block, 64);
            unchecked::realloc(block, 64, 50);
        },
        "alloc_realloc\\(ADDRESS, 64\\)", "double free", holds_slots(64));
    unchecked::free(block, 64);
    unchecked::free(kept, 64);
}

TEST_F(MisuseInDebug, FreeOfALargeBlockWithASmallSize)
{
    void *block = alloc_malloc(MiB);
    EXPECT_MISUSE(unchecked::free(block, 100), "alloc_free\\(ADDRESS, 100\\)", "wrong size",
                  "it is a block of 1048576 bytes");
    unchecked::free(block, MiB);
}

TEST_F(MisuseInDebug, FreeInsideABlock)
{
    char *slot = static_cast<char *>(alloc_malloc(64)), *large = static_cast<char *>(alloc_malloc(MiB));
    EXPECT_MISUSE(unchecked::free(slot + 8, 64), "alloc_free\\(ADDRESS, 64\\)", "not the start of a slot",
                  holds_slots(64));
    EXPECT_MISUSE(unchecked::free(large + 4096, MiB), "alloc_free\\(ADDRESS, 1048576\\)", "foreign pointer",
                  "it lies in a block of 1048576 bytes");
    unchecked::free(slot, 64);
    unchecked::free(large, MiB);
}

TEST_F(MisuseInDebug, FreeOfWhatWasNeverAllocated)
{
    static char global[64];
    char local[64];
    void *foreign = std::malloc(64);
    for (void *never : {static_cast<void *>(global), static_cast<void *>(local), foreign}) {
        EXPECT_MISUSE(unchecked::free(never, 64), "alloc_free\\(ADDRESS, 64\\)", "foreign pointer",
                      "no block of this library begins there");
        EXPECT_MISUSE(unchecked::free(never, MiB), "alloc_free\\(ADDRESS, 1048576\\)", "foreign pointer",
                      "no block of this library begins there");
    }
    std::free(foreign);
}

#endif

} // namespace
