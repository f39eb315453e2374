// The system fails, at every call the engine makes of it, once or from there on, or a limit on memory is reached: what
// cannot be had is NULL with ENOMEM, whatever was handed out stays as it is, nothing is lost or miscounted, no call is made
// while others wait for a lock, and the next call works. And limits on addresses, exhausted.
#include "os_faults.h"
#include "shadow.h"
#include "slabs.h"

#include <atomic>
#include <cerrno>
#include <climits>
#include <functional>
#include <memory>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <utility>

using namespace support;

namespace
{

// Runs in a child process, which has not used the library before; its verdict is the exit status.
int in_a_child(const std::function<int()> &body)
{
    std::fflush(nullptr);
    pid_t child = fork();
    if (child == 0) {
        alarm(100);
        int verdict = body();
        std::fflush(nullptr);
        _exit(verdict);
    }
    int status = -1;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// What a program does, so that every call of the OS layer is made. Nothing here uses GoogleTest: it shares the process.
class Program
{
  public:
    // Each call that fails once works the next time; and with a limit, more may fail than the system's calls.
    Program(bool fails_once, size_t limit) : fails_once(fails_once), limit(limit) {}

    bool is_sound = true;

    void run()
    {
        use_every_class();
        grow();
        use_large_blocks();
        use_caches();
#if ALLOC_THREADS
        use_threads();
#endif
        free_all();
    }

    // With more slabs than run() at its height, all held at the same time: whatever run() left is used up.
    void run_without_faults()
    {
        for (size_t size : slot_sizes())
            if (size > 1024 && size <= 8192)
                for (size_t i = 0; i < 17 * (64 * KiB) / size; i++)
                    take({size, 1}, false);
        for (size_t i = 0; i < 700; i++)
            take({slot_size_max, 0}, false);
        free_all();
    }

  private:
    void require(bool condition, const char *what)
    {
        if (condition)
            return;
        std::fprintf(stderr, "%s, after %ld failed calls, the first of %s\n", what, os_faults_count(),
                     os_faults_first());
        is_sound = false;
    }

    // An allocation or a resize that the system may refuse. If it failed once, the next one works.
    template <class Call> void *attempt(Call call)
    {
        for (;;) {
            long before = os_faults_count();
            errno = 0;
            void *ptr = call();
            if (ptr != nullptr)
                return ptr;
            require(errno == ENOMEM, "NULL without ENOMEM");
            require(os_faults_count() > before || limit != 0, "NULL although the system gave all it was asked for");
            require(limit == 0 || engine_committed_bytes() <= limit, "more than the limit");
            if (!fails_once || !is_sound)
                return nullptr;
        }
    }

    void take(Request request, bool is_touched = true)
    {
        void *ptr = attempt([&] { return allocate(request); });
        if (ptr != nullptr && is_touched)
            require(static_cast<bool>(shadow.add(ptr, request)), "misplaced");
        else if (ptr != nullptr)
            untouched.push_back({ptr, request});
    }

    void give(void *ptr, Request request)
    {
        errno = EDOM;
        release(ptr, request);
        require(errno == EDOM, "a free changed errno");
    }

    void give_any()
    {
        if (shadow.count() == 0)
            return;
        const Shadow::Block block = shadow.take(random);
        require(holds(block.ptr, good_size(block.request), block.mark), "a block was changed");
        give(block.ptr, block.request);
    }

    void resize_any(Request like, size_t new_size)
    {
        void *ptr = attempt([&] { return allocate(like); });
        if (ptr == nullptr)
            return;
        fill(ptr, like.size, 7);
        void *resized = attempt([&] { return resize(ptr, like, new_size); });
        Request now = {resized == nullptr ? like.size : new_size, like.align};
        if (resized == nullptr)
            resized = ptr;
        require(holds(resized, std::min(like.size, now.size), 7), "a resize lost contents");
        require(static_cast<bool>(shadow.add(resized, now)), "misplaced");
    }

    void use_every_class()
    {
        for (size_t size : slot_sizes()) {
            take({size, 0}, size <= 32 * KiB);
            take({size, 8}, size <= 32 * KiB);
            take({size, 1}, size <= 32 * KiB);
        }
        for (size_t i = shadow.count() / 2; i > 0; i--)
            give_any();
    }

    void grow()
    {
        for (size_t i = 0; i < 20'000; i++) // past a bin's small slabs
            take({64, 0}, false);
        for (size_t i = 0; i < 300; i++) // past a region
            take({slot_size_max, 0}, false);
    }

    void use_large_blocks()
    {
        take({600 * KiB, 0});
        take({1 * MiB, 4096});
        take({100, 4 * MiB});
        resize_any({600 * KiB, 0}, 1 * MiB);
        resize_any({1 * MiB, 0}, 700 * KiB);
        resize_any({700 * KiB, 4096}, 1 * MiB);
        resize_any({700 * KiB, 0}, 1000);
        resize_any({1000, 0}, 700 * KiB);
        for (int i = 0; i < 3; i++)
            give_any();
    }

    // Memory that goes back, and comes again: by what may be cached, and for how long.
    void use_caches()
    {
        constexpr size_t large[] = {2 * MiB, 5 * MiB, 3 * MiB, 9 * MiB, 6 * MiB, 4 * MiB, 700 * KiB};
        alloc_option_set(ALLOC_OPTION_CACHE_LIMIT, 5 * MiB);
        alloc_option_set(ALLOC_OPTION_LARGE_CACHE_LIMIT, 12 * MiB);
        for (uint32_t round = 0; round < 4; round++) {
            engine_set_clock(1000 + round * 70);
            for (size_t size : large)
                take({size, round % 2 == 0 ? 0 : 4 * KiB}, false);
            resize_any({4 * MiB, 0}, 2 * MiB); // what it leaves behind it is cached, and what the next grows into
            resize_any({1 * MiB, 0}, 4 * MiB);
            for (int i = 0; i < 16; i++)
                take({slot_size_max, 0}, false);
            for (auto &[ptr, request] : untouched)
                if (ptr != nullptr && request.size >= slot_size_max)
                    give(std::exchange(ptr, nullptr), request);
            for (int i = 0; i < 10; i++)
                alloc_purge();
        }
        alloc_option_set(ALLOC_OPTION_CACHE_LIMIT, 512 * MiB); // or most calls would be to give back all that is left
    }

#if ALLOC_THREADS
    struct Late {
        Program *program;
        pthread_key_t key;
    };

    // Threads one after the other, so that which call fails is the same in every run.
    void use_threads()
    {
        pthread_key_t key;
        pthread_key_create(&key, [](void *late) { static_cast<Late *>(late)->program->use_late(); });
        Late late = {this, key};
        for (int life = 0; life < 3; life++) {
            std::thread thread([&] {
                os_faults_set_specific(key, &late);
                for (int i = 0; i < 200; i++) {
                    take(random.request());
                    give_any(); // often another thread's
                }
                for (int i = 0; i < 20; i++)
                    take({slot_size_max, 0}, false);
            });
            thread.join();
            for (int i = 0; i < 100; i++)
                give_any();
        }
        pthread_key_delete(key);
    }

    void use_late()
    {
        for (int i = 0; i < 20; i++) {
            take(random.request());
            give_any();
        }
    }
#endif

    void free_all()
    {
        while (shadow.count() > 0)
            give_any();
        for (auto &[ptr, request] : untouched)
            if (ptr != nullptr)
                give(ptr, request);
        untouched.clear();
    }

    const bool fails_once;
    const size_t limit; // of bytes that may be usable; 0: none
    Random random{0};
    Shadow shadow;
    std::vector<std::pair<void *, Request>> untouched;
};

enum Verdict { SOUND, UNSOUND, RAN_WITHOUT_A_FAULT };

// Nothing is with the program: every slab that some heap owns is empty, and every slab below a region's last has served.
bool is_nothing_lost()
{
    size_t lost = 0;
    for (const slab_view &slab : slabs::all())
        if (slab.heap != nullptr)
            lost += static_cast<size_t>(slab.out);
    if (lost != 0)
        std::fprintf(stderr, "%zu slots lost\n", lost);
    size_t lost_slabs = engine_count_slabs_passed_over();
    if (lost_slabs != 0)
        std::fprintf(stderr, "%zu slabs lost\n", lost_slabs);
    engine_validate();
    return engine_all_is_free() && lost == 0 && lost_slabs == 0;
}

std::atomic<size_t> calls_with_a_lock;

// Address space grows under a lock, but memory goes back under none. Where even addresses cannot be given back, the memory
// at them is, wherever that is.
void watch_purges(bool purges) { calls_with_a_lock += purges ? engine_holds_lock() : engine_holds_lock_but_growth(); }
void watch_calls(bool) { calls_with_a_lock += engine_holds_lock_but_growth(); }

Verdict run_with_faults(long first, bool for_good, size_t limit = 0)
{
    Program program(!for_good, limit);
    long faults = 0;
    os_faults_watch(for_good ? watch_calls : watch_purges);
    auto run = [&] {
        alloc_option_set(ALLOC_OPTION_MAPPED_LIMIT, limit);
        os_faults_arm(first, for_good);
        program.run();
        faults = os_faults_count();
        os_faults_disarm();
        alloc_option_set(ALLOC_OPTION_MAPPED_LIMIT, 0);
        program.run_without_faults();
    };
#if ALLOC_THREADS
    std::thread(run).join(); // what it frees last of other threads' slots is pushed when it exits
#else
    run();
    engine_flush_recent();
#endif
    if (calls_with_a_lock != 0)
        std::fprintf(stderr, "%zu calls were made inside of a lock\n", calls_with_a_lock.load());
    if (!program.is_sound || calls_with_a_lock != 0 || !is_nothing_lost())
        return UNSOUND;
    return faults == 0 ? RAN_WITHOUT_A_FAULT : SOUND;
}

// Of so many calls one fails, the first of them by chance; until the program runs through without reaching the one that would.
void fail_every(long step, bool for_good)
{
    Random random(0); // the children share the seed, so that the program is the same in all of them
    for (long first = 1 + static_cast<long>(random.below(static_cast<size_t>(step))); first < 10'000; first += step) {
        int verdict = in_a_child([&] { return run_with_faults(first, for_good); });
        if (verdict == RAN_WITHOUT_A_FAULT) {
            EXPECT_GT(first, 100) << "so few calls are not all there are";
            return;
        }
        ASSERT_EQ(verdict, SOUND) << "when call " << first << " fails";
    }
}

// The shipped library's calls, each of them.
constexpr long stride = TEST_SANITIZED || ALLOC_DEBUG ? 11 : ALLOC_THREADS ? 1 : 5;

TEST(Fault, OfAnyOneCallIsSurvived) { fail_every(stride, false); }

TEST(Fault, OfAllCallsFromAnyOneOnIsSurvived) { fail_every(2 * stride, true); }

// From a limit that leaves nothing to one that leaves everything.
TEST(Fault, OfMemoryAtALimitIsSurvived)
{
    constexpr size_t step = 5 * MiB + 300 * KiB, most = 300 * MiB;
    for (size_t limit = 1; limit < most; limit += TEST_SANITIZED || ALLOC_DEBUG ? 7 * step : step) {
        int verdict = in_a_child([&] { return run_with_faults(LONG_MAX, true, limit); });
        ASSERT_EQ(verdict, RAN_WITHOUT_A_FAULT) << limit;
    }
}

// ---- maps -----------------------------------------------------------------------------------------------------------

constexpr size_t commit_size = 1 * MiB; // of the first reservation

// Takes metadata until less than `left` bytes and a line of what is committed are.
void use_up_metadata(size_t left)
{
    size_t used;
    do
        used = reinterpret_cast<uintptr_t>(engine_take_metadata(64)) % commit_size + 64;
    while (commit_size - used >= left + 64);
}

// A slab that was taken although there is no memory for its maps, or for one of them only, is there for the next who can
// begin it, and so is the map.
TEST(Fault, OfMapsLosesNothing)
{
    const Request request = {1, 0};
    const size_t map = engine_round_up(engine_map_bytes(false, slabs::class_of(request)), 64);
    const size_t maps = ALLOC_THREADS ? 2 : 1;
    for (size_t present = 0; present < maps; present++)
        expect_in_child([&] {
            release(allocate({64, 0}), {64, 0});
            use_up_metadata(present * map);
            os_faults_arm(1, true);
            errno = 0;
            void *ptr = allocate(request);
            int error = errno;
            long count = os_faults_count();
            os_faults_disarm();
            EXPECT_EQ(ptr, nullptr);
            EXPECT_EQ(error, ENOMEM);
            EXPECT_GE(count, 1);

            auto before = reinterpret_cast<uintptr_t>(engine_take_metadata(64));
            ptr = allocate(request);
            ASSERT_NE(ptr, nullptr);
            auto after = reinterpret_cast<uintptr_t>(engine_take_metadata(64));
            EXPECT_LT(after - before, (maps - present) * map + 128) << "a map is lost";
            // What is left of the slabs committed is used up, the one set aside too.
            os_faults_arm(1, true);
            std::vector<std::pair<void *, Request>> taken;
            for (size_t size = 1024; size <= 8192; size += 1024)
                while (void *more = allocate({size, 1}))
                    taken.push_back({more, {size, 1}});
            os_faults_disarm();
            EXPECT_EQ(engine_count_slabs_passed_over(), 0u) << "a slab is lost";
            for (auto &[block, like] : taken)
                release(block, like);
            release(ptr, request);
        });
}

// ---- addresses ------------------------------------------------------------------------------------------------------

void purge_all()
{
    while (alloc_purge() != 0)
        ;
}

size_t mapped_bytes() { return process_bytes("/proc/self/status", "VmSize:"); }

// When all large blocks are freed, all their memory is free.
TEST(Fault, LosesNothingOfLargeBlocks)
{
    constexpr size_t sizes[] = {600 * KiB, 3 * MiB, 700 * KiB, 5 * MiB, 20 * MiB, 800 * KiB};
    for (long first = 1;; first++) {
        int verdict = in_a_child([&] {
            release(allocate({600 * KiB, 0}), {600 * KiB, 0}); // what a debug build keeps books in
            purge_all();
            os_faults_arm(first, false);
            for (size_t align : {size_t{0}, size_t{4096}, 2 * MiB}) {
                Request request = {sizes[0], align};
                void *ptr = allocate(request);
                for (size_t size : sizes) {
                    void *resized = ptr == nullptr ? allocate({size, align}) : resize(ptr, request, size);
                    if (resized != nullptr) {
                        ptr = resized;
                        request.size = size;
                    }
                }
                release(ptr, request);
            }
            purge_all();
            os_faults_disarm();
            if (os_faults_count() == 0)
                return RAN_WITHOUT_A_FAULT;
            return engine_memory_is_accounted() ? SOUND : UNSOUND;
        });
        if (verdict == RAN_WITHOUT_A_FAULT) {
            EXPECT_GT(first, 15) << "so few calls are not all there are";
            return;
        }
        ASSERT_EQ(verdict, SOUND) << "when call " << first << " fails";
    }
}

// Takes blocks until there is no memory, and gives them back.
size_t exhaust(Request request, std::vector<void *> &blocks)
{
    blocks.clear();
    errno = 0;
    while (blocks.size() < blocks.capacity()) {
        void *ptr = allocate(request);
        if (ptr == nullptr)
            break;
        blocks.push_back(ptr);
    }
    EXPECT_EQ(errno, ENOMEM);
    EXPECT_LT(blocks.size(), blocks.capacity());
    for (void *ptr : blocks)
        release(ptr, request);
    return blocks.size();
}

class AddressLimit : public testing::TestWithParam<size_t>
{
};

INSTANTIATE_TEST_SUITE_P(MiB, AddressLimit, testing::Values(300, 1024), testing::PrintToStringParamName());

// Most of the addresses can be had as slots of any kind, and after they were freed, again.
TEST_P(AddressLimit, IsUsedUpAndSurvived)
{
    if (TEST_SANITIZED)
        GTEST_SKIP() << "a sanitizer reserves more addresses than any limit leaves";
    const size_t limit = GetParam() * MiB;
    const Request requests[] = {{256, 0}, {4096, 0}, {48 * KiB, 16}, {512 * KiB, 0}, {600 * KiB, 4096}, {3 * MiB, 0}};
    for (Request request : requests)
        expect_in_child([&] {
            std::vector<void *> blocks;
            blocks.reserve(3 * limit / request.size);
            std::unique_ptr<char[]> spare(new char[MiB]); // for whatever reports a failure
            rlimit address_limit = {mapped_bytes() + limit, RLIM_INFINITY};
            ASSERT_EQ(setrlimit(RLIMIT_AS, &address_limit), 0);
            size_t count = exhaust(request, blocks);
            EXPECT_GT(count * request.size, limit / (ALLOC_DEBUG ? 100 : 10)) << request;
            EXPECT_GE(exhaust(request, blocks), count - count / 16) << request;
            Request other = {request.size / 2 + 1, request.align};
            EXPECT_GT(exhaust(other, blocks), count / 4) << other;
            engine_validate();
        });
}

#if ALLOC_THREADS

// Without a key nobody would tell when threads exit: each operation borrows a heap. Slower, but everything works.
TEST(Fault, OfTheKeyAtLoadIsSurvived)
{
    if (std::getenv(OS_FAULTS_NO_KEY) != nullptr) {
        EXPECT_EQ(run_with_faults(1'000'000, false), RAN_WITHOUT_A_FAULT);
        release(allocate({64, 0}), {64, 0});
        EXPECT_EQ(engine_own_heap(), nullptr) << "it could be created";
        return;
    }
    int verdict = in_a_child([] {
        setenv(OS_FAULTS_NO_KEY, "1", 1);
        execl("/proc/self/exe", "fault_test", "--gtest_filter=Fault.OfTheKeyAtLoadIsSurvived", nullptr);
        return 1;
    });
    EXPECT_EQ(verdict, 0);
}

#endif

} // namespace
