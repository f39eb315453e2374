// What programs do wrong with the unsized surface: sizes and alignments that are not the block's are reported and put
// right, or end the process where strictness is asked for, and so are pointers from elsewhere; double frees end it.
#include "gp_support.h"

#include <string>
#include <sys/mman.h>
#if ALLOC_THREADS
#include <thread>
#endif

using namespace support;

namespace
{

// One line, in which `arguments` are a regular expression for what follows the pointer.
std::string line(const std::string &function, const std::string &arguments, const std::string &what)
{
    return "alloc: " + function + "\\(0x[0-9a-f]+" + arguments + "\\): " + what + "\n";
}

std::string holds_slots(size_t size) { return "its slab holds slots of " + std::to_string(size) + " bytes"; }

std::string wrong_size(const std::string &function, size_t slot_size)
{
    return line(function, ", [0-9, ]+", "wrong size: " + holds_slots(slot_size));
}

const std::string nothing;

// Everything that is said in a process that goes on to its end, or aborts.
#define EXPECT_SAID(statement, lines) \
    EXPECT_EXIT(                      \
        {                             \
            statement;                \
            std::exit(0);             \
        },                            \
        testing::ExitedWithCode(0), "^" + (lines) + "$")
#define EXPECT_MISUSE(statement, lines) EXPECT_EXIT(statement, testing::KilledBySignal(SIGABRT), "^" + (lines) + "$")

class GpMisuse : public testing::Test
{
  protected:
    // The statement runs in a process of its own from the start, so that it may start threads.
    void SetUp() override { testing::FLAGS_gtest_death_test_style = "threadsafe"; }
};

using WrongSize = GpMisuse;

void be_strict() { ASSERT_EQ(alloc_option_set(ALLOC_OPTION_STRICT, 1), 0); }

// ---- wrong sizes ----------------------------------------------------------------------------------------------------

TEST_F(WrongSize, IsReportedOnceForEachClass)
{
    EXPECT_SAID(
        for (size_t i = 0; i < 3; i++) {
            unchecked::free_sized(unchecked::malloc(100), 200);
            unchecked::free_sized(unchecked::malloc(1000), 10 + i);
            unchecked::free_sized(unchecked::malloc(110), 1000); // of the first one's class
        },
        wrong_size("free_sized", 112) + wrong_size("free_sized", 1024));
}

TEST_F(WrongSize, IsReportedForLargeBlocks)
{
    const std::string block = line("free_sized", ", [0-9, ]+", "wrong size: .*");
    EXPECT_SAID(unchecked::free_sized(unchecked::malloc(MiB), 100), block);
    EXPECT_SAID(unchecked::free_sized(unchecked::malloc(MiB), MiB + 1), block);
    EXPECT_SAID(unchecked::free_sized(unchecked::malloc(100), MiB), wrong_size("free_sized", 112));
    EXPECT_SAID(unchecked::free_sized(unchecked::malloc(100), SIZE_MAX), wrong_size("free_sized", 112));
}

TEST_F(WrongSize, OfAnAlignedBlockIsReported)
{
    EXPECT_SAID(unchecked::free_aligned_sized(unchecked::aligned_alloc(8, 24), 16, 24),
                wrong_size("free_aligned_sized", 24));
    EXPECT_SAID(unchecked::free_aligned_sized(unchecked::aligned_alloc(64, 100), 64, 200),
                wrong_size("free_aligned_sized", 128));
    EXPECT_SAID(unchecked::free_aligned_sized(unchecked::aligned_alloc(64, 100), 0, 100),
                wrong_size("free_aligned_sized", 128));
    EXPECT_SAID(unchecked::free_aligned_sized(unchecked::aligned_alloc(64, 100), MiB, 100),
                wrong_size("free_aligned_sized", 128));
}

// It goes to where it belongs: the class's next block is the one just freed.
TEST_F(WrongSize, IsFreedForWhatItIs)
{
    EXPECT_SAID(
        {
            void *block = unchecked::malloc(100);
            unchecked::free_sized(block, 5000);
            if (unchecked::malloc(100) != block)
                std::exit(2);
        },
        wrong_size("free_sized", 112));
    EXPECT_SAID(
        {
            struct alloc_stats before;
            struct alloc_stats after;
            (void)alloc_stats(&before, sizeof before);
            unchecked::free_sized(unchecked::malloc(MiB), 5000);
            (void)alloc_stats(&after, sizeof after);
            if (before.large_live_bytes != after.large_live_bytes)
                std::exit(2);
        },
        line("free_sized", ", [0-9, ]+", "wrong size: .*"));
}

TEST_F(WrongSize, IsNotReportedWhereNothingIsToBeSaid)
{
    EXPECT_SAID(
        {
            (void)alloc_option_set(ALLOC_OPTION_VERBOSITY, 0);
            unchecked::free_sized(unchecked::malloc(100), 200);
            unchecked::free_sized(unchecked::malloc(MiB), 200);
        },
        nothing);
}

TEST_F(WrongSize, AbortsWhereStrictnessIsAskedFor)
{
    EXPECT_MISUSE(
        {
            be_strict();
            unchecked::free_sized(unchecked::malloc(100), 200);
        },
        wrong_size("free_sized", 112));
    EXPECT_MISUSE(
        {
            be_strict();
            unchecked::free_aligned_sized(unchecked::aligned_alloc(64, 100), 64, 200);
        },
        wrong_size("free_aligned_sized", 128));
    EXPECT_MISUSE(
        {
            be_strict();
            unchecked::free_sized(unchecked::malloc(MiB), 200);
        },
        line("free_sized", ", [0-9, ]+", "wrong size: .*"));
}

constexpr size_t asked_alignments[] = {1, 3, 8, 24, 33, 64, 100, 4096, 70000, 3 * MiB};
constexpr size_t asked_sizes[] = {100, 4000, 4096, 5000, 600 * KiB};

// Every size that the class serves, and alignments as they were asked for.
TEST_F(WrongSize, IsNoneOfTheClass)
{
    EXPECT_SAID(
        {
            be_strict();
            for (size_t size : edge_sizes()) {
                unchecked::free_sized(unchecked::malloc(size), size);
                unchecked::free_sized(unchecked::malloc(size), good_size(object(size)));
                unchecked::free_sized(unchecked::realloc(unchecked::malloc(100), size + 1), size + 1);
                for (size_t align : asked_alignments)
                    unchecked::free_aligned_sized(unchecked::memalign(align, size), align, size);
            }
        },
        nothing);
}

// A block that is large by its alignment alone stays where it is when its size does; its size is then an ordinary one.
TEST_F(WrongSize, IsNoneOfAResizedAlignedBlock)
{
    EXPECT_SAID(
        {
            be_strict();
            for (size_t size : asked_sizes)
                unchecked::free_sized(unchecked::realloc(unchecked::aligned_alloc(MiB, 100), size), size);
        },
        nothing);
}

#if ALLOC_THREADS

template <class Body> void in_thread(Body body) { std::thread(body).join(); }

TEST_F(WrongSize, PassedByAnotherThreadIsReported)
{
    EXPECT_SAID(
        {
            void *kept = unchecked::malloc(100);
            void *block = unchecked::malloc(100);
            in_thread([&] { unchecked::free_sized(block, 200); });
            in_thread([&] { unchecked::free_sized(kept, 200); });
        },
        wrong_size("free_sized", 112));
}

#endif

// ---- pointers from elsewhere ----------------------------------------------------------------------------------------

// Memory of every kind that was never handed out here, also where a large block could begin, and inside of blocks.
std::vector<void *> foreign_pointers()
{
    static char global[64];
    static void *const of_another_allocator[] = {std::malloc(100), std::malloc(4 * MiB)};
    char local[64];
    auto *large = static_cast<char *>(unchecked::malloc(4 * MiB));
    auto *mapped = static_cast<char *>(
        mmap(nullptr, 8 * MiB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    char *aligned = mapped + (-reinterpret_cast<uintptr_t>(mapped) & (MiB - 1));
    return {global,
            local + 1,
            of_another_allocator[0],
            of_another_allocator[1],
            mapped,
            aligned,
            aligned + MiB,
            large + 1,
            large + 4096,
            large + MiB,
            &errno,
            reinterpret_cast<void *>(8),
            reinterpret_cast<void *>(MiB),
            reinterpret_cast<void *>(SIZE_MAX),
            reinterpret_cast<void *>(SIZE_MAX - MiB + 1)};
}

std::string foreign()
{
    return line("free", "",
                "foreign pointer: (no block of this library begins there|it lies in a block of 4194304 bytes)");
}

TEST_F(GpMisuse, PointersFromElsewhereAreLeftAloneAndReportedOnce)
{
    EXPECT_SAID(
        for (void *pointer
             : foreign_pointers()) {
            if (alloc_gp_usable_size(pointer) != 0)
                std::exit(2);
            errno = 12345;
            unchecked::free(pointer);
            unchecked::free_sized(pointer, 100);
            unchecked::free_sized(pointer, 4 * MiB);
            unchecked::free_aligned_sized(pointer, 64, 100);
            if (errno != 12345)
                std::exit(3);
        },
        foreign());
    EXPECT_SAID(
        {
            ASSERT_EQ(alloc_option_set(ALLOC_OPTION_VERBOSITY, 0), 0);
            for (void *pointer : foreign_pointers())
                unchecked::free(pointer);
        },
        nothing);
}

TEST_F(GpMisuse, PointersFromElsewhereAreMisuseWhereStrictnessIsAskedFor)
{
    const size_t count = foreign_pointers().size();
    for (size_t i = 0; i < count; i++)
        EXPECT_MISUSE(
            {
                be_strict();
                unchecked::free(foreign_pointers()[i]);
            },
            foreign());
}

TEST_F(GpMisuse, NothingIsFreedWithoutAWord)
{
    EXPECT_SAID(
        {
            be_strict();
            unchecked::free(nullptr);
            unchecked::free_sized(nullptr, 100);
            unchecked::free_aligned_sized(nullptr, 64, 100);
        },
        nothing);
}

TEST_F(GpMisuse, OnlyBlocksHaveUsableSizes)
{
    for (size_t size : {8, 64, 80, 4096, 100000}) {
        auto *block = static_cast<char *>(unchecked::malloc(size));
        EXPECT_GE(alloc_gp_usable_size(block), size);
        for (size_t inside : {1, 8, 16, 40})
            if (inside < size) {
                EXPECT_EQ(alloc_gp_usable_size(block + inside), 0u) << size << " + " << inside;
            }
        const size_t slab = 64 * KiB; // behind it lies what was never handed out
        if (size < 100) {
            EXPECT_EQ(alloc_gp_usable_size(block + slab / 2 / good_size(object(size)) * good_size(object(size))), 0u);
        }
        unchecked::free(block);
    }
}

// ---- freed twice ----------------------------------------------------------------------------------------------------

class GpDoubleFree : public GpMisuse, public testing::WithParamInterface<size_t>
{
  protected:
    static std::string said() { return line("free", "", "double free: " + holds_slots(good_size(object(GetParam())))); }
};

TEST_P(GpDoubleFree, InARow)
{
    EXPECT_MISUSE(
        {
            void *kept = unchecked::malloc(GetParam()); // keeps the slab in use
            void *block = unchecked::malloc(GetParam());
            unchecked::free(block);
            unchecked::free(block);
            unchecked::free(kept);
        },
        said());
}

TEST_P(GpDoubleFree, WithItsSize)
{
    EXPECT_MISUSE(
        {
            void *kept = unchecked::malloc(GetParam());
            void *block = unchecked::malloc(GetParam());
            unchecked::free_sized(block, GetParam());
            unchecked::free_sized(block, GetParam());
            unchecked::free(kept);
        },
        said());
}

TEST_P(GpDoubleFree, WithAnotherInBetween)
{
    EXPECT_MISUSE(
        {
            void *kept = unchecked::malloc(GetParam());
            void *other = unchecked::malloc(GetParam());
            void *block = unchecked::malloc(GetParam());
            unchecked::free(block);
            unchecked::free(other);
            unchecked::free(block);
            unchecked::free(kept);
        },
        said());
}

#if ALLOC_THREADS

TEST_P(GpDoubleFree, ByAnotherThread)
{
    EXPECT_MISUSE(
        {
            void *kept = unchecked::malloc(GetParam());
            void *block = unchecked::malloc(GetParam());
            in_thread([&] {
                unchecked::free(block);
                unchecked::free(block);
            });
            unchecked::free(kept);
        },
        said());
}

TEST_P(GpDoubleFree, ByTwoOtherThreads)
{
    EXPECT_MISUSE(
        {
            void *kept = unchecked::malloc(GetParam());
            void *block = unchecked::malloc(GetParam());
            in_thread([&] { unchecked::free(block); });
            in_thread([&] { unchecked::free_sized(block, GetParam()); });
            unchecked::free(kept);
        },
        said());
}

#endif

INSTANTIATE_TEST_SUITE_P(OfSize, GpDoubleFree, testing::Values(8, 24, 112, 4096, 8192, 65536, 512 * KiB),
                         testing::PrintToStringParamName());

// A block in a slab that became empty and left its owner: not in the first one that did, nor in the last one in use.
void *block_of_an_empty_slab()
{
    std::vector<void *> blocks(1000);
    for (void *&block : blocks)
        block = unchecked::malloc(8192);
    for (void *block : blocks)
        unchecked::free(block);
    return blocks[blocks.size() / 2];
}

TEST_F(GpMisuse, FreeIntoASlabThatNobodyOwns)
{
    EXPECT_MISUSE(unchecked::free(block_of_an_empty_slab()), line("free", "", "not allocated: its slab holds nothing"));
    EXPECT_MISUSE(unchecked::free_sized(block_of_an_empty_slab(), 8192),
                  line("free", "", "not allocated: its slab holds nothing"));
}

TEST_F(GpMisuse, ResizeOfWhatIsInASlabThatNobodyOwns)
{
    EXPECT_MISUSE(unchecked::realloc(block_of_an_empty_slab(), 100),
                  line("realloc", "", "not allocated: its slab holds nothing"));
}

TEST_F(GpMisuse, FreeInsideOfASlot)
{
    for (size_t size : {64, 80, 4096})
        EXPECT_MISUSE(unchecked::free(static_cast<char *>(unchecked::malloc(size)) + 8),
                      line("free", "", "not the start of a slot: " + holds_slots(size)));
}

TEST_F(GpMisuse, ResizeInsideOfASlot)
{
    EXPECT_MISUSE((void)unchecked::realloc(static_cast<char *>(unchecked::malloc(80)) + 16, 1000),
                  line("realloc", "", "not the start of a slot: " + holds_slots(80)));
}

// ---- what only the debug build detects ------------------------------------------------------------------------------

#if ALLOC_DEBUG

using GpMisuseInDebug = GpMisuse;

TEST_F(GpMisuseInDebug, DoubleFreeAnyTimeLater)
{
    EXPECT_MISUSE(
        {
            void *first = unchecked::malloc(64);
            void *second = unchecked::malloc(64);
            unchecked::free(first);
            unchecked::free(second);
            unchecked::free(first);
        },
        line("free", "", "double free: " + holds_slots(64)));
}

TEST_F(GpMisuseInDebug, DoubleFreeOfALargeBlock)
{
    EXPECT_MISUSE(
        {
            void *block = unchecked::malloc(MiB);
            unchecked::free(block);
            unchecked::free(block);
        },
        line("free", "", "double free: .*"));
}

TEST_F(GpMisuseInDebug, ResizeOfWhatIsFree)
{
    for (size_t size : {100, 5000})
        EXPECT_MISUSE(
            {
                void *kept = unchecked::malloc(size);
                void *block = unchecked::malloc(size);
                unchecked::free(block);
                block = unchecked::realloc(block, size);
                unchecked::free(kept);
            },
            line("realloc", "", "double free: .*"));
}

#endif

} // namespace
