// Fork: whatever other threads are doing at that moment, the child can allocate, free what it inherited, start threads
// and fork again.
#include "support.h"

#include <atomic>
#include <pthread.h>
#include <thread>

using namespace support;

namespace
{

// Threads that never pause, each replacing the blocks of a table of its own and now and then one of its neighbour's, and
// taking slabs up and giving them back. Whoever takes a block out of a table owns it.
class Traffic
{
  public:
    Traffic()
    {
        for (size_t number = 0; number < width; number++)
            threads[number] = std::thread([this, number] { run(number); });
        while (started < width)
            std::this_thread::yield();
    }
    ~Traffic()
    {
        is_over.store(true);
        for (std::thread &thread : threads)
            thread.join();
        free_all();
    }

    // What the threads have: the caller frees it, whoever allocated it. False: a block's contents are not its own.
    bool free_all()
    {
        bool is_intact = true;
        for (auto &table : tables)
            for (size_t i = 0; i < count; i++)
                is_intact &= free_block(table[i].exchange(nullptr), request(i), i);
        for (auto &estate : estates)
            is_intact &= free_slabs(estate);
        return is_intact;
    }

    // Some of every size, and some slabs, filled and freed.
    static bool allocate_some()
    {
        void *blocks[count], *slabs[slots];
        bool is_intact = allocate_slabs(slabs);
        for (size_t i = 0; i < count; i++) {
            blocks[i] = allocate(request(i));
            if (blocks[i] == nullptr)
                return false;
            fill_edges(blocks[i], request(i).size, i);
        }
        for (size_t i = 0; i < count; i++)
            is_intact &= free_block(blocks[i], request(i), i);
        return free_slabs(slabs) && is_intact;
    }

  private:
    static constexpr size_t width = 3, count = 200;

    static Request request(size_t i)
    {
        return i % 50 == 49 ? Request{600 * KiB, 0} : Request{size_t{8} << (i % 11), i % 2 * 8};
    }

    static bool free_block(void *block, Request request, uint64_t mark)
    {
        if (block == nullptr)
            return true;
        const bool is_intact = holds_edges(block, request.size, mark);
        release(block, request);
        return is_intact;
    }

    // Four slots to a slab, so that every other call below needs the library's locks.
    static constexpr size_t slots = 16;
    static constexpr Request large = {512 * KiB, 0};

    static bool allocate_slabs(void *(&slabs)[slots])
    {
        for (size_t i = 0; i < slots; i++) {
            slabs[i] = allocate(large);
            if (slabs[i] == nullptr)
                return false;
            fill(slabs[i], sizeof i, i);
        }
        return true;
    }

    static bool free_slabs(void *(&slabs)[slots])
    {
        bool is_intact = true;
        for (size_t i = 0; i < slots; i++) {
            is_intact &= holds(slabs[i], sizeof i, i);
            release(slabs[i], large);
        }
        return is_intact;
    }

    void run(size_t number)
    {
        Random random(number);
        EXPECT_TRUE(allocate_slabs(estates[number]));
        started++;
        while (!is_over.load(std::memory_order_relaxed)) {
            if (random.one_in(2)) {
                void *slabs[slots];
                EXPECT_TRUE(allocate_slabs(slabs) && free_slabs(slabs));
            }
            auto &table = tables[random.one_in(4) ? (number + 1) % width : number];
            const size_t i = random.below(count);
            void *block = random.one_in(4) ? nullptr : allocate(request(i));
            if (block != nullptr)
                fill_edges(block, request(i).size, i);
            EXPECT_TRUE(free_block(table[i].exchange(block), request(i), i));
        }
    }

    std::atomic<void *> tables[width][count] = {};
    void *estates[width][slots] = {}; // what each thread has all the time
    std::atomic<size_t> started{0};
    std::atomic<bool> is_over{false};
    std::thread threads[width];
};

// In the child, by hand: an expectation may need a lock that a thread held which is not there.
void require(bool condition, int code)
{
    if (!condition)
        _exit(code);
}

TEST(Fork, LeavesTheChildEverythingItNeeds)
{
    seed();
    Traffic traffic;
    std::vector<void *> own(1000);
    for (size_t i = 0; i < own.size(); i++) {
        own[i] = alloc_malloc(100);
        fill(own[i], 100, i);
    }
    for (size_t round = 0; round < repetitions(250) && !HasFailure(); round++) {
        std::this_thread::sleep_for(std::chrono::microseconds(round * 37 % 1000));
        expect_in_child(
            [&] {
                require(Traffic::allocate_some(), 2);
                const pid_t grandchild = fork();
                require(grandchild >= 0, 3);
                require(traffic.free_all(), 4); // both have inherited it
                for (size_t i = 0; i < own.size(); i++) {
                    require(holds(own[i], 100, i), 5);
                    alloc_free(own[i], 100);
                }
                require(Traffic::allocate_some(), 6);
                int status = 0;
                require(grandchild == 0 || (waitpid(grandchild, &status, 0) == grandchild && status == 0), 7);
            },
            60);
    }
    for (size_t i = 0; i < own.size(); i++) {
        EXPECT_TRUE(holds(own[i], 100, i));
        alloc_free(own[i], 100);
    }
}

#if !defined(__SANITIZE_THREAD__) // which does not support threads in a child

TEST(Fork, LeavesTheChildAbleToStartThreads)
{
    seed();
    Traffic traffic;
    for (size_t round = 0; round < repetitions(100) && !HasFailure(); round++)
        expect_in_child(
            [&] {
                for (size_t i = 0; i < 2; i++)
                    std::thread([] { require(Traffic::allocate_some(), 2); }).join();
                std::thread([&] { require(traffic.free_all(), 3); }).join();
                require(Traffic::allocate_some(), 4);
            },
            60);
}

#endif

// ---- handlers of the program ---------------------------------------------------------------------------------------

// Registered as early as can be, before main and before anything is allocated; they do nothing until a test asks.
std::atomic<bool> is_handled{false};
std::atomic<size_t> handled{0};

void handle()
{
    if (!is_handled)
        return;
    require(Traffic::allocate_some(), 2);
    handled++;
}

__attribute__((constructor)) void register_early() { pthread_atfork(handle, handle, handle); }

TEST(Fork, ServesHandlersThatAllocate)
{
    ASSERT_TRUE(Traffic::allocate_some()); // the library has started by now
    expect_in_child(
        [] {
            is_handled = true;
            const pid_t child = fork();
            require(child >= 0, 4);
            require(handled == 2, 5); // before the fork, and on this side of it
            int status = 0;
            require(child == 0 || (waitpid(child, &status, 0) == child && status == 0), 6);
        },
        20);
}

} // namespace
