// A program that is not linked with the library and loads it when it pleases: a thousand times, in threads that outlive
// what they loaded, around a fork. Nothing of the process is used up by that.
#include "loaded.h"
#include "support.h"

#include <atomic>
#include <climits>
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <pthread.h>
#include <thread>

using namespace support;

namespace
{

class Library : public Loaded
{
  public:
    Library() : Loaded(ALLOC_LIBRARY) {}

    bool is_usable() const
    {
        if (malloc == nullptr || free == nullptr)
            return false;
        for (size_t size : {1, 100, 8192, 70000, 600000}) {
            void *block = malloc(size);
            if (block == nullptr)
                return false;
            fill_edges(block, size, size);
            if (!holds_edges(block, size, size))
                return false;
            free(block, size);
        }
        return true;
    }

    decltype(alloc_malloc) *malloc = function<decltype(alloc_malloc)>("alloc_malloc");
    decltype(alloc_free) *free = function<decltype(alloc_free)>("alloc_free");
};

size_t count_free_keys()
{
    std::vector<pthread_key_t> keys;
    for (pthread_key_t key; keys.size() < PTHREAD_KEYS_MAX && pthread_key_create(&key, nullptr) == 0;)
        keys.push_back(key);
    for (pthread_key_t key : keys)
        pthread_key_delete(key);
    return keys.size();
}

// Each time it is used by the first thread and by a new one, and what was allocated one time is freed the next time.
TEST(Dlopen, AThousandTimesUsesNothingUp)
{
    alarm(120);
    constexpr size_t size = 100;
    void *block = nullptr;
    size_t mappings = 0, keys = 0, resident = 0;
    const size_t rounds = repetitions(1000);
    for (size_t round = 0; round <= rounds; round++) {
        if (round == rounds / 10) {
            mappings = count_mappings();
            keys = count_free_keys();
            resident = resident_bytes();
        }
        Library library;
        ASSERT_TRUE(library.is_usable()) << dlerror();
        std::thread([&] { EXPECT_TRUE(library.is_usable()); }).join();
        ASSERT_TRUE(block == nullptr || holds(block, size, round));
        library.free(block, size);
        block = library.malloc(size);
        fill(block, size, round + 1);
    }
    EXPECT_EQ(count_free_keys(), keys);
    EXPECT_GT(keys, 0u);
    // A sanitizer keeps books of what is loaded.
    EXPECT_TRUE(TEST_SANITIZED || count_mappings() < mappings + 5) << mappings << " to " << count_mappings();
    EXPECT_TRUE(TEST_SANITIZED || resident_bytes() < resident + 1 * MiB) << resident << " to " << resident_bytes();
    alarm(0);
}

TEST(Dlopen, BySeveralThreadsAtOnceUsesNothingUp)
{
    alarm(120);
    auto load_often = [] {
        for (size_t round = 0; round < repetitions(1000); round++)
            ASSERT_TRUE(Library().is_usable());
    };
    std::thread(load_often).join();
    const size_t keys = count_free_keys();
    std::thread threads[] = {std::thread(load_often), std::thread(load_often), std::thread(load_often)};
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(count_free_keys(), keys);
    alarm(0);
}

// The library hears of the exit although nobody has it open any more.
TEST(Dlclose, ComesBeforeTheExitOfThreadsThatUsedTheLibrary)
{
    expect_in_child([] {
        std::atomic<bool> is_used{false}, is_closed{false};
        std::thread thread([&] {
            {
                Library library;
                EXPECT_TRUE(library.is_usable());
            }
            is_used = true;
            while (!is_closed)
                std::this_thread::yield();
        });
        while (!is_used)
            std::this_thread::yield();
        {
            Library library; // the only one that has it open now
        }
        is_closed = true;
        thread.join();
        EXPECT_TRUE(Library().is_usable());
    });
}

TEST(Dlclose, ComesBeforeAFork)
{
    expect_in_child([] {
        EXPECT_TRUE(Library().is_usable());
        expect_in_child([] { EXPECT_TRUE(Library().is_usable()); });
        EXPECT_TRUE(Library().is_usable());
    });
}

// That is why: the dynamic section says that it is never unloaded.
TEST(Dlclose, LeavesTheLibraryWhereItIs)
{
    Library library;
    link_map *map = nullptr;
    ASSERT_EQ(dlinfo(library.handle, RTLD_DI_LINKMAP, &map), 0) << dlerror();
    ElfW(Xword) flags = 0;
    for (const ElfW(Dyn) *entry = map->l_ld; entry->d_tag != DT_NULL; entry++)
        if (entry->d_tag == DT_FLAGS_1)
            flags = entry->d_un.d_val;
    EXPECT_TRUE(flags & DF_1_NODELETE);
}

} // namespace
