// What the library says of addresses and of all its blocks, compared to what the test itself knows: any address, every size, blocks
// that threads hold back for others, random lives in several threads.
#include "gp_support.h"

#include <alloc/alloc_inspect.h>
#include <atomic>
#include <map>
#if ALLOC_THREADS
#include "worker.h"
#endif

using namespace support;

namespace
{

struct alloc_block ask(const void *address)
{
    struct alloc_block block;
    EXPECT_EQ(alloc_block(address, &block, sizeof block), 0);
    return block;
}

bool operator==(const struct alloc_block &one, const struct alloc_block &other)
{
    return one.start == other.start && one.size == other.size && one.state == other.state && one.kind == other.kind &&
           one.is_own == other.is_own;
}

using Blocks = std::map<void *, size_t>;

Blocks walk()
{
    Blocks found;
    EXPECT_EQ(alloc_walk(
                  [](void *context, void *start, size_t size) {
                      EXPECT_TRUE(static_cast<Blocks *>(context)->emplace(start, size).second) << "twice: " << start;
                      return 0;
                  },
                  &found),
              0);
    return found;
}

// A function that compilers do not see through: they would warn of asking about what is freed.
void (*volatile unseen_free)(void *, size_t) = alloc_free;

// ---- one address --------------------------------------------------------------------------------------------------------

TEST(Inspect, KnowsNothingOfOtherMemory)
{
    static char global[64];
    char local[64];
    alloc_free(alloc_malloc(64), 64);
    alloc_free(alloc_malloc(MiB), MiB);
    void *other = std::malloc(100);
    for (const void *address :
         {static_cast<void *>(global), static_cast<void *>(local), other, static_cast<void *>(&errno),
          reinterpret_cast<void *>(&ask), static_cast<void *>(nullptr), reinterpret_cast<void *>(1),
          reinterpret_cast<void *>(SIZE_MAX), reinterpret_cast<void *>(size_t{1} << 47),
          reinterpret_cast<void *>(size_t{1} << 48), reinterpret_cast<void *>((size_t{1} << 48) - 1)}) {
        EXPECT_EQ(alloc_owns(address), 0) << address;
        const struct alloc_block block = ask(address);
        EXPECT_TRUE(block == (struct alloc_block){}) << address;
    }
    std::free(other);
}

// Also around every region: what lies there is the library's own, and no block.
TEST(Inspect, MayBeAskedForAnyAddress)
{
    Random random(1);
    void *slot = alloc_malloc(64), *large = alloc_malloc(MiB);
    const auto near = [&](const void *block) {
        return reinterpret_cast<uintptr_t>(block) + random.next() % (512 * MiB) - 256 * MiB;
    };
    for (size_t i = 0; i < repetitions(5000); i++) {
        const uintptr_t addresses[] = {near(slot), near(large), static_cast<uintptr_t>(random.next()),
                                       static_cast<uintptr_t>(random.next() >> random.below(64))};
        for (uintptr_t address : addresses) {
            const struct alloc_block block = ask(reinterpret_cast<void *>(address));
            if (block.state == ALLOC_BLOCK_NONE)
                continue;
            EXPECT_EQ(alloc_owns(reinterpret_cast<void *>(address)), 1);
            EXPECT_LT(address - reinterpret_cast<uintptr_t>(block.start), block.size);
        }
    }
    alloc_free(slot, 64);
    alloc_free(large, MiB);
}

TEST(Inspect, FindsTheBlockOfEachOfItsBytes)
{
    std::vector<Request> requests;
    for (size_t size : slot_sizes())
        requests.push_back({size, 8});
    for (size_t size : {600 * KiB, MiB, 5 * MiB + 1, 300 * MiB}) // of one that crosses windows of 128 MiB, too
        requests.push_back({size, 4096});
    for (size_t align : {MiB, 8 * MiB})
        requests.push_back({100, align});
    for (Request request : requests) {
        void *blocks[40];
        for (void *&block : blocks)
            block = request.size > 64 * MiB && &block != blocks ? nullptr : allocate(request);
        for (void *block : blocks) {
            if (block == nullptr)
                continue;
            const size_t size = good_size(request);
            for (size_t offset : {size_t{0}, size_t{1}, size / 3, size / 2, size - size / 1000 - 1, size - 1}) {
                const char *address = static_cast<char *>(block) + std::min(offset, size - 1);
                const struct alloc_block seen = ask(address);
                EXPECT_EQ(seen.start, block) << request << ", " << offset;
                EXPECT_EQ(seen.size, size) << request;
                EXPECT_EQ(seen.state, ALLOC_BLOCK_LIVE) << request;
                const bool is_slot = size <= slot_size_max && request.align <= slot_size_max;
                EXPECT_EQ(seen.kind, is_slot ? ALLOC_BLOCK_SLOT : ALLOC_BLOCK_LARGE) << request;
                EXPECT_EQ(seen.is_own, is_slot) << request;
                EXPECT_EQ(alloc_owns(address), 1) << request;
            }
        }
        for (void *block : blocks)
            release(block, request);
    }
}

TEST(Inspect, KnowsFreeSlots)
{
    void *kept[200], *freed[200];
    for (size_t i = 0; i < 200; i++) {
        kept[i] = alloc_malloc(48);
        freed[i] = alloc_malloc(48);
    }
    const struct alloc_block before = ask(freed[0]);
    for (void *block : freed)
        unseen_free(block, 48);
    for (void *block : freed) {
        EXPECT_EQ(ask(block).state, ALLOC_BLOCK_FREE);
        EXPECT_EQ(ask(block).start, block);
        EXPECT_EQ(alloc_owns(block), 1);
    }
    EXPECT_EQ(ask(freed[0]).size, before.size);
    for (void *block : kept) {
        EXPECT_EQ(ask(block).state, ALLOC_BLOCK_LIVE);
        unseen_free(block, 48);
    }
    EXPECT_EQ(ask(static_cast<char *>(kept[199]) + 64 * 64).state, ALLOC_BLOCK_FREE) << "never handed out";
}

TEST(Inspect, KnowsNoFreeLargeBlocks)
{
    char *block = static_cast<char *>(alloc_malloc(3 * MiB));
    unseen_free(block, 3 * MiB);
    for (const char *address : {block, block + 1, block + 2 * MiB}) {
        EXPECT_TRUE(ask(address) == (struct alloc_block){});
        EXPECT_EQ(alloc_owns(address), 1);
    }
}

TEST(Inspect, FillsStructsOfAnyVersion)
{
    void *block = alloc_malloc(100);
    const struct alloc_block known = ask(block);
    for (size_t size : {size_t{0}, size_t{1}, sizeof known - 1, sizeof known, sizeof known + 64}) {
        std::vector<char> out(sizeof known + 100, 'x');
        ASSERT_EQ(alloc_block(block, reinterpret_cast<struct alloc_block *>(out.data()), size), 0);
        EXPECT_EQ(std::memcmp(out.data(), &known, std::min(size, sizeof known)), 0) << size;
        EXPECT_TRUE(is_zero(out.data(), sizeof known, size)) << size;
        EXPECT_EQ(out[size], 'x') << size;
    }
    errno = 0;
    EXPECT_EQ(alloc_block(block, nullptr, sizeof known), -1);
    EXPECT_EQ(errno, EINVAL);
    alloc_free(block, 100);
}

// ---- all blocks ---------------------------------------------------------------------------------------------------------

TEST(Walk, EndsWithTheFirstResultThatIsNotZero)
{
    void *blocks[] = {alloc_malloc(64), alloc_malloc(64), alloc_malloc(MiB), alloc_malloc(MiB)};
    for (int last = 1; last <= 4; last++) {
        std::pair<int, int> calls = {0, last};
        EXPECT_EQ(alloc_walk(
                      [](void *context, void *, size_t) {
                          auto *calls = static_cast<std::pair<int, int> *>(context);
                          return ++calls->first == calls->second ? 40 + calls->second : 0;
                      },
                      &calls),
                  40 + last);
        EXPECT_EQ(calls.first, last);
    }
    alloc_free(blocks[0], 64);
    alloc_free(blocks[1], 64);
    alloc_free(blocks[2], MiB);
    alloc_free(blocks[3], MiB);
    EXPECT_EQ(walk(), Blocks());
}

// Blocks of every function, with what they hold.
struct Owned {
    void *start;
    Request request;
    bool is_unsized;

    size_t size() const { return is_unsized ? alloc_gp_usable_size(start) : good_size(request); }
    void free() const
    {
        if (is_unsized)
            alloc_gp_free(start);
        else
            release(start, request);
    }
};

Owned make(Random &random)
{
    const Request request = random.request();
    const bool is_unsized = random.one_in(3);
    return {is_unsized ? alloc_gp_malloc(request.size) : allocate(request), request, is_unsized};
}

void expect_exact(const std::vector<std::vector<Owned>> &shadow)
{
    Blocks expected;
    for (const std::vector<Owned> &owned : shadow)
        for (const Owned &block : owned)
            expected.emplace(block.start, block.size());
    const Blocks found = walk();
    EXPECT_EQ(found.size(), expected.size());
    EXPECT_TRUE(found == expected);
    for (const auto &[start, size] : found) {
        const struct alloc_block block = ask(start);
        ASSERT_EQ(block.start, start);
        ASSERT_EQ(block.size, size);
        ASSERT_TRUE(block.state == ALLOC_BLOCK_LIVE || (!ALLOC_DEBUG && block.state == ALLOC_BLOCK_UNKNOWN));
    }
}

// Some of them freed, others made, and resized.
void live(std::vector<Owned> &blocks, Random &random, size_t steps)
{
    for (size_t i = 0; i < steps; i++) {
        if (blocks.size() < 100 || random.one_in(2)) {
            blocks.push_back(make(random));
            continue;
        }
        Owned &block = blocks[random.below(blocks.size())];
        if (!block.is_unsized && random.one_in(4)) {
            const size_t size = random.request().size;
            block.start = resize(block.start, block.request, size);
            block.request.size = size;
            continue;
        }
        block.free();
        block = blocks.back();
        blocks.pop_back();
    }
}

TEST(Walk, IsExactInOneThread)
{
    std::vector<std::vector<Owned>> shadow(1);
    Random random(2);
    for (size_t round = 0; round < 5; round++) {
        live(shadow[0], random, repetitions(10000));
        expect_exact(shadow);
    }
    for (const Owned &block : shadow[0])
        block.free();
    EXPECT_EQ(walk(), Blocks());
}

#if ALLOC_THREADS

// Each round the threads work on blocks that were another one's, then some of them end, and others begin.
TEST(Walk, IsExactWhereThreadsFreeEachOthersBlocks)
{
    constexpr size_t threads = 4;
    std::vector<std::vector<Owned>> shadow(threads);
    std::vector<std::unique_ptr<Worker>> workers;
    for (size_t i = 0; i < threads; i++)
        workers.push_back(std::make_unique<Worker>());
    for (size_t round = 0; round < 6; round++) {
        for (size_t i = 0; i < threads; i++)
            workers[i]->start([&shadow, i, round] {
                Random random(100 * round + i);
                live(shadow[(i + round) % threads], random, repetitions(6000));
            });
        for (auto &worker : workers)
            worker->wait();
        expect_exact(shadow);
        workers[round % threads]->replace();
        expect_exact(shadow);
    }
    workers.clear();
    expect_exact(shadow);
    for (const std::vector<Owned> &owned : shadow)
        for (const Owned &block : owned)
            block.free();
    EXPECT_EQ(walk(), Blocks());
}

// What another thread holds back, or has in its outbox: free to the walk, free or unknown to who asks.
TEST(Walk, CountsWhatThreadsHoldBackAsFree)
{
    for (size_t size : {size_t{16}, size_t{64}, size_t{128}, size_t{4096}, size_t{128 * KiB}}) {
        Worker worker;
        void *own = nullptr;
        worker.run([&] { own = alloc_malloc(size); }); // a bin of this size
        void *blocks[3] = {alloc_malloc(size), alloc_malloc(size), alloc_malloc(size)};
        worker.run([&] {
            alloc_free(blocks[0], size);
            alloc_free(blocks[2], size);
        });
        EXPECT_EQ(walk(), (Blocks{{own, size}, {blocks[1], size}})) << size;
        EXPECT_EQ(ask(blocks[2]).state, ALLOC_DEBUG ? ALLOC_BLOCK_FREE : ALLOC_BLOCK_UNKNOWN) << size;
        worker.run([&] { // its own heap's it knows
            EXPECT_EQ(ask(blocks[0]).state, ALLOC_BLOCK_FREE) << size;
            EXPECT_EQ(ask(blocks[2]).state, ALLOC_BLOCK_FREE) << size;
            EXPECT_EQ(ask(blocks[1]).is_own, 0) << size;
            EXPECT_EQ(ask(own).is_own, 1) << size;
        });
        EXPECT_EQ(ask(blocks[1]).is_own, 1) << size;
        alloc_free(blocks[1], size);
        alloc_free(own, size);
        EXPECT_EQ(walk(), Blocks()) << size;
    }
}

// Meanwhile others allocate and free: nothing crashes, and what is live is never called free.
TEST(Inspect, MayBeAskedWhileOthersFree)
{
    std::atomic<bool> is_over{false};
    std::vector<void *> addresses;
    for (size_t size : {size_t{24}, size_t{256}, size_t{4096}, size_t{40000}, 700 * KiB})
        for (size_t i = 0; i < 20; i++)
            addresses.push_back(alloc_malloc_aligned(size, 8));
    for (size_t i = 0; i < addresses.size(); i++)
        alloc_free_aligned(addresses[i], i < 20 ? 24 : i < 40 ? 256 : i < 60 ? 4096 : i < 80 ? 40000 : 700 * KiB, 8);
    std::vector<std::thread> others;
    for (size_t i = 0; i < 2; i++)
        others.emplace_back([&is_over, i] {
            std::vector<Owned> blocks;
            Random random(10 + i);
            while (!is_over)
                live(blocks, random, 100);
            for (const Owned &block : blocks)
                block.free();
        });
    Random random(3);
    std::vector<Owned> own;
    for (size_t i = 0; i < repetitions(5000); i++) {
        live(own, random, 1);
        for (const Owned &block : own)
            if (random.one_in(own.size())) {
                const struct alloc_block seen = ask(block.start);
                EXPECT_EQ(seen.start, block.start);
                EXPECT_TRUE(seen.state == ALLOC_BLOCK_LIVE || seen.state == ALLOC_BLOCK_UNKNOWN);
            }
        (void)ask(static_cast<char *>(addresses[random.below(addresses.size())]) + random.below(4 * MiB));
    }
    is_over = true;
    for (std::thread &other : others)
        other.join();
    for (const Owned &block : own)
        block.free();
}

#endif

} // namespace
