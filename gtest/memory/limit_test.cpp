// Processes that may have little: addresses, memory, mappings, locked memory. Most of it can be had as blocks, the rest is
// refused cleanly, and what was freed can be had again.
#include "support.h"

#include <alloc/alloc_ext.h>

#include <atomic>
#include <cerrno>
#include <memory>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <thread>

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

struct alloc_stats stats()
{
    struct alloc_stats stats;
    EXPECT_EQ(alloc_stats(&stats, sizeof stats), 0);
    return stats;
}

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

// ---- addresses, data, and the library's own limit -----------------------------------------------------------------------

struct Limit {
    const char *name;
    int resource;
    size_t bytes; // left to the process
    size_t usable;

    void begin() const
    {
        if (resource == mapped)
            ASSERT_EQ(alloc_option_set(ALLOC_OPTION_MAPPED_LIMIT, stats().committed_bytes + bytes), 0);
        else
            set(process_bytes("/proc/self/status", resource == RLIMIT_AS ? "VmSize:" : "VmData:") + bytes);
    }
    void end() const
    {
        if (resource == mapped)
            ASSERT_EQ(alloc_option_set(ALLOC_OPTION_MAPPED_LIMIT, 0), 0);
        else
            set(RLIM_INFINITY);
    }

    static constexpr int mapped = -1; // ALLOC_OPTION_MAPPED_LIMIT

  private:
    void set(rlim_t to) const
    {
        const rlimit bounds = {to, RLIM_INFINITY};
        ASSERT_EQ(setrlimit(static_cast<__rlimit_resource>(resource), &bounds), 0);
    }
};

std::ostream &operator<<(std::ostream &out, const Limit &limit) { return out << limit.name; }

constexpr Limit limits[] = {
    {"Addresses", RLIMIT_AS, 1024 * MiB, 800 * MiB},
    {"Data", RLIMIT_DATA, 256 * MiB, 200 * MiB}, // counts what is writable, as vm.overcommit_memory=2 does
    {"Mapped", Limit::mapped, 256 * MiB, 200 * MiB},
};

void skip_if_sanitized(const Limit &limit)
{
    if (TEST_SANITIZED && limit.resource != Limit::mapped)
        GTEST_SKIP() << "a sanitizer needs more than any limit leaves";
}

class Limited : public testing::TestWithParam<std::tuple<Limit, Request>>
{
  protected:
    void SetUp() override { skip_if_sanitized(limit); }

    const Limit limit = std::get<Limit>(GetParam());
    const Request request = std::get<Request>(GetParam());
    // As many as there could be, and something for whatever reports a failure.
    Blocks blocks{2 * limit.bytes / 1000};
    std::unique_ptr<char[]> spare{new char[1 * MiB]};
};

constexpr Request requests[] = {{1000, 8},    {8192, 0},       {64 * KiB, 0},    {512 * KiB, 0},
                                {1 * MiB, 0}, {3 * MiB, 4096}, {16 * MiB, 4096}, {16 * MiB, 0}};

INSTANTIATE_TEST_SUITE_P(In, Limited, testing::Combine(testing::ValuesIn(limits), testing::ValuesIn(requests)),
                         [](const auto &info) {
                             const Request request = std::get<Request>(info.param);
                             return std::string(std::get<Limit>(info.param).name) + std::to_string(request.size) +
                                    (request.align == 0 ? "" : "At" + std::to_string(request.align));
                         });

TEST_P(Limited, LeavesMostOfItToBlocksAgainAndAgain)
{
    expect_in_child([this] {
        limit.begin();
        const size_t count = blocks.exhaust(request);
        EXPECT_GE(count * request.size, limit.usable / (ALLOC_DEBUG ? 4 : 1));
        blocks.release_all(request);
        EXPECT_GE(blocks.exhaust(request), count - count / 16);
        blocks.release_all(request);
        spare.reset();
        limit.end();
        EXPECT_TRUE(is_usable());
    });
}

// Whatever it was used for before. Only addresses stay what they are, once there are slabs.
TEST_P(Limited, LeavesMostOfItToBlocksOfOtherSizes)
{
    for (Request other : {Request{1000, 8}, {64 * KiB, 0}, {16 * MiB, 0}})
        if (limit.resource != RLIMIT_AS || request.size > slot_size_max || other.size <= slot_size_max)
            expect_in_child([this, other] {
                limit.begin();
                blocks.exhaust(request);
                blocks.release_all(request);
                alloc_trim();
                EXPECT_GE(blocks.exhaust(other) * other.size, limit.usable / (ALLOC_DEBUG ? 4 : 1)) << other;
                blocks.release_all(other);
            });
}

#if ALLOC_THREADS

class LimitedThreads : public testing::TestWithParam<Limit>
{
};

INSTANTIATE_TEST_SUITE_P(In, LimitedThreads, testing::ValuesIn(limits), testing::PrintToStringParamName());

// At the same time they use it up and give it back. In the end it is there for one of them, but for the addresses of slabs
// that are too small for what is asked for then.
TEST_P(LimitedThreads, ShareIt)
{
    const Limit limit = GetParam();
    skip_if_sanitized(limit);
    if (IsSkipped())
        return;
    seed();
    constexpr size_t width = 3, most = 4000;
    expect_in_child([=] {
        std::vector<std::pair<void *, Request>> tables[width];
        std::atomic<size_t> refused{0};
        std::atomic<bool> may_start{false};
        std::vector<std::thread> threads;
        auto work = [&](size_t number) {
            auto &table = tables[number];
            Random random(number);
            while (!may_start)
                std::this_thread::yield();
            for (size_t round = 0; round < repetitions(16); round++) {
                for (size_t i = 0; i < most; i++) {
                    const Request request = requests[random.below(std::size(requests))];
                    void *block = allocate(request);
                    refused += block == nullptr;
                    if (block != nullptr) {
                        fill(block, sizeof(uint64_t), number * most + table.size());
                        table.push_back({block, request});
                    }
                }
                for (size_t i = 0; i < table.size(); i++) {
                    EXPECT_TRUE(holds(table[i].first, sizeof(uint64_t), number * most + i));
                    release(table[i].first, table[i].second);
                }
                table.clear();
            }
        };
        for (size_t number = 0; number < width; number++) {
            tables[number].reserve(most);
            threads.emplace_back(work, number);
        }
        Blocks blocks(2 * limit.bytes / (64 * KiB));
        limit.begin();
        may_start = true;
        for (std::thread &thread : threads)
            thread.join();
        EXPECT_GT(refused, 0u);
        alloc_trim();
        EXPECT_GE(blocks.exhaust({64 * KiB, 0}) * 64 * KiB, limit.usable / (ALLOC_DEBUG ? 4 : 2));
        limit.end();
        EXPECT_TRUE(is_usable());
    });
}

#endif

// ---- mappings -----------------------------------------------------------------------------------------------------------

#if !TEST_SANITIZED

// What the kernel refused to unmap. The library's calls come here: a program's functions go before the C library's.
std::atomic<size_t> refused_bytes;

} // namespace

extern "C" int munmap(void *start, size_t size) noexcept
{
    const long result = syscall(SYS_munmap, start, size);
    if (result != 0)
        refused_bytes += size;
    return static_cast<int>(result);
}

namespace
{

// Takes all the mappings that a process may have, and gives some back: pages that are no mapping with their neighbours.
class Mappings
{
  public:
    Mappings()
    {
        void *reserved = mmap(nullptr, most * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        start = reserved == MAP_FAILED ? nullptr : static_cast<char *>(reserved);
        while (start != nullptr && next < most && protect(PROT_READ))
            next += 2;
    }
    ~Mappings() { munmap(start, most * page); }
    Mappings(const Mappings &) = delete;
    Mappings &operator=(const Mappings &) = delete;

    bool are_all() const { return start != nullptr && next < most; }

    void give_back(size_t count)
    {
        for (size_t i = 0; i < count; i += 2) {
            next -= 2;
            EXPECT_TRUE(protect(PROT_NONE));
        }
    }

  private:
    bool protect(int protection) const { return mprotect(start + next * page, page, protection) == 0; }

    static constexpr size_t most = size_t{1} << 20;
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    char *start;
    size_t next = 1;
};

// Whole mappings, freed in an order that cuts mappings in two, and slabs. The kernel may refuse to unmap, too: then the
// memory goes back, and those addresses stay, but no others.
TEST(FewMappings, AreUsedUpAndSurvived)
{
    seed();
    expect_in_child([] {
        std::vector<std::pair<void *, Request>> blocks;
        blocks.reserve(1000);
        ASSERT_TRUE(is_usable());
        const size_t unknown = mapped_bytes() - stats().reserved_bytes, resident = resident_bytes();
        size_t served = 0, refused = 0;
        {
            Mappings mappings;
            if (!mappings.are_all())
                return;
            Random random(1);
            for (size_t round = 0; round < 20; round++) {
                mappings.give_back(4);
                for (size_t i = 0; i < 200; i++) {
                    Request request = random.request();
                    if (random.one_in(2))
                        request = {slot_size_max + random.below(4 * MiB), random.one_in(2) ? 0 : size_t{4 * KiB}};
                    errno = 0;
                    void *block = allocate(request);
                    EXPECT_TRUE(block != nullptr || errno == ENOMEM);
                    if (block != nullptr) {
                        fill_edges(block, request.size, served++);
                        blocks.push_back({block, request});
                    } else {
                        refused++;
                    }
                    if (!blocks.empty() && random.one_in(2)) {
                        std::swap(blocks[random.below(blocks.size())], blocks.back());
                        release(blocks.back().first, blocks.back().second);
                        blocks.pop_back();
                    }
                }
                for (auto &[block, request] : blocks)
                    release(block, request);
                blocks.clear();
            }
            alloc_trim();
            EXPECT_LT(resident_bytes(), resident + 8 * MiB); // and what the kernel needs for mappings is not counted
        }
        EXPECT_GT(served, refused); // what it has grows without taking more mappings
        EXPECT_LT(mapped_bytes() - stats().reserved_bytes, unknown + refused_bytes + 8 * MiB);
        EXPECT_TRUE(is_usable());
    });
}

#endif

// ---- locked memory ------------------------------------------------------------------------------------------------------

class LockedMemory : public testing::TestWithParam<size_t>
{
  protected:
    void SetUp() override
    {
        rlimit bounds;
        getrlimit(RLIMIT_MEMLOCK, &bounds);
        if (TEST_SANITIZED)
            GTEST_SKIP() << "a sanitizer has more memory than can be locked";
        if (mlockall(MCL_FUTURE) != 0)
            GTEST_SKIP() << "this process may not lock memory";
        munlockall();
        if (bounds.rlim_max < limit)
            GTEST_SKIP() << "this process may lock no more than " << bounds.rlim_max << " bytes";
    }

    const size_t limit = GetParam() * MiB;
};

INSTANTIATE_TEST_SUITE_P(OfMiB, LockedMemory, testing::Values(1, 8), testing::PrintToStringParamName());

// More than it may lock, a process cannot have. What is only reserved counts, too.
TEST_P(LockedMemory, IsUsedUpAndSurvived)
{
    for (Request request : requests)
        expect_in_child([=] {
            Blocks blocks(2 * limit / 1000 + 1);
            std::unique_ptr<char[]> spare(new char[1 * MiB]);
            ASSERT_EQ(mlockall(MCL_FUTURE), 0);
            const rlimit bounds = {limit, limit};
            ASSERT_EQ(setrlimit(RLIMIT_MEMLOCK, &bounds), 0);
            ASSERT_TRUE(geteuid() != 0 || setresuid(65534, 65534, 65534) == 0) << "for the superuser there is no limit";
            const size_t count = blocks.exhaust(request);
            blocks.release_all(request);
            EXPECT_GE(blocks.exhaust(request), count - count / 16);
            blocks.release_all(request);
            munlockall();
            EXPECT_TRUE(is_usable());
        });
}

// Where all is locked, what was freed and purged may still have its contents: no block is taken for zero that is not.
TEST(AllMemoryLocked, ServesAnyNumberOfLives)
{
    if (TEST_SANITIZED)
        GTEST_SKIP() << "a sanitizer has more memory than can be locked";
    if (mlockall(MCL_CURRENT) != 0)
        GTEST_SKIP() << "this process may not lock what it has";
    munlockall();
    seed();
    expect_in_child([] {
        const rlimit bounds = {mapped_bytes() + 4096 * MiB, RLIM_INFINITY}; // whatever is mapped takes memory at once
        ASSERT_EQ(setrlimit(RLIMIT_AS, &bounds), 0);
        ASSERT_EQ(mlockall(MCL_CURRENT | MCL_FUTURE), 0);
        Random random(1);
        std::vector<std::pair<void *, Request>> blocks;
        for (size_t life = 0; life < 6 && !testing::Test::HasFailure(); life++) {
            for (size_t i = 0; i < repetitions(2000); i++) {
                const Request request = random.request();
                void *block = allocate_zeroed(request);
                ASSERT_NE(block, nullptr);
                ASSERT_TRUE(is_zero(block, 0, request.size)) << request << " in life " << life;
                std::memset(block, 0xff, request.size);
                blocks.push_back({block, request});
            }
            for (auto &[block, request] : blocks)
                release(block, request);
            blocks.clear();
            if (life % 2 == 0)
                alloc_trim();
        }
        EXPECT_TRUE(is_usable());
    });
}

} // namespace
