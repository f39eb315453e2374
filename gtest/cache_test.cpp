// The cache of freed large blocks: ranges of addresses go in, and come out again as pieces that serve the next ones.
// It reads and writes none of that memory, so there is none here.
#include "support.h"

#include <algorithm>
#include <map>

extern "C" {
#include "cache.h"
}

using namespace support;

static bool operator==(const range &a, const range &b) { return a.start == b.start && a.size == b.size; }
static std::ostream &operator<<(std::ostream &out, const range &range)
{
    return out << range.size << " bytes at " << static_cast<const void *>(range.start);
}

namespace
{

constexpr size_t page = 4 * KiB, never = INT32_MAX;

// Addresses that nobody has; multiples of every alignment are where `offset` is.
char *at(size_t offset)
{
    return reinterpret_cast<char *>((size_t{1} << 45) + offset);
} // NOLINT(performance-no-int-to-ptr)
size_t offset_of(const char *start) { return static_cast<size_t>(start - at(0)); }
size_t natural_align(size_t size) { return std::min(power_at_or_above(size), ALLOC_ALIGN_MAX); }

constexpr range none = {nullptr, 0};

class Cache : public testing::Test
{
  protected:
    uint32_t now = 1000;

    // Puts memory in that is not there yet. False: there is no room for it.
    bool put(range piece) const
    {
        bool is_double = false;
        bool done = cache_put(piece, now, &is_double);
        EXPECT_FALSE(is_double) << piece.size << " bytes at " << offset_of(piece.start);
        return done;
    }

    range take(size_t size) const { return cache_take(size, natural_align(size)); }

    // Several pieces, far from each other: each at a multiple of every alignment.
    std::vector<range> put_apart(const std::vector<size_t> &sizes) const
    {
        std::vector<range> pieces;
        for (size_t size : sizes) {
            pieces.push_back({at(pieces.size() * 1024 * MiB), size});
            EXPECT_TRUE(put(pieces.back()));
        }
        return pieces;
    }

    void TearDown() override
    {
        while (cache_evict(now, 0, 0).size != 0)
            ;
        expect_counts(0, 0);
    }

    static void expect_counts(size_t pieces, size_t bytes)
    {
        EXPECT_EQ(cache_count().pieces, pieces);
        EXPECT_EQ(cache_count().bytes, bytes);
    }
};

// ---- which piece serves -------------------------------------------------------------------------------------------

TEST_F(Cache, EmptyServesNothing)
{
    for (size_t size = page; size <= 1024 * MiB; size *= 2)
        EXPECT_EQ(take(size), none);
    EXPECT_FALSE(cache_take_at(at(0), page));
    EXPECT_EQ(cache_evict(now, 0, 0), none);
    EXPECT_EQ(cache_trim(0), none);
}

TEST_F(Cache, SizesBeyondAllAddressesAreServedByNothing)
{
    put_apart({1 * MiB, 512 * MiB});
    for (size_t size = size_t{1} << 40; size <= size_t{1} << 62; size *= 2)
        EXPECT_EQ(take(size), none) << size;
    expect_counts(2, 513 * MiB);
}

TEST_F(Cache, ABlockOfTheSameSizeGetsThePieceWhole)
{
    const std::vector<size_t> sizes = {600 * KiB, 1 * MiB, 1 * MiB + page, 3 * MiB, 5 * MiB, 32 * MiB, 100 * MiB};
    const std::vector<range> pieces = put_apart(sizes);
    expect_counts(sizes.size(), 142 * MiB + 600 * KiB + page);
    for (size_t i : {3, 0, 6, 2, 1, 5, 4})
        EXPECT_EQ(take(sizes[i]), pieces[i]) << sizes[i];
    expect_counts(0, 0);
}

// Of two that were freed the later one, whose pages are the likelier to be in the processor's caches.
TEST_F(Cache, OfEqualPiecesTheLatestServes)
{
    const std::vector<range> pieces = put_apart({1 * MiB, 1 * MiB, 1 * MiB});
    for (size_t i : {2, 1, 0})
        EXPECT_EQ(take(1 * MiB), pieces[i]);
}

TEST_F(Cache, TheSmallestPieceThatSuffices)
{
    const std::vector<range> pieces = put_apart({64 * MiB, 2 * MiB, 12 * MiB, 4 * MiB, 16 * MiB});
    EXPECT_EQ(take(3 * MiB), (range{pieces[3].start, 3 * MiB}));
    EXPECT_EQ(take(9 * MiB), (range{pieces[2].start, 9 * MiB}));
    EXPECT_EQ(take(10 * MiB), (range{pieces[4].start, 10 * MiB}));
    EXPECT_EQ(take(10 * MiB), (range{pieces[0].start, 10 * MiB}));
}

// Nothing suffices: one that would do if it were extended, if that is more than half.
TEST_F(Cache, TheLargestShorterPieceIfNothingSuffices)
{
    const std::vector<range> pieces = put_apart({1 * MiB, 17 * MiB, 24 * MiB, 15 * MiB});
    EXPECT_EQ(take(31 * MiB), pieces[2]);
    EXPECT_EQ(take(31 * MiB), pieces[1]);
    EXPECT_EQ(take(31 * MiB), none) << "half of it is not worth it";
    expect_counts(2, 16 * MiB);
}

// A piece at `offset` serves blocks whose natural alignment it has, and others if they ask for no more than it has.
TEST_F(Cache, AlignmentsAreKept)
{
    for (size_t align = page; align <= ALLOC_ALIGN_MAX; align *= 2)
        for (size_t size = page; size <= 128 * MiB; size *= 2) {
            const range piece = {at(align), 256 * MiB};
            ASSERT_TRUE(put(piece));
            const bool suits = align >= natural_align(size);
            EXPECT_EQ(take(size), (suits ? range{piece.start, size} : none)) << size << " at " << align;
            while (cache_evict(now, 0, 0).size != 0)
                ;
            if (align < ALLOC_ALIGN_MAX && 2 * size <= align) {
                ASSERT_TRUE(put(piece));
                EXPECT_EQ(cache_take(size, 2 * align), none) << size << " at " << align;
                EXPECT_EQ(cache_take(size, align), (range{piece.start, size})) << size << " at " << align;
                while (cache_evict(now, 0, 0).size != 0)
                    ;
            }
        }
}

// ---- cutting and joining ------------------------------------------------------------------------------------------

TEST_F(Cache, WhatIsLeftOfAPieceServesTheNext)
{
    ASSERT_TRUE(put({at(0), 16 * MiB}));
    EXPECT_EQ(take(4 * MiB), (range{at(0), 4 * MiB}));
    expect_counts(1, 12 * MiB);
    EXPECT_EQ(take(4 * MiB), (range{at(4 * MiB), 4 * MiB}));
    EXPECT_EQ(take(8 * MiB), (range{at(8 * MiB), 8 * MiB}));
}

TEST_F(Cache, PiecesJoinTheirNeighboursInWhateverOrderTheyCome)
{
    std::vector<range> parts = {{at(0), 4 * MiB},
                                {at(4 * MiB), 1 * MiB},
                                {at(5 * MiB), 600 * KiB},
                                {at(5 * MiB + 600 * KiB), 8 * MiB + 424 * KiB}};
    std::vector<size_t> order = {0, 1, 2, 3};
    do {
        for (size_t i : order)
            ASSERT_TRUE(put(parts[i]));
        expect_counts(1, 14 * MiB);
        EXPECT_EQ(take(14 * MiB), (range{at(0), 14 * MiB}));
    } while (std::next_permutation(order.begin(), order.end()));
}

TEST_F(Cache, PiecesWithAGapBetweenThemStayApart)
{
    ASSERT_TRUE(put({at(0), 1 * MiB}) && put({at(1 * MiB + page), 1 * MiB}));
    expect_counts(2, 2 * MiB);
    ASSERT_TRUE(put({at(1 * MiB), page}));
    expect_counts(1, 2 * MiB + page);
}

// A block that grows takes what lies behind it.
TEST_F(Cache, APieceIsTakenFromAGivenStart)
{
    ASSERT_TRUE(put({at(5 * page), 100 * page}));
    EXPECT_FALSE(cache_take_at(at(4 * page), page));
    EXPECT_FALSE(cache_take_at(at(6 * page), page)) << "it does not begin there";
    EXPECT_FALSE(cache_take_at(at(5 * page), 101 * page)) << "it is not so long";
    EXPECT_FALSE(cache_take_at(at(105 * page), page));
    expect_counts(1, 100 * page);
    EXPECT_TRUE(cache_take_at(at(5 * page), 40 * page));
    EXPECT_FALSE(cache_take_at(at(5 * page), page)) << "it is taken";
    EXPECT_TRUE(cache_take_at(at(45 * page), 60 * page));
    expect_counts(0, 0);
}

// ---- what is there already ----------------------------------------------------------------------------------------

TEST_F(Cache, PuttingInTwiceIsSeen)
{
    put_apart({3 * MiB, 1 * MiB});
    const range twice[] = {{at(0), 3 * MiB}, {at(0), 1 * MiB}, {at(2 * MiB), 1 * MiB}};
    for (range again : twice) {
        bool is_double = false;
        cache_put(again, now, &is_double);
        EXPECT_TRUE(is_double) << again.size << " bytes at " << offset_of(again.start);
        while (cache_evict(now, 0, 0).size != 0)
            ;
        put_apart({3 * MiB, 1 * MiB});
    }
    EXPECT_TRUE(put({at(3 * MiB), 1 * MiB})) << "next to it is not there";
}

TEST_F(Cache, WhatWasTakenMayBePutInAgain)
{
    const std::vector<range> pieces = put_apart({3 * MiB, 1 * MiB});
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(take(3 * MiB), pieces[0]);
        EXPECT_TRUE(put(pieces[0]));
    }
    EXPECT_EQ(cache_evict(now, 0, 0).size, 1 * MiB);
    EXPECT_TRUE(put(pieces[1]));
    expect_counts(2, 4 * MiB);
}

// ---- limits -------------------------------------------------------------------------------------------------------

constexpr size_t huge_page = 2 * MiB;

// What is more than the limit goes, and not much else.
TEST_F(Cache, TheFirstIsEvictedDownToALimit)
{
    const std::vector<range> pieces = put_apart({8 * MiB, 4 * MiB, 16 * MiB});
    EXPECT_EQ(cache_evict(now, never, 28 * MiB), none) << "no more than the limit";
    EXPECT_EQ(cache_evict(now, never, 27 * MiB), (range{pieces[0].start + 6 * MiB, huge_page}));
    expect_counts(3, 26 * MiB);
    EXPECT_EQ(cache_evict(now, never, 24 * MiB), (range{pieces[0].start + 4 * MiB, huge_page}));
    EXPECT_EQ(cache_evict(now, never, 1 * MiB), (range{pieces[0].start, 4 * MiB})) << "all of it is too much";
    EXPECT_EQ(cache_evict(now, never, 1 * MiB), pieces[1]);
    EXPECT_EQ(cache_evict(now, never, 1 * MiB), pieces[2]) << "to a huge page's boundary, and there is none before";
    expect_counts(0, 0);
}

TEST_F(Cache, TheLastIsTrimmedToALimit)
{
    const std::vector<range> pieces = put_apart({8 * MiB, 4 * MiB, 16 * MiB});
    EXPECT_EQ(cache_trim(28 * MiB), none);
    EXPECT_EQ(cache_trim(18 * MiB), (range{pieces[2].start + 6 * MiB, 10 * MiB}));
    EXPECT_EQ(cache_trim(18 * MiB), none);
    EXPECT_EQ(take(6 * MiB), (range{pieces[2].start, 6 * MiB})) << "what is left of it serves";
    EXPECT_EQ(cache_trim(11 * MiB), (range{pieces[1].start + 2 * MiB, huge_page}));
    EXPECT_EQ(cache_trim(0), (range{pieces[1].start, huge_page}));
    EXPECT_EQ(cache_trim(0), pieces[0]);
}

TEST_F(Cache, WhatIsCutOffMayBePutInAgain)
{
    ASSERT_TRUE(put({at(0), 16 * MiB}));
    EXPECT_EQ(cache_trim(4 * MiB), (range{at(4 * MiB), 12 * MiB}));
    EXPECT_TRUE(put({at(4 * MiB), 12 * MiB}));
    EXPECT_EQ(take(16 * MiB), (range{at(0), 16 * MiB}));
}

// As many as the cache can keep track of.
TEST_F(Cache, MorePiecesThanItCanKeepTrackOfAreRefused)
{
    constexpr size_t most = 2046, apart = 64 * page;
    for (size_t i = 0; i < most; i++)
        ASSERT_TRUE(put({at(i * apart), 2 * page})) << i;
    for (int i = 0; i < 2; i++) {
        EXPECT_FALSE(put({at(most * apart), 2 * page}));
        expect_counts(most, most * 2 * page);
    }
    EXPECT_EQ(cache_evict(now, 0, 0), (range{at(0), 2 * page}));
    EXPECT_TRUE(put({at(most * apart), 2 * page}));
    EXPECT_FALSE(put({at(0), 2 * page}));
    for (size_t i = 1; i < most - 1; i++)
        ASSERT_EQ(cache_evict(now, 0, 0), (range{at(i * apart), 2 * page}));
    expect_counts(2, 4 * page);
}

// ---- ages ---------------------------------------------------------------------------------------------------------

TEST_F(Cache, TheOldestIsEvictedOnceItIsOldEnough)
{
    for (uint32_t start : {UINT32_C(1000), UINT32_MAX - 25, uint32_t{INT32_MAX} - 25}) { // where the clock wraps, too
        now = start;
        std::vector<range> pieces;
        for (size_t i = 0; i < 3; i++) {
            pieces.push_back({at(i * 1024 * MiB), 4 * MiB});
            ASSERT_TRUE(put(pieces.back()));
            now += 10;
        }
        EXPECT_EQ(cache_evict(start + 49, 50, never), none);
        EXPECT_EQ(cache_evict(start + 50, 50, never), pieces[0]);
        EXPECT_EQ(cache_evict(start + 59, 50, never), none);
        EXPECT_EQ(cache_evict(start + 100, 50, never), pieces[1]) << "one at a time";
        EXPECT_EQ(cache_evict(start + 100, 50, never), pieces[2]);
    }
}

// A thread that reads the clock, waits for the lock, and finds what came in since: that is new, not very old.
TEST_F(Cache, WhatCameInAfterTheClockWasReadIsNew)
{
    ASSERT_TRUE(put({at(0), 4 * MiB}));
    EXPECT_EQ(cache_evict(now - 1, 50, never), none);
}

// Nobody uses the rest, however often the front is taken and put in again.
TEST_F(Cache, WhatIsLeftOfAPieceGoesOnAgeing)
{
    ASSERT_TRUE(put({at(0), 16 * MiB}));
    for (int i = 0; i < 4; i++) {
        now += 10;
        EXPECT_EQ(take(4 * MiB), (range{at(0), 4 * MiB}));
        EXPECT_EQ(cache_evict(now, 50, never), none);
        ASSERT_TRUE(put({at(0), 4 * MiB}));
        expect_counts(1, 16 * MiB);
    }
    EXPECT_EQ(take(4 * MiB), (range{at(0), 4 * MiB}));
    EXPECT_EQ(cache_evict(now + 9, 50, never), none);
    EXPECT_EQ(cache_evict(now + 10, 50, never), (range{at(4 * MiB), 12 * MiB}));
}

TEST_F(Cache, NeighboursThatJoinAreAsOldAsTheLarger)
{
    for (size_t size : {1 * MiB, 7 * MiB}) {
        const range old = {at(0), 4 * MiB}, behind = {at(4 * MiB), size};
        ASSERT_TRUE(put(old));
        now += 40;
        ASSERT_TRUE(put(behind));
        EXPECT_EQ(cache_evict(now + 9, 50, never), none);
        const uint32_t due = now + (size > old.size ? 50 : 10);
        EXPECT_EQ(cache_evict(due - 1, 50, never), none);
        EXPECT_EQ(cache_evict(due, 50, never), (range{at(0), 4 * MiB + size}));
    }
}

// ---- whatever the order -------------------------------------------------------------------------------------------

// A stretch of memory, each unit of which is either cached or held by the test, in ranges.
class RandomOperations : public Cache
{
  protected:
    static constexpr size_t unit = 64 * KiB, units = 4096;
    Random random{0};
    std::map<size_t, size_t> held; // in units: start to length; all else is cached
    size_t held_units = units;

    RandomOperations()
    {
        for (size_t start = 0; start < units;) {
            const size_t length = std::min(1 + random.below(40), units - start);
            held[start] = length;
            start += length;
        }
    }

    // A range that came out was in, all of it.
    void hold(range piece)
    {
        if (piece.size == 0)
            return;
        const size_t start = offset_of(piece.start) / unit, length = piece.size / unit;
        ASSERT_TRUE(piece.start == at(start * unit) && piece.size == length * unit && start + length <= units);
        auto next = held.lower_bound(start);
        ASSERT_TRUE(next == held.end() || next->first >= start + length) << "it is held already";
        ASSERT_TRUE(next == held.begin() || std::prev(next)->first + std::prev(next)->second <= start);
        held[start] = length;
        held_units += length;
    }

    void put_one()
    {
        if (held.empty())
            return;
        auto chosen = held.lower_bound(random.below(units));
        if (chosen == held.end())
            chosen = held.begin();
        if (put({at(chosen->first * unit), chosen->second * unit})) {
            held_units -= chosen->second;
            held.erase(chosen);
        }
    }

    void take_one()
    {
        const size_t length = 1 + random.below(random.one_in(4) ? 256 : 32);
        const size_t align = random.one_in(2) ? natural_align(length * unit) : page;
        const range piece = cache_take(length * unit, align);
        EXPECT_LE(piece.size, length * unit);
        EXPECT_TRUE(is_aligned(piece.start, align));
        hold(piece);
    }

    // Behind something that is held.
    void take_behind()
    {
        auto before = held.lower_bound(random.below(units));
        if (before == held.end())
            return;
        const range piece = {at((before->first + before->second) * unit), (1 + random.below(8)) * unit};
        if (cache_take_at(piece.start, piece.size))
            hold(piece);
    }

    void make_less()
    {
        const size_t limit = random.below(units) * unit, bytes = cache_count().bytes;
        const size_t age = 1 + random.below(2000);
        const range piece = random.one_in(2) ? cache_trim(limit) : cache_evict(now, age, limit);
        hold(piece);
        EXPECT_EQ(cache_count().bytes, bytes - piece.size);
    }

    // As few pieces as there can be, but for a few neighbours that could not be found.
    size_t count_runs() const
    {
        size_t runs = 0, end = 0;
        for (auto [start, length] : held) {
            runs += start > end;
            end = start + length;
        }
        return runs + (end < units);
    }
};

TEST_F(RandomOperations, HandOutWhatIsThereAndOnlyOnce)
{
    for (size_t i = 0; i < repetitions(200'000) && !HasFailure(); i++) {
        switch (random.below(8)) {
        case 0:
        case 1:
        case 2:
            put_one();
            break;
        case 3:
        case 4:
            take_one();
            break;
        case 5:
            take_behind();
            break;
        case 6:
            if (random.one_in(8))
                make_less();
            break;
        default:
            now += static_cast<uint32_t>(random.below(10));
        }
        const cache_counts counts = cache_count();
        ASSERT_EQ(counts.bytes, (units - held_units) * unit);
        ASSERT_GE(counts.pieces, count_runs());
        ASSERT_LE(counts.pieces, count_runs() + 20);
    }
    while (!held.empty())
        put_one();
    EXPECT_EQ(cache_count().bytes, units * unit);
    EXPECT_LE(cache_count().pieces, 20u);
}

} // namespace
