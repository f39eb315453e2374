// Sandboxes: a filter on system calls that refuses what the library can do without, or kills for what a program's thread would not
// need with the system's own malloc.
#include "support.h"

#include <alloc/alloc_gp.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <ostream>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <thread>
#include <vector>

namespace
{

using namespace support;

// From here on these system calls of the process end with `action`.
void filter(const std::vector<unsigned> &calls, unsigned action)
{
    std::vector<sock_filter> program = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<unsigned>(offsetof(seccomp_data, nr)))};
    for (unsigned call : calls) {
        program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1));
        program.push_back(BPF_STMT(BPF_RET | BPF_K, action));
    }
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    const sock_fprog whole = {static_cast<unsigned short>(program.size()), program.data()};
    ASSERT_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ASSERT_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &whole), 0) << std::strerror(errno);
}

void expect_filled(const char *block, size_t size, char mark)
{
    EXPECT_EQ(block[0], mark);
    EXPECT_EQ(block[size - 1], mark);
}

// Small blocks, large ones, growing ones, with what comes of them.
void use_memory()
{
    for (size_t round = 0; round < 3; round++) {
        std::vector<char *> blocks;
        for (size_t i = 0; i < 4000; i++) {
            const size_t size = i * 37 % 5000 + 1;
            blocks.push_back(static_cast<char *>(alloc_malloc(size)));
            ASSERT_NE(blocks.back(), nullptr);
            std::memset(blocks.back(), static_cast<char>(i), size);
        }
        for (size_t i = 0; i < 4000; i++) {
            expect_filled(blocks[i], i * 37 % 5000 + 1, static_cast<char>(i));
            alloc_free(blocks[i], i * 37 % 5000 + 1);
        }
        for (size_t i = 0; i < 40; i++) {
            const size_t size = (i % 7 + 1) * 512 * KiB + 1;
            char *block = static_cast<char *>(alloc_calloc(1, size));
            ASSERT_NE(block, nullptr);
            EXPECT_EQ(block[size / 2], 0);
            std::memset(block, static_cast<char>(i), size);
            blocks[i] = static_cast<char *>(alloc_realloc(block, size, 2 * size));
            ASSERT_NE(blocks[i], nullptr);
        }
        for (size_t i = 0; i < 40; i++) {
            const size_t size = (i % 7 + 1) * 512 * KiB + 1;
            expect_filled(blocks[i], size, static_cast<char>(i));
            alloc_free(blocks[i], 2 * size);
        }
    }
    while (alloc_purge() != 0)
        ;
}

struct Refused {
    unsigned call;
    const char *name;
};

void PrintTo(const Refused &refused, std::ostream *out) { *out << refused.name; }

class Sandbox : public testing::TestWithParam<Refused>
{
  protected:
    void SetUp() override
    {
        if (TEST_SANITIZED)
            GTEST_SKIP() << "a sanitizer makes system calls of its own";
    }
};

TEST_P(Sandbox, MayRefuse)
{
    expect_in_child([] {
        void *early = alloc_gp_malloc(100);
        filter({GetParam().call}, SECCOMP_RET_ERRNO | EPERM);
        use_memory();
        EXPECT_EQ(alloc_gp_usable_size(early), 112u) << "what was known is forgotten";
        alloc_gp_free(early);
#if ALLOC_THREADS
        if (GetParam().call != SYS_mprotect) // the C library needs it for a thread's stack
            std::thread(use_memory).join();
#endif
    });
}

INSTANTIATE_TEST_SUITE_P(Each, Sandbox,
                         testing::Values(Refused{SYS_madvise, "madvise"}, Refused{SYS_mremap, "mremap"},
                                         Refused{SYS_mprotect, "mprotect"}, Refused{SYS_clock_gettime, "clock_gettime"},
                                         Refused{SYS_gettid, "gettid"}, Refused{SYS_prlimit64, "prlimit64"}),
                         [](const auto &info) { return std::string(info.param.name); });

#if ALLOC_THREADS

// Once the process has begun.
TEST_F(Sandbox, MayKillForWhatTheSystemsMallocDoesNotCall)
{
    expect_in_child([] {
        alloc_free(alloc_malloc(100), 100);
        std::thread thread([] {
            filter({SYS_gettid, SYS_tgkill, SYS_getpid, SYS_prlimit64, SYS_prctl, SYS_getrandom},
                   SECCOMP_RET_KILL_PROCESS);
            use_memory();
            std::vector<std::thread> threads; // filtered as their parent is
            for (size_t i = 0; i < 4; i++)
                threads.emplace_back(use_memory);
            for (std::thread &one : threads)
                one.join();
        });
        thread.join();
    });
}

#endif

} // namespace
