// What the engine needs beside what is asked of it: growth of resident memory per requested byte, while a live set of
// blocks of exactly one slot size doubles. Each size is measured in a process of its own; nobody remembers the blocks.
#include "support.h"

#include <functional>

using namespace support;

namespace
{

struct Growth {
    size_t requested = 0, resident = 0;
    double ratio() const { return static_cast<double>(resident) / static_cast<double>(requested); }
};

// Blocks that together have `bytes`, every byte of each in use.
void add_blocks(Request request, size_t bytes)
{
    for (size_t count = bytes / request.size; count != 0; count--) {
        void *block = allocate(request);
        ASSERT_NE(block, nullptr);
        std::memset(block, 0x5a, request.size);
    }
}

// From 256 to 512 MiB; from 64 to 128 MiB where blocks are so small that there are many.
Growth measure(Request request)
{
    const size_t live = (request.size <= 2 ? 64 : 256) * MiB;
    int ends[2] = {-1, -1};
    EXPECT_EQ(pipe(ends), 0);
    Growth growth;
    expect_in_child([&] {
        // Page by page: of a huge page at either end, all would be resident.
        EXPECT_EQ(alloc_option_set(ALLOC_OPTION_HUGE_PAGES, ALLOC_HUGE_PAGES_OFF), 0);
        resident_bytes(); // what it takes to measure is there before
        add_blocks(request, live);
        const size_t before = resident_bytes();
        add_blocks(request, live);
        growth = {live / request.size * request.size, resident_bytes() - before};
        EXPECT_EQ(write(ends[1], &growth, sizeof growth), static_cast<ssize_t>(sizeof growth));
    });
    EXPECT_EQ(read(ends[0], &growth, sizeof growth), static_cast<ssize_t>(sizeof growth));
    close(ends[0]);
    close(ends[1]);
    return growth;
}

// Measures each size, prints the table's rows, and expects no ratio above the row's limit.
void expect_ratios(const std::vector<Request> &requests, const std::function<double(size_t)> &limit)
{
    std::printf("%10s %12s %12s\n", "size", "ratio", "at most");
    for (const Request request : requests) {
        const Growth growth = measure(request);
        std::printf("%10zu %12.7f %12.7f\n", request.size, growth.ratio(), limit(request.size));
        EXPECT_GE(growth.resident, growth.requested) << request << ": the measurement missed some";
        // Either measurement may end within a page.
        EXPECT_LE(growth.ratio(), limit(request.size) + 2 * 4096 / static_cast<double>(growth.requested)) << request;
    }
}

// What every slab of 2 MiB adds: its header; and its counters of what other threads freed, which are only read as long as
// nobody did, where that takes memory too.
double with_headers() { return reading_takes_pages() ? 1.000068 : 1.000034; }

class MetadataRatio : public testing::Test
{
  protected:
    void SetUp() override
    {
        if (TEST_SANITIZED || ALLOC_DEBUG)
            GTEST_SKIP() << "what watches the engine takes memory too";
    }
};

TEST_F(MetadataRatio, OfPowersOfTwo)
{
    std::vector<Request> requests;
    for (size_t size = 1; size <= slot_size_max; size *= 2)
        requests.push_back({size, 0});
    const double small = with_headers();
    const double header = small - 1;
    expect_ratios(requests, [=](size_t size) {
        return size == 1 ? 1 + 8 * header : size == 2 ? 1 + 4 * header : small;
    });
}

// These add what does not divide the slab of 2 MiB.
TEST_F(MetadataRatio, OfTheOtherClasses)
{
    constexpr size_t slab = 2 * MiB;
    std::vector<Request> requests;
    for (size_t size : slot_sizes())
        if (size != power_at_or_above(size))
            requests.push_back({size, 8});
    const double whole = with_headers();
    expect_ratios(requests, [=](size_t size) {
        const size_t used = slab / size * size;
        return whole * static_cast<double>(slab) / static_cast<double>(used);
    });
}

// Whole pages, and the page that knows the blocks of 128 MiB of addresses; but for what is known of the addresses that a natural alignment leaves free between blocks
// whose size is no power of two.
TEST_F(MetadataRatio, OfLargeBlocks)
{
    std::vector<Request> natural, pages;
    for (size_t size : {516 * KiB, 640 * KiB, MiB, 3 * MiB, 16 * MiB, 64 * MiB}) {
        natural.push_back({size, 0});
        pages.push_back({size, 4 * KiB});
    }
    constexpr double sizes = 1.000031;
    expect_ratios(natural, [=](size_t size) { return size == power_at_or_above(size) ? sizes : 1.0013; });
    expect_ratios(pages, [=](size_t) { return sizes; });
}

} // namespace
