// All at once, under conditions drawn by chance: threads that come and go, blocks of all sizes that each of them allocates,
// resizes and frees whoever's they are, options at their ends, a system that refuses. Whatever happens: no block has another's bytes, a
// block that could not be resized is as it was, the engine's structures are whole, and in the end all memory is free.
#include "os_faults.h"
#include "shared_block.h"
#include "white_box.h"

#include <atomic>
#include <thread>

namespace
{

using namespace support;

// How large blocks are: as programs have them, or one kind of slab or block above all.
struct Sizes {
    const char *name;
    size_t count;       // in the table
    size_t least, most; // bytes
    size_t steps;       // of each thread
};

constexpr Sizes all_sizes[] = {
    {"OfSmallSlots", 20'000, 1, 4096, 60'000},     {"OfASlotOrTwoASlab", 400, 17'000, 65'536, 20'000},
    {"OfMediumSlabs", 300, 17'000, 524'288, 8000}, {"OfLargeBlocks", 100, 500'000, 4'000'000, 4000},
    {"OfAll", 3000, 1, 2'000'000, 10'000},
};

std::ostream &operator<<(std::ostream &out, const Sizes &sizes) { return out << sizes.name; }

class AnyConditions : public testing::TestWithParam<Sizes>
{
  protected:
    // Alike at all scales.
    Request any_request(Random &random) const
    {
        const size_t scale = GetParam().least << random.below(
                                 std::max<size_t>(1, engine_log2_floor(GetParam().most / GetParam().least)));
        const size_t size = std::min(scale + random.below(scale + 1), GetParam().most);
        return {size, random.one_in(2) ? 0 : size_t{1} << random.below(random.one_in(100) ? 22 : 13)};
    }

    // What the system refuses, the test framework cannot have either.
    bool is_right(bool right)
    {
        if (!right) {
            system_refuses = false;
            os_faults_disarm();
        }
        return right;
    }

    void take(SharedBlock &place, Random &random)
    {
        const Request request = any_request(random);
        const bool zeroed = random.one_in(8);
        void *block = zeroed ? allocate_zeroed(request) : allocate(request);
        if (block == nullptr)
            return;
        ASSERT_TRUE(is_right(is_aligned(block, promised_align(request)))) << request;
        ASSERT_TRUE(is_right(!zeroed || is_zero(block, 0, request.size))) << request;
        place.keep(block, request, random);
    }

    void change(SharedBlock &place, Random &random)
    {
        const size_t size = any_request(random).size, kept = std::min({place.request.size, size, edge});
        void *block = resize(place.block, place.request, size);
        if (block == nullptr)
            return;
        ASSERT_TRUE(is_right(place.was_kept_in(block, kept))) << place.request << " to " << size;
        place.keep(block, {size, place.request.align}, random);
    }

    void step(SharedBlock &place, Random &random)
    {
        ASSERT_TRUE(is_right(place.is_intact())) << place.request;
        if (place.block == nullptr)
            take(place, random);
        else if (random.one_in(8))
            change(place, random);
        else
            place.give();
    }

    // Now and then many in a row are freed, so that slabs and runs become empty, or all memory that can be is given back.
    void work(uint64_t stream)
    {
        Random random(stream);
        for (size_t i = 0; i < repetitions(GetParam().steps) && !HasFatalFailure(); i++) {
            if (i % 64 == 0 && std::clock() / CLOCKS_PER_SEC >= processor_seconds_max)
                return;
            table[random.below(table.size())].use_if_free([&](SharedBlock &place) { step(place, random); });
            if (random.one_in(4000))
                free_some(random);
            if (random.one_in(8000))
                (void)alloc_purge();
            if (system_refuses && random.one_in(500))
                os_faults_arm(static_cast<long>(1 + random.below(8)), random.one_in(8));
            if (system_refuses && random.one_in(500))
                os_faults_disarm();
        }
    }

    void free_some(Random &random)
    {
        const size_t start = random.below(table.size()), count = random.below(table.size());
        for (size_t i = 0; i < count; i++)
            table[(start + i) % table.size()].use_if_free([](SharedBlock &place) { place.give(); });
    }

    static size_t one_of(Random &random, std::initializer_list<size_t> values)
    {
        return values.begin()[random.below(values.size())];
    }

    void set_any_options(Random &random)
    {
        const std::pair<enum alloc_option, size_t> chosen[] = {
            {ALLOC_OPTION_HUGE_PAGES, random.below(3)},
            {ALLOC_OPTION_PURGE_AGE, one_of(random, {0, 1, 500})},
            {ALLOC_OPTION_CACHE_LIMIT, one_of(random, {0, 256 * KiB, 4 * MiB, 32 * MiB})},
            {ALLOC_OPTION_LARGE_CACHE_LIMIT, one_of(random, {0, 2 * MiB, 32 * MiB, 384 * MiB})},
            {ALLOC_OPTION_MAPPED_LIMIT, one_of(random, {0, 0, 0, 64 * MiB})},
        };
        for (auto [option, value] : chosen) {
            std::fprintf(stderr, "option %d: %zu\n", option, value);
            ASSERT_EQ(alloc_option_set(option, value), 0);
        }
        system_refuses = random.one_in(3);
        std::fprintf(stderr, "the system refuses: %d\n", system_refuses.load());
    }

    // A thread in each place, and then another one in its place.
    void storm()
    {
        static constexpr size_t places = 6, lives = 4;
        if (!ALLOC_THREADS)
            return work(1);
        std::vector<std::thread> threads;
        for (size_t place = 0; place < places; place++)
            threads.emplace_back([this, place] {
                for (size_t life = 0; life < lives; life++)
                    std::thread([this, place, life] { work(1 + place * lives + life); }).join();
            });
        for (std::thread &thread : threads)
            thread.join();
    }

    // With some options and on some systems nearly every step takes page faults.
    static constexpr std::clock_t processor_seconds_max = 20;

    std::atomic<bool> system_refuses{false};
    std::vector<SharedBlock> table{GetParam().count};
};

TEST_P(AnyConditions, LoseNothing)
{
    (void)seed();
    expect_in_child([this] {
        Random random(GetParam().count);
        set_any_options(random);
        storm();
        os_faults_disarm();
        for (SharedBlock &place : table)
            place.give();
        EXPECT_TRUE(engine_all_is_free());
    });
}

INSTANTIATE_TEST_SUITE_P(, AnyConditions, testing::ValuesIn(all_sizes), testing::PrintToStringParamName());

} // namespace
