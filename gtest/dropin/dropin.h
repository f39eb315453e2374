// What the tests of the drop-in share: the functions that glibc does not declare, and whose memory it is.
#ifndef ALLOC_TEST_DROPIN_H
#define ALLOC_TEST_DROPIN_H

#include "../support/support.h"

#include <alloc/alloc_gp.h>
#include <malloc.h>

extern "C" {
void free_sized(void *ptr, size_t size);
void free_aligned_sized(void *ptr, size_t align, size_t size);
void cfree(void *ptr);
}

// Weak: a program that the library is preloaded into is linked without them.
#pragma weak free_sized
#pragma weak free_aligned_sized
#pragma weak cfree
#pragma weak alloc_gp_usable_size
#pragma weak alloc_stats
#pragma weak alloc_option_set

namespace dropin
{

// Whether a block was handed out by the library.
inline bool is_ours(const void *block) { return alloc_gp_usable_size(block) != 0; }

// What no compiler may leave out or reason about.
template <class T> T *escape(T *pointer)
{
    asm volatile("" : "+r"(pointer) : : "memory");
    return pointer;
}

inline size_t opaque(size_t number)
{
    asm volatile("" : "+r"(number));
    return number;
}

// More than there can be.
constexpr size_t impossible = PTRDIFF_MAX - 100;

} // namespace dropin

#endif
