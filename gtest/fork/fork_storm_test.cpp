// Fork at any moment, by anybody: in signal handlers of threads that are busy in the library, for generation after
// generation, and before an exec. Children go on with whatever they were doing.
#include "support.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <optional>
#include <pthread.h>
#include <thread>

using namespace support;

namespace
{

// In a forked process, by hand: an expectation may need a lock that a thread held which is not there.
void require(bool condition, int code)
{
    if (!condition)
        _exit(code);
}

// ---- what threads do ------------------------------------------------------------------------------------------------

// Blocks in a table that threads share: whoever takes one out owns it. Nothing here needs anything of the C library, which
// may not be forked in a signal handler.
class Table
{
  public:
    // Replaces a block by a new one, or by none.
    bool replace(Random &random)
    {
        const size_t i = random.below(blocks.size());
        void *block = random.one_in(4) ? nullptr : allocate(request(i));
        if (block != nullptr)
            fill(block, marked(i), i);
        return free_block(blocks[i].exchange(block), i);
    }

    // False: a block's contents are not its own.
    bool free_all()
    {
        bool is_intact = true;
        for (size_t i = 0; i < blocks.size(); i++)
            is_intact &= free_block(blocks[i].exchange(nullptr), i);
        return is_intact;
    }

  private:
    // Many classes, some of them with few slots to a slab, so that slabs change hands all the time; and whole mappings.
    static Request request(size_t i)
    {
        constexpr size_t sizes[] = {24, 1000, 8192, 48 * KiB, 256 * KiB, 300 * KiB, 400 * KiB, 512 * KiB};
        return i % 64 == 63 ? Request{600 * KiB, 0} : Request{sizes[i % 8], i / 8 % 2};
    }

    static size_t marked(size_t i) { return std::min(request(i).size, size_t{100}); }

    static bool free_block(void *block, size_t i)
    {
        if (block == nullptr)
            return true;
        const bool is_intact = holds(block, marked(i), i);
        release(block, request(i));
        return is_intact;
    }

    std::array<std::atomic<void *>, 256> blocks = {};
};

// A bit of everything; takes and gives back slabs.
bool is_usable()
{
    Table table;
    Random random(99);
    for (size_t i = 0; i < 300; i++)
        if (!table.replace(random))
            return false;
    return table.free_all();
}

// Threads that never pause, all with one table.
class Traffic
{
  public:
    explicit Traffic(size_t width)
    {
        for (size_t number = 0; number < width; number++)
            threads.emplace_back([this, number] {
                Random random(number);
                while (!is_over.load(std::memory_order_relaxed))
                    EXPECT_TRUE(table.replace(random));
            });
    }
    ~Traffic()
    {
        is_over = true;
        for (std::thread &thread : threads)
            thread.join();
        EXPECT_TRUE(table.free_all());
    }
    Traffic(const Traffic &) = delete;
    Traffic &operator=(const Traffic &) = delete;

    Table table;

  private:
    std::atomic<bool> is_over{false};
    std::vector<std::thread> threads;
};

#if !defined(__SANITIZE_THREAD__) // which delays signals, and does not support threads in a child

// ---- forks in signal handlers ---------------------------------------------------------------------------------------

// Threads at work that signals interrupt wherever they are, in a lock of the library too, with a handler that forks. The
// child returns from the handler, finishes what it was doing, and ends when the library works for it.
class Storm
{
  public:
    Storm()
    {
        current = this;
        struct sigaction action = {};
        action.sa_handler = [](int) { current->fork_here(); };
        sigaction(SIGUSR1, &action, nullptr);
        for (size_t number = 0; number < width; number++)
            threads.emplace_back([this, number] { work(number); });
    }

    // One handler forks at a time: of two whose threads are in one lock each, neither could let the other in. The thread
    // that sends the signals is in no lock and forks at any time.
    void run(size_t forks_wanted)
    {
        while (at_work < width) // a thread's start may be in a lock of a sanitizer's, which a child would wait for
            std::this_thread::yield();
        Random random(width);
        for (size_t round = 0; forks < forks_wanted; round++) {
            const size_t before = forks;
            pthread_kill(threads[round % width].native_handle(), SIGUSR1);
            if (round % 4 == 0)
                expect_in_child([] { require(is_usable(), 4); }, 60);
            while (forks == before)
                std::this_thread::sleep_for(std::chrono::microseconds(10));
            std::this_thread::sleep_for(std::chrono::microseconds(random.below(100)));
        }
    }

    ~Storm()
    {
        is_over = true;
        for (std::thread &thread : threads)
            thread.join();
        EXPECT_EQ(failed_status, 0);
        EXPECT_TRUE(table.free_all());
        EXPECT_TRUE(is_usable());
    }
    Storm(const Storm &) = delete;
    Storm &operator=(const Storm &) = delete;

  private:
    static constexpr size_t width = 2;

    void work(size_t number)
    {
        Random random(number);
        at_work++;
        while (!is_over.load(std::memory_order_relaxed)) {
            EXPECT_TRUE(table.replace(random));
            if (is_child) {
                require(table.free_all(), 2);
                require(is_usable(), 3);
                _exit(0);
            }
        }
    }

    void fork_here()
    {
        const int saved = errno;
        const pid_t child = fork();
        if (child == 0) {
            alarm(60);
            is_child = 1;
        } else {
            int status = -1;
            if ((waitpid(child, &status, 0) != child || status != 0) && failed_status == 0)
                failed_status = status;
            forks++;
        }
        errno = saved;
    }

    static inline Storm *current = nullptr;
    static inline volatile sig_atomic_t is_child = 0;
    Table table;
    std::atomic<size_t> at_work{0}, forks{0};
    std::atomic<int> failed_status{0};
    std::atomic<bool> is_over{false};
    std::vector<std::thread> threads;
};

TEST(ForkStorm, InHandlersOfThreadsInLocksStopsNobody)
{
    seed();
    expect_in_child([] { Storm().run(repetitions(500)); });
}

// ---- generations -----------------------------------------------------------------------------------------------------

// Threads at work, and others that come and go. Each process frees what it inherits, which its own threads did not
// allocate, starts threads like these and forks amid them.
void live(size_t generations, size_t resident_limit)
{
    Traffic traffic(2);
    std::atomic<bool> is_over{false};
    std::thread starter([&] {
        while (!is_over)
            std::thread([] { require(is_usable(), 2); }).join();
    });
    for (size_t i = 0; i < 3; i++) {
        std::this_thread::sleep_for(std::chrono::milliseconds(3));
        expect_in_child(
            [&] {
                require(traffic.table.free_all(), 3);
                require(is_usable(), 4);
                if (generations > 1)
                    live(generations - 1, resident_limit);
                EXPECT_TRUE(TEST_SANITIZED || resident_bytes() < resident_limit)
                    << resident_bytes() << ", " << generations - 1 << " generations before the last";
                std::fflush(nullptr);
                _exit(testing::Test::HasFailure() ? 1 : 0); // without the threads that exist in the parent only
            },
            60);
    }
    is_over = true;
    starter.join();
}

// What threads had free when a child was forked that does not have them is lost to it: some blocks' worth, each time.
TEST(Generations, FreeWhatTheyInheritAndForkAgainAmidThreads)
{
    if (TEST_SANITIZED)
        GTEST_SKIP() << "a sanitizer's own allocator does not survive a fork amid threads that use it";
    seed();
    expect_in_child([] { live(3, resident_bytes() + 64 * MiB); });
}

#endif

// The only thread's heap is its child's as it is, and so are all slabs.
TEST(Generations, OfOneThreadDoNotGrow)
{
    seed();
    expect_in_child([] {
        Table table;
        Random random(1);
        size_t first = 0;
        pid_t child = 0;
        const size_t depth = repetitions(100);
        for (size_t generation = 0; generation < depth && child == 0; generation++) {
            for (size_t i = 0; i < 1000; i++)
                require(table.replace(random), 2);
            if (generation == depth / 10)
                first = resident_bytes();
            child = fork();
            require(child >= 0, 3);
        }
        int status = 0;
        if (child == 0) {
            const size_t last = resident_bytes();
            EXPECT_LT(last, first + 8 * MiB);
            require(table.free_all(), 4);
        } else {
            require(waitpid(child, &status, 0) == child && WIFEXITED(status), 5);
        }
        std::fflush(nullptr);
        _exit(testing::Test::HasFailure() ? 1 : WEXITSTATUS(status));
    });
}

// ---- exec --------------------------------------------------------------------------------------------------------

constexpr const char *is_second = "ALLOC_TEST_IS_SECOND_PROGRAM";

// A program that replaces itself: right after the fork, or after it used the library there.
TEST(Exec, AmidThreadsBeginsAnew)
{
    if (std::getenv(is_second) != nullptr) {
        EXPECT_TRUE(is_usable());
        EXPECT_TRUE(TEST_SANITIZED || resident_bytes() < 64 * MiB);
        return;
    }
    seed();
    setenv(is_second, "1", 1);
    Traffic traffic(2);
    for (size_t round = 0; round < repetitions(8) && !HasFailure(); round++)
        expect_in_child(
            [round] {
                require(round % 2 == 0 || is_usable(), 2);
                execl("/proc/self/exe", "fork_storm_test", "--gtest_filter=Exec.AmidThreadsBeginsAnew",
                      "--gtest_brief=1", nullptr);
                _exit(3);
            },
            60);
    unsetenv(is_second);
}

} // namespace
