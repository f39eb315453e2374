// What every workload is written with. A workload is one file in workloads/; it is compiled once per allocator, and
// the allocator under test is inlined into it: no pointer to a function stands between a workload and an allocator.
//
// A workload of one thread is timed by that thread's CPU time, which other processes disturb least (Google Benchmark's
// default); one of several threads by the wall clock (UseManualTime, see start_together). Names are
// workload/param/threads:n.
//
// The harness keeps its own memory out of the allocator under test (Array maps it) and says how much that is, so
// that resident memory can be compared.
#ifndef ALLOC_BENCH_HARNESS_H
#define ALLOC_BENCH_HARNESS_H

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

// A file in allocators/. It defines, in namespace allocator:
//   void *allocate(size_t size);              16-byte alignment or the size's own, the way the allocator's users do it
//   void release(void *ptr, size_t size);     with the size, where the allocator takes one
//   void *allocate_zeroed(size_t size);       the same, all zero
//   void *resize(void *ptr, size_t old_size, size_t new_size);   a null pointer allocates; freed by
//   void release_resized(void *ptr, size_t size);
//   const void *entry();                      the address of the function that allocates; tells which library has it
//   std::string version();                    of the library that runs
#include BENCH_ALLOCATOR

namespace bench
{

// `full`, or the part of it that ALLOC_BENCH_SCALE (0 to 1; a test sets it) asks for. Never below 64.
size_t scaled(size_t full);

// Allocates and writes the object's first word, as whoever asked for it would.
inline void *make_object(size_t size)
{
    void *object = allocator::allocate(size);
    *static_cast<size_t *>(object) = size;
    asm volatile("" : : "r"(object) : "memory"); // the compiler must not see that nobody reads it
    return object;
}

// What make_object has written there.
inline size_t object_size(const void *object) { return *static_cast<const size_t *>(object); }

// Xorshift: some 1.5 ns a number, none of it waiting for memory.
class Random
{
  public:
    explicit Random(uint64_t seed = 0) : state_(0x9e3779b97f4a7c15 + seed) {}

    // Uniform in [0, bound).
    size_t below(size_t bound)
    {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        return static_cast<size_t>((state_ >> 32) * bound >> 32);
    }

  private:
    uint64_t state_;
};

void *map_pages(size_t bytes); // resident from the start; counted as the harness's share
void unmap_pages(void *pages, size_t bytes);

// The harness's arrays. T is trivial; elements start as zero.
template <typename T> class Array
{
  public:
    explicit Array(size_t size) : data_(static_cast<T *>(map_pages(size * sizeof(T)))), size_(size) {}
    ~Array() { unmap_pages(data_, size_ * sizeof(T)); }
    Array(const Array &) = delete;
    Array &operator=(const Array &) = delete;

    T &operator[](size_t i) { return data_[i]; }
    T *begin() { return data_; }
    T *end() { return data_ + size_; }
    size_t size() const { return size_; }

  private:
    T *data_;
    size_t size_;
};

// What is resident of the process now, in bytes, without the arrays.
double resident();

// Ends the process where the allocator under test has not done what it must: a measurement of it would mean nothing.
inline void expect(bool holds, const char *what)
{
    if (!holds) {
        std::fprintf(stderr, "bench: expected: %s\n", what);
        std::exit(1);
    }
}

// Every thread of a workload of several calls this right before its timed loop. The time is then from when the last one
// was ready until all had done. Google Benchmark's own real time is the mean of what each thread saw, which is far too
// little where there are more threads than processors: a thread that waits for one has not looked at the clock yet.
void start_together();

// Every thread of a workload calls this right after its timed loop, with the number of items it handled. Adds the
// counters items_per_second; in bytes, peak_rss and rss (the process, most so far and now) and harness (the arrays,
// part of both); and page_faults (the process's so far, without the arrays', to be compared where the number of
// iterations is fixed).
//
// Once all threads have ended and all is freed, final_rss is added: what the allocator keeps.
void finish(benchmark::State &state, size_t items);

} // namespace bench

#endif
