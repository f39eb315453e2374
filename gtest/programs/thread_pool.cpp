// A program with a thread pool, unaware of any allocator: tasks make objects of all sizes and alignments, by new and by
// malloc, and what one makes another resizes or frees. Prints sums that do not depend on the order of tasks.
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <new>
#include <numeric>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace
{

class Pool
{
  public:
    explicit Pool(int width)
    {
        for (int i = 0; i < width; i++)
            threads.emplace_back([this] { serve(); });
    }
    ~Pool()
    {
        for (size_t i = 0; i < threads.size(); i++)
            push(nullptr);
        for (std::thread &thread : threads)
            thread.join();
    }
    Pool(const Pool &) = delete;
    Pool &operator=(const Pool &) = delete;

    template <class Task> auto run(Task task)
    {
        auto packaged = std::make_shared<std::packaged_task<decltype(task())()>>(std::move(task));
        auto result = packaged->get_future();
        push([packaged] { (*packaged)(); });
        return result;
    }

  private:
    void push(std::function<void()> task)
    {
        const std::lock_guard<std::mutex> lock(mutex);
        tasks.push_back(std::move(task));
        changed.notify_one();
    }

    void serve()
    {
        for (;;) {
            std::unique_lock<std::mutex> lock(mutex);
            changed.wait(lock, [this] { return !tasks.empty(); });
            const std::function<void()> task = std::move(tasks.front());
            tasks.pop_front();
            lock.unlock();
            if (!task)
                return;
            task();
        }
    }

    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::function<void()>> tasks;
    std::vector<std::thread> threads;
};

struct alignas(128) Line {
    uint64_t values[16];
};

// What one task makes and another checks and frees.
struct Batch {
    std::unordered_map<int, std::string> table;
    std::vector<std::unique_ptr<Line>> lines;
    std::vector<std::pair<unsigned char *, size_t>> blocks;
};

void fail(const char *what)
{
    std::fprintf(stderr, "%s\n", what);
    std::abort();
}

size_t size_of(uint64_t seed, uint64_t i)
{
    const uint64_t random = (seed * 1000003 + i) * UINT64_C(0x9e3779b97f4a7c15) >> 20;
    return i % 200 == 0 ? random % 3000000 : i % 10 == 0 ? random % 40000 : random % 600;
}

std::unique_ptr<Batch> make(uint64_t seed)
{
    auto batch = std::make_unique<Batch>();
    for (uint64_t i = 0; i < 400; i++) {
        batch->table[static_cast<int>(i * 7 % 150)] = std::string(size_of(seed, i + 1) % 100, 'x');
        batch->lines.push_back(std::make_unique<Line>());
        if (reinterpret_cast<uintptr_t>(batch->lines.back().get()) % alignof(Line) != 0)
            fail("an object is not aligned");
        batch->lines.back()->values[15] = seed + i;
        const size_t size = size_of(seed, i);
        void *block = nullptr;
        if (i % 3 == 0)
            block = std::calloc(size + 1, 1);
        else if (i % 3 == 1)
            block = std::malloc(size + 1);
        else if (posix_memalign(&block, size_t{16} << i % 8, size + 1) != 0)
            block = nullptr;
        if (block == nullptr)
            fail("no memory");
        if (i % 3 == 0 && static_cast<unsigned char *>(block)[size] != 0)
            fail("calloc gave something else than zeros");
        std::memset(block, static_cast<int>(i), size + 1);
        batch->blocks.emplace_back(static_cast<unsigned char *>(block), size);
    }
    return batch;
}

uint64_t finish(Batch &batch, uint64_t seed)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < batch.blocks.size(); i++) {
        auto &[block, size] = batch.blocks[i];
        if (i % 4 == 0) { // resized by a thread that did not make it
            const size_t grown = size + size_of(seed + 1, i);
            block = static_cast<unsigned char *>(std::realloc(block, grown + 1));
            if (block == nullptr)
                fail("no memory");
        }
        if (block[0] != i % 256 || block[size] != i % 256)
            fail("a block holds something else than was written");
        sum += size + block[size / 2];
        std::free(block);
    }
    for (const auto &line : batch.lines)
        sum += line->values[15];
    return std::accumulate(batch.table.begin(), batch.table.end(), sum,
                           [](uint64_t so_far, const auto &entry) { return so_far + entry.second.size(); });
}

} // namespace

int main()
{
    constexpr uint64_t rounds = 6, tasks = 60;
    uint64_t sum = 0;
    for (uint64_t round = 0; round < rounds; round++) { // threads come and go
        Pool makers(3), finishers(3);
        std::vector<std::future<std::unique_ptr<Batch>>> made;
        std::vector<std::future<uint64_t>> sums;
        for (uint64_t seed = 0; seed < tasks; seed++)
            made.push_back(makers.run([seed, round] { return make(round * tasks + seed); }));
        for (uint64_t seed = 0; seed < tasks; seed++)
            sums.push_back(finishers.run([batch = std::shared_ptr<Batch>(made[seed].get()), seed, round] {
                return finish(*batch, round * tasks + seed);
            }));
        for (auto &partial : sums)
            sum += partial.get();
        std::printf("round %d: %llu\n", static_cast<int>(round), static_cast<unsigned long long>(sum));
    }
    return 0;
}
