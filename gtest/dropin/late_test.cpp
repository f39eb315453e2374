// The library loaded by a program that has allocated without it: both are there side by side, each with blocks of its own,
// and what the program had from the other one is no matter.
#include "../support/loaded.h"
#include "../support/support.h"

#include <cerrno>
#include <dlfcn.h>
#if ALLOC_THREADS
#include <thread>
#endif

using namespace support;

namespace
{

class Library : public Loaded
{
  public:
    Library() : Loaded(ALLOC_MALLOC_LIBRARY) {}

    void *(*malloc)(size_t) = function<void *(size_t)>("malloc");
    void (*free)(void *) = function<void(void *)>("free");
    void *(*realloc)(void *, size_t) = function<void *(void *, size_t)>("realloc");
    size_t (*usable_size)(void *) = function<size_t(void *)>("malloc_usable_size");
    void (*delete_sized)(void *, size_t) = function<void(void *, size_t)>("_ZdlPvm");
};

TEST(Late, LeavesTheSystemsBlocksAlone)
{
    constexpr size_t sizes[] = {1, 24, 100, 4096, 100000, MiB, 3 * MiB};
    void *(*const system_malloc)(size_t) = std::malloc; // as bound before the library is there
    void *before[std::size(sizes)];
    for (size_t i = 0; i < std::size(sizes); i++) {
        before[i] = system_malloc(sizes[i]);
        fill_edges(before[i], sizes[i], i);
    }
    Library library;
    ASSERT_NE(library.handle, nullptr) << dlerror();
    for (size_t i = 0; i < std::size(sizes); i++) {
        void *block = library.malloc(sizes[i]);
        ASSERT_NE(block, nullptr);
        EXPECT_GE(library.usable_size(block), sizes[i]);
        fill_edges(block, sizes[i], 100 + i);
        EXPECT_EQ(library.usable_size(before[i]), 0u) << sizes[i];
        void *resized = library.realloc(before[i], 2 * sizes[i]);
        ASSERT_NE(resized, nullptr) << sizes[i];
        EXPECT_TRUE(holds(resized, std::min(sizes[i], edge), i)) << sizes[i];
        errno = 12345;
        library.free(resized);
        library.free(system_malloc(sizes[i]));
        library.delete_sized(system_malloc(sizes[i]), sizes[i]);
        EXPECT_EQ(errno, 12345);
        EXPECT_TRUE(holds_edges(block, sizes[i], 100 + i));
        library.free(block);
    }
}

// What was allocated one time is freed the next time, and nothing is used up.
TEST(Late, LoadedAThousandTimes)
{
    void *block = nullptr;
    size_t mappings = 0;
    const size_t rounds = repetitions(1000);
    for (size_t round = 0; round <= rounds; round++) {
        if (round == rounds / 10)
            mappings = count_mappings();
        Library library;
        ASSERT_NE(library.handle, nullptr) << dlerror();
        ASSERT_TRUE(block == nullptr || holds(block, 100, round));
        library.free(block);
        block = library.malloc(100);
        fill(block, 100, round + 1);
#if ALLOC_THREADS
        if (round % 10 == 0)
            std::thread([&] { library.free(library.malloc(5000)); }).join();
#endif
    }
    EXPECT_LT(count_mappings(), mappings + 10);
}

} // namespace
