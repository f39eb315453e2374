/* Three-level bitmaps over a slab's slots: a bit per slot, a bit per non-empty word, a bit per non-empty group of words.
 *
 *     groups (a bit per word)          header                     words (a bit per slot)
 *   [ ... g2 | g1 | g0 ]   [ top0 top1 | taken, taken_group ]   [ w0 | w1 | w2 | ... ]
 *                            ^ struct map *
 *
 * Groups lie below the header and words above it, so that neither address depends on how many slots the slab has.
 * 64^3 slots need one top word; up to MAP_SLOTS_MAX, two. Each level is searched by counting trailing zeros.
 *
 * A slab has up to two: the owner's (slots it freed itself; owner only) and the remote one (slots other threads freed).
 *
 *   bit of a slot set   <=>  the slot is free and listed in this map
 *   word non-zero       <=>  its bit is set in its group, or in `taken` (the group the owner is working through)
 *   group non-zero      <=>  its bit is set in top
 *
 * In the remote map the last two hold only once the pushers in between have finished: see map_push.
 */
#ifndef ALLOC_MAP_H
#define ALLOC_MAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAP_SLOTS_MAX (2u * 64 * 64 * 64)

struct map {
    _Atomic uint64_t top[2];
    uint64_t taken;       /* words of taken_group not yet taken; owner only */
    uint64_t taken_group; /* also the cursor: the search for the next group starts after it; owner only */
    _Atomic uint64_t word[];
};

_Static_assert(sizeof(struct map) == 32, "the words start 32 bytes into a map");

static inline size_t map_words(size_t slots) { return (slots + 63) / 64; }
static inline size_t map_groups(size_t slots) { return (map_words(slots) + 63) / 64; }

static inline size_t map_bytes(size_t slots)
{
    return sizeof(struct map) + sizeof(uint64_t) * (map_words(slots) + map_groups(slots));
}

/* The map in a block of map_bytes(slots) bytes. */
static inline struct map *map_at(void *block, size_t slots)
{
    return (struct map *)((uint64_t *)block + map_groups(slots));
}
static inline void *map_block(struct map *map, size_t slots) { return (uint64_t *)map - map_groups(slots); }

static inline _Atomic uint64_t *map_group(struct map *map, size_t group) { return (_Atomic uint64_t *)map - 1 - group; }

/* Without the instruction, which not every x86-64 has, the compiler would call its library. */
static inline unsigned population(uint64_t mask)
{
    mask -= mask >> 1 & UINT64_C(0x5555555555555555);
    mask = (mask & UINT64_C(0x3333333333333333)) + (mask >> 2 & UINT64_C(0x3333333333333333));
    mask = (mask + (mask >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (unsigned)(mask * UINT64_C(0x0101010101010101) >> 56);
}

/* Prepares a map that served before; its words are cleared later, by map_reset_word, as their slots are granted. */
static inline void map_reset_top(struct map *map)
{
    atomic_store_explicit(&map->top[0], 0, memory_order_relaxed);
    atomic_store_explicit(&map->top[1], 0, memory_order_relaxed);
    map->taken = 0;
    map->taken_group = 0;
}

static inline void map_reset_word(struct map *map, size_t word)
{
    atomic_store_explicit(&map->word[word], 0, memory_order_relaxed);
    if (word % 64 == 0)
        atomic_store_explicit(map_group(map, word / 64), 0, memory_order_relaxed);
}

/* The owner's map: marks a word non-empty that was empty. */
void map_mark(struct map *map, size_t word);

static inline uint64_t map_bit(size_t index) { return (uint64_t)1 << (index % 64); }

/* Adds slots of one word to the owner's map and returns the word as it was: what is set in both was there already; 0, the
 * word is to be marked. */
static inline uint64_t map_add(struct map *map, size_t word, uint64_t mask)
{
    uint64_t old = atomic_load_explicit(&map->word[word], memory_order_relaxed);
    atomic_store_explicit(&map->word[word], old | mask, memory_order_relaxed);
    return old;
}

/* Takes the next word of free slots out of the owner's map: its bits, and in *word its number. 0: the map is empty. */
uint64_t map_take(struct map *map, size_t *word);

#if ALLOC_THREADS

/* The remote map. A push is three steps that must come in this order, and whoever pushes counts it afterwards
 * (remote.pushed): so a slab whose pushes are all counted has a map that nobody else still writes to. Returns the bits
 * that were set already: none, or it is misuse. */
uint64_t map_push(struct map *map, size_t word, uint64_t mask);

/* The first step, which returns the word as it was, and the other two, due when it was 0. A test stops in between. */
uint64_t map_push_bits(struct map *map, size_t word, uint64_t mask);
void map_push_summary(struct map *map, size_t word);

/* Takes the next word of slots that others freed; owner only. As map_take, but 0 may also mean that a pusher has not
 * reached the summary yet. */
uint64_t map_collect(struct map *map, size_t *word);

/* Undoes taking a group: what is left of it is found again by a later owner. */
void map_untake(struct map *map);

#endif

/* Debug builds: the bits of a map that nobody writes to. Its summaries say where they are. */
size_t map_check(struct map *map, size_t granted);

#endif
