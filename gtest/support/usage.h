// What the library says that it uses, what the process uses in fact, and options that hold for one test.
#ifndef ALLOC_TEST_USAGE_H
#define ALLOC_TEST_USAGE_H

#include "support.h"

#include <chrono>
#include <sys/mman.h>
#include <sys/resource.h>
#include <thread>

namespace support
{

// What a sanitizer adds to resident memory and page faults cannot be told apart from what the library uses.
constexpr bool can_measure = TEST_SANITIZED == 0;

// Resident bytes, where they say something.
inline size_t measured_bytes() { return can_measure ? resident_bytes() : 0; }

inline struct alloc_stats statistics()
{
    struct alloc_stats stats;
    EXPECT_EQ(alloc_stats(&stats, sizeof stats), 0);
    return stats;
}

// Of the whole process.
inline size_t page_faults()
{
    rusage usage{};
    EXPECT_EQ(getrusage(RUSAGE_SELF, &usage), 0);
    return static_cast<size_t>(usage.ru_minflt + usage.ru_majflt);
}

inline size_t page_size() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

inline void touch_pages(void *ptr, size_t from, size_t to)
{
    for (size_t offset = from; offset < to; offset += page_size())
        static_cast<volatile char *>(ptr)[offset] = 1;
}

inline void wait_milliseconds(size_t count) { std::this_thread::sleep_for(std::chrono::milliseconds(count)); }

// Sets an option until the end of a scope.
class Setting
{
  public:
    Setting(enum alloc_option option, size_t value) : option(option)
    {
        EXPECT_EQ(alloc_option_get(option, &former), 0);
        EXPECT_EQ(alloc_option_set(option, value), 0);
    }
    ~Setting() { EXPECT_EQ(alloc_option_set(option, former), 0); }
    Setting(const Setting &) = delete;
    Setting &operator=(const Setting &) = delete;

  private:
    enum alloc_option option;
    size_t former = 0;
};

// A mapping of somebody else right behind a block, so that it cannot grow where it is. NULL: none.
class Obstacle
{
  public:
    explicit Obstacle(void *at)
        : page(at == nullptr
                   ? MAP_FAILED
                   : mmap(at, page_size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0))
    {
    }
    ~Obstacle()
    {
        if (page != MAP_FAILED)
            munmap(page, page_size());
    }
    Obstacle(const Obstacle &) = delete;
    Obstacle &operator=(const Obstacle &) = delete;

  private:
    void *page;
};

} // namespace support

#endif
