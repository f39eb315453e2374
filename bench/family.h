// Families: what lives and dies together, for the workloads that have such things. An allocator's header that defines
// ALLOCATOR_HAS_FAMILIES has a class allocator::Family of its own; for all others a family is nothing, and whoever resets one frees
// its blocks.
#ifndef ALLOC_BENCH_FAMILY_H
#define ALLOC_BENCH_FAMILY_H

#include "harness.h"

namespace bench
{

#ifdef ALLOCATOR_HAS_FAMILIES
using allocator::Family;
#else
class Family
{
  public:
    static constexpr bool resets = false; // whether reset() frees all blocks; otherwise they are freed before
    void *allocate(size_t size, size_t) { return allocator::allocate(size); } // `thread`, from 0 on
    void release(void *ptr, size_t size) { allocator::release(ptr, size); }
    void reset() {}
};
#endif

} // namespace bench

#endif
