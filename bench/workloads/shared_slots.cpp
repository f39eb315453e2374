// 256 slots that all threads share, each under a mutex: a thread picks one at random and resizes its block, one time
// in three, or replaces it. Sizes are from 1 to 65536 bytes, every doubling as likely as any other.
#include "block.h"

#include <array>
#include <mutex>
#include <optional>

namespace
{

constexpr size_t slot_count = 256;
constexpr size_t doublings = 16; // from 1 byte to 65536
constexpr size_t operations = 400'000;

struct alignas(64) Slot {
    std::mutex lock;
    bench::Block block = {};
};

std::optional<std::array<Slot, slot_count>> slots;

char mark_of(const bench::Block &block) { return static_cast<char>(block.size); }

void release(bench::Block &block)
{
    if (block.start)
        allocator::release_resized(block.start, block.size);
    block = {};
}

void resize(bench::Block &block, size_t size)
{
    const char mark = mark_of(block);
    char *resized = static_cast<char *>(allocator::resize(block.start, block.size, size));
    bench::expect(!block.start || *resized == mark, "a resized block keeps its contents");
    block = {resized, size};
    bench::touch(block, mark_of(block));
}

void replace(Slot &slot, size_t size, bool by_resizing)
{
    const std::lock_guard<std::mutex> lock(slot.lock);
    if (slot.block.start)
        bench::expect_touched(slot.block, mark_of(slot.block));
    if (!by_resizing)
        release(slot.block);
    resize(slot.block, size);
}

void shared_slots(benchmark::State &state)
{
    const size_t count = bench::scaled(operations) / static_cast<size_t>(state.threads());
    bench::Random random(static_cast<size_t>(state.thread_index()));
    if (state.thread_index() == 0)
        slots.emplace();
    bench::start_together();
    for (auto _ : state)
        for (size_t i = 0; i < count; i++) {
            const size_t size = bench::random_size_by_doubling(random, 1, doublings);
            replace((*slots)[random.below(slot_count)], size, random.below(3) == 0);
        }
    bench::finish(state, count);
    if (state.thread_index() == 0) {
        for (Slot &slot : *slots)
            release(slot.block);
        slots.reset();
    }
}

BENCHMARK(shared_slots)->Iterations(1)->UseManualTime()->ThreadRange(1, 16);

} // namespace
