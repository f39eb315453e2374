// From before main to after it: threads that come and go by the thousand, several at a time, while others free what they
// allocated; destructors of their objects; and what a program does at its exit.
#include "support.h"

#include <array>
#include <atomic>
#include <pthread.h>
#include <thread>

using namespace support;

namespace
{

// Each test has so many seconds: one that waits for what never comes ends.
class Timed : public testing::Test
{
  protected:
    void SetUp() override { alarm(120); }
    void TearDown() override { alarm(0); }
};

// Small, medium and large slabs, a large block.
constexpr Request assorted[] = {{1, 0}, {24, 8}, {100, 0}, {1000, 0}, {8192, 0}, {20000, 1}, {600 * KiB, 0}};

bool is_usable()
{
    void *blocks[std::size(assorted)];
    bool is_intact = true;
    for (size_t i = 0; i < std::size(assorted); i++) {
        blocks[i] = allocate(assorted[i]);
        if (blocks[i] == nullptr)
            return false;
        fill_edges(blocks[i], assorted[i].size, i);
    }
    for (size_t i = 0; i < std::size(assorted); i++) {
        is_intact &= holds_edges(blocks[i], assorted[i].size, i);
        release(blocks[i], assorted[i]);
    }
    return is_intact;
}

// A block that whoever comes by replaces, so that it is always another thread's that is freed.
class PassedOn
{
  public:
    ~PassedOn() { free_block(block); }

    bool pass_on(uint64_t mark)
    {
        char *next = static_cast<char *>(alloc_malloc(size));
        if (next == nullptr)
            return false;
        std::memcpy(next, &mark, sizeof mark);
        fill(next + sizeof mark, size - sizeof mark, mark);
        return free_block(block.exchange(next));
    }

    bool take() { return free_block(block.exchange(nullptr)); }

  private:
    static constexpr size_t size = 200;

    static bool free_block(char *taken)
    {
        if (taken == nullptr)
            return true;
        uint64_t mark;
        std::memcpy(&mark, taken, sizeof mark);
        const bool is_intact = holds(taken + sizeof mark, size - sizeof mark, mark);
        alloc_free(taken, size);
        return is_intact;
    }

    std::atomic<char *> block{nullptr};
};

// ---- threads ------------------------------------------------------------------------------------------------------

size_t count_heaps()
{
    struct alloc_stats stats;
    EXPECT_EQ(alloc_stats(&stats, sizeof stats), 0);
    return stats.heaps_live + stats.heaps_pooled;
}

// Runs `body(number)` in so many threads, `width` of them at a time and each as soon as there is a place, and expects that
// once all is warm none leaves memory behind.
template <class Body> void expect_nothing_left_behind(size_t threads, size_t width, Body body)
{
    std::atomic<size_t> started{0}, warm{0};
    std::vector<std::thread> places(width);
    for (std::thread &place : places)
        place = std::thread([&] {
            for (size_t number = started++; number < threads; number = started++) {
                if (number == threads / 10)
                    warm = resident_bytes();
                std::thread([&] { body(number); }).join();
            }
        });
    for (std::thread &place : places)
        place.join();
    EXPECT_LT(count_heaps(), 20u) << "as many are alive, or on their way out, at a time";
    // A heap and its slabs take some 50 KiB. A sanitizer keeps more than that of each thread itself.
    EXPECT_TRUE(TEST_SANITIZED || resident_bytes() < warm + 3 * MiB) << warm << " to " << resident_bytes();
}

class ShortThreadsInTime : public Timed
{
};

TEST_F(ShortThreadsInTime, SeveralAtATimeLeaveNothingBehind)
{
    expect_nothing_left_behind(repetitions(10000), 4, [](size_t) { EXPECT_TRUE(is_usable()); });
}

// At their exit, some of what they allocated is freed already, some is being freed, and some will be.
TEST_F(ShortThreadsInTime, LeaveNothingBehindWhileOthersFreeWhatTheyAllocated)
{
    std::array<PassedOn, 64> blocks;
    std::atomic<bool> is_over{false};
    auto free_some = [&](size_t first) {
        while (!is_over)
            for (size_t i = first; i < blocks.size(); i += 3)
                EXPECT_TRUE(blocks[i].take());
    };
    std::thread others[] = {std::thread(free_some, 0), std::thread(free_some, 1)};
    expect_nothing_left_behind(repetitions(10000), 2, [&](size_t number) {
        for (size_t i = 0; i < blocks.size(); i++)
            EXPECT_TRUE(blocks[(number + i) % blocks.size()].pass_on(number + i));
    });
    is_over = true;
    for (std::thread &other : others)
        other.join();
}

// Each starts the next and does not wait for it: there is always one that exits while another begins.
TEST_F(ShortThreadsInTime, EachStartedByTheOneBeforeLeaveNothingBehind)
{
    static std::atomic<size_t> left;
    static std::atomic<bool> is_over;
    static PassedOn block;
    static void *(*live)(void *) = [](void *) -> void * {
        EXPECT_TRUE(block.pass_on(left));
        pthread_t next;
        if (--left != 0 && pthread_create(&next, nullptr, live, nullptr) == 0)
            pthread_detach(next);
        else
            is_over = true;
        EXPECT_TRUE(is_usable());
        return nullptr;
    };
    auto run = [](size_t threads) {
        left = threads;
        is_over = false;
        std::thread(live, nullptr).join();
        while (!is_over)
            std::this_thread::yield();
        EXPECT_EQ(left, 0u);
    };
    run(repetitions(500));
    const size_t warm = resident_bytes();
    run(repetitions(5000));
    EXPECT_TRUE(TEST_SANITIZED || resident_bytes() < warm + 3 * MiB) << warm << " to " << resident_bytes();
    EXPECT_TRUE(block.take());
}

// ---- destructors of thread-local objects ----------------------------------------------------------------------------

class ThreadLocals : public Timed
{
};

PassedOn to_next_thread;

// Has a block of its own, or none; its destructor uses the library in any case.
struct Local {
    void *block = nullptr;

    ~Local()
    {
        EXPECT_TRUE(to_next_thread.pass_on(reinterpret_cast<uintptr_t>(this)));
        EXPECT_TRUE(is_usable());
        alloc_free(block, size);
    }

    static constexpr size_t size = 3000;
};

// They are destroyed last first: one that came before the thread's first allocation, after one that came later.
thread_local Local first, last;

TEST_F(ThreadLocals, AllocateAndFreeInTheirDestructors)
{
    expect_nothing_left_behind(repetitions(10000), 2, [](size_t number) {
        first.block = nullptr;
        if (number % 2 != 0) // otherwise the thread's first use is in a destructor
            first.block = alloc_malloc(Local::size);
        last.block = nullptr;
    });
    EXPECT_TRUE(to_next_thread.take());
}

// ---- before main, and at exit ---------------------------------------------------------------------------------------

void require(bool condition, int code)
{
    if (!condition)
        _exit(code);
}

// Of every run of this program: whatever it reports counts.
struct Global {
    void *block = alloc_malloc(size);

    Global()
    {
        require(block != nullptr && is_usable(), 90);
        fill(block, size, 0);
    }
    ~Global()
    {
        require(holds(block, size, 0), 91);
        alloc_free(block, size);
        require(is_usable(), 92);
    }

    static constexpr size_t size = 5000;
} global;

class Exit : public Timed
{
  protected:
    // Of the child, which is on its way out and has not got past the second handler otherwise.
    static constexpr int passed = 17;

    // Handlers run last first: one from before the process used more of the library than `global` does, one from after.
    // `end` is how the process ends, with threads that still work.
    void expect_served(int (*at_exit)(void (*)()), void (*end)())
    {
        std::fflush(nullptr);
        const pid_t child = fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            alarm(60);
            at_exit([] {
                require(is_usable() && kept_for_last.take(), 2);
                _exit(passed);
            });
            for (int number = 0; number < 2; number++)
                std::thread([] {
                    for (uint64_t mark = 0;; mark++)
                        require(kept_for_last.pass_on(mark) && is_usable(), 3);
                }).detach();
            static void *own = alloc_malloc(70000);
            fill(own, 70000, 1);
            at_exit([] {
                require(holds(own, 70000, 1), 4);
                alloc_free(own, 70000);
                require(is_usable() && kept_for_last.pass_on(5), 5);
            });
            end();
        }
        int status = -1;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
        EXPECT_EQ(WEXITSTATUS(status), passed);
    }

  private:
    static inline PassedOn kept_for_last;
};

TEST_F(Exit, ServesHandlersWhileThreadsGoOn)
{
    for (size_t round = 0; round < repetitions(20) && !HasFailure(); round++)
        expect_served(std::atexit, [] { std::exit(1); });
}

TEST_F(Exit, ServesHandlersOfAQuickOneWhileThreadsGoOn)
{
    for (size_t round = 0; round < repetitions(20) && !HasFailure(); round++)
        expect_served(at_quick_exit, [] { std::quick_exit(1); });
}

#if !defined(__SANITIZE_THREAD__) // which does not support threads in a child

// The process goes on without its first thread, whose blocks others free. (That is the one that forked: the test's own
// could not be left without what GoogleTest has on its stack.)
TEST_F(Exit, OfTheFirstThreadAlone)
{
    std::thread([] {
        expect_in_child([] {
            static std::array<void *, 1000> blocks;
            static const pthread_t first_thread = pthread_self();
            for (size_t i = 0; i < blocks.size(); i++) {
                blocks[i] = alloc_malloc(100);
                fill(blocks[i], 100, i);
            }
            std::thread([] {
                require(pthread_join(first_thread, nullptr) == 0, 2);
                for (size_t i = 0; i < blocks.size(); i++) {
                    require(holds(blocks[i], 100, i), 3);
                    alloc_free(blocks[i], 100);
                }
                require(is_usable(), 4);
                _exit(0);
            }).detach();
            pthread_exit(nullptr);
        });
    }).join();
}

#endif

} // namespace
