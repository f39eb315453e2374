// What the white-box tests share: slabs full of slots of one size, and what is to be seen of them.
#ifndef ALLOC_TEST_SLABS_H
#define ALLOC_TEST_SLABS_H

#include "support.h"
#include "white_box.h"

#include <map>
#include <ostream>
#include <vector>

namespace slabs
{

using Slots = std::vector<void *>;
using View = slab_view;

using support::Request;

// Slots that fill `count` slabs, and what these are.
struct Kind {
    Request request;
    size_t count;
    const char *name;
};

inline std::ostream &operator<<(std::ostream &out, const Kind &kind) { return out << kind.name; }

inline const Kind kinds[] = {
    {{64, 0}, 4, "Small"},
    {{8192, 0}, 8, "SmallOfFew"},
    {{3072, 1024}, 5, "SmallThatDoNotDivide"},
    {{32768, 0}, 4, "MediumOfFew"},
    {{4096, 0}, 19, "SmallAndLarge"}, // 16 small ones, then large ones
    {{1, 0}, 3, "Tiny"},
};

inline View view(const void *slot) { return engine_view_slab(slot); }
inline size_t class_of(Request request) { return engine_request_class(request.size, request.align); }

// Nothing of the slab is with the program, and still its heap has it.
inline bool is_overlooked(const View &slab)
{
    return slab.heap != nullptr && slab.out == 0 && slab.held_back == 0 && slab.state != VIEW_CURRENT;
}

struct Population {
    std::vector<Slots> full; // slabs of which the program has every slot, none of them current
    Slots rest;              // slots of other slabs, the current one among them
};

// Allocates in the calling thread until it filled `count` slabs.
inline Population fill(Request request, size_t count)
{
    Population population;
    std::map<const slab *, Slots> seen;
    auto allocate = [&]() -> decltype(seen)::iterator {
        void *slot = support::allocate(request);
        auto found = seen.try_emplace(view(slot).slab).first;
        found->second.push_back(slot);
        return found;
    };
    while (population.full.size() < count) {
        auto slab = allocate();
        if (slab->second.size() == view(slab->second.front()).capacity) {
            std::sort(slab->second.begin(), slab->second.end());
            population.full.push_back(std::move(slab->second));
            seen.erase(slab);
        }
    }
    allocate(); // from another slab than the one filled last
    for (auto &[slab, slots] : seen)
        population.rest.insert(population.rest.end(), slots.begin(), slots.end());
    return population;
}

// Frees slots so that their slabs know, also of the last ones.
inline void release_slots(const Slots &slots, Request request)
{
    for (void *slot : slots)
        support::release(slot, request);
    engine_flush_recent();
}

#if ALLOC_THREADS

// Remote frees, whoever calls: slots of one slab, those of a map word at once. None waits in an outbox.
inline void push_slots(const Slots &slots, Request request)
{
    std::map<size_t, Slots> words;
    for (void *slot : slots)
        words[engine_slot_number(slot) / 64].push_back(slot);
    for (const auto &[word, some] : words) {
        struct push push = engine_push_begin(some.data(), some.size(), request.size, request.align);
        while (push.next != PUSH_DONE)
            engine_push_step(&push);
    }
}

#endif

inline std::vector<View> all()
{
    std::vector<View> views;
    engine_visit_slabs([](const View *slab, void *to) { static_cast<std::vector<View> *>(to)->push_back(*slab); },
                       &views);
    return views;
}

// Makes the calling thread go its slow path, in a class that nothing else here uses, at least so many times.
inline void go_slow_paths(size_t count)
{
    constexpr Request request = {support::slot_size_max, 0};
    const size_t per_slab = engine_slab_capacity(true, class_of(request));
    Slots slots;
    while (slots.size() < (count + 1) * per_slab) // of which its current slab may have one slab's worth
        slots.push_back(support::allocate(request));
    release_slots(slots, request);
}

} // namespace slabs

#endif
