// The inline convenience: what it allocates, what it refuses, what it copies and how arrays grow.
#include <alloc/alloc_ext.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <gtest/gtest.h>

namespace
{

struct Point {
    double x, y, z;
};

bool is_aligned(const void *ptr, size_t align) { return reinterpret_cast<uintptr_t>(ptr) % align == 0; }

TEST(AllocNew, GivesAnAlignedObjectOfItsType)
{
    Point *point = alloc_new(Point);
    ASSERT_NE(point, nullptr);
    EXPECT_TRUE(is_aligned(point, alignof(Point)));
    *point = {1, 2, 3};
    EXPECT_EQ(point->x + point->y + point->z, 6);
    alloc_delete(point);
}

TEST(AllocNew, DeleteEvaluatesItsArgumentOnceAndIgnoresNull)
{
    Point *points[2] = {alloc_new(Point), nullptr};
    Point **next = points;
    // NOLINTBEGIN(bugprone-macro-repeated-side-effects): the second mention is an operand of sizeof
    alloc_delete(*next++);
    alloc_delete(*next++);
    // NOLINTEND(bugprone-macro-repeated-side-effects)
    EXPECT_EQ(next, points + 2);
}

TEST(AllocNewArray, HoldsEveryElement)
{
    int *numbers = alloc_new_array(int, 1000);
    ASSERT_NE(numbers, nullptr);
    for (int i = 0; i < 1000; i++)
        numbers[i] = i;
    EXPECT_EQ(numbers[999], 999);
    alloc_delete_array(numbers, 1000);
}

TEST(AllocNewArray, GivesAUniquePointerToNoElement)
{
    Point *first = alloc_new_array(Point, 0);
    Point *second = alloc_new_array(Point, 0);
    ASSERT_NE(first, nullptr);
    ASSERT_NE(second, nullptr);
    EXPECT_NE(first, second);
    alloc_delete_array(first, 0);
    alloc_delete_array(second, 0);
}

// Counts whose product with the size wraps to something small, or is more than anybody can have.
TEST(AllocNewArray, RefusesWhatOverflows)
{
    for (size_t count :
         {SIZE_MAX, SIZE_MAX / sizeof(Point) + 1, SIZE_MAX / sizeof(Point), PTRDIFF_MAX / sizeof(Point) + 1}) {
        errno = 0;
        EXPECT_EQ(alloc_new_array(Point, count), nullptr) << count;
        EXPECT_EQ(errno, ENOMEM) << count;
    }
}

TEST(AllocMemdup, CopiesTheBytes)
{
    const char source[] = "a\0b\0c";
    void *copy = alloc_memdup(source, sizeof source);
    ASSERT_NE(copy, nullptr);
    EXPECT_NE(copy, source);
    EXPECT_EQ(std::memcmp(copy, source, sizeof source), 0);
    alloc_free(copy, sizeof source);
}

TEST(AllocMemdup, TakesNoBytesFromNull)
{
    void *copy = alloc_memdup(nullptr, 0);
    EXPECT_NE(copy, nullptr);
    alloc_free(copy, 0);
}

TEST(AllocMemdup, RefusesASizeNobodyCanHave)
{
    volatile size_t size = SIZE_MAX; // hidden from the compiler, which would warn
    errno = 0;
    EXPECT_EQ(alloc_memdup("", size), nullptr);
    EXPECT_EQ(errno, ENOMEM);
}

TEST(AllocStrdup, CopiesTheTerminatorToo)
{
    for (const char *source : {"", "x", "a string of some length"}) {
        char *copy = alloc_strdup(source);
        ASSERT_NE(copy, nullptr);
        EXPECT_STREQ(copy, source);
        EXPECT_NE(copy, source);
        alloc_free(copy, std::strlen(copy) + 1);
    }
}

TEST(AllocGrowArray, AppendsOneByOneWithFewMoves)
{
    const size_t elements = 100000;
    uint32_t *array = nullptr;
    size_t capacity = 0, growths = 0;
    for (size_t i = 0; i < elements; i++) {
        size_t before = capacity;
        uint32_t *grown = alloc_grow_array(uint32_t, array, &capacity, i + 1);
        ASSERT_NE(grown, nullptr);
        ASSERT_GE(capacity, i + 1);
        ASSERT_TRUE(capacity == before ? grown == array : capacity >= before + before / 2);
        growths += capacity != before;
        array = grown;
        array[i] = static_cast<uint32_t>(i);
    }
    EXPECT_LE(growths, 29u); // log(100000) to the base 1.5, rounded up
    for (size_t i = 0; i < elements; i++)
        ASSERT_EQ(array[i], i);
    alloc_delete_array(array, capacity);
}

TEST(AllocGrowArray, UsesAllThatTheBlockHolds)
{
    for (size_t needed : {1, 2, 5, 21, 22, 1000, 30000}) {
        size_t capacity = 0;
        Point *array = alloc_grow_array(Point, nullptr, &capacity, needed);
        ASSERT_NE(array, nullptr);
        EXPECT_GE(capacity, needed);
        EXPECT_LT(alloc_good_size(needed * sizeof(Point)), (capacity + 1) * sizeof(Point));
        std::memset(array, 0x5a, capacity * sizeof(Point));
        alloc_delete_array(array, capacity);
    }
}

TEST(AllocGrowArray, GrowsToWhatIsNeededWhenThatIsMore)
{
    size_t capacity = 10;
    char *array = alloc_new_array(char, capacity);
    ASSERT_NE(array, nullptr);
    std::memset(array, 0x5a, capacity);
    array = alloc_grow_array(char, array, &capacity, 5000);
    ASSERT_NE(array, nullptr);
    EXPECT_GE(capacity, 5000u);
    EXPECT_EQ(std::count(array, array + 10, 0x5a), 10);
    alloc_delete_array(array, capacity);
}

TEST(AllocGrowArray, ReturnsAnArrayThatHasRoomAsItIs)
{
    size_t capacity = 10;
    int *array = alloc_new_array(int, capacity);
    for (size_t needed : {0, 1, 10})
        EXPECT_EQ(alloc_grow_array(int, array, &capacity, needed), array);
    EXPECT_EQ(capacity, 10u);
    alloc_delete_array(array, capacity);
}

TEST(AllocGrowArray, KeepsTheArrayWhenItCannotGrow)
{
    size_t capacity = 4;
    Point *array = alloc_new_array(Point, capacity);
    array[3] = {1, 2, 3};
    for (size_t needed :
         {SIZE_MAX, SIZE_MAX / sizeof(Point) + 1, PTRDIFF_MAX / sizeof(Point) + 1, PTRDIFF_MAX / sizeof(Point)}) {
        errno = 0;
        EXPECT_EQ(alloc_grow_array(Point, array, &capacity, needed), nullptr) << needed;
        EXPECT_EQ(errno, ENOMEM) << needed;
        EXPECT_EQ(capacity, 4u);
        EXPECT_EQ(array[3].z, 3);
    }
    alloc_delete_array(array, capacity);
}

// Capacities that no block has: only the arithmetic is under test.
TEST(AllocGrowArray, DoesNotWrapNearTheLargestCapacity)
{
    const size_t largest = PTRDIFF_MAX;
    for (size_t before : {largest, largest - 1, largest / 3 * 2 + 1}) {
        size_t capacity = before;
        errno = 0;
        EXPECT_EQ(alloc_grow_array(char, nullptr, &capacity, before + 1), nullptr);
        EXPECT_EQ(errno, ENOMEM);
        EXPECT_EQ(capacity, before);
    }
}

} // namespace
