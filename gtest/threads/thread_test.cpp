// Threads: frees by owners and by others in every order, against a model where one thread runs at a time and against
// contents where all do; and what others free serves again, also when its owner is gone.
#include "shadow.h"
#include "shared_block.h"
#include "support.h"
#include "worker.h"

#include <atomic>
#include <memory>
#include <set>
#include <thread>

using namespace support;

namespace
{

// ---- one thread at a time -----------------------------------------------------------------------------------------

// Bursts of allocations and frees, each by a thread of chance: the schedule, and with it whatever goes wrong, follows
// from the seed alone. Now and then a thread exits and a new one takes its place. The parameter is how many there are.
class Interleaving : public testing::TestWithParam<size_t>
{
  protected:
    void allocate_one(const Request &request)
    {
        ASSERT_TRUE(shadow.add(random.one_in(8) ? allocate_zeroed(request) : allocate(request), request));
    }

    void free_one()
    {
        const Shadow::Block block = shadow.take(random);
        ASSERT_TRUE(holds(block.ptr, block.request.size, block.mark)) << block.request;
        release(block.ptr, block.request);
    }

    void resize_one(size_t size)
    {
        const Shadow::Block block = shadow.take(random);
        const Request resized = {size, block.request.align};
        void *ptr = resize(block.ptr, block.request, size);
        ASSERT_TRUE(holds(ptr, std::min(block.request.size, size), block.mark)) << block.request << " to " << size;
        ASSERT_TRUE(shadow.add(ptr, resized));
    }

    // Most blocks are of a few classes, so that threads meet in slabs; the others are of any.
    Request request()
    {
        static constexpr Request common[] = {{8, 0}, {48, 8}, {64, 0}, {2000, 0}, {8192, 0}, {4, 1}};
        return random.one_in(8) ? random.request() : common[random.below(std::size(common))];
    }

    void burst(size_t most)
    {
        for (size_t steps = 1 + random.below(300); steps != 0 && !HasFatalFailure(); steps--)
            if (shadow.count() < most && !random.one_in(4))
                allocate_one(request());
            else if (shadow.count() != 0)
                random.one_in(16) ? resize_one(request().size) : free_one();
    }

    Random random{GetParam()};
    Shadow shadow;
};

TEST_P(Interleaving, AgreesWithTheModel)
{
    std::vector<std::unique_ptr<Worker>> workers(GetParam());
    for (auto &worker : workers)
        worker = std::make_unique<Worker>();
    size_t most = 0;
    for (size_t turn = 0; turn < repetitions(6000) && !HasFatalFailure(); turn++) {
        if (turn % 100 == 0)
            most = 1 + random.below(20000);
        auto &worker = workers[random.below(workers.size())];
        if (random.one_in(50))
            worker = std::make_unique<Worker>();
        worker->run([&] { burst(most); });
    }
    while (shadow.count() != 0 && !HasFatalFailure())
        free_one();
}

INSTANTIATE_TEST_SUITE_P(Of, Interleaving, testing::Values(1, 2, 3, 8), testing::PrintToStringParamName());

// ---- all at once --------------------------------------------------------------------------------------------------

// A table of blocks that all threads replace.
class Storm : public testing::TestWithParam<size_t>
{
  protected:
    // Frees or resizes what a place holds, and puts something there again, at most half of the time.
    static void replace(SharedBlock &place, Random &random, Request next)
    {
        ASSERT_TRUE(place.is_intact()) << place.request;
        if (place.block != nullptr && random.one_in(8)) {
            const size_t kept = std::min({place.request.size, next.size, edge});
            void *resized = resize(place.block, place.request, next.size);
            ASSERT_NE(resized, nullptr) << next;
            ASSERT_TRUE(place.was_kept_in(resized, kept)) << place.request << " to " << next.size;
            place.keep(resized, {next.size, place.request.align}, random);
            return;
        }
        place.give();
        if (random.one_in(2))
            return;
        void *block = allocate(next);
        ASSERT_NE(block, nullptr) << next;
        place.keep(block, next, random);
    }

    // An eighth of the table is a thread's own, so that both kinds of frees are common.
    void run(size_t number)
    {
        Random random(number);
        for (size_t step = 0; step < repetitions(1500000 / (1 + GetParam() / 512)) && !HasFatalFailure(); step++) {
            const size_t own = table.size() / 8;
            SharedBlock &any =
                random.one_in(2) ? table[number * own + random.below(own)] : table[random.below(table.size())];
            any.use_if_free([&](SharedBlock &place) {
                replace(place, random, random.one_in(4) ? random.request() : Request{GetParam(), 0});
            });
        }
    }

    std::vector<SharedBlock> table{8192};
};

TEST_P(Storm, KeepsContents)
{
    seed();
    std::vector<std::thread> threads;
    for (size_t number = 0; number < 4; number++)
        threads.emplace_back([this, number] { run(number); });
    for (std::thread &thread : threads)
        thread.join();
    for (SharedBlock &place : table) {
        EXPECT_TRUE(place.is_intact()) << place.request;
        place.give();
    }
}

// Slabs of many slots and of few, and large blocks.
INSTANTIATE_TEST_SUITE_P(Of, Storm, testing::Values(1, 16, 64, 1024, 8192, 65536), testing::PrintToStringParamName());

// ---- one allocates, the other frees -------------------------------------------------------------------------------

// Blocks on their way from one thread to another: a ring that never holds more than it has room for.
class Belt
{
  public:
    void put(void *block)
    {
        while (tail.load(std::memory_order_acquire) + room == head.load(std::memory_order_relaxed))
            std::this_thread::yield();
        blocks[head.load(std::memory_order_relaxed) % room] = block;
        head.fetch_add(1, std::memory_order_release);
    }

    void *get()
    {
        while (head.load(std::memory_order_acquire) == tail.load(std::memory_order_relaxed))
            std::this_thread::yield();
        void *block = blocks[tail.load(std::memory_order_relaxed) % room];
        tail.fetch_add(1, std::memory_order_release);
        return block;
    }

  private:
    static constexpr size_t room = 1024;
    void *blocks[room] = {};
    std::atomic<size_t> head{0}, tail{0};
};

class ProducerConsumer : public testing::TestWithParam<size_t>
{
  protected:
    static constexpr Request request = {100, 8};

    static void produce(Belt &belt, size_t first, size_t end)
    {
        for (size_t i = first; i < end; i++) {
            void *block = allocate(request);
            fill(block, request.size, i);
            belt.put(block);
        }
    }

    static void consume(Belt &belt, size_t first, size_t end)
    {
        for (size_t i = first; i < end; i++) {
            void *block = belt.get();
            EXPECT_TRUE(holds(block, request.size, i));
            release(block, request);
        }
    }

    // Passes blocks [first, end) over each pair of threads, new threads each time.
    void run(size_t first, size_t end)
    {
        std::vector<std::thread> threads;
        for (Belt &belt : belts) {
            threads.emplace_back([&belt, first, end] { produce(belt, first, end); });
            threads.emplace_back([&belt, first, end] { consume(belt, first, end); });
        }
        for (std::thread &thread : threads)
            thread.join();
    }

    std::vector<Belt> belts{GetParam()};
};

TEST_P(ProducerConsumer, PassesOnContentsInBoundedMemory)
{
    const size_t count = repetitions(2000000) / GetParam();
    run(0, count / 4);
    const size_t before = TEST_SANITIZED ? 0 : resident_bytes();
    run(count / 4, count);
    // A few slabs for each thread, and not the tens of megabytes that have passed.
    EXPECT_TRUE(TEST_SANITIZED || resident_bytes() < before + 4 * MiB) << before << " to " << resident_bytes();
}

INSTANTIATE_TEST_SUITE_P(Pairs, ProducerConsumer, testing::Values(1, 2), testing::PrintToStringParamName());

class FreedByOthers : public testing::TestWithParam<size_t>
{
  protected:
    // Blocks that come and go, and every 64 KiB of addresses that they were ever in.
    void allocate_one(size_t i)
    {
        blocks[i] = allocate(request);
        ASSERT_NE(blocks[i], nullptr);
        fill_edges(blocks[i], request.size, i);
        places.insert(reinterpret_cast<uintptr_t>(blocks[i]) / (64 * KiB));
    }

    void free_one(size_t i)
    {
        ASSERT_TRUE(holds_edges(blocks[i], request.size, i));
        release(blocks[i], request);
    }

    void allocate_all()
    {
        for (size_t i = 0; i < blocks.size(); i++)
            allocate_one(i);
        first_places = first_places == 0 ? places.size() : first_places;
    }

    void free_all()
    {
        for (size_t i = 0; i < blocks.size(); i++)
            free_one(i);
    }

    // Slabs are not taken up in the order they were left, and a heap takes a large one when all its small ones are full.
    void expect_reused() const { EXPECT_LE(places.size(), 2 * first_places + 40); }

    static constexpr size_t rounds = 20;
    const Request request = {GetParam(), 0};
    std::vector<void *> blocks = std::vector<void *>(std::min(16 * MiB / GetParam(), repetitions(200000)));
    std::set<uintptr_t> places;
    size_t first_places = 0;
};

TEST_P(FreedByOthers, IsTheOwnersAgain)
{
    for (size_t round = 0; round < rounds; round++) {
        allocate_all();
        std::thread([this] { free_all(); }).join(); // and never allocates
    }
    expect_reused();
}

TEST_P(FreedByOthers, IsReusedWhenItsOwnerHasExited)
{
    for (size_t round = 0; round < rounds; round++) {
        std::thread([this] { allocate_all(); }).join();
        free_all();
    }
    expect_reused();
}

TEST_P(FreedByOthers, IsReusedWhenOwnerAndFreerHaveExited)
{
    for (size_t round = 0; round < rounds; round++) {
        std::thread([this] { allocate_all(); }).join();
        std::thread([this] { free_all(); }).join();
    }
    expect_reused();
}

// Half of the blocks, those of chance, come and go: no slab is ever empty.
TEST_P(FreedByOthers, IsReusedWhileTheSlabIsInUse)
{
    Random random(0);
    std::vector<char> goes(blocks.size());
    allocate_all();
    for (size_t round = 0; round < rounds; round++) {
        for (char &each : goes)
            each = random.one_in(2);
        std::thread([&] {
            for (size_t i = 0; i < blocks.size(); i++)
                if (goes[i])
                    free_one(i);
        }).join();
        for (size_t i = 0; i < blocks.size(); i++)
            if (goes[i])
                allocate_one(i);
    }
    expect_reused();
    free_all();
}

INSTANTIATE_TEST_SUITE_P(OfSize, FreedByOthers, testing::Values(1, 16, 64, 1024, 8192, 65536, 524288),
                         testing::PrintToStringParamName());

} // namespace
