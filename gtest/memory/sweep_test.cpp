// Memory inside slabs that are not empty goes back when the program goes on with another size, and nothing that is live
// is lost by it.
#include "usage.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

namespace
{

using namespace support;

constexpr size_t total = (ALLOC_DEBUG || TEST_SANITIZED ? 32 : 128) * MiB;

struct Sizes {
    size_t first, second;
    unsigned freed;    // percent
    size_t given_back; // of the first size's memory, percent at least
};

class Sweep : public testing::TestWithParam<Sizes>
{
  protected:
    static unsigned char mark_of(const void *block)
    {
        return static_cast<unsigned char>(reinterpret_cast<uintptr_t>(block) >> 6 | 1);
    }

    static void *make(size_t size)
    {
        void *block = alloc_malloc_aligned(size, 16);
        if (block != nullptr)
            std::memset(block, mark_of(block), size);
        return block;
    }

    static void fill(std::vector<void *> &blocks, size_t size, size_t bytes)
    {
        for (size_t made = 0; made < bytes; made += size) {
            blocks.push_back(make(size));
            ASSERT_NE(blocks.back(), nullptr);
        }
    }

    static void expect_marks(const std::vector<void *> &blocks, size_t size)
    {
        for (const void *block : blocks) {
            const auto *bytes = static_cast<const unsigned char *>(block);
            ASSERT_TRUE(bytes[0] == mark_of(block) && std::memcmp(bytes, bytes + 1, size - 1) == 0);
        }
    }

    static void free_all(std::vector<void *> &blocks, size_t size, size_t from = 0)
    {
        for (size_t i = from; i < blocks.size(); i++)
            alloc_free_aligned(blocks[i], size, 16);
        blocks.resize(from);
    }
};

TEST_P(Sweep, GivesBackPagesOfUsedSlabs)
{
    const auto [first, second, freed, given_back] = GetParam();
    const Setting small_pages(ALLOC_OPTION_HUGE_PAGES, ALLOC_HUGE_PAGES_OFF);
    std::mt19937_64 random(1);
    std::vector<void *> old, fresh;
    fill(old, first, total);
    std::shuffle(old.begin(), old.end(), random);
    free_all(old, first, old.size() * (100 - freed) / 100);
    const size_t before = measured_bytes();
    fill(fresh, second, total);
    if (can_measure) {
        EXPECT_LE(measured_bytes(), before + total + total / 16 - total * given_back / 100);
    }
    expect_marks(old, first);

    // What was swept serves again, beside what lived through it.
    fill(old, first, total / 2);
    expect_marks(old, first);
    expect_marks(fresh, second);
    free_all(old, first);
    free_all(fresh, second);
}

INSTANTIATE_TEST_SUITE_P(Of, Sweep,
                         testing::Values(Sizes{32, 320, 99, 10}, Sizes{48, 320, 99, 20}, Sizes{64, 320, 99, 25},
                                         Sizes{128, 1024, 99, 50}, Sizes{320, 128, 95, 25}, Sizes{1024, 320, 90, 45},
                                         Sizes{3072, 64, 90, 40}, Sizes{4096, 1024, 80, 60}),
                         [](const testing::TestParamInfo<Sizes> &info) { return std::to_string(info.param.first); });

} // namespace
