// malloc and its family, where the library is in their place: every function is the library's and keeps its promises, the C
// library's own allocations are freed by it, and what was there before it does no harm.
#include "dropin.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <dlfcn.h>
#include <functional>
#include <string>
#if ALLOC_THREADS
#include <thread>
#endif

using namespace support;
using namespace dropin;

namespace
{

constexpr size_t sizes[] = {0, 1, 8, 9, 16, 100, 1000, 4096, 100000, 512 * KiB, 512 * KiB + 1, 3 * MiB};

void expect_block(void *block, size_t size, size_t align, const char *function)
{
    ASSERT_NE(block, nullptr) << function << ", " << size;
    EXPECT_TRUE(is_ours(block)) << function << ", " << size;
    EXPECT_TRUE(is_aligned(block, align)) << function << ", " << size;
    EXPECT_GE(malloc_usable_size(block), size) << function;
    EXPECT_EQ(malloc_usable_size(block), alloc_gp_usable_size(block)) << function;
    fill_edges(block, malloc_usable_size(block), size);
    EXPECT_TRUE(holds_edges(block, malloc_usable_size(block), size)) << function << ", " << size;
}

TEST(Malloc, EveryFunctionIsTheLibrarys)
{
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    for (size_t size : sizes) {
        const size_t align = std::max<size_t>(ALLOC_MALLOC_ALIGN, size > 8 ? 16 : 8);
        const struct {
            const char *name;
            void *block;
            size_t size, align;
        } blocks[] = {
            {"malloc", malloc(opaque(size)), size, align},
            {"calloc", calloc(opaque(size), 2), 2 * size, align},
            {"realloc", realloc(escape(malloc(10)), opaque(size + 1)), size + 1, align},
            {"reallocarray", reallocarray(nullptr, opaque(size + 1), 3), 3 * size, align},
            {"aligned_alloc", aligned_alloc(256, opaque(size)), size, 256},
            {"memalign", memalign(2 * MiB, opaque(size)), size, 2 * MiB},
            {"valloc", valloc(opaque(size)), size, page},
            {"pvalloc", pvalloc(opaque(size)), (size + page - 1) / page * page, page},
        };
        for (const auto &[name, block, at_least, aligned] : blocks) {
            expect_block(block, at_least, aligned, name);
            free(block);
        }
        void *block = nullptr;
        ASSERT_EQ(posix_memalign(&block, 64, size), 0);
        expect_block(block, size, 64, "posix_memalign");
        free_aligned_sized(block, 64, size);
        block = malloc(opaque(size));
        free_sized(block, size);
        cfree(escape(malloc(opaque(size))));
    }
    free(nullptr);
}

TEST(Malloc, FailsAsTheStandardsSay)
{
    const std::function<void *()> calls[] = {
        [] { return malloc(opaque(impossible)); },
        [] { return malloc(opaque(SIZE_MAX)); },
        [] { return calloc(opaque(SIZE_MAX / 2), opaque(3)); },
        [] { return reallocarray(nullptr, opaque(SIZE_MAX / 2), opaque(3)); },
        [] { return realloc(nullptr, opaque(impossible)); },
        [] { return aligned_alloc(64, opaque(impossible)); },
        [] { return memalign(64, opaque(SIZE_MAX)); },
        [] { return valloc(opaque(SIZE_MAX)); },
        [] { return pvalloc(opaque(SIZE_MAX)); },
        [] { return pvalloc(opaque(SIZE_MAX - 4096)); },
    };
    for (size_t i = 0; i < std::size(calls); i++) {
        errno = 0;
        EXPECT_EQ(escape(calls[i]()), nullptr) << i;
        EXPECT_EQ(errno, ENOMEM) << i;
    }
    void *block = nullptr;
    EXPECT_EQ(posix_memalign(&block, 64, opaque(impossible)), ENOMEM);
    EXPECT_EQ(posix_memalign(&block, opaque(4), 64), EINVAL);
    errno = 0;
    EXPECT_EQ(escape(aligned_alloc(opaque(24), 64)), nullptr);
    EXPECT_EQ(errno, EINVAL);
}

// What the C library allocates for its caller is freed by the caller.
TEST(Malloc, ServesTheCLibrary)
{
    char *copy = strdup("copied"), *printed = nullptr, *line = nullptr, *written = nullptr;
    size_t capacity = 0, length = 0;
    ASSERT_GT(asprintf(&printed, "%0300d", 1), 0);
    FILE *stream = fopen("/proc/self/status", "r");
    ASSERT_NE(stream, nullptr);
    ASSERT_GT(getline(&line, &capacity, stream), 0);
    fclose(stream);
    stream = open_memstream(&written, &length);
    for (int i = 0; i < 100000; i++)
        fputs("a line that grows\n", stream);
    fclose(stream);
    char *path = realpath("/proc/self/exe", nullptr), *directory = getcwd(nullptr, 0);
    for (char *block : {copy, printed, line, written, path, directory}) {
        EXPECT_TRUE(is_ours(block));
        free(block);
    }
}

// The system's malloc has never been asked: it would have a heap.
TEST(Malloc, LeavesNothingToTheSystems)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[PATH_MAX + 100];
    while (fgets(line, sizeof line, maps) != nullptr)
        EXPECT_EQ(strstr(line, "[heap]"), nullptr) << line;
    fclose(maps);
}

TEST(Malloc, TrimGivesMemoryBack)
{
    std::vector<void *> blocks(5000);
    for (void *&block : blocks) {
        block = malloc(10000);
        memset(block, 1, 10000);
    }
    for (void *block : blocks)
        free(block);
    const size_t before = resident_bytes();
    const int first = malloc_trim(0), again = malloc_trim(0);
    EXPECT_EQ(first, 1);
    EXPECT_EQ(again, 0);
    EXPECT_LT(resident_bytes(), before - 16 * MiB);
}

TEST(Malloc, TellsOfItself)
{
    EXPECT_EQ(mallopt(M_MMAP_THRESHOLD, 100), 1);
    void *small = escape(malloc(1000));
    const struct mallinfo2 before = mallinfo2();
    EXPECT_GE(before.uordblks, 1000u);
    void *large = escape(malloc(3 * MiB));
    const struct mallinfo2 after = mallinfo2();
    EXPECT_EQ(after.hblks, before.hblks + 1);
    EXPECT_EQ(after.hblkhd, before.hblkhd + 3 * MiB);
    free(large);
    free(small);
}

// ---- blocks that were there before ------------------------------------------------------------------------------------

// The system's malloc under its other name: a block as ld.so or a constructor may have it from before the library came.
void *(*const system_malloc)(size_t) =
    reinterpret_cast<void *(*)(size_t)>(dlsym(dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD), "__libc_malloc"));

TEST(ForeignBlocks, AreNoMatter)
{
    ASSERT_NE(system_malloc, nullptr);
    for (size_t size : {1, 100, 5000, 300000}) {
        EXPECT_EQ(malloc_usable_size(escape(system_malloc(size))), 0u);
        errno = 12345;
        free(escape(system_malloc(size)));
        free_sized(escape(system_malloc(size)), size);
        free_aligned_sized(escape(system_malloc(size)), 16, size);
        ::operator delete(escape(system_malloc(size)));
        ::operator delete(escape(system_malloc(size)), size);
        EXPECT_EQ(errno, 12345);
    }
}

// From there on it is the library's, or still the system's; the contents are there in either case.
TEST(ForeignBlocks, CanBeResized)
{
    for (size_t from : {10, 100, 5000, 300000})
        for (size_t to : {1, 50, 200, 10000, 1000000}) {
            void *block = system_malloc(from);
            fill(block, from, from);
            block = realloc(escape(block), to);
            ASSERT_NE(block, nullptr) << from << " to " << to;
            EXPECT_TRUE(holds(block, std::min(from, to), from)) << from << " to " << to;
            fill(block, to, 1);
            free(block);
        }
    void *block = escape(system_malloc(100));
    EXPECT_EQ(realloc(block, 0), nullptr);
}

// ---- all that glibc's malloc has --------------------------------------------------------------------------------------

// Every function of glibc's malloc.h and malloc.c that programs can call, but for its hooks and its tracing.
TEST(Names, OfGlibcsMallocAreThisLibrarys)
{
    Dl_info own, other;
    if (dladdr(dlsym(RTLD_DEFAULT, "alloc_gp_malloc"), &own) == 0)
        GTEST_SKIP() << "a program does not export what is linked into it";
    for (const char *name : {"malloc",
                             "calloc",
                             "realloc",
                             "reallocarray",
                             "free",
                             "aligned_alloc",
                             "memalign",
                             "posix_memalign",
                             "valloc",
                             "pvalloc",
                             "malloc_usable_size",
                             "malloc_trim",
                             "mallopt",
                             "mallinfo",
                             "mallinfo2",
                             "malloc_info",
                             "malloc_stats",
                             "__libc_malloc",
                             "__libc_calloc",
                             "__libc_realloc",
                             "__libc_free",
                             "__libc_memalign",
                             "__libc_valloc",
                             "__libc_pvalloc",
                             "__libc_mallopt",
                             "__libc_mallinfo",
                             "__posix_memalign"}) {
        ASSERT_NE(dladdr(dlsym(RTLD_DEFAULT, name), &other), 0) << name;
        EXPECT_EQ(other.dli_fbase, own.dli_fbase) << name;
    }
}

TEST(Introspection, TellsWhatIsInUse)
{
    constexpr size_t count = 20'000, size = 1000, large = 10 << 20;
    const struct mallinfo2 before = mallinfo2();
    std::vector<void *> blocks(count);
    for (void *&block : blocks)
        block = escape(malloc(size));
    void *block = escape(malloc(large));
    const struct mallinfo2 now = mallinfo2();
    EXPECT_GE(now.uordblks, before.uordblks + count * size);
    EXPECT_LE(now.uordblks, before.uordblks + count * size * 5 / 4);
    EXPECT_EQ(now.hblkhd, before.hblkhd + large);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    EXPECT_EQ(static_cast<size_t>(mallinfo().uordblks), now.uordblks);
#pragma GCC diagnostic pop
    char *text = nullptr;
    size_t length = 0;
    FILE *file = open_memstream(&text, &length);
    EXPECT_EQ(malloc_info(0, file), 0);
    EXPECT_EQ(malloc_info(1, file), EINVAL);
    std::fclose(file);
    EXPECT_NE(std::string(text).find("<malloc version=\"1\">"), std::string::npos) << text;
    std::free(text);
    free(block);
    for (void *each : blocks)
        free(each);
    EXPECT_LT(mallinfo2().uordblks, now.uordblks - count * size / 2);
    EXPECT_EQ(mallinfo2().hblkhd, before.hblkhd);
}

// ---- processes and threads --------------------------------------------------------------------------------------------

TEST(Processes, AllocateAfterAFork)
{
    void *block = malloc(1000);
    fill(block, 1000, 1);
    expect_in_child([&] {
        EXPECT_TRUE(holds(block, 1000, 1));
        free(block);
        for (size_t size : sizes)
            free(escape(malloc(size)));
        expect_in_child([] {
            execlp("true", "true", nullptr);
            ADD_FAILURE() << errno;
        });
    });
    free(block);
}

#if ALLOC_THREADS

TEST(Threads, ComeAndGo)
{
    std::vector<void *> blocks(repetitions(2000));
    size_t warm = 0;
    for (size_t i = 0; i < blocks.size(); i++) {
        if (i == blocks.size() / 10)
            warm = resident_bytes();
        std::thread([&] {
            blocks[i] = malloc(100);
            fill(blocks[i], 100, i);
            if (i > 0) {
                EXPECT_TRUE(holds(blocks[i - 1], 100, i - 1));
                free(blocks[i - 1]);
            }
        }).join();
    }
    free(blocks.back());
    EXPECT_LT(resident_bytes(), warm + 2 * MiB);
}

// Others allocate without a pause while this one forks; every child can allocate.
TEST(Threads, AllocateWhileOneForks)
{
    std::atomic<bool> is_over{false};
    std::vector<std::thread> threads;
    for (size_t number = 0; number < 3; number++)
        threads.emplace_back([&is_over, number] {
            Random random(number);
            while (!is_over)
                delete escape(new std::string(random.below(5000), 'x'));
        });
    for (size_t i = 0; i < repetitions(50); i++)
        expect_in_child([] {
            for (size_t size : sizes)
                free(escape(malloc(size)));
        });
    is_over = true;
    for (std::thread &thread : threads)
        thread.join();
}

#endif

} // namespace
