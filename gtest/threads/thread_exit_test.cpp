// Threads that come and go: heaps are handed on, nothing of a thread stays behind, and what runs late in its exit is
// served like anything else.
#include "support.h"

#include <limits.h>
#include <pthread.h>
#include <thread>

using namespace support;

namespace
{

// Runs `body(number)` in one new thread after the other and expects that, once all is warm, none leaves memory behind.
template <class Body> void expect_nothing_left_behind(size_t threads, Body body)
{
    size_t warm = 0;
    for (size_t number = 0; number < threads; number++) {
        if (number == threads / 10)
            warm = resident_bytes();
        std::thread([&body, number] { body(number); }).join();
    }
    // A heap and its slabs take some 50 KiB. A sanitizer keeps more than that of each thread itself.
    EXPECT_TRUE(TEST_SANITIZED || resident_bytes() < warm + 2 * MiB) << warm << " to " << resident_bytes();
}

// A little of everything: small, medium and large slabs.
constexpr Request assorted[] = {{1, 0}, {24, 8}, {64, 0}, {1000, 0}, {5000, 1}, {20000, 0}};

void allocate_and_free(uint64_t mark)
{
    void *blocks[std::size(assorted)];
    for (size_t i = 0; i < std::size(assorted); i++) {
        blocks[i] = allocate(assorted[i]);
        ASSERT_NE(blocks[i], nullptr);
        fill_edges(blocks[i], assorted[i].size, mark + i);
    }
    for (size_t i = 0; i < std::size(assorted); i++) {
        ASSERT_TRUE(holds_edges(blocks[i], assorted[i].size, mark + i)) << assorted[i];
        release(blocks[i], assorted[i]);
    }
}

TEST(ShortThreads, LeaveNothingBehind) { expect_nothing_left_behind(repetitions(10000), allocate_and_free); }

// Each passes a block on to the next: what a thread frees last is always another's.
TEST(ShortThreads, LeaveNothingBehindWhenTheyFreeForTheirPredecessors)
{
    constexpr Request request = {100, 0};
    void *block = allocate(request);
    fill(block, request.size, 0);
    expect_nothing_left_behind(repetitions(10000), [&](size_t number) {
        void *next = allocate(request);
        fill(next, request.size, number + 1);
        EXPECT_TRUE(holds(block, request.size, number));
        release(block, request);
        block = next;
    });
    release(block, request);
}

TEST(ShortThreads, LeaveNothingBehindWhenTheyOnlyFree)
{
    constexpr Request request = {100, 0};
    std::vector<void *> blocks(repetitions(10000));
    for (void *&block : blocks)
        block = allocate(request);
    expect_nothing_left_behind(blocks.size(), [&](size_t number) { release(blocks[number], request); });
}

// Generations of threads, alive at the same time. Each frees half of what its predecessors left, some of it before it
// allocates and some after; what then remains is freed a generation later, when its slabs have changed hands twice.
TEST(AdoptionAtExit, HandsOnWhatIsLiveAndWhatIsFree)
{
    constexpr size_t width = 4, count = 500;
    struct Blocks {
        void *of[count] = {};
        uint64_t mark = 0;
    };
    auto request = [](size_t i) { return i % 16 == 0 ? Request{i * 10, 0} : Request{16 + 16 * (i % 4), 8}; };
    auto free_quarter = [&](Blocks &blocks, size_t quarter) {
        for (size_t i = quarter % 4; i < count; i += 4) {
            ASSERT_TRUE(blocks.of[i] == nullptr || holds(blocks.of[i], request(i).size, blocks.mark + i)) << request(i);
            release(blocks.of[i], request(i));
            blocks.of[i] = nullptr;
        }
    };
    auto free_rest = [&](Blocks &blocks) {
        for (size_t quarter = 0; quarter < 4; quarter++)
            free_quarter(blocks, quarter);
    };
    std::vector<Blocks> left(width), made(width);
    size_t warm = 0;
    const size_t generations = repetitions(800);
    for (size_t generation = 0; generation < generations; generation++) {
        std::vector<std::thread> threads;
        for (size_t number = 0; number < width; number++)
            threads.emplace_back([&, number] {
                Blocks &previous = left[(number + generation) % width], &own = made[number];
                free_quarter(previous, generation);
                free_rest(own);
                own.mark = (generation * width + number) * count;
                for (size_t i = 0; i < count; i++) {
                    own.of[i] = allocate(request(i));
                    fill(own.of[i], request(i).size, own.mark + i);
                }
                free_quarter(previous, generation + 1);
            });
        for (std::thread &thread : threads)
            thread.join();
        std::swap(left, made);
        if (generation == generations / 4)
            warm = resident_bytes();
    }
    EXPECT_TRUE(TEST_SANITIZED || resident_bytes() < warm + 4 * MiB) << warm << " to " << resident_bytes();
    for (auto *all : {&left, &made})
        for (Blocks &blocks : *all)
            free_rest(blocks);
}

// ---- late in a thread's exit --------------------------------------------------------------------------------------

// A destructor that comes in the given round of destructors, and whether the thread has used the library before.
struct Late {
    int round;
    bool is_first_use;
};

std::ostream &operator<<(std::ostream &out, const Late &late)
{
    return out << "Round" << late.round << (late.is_first_use ? "FirstUse" : "LaterUse");
}

// Keys created before and after the library's own: in a round of destructors, theirs run before and after its own.
class LateDestructor : public testing::TestWithParam<Late>
{
  protected:
    // What a thread's key holds.
    struct Errand {
        LateDestructor *test;
        pthread_key_t key;
        int round = 0;
        uint64_t mark;
    };

    LateDestructor()
    {
        pthread_key_create(&keys[0], come_again);
        std::thread([] { release(allocate({1, 0}), {1, 0}); }).join(); // the library has its key by now
        pthread_key_create(&keys[1], come_again);
    }
    ~LateDestructor() override
    {
        for (pthread_key_t key : keys)
            pthread_key_delete(key);
    }

    static void come_again(void *value)
    {
        auto *errand = static_cast<Errand *>(value);
        if (++errand->round < GetParam().round)
            pthread_setspecific(errand->key, errand);
        else
            errand->test->run(errand->mark);
    }

    // In the destructor: own blocks, and one of another thread, and one that stays for others to free.
    void run(uint64_t mark)
    {
        allocate_and_free(mark);
        EXPECT_TRUE(holds(passed_on, size, mark)) << mark;
        alloc_free(passed_on, size);
        passed_on = alloc_malloc(size);
        fill(passed_on, size, mark + 1);
    }

    static constexpr size_t size = 200;
    pthread_key_t keys[2];
    void *passed_on = nullptr;
};

TEST_P(LateDestructor, IsServedAndLeavesNothingBehind)
{
    passed_on = alloc_malloc(size);
    fill(passed_on, size, 0);
    expect_nothing_left_behind(repetitions(10000), [this](size_t number) {
        if (!GetParam().is_first_use)
            allocate_and_free(number);
        static thread_local Errand errand;
        errand = {this, keys[number % 2], 0, number};
        pthread_setspecific(errand.key, &errand);
    });
    alloc_free(passed_on, size);
}

std::vector<Late> every_round()
{
#if defined(__SANITIZE_THREAD__)
    const int last = PTHREAD_DESTRUCTOR_ITERATIONS - 2; // two later, the sanitizer has taken leave of the thread
#else
    const int last = PTHREAD_DESTRUCTOR_ITERATIONS;
#endif
    std::vector<Late> all;
    for (int round = 1; round <= last; round++)
        for (bool is_first_use : {false, true})
            all.push_back({round, is_first_use});
    return all;
}

INSTANTIATE_TEST_SUITE_P(In, LateDestructor, testing::ValuesIn(every_round()), testing::PrintToStringParamName());

} // namespace
