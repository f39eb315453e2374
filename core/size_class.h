/* Sizes <-> size classes: pure arithmetic, used by allocate, free and every build alike.
 *
 *   class number = 4 * floor(log2(slot size)) + the two bits below the leading one
 *
 *     1 2 4 | 8 16 24 32 40 48 56 64 | 80 96 112 128 | 160 192 224 256 | ... | 320 384 448 512 KiB
 *     (the powers of two at numbers 0, 4, 8, ..., 76; numbers whose slots would be no multiple of 8, such as 10, are never used)
 *
 * A slot size with the bit pattern 1xx000.. is a multiple of its last set bit, and slots lie back to back from a slab's
 * first byte: every slot of a power-of-two class has that alignment, every slot of the class of 48 that of 16.
 */
#ifndef ALLOC_SIZE_CLASS_H
#define ALLOC_SIZE_CLASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLOT_SIZE_MAX ((size_t)512 << 10) /* larger requests are mappings of their own */
#define ALIGN_MAX     ((size_t)64 << 20)  /* the largest alignment, also the largest natural one */
#define CLASS_COUNT   77                  /* the class of SLOT_SIZE_MAX is number 76 */

/* Whether a request of `size` bytes gets a slot. False for 0 too, so that one compare keeps both rare cases, no size
 * and a large one, off the hot path. */
static inline bool size_has_slot(size_t size) { return size - 1 < SLOT_SIZE_MAX; }

static inline size_t log2_floor(size_t n) { return 63 - (size_t)__builtin_clzll((unsigned long long)n); }

static inline bool is_power_of_two(size_t n) { return n != 0 && (n & (n - 1)) == 0; }

/* `align` a power of two; the caller knows that it does not overflow. */
static inline size_t round_up(size_t n, size_t align) { return (n + align - 1) & ~(align - 1); }

/* The power of two at or above `size`, 1 <= size <= 2^62: 2n - 1 has its leading bit where that power has it. */
static inline size_t log2_ceil(size_t size) { return log2_floor(2 * size - 1); }

/* The natural class of a size that has a slot: the power of two at or above. */
static inline size_t class_natural(size_t size) { return 4 * log2_ceil(size); }

/* The last byte of a request of `size` bytes rounded up to `align`, a power of two: rounding up in one operation. Size 0
 * and alignment 0 give the largest number there is, which has no slot. */
static inline size_t last_byte(size_t size, size_t align) { return (size - 1) | (align - 1); }

static inline bool last_byte_has_slot(size_t last) { return last < SLOT_SIZE_MAX; }

/* The smallest class whose slots hold a request up to its last byte and all have its alignment. Rounding the size up to
 * the alignment is enough: where the alignment is at most the spacing of the classes around, every class is a multiple
 * of it; where it is more, the rounded size is itself a class. */
static inline size_t class_aligned(size_t last)
{
    if (last < 4)
        return class_natural(last + 1);
    last |= 7; /* classes are multiples of 8 */
    /* 2^k <= last < 2^(k+1), cut into four steps; the class ends the step. Not log2_floor: of this GCC makes less. */
    size_t k = 63 ^ (size_t)__builtin_clzll((unsigned long long)last);
    return 4 * (k - 1) + (last >> (k - 2)) + 1;
}

/* In place of an alignment, where the program passes no size to free: `size` is what the block holds. */
#define UNSIZED ((size_t)-1)

/* The same for a request of either family as cold paths pass it on: `align` 0 means natural, size 0 counts as 1. */
static inline bool request_has_slot(size_t size, size_t align)
{
    size += size == 0;
    return align == 0 || align == UNSIZED ? size_has_slot(size) : last_byte_has_slot(last_byte(size, align));
}

static inline size_t request_class(size_t size, size_t align)
{
    size += size == 0;
    if (align == UNSIZED)
        return class_aligned(size - 1);
    return align == 0 ? class_natural(size) : class_aligned(last_byte(size, align));
}

static inline uint32_t class_slot_size(size_t class)
{
    return (uint32_t)(((uint64_t)(4 + (class & 3)) << (class >> 2)) >> 2);
}

static inline bool class_exists(size_t class) { return (class & 3) == 0 || class_slot_size(class) % 8 == 0; }

/* The slot size of the class before; 0 before the first. */
static inline uint32_t class_below(size_t class)
{
    uint32_t size = class_slot_size(class);
    return size <= 8 ? size / 2 : size <= 64 ? size - 8 : class_slot_size(class - 1);
}

/* Division of an offset within a slab by the slot size, as a multiplication. Exact for every slot's start: offset =
 * q * size gives q + q * e / 2^31 with e < size, and q * e < 2^21, the size of the largest slab. */
static inline uint32_t class_reciprocal(uint32_t slot_size)
{
    return (uint32_t)((((uint64_t)1 << 31) + slot_size - 1) / slot_size);
}

static inline uint32_t slot_index(size_t offset, uint32_t reciprocal)
{
    return (uint32_t)(((uint64_t)offset * reciprocal) >> 31);
}

#endif
