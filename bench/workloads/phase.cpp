// A program in bursts: it grows to 1 GiB of small objects, frees nine in ten of all it has, in random order, and goes
// on with objects of another size; three times. Then it pauses for a second and makes one more call.
//
// Counters, in bytes and without the harness's arrays: rss_grown_n and rss_phase_n, resident when phase n had grown and
// when it had freed; rss_after_second, resident after the pause and one object allocated, which is when an allocator
// that has no thread of its own can act on what has become old; back_after_second, what is back by then of what was
// resident when the last phase had grown; live, the bytes in objects when the last phase had freed.
#include "harness.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <utility>

namespace
{

const size_t most_bytes = bench::scaled(1 << 30);
constexpr size_t sizes[] = {128, 1024, 320}; // of three classes, none next to another
constexpr size_t kept_part = 10;

// All objects of the program. Each has its size in its first word and its number in its second.
class Objects
{
  public:
    Objects() : objects_(most_bytes / *std::min_element(std::begin(sizes), std::end(sizes)) + 1) {}
    ~Objects()
    {
        free_down_to(0);
        bench::expect(missing_ == 0, "objects keep their contents");
    }
    Objects(const Objects &) = delete;
    Objects &operator=(const Objects &) = delete;

    void grow_to(size_t bytes, size_t size)
    {
        for (; bytes_ + size <= bytes; bytes_ += size) {
            void *object = bench::make_object(size);
            number_of(object) = ++made_;
            missing_ += made_;
            objects_[count_++] = object;
        }
    }
    void free_down_to(size_t count)
    {
        while (count_ > count) {
            std::swap(objects_[random_.below(count_)], objects_[count_ - 1]);
            void *object = objects_[--count_];
            const size_t size = bench::object_size(object);
            bytes_ -= size;
            missing_ -= number_of(object);
            allocator::release(object, size);
        }
    }
    size_t count() const { return count_; }
    size_t bytes() const { return bytes_; }

  private:
    static size_t &number_of(void *object) { return static_cast<size_t *>(object)[1]; }

    bench::Array<void *> objects_;
    size_t count_ = 0;
    size_t bytes_ = 0;
    size_t made_ = 0;
    size_t missing_ = 0; // the sum of the numbers of those that are not freed yet
    bench::Random random_;
};

void phase(benchmark::State &state)
{
    Objects objects;
    size_t operations = 0, phases = 0;
    double grown = 0;
    const auto report = [&](const char *counter) {
        const double bytes = bench::resident();
        state.counters[counter + std::to_string(phases)] = bytes;
        return bytes;
    };

    for (auto _ : state)
        for (const size_t size : sizes) {
            const size_t before = objects.count();
            phases++;
            objects.grow_to(most_bytes, size);
            grown = report("rss_grown_");
            operations += 2 * objects.count() - before - objects.count() / kept_part;
            objects.free_down_to(objects.count() / kept_part);
            report("rss_phase_");
        }
    bench::finish(state, operations);

    std::this_thread::sleep_for(std::chrono::seconds(1));
    allocator::release(bench::make_object(sizes[0]), sizes[0]);
    const double after = bench::resident();
    state.counters["rss_after_second"] = after;
    state.counters["back_after_second"] = grown - after;
    state.counters["live"] = static_cast<double>(objects.bytes());
}

BENCHMARK(phase)->Iterations(1)->Threads(1);

} // namespace
