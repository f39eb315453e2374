// Random replacement: among so many live entries one is released, and filled anew.
#ifndef ALLOC_BENCH_REPLACEMENT_H
#define ALLOC_BENCH_REPLACEMENT_H

#include "harness.h"

namespace bench
{

// Fills all entries and times so many replacements. Twice as many as there are entries come before the timed ones: what
// is measured is the steady state and not the fresh heap.
template <typename Entry, typename Fill, typename Release>
void replace_at_random(benchmark::State &state, Array<Entry> &live, Random &random, size_t timed, const Fill &fill,
                       const Release &release)
{
    const auto replace = [&] {
        Entry &entry = live[random.below(live.size())];
        release(entry);
        fill(entry);
    };
    for (Entry &entry : live)
        fill(entry);
    for (size_t i = 0; i < 2 * live.size(); i++)
        replace();
    start_together();
    for (auto _ : state)
        for (size_t i = 0; i < timed; i++)
            replace();
    finish(state, timed);
}

} // namespace bench

#endif
