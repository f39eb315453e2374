// What the tests share: requests of either family, contents that a block is recognised by, the sizes at which the
// library changes its ways, seeds and amounts of work, resident memory, child processes.
#ifndef ALLOC_TEST_SUPPORT_H
#define ALLOC_TEST_SUPPORT_H

#include <alloc/alloc_std.h>

#include <algorithm>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>
#include <random>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TEST_SANITIZED 1
#else
#define TEST_SANITIZED 0
#endif

namespace support
{

constexpr size_t KiB = 1024, MiB = 1024 * KiB;

// ---- requests: a size and an alignment, 0 for the natural family --------------------------------------------------

struct Request {
    size_t size, align;
};

inline std::ostream &operator<<(std::ostream &out, const Request &request)
{
    out << request.size << " bytes";
    return request.align == 0 ? out : out << " at " << request.align;
}

inline void *allocate(Request request)
{
    return request.align == 0 ? alloc_malloc(request.size) : alloc_malloc_aligned(request.size, request.align);
}

inline void *allocate_zeroed(Request request)
{
    return request.align == 0 ? alloc_zalloc(request.size) : alloc_zalloc_aligned(request.size, request.align);
}

inline void release(void *ptr, Request request)
{
    if (request.align == 0)
        alloc_free(ptr, request.size);
    else
        alloc_free_aligned(ptr, request.size, request.align);
}

inline void *resize(void *ptr, Request request, size_t new_size)
{
    return request.align == 0 ? alloc_realloc(ptr, request.size, new_size)
                              : alloc_realloc_aligned(ptr, request.size, new_size, request.align);
}

inline size_t good_size(Request request)
{
    return request.align == 0 ? alloc_good_size(request.size) : alloc_good_size_aligned(request.size, request.align);
}

inline size_t power_at_or_above(size_t n)
{
    size_t power = 1;
    while (power < n)
        power *= 2;
    return power;
}

inline size_t promised_align(Request request)
{
    return request.align != 0 ? request.align : std::min(power_at_or_above(request.size), ALLOC_ALIGN_MAX);
}

inline bool is_aligned(const void *ptr, size_t align) { return reinterpret_cast<uintptr_t>(ptr) % align == 0; }

// ---- the documented sizes and alignments --------------------------------------------------------------------------

constexpr size_t slot_size_max = 512 * KiB;

// 1, 2, 4; 8 to 64 in steps of 8; then four per doubling.
inline std::vector<size_t> slot_sizes()
{
    std::vector<size_t> sizes = {1, 2, 4};
    for (size_t size = 8; size <= 64; size += 8)
        sizes.push_back(size);
    for (size_t doubling = 64; doubling < slot_size_max; doubling *= 2)
        for (size_t quarter = 5; quarter <= 8; quarter++)
            sizes.push_back(doubling / 4 * quarter);
    return sizes;
}

// 1, 2, 4, ... up to the largest.
inline std::vector<size_t> alignments()
{
    std::vector<size_t> all;
    for (size_t align = 1; align <= ALLOC_ALIGN_MAX; align *= 2)
        all.push_back(align);
    return all;
}

// ---- contents -----------------------------------------------------------------------------------------------------

inline uint64_t pattern_word(uint64_t mark, size_t offset) { return (mark + offset) * UINT64_C(0x9e3779b97f4a7c15); }

// Fills `size` bytes with what only this mark gives, different at every offset.
inline void fill(void *ptr, size_t size, uint64_t mark)
{
    char *bytes = static_cast<char *>(ptr);
    for (size_t offset = 0; offset < size; offset += sizeof mark) {
        uint64_t word = pattern_word(mark, offset);
        std::memcpy(bytes + offset, &word, std::min(sizeof word, size - offset));
    }
}

// Whether the first `size` bytes are as fill(ptr, at least size, mark) left them.
inline bool holds(const void *ptr, size_t size, uint64_t mark)
{
    const char *bytes = static_cast<const char *>(ptr);
    for (size_t offset = 0; offset < size; offset += sizeof mark) {
        uint64_t word = pattern_word(mark, offset);
        if (std::memcmp(bytes + offset, &word, std::min(sizeof word, size - offset)) != 0)
            return false;
    }
    return true;
}

// The same for a block's first and last bytes, all of it where it is small: every page touched of a large one costs more
// than all else in a test.
constexpr size_t edge = 4 * KiB;

inline void fill_edges(void *ptr, size_t size, uint64_t mark)
{
    fill(ptr, size <= 2 * edge ? size : edge, mark);
    if (size > 2 * edge)
        fill(static_cast<char *>(ptr) + size - edge, edge, mark);
}

inline bool holds_edges(const void *ptr, size_t size, uint64_t mark)
{
    if (size <= 2 * edge)
        return holds(ptr, size, mark);
    return holds(ptr, edge, mark) && holds(static_cast<const char *>(ptr) + size - edge, edge, mark);
}

// Whether bytes [from, to) are zero.
inline bool is_zero(const void *ptr, size_t from, size_t to)
{
    const char *bytes = static_cast<const char *>(ptr);
    return from >= to || (bytes[from] == 0 && std::memcmp(bytes + from, bytes + from + 1, to - from - 1) == 0);
}

// ---- chance and amounts of work -----------------------------------------------------------------------------------

// The seed of this run: ALLOC_TEST_SEED where it is set, new for each process otherwise. Printed at first use, so that
// whatever ends the process, the seed that led there is known.
inline uint64_t seed()
{
    static const uint64_t value = [] {
        const char *given = std::getenv("ALLOC_TEST_SEED");
        uint64_t chosen = given != nullptr ? std::strtoull(given, nullptr, 0) : std::random_device()();
        std::fprintf(stderr, "ALLOC_TEST_SEED=%" PRIu64 "\n", chosen);
        return chosen;
    }();
    return value;
}

class Random
{
  public:
    explicit Random(uint64_t stream) : state(seed() + (stream << 32)) {}

    uint64_t next()
    {
        uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        return z ^ (z >> 31);
    }

    size_t below(size_t limit) { return static_cast<size_t>(next() % limit); }
    bool one_in(size_t n) { return below(n) == 0; }

    // Sizes of either family as programs ask for them: mostly small, now and then a large one.
    Request request()
    {
        size_t size = one_in(500)  ? below(2 * MiB)
                      : one_in(20) ? below(64 * KiB)
                      : one_in(4)  ? below(4096)
                                   : below(256);
        return {size, one_in(2) ? 0 : size_t{1} << below(one_in(200) ? 22 : 10)};
    }

  private:
    uint64_t state;
};

// How often to repeat something: ALLOC_TEST_SCALE times `count`, less where every access is instrumented.
inline size_t repetitions(size_t count)
{
    static const double scale = [] {
        const char *given = std::getenv("ALLOC_TEST_SCALE");
        return (given != nullptr ? std::strtod(given, nullptr) : 1) / (TEST_SANITIZED || ALLOC_DEBUG ? 8 : 1);
    }();
    return std::max<size_t>(1, static_cast<size_t>(static_cast<double>(count) * scale));
}

// ---- the process --------------------------------------------------------------------------------------------------

// A number of kilobytes in one of the files about this process, in bytes.
inline size_t process_bytes(const char *path, const char *name)
{
    char line[256];
    size_t kilobytes = 0;
    FILE *file = std::fopen(path, "r");
    while (file != nullptr && kilobytes == 0 && std::fgets(line, sizeof line, file) != nullptr)
        if (std::strncmp(line, name, std::strlen(name)) == 0)
            kilobytes = std::strtoull(line + std::strlen(name), nullptr, 10);
    if (file != nullptr)
        std::fclose(file);
    EXPECT_NE(kilobytes, 0u) << path << " does not say " << name;
    return kilobytes * KiB;
}

// Resident bytes, exact: the counters of statm lag behind by what threads have not handed in.
inline size_t resident_bytes() { return process_bytes("/proc/self/smaps_rollup", "Rss:"); }

// Whether memory that is only read takes pages of its own. It does where the kernel shares no page of zeros, as in some
// virtual machines.
inline bool reading_takes_pages()
{
    constexpr size_t bytes = MiB, page = 4 * KiB;
    resident_bytes(); // what it takes to measure is there before
    const size_t before = resident_bytes();
    void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(memory, MAP_FAILED);
    EXPECT_EQ(madvise(memory, bytes, MADV_NOHUGEPAGE), 0);
    for (size_t offset = 0; offset < bytes; offset += page)
        EXPECT_EQ(static_cast<const volatile char *>(memory)[offset], 0);
    const size_t after = resident_bytes();
    munmap(memory, bytes);
    return after - before >= bytes / 2;
}

// Runs `body`, with its expectations, in a child process that gets `seconds` for it.
template <class Body> void expect_in_child(Body body, unsigned seconds = 120)
{
    std::fflush(nullptr);
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        alarm(seconds);
        body();
        std::fflush(nullptr);
        _exit(testing::Test::HasFailure() ? 1 : 0);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0) << (WIFSIGNALED(status) ? "killed by signal " + std::to_string(WTERMSIG(status))
                                                 : "exit status " + std::to_string(WEXITSTATUS(status)));
}

} // namespace support

#endif
