// What the tests of the unsized surface share.
#ifndef ALLOC_TEST_GP_SUPPORT_H
#define ALLOC_TEST_GP_SUPPORT_H

#include "shadow.h"

#include <alloc/alloc_gp.h>

#include <cerrno>

namespace support
{

// Around each size at which the library changes its ways.
inline std::vector<size_t> edge_sizes()
{
    std::vector<size_t> all = {0};
    for (size_t slot_size : slot_sizes())
        for (size_t size : {slot_size - 1, slot_size, slot_size + 1})
            all.push_back(size);
    for (size_t size : {600 * KiB, MiB - 1, MiB, MiB + 1, 3 * MiB, 5 * MiB + 12345})
        all.push_back(size);
    return all;
}

// What any object of a size may need.
inline size_t object_align(size_t size) { return std::max<size_t>(ALLOC_MALLOC_ALIGN, size > 8 ? 16 : 8); }

// A block of the surface as a request of the sized one, which knows what such a block holds.
inline Request object(size_t size) { return {size, object_align(size)}; }

// A number that compilers do not know: they would warn of what these tests do.
inline size_t opaque(size_t number)
{
    static volatile size_t seen;
    seen = number;
    return seen;
}

// The functions through pointers that compilers do not see through: they would warn of what tests do.
namespace unchecked
{
inline void *(*volatile malloc)(size_t) = alloc_gp_malloc;
inline void *(*volatile aligned_alloc)(size_t, size_t) = alloc_gp_aligned_alloc;
inline void *(*volatile memalign)(size_t, size_t) = alloc_gp_memalign;
inline void *(*volatile realloc)(void *, size_t) = alloc_gp_realloc;
inline void (*volatile free)(void *) = alloc_gp_free;
inline void (*volatile free_sized)(void *, size_t) = alloc_gp_free_sized;
inline void (*volatile free_aligned_sized)(void *, size_t, size_t) = alloc_gp_free_aligned_sized;
inline size_t (*volatile usable_size)(const void *) = alloc_gp_usable_size;
} // namespace unchecked

} // namespace support

// NULL, and errno says why.
#define EXPECT_FAILS(call, error) \
    do {                          \
        errno = 0;                \
        EXPECT_EQ(call, nullptr); \
        EXPECT_EQ(errno, error);  \
    } while (false)

#endif
