// What a bin allocates from goes back, too, once most of it is free and the heap grows with another size: a program does not
// keep a slab for every size that it once used. And nothing of such a slab is lost, or handed out twice.
#include "slabs.h"
#include "usage.h"
#include "worker.h"

#include <alloc/alloc_ext.h>
#include <optional>
#include <set>

namespace
{

using namespace slabs;
using support::KiB, support::MiB, support::Random, support::Setting;

constexpr Request growing = {256, 0};

// Never-used memory of a large slab, block by block.
class Growth
{
  public:
    ~Growth() { release_slots(slots, growing); }
    void add() { slots.push_back(support::allocate(growing)); }
    // Far enough for every other size to have had its turn.
    void add_much()
    {
        for (size_t bytes = 0; bytes < 4 * MiB; bytes += growing.size)
            add();
    }
    size_t bytes() const { return slots.size() * growing.size; }

  private:
    Slots slots;
};

// ---- memory -------------------------------------------------------------------------------------------------------

TEST(Idle, SizesThatAreNoLongerUsedKeepNoMemory)
{
    constexpr size_t total = (ALLOC_DEBUG || TEST_SANITIZED ? 8 : 64) * MiB, size = 64;
    const Setting small_pages(ALLOC_OPTION_HUGE_PAGES, ALLOC_HUGE_PAGES_OFF);
    alloc_trim();
    const size_t before = support::measured_bytes();
    std::vector<Request> used;
    for (size_t slot_size : support::slot_sizes())
        if (slot_size >= 10 * KiB)
            used.push_back({slot_size, 8}); // not naturally aligned: that takes a power of two
    size_t once_used = 0;
    for (Request request : used) {
        void *block = support::allocate(request);
        std::memset(block, 1, request.size);
        support::release(block, request);
        once_used += request.size;
    }
    EXPECT_GT(once_used, 3 * MiB);

    void *last = nullptr; // each block holds the one before: to hold on to them takes no memory
    for (size_t bytes = 0; bytes < total; bytes += size) {
        void *block = alloc_malloc(size);
        std::memcpy(block, &last, sizeof last);
        last = block;
    }
    for (Request request : used)
        if (request.size > 32 * KiB) { // of smaller ones, a slot is held back
            EXPECT_EQ(engine_heap_owns(engine_own_heap(), class_of(request)), 0u) << request;
        }
    if (support::can_measure && !ALLOC_DEBUG) {
        EXPECT_LE(support::measured_bytes(), before + total + support::statistics().cached_bytes + 1 * MiB);
    }
    while (void *block = last) {
        std::memcpy(&last, block, sizeof last);
        alloc_free(block, size);
    }
}

// ---- slots --------------------------------------------------------------------------------------------------------

// Where the part of a word that a bin holds of its slab came from: slots never used before, or those that its owner or others
// freed.
enum Origin { NEVER_USED, FREED_BY_OWNER, FREED_BY_OTHERS };

class IdleMask : public testing::TestWithParam<Origin>
{
  protected:
    static constexpr Request request = {1024, 0};
    static constexpr uint64_t mark = 7;
    Worker owner, other;
    Slots slots, others; // of the bin's first large slab, which is current; and of other slabs

    // The program has all of the large slab, or the first word and one slot of the second.
    void SetUp() override
    {
        owner.run([this] {
            void *slot = support::allocate(request);
            for (; !view(slot).is_large; slot = support::allocate(request))
                others.push_back(slot);
            for (size_t count = GetParam() == NEVER_USED ? 65 : view(slot).capacity; count > 0; count--) {
                slots.push_back(slot);
                if (count > 1)
                    slot = support::allocate(request);
            }
            support::fill(slots.front(), request.size, mark);
        });
    }

    void TearDown() override
    {
        owner.run([this] {
            release_slots(slots, request);
            release_slots(others, request);
        });
        engine_validate();
    }

    View seen() const { return view(slots.front()); }

    // Frees all but the first `left`, after which the bin holds a part of a word. Another slot of that word stays, too, unless
    // none is to.
    void free_all_but(size_t left)
    {
        Slots freed(slots.begin() + static_cast<ptrdiff_t>(left), slots.end());
        slots.resize(left);
        void *last = freed.back();
        if (GetParam() == NEVER_USED)
            freed.pop_back();
        if (GetParam() == FREED_BY_OTHERS)
            other.run([&] { push_slots(freed, request); });
        else
            release_slots(freed, request);
        if (GetParam() != NEVER_USED)
            last = support::allocate(request);
        if (left > 0)
            slots.push_back(last);
        else
            release_slots({last}, request);
        const View slab = view(last);
        EXPECT_EQ(slab.state, VIEW_CURRENT);
        EXPECT_EQ(slab.out, static_cast<int64_t>(slots.size()));
        EXPECT_GT(slab.held, 0u);
        EXPECT_LT(slab.held, 64u);
        EXPECT_EQ(slab.waiting > 0, GetParam() == FREED_BY_OTHERS);
    }

    // Of all slots but the two that are live, each is allocated once.
    void hand_out_again(bool is_swept)
    {
        owner.run([this, is_swept] {
            free_all_but(1);
            const View slab = seen();
            {
                Growth growth;
                while (seen().state == VIEW_CURRENT && growth.bytes() < 4 * MiB)
                    growth.add();
                if (is_swept)
                    growth.add_much();
            }
            EXPECT_TRUE(support::holds(slots.front(), request.size, mark));
            std::set<void *> all(slots.begin(), slots.end());
            while (slots.size() < slab.capacity) {
                slots.push_back(support::allocate(request));
                ASSERT_EQ(view(slots.back()).slab, slab.slab) << slots.size() << " of " << slab.capacity;
                ASSERT_TRUE(all.insert(slots.back()).second) << "in two hands";
                std::memset(slots.back(), 1, request.size);
            }
            EXPECT_EQ(seen().out, slab.capacity);
            EXPECT_TRUE(support::holds(slots.front(), request.size, mark));
        });
    }
};

TEST_P(IdleMask, GoesBackToItsSlab)
{
    owner.run([this] {
        free_all_but(slots.size() / 10);
        const View before = seen();
        const size_t remote_frees = support::statistics().remote_frees;
        Growth growth;
        while (seen().state == VIEW_CURRENT && growth.bytes() < 4 * MiB)
            growth.add();
        EXPECT_EQ(seen().state, VIEW_AVAILABLE);
        EXPECT_EQ(seen().held, 0u);
        EXPECT_EQ(seen().out, before.out);
        EXPECT_EQ(seen().freed, before.freed + before.held);
        EXPECT_EQ(seen().waiting, before.waiting);
        EXPECT_EQ(seen().pushed, before.pushed) << "no thread but its owner's freed it";
        EXPECT_EQ(support::statistics().remote_frees, remote_frees);
    });
}

TEST_P(IdleMask, IsHandedOutOnceAgain) { hand_out_again(false); }

TEST_P(IdleMask, IsHandedOutOnceAgainWhenPagesWentBack) { hand_out_again(true); }

// Empty, the slab is everybody's.
TEST_P(IdleMask, DoesNotKeepAnEmptySlab)
{
    owner.run([this] {
        const void *slot = slots.front();
        const struct heap *heap = engine_own_heap();
        const uint32_t owned = engine_heap_owns(heap, class_of(request));
        free_all_but(0);
        EXPECT_EQ(engine_heap_owns(heap, class_of(request)), owned);
        Growth growth;
        growth.add_much();
        EXPECT_EQ(engine_heap_owns(heap, class_of(request)), owned - 1);
        EXPECT_NE(view(slot).state == VIEW_CURRENT && view(slot).class_number == class_of(request), true);
    });
}

// Seven tenths free are not idle.
TEST_P(IdleMask, StaysWhileItIsUsed)
{
    owner.run([this] {
        free_all_but(slots.size() * 3 / 10);
        const View before = seen();
        Growth growth;
        growth.add_much();
        EXPECT_EQ(seen().state, VIEW_CURRENT);
        EXPECT_EQ(seen().held, before.held);
    });
}

std::string name_of(const testing::TestParamInfo<Origin> &info)
{
    return info.param == NEVER_USED ? "NeverUsed" : info.param == FREED_BY_OWNER ? "FreedByOwner" : "FreedByOthers";
}

INSTANTIATE_TEST_SUITE_P(Of, IdleMask, testing::Values(NEVER_USED, FREED_BY_OWNER, FREED_BY_OTHERS), name_of);

// ---- the bin that grows ---------------------------------------------------------------------------------------------

// Slots of one slab that others free while its owner is about to take a lock.
struct Pushed {
    std::set<void *> slots;
    size_t times = 0;

    static void push(void *context)
    {
        auto *pushed = static_cast<Pushed *>(context);
        push_slots({pushed->slots.begin(), pushed->slots.end()}, growing);
        pushed->slots.clear();
        pushed->times++;
    }
};

// The slab that was found to have no free slot is mostly free a moment later, when its heap looks for one that is.
TEST(Idle, ABinKeepsWhatItWasJustGranted)
{
    constexpr Request neighbour = {224, 8}; // the class before: its turn comes right before that of the one that grows
    ASSERT_EQ(class_of(neighbour) + 1, class_of(growing));
    Worker owner;
    owner.run([&] {
        Population taken = fill(neighbour, 17);
        Slots &half_full = taken.full.back();
        ASSERT_TRUE(view(half_full.front()).is_large);
        const Slots freed(half_full.begin(), half_full.begin() + static_cast<ptrdiff_t>(half_full.size() / 2));
        half_full.erase(half_full.begin(), half_full.begin() + static_cast<ptrdiff_t>(freed.size()));
        release_slots(freed, neighbour);
        ASSERT_EQ(view(half_full.front()).state, VIEW_AVAILABLE) << "a lock is taken to look at it";

        Slots others;
        void *slot = support::allocate(growing);
        for (; !view(slot).is_large; slot = support::allocate(growing))
            others.push_back(slot);
        const View slab = view(slot);
        Pushed pushed;
        for (; view(slot).granted < slab.capacity; slot = support::allocate(growing)) {
            ASSERT_EQ(view(slot).slab, slab.slab);
            ASSERT_TRUE(pushed.slots.insert(slot).second) << "in two hands";
            engine_before_next_lock(Pushed::push, &pushed);
        }
        engine_before_next_lock(nullptr, nullptr);
        EXPECT_GT(pushed.times, 5u);

        others.push_back(slot);
        others.insert(others.end(), pushed.slots.begin(), pushed.slots.end());
        release_slots(others, growing);
        release_slots(taken.rest, neighbour);
        for (const Slots &slots : taken.full)
            release_slots(slots, neighbour);
    });
    engine_validate();
}

// ---- random lives -------------------------------------------------------------------------------------------------

// One size after the other is used and mostly freed, by its owner and by another thread at the same time, while another size
// grows.
TEST(Idle, NothingIsLostInRandomLives)
{
    struct Block {
        void *start;
        Request request;
        uint64_t mark;
    };
    support::seed();
    Worker owner, other;
    Random random(1);
    std::vector<Block> live, given;
    uint64_t marks = 0;
    const auto check_and_free = [](std::vector<Block> &blocks) {
        for (const Block &block : blocks) {
            EXPECT_TRUE(support::holds_edges(block.start, block.request.size, block.mark)) << block.request;
            support::release(block.start, block.request);
        }
        blocks.clear();
    };
    const std::vector<size_t> sizes = support::slot_sizes();
    std::optional<Growth> growth(std::in_place);
    for (size_t round = 0; round < support::repetitions(1000); round++) {
        other.wait();
        owner.run([&] {
            const Request request = {sizes[random.below(sizes.size())], 8};
            if (request.size < 64)
                return;
            for (size_t count = random.below(4 * MiB / request.size); count > 0 && live.size() < 20'000; count--) {
                live.push_back({support::allocate(request), request, ++marks});
                support::fill_edges(live.back().start, request.size, marks);
            }
        });
        std::vector<Block> kept, freed;
        const size_t rate = 1 + random.below(20);
        for (const Block &block : live)
            (random.one_in(rate) ? kept : random.one_in(2) ? freed : given).push_back(block);
        live = std::move(kept);
        other.start([&] { check_and_free(given); });
        owner.run([&] {
            check_and_free(freed);
            for (size_t count = random.below(1000); count > 0; count--)
                growth->add();
            if (growth->bytes() > 16 * MiB)
                growth.emplace();
        });
    }
    other.wait();
    owner.run([&] {
        check_and_free(live);
        growth.reset();
    });
    engine_validate();
}

} // namespace
