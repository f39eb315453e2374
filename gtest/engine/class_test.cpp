// The arithmetic everything else stands on: sizes, classes, slots and slab numbers, each against its definition.
#include "support.h"
#include "white_box.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <vector>

namespace
{

using support::slot_sizes;

// Sizes around every boundary of classes, and some in between.
std::vector<size_t> interesting_sizes()
{
    std::vector<size_t> sizes;
    for (size_t size = 1; size <= 5000; size++)
        sizes.push_back(size);
    for (size_t slot_size : slot_sizes())
        for (size_t size = slot_size < 4 ? 1 : slot_size - 3; size <= slot_size + 3; size++)
            if (size <= engine_slot_size_max())
                sizes.push_back(size);
    return sizes;
}

size_t slot_size_of(size_t class_number) { return engine_class_slot_size(class_number); }

TEST(Arithmetic, LogarithmsRoundDownAndUp)
{
    for (unsigned k = 0; k < 64; k++) {
        size_t power = static_cast<size_t>(1) << k;
        EXPECT_EQ(engine_log2_floor(power), k);
        EXPECT_EQ(engine_log2_floor(power + (power - 1)), k) << "the last below the next power";
    }
    for (unsigned k = 0; k <= 62; k++) {
        size_t power = static_cast<size_t>(1) << k;
        EXPECT_EQ(engine_log2_ceil(power), k);
        if (k >= 2) {
            EXPECT_EQ(engine_log2_ceil(power - 1), k);
            EXPECT_EQ(engine_log2_ceil(power / 2 + 1), k);
        }
    }
}

TEST(Arithmetic, PowersOfTwoAreRecognised)
{
    EXPECT_FALSE(engine_is_power_of_two(0));
    for (unsigned k = 0; k < 64; k++) {
        size_t power = static_cast<size_t>(1) << k;
        EXPECT_TRUE(engine_is_power_of_two(power));
        if (k >= 2) {
            EXPECT_FALSE(engine_is_power_of_two(power - 1));
            EXPECT_FALSE(engine_is_power_of_two(power + 1));
        }
    }
}

TEST(Arithmetic, RoundingUpReachesTheNextMultiple)
{
    for (size_t align = 1; align <= 4096; align *= 2)
        for (size_t n = 0; n <= 3 * align; n++) {
            size_t rounded = engine_round_up(n, align);
            EXPECT_EQ(rounded % align, 0u);
            EXPECT_TRUE(rounded >= n && rounded - n < align) << n << " to a multiple of " << align;
        }
}

TEST(Arithmetic, PopulationCountsBits)
{
    EXPECT_EQ(engine_population(0), 0u);
    EXPECT_EQ(engine_population(~UINT64_C(0)), 64u);
    uint64_t mask = 0x9e3779b97f4a7c15;
    for (int round = 0; round < 100'000; round++) {
        mask ^= mask << 13, mask ^= mask >> 7, mask ^= mask << 17;
        unsigned bits = 0;
        for (unsigned i = 0; i < 64; i++)
            bits += mask >> i & 1;
        ASSERT_EQ(engine_population(mask), bits) << mask;
    }
    for (unsigned i = 0; i < 64; i++) {
        EXPECT_EQ(engine_population(UINT64_C(1) << i), 1u);
        EXPECT_EQ(engine_population(~UINT64_C(0) >> i), 64 - i);
    }
}

TEST(Classes, AreTheDocumentedSizesInOrder)
{
    size_t last = 0;
    for (size_t slot_size : slot_sizes()) {
        size_t number = engine_class_aligned(slot_size, 1);
        EXPECT_EQ(slot_size_of(number), slot_size);
        EXPECT_TRUE(number > last || slot_size == 1) << "numbers grow with sizes, at " << slot_size;
        last = number;
    }
    EXPECT_EQ(last + 1, engine_class_count());
}

TEST(Classes, TheTightClassIsTheSmallestThatFits)
{
    std::vector<size_t> slots = slot_sizes();
    for (size_t size : interesting_sizes()) {
        size_t smallest = *std::lower_bound(slots.begin(), slots.end(), size);
        ASSERT_EQ(slot_size_of(engine_class_aligned(size, 1)), smallest) << size;
    }
}

TEST(Classes, TheNaturalClassIsThePowerOfTwo)
{
    for (size_t size : interesting_sizes()) {
        size_t power = 1;
        while (power < size)
            power *= 2;
        ASSERT_EQ(slot_size_of(engine_class_natural(size)), power) << size;
    }
}

TEST(Classes, TheAlignedClassIsTheSmallestWhoseSlotsAreAllAligned)
{
    std::vector<size_t> slots = slot_sizes();
    for (size_t align = 1; align <= engine_slot_size_max(); align *= 2)
        for (size_t size : interesting_sizes()) {
            auto fit = std::lower_bound(slots.begin(), slots.end(), size);
            while (fit != slots.end() && *fit % align != 0)
                ++fit;
            ASSERT_EQ(engine_request_has_slot(size, align), fit != slots.end()) << size << " at " << align;
            if (fit != slots.end()) {
                ASSERT_EQ(slot_size_of(engine_class_aligned(size, align)), *fit) << size << " at " << align;
            }
        }
}

TEST(Classes, RequestsChooseByFamily)
{
    size_t max = engine_slot_size_max();
    EXPECT_TRUE(engine_request_has_slot(0, 0)) << "size 0 counts as 1";
    EXPECT_TRUE(engine_request_has_slot(0, 16));
    EXPECT_TRUE(engine_request_has_slot(max, 0));
    EXPECT_FALSE(engine_request_has_slot(max + 1, 0));
    EXPECT_FALSE(engine_request_has_slot(1, 2 * max));
    EXPECT_FALSE(engine_request_has_slot(SIZE_MAX, 0));
    EXPECT_FALSE(engine_request_has_slot(SIZE_MAX, 1));
    EXPECT_FALSE(engine_request_has_slot(SIZE_MAX, 64)) << "rounding up overflows to 0";
    EXPECT_EQ(engine_request_class(0, 0), engine_class_natural(1));
    EXPECT_EQ(slot_size_of(engine_request_class(24, 0)), 32u);
    EXPECT_EQ(slot_size_of(engine_request_class(24, 8)), 24u);
    EXPECT_EQ(slot_size_of(engine_request_class(24, 16)), 32u);
    EXPECT_EQ(slot_size_of(engine_request_class(0, 16)), 16u);
}

TEST(Slots, TheReciprocalIsExactForEverySlotOfEveryClass)
{
    for (bool is_large : {false, true})
        for (size_t slot_size : slot_sizes()) {
            uint32_t capacity = engine_slab_capacity(is_large, engine_class_aligned(slot_size, 1));
            for (uint32_t slot = 0; slot < capacity; slot++)
                ASSERT_EQ(engine_slot_index(slot * slot_size, static_cast<uint32_t>(slot_size)), slot)
                    << "slots of " << slot_size;
        }
}

TEST(Slots, FitTheirSlab)
{
    for (bool is_large : {false, true})
        for (size_t slot_size : slot_sizes()) {
            size_t capacity = engine_slab_capacity(is_large, engine_class_aligned(slot_size, 1));
            size_t slab = engine_slab_bytes(is_large);
            EXPECT_LE(capacity * slot_size, slab);
            if (slot_size >= 4) {
                EXPECT_GT((capacity + 1) * slot_size, slab) << "no room is wasted on slots of " << slot_size;
            }
        }
}

TEST(SlabNumbers, ComeBackFromWhateverRegionAndIndex)
{
    constexpr uintptr_t region_size = static_cast<uintptr_t>(128) << 20;
    constexpr size_t slabs_per_region = region_size >> 16;
    uintptr_t last_region = (static_cast<uintptr_t>(1) << 48) - region_size;
    for (uintptr_t base : {region_size, 2 * region_size, static_cast<uintptr_t>(0x7f12'3800'0000), last_region})
        for (size_t index : {size_t{1}, size_t{2}, slabs_per_region / 2, slabs_per_region - 1}) {
            uint32_t id = engine_slab_to_id(base, index);
            EXPECT_NE(id, 0u);
            EXPECT_EQ(engine_slab_from_id(id), base + 64 * index);
        }
    EXPECT_NE(engine_slab_to_id(region_size, 2), engine_slab_to_id(2 * region_size, 2));
}

} // namespace
