#include "map.h"

#include "report.h"

/* The bits of a top-level word that come at or after the cursor; all of them in the other word. */
static uint64_t from_cursor(uint64_t top, size_t bit) { return top & (~(uint64_t)0 << bit); }

/* The next non-empty group after the one taken last, wrapping at the end; -1 when all are empty. In the cursor's order
 * a word has had the time of a whole round to fill: lowest first would keep taking words with one slot in them. */
static int next_group(struct map *map)
{
    size_t cursor = (size_t)(map->taken_group + 1) % 128;
    size_t half = cursor / 64;
    uint64_t top = atomic_load_explicit(&map->top[half], memory_order_relaxed);
    uint64_t found = from_cursor(top, cursor % 64);
    if (found == 0) {
        half ^= 1;
        found = atomic_load_explicit(&map->top[half], memory_order_relaxed);
    }
    if (found == 0) {
        half ^= 1;
        found = top;
    }
    return found == 0 ? -1 : (int)(half * 64) + __builtin_ctzll(found);
}

static size_t next_taken_word(struct map *map)
{
    size_t word = (size_t)map->taken_group * 64 + (size_t)__builtin_ctzll(map->taken);
    map->taken &= map->taken - 1;
    return word;
}

void map_mark(struct map *map, size_t word)
{
    size_t group = word / 64;
    uint64_t old = atomic_load_explicit(map_group(map, group), memory_order_relaxed);
    atomic_store_explicit(map_group(map, group), old | (uint64_t)1 << (word % 64), memory_order_relaxed);
    if (old == 0) {
        uint64_t top = atomic_load_explicit(&map->top[group / 64], memory_order_relaxed);
        atomic_store_explicit(&map->top[group / 64], top | (uint64_t)1 << (group % 64), memory_order_relaxed);
    }
}

uint64_t map_take(struct map *map, size_t *word)
{
    if (map->taken == 0) {
        int group = next_group(map);
        if (group < 0)
            return 0;
        uint64_t top = atomic_load_explicit(&map->top[group / 64], memory_order_relaxed);
        atomic_store_explicit(&map->top[group / 64], top & ~((uint64_t)1 << (group % 64)), memory_order_relaxed);
        map->taken_group = (uint64_t)group;
        map->taken = atomic_load_explicit(map_group(map, (size_t)group), memory_order_relaxed);
        atomic_store_explicit(map_group(map, (size_t)group), 0, memory_order_relaxed);
    }
    *word = next_taken_word(map);
    uint64_t bits = atomic_load_explicit(&map->word[*word], memory_order_relaxed);
    atomic_store_explicit(&map->word[*word], 0, memory_order_relaxed);
    check(bits != 0);
    return bits;
}

#if ALLOC_THREADS

/* Every read-modify-write below is acquire-release: the memory of a slot, as its last user left it, travels with its
 * bit; and a word is seen cleared before its next summary bit is set. The additions are of bits that are 0, so they
 * are unions; unlike fetch_or, whose old value x86 gets only by retrying, they are one instruction. */

uint64_t map_push_bits(struct map *map, size_t word, uint64_t mask)
{
    return atomic_fetch_add_explicit(&map->word[word], mask, memory_order_acq_rel);
}

void map_push_summary(struct map *map, size_t word)
{
    size_t group = word / 64;
    if (atomic_fetch_add_explicit(map_group(map, group), (uint64_t)1 << (word % 64), memory_order_acq_rel) == 0)
        atomic_fetch_or_explicit(&map->top[group / 64], (uint64_t)1 << (group % 64), memory_order_acq_rel);
}

uint64_t map_push(struct map *map, size_t word, uint64_t mask)
{
    uint64_t old = map_push_bits(map, word, mask);
    if (old == 0)
        map_push_summary(map, word);
    return old & mask;
}

uint64_t map_collect(struct map *map, size_t *word)
{
    if (map->taken == 0) {
        int group = next_group(map);
        if (group < 0)
            return 0;
        atomic_fetch_and_explicit(&map->top[group / 64], ~((uint64_t)1 << (group % 64)), memory_order_acq_rel);
        map->taken_group = (uint64_t)group;
        map->taken = atomic_exchange_explicit(map_group(map, (size_t)group), 0, memory_order_acq_rel);
        check(map->taken != 0);
    }
    *word = next_taken_word(map);
    uint64_t bits = atomic_exchange_explicit(&map->word[*word], 0, memory_order_acq_rel);
    check(bits != 0);
    return bits;
}

void map_untake(struct map *map)
{
    if (map->taken == 0)
        return;
    size_t group = (size_t)map->taken_group;
    if (atomic_fetch_add_explicit(map_group(map, group), map->taken, memory_order_acq_rel) == 0)
        atomic_fetch_or_explicit(&map->top[group / 64], (uint64_t)1 << (group % 64), memory_order_acq_rel);
    map->taken = 0;
}

#endif

#if ALLOC_DEBUG

size_t map_check(struct map *map, size_t granted)
{
    size_t count = 0;
    for (size_t word = 0; word < map_words(granted); word++) {
        uint64_t bits = atomic_load(&map->word[word]);
        bool listed = atomic_load(map_group(map, word / 64)) >> (word % 64) & 1;
        bool taken = map->taken_group == word / 64 && (map->taken >> (word % 64) & 1);
        check((bits != 0) == (listed || taken));
        check(!listed || (atomic_load(&map->top[word / 64 / 64]) >> (word / 64 % 64) & 1));
        count += population(bits);
    }
    return count;
}

#endif
