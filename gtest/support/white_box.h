/* The engine's insides, for tests in C++: the core's headers are C11, so white_box.c includes them and offers plain
 * functions.
 *
 * What is asked about a slab or a heap is read without its lock: ask when nobody is using it. A test that links
 * white_box.c also gets the lock hook below.
 */
#ifndef WHITE_BOX_H
#define WHITE_BOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- arithmetic -------------------------------------------------------------------------------------------------- */

size_t engine_class_count(void);
size_t engine_slot_size_max(void);
size_t engine_log2_floor(size_t n);
size_t engine_log2_ceil(size_t n);
bool engine_is_power_of_two(size_t n);
size_t engine_round_up(size_t n, size_t align);
bool engine_request_has_slot(size_t size, size_t align);
size_t engine_class_natural(size_t size);
size_t engine_class_aligned(size_t size, size_t align);
size_t engine_request_class(size_t size, size_t align);
size_t engine_class_slot_size(size_t class_number);
uint32_t engine_slot_index(size_t offset, uint32_t slot_size);
size_t engine_slab_bytes(bool is_large);
uint32_t engine_slab_capacity(bool is_large, size_t class_number);
unsigned engine_population(uint64_t mask);
/* The number of the slab whose header lies at `index` in the table of the region at `base`, and back again. */
uint32_t engine_slab_to_id(uintptr_t base, size_t index);
uintptr_t engine_slab_from_id(uint32_t id);

/* ---- maps -------------------------------------------------------------------------------------------------------- */

struct map;

/* The words a map over `slots` slots takes, and the map in a block of so many. */
size_t engine_map_words(size_t slots);
struct map *engine_map_at(uint64_t *block, size_t slots);
uint64_t *engine_map_block(struct map *map, size_t slots);
void engine_map_reset(struct map *map);
void engine_map_reset_word(struct map *map, size_t word);
/* As a local free does it: false, the slot was there already. */
bool engine_map_add(struct map *map, size_t index);
uint64_t engine_map_take(struct map *map, size_t *word);
uint64_t engine_map_push(struct map *map, size_t word, uint64_t mask);
uint64_t engine_map_push_bits(struct map *map, size_t word, uint64_t mask);
void engine_map_push_summary(struct map *map, size_t word);
uint64_t engine_map_collect(struct map *map, size_t *word);
void engine_map_untake(struct map *map);

/* ---- slabs ------------------------------------------------------------------------------------------------------- */

struct slab;
struct heap;

enum view_state { VIEW_POOLED, VIEW_CURRENT, VIEW_PARKED, VIEW_AVAILABLE };

/* A slab that serves or served, as its header, its counters and its bin have it. Of a pooled one the counts of slots, and
 * its countdown, are 0. */
struct slab_view {
    const struct slab *slab;
    const struct heap *heap; /* NULL: pooled */
    char *start;
    size_t class_number;
    enum view_state state;
    bool is_large, is_huge; /* a slab that huge pages may back is both */
    bool is_to_revisit;     /* in its heap's revisit list */
    bool is_called;         /* its owner is to look before its next free */
    uint32_t capacity, granted;
    uint32_t freed;                         /* by the owner, not taken up */
    int32_t waiting;                        /* freed by others, not collected */
    uint32_t held;                          /* free slots that its bin allocates from */
    uint32_t held_back;                     /* slots freed last, of which its bin did not let it know */
    uint32_t countdown;                     /* local frees until the owner looks */
    uint32_t notify_at, pushed;             /* the count of pushes at which a pusher looks, and the count */
    bool has_dirty_local, has_dirty_remote; /* maps not known to be zero */
    int64_t out; /* what the equation leaves: slots the program has, or whose free is not counted yet */
};

struct slab_view engine_view_slab(const void *slot);
void engine_visit_slabs(void (*visit)(const struct slab_view *view, void *context), void *context);
/* Lets the slabs know of the slots that the calling thread freed last. */
void engine_flush_recent(void);
/* From here on they know at once. */
void engine_hold_nothing_back(void);
/* Slabs that never served although a later one of their region did. */
size_t engine_count_slabs_passed_over(void);
/* Executes the validator over every slab, where there is one (debug builds). Nobody may be using any. */
void engine_validate(void);
/* The slot's number in its slab. */
size_t engine_slot_number(const void *slot);
/* Continues the count of pushes of a slot's slab at `pushed`, everything else as it was. */
void engine_move_pushed(const void *slot, uint32_t pushed);
/* As if `count` slots of its slab had been pushed and collected since its threshold was set. */
void engine_skip_pushes(const void *slot, uint32_t count);
/* As if its owner had freed and allocated `count` slots of its slab since its threshold was set. */
void engine_skip_frees(const void *slot, uint32_t count);

/* Takes metadata for good. NULL: there is none. */
void *engine_take_metadata(size_t bytes);
/* What the map of a slab of a class takes of it. */
size_t engine_map_bytes(bool is_large, size_t class_number);

/* Bytes that count as usable. */
size_t engine_committed_bytes(void);
/* Whether the counts of memory are what regions, pools, large blocks and metadata come to; prints the difference. Takes
 * metadata for good. Nobody may be using anything. */
bool engine_memory_is_accounted(void);
/* Gives back all that can be, and validates what is left: the same answer. */
bool engine_all_is_free(void);

/* ---- heaps ------------------------------------------------------------------------------------------------------- */

/* The calling thread's, NULL if it has none; its number, counted from 1. */
const struct heap *engine_own_heap(void);
uint32_t engine_heap_number(const struct heap *heap);
/* The heap that owns a slot's slab; any thread may ask that has the slot. */
const struct heap *engine_owner(const void *slot);
/* Slabs a heap owns for a class, and slabs in its revisit list. */
uint32_t engine_heap_owns(const struct heap *heap, size_t class_number);
uint32_t engine_heap_revisits(const struct heap *heap);

/* ---- the clock --------------------------------------------------------------------------------------------------- */

/* What time it is from now on, in milliseconds, until it is set anew. */
void engine_set_clock(uint32_t milliseconds);

/* ---- locks ------------------------------------------------------------------------------------------------------- */

/* Whether the calling thread holds a lock; one of those other than the lock under which address space grows. */
bool engine_holds_lock(void);
bool engine_holds_lock_but_growth(void);

/* ---- stopping in the middle -------------------------------------------------------------------------------------- */

#if ALLOC_THREADS

/* A remote free, one step at a time, as a thread that may stop between any two. */
enum push_step { PUSH_BITS, PUSH_GROUP, PUSH_TOP, PUSH_COUNT, PUSH_DONE };

struct push {
    struct slab *slab;
    size_t word;
    uint64_t mask;
    enum push_step next;
};

/* Of up to 64 slots that share a map word, with their size and alignment. */
struct push engine_push_begin(void *const *slots, size_t count, size_t size, size_t align);
/* Does the next step and moves on to the one that is due then. */
void engine_push_step(struct push *push);

/* Calls `hook(context)` once, before the calling thread's next attempt to take a lock. */
void engine_before_next_lock(void (*hook)(void *context), void *context);

#endif

#ifdef __cplusplus
}
#endif

#endif
