// The library loaded by a program that has allocated without it: both are there side by side, each with blocks of its own,
// and what the program had from the other one is no matter.
#include "../support.h"

#include <cerrno>
#include <dlfcn.h>
#include <fstream>
#include <string>
#if ALLOC_THREADS
#include <thread>
#endif

using namespace support;

namespace
{

// The library, from its being loaded to its being unloaded.
class Library
{
  public:
    Library() : handle(dlopen(ALLOC_MALLOC_LIBRARY, RTLD_NOW | RTLD_LOCAL))
    {
        if (handle == nullptr)
            return;
        malloc = function<void *(size_t)>("malloc");
        free = function<void(void *)>("free");
        realloc = function<void *(void *, size_t)>("realloc");
        usable_size = function<size_t(void *)>("malloc_usable_size");
        delete_sized = function<void(void *, size_t)>("_ZdlPvm");
    }
    ~Library() { dlclose(handle); }
    Library(const Library &) = delete;
    Library &operator=(const Library &) = delete;

    void *handle;
    void *(*malloc)(size_t) = nullptr;
    void (*free)(void *) = nullptr;
    void *(*realloc)(void *, size_t) = nullptr;
    size_t (*usable_size)(void *) = nullptr;
    void (*delete_sized)(void *, size_t) = nullptr;

  private:
    template <class Function> Function *function(const char *name) const
    {
        void *address = dlsym(handle, name);
        EXPECT_NE(address, nullptr) << name;
        return reinterpret_cast<Function *>(address);
    }
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

size_t count_mappings()
{
    std::ifstream maps("/proc/self/maps");
    size_t count = 0;
    for (std::string line; std::getline(maps, line);)
        count++;
    return count;
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
