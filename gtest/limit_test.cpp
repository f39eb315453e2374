// Processes that may have little: addresses, memory, mappings, locked memory. Most of it can be had as blocks, the rest is
// refused cleanly, and what was freed can be had again.
#include "support.h"

#include <cerrno>
#include <memory>
#include <sys/mman.h>
#include <sys/resource.h>

using namespace support;

namespace
{

size_t mapped_bytes() { return process_bytes("/proc/self/status", "VmSize:"); }

// Blocks that are written to, in an array that was there before there was a limit.
class Blocks
{
  public:
    explicit Blocks(size_t most) { blocks.reserve(most); }

    // Allocates until there is no memory; the number of blocks.
    size_t exhaust(Request request)
    {
        errno = 0;
        while (blocks.size() < blocks.capacity()) {
            void *block = allocate(request);
            if (block == nullptr)
                break;
            fill(block, std::min(request.size, sizeof(uint64_t)), blocks.size());
            blocks.push_back(block);
        }
        EXPECT_EQ(errno, ENOMEM);
        EXPECT_LT(blocks.size(), blocks.capacity());
        return blocks.size();
    }

    void release_all(Request request)
    {
        for (size_t i = 0; i < blocks.size(); i++) {
            EXPECT_TRUE(holds(blocks[i], std::min(request.size, sizeof(uint64_t)), i));
            release(blocks[i], request);
        }
        blocks.clear();
    }

  private:
    std::vector<void *> blocks;
};

// Whether every family of blocks can be had, written to, and given back.
bool is_usable()
{
    for (Request request : {Request{24, 8}, {100, 4}, {4096, 0}, {48 * KiB, 0}, {600 * KiB, 0}, {3 * MiB, 0}}) {
        void *block = allocate(request);
        if (block == nullptr)
            return false;
        fill_edges(block, request.size, 1);
        if (!holds_edges(block, request.size, 1))
            return false;
        release(block, request);
    }
    return true;
}

// ---- addresses and data -----------------------------------------------------------------------------------------------

struct Limit {
    int resource;
    const char *name;
    size_t bytes; // left to the process
    size_t usable;
};

std::ostream &operator<<(std::ostream &out, const Limit &limit) { return out << limit.name; }

constexpr Limit limits[] = {
    {RLIMIT_AS, "Addresses", 1024 * MiB, 800 * MiB},
    {RLIMIT_DATA, "Data", 256 * MiB, 200 * MiB}, // counts what is writable, as vm.overcommit_memory=2 does
};

class Limited : public testing::TestWithParam<std::tuple<Limit, Request>>
{
};

INSTANTIATE_TEST_SUITE_P(In, Limited,
                         testing::Combine(testing::ValuesIn(limits),
                                          testing::Values(Request{100, 4}, Request{64 * KiB, 0}, Request{512 * KiB, 0},
                                                          Request{1 * MiB, 0}, Request{3 * MiB, 4096},
                                                          Request{16 * MiB, 4096})),
                         [](const auto &info) {
                             return std::string(std::get<0>(info.param).name) +
                                    std::to_string(std::get<1>(info.param).size);
                         });

TEST_P(Limited, LeavesMostOfItToBlocks)
{
    if (TEST_SANITIZED)
        GTEST_SKIP() << "a sanitizer needs more than any limit leaves";
    const auto [limit, request] = GetParam();
    expect_in_child([limit = limit, request = request] {
        Blocks blocks(2 * limit.bytes / request.size);
        std::unique_ptr<char[]> spare(new char[1 * MiB]); // for whatever reports a failure
        const size_t used = limit.resource == RLIMIT_AS ? mapped_bytes() : process_bytes("/proc/self/status", "VmData:");
        const rlimit resource_limit = {used + limit.bytes, RLIM_INFINITY};
        ASSERT_EQ(setrlimit(static_cast<__rlimit_resource_t>(limit.resource), &resource_limit), 0);
        const size_t count = blocks.exhaust(request);
        EXPECT_GE(count * request.size, limit.usable / (ALLOC_DEBUG ? 4 : 1)) << count;
        blocks.release_all(request);
        EXPECT_GE(blocks.exhaust(request), count - count / 16);
        blocks.release_all(request);
        spare.reset();
        const rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
        ASSERT_EQ(setrlimit(static_cast<__rlimit_resource_t>(limit.resource), &none), 0);
        EXPECT_TRUE(is_usable());
    });
}

} // namespace
