// Fork in a signal handler, before every instruction of what its thread is doing in the library (x86-64, Linux): whichever
// lock that holds, neither the fork nor what the child goes on with waits for ever, and both find everything in order.
#include "support.h"
#include "white_box.h"
#include "worker.h"

#include <csignal>
#include <functional>
#include <pthread.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <x86intrin.h>

extern "C" unsigned char __executable_start[], etext[]; // NOLINT(bugprone-reserved-identifier): the linker's

using namespace support;

namespace
{

// In a forked process, by hand: an expectation may need a lock of the C library.
void require(bool condition, int code)
{
    if (!condition)
        _exit(code);
}

// Every class in use, slabs taken and given back, whole mappings.
bool is_usable()
{
    constexpr size_t count = 3;
    for (size_t size : {1, 24, 64, 100, 1000, 5000, 8192, 20000, 65536, 524288, 600000}) {
        void *blocks[count];
        for (size_t i = 0; i < count; i++) {
            blocks[i] = alloc_malloc(size);
            if (blocks[i] == nullptr)
                return false;
            fill_edges(blocks[i], size, i);
        }
        for (size_t i = 0; i < count; i++) {
            if (!holds_edges(blocks[i], size, i))
                return false;
            alloc_free(blocks[i], size);
        }
    }
    return true;
}

// What all processes of a test know.
struct Outcome {
    size_t count; // of instructions of the stretch
    size_t forks;
    void *last; // the instruction before which one of them forked last
    int status; // of the first that failed
};

// Traps before every instruction of the calling thread from begin() to end(), and forks before each `stride`th of those of
// this program; 0: before none.
class Forks
{
  public:
    Forks(Outcome *outcome, size_t stride) : outcome(outcome), stride(stride)
    {
        current = this;
        struct sigaction action = {};
        action.sa_sigaction = [](int, siginfo_t *, void *context) {
            current->step(static_cast<ucontext_t *>(context)->uc_mcontext.gregs);
        };
        action.sa_flags = SA_SIGINFO;
        sigaction(SIGTRAP, &action, nullptr);
    }

    static void begin() { __writeeflags(__readeflags() | trap_flag); }

    // Does not return in a process that was forked on the way.
    void end()
    {
        __writeeflags(__readeflags() & ~trap_flag);
        for (int status; wait(&status) > 0;) // for those that the stretch itself forked
            require(status == 0, 6);
        if (!is_forked)
            return;
        require(is_usable(), 2);
        _exit(0);
    }

  private:
    static constexpr unsigned long long trap_flag = 0x100;

    void step(greg_t *registers)
    {
        auto *here = reinterpret_cast<unsigned char *>(registers[REG_RIP]);
        if (here < __executable_start || here >= etext) // the C library may hold a lock of its own
            return;
        if (stride != 0 && outcome->count % stride == 0) {
            outcome->forks++;
            outcome->last = here;
            fork_and_go_on(registers, 2);
        }
        outcome->count++;
    }

    // Forks, and forks again in the child. They all go on from here, one after the other, only the first one stepping.
    void fork_and_go_on(greg_t *registers, int generations)
    {
        constexpr unsigned seconds = 60;
        alarm(seconds); // for the fork
        const pid_t child = fork();
        require(child >= 0, 3);
        if (child == 0) {
            alarm(seconds);
            is_forked = true;
            registers[REG_EFL] &= ~static_cast<greg_t>(trap_flag);
            if (generations > 1)
                fork_and_go_on(registers, generations - 1);
            return;
        }
        int status = -1;
        require(waitpid(child, &status, 0) == child, 4);
        if (status != 0) {
            if (outcome->status == 0)
                outcome->status = status;
            _exit(5);
        }
    }

    static inline Forks *current = nullptr;
    Outcome *outcome;
    const size_t stride;
    bool is_forked = false;
};

class ForkSteps : public testing::Test
{
  protected:
    void SetUp() override
    {
#if defined(__SANITIZE_THREAD__)
        GTEST_SKIP() << "the thread sanitizer delays signals";
#endif
        void *page = mmap(nullptr, sizeof *outcome, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        ASSERT_NE(page, MAP_FAILED);
        outcome = static_cast<Outcome *>(page);
    }

    // Expects of `body`, which begins and ends the stepping, that it stands a fork anywhere: in two processes that have not
    // used the library before, one that counts instructions, and one that forks before as many as there is time for.
    void expect_steps(const std::function<void(Forks &)> &body)
    {
        auto run = [&](size_t stride) {
            expect_in_child([&] {
                Forks forks(outcome, stride);
                body(forks);
                EXPECT_TRUE(is_usable());
                engine_validate();
            });
        };
        run(0);
        const size_t stride = 1 + outcome->count / repetitions(500);
        outcome->count = 0;
        run(stride);
        EXPECT_GT(outcome->forks, 50u) << "so few are not what was meant";
        EXPECT_FALSE(HasFailure()) << "forked before " << outcome->last << ", status " << outcome->status;
    }

  private:
    Outcome *outcome = nullptr;
};

constexpr size_t count = 36; // slots of the sizes below: more than a slab
constexpr size_t few_to_a_slab[] = {8192, 65536};

struct Blocks {
    void *of[std::size(few_to_a_slab)][count];

    void allocate()
    {
        for (size_t kind = 0; kind < std::size(few_to_a_slab); kind++)
            for (void *&block : of[kind])
                block = alloc_malloc(few_to_a_slab[kind]);
    }
    void release()
    {
        for (size_t kind = 0; kind < std::size(few_to_a_slab); kind++)
            for (void *block : of[kind])
                alloc_free(block, few_to_a_slab[kind]);
    }
};

// The heap is created, addresses and memory come from the system.
TEST_F(ForkSteps, OfTheFirstAllocation)
{
    expect_steps([](Forks &forks) {
        forks.begin();
        void *block = alloc_malloc(64);
        forks.end();
        alloc_free(block, 64);
    });
}

TEST_F(ForkSteps, OfTakingSlabs)
{
    expect_steps([](Forks &forks) {
        Blocks blocks;
        forks.begin();
        blocks.allocate();
        forks.end();
    });
}

TEST_F(ForkSteps, OfGivingSlabsBack)
{
    expect_steps([](Forks &forks) {
        Blocks blocks;
        blocks.allocate();
        forks.begin();
        blocks.release();
        forks.end();
    });
}

TEST_F(ForkSteps, OfFreeingAnotherThreadsBlocks)
{
    expect_steps([](Forks &forks) {
        Worker owner;
        Blocks blocks;
        owner.run([&] { blocks.allocate(); });
        forks.begin();
        blocks.release();
        forks.end();
    });
}

TEST_F(ForkSteps, OfLargeBlocks)
{
    expect_steps([](Forks &forks) {
        forks.begin();
        for (size_t align : {size_t{1}, 2 * MiB}) {
            void *block = alloc_malloc_aligned(600 * KiB, align);
            block = alloc_realloc_aligned(block, 600 * KiB, 3 * MiB, align);
            block = alloc_realloc_aligned(block, 3 * MiB, 700 * KiB, align);
            alloc_free_aligned(block, 700 * KiB, align);
        }
        forks.end();
    });
}

TEST_F(ForkSteps, OfPurging)
{
    expect_steps([](Forks &forks) {
        Blocks blocks;
        blocks.allocate();
        blocks.release();
        alloc_free(alloc_malloc(3 * MiB), 3 * MiB);
        forks.begin();
        while (alloc_purge() == 1)
            ;
        forks.end();
    });
}

// The library's destructor of the thread's data runs before that of a key created later, in the same round.
TEST_F(ForkSteps, OfAThreadsExit)
{
    expect_steps([](Forks &forks) {
        alloc_free(alloc_malloc(64), 64);
        pthread_key_t key;
        ASSERT_EQ(pthread_key_create(&key, [](void *all) { static_cast<Forks *>(all)->end(); }), 0);
        Blocks blocks;
        std::thread([&] {
            pthread_setspecific(key, &forks);
            blocks.allocate();
            for (size_t i = 0; i < count; i += 3) {
                alloc_free(blocks.of[0][i], few_to_a_slab[0]);
                blocks.of[0][i] = nullptr;
            }
            forks.begin();
        }).join();
        blocks.release();
        pthread_key_delete(key);
    });
}

// A fork in the library's handlers of another one, before and after it, in the parent and in the child.
TEST_F(ForkSteps, OfAFork)
{
    expect_steps([](Forks &forks) {
        alloc_free(alloc_malloc(64), 64);
        forks.begin();
        const pid_t child = fork();
        forks.end();
        require(child >= 0, 7);
        if (child == 0)
            _exit(is_usable() ? 0 : 2);
    });
}

} // namespace
