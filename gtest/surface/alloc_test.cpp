// Allocating and freeing by both families: odd sizes, zeroing, errors, errno, and lives in random order against a model.
#include "shadow.h"
#include "support.h"

#include <cerrno>
#include <set>
#include <sys/resource.h>

using namespace support;

namespace
{

// ---- both families ------------------------------------------------------------------------------------------------

template <size_t Align> struct Family {
    static constexpr size_t align = Align;
};

struct FamilyName {
    template <class T> static std::string GetName(int)
    {
        return T::align == 0 ? "Natural" : "Aligned" + std::to_string(T::align);
    }
};

template <class T> class EveryFamily : public testing::Test
{
  protected:
    static constexpr size_t align = T::align;

    // A size on either side of every way a block can be kept: small, medium and large slabs, mappings.
    static std::vector<Request> requests()
    {
        std::vector<Request> all;
        for (size_t size : {1, 3, 8, 24, 100, 1000, 4096, 5000, 8192, 10000, 65536, 524288, 524289, 1500000})
            all.push_back({size, align});
        return all;
    }
};

using Families = testing::Types<Family<0>, Family<1>, Family<8>, Family<64>, Family<4096>, Family<2 * MiB>>;
TYPED_TEST_SUITE(EveryFamily, Families, FamilyName);

TYPED_TEST(EveryFamily, GivesAUniquePointerForNoBytes)
{
    volatile size_t no_bytes = 0; // hidden from the compiler, which would warn
    const Request none = {no_bytes, this->align};
    std::set<void *> blocks;
    for (size_t i = 0; i < 1000; i++) {
        void *block = i % 2 == 0 ? allocate(none) : allocate_zeroed(none);
        ASSERT_NE(block, nullptr);
        ASSERT_TRUE(is_aligned(block, promised_align(none)));
        ASSERT_TRUE(blocks.insert(block).second);
        fill(block, 1, i); // size 0 behaves as size 1
    }
    EXPECT_EQ(good_size(none), good_size({1, this->align}));
    bool as_none = false;
    for (void *block : blocks)
        release(block, {(as_none = !as_none) ? 0UL : 1UL, this->align});
}

TYPED_TEST(EveryFamily, IgnoresNullWhateverItsSize)
{
    for (size_t size : {size_t{0}, size_t{1}, size_t{4096}, MiB, size_t{PTRDIFF_MAX}, SIZE_MAX})
        release(nullptr, {size, this->align});
}

TYPED_TEST(EveryFamily, ZeroesRecycledMemory)
{
    for (const Request request : this->requests()) {
        const bool is_mapping = good_size(request) > slot_size_max || this->align > slot_size_max;
        const size_t count = is_mapping ? 100 : std::clamp<size_t>(5 * MiB / request.size, 4, 20000); // several slabs
        std::set<void *> dirtied;
        for (size_t i = 0; i < count; i++) {
            void *block = allocate(request);
            ASSERT_NE(block, nullptr) << request;
            std::memset(block, 0xff, good_size(request));
            dirtied.insert(block);
        }
        for (void *block : dirtied)
            release(block, request);

        std::vector<void *> zeroed;
        size_t recycled = 0;
        for (size_t i = 0; i < count; i++) {
            zeroed.push_back(this->align == 0 && i % 2 == 0 ? alloc_calloc(request.size, 1) : allocate_zeroed(request));
            ASSERT_NE(zeroed[i], nullptr) << request;
            ASSERT_TRUE(is_zero(zeroed[i], 0, request.size)) << request;
            std::memset(zeroed[i], 0xff, good_size(request));
            recycled += dirtied.count(zeroed[i]);
        }
        for (void *block : zeroed)
            release(block, request);
        EXPECT_TRUE(is_mapping || recycled > 0) << request << ": nothing had to be zeroed";
    }
}

TYPED_TEST(EveryFamily, RefusesASizeNobodyCanHave)
{
    for (size_t size :
         {size_t{PTRDIFF_MAX} + 1, SIZE_MAX - 4095, SIZE_MAX - 1, SIZE_MAX, size_t{PTRDIFF_MAX}, SIZE_MAX / 4}) {
        for (auto *function : {allocate, allocate_zeroed}) {
            errno = 0;
            EXPECT_EQ(function({size, this->align}), nullptr) << size;
            EXPECT_EQ(errno, ENOMEM) << size;
        }
    }
}

TYPED_TEST(EveryFamily, KeepsErrnoWhenFreeing)
{
    for (const Request request : this->requests()) {
        std::vector<void *> blocks(
            std::clamp<size_t>(64 * MiB / request.size, 4, 3000)); // slabs empty, memory goes back
        for (void *&block : blocks)
            block = allocate(request);
        errno = EILSEQ;
        for (void *block : blocks)
            release(block, request);
        release(nullptr, request);
        EXPECT_EQ(errno, EILSEQ) << request;
    }
}

// ---- one family ---------------------------------------------------------------------------------------------------

TEST(Calloc, ZeroesEveryElement)
{
    for (size_t count : {1, 3, 100, 100000}) {
        char *block = static_cast<char *>(alloc_calloc(count, 24));
        ASSERT_NE(block, nullptr);
        EXPECT_TRUE(is_zero(block, 0, count * 24));
        std::memset(block, 0xff, count * 24);
        alloc_free(block, count * 24);
    }
}

TEST(Calloc, GivesAUniquePointerForNoBytes)
{
    void *first = alloc_calloc(0, 100), *second = alloc_calloc(100, 0);
    ASSERT_NE(first, nullptr);
    ASSERT_NE(second, nullptr);
    EXPECT_NE(first, second);
    alloc_free(first, 0);
    alloc_free(second, 0);
}

// Products that wrap to something small, and one that is just more than anybody can have.
TEST(Calloc, RefusesWhatOverflows)
{
    const size_t half = size_t{1} << 32;
    const size_t products[][2] = {{half, half},          {half + 1, half},        {SIZE_MAX, 2},
                                  {2, SIZE_MAX},         {SIZE_MAX, SIZE_MAX},    {SIZE_MAX / 3 + 1, 3},
                                  {3, SIZE_MAX / 3 + 1}, {SIZE_MAX / 16 + 2, 16}, {half, half / 2}};
    for (const auto &[count, size] : products) {
        errno = 0;
        EXPECT_EQ(alloc_calloc(count, size), nullptr) << count << " * " << size;
        EXPECT_EQ(errno, ENOMEM) << count << " * " << size;
    }
}

// Addresses are all that a large alignment costs; what nobody can have is memory that is short.
TEST(Aligned, ToMoreThanAnyNaturalAlignment)
{
    for (size_t align = 2 * ALLOC_ALIGN_MAX; align <= 1024 * MiB; align *= 2)
        for (size_t size : {size_t{1}, 100 * KiB, 3 * MiB}) {
            void *block = alloc_malloc_aligned(size, align);
            ASSERT_NE(block, nullptr) << align;
            EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % align, 0u);
            std::memset(block, 1, size);
            alloc_free_aligned(block, size, align);
        }
    const volatile size_t impossible = size_t{1} << 62; // hidden from the compiler, which would warn
    errno = 0;
    EXPECT_EQ(alloc_malloc_aligned(100, impossible), nullptr);
    EXPECT_EQ(errno, ENOMEM);
}

TEST(AlignedFamily, RefusesAnInvalidAlignment)
{
    char *block = static_cast<char *>(alloc_malloc_aligned(100, 8));
    fill(block, 100, 1);
    for (size_t align : {size_t{0}, size_t{3}, size_t{24}, ALLOC_ALIGN_MAX + 1, 3 * ALLOC_ALIGN_MAX, SIZE_MAX}) {
        for (size_t size : {size_t{0}, size_t{100}, MiB, SIZE_MAX}) {
            errno = 0;
            EXPECT_EQ(alloc_malloc_aligned(size, align), nullptr) << size << " at " << align;
            EXPECT_EQ(errno, EINVAL) << size << " at " << align;
            errno = 0;
            EXPECT_EQ(alloc_zalloc_aligned(size, align), nullptr) << size << " at " << align;
            EXPECT_EQ(errno, EINVAL) << size << " at " << align;
            errno = 0;
            EXPECT_EQ(alloc_realloc_aligned(nullptr, 0, size, align), nullptr) << size << " at " << align;
            EXPECT_EQ(errno, EINVAL) << size << " at " << align;
            errno = 0;
            EXPECT_EQ(alloc_realloc_aligned(block, 100, size, align), nullptr) << size << " at " << align;
            EXPECT_EQ(errno, EINVAL) << size << " at " << align;
        }
    }
    EXPECT_TRUE(holds(block, 100, 1));
    alloc_free_aligned(block, 100, 8);
}

TEST(Version, IsThatOfTheHeader)
{
    EXPECT_EQ(alloc_version(), unsigned{ALLOC_VERSION});
    EXPECT_EQ(alloc_version_string(), std::to_string(ALLOC_VERSION_MAJOR) + "." + std::to_string(ALLOC_VERSION_MINOR) +
                                          "." + std::to_string(ALLOC_VERSION_PATCH));
}

// ---- the end of memory --------------------------------------------------------------------------------------------

// Blocks chained through themselves, the rest of each filled: to remember them takes no memory.
struct Chain {
    struct Link {
        Link *next;
        char rest[];
    };
    Link *first = nullptr;
    size_t count = 0;

    // Allocates until there is no more.
    void exhaust(Request request)
    {
        errno = 0;
        while (auto *link = static_cast<Link *>(allocate(request))) {
            link->next = first;
            fill(link->rest, request.size - sizeof *link, count++);
            first = link;
        }
        EXPECT_EQ(errno, ENOMEM) << request;
    }

    void release_all(Request request)
    {
        while (first != nullptr) {
            Link *next = first->next;
            EXPECT_TRUE(holds(first->rest, request.size - sizeof *first, --count));
            release(first, request);
            first = next;
        }
    }
};

class EndOfMemory : public testing::TestWithParam<size_t>
{
};

TEST_P(EndOfMemory, IsReportedAndLosesNothing)
{
    if (TEST_SANITIZED)
        GTEST_SKIP() << "a sanitizer does not survive a limit on memory";
    expect_in_child([] {
        const Request request = {GetParam(), 0};
        void *early = allocate(request); // what a library that just started still needs is not the subject
        const size_t room = (ALLOC_DEBUG ? 48 : 96) * MiB; // a debug build takes some for its own knowledge
        const rlimit data = {process_bytes("/proc/self/status", "VmData:") + room, RLIM_INFINITY};
        ASSERT_EQ(setrlimit(RLIMIT_DATA, &data), 0);
        Chain chain;
        chain.exhaust(request);
        const size_t count = chain.count;
        EXPECT_GT(count, room / (ALLOC_DEBUG ? 4 : 2) / request.size);
        chain.release_all(request);
        chain.exhaust(request);
        EXPECT_GE(chain.count, count);
        chain.release_all(request);
        release(early, request);
    });
}

// What runs out first, slabs or what the library notes about them, depends on where the limit falls.
TEST(EndOfMemorySteps, LoseNothingWhereverTheLimitFalls)
{
    if (TEST_SANITIZED)
        GTEST_SKIP() << "a sanitizer does not survive a limit on memory";
    for (size_t step = 0; step < 8; step++)
        expect_in_child([step] {
            const Request request = {8, 0};
            void *early = allocate(request);
            const size_t room = 64 * MiB + step * 512 * KiB; // more than the library keeps of what is free
            const rlimit data = {process_bytes("/proc/self/status", "VmData:") + room, RLIM_INFINITY};
            ASSERT_EQ(setrlimit(RLIMIT_DATA, &data), 0);
            Chain chain;
            chain.exhaust(request);
            const size_t count = chain.count;
            chain.release_all(request);
            chain.exhaust(request);
            EXPECT_GE(chain.count, count - count / 16) << "step " << step;
            chain.release_all(request);
            release(early, request);
        });
}

// Fewer addresses than the library would like to reserve at a time, before it has reserved any.
TEST_P(EndOfMemory, LeavesTheUseOfFewAddresses)
{
    if (TEST_SANITIZED || ALLOC_DEBUG)
        GTEST_SKIP() << "what watches the library takes more addresses than the library";
    for (size_t room : {32 * MiB, 64 * MiB, 112 * MiB, 160 * MiB, 260 * MiB})
        expect_in_child([room] {
            const Request request = {GetParam(), 0};
            const rlimit addresses = {process_bytes("/proc/self/status", "VmSize:") + room, RLIM_INFINITY};
            ASSERT_EQ(setrlimit(RLIMIT_AS, &addresses), 0);
            Chain chain;
            chain.exhaust(request);
            EXPECT_GT(chain.count, room / 2 / request.size) << room;
            chain.release_all(request);
        });
}

INSTANTIATE_TEST_SUITE_P(For, EndOfMemory, testing::Values(8, 64, 1024, 8192, 65536, 524288, 1048576),
                         testing::PrintToStringParamName());

// ---- lives in random order ----------------------------------------------------------------------------------------

// Phases of growth and of decline, so that slabs fill, empty and are given back.
TEST(RandomLives, NeverOverlapAndKeepTheirContents)
{
    Random random(0);
    Shadow shadow;
    size_t most = 1;
    for (size_t step = 0; step < repetitions(400000); step++) {
        if (step % 20000 == 0)
            most = 1 + random.below(12000);
        if (shadow.count() < most && !random.one_in(4)) {
            const Request request = random.request();
            ASSERT_TRUE(shadow.add(random.one_in(8) ? allocate_zeroed(request) : allocate(request), request));
        } else if (shadow.count() != 0) {
            const Shadow::Block block = shadow.take(random);
            ASSERT_TRUE(holds(block.ptr, block.request.size, block.mark)) << block.request;
            if (random.one_in(4)) {
                const Request resized = {random.request().size, block.request.align};
                void *ptr = resize(block.ptr, block.request, resized.size);
                ASSERT_TRUE(holds(ptr, std::min(block.request.size, resized.size), block.mark)) << block.request;
                ASSERT_TRUE(shadow.add(ptr, resized));
            } else
                release(block.ptr, block.request);
        }
    }
    while (shadow.count() != 0) {
        const Shadow::Block block = shadow.take(random);
        ASSERT_TRUE(holds(block.ptr, block.request.size, block.mark)) << block.request;
        release(block.ptr, block.request);
    }
}

} // namespace
