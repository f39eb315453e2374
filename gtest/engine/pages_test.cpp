// The page heap: large blocks of all sizes and alignments in random order, alone and in many threads, while the system refuses
// whatever it may refuse. After every step the runs are whole and merged (debug builds), no block has another's bytes, and in the
// end all memory is free.
#include "os_faults.h"
#include "support.h"
#include "white_box.h"

#include <atomic>
#include <fstream>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <thread>

namespace
{

using namespace support;

struct Block {
    char *start;
    Request request;
    size_t mark;
};

class Schedule
{
  public:
    explicit Schedule(uint64_t number) : random(number), next_mark(number * 1'000'003) {}
    ~Schedule()
    {
        while (!blocks.empty())
            give(blocks.size() - 1);
    }
    Schedule(const Schedule &) = delete;
    Schedule &operator=(const Schedule &) = delete;

    void step()
    {
        switch (blocks.size() < 4 ? 0 : random.below(5)) {
        case 0:
        case 1:
            take();
            break;
        case 2:
            change(random.below(blocks.size()));
            break;
        default:
            give(random.below(blocks.size()));
        }
        if (random.one_in(32))
            alloc_purge();
    }

  private:
    static constexpr size_t edge_bytes = 64;

    // Of 64 KiB units, or nearly; now and then as large as an alignment.
    Request any_request()
    {
        const size_t size = 513 * KiB + random.below(size_t{1} << (16 + random.below(7)));
        const size_t aligns[] = {0, 16, 4096, 64 * KiB, 1 * MiB, 4 * MiB};
        return {size, aligns[random.below(std::size(aligns))]};
    }

    void mark(Block &block)
    {
        block.mark = next_mark++;
        fill(block.start, edge_bytes, block.mark);
        fill(block.start + block.request.size - edge_bytes, edge_bytes, block.mark);
    }

    void expect_mark(const Block &block) const
    {
        EXPECT_TRUE(holds(block.start, edge_bytes, block.mark)) << block.request;
        EXPECT_TRUE(holds(block.start + block.request.size - edge_bytes, edge_bytes, block.mark)) << block.request;
    }

    void take()
    {
        Block block = {nullptr, any_request(), 0};
        const bool zeroed = random.one_in(2);
        block.start = static_cast<char *>(!zeroed ? allocate(block.request)
                                          : block.request.align == 0
                                              ? alloc_zalloc(block.request.size)
                                              : alloc_zalloc_aligned(block.request.size, block.request.align));
        if (block.start == nullptr)
            return;
        const size_t align = block.request.align != 0 ? block.request.align : power_at_or_above(block.request.size);
        EXPECT_EQ(reinterpret_cast<uintptr_t>(block.start) % align, 0u) << block.request;
        EXPECT_TRUE(!zeroed || is_zero(block.start, 0, block.request.size)) << block.request;
        mark(block);
        blocks.push_back(block);
    }

    void change(size_t i)
    {
        Block &block = blocks[i];
        const size_t size = any_request().size;
        char *moved = static_cast<char *>(resize(block.start, block.request, size));
        if (moved == nullptr) {
            EXPECT_GT(size, block.request.size) << "to become smaller needs nothing";
            expect_mark(block);
            return;
        }
        block.start = moved;
        EXPECT_TRUE(holds(block.start, edge_bytes, block.mark)) << block.request << " to " << size;
        block.request.size = size;
        mark(block);
    }

    void give(size_t i)
    {
        expect_mark(blocks[i]);
        release(blocks[i].start, blocks[i].request);
        std::swap(blocks[i], blocks.back());
        blocks.pop_back();
    }

    Random random;
    size_t next_mark;
    std::vector<Block> blocks;
};

TEST(Pages, AreWholeAfterEveryStep)
{
    expect_in_child([] {
        {
            Schedule schedule(seed());
            for (size_t i = 0; i < repetitions(1500); i++) {
                schedule.step();
                engine_validate();
            }
        }
        EXPECT_TRUE(engine_all_is_free());
    });
}

// One call of the system's is refused, then the next one a few steps later.
TEST(Pages, LoseNothingWhateverIsRefused)
{
    const uint64_t number = seed();
    expect_in_child([number] {
        Random random(number);
        {
            Schedule schedule(number);
            for (size_t i = 0; i < repetitions(2000); i++) {
                os_faults_arm(static_cast<long>(1 + random.below(4)), random.one_in(4));
                schedule.step();
                os_faults_disarm();
                engine_validate();
            }
        }
        EXPECT_TRUE(engine_all_is_free());
    });
}

// ---- what is somebody else's ----------------------------------------------------------------------------------------------

void *place_left, *stranger;

// A mapping of somebody else, in the moment in which nothing is where a block was. Not by mmap, which is watched itself.
void come_to_the_place(bool)
{
    const long at = syscall(SYS_mmap, place_left, 4096, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (at == reinterpret_cast<intptr_t>(place_left)) {
        stranger = place_left;
        fill(stranger, 4096, 1);
    }
}

// As a thread's stack does, which the C library maps while another thread's block moves by its pages.
TEST(Pages, ThatMoveLeaveAloneWhatComesToTheirPlace)
{
    expect_in_child([] {
        const Request request = {20 * MiB, 4096};
        place_left = allocate(request);
        const Request behind = {1 * MiB, 4096};
        void *obstacle = allocate(behind);
        fill_edges(place_left, request.size, 2);
        os_faults_watch(come_to_the_place);
        void *moved = resize(place_left, request, 40 * MiB);
        os_faults_watch(nullptr);
        ASSERT_NE(stranger, nullptr) << "the block was not moved by its pages, from " << place_left << " to " << moved;
        EXPECT_TRUE(holds(stranger, 4096, 1)) << "mapped over";
        EXPECT_TRUE(holds(moved, edge, 2));
        for (size_t i = 0; i < 8; i++) // nor is the place handed out
            EXPECT_NE(allocate({20 * MiB, 4096}), stranger);
        EXPECT_TRUE(holds(stranger, 4096, 1));
        release(moved, {40 * MiB, 4096});
        release(obstacle, behind);
    });
}

#if ALLOC_THREADS

TEST(Pages, ServeManyThreads)
{
    const uint64_t number = seed();
    expect_in_child([number] {
        std::vector<std::thread> threads;
        for (uint64_t i = 1; i <= 8; i++)
            threads.emplace_back([number, i] {
                Schedule schedule(number + i);
                for (size_t step = 0; step < repetitions(1500); step++)
                    schedule.step();
            });
        for (std::thread &thread : threads)
            thread.join();
        EXPECT_TRUE(engine_all_is_free());
    });
}

// Slabs of one unit, while no more may stay dirty: between a thread's two steps, to give and to purge what it gave, others take and
// give what lies beside it.
TEST(Pages, OfSlabsServeManyThreadsThatPurge)
{
    expect_in_child([] {
        ASSERT_EQ(alloc_option_set(ALLOC_OPTION_CACHE_LIMIT, 256 * KiB), 0);
        std::vector<std::thread> threads;
        for (size_t i = 0; i < 8; i++)
            threads.emplace_back([] {
                for (size_t round = 0; round < repetitions(2000); round++) {
                    void *blocks[32];
                    for (void *&block : blocks)
                        block = allocate({16 * KiB, 0});
                    for (void *block : blocks)
                        release(block, {16 * KiB, 0});
                }
            });
        for (std::thread &thread : threads)
            thread.join();
        EXPECT_TRUE(engine_all_is_free());
    });
}

#endif

// ---- limits on addresses -------------------------------------------------------------------------------------------------

// Bytes that can be had as blocks of a size under a limit on addresses, of a process that used nothing before.
size_t usable_under(size_t limit, Request request)
{
    int ends[2] = {-1, -1};
    EXPECT_EQ(pipe(ends), 0);
    expect_in_child([&] {
        const rlimit addresses = {process_bytes("/proc/self/status", "VmSize:") + limit, RLIM_INFINITY};
        EXPECT_EQ(setrlimit(RLIMIT_AS, &addresses), 0);
        size_t count = 0;
        void **last = nullptr;
        while (void *block = allocate(request)) {
            *static_cast<void **>(block) = last;
            last = static_cast<void **>(block);
            count++;
        }
        while (last != nullptr) { // whatever the child still does needs some
            void *block = last;
            last = static_cast<void **>(*last);
            release(block, request);
        }
        const size_t bytes = count * request.size;
        EXPECT_EQ(write(ends[1], &bytes, sizeof bytes), static_cast<ssize_t>(sizeof bytes));
    });
    size_t bytes = 0;
    EXPECT_EQ(read(ends[0], &bytes, sizeof bytes), static_cast<ssize_t>(sizeof bytes));
    close(ends[0]);
    close(ends[1]);
    return bytes;
}

TEST(Addresses, ThatAreFewAreUsedNearlyAllAndMoreOfThemForMore)
{
    if (TEST_SANITIZED || ALLOC_DEBUG)
        GTEST_SKIP() << "what watches the library takes more addresses than the library";
    for (Request request : {Request{64, 0}, {20'000, 16}, {100'000, 16}, {600'000, 16}}) {
        size_t least = 0;
        for (size_t limit = 16 * MiB; limit <= 1024 * MiB; limit += limit / 4) {
            const size_t usable = usable_under(limit, request);
            EXPECT_GE(usable, least) << request << " under " << limit / MiB << " MiB";
            EXPECT_GE(usable + 8 * MiB, limit * 8 / 10) << request << " under " << limit / MiB << " MiB";
            least = usable;
        }
    }
}

void expect_little_in_advance()
{
    const size_t used = process_bytes("/proc/self/status", "VmSize:");
    for (Request request : {Request{64, 0}, {20'000, 16}, {600'000, 16}})
        for (size_t bytes = 0; bytes < 20 * MiB; bytes += request.size)
            ASSERT_NE(allocate(request), nullptr);
    EXPECT_LT(process_bytes("/proc/self/status", "VmSize:"), used + 60 * MiB * 5 / 4 + 6 * MiB);
}

// What the library has in advance, the program's own mappings cannot have. The limit is there from the process's start: the test
// runs itself again, under one.
TEST(Addresses, ThatAreFewAreNotHeldInAdvance)
{
    if (TEST_SANITIZED || ALLOC_DEBUG)
        GTEST_SKIP() << "what watches the library takes more addresses than the library";
    rlimit addresses;
    ASSERT_EQ(getrlimit(RLIMIT_AS, &addresses), 0);
    if (addresses.rlim_cur != RLIM_INFINITY) {
        expect_little_in_advance();
        return;
    }
    expect_in_child([&addresses] {
        addresses.rlim_cur = process_bytes("/proc/self/status", "VmSize:") + 200 * MiB;
        EXPECT_EQ(setrlimit(RLIMIT_AS, &addresses), 0);
        execl("/proc/self/exe", "pages_test", "--gtest_filter=Addresses.ThatAreFewAreNotHeldInAdvance", nullptr);
        FAIL() << "not run";
    });
}

#if ALLOC_THREADS

// As with a slab of 2 MiB for each size of each thread: 3 GiB.
TEST(Addresses, ThatAreFewServeManyThreadsWithManySizes)
{
    if (TEST_SANITIZED || ALLOC_DEBUG)
        GTEST_SKIP() << "what watches the library takes more addresses than the library";
    expect_in_child([] {
        const rlimit addresses = {2048 * MiB, RLIM_INFINITY};
        EXPECT_EQ(setrlimit(RLIMIT_AS, &addresses), 0);
        constexpr size_t count = 64;
        std::atomic<size_t> missing{0};
        pthread_barrier_t all;
        pthread_barrier_init(&all, nullptr, count);
        std::vector<std::thread> threads;
        pthread_attr_t small_stacks;
        pthread_attr_init(&small_stacks);
        pthread_attr_setstacksize(&small_stacks, 256 * KiB);
        pthread_setattr_default_np(&small_stacks);
        for (size_t i = 0; i < count; i++)
            threads.emplace_back([&] {
                std::vector<std::pair<void *, Request>> blocks;
                for (size_t size = 8 * KiB; size < 512 * KiB; size *= 2)
                    for (size_t quarters = 5; quarters <= 8; quarters++) {
                        const Request request = {size / 4 * quarters - 64, 16};
                        blocks.emplace_back(allocate(request), request);
                        missing += blocks.back().first == nullptr;
                    }
                pthread_barrier_wait(&all);
                for (auto [block, request] : blocks)
                    if (block != nullptr)
                        release(block, request);
            });
        for (std::thread &thread : threads)
            thread.join();
        EXPECT_EQ(missing, 0u);
    });
}

#endif

// ---- mappings ----------------------------------------------------------------------------------------------------------------

size_t count_mappings()
{
    std::ifstream maps("/proc/self/maps");
    size_t count = 0;
    for (std::string line; std::getline(maps, line);)
        count++;
    return count;
}

TEST(PageMappings, AreFewHoweverManyBlocksThereAre)
{
    if (TEST_SANITIZED)
        GTEST_SKIP() << "a sanitizer has mappings of its own";
    expect_in_child([] {
        const size_t before = count_mappings(), count = repetitions(20'000);
        const Request request = {600'000, 16};
        std::vector<void *> blocks;
        for (size_t i = 0; i < count; i++)
            blocks.push_back(allocate(request));
        EXPECT_LT(count_mappings(), before + 40);
        for (size_t i = 0; i < count; i += 2)
            release(blocks[i], request);
        while (alloc_purge() != 0)
            ;
        EXPECT_LT(count_mappings(), before + 40);
        for (size_t i = 1; i < count; i += 2)
            release(blocks[i], request);
    });
}

} // namespace
