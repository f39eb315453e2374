// All at once, under conditions drawn by chance: threads that come and go, blocks of all sizes that each of them allocates,
// resizes and frees whoever's they are, options at their ends, a system that refuses. Whatever happens: no block has another's bytes, a
// block that could not be resized is as it was, the engine's structures are whole, and in the end all memory is free.
#include "os_faults.h"
#include "support.h"
#include "white_box.h"

#include <atomic>
#include <thread>

namespace
{

using namespace support;

// A table of blocks that all threads replace. Who has claimed an entry may use its block.
struct Entry {
    std::atomic<bool> is_claimed{false};
    void *block = nullptr;
    Request request = {0, 0};
    uint64_t mark = 0;
};

// How large blocks are: as programs have them, or one kind of slab or block above all.
struct Sizes {
    const char *name;
    size_t count;       // of entries
    size_t least, most; // bytes
    size_t steps;       // of each thread
};

constexpr Sizes all_sizes[] = {
    {"OfSmallSlots", 20'000, 1, 4096, 60'000},     {"OfASlotOrTwoASlab", 400, 17'000, 65'536, 20'000},
    {"OfMediumSlabs", 300, 17'000, 524'288, 8000}, {"OfLargeBlocks", 100, 500'000, 4'000'000, 4000},
    {"OfAll", 3000, 1, 2'000'000, 10'000},
};

std::ostream &operator<<(std::ostream &out, const Sizes &sizes) { return out << sizes.name; }

class Storm : public testing::TestWithParam<Sizes>
{
  protected:
    // Alike at all scales.
    Request any_request(Random &random) const
    {
        const size_t scale = GetParam().least
                             << random.below(std::max<size_t>(1, log2(GetParam().most / GetParam().least)));
        const size_t size = std::min(scale + random.below(scale + 1), GetParam().most);
        return {size, random.one_in(2) ? 0 : size_t{1} << random.below(random.one_in(100) ? 22 : 13)};
    }

    static size_t log2(size_t n)
    {
        size_t log = 0;
        while (n >>= 1)
            log++;
        return log;
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

    static void keep(Entry &entry, void *block, Request request, Random &random)
    {
        entry.block = block;
        entry.request = request;
        entry.mark = random.next();
        fill_edges(block, request.size, entry.mark);
    }

    void take(Entry &entry, Random &random)
    {
        const Request request = any_request(random);
        const bool zeroed = random.one_in(8);
        void *block = zeroed ? allocate_zeroed(request) : allocate(request);
        if (block == nullptr)
            return;
        ASSERT_TRUE(is_right(is_aligned(block, promised_align(request)))) << request;
        ASSERT_TRUE(is_right(!zeroed || is_zero(block, 0, request.size))) << request;
        keep(entry, block, request, random);
    }

    void change(Entry &entry, Random &random)
    {
        const size_t size = any_request(random).size, kept = std::min({entry.request.size, size, edge});
        void *block = resize(entry.block, entry.request, size);
        if (block == nullptr)
            return;
        ASSERT_TRUE(is_right(holds(block, kept, entry.mark))) << entry.request << " to " << size;
        keep(entry, block, {size, entry.request.align}, random);
    }

    static void give(Entry &entry)
    {
        release(entry.block, entry.request);
        entry.block = nullptr;
    }

    void step(Random &random)
    {
        Entry &entry = entries[random.below(entries.size())];
        if (entry.is_claimed.exchange(true, std::memory_order_acquire))
            return;
        ASSERT_TRUE(is_right(entry.block == nullptr || holds_edges(entry.block, entry.request.size, entry.mark)))
            << entry.request;
        if (entry.block == nullptr)
            take(entry, random);
        else if (random.one_in(8))
            change(entry, random);
        else
            give(entry);
        entry.is_claimed.store(false, std::memory_order_release);
    }

    // Now and then many in a row are freed, so that slabs and runs become empty, or all memory that can be is given back.
    void work(uint64_t stream)
    {
        Random random(stream);
        for (size_t i = 0; i < repetitions(GetParam().steps) && !HasFatalFailure(); i++) {
            step(random);
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
        const size_t start = random.below(entries.size()), count = random.below(entries.size());
        for (size_t i = 0; i < count; i++) {
            Entry &entry = entries[(start + i) % entries.size()];
            if (entry.is_claimed.exchange(true, std::memory_order_acquire))
                continue;
            if (entry.block != nullptr)
                give(entry);
            entry.is_claimed.store(false, std::memory_order_release);
        }
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
        static constexpr size_t places = ALLOC_THREADS ? 6 : 1, lives = 4;
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

    std::atomic<bool> system_refuses{false};
    std::vector<Entry> entries{GetParam().count};
};

TEST_P(Storm, LosesNothing)
{
    (void)seed();
    expect_in_child([this] {
        Random random(GetParam().count);
        set_any_options(random);
        storm();
        os_faults_disarm();
        for (Entry &entry : entries)
            if (entry.block != nullptr)
                give(entry);
        while (alloc_purge() != 0)
            ;
        engine_validate();
        EXPECT_TRUE(engine_memory_is_accounted());
    });
}

INSTANTIATE_TEST_SUITE_P(, Storm, testing::ValuesIn(all_sizes), testing::PrintToStringParamName());

} // namespace
