// Unique pointers of the C++ surface: what they destroy, when and in which order, and that blocks go back with the size
// they were asked for (which the library checks), also when a constructor throws.
#include "support.h"

#include <alloc/alloc.hpp>

#include <set>
#include <stdexcept>
#include <string>

using namespace support;

namespace
{

// Writes down when it is destroyed, and may refuse to be made.
struct Witness {
    static inline std::vector<int> destroyed;
    static inline int made, limit;
    static inline std::set<const void *> places;
    static void reset(int most = 1000000)
    {
        destroyed.clear();
        places.clear();
        made = 0;
        limit = most;
    }

    int number;
    char payload[996] = {};
    Witness() : number(made)
    {
        places.insert(this);
        if (made == limit)
            throw std::runtime_error("one too many");
        made++;
    }
    explicit Witness(int chosen) : Witness() { number = chosen; }
    ~Witness() { destroyed.push_back(number); }
    Witness(const Witness &) = delete;
    Witness &operator=(const Witness &) = delete;
};

static_assert(sizeof(alloc::unique_ptr<Witness>) == sizeof(void *), "as large as a plain pointer");
static_assert(!std::is_convertible_v<alloc::unique_ptr<std::bad_alloc>, alloc::unique_ptr<std::exception>>,
              "a base has another size");

TEST(UniquePointer, DestroysWhatItOwns)
{
    Witness::reset();
    auto first = alloc::make_unique<Witness>(7), second = alloc::make_unique<Witness>(8);
    first = std::move(second);
    EXPECT_EQ(Witness::destroyed, std::vector<int>{7});
    EXPECT_EQ(second, nullptr);
    first.reset();
    EXPECT_EQ(Witness::destroyed, (std::vector<int>{7, 8}));

    const alloc::unique_ptr<const std::pair<int, std::string>> pair =
        alloc::make_unique<const std::pair<int, std::string>>(1, "x");
    EXPECT_EQ(pair->first, 1);
    EXPECT_EQ(pair->second, "x");
}

TEST(UniquePointer, DestroysAnArrayFromItsEnd)
{
    Witness::reset();
    auto array = alloc::make_unique<Witness[]>(4);
    EXPECT_EQ(array.get_deleter().count(), 4U);
    auto moved = std::move(array);
    EXPECT_EQ(moved[3].number, 3);
    moved.reset();
    EXPECT_EQ(Witness::destroyed, (std::vector<int>{3, 2, 1, 0}));
}

TEST(UniquePointer, HoldsAnArrayOfAnyLength)
{
    EXPECT_NE(alloc::make_unique<Witness[]>(0), nullptr);
    for (size_t count = 1; count < 1000000; count *= 3) {
        { // what is recycled has to be set to 0
            auto dirty = alloc::make_unique<uint32_t[]>(count);
            std::memset(dirty.get(), 0xff, count * sizeof(uint32_t));
        }
        auto numbers = alloc::make_unique<uint32_t[]>(count);
        ASSERT_TRUE(is_zero(numbers.get(), 0, count * sizeof(uint32_t))) << count;
    }
    const alloc::unique_ptr<const int[]> constants = alloc::make_unique<const int[]>(3);
    EXPECT_EQ(constants[2], 0);
}

TEST(UniquePointer, LeavesNothingBehindWhenAConstructorThrows)
{
    Witness::reset(0);
    for (int i = 0; i < 1000; i++)
        ASSERT_THROW((void)alloc::make_unique<Witness>(), std::runtime_error);
    EXPECT_LT(Witness::places.size(), 10U) << "the blocks are reused";

    Witness::reset(5);
    EXPECT_THROW((void)alloc::make_unique<Witness[]>(10), std::runtime_error);
    std::sort(Witness::destroyed.begin(), Witness::destroyed.end());
    EXPECT_EQ(Witness::destroyed, (std::vector<int>{0, 1, 2, 3, 4}));
    for (int i = 0; i < 1000; i++)
        ASSERT_THROW((void)alloc::make_unique<Witness[]>(10), std::runtime_error);
    EXPECT_LT(Witness::places.size(), 100U) << "the blocks are reused";
}

TEST(UniquePointer, RefusesAnArrayNobodyCanHave)
{
    volatile size_t most = SIZE_MAX / 8; // hidden from the compiler, which would warn
    EXPECT_THROW((void)alloc::make_unique<int64_t[]>(most + 1), std::bad_array_new_length);
    EXPECT_THROW((void)alloc::make_unique<int64_t[]>(most), std::bad_alloc);
}

} // namespace
