// Three-level maps against a set of numbers, over every number of slots that slabs have, and under concurrent pushes.
#include "support.h"
#include "white_box.h"

#include <atomic>
#include <cstring>
#include <gtest/gtest.h>
#include <memory>
#include <set>
#include <thread>
#include <vector>

namespace
{

// Every capacity a slab has: one word and less, whole and broken groups, more than 64 groups.
const size_t capacities[] = {1, 4, 7, 63, 64, 65, 127, 128, 341, 4095, 4096, 4097, 8192, 65536, 262144, 262145, 524288};

class Map
{
  public:
    explicit Map(size_t slots, uint64_t fill = 0)
        : slots(slots), block(engine_map_words(slots) + 2 * guard, guard_value)
    {
        std::fill(block.begin() + guard, block.end() - guard, fill);
        map = engine_map_at(block.data() + guard, slots);
    }
    // No step may write outside of the block.
    ~Map()
    {
        for (size_t i = 0; i < guard; i++)
            EXPECT_TRUE(block[i] == guard_value && block[block.size() - 1 - i] == guard_value) << slots << " slots";
    }
    Map(const Map &) = delete;
    Map &operator=(const Map &) = delete;

    bool is_zero(size_t words_used) const
    {
        // cursor and header apart: no bit of a slot or a summary is left
        const uint64_t *header = reinterpret_cast<const uint64_t *>(map);
        for (size_t word = 0; word < words_used; word++)
            if (header[4 + word] != 0 || header[-1 - static_cast<ptrdiff_t>(word / 64)] != 0)
                return false;
        return header[0] == 0 && header[1] == 0 && header[2] == 0;
    }

    const size_t slots;
    struct map *map;

  private:
    static constexpr size_t guard = 8;
    static constexpr uint64_t guard_value = 0xabadcafeabadcafe;
    std::vector<uint64_t> block;
};

size_t words_of(size_t slots) { return (slots + 63) / 64; }

// Takes everything out of a map; every slot must have been in `expected`, and all of them must come.
void take_all(struct map *map, uint64_t (*take)(struct map *, size_t *), std::set<size_t> &expected)
{
    size_t word;
    while (uint64_t bits = take(map, &word))
        for (unsigned bit = 0; bit < 64; bit++)
            if (bits >> bit & 1) {
                ASSERT_EQ(expected.erase(word * 64 + bit), 1u) << "slot " << word * 64 + bit << " was not free";
            }
    ASSERT_TRUE(expected.empty()) << expected.size() << " slots lost, first " << *expected.begin();
}

TEST(Map, TheBlockOfAMapIsFoundFromTheMap)
{
    for (size_t slots : capacities) {
        std::vector<uint64_t> block(engine_map_words(slots));
        EXPECT_EQ(engine_map_block(engine_map_at(block.data(), slots), slots), block.data());
    }
}

TEST(Map, GivesBackEverySlotOnce)
{
    support::Random random(0);
    for (size_t slots : capacities) {
        Map map(slots);
        for (int round = 0; round < 8; round++) {
            std::set<size_t> model;
            size_t count = 1 + random.below(std::min<size_t>(slots, 3000));
            for (size_t i = 0; i < count; i++) {
                size_t slot = random.below(slots);
                ASSERT_EQ(engine_map_add(map.map, slot), model.insert(slot).second) << "the second time is refused";
            }
            take_all(map.map, engine_map_take, model);
            ASSERT_TRUE(map.is_zero(words_of(slots)));
        }
    }
}

TEST(Map, AddingAndTakingMayAlternate)
{
    support::Random random(0);
    for (size_t slots : capacities) {
        Map map(slots);
        std::set<size_t> model;
        for (int step = 0; step < 20'000; step++) {
            if (!random.one_in(16)) {
                size_t slot = random.below(slots);
                ASSERT_EQ(engine_map_add(map.map, slot), model.insert(slot).second);
                continue;
            }
            size_t word;
            uint64_t bits = engine_map_take(map.map, &word);
            ASSERT_EQ(bits == 0, model.empty());
            for (unsigned bit = 0; bit < 64; bit++)
                ASSERT_EQ(bits >> bit & 1, bits == 0 ? 0 : model.erase(word * 64 + bit)) << "a word is taken whole";
        }
        take_all(map.map, engine_map_take, model);
    }
}

// Lowest first would keep taking the words at the start, with one slot in them.
TEST(Map, GroupsAreTakenInTurn)
{
    constexpr size_t group = size_t{64} * 64;
    Map map(524288);
    for (size_t number : {5, 70, 127})
        engine_map_add(map.map, number * group);
    size_t word;
    ASSERT_NE(engine_map_take(map.map, &word), 0u);
    EXPECT_EQ(word, 5 * 64u);
    engine_map_add(map.map, 2 * group);  // behind the cursor: last
    engine_map_add(map.map, 5 * group);  // where the cursor stands: after a whole round
    engine_map_add(map.map, 69 * group); // ahead: in its turn
    std::vector<size_t> turns;
    while (engine_map_take(map.map, &word) != 0)
        turns.push_back(word / 64);
    EXPECT_EQ(turns, (std::vector<size_t>{69, 70, 127, 2, 5}));
}

TEST(Map, WordsOfAGroupAreTakenInAddressOrder)
{
    Map map(4096);
    for (size_t word : {63, 0, 17, 5})
        engine_map_add(map.map, word * 64 + 3);
    std::vector<size_t> order;
    size_t word;
    while (engine_map_take(map.map, &word) != 0)
        order.push_back(word);
    EXPECT_EQ(order, (std::vector<size_t>{0, 5, 17, 63}));
}

// A map of a former life has bits anywhere; each word is cleared before its slots can be freed.
TEST(Map, ADirtyMapIsClearedWordByWord)
{
    support::Random random(0);
    for (size_t slots : capacities) {
        Map map(slots, ~UINT64_C(0));
        engine_map_reset(map.map);
        size_t word;
        ASSERT_EQ(engine_map_take(map.map, &word), 0u) << "nothing that was left can be reached";
        std::set<size_t> model;
        for (size_t granted = 0; granted < words_of(slots); granted++) {
            engine_map_reset_word(map.map, granted);
            size_t in_word = std::min<size_t>(64, slots - granted * 64);
            size_t slot = granted * 64 + random.below(in_word);
            ASSERT_TRUE(engine_map_add(map.map, slot)) << "a stale bit at " << slot << " of " << slots;
            model.insert(slot);
        }
        take_all(map.map, engine_map_take, model);
        ASSERT_TRUE(map.is_zero(words_of(slots)));
    }
}

#if ALLOC_THREADS

TEST(RemoteMap, GivesBackEverySlotOnce)
{
    support::Random random(0);
    for (size_t slots : capacities) {
        Map map(slots);
        for (int round = 0; round < 8; round++) {
            std::set<size_t> model;
            for (int push = 0; push < 1000; push++) {
                size_t word = random.below(words_of(slots));
                uint64_t mask = 0;
                for (size_t i = 0; i < 64 && word * 64 + i < slots; i++)
                    if (random.one_in(4) && model.insert(word * 64 + i).second)
                        mask |= UINT64_C(1) << i;
                ASSERT_EQ(mask == 0 ? 0 : engine_map_push(map.map, word, mask), 0u);
            }
            take_all(map.map, engine_map_collect, model);
            ASSERT_TRUE(map.is_zero(words_of(slots)));
        }
    }
}

TEST(RemoteMap, TellsWhichSlotsWereThereAlready)
{
    Map map(128);
    EXPECT_EQ(engine_map_push(map.map, 1, 0b0110), 0u);
    EXPECT_EQ(engine_map_push(map.map, 1, 0b1000), 0u);
    EXPECT_EQ(engine_map_push_bits(map.map, 1, 0b0100) & 0b0100, 0b0100u);
}

// Between the two steps of a push its word is not found; others' words are, and nothing is lost.
TEST(RemoteMap, AStoppedPusherHidesItsWordAlone)
{
    Map map(524288);
    size_t word;
    ASSERT_EQ(engine_map_push_bits(map.map, 200, 1), 0u);
    EXPECT_EQ(engine_map_push(map.map, 200, 2), 0u);
    EXPECT_EQ(engine_map_collect(map.map, &word), 0u);
    EXPECT_EQ(engine_map_push(map.map, 201, 4), 0u);
    EXPECT_EQ(engine_map_collect(map.map, &word), 4u);
    EXPECT_EQ(word, 201u);
    engine_map_push_summary(map.map, 200);
    EXPECT_EQ(engine_map_collect(map.map, &word), 3u) << "with what was added meanwhile";
    EXPECT_EQ(word, 200u);
    EXPECT_TRUE(map.is_zero(words_of(524288)));
}

TEST(RemoteMap, WhatIsLeftOfAGroupCanBeUntaken)
{
    support::Random random(0);
    for (size_t slots : {size_t{4096}, size_t{524288}})
        for (int round = 0; round < 50; round++) {
            Map map(slots);
            std::set<size_t> model;
            auto push = [&] {
                size_t slot = random.below(slots);
                if (model.insert(slot).second)
                    engine_map_push(map.map, slot / 64, UINT64_C(1) << (slot % 64));
            };
            for (int i = 0; i < 300; i++)
                push();
            size_t word;
            uint64_t bits = engine_map_collect(map.map, &word);
            for (unsigned bit = 0; bit < 64; bit++)
                if (bits >> bit & 1)
                    model.erase(word * 64 + bit);
            for (size_t i = random.below(300); i > 0; i--)
                push(); // also into the group taken, and into the word just emptied
            engine_map_untake(map.map);
            take_all(map.map, engine_map_collect, model);
            ASSERT_TRUE(map.is_zero(words_of(slots)));
        }
}

// Each slot travels in a circle: the collector hands it to a pusher, which pushes it again. None may multiply or vanish.
TEST(RemoteMap, ConcurrentPushesLoseNothing)
{
    for (size_t slots : {size_t{128}, size_t{4096}, size_t{16384}}) {
        constexpr size_t pushers = 2;
        Map map(slots);
        const size_t laps = support::repetitions(50'000);
        std::vector<std::atomic<unsigned char>> lent(slots); // 1: with a pusher, who may push it
        for (auto &slot : lent)
            slot = 1;
        std::atomic<bool> done{false};
        std::vector<std::thread> threads;
        for (size_t me = 0; me < pushers; me++)
            threads.emplace_back([&, me] {
                support::Random random(me);
                while (!done) {
                    size_t word = random.below(words_of(slots));
                    uint64_t mask = 0;
                    for (size_t i = me; i < 64; i += pushers) // both push into every word, each slots of its own
                        if (random.one_in(2) && lent[word * 64 + i].exchange(0))
                            mask |= UINT64_C(1) << i;
                    ASSERT_EQ(mask == 0 ? 0 : engine_map_push(map.map, word, mask), 0u);
                }
            });
        size_t collected = 0;
        std::set<size_t> all;
        auto collect = [&](auto &&returned) {
            size_t word;
            uint64_t bits = engine_map_collect(map.map, &word);
            for (unsigned bit = 0; bit < 64; bit++)
                if (bits >> bit & 1)
                    returned(word * 64 + bit);
            return bits != 0;
        };
        while (collected < laps) {
            bool found = collect([&](size_t slot) {
                collected++;
                ASSERT_EQ(lent[slot].exchange(1), 0) << "slot " << slot << " came twice";
            });
            if (!found)
                std::this_thread::yield();
            if (testing::Test::HasFatalFailure())
                break;
        }
        done = true;
        for (auto &thread : threads)
            thread.join();
        while (collect([&](size_t slot) { lent[slot] = 1; }))
            ;
        for (size_t slot = 0; slot < slots; slot++)
            ASSERT_EQ(lent[slot], 1) << "slot " << slot << " is lost";
        ASSERT_TRUE(map.is_zero(words_of(slots)));
    }
}

#endif

} // namespace
