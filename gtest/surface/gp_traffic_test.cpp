// Programs that live on the unsized surface: everything at random, checked against a model, in one thread, in several and
// after a fork; beside the sized surface and the system's malloc.
#include "gp_support.h"

#include <array>
#include <atomic>
#if ALLOC_THREADS
#include <thread>
#endif

using namespace support;

namespace
{

// Sizes that are passed to a free are right here: what the library takes for wrong ends the test.
[[maybe_unused]] const bool is_strict = alloc_option_set(ALLOC_OPTION_STRICT, 1) == 0;

// A program that does everything with everything, and knows what each block contains.
class Traffic
{
  public:
    explicit Traffic(uint64_t stream) : random(stream) {}
    ~Traffic()
    {
        while (live.count() > 0)
            free_one();
    }
    Traffic(const Traffic &) = delete;
    Traffic &operator=(const Traffic &) = delete;

    void step()
    {
        if (live.count() < 300 && !random.one_in(3))
            allocate_one();
        else if (live.count() > 0)
            random.one_in(3) ? resize_one() : free_one();
    }

  private:
    void allocate_one()
    {
        const Request any = random.request();
        switch (random.below(6)) {
        case 0: {
            void *block = alloc_gp_calloc(any.size, 1);
            ASSERT_TRUE(block != nullptr && is_zero(block, 0, any.size)) << any;
            ASSERT_TRUE(live.add(block, object(any.size)));
            break;
        }
        case 1:
            if (any.align != 0) {
                ASSERT_TRUE(live.add(alloc_gp_aligned_alloc(any.align, any.size), any));
                break;
            }
            [[fallthrough]];
        default:
            ASSERT_TRUE(live.add(alloc_gp_malloc(any.size), object(any.size)));
        }
    }

    void resize_one()
    {
        const Shadow::Block block = live.take(random);
        const size_t size = random.request().size + 1, kept = std::min(size, good_size(block.request));
        void *resized =
            random.one_in(2) ? alloc_gp_realloc(block.ptr, size) : alloc_gp_reallocarray(block.ptr, size, 1);
        ASSERT_TRUE(resized != nullptr && holds(resized, kept, block.mark)) << block.request << " to " << size;
        ASSERT_EQ(alloc_gp_usable_size(resized), good_size(object(size))) << block.request;
        ASSERT_TRUE(live.add(resized, object(size)));
    }

    void free_one()
    {
        const Shadow::Block block = live.take(random);
        ASSERT_TRUE(holds(block.ptr, good_size(block.request), block.mark)) << block.request;
        ASSERT_EQ(alloc_gp_usable_size(block.ptr), good_size(block.request)) << block.request;
        const auto [size, align] = block.request;
        switch (random.below(3)) {
        case 0:
            alloc_gp_free_aligned_sized(block.ptr, align, size);
            break;
        case 1:
            if (align == object_align(size)) {
                alloc_gp_free_sized(block.ptr, size);
                break;
            }
            [[fallthrough]];
        default:
            alloc_gp_free(block.ptr);
        }
    }

    Random random;
    Shadow live;
};

TEST(Everything, InOneThread)
{
    Traffic traffic(10);
    for (size_t i = 0; i < repetitions(100000) && !testing::Test::HasFailure(); i++)
        traffic.step();
}

// What a block contains says whether two were given the same memory, whichever of the surfaces they came from.
TEST(Everything, BesideTheSizedSurfaceAndTheSystemsMalloc)
{
    struct {
        void *(*allocate)(size_t);
        void (*release)(void *, size_t);
    } const surfaces[] = {{alloc_gp_malloc, [](void *p, size_t) { alloc_gp_free(p); }},
                          {alloc_malloc, alloc_free},
                          {std::malloc, [](void *p, size_t) { std::free(p); }}};
    for (size_t size : edge_sizes()) {
        if (size == 0)
            continue;
        void *blocks[9];
        for (size_t i = 0; i < 9; i++) {
            blocks[i] = surfaces[i % 3].allocate(size);
            ASSERT_NE(blocks[i], nullptr);
            fill_edges(blocks[i], size, i);
        }
        for (size_t i = 0; i < 9; i++) {
            EXPECT_TRUE(holds_edges(blocks[i], size, i)) << size;
            surfaces[i % 3].release(blocks[i], size);
        }
    }
}

TEST(Everything, InAForkedChild)
{
    std::vector<void *> blocks;
    for (size_t size : edge_sizes()) {
        blocks.push_back(alloc_gp_malloc(size));
        fill_edges(blocks.back(), size, size);
    }
    const auto use = [&] {
        for (size_t i = 0; i < blocks.size(); i++) {
            const size_t size = edge_sizes()[i];
            EXPECT_TRUE(holds_edges(blocks[i], size, size)) << size;
            blocks[i] = alloc_gp_realloc(blocks[i], size + 100);
            ASSERT_TRUE(holds(blocks[i], std::min(size, edge), size)) << size;
            alloc_gp_free_sized(blocks[i], size + 100);
        }
        Traffic traffic(11);
        for (size_t i = 0; i < 1000; i++)
            traffic.step();
    };
    expect_in_child(use);
    use();
}

#if ALLOC_THREADS

TEST(Everything, InSeveralThreads)
{
    std::vector<std::thread> threads;
    for (size_t number = 0; number < 4; number++)
        threads.emplace_back([number] {
            Traffic traffic(20 + number);
            for (size_t i = 0; i < repetitions(20000) && !testing::Test::HasFailure(); i++)
                traffic.step();
        });
    for (std::thread &thread : threads)
        thread.join();
}

// Blocks go from thread to thread through a table, and whoever takes one out frees or resizes it.
TEST(Everything, BlocksOfOtherThreads)
{
    std::array<std::atomic<uint64_t *>, 500> table{};
    const auto visit = [&table](uint64_t stream) {
        Random random(stream);
        for (size_t i = 0; i < repetitions(50000); i++) {
            const size_t size = 8 + random.request().size;
            auto *block = static_cast<uint64_t *>(alloc_gp_malloc(size));
            ASSERT_NE(block, nullptr);
            block[0] = size;
            block = table[random.below(table.size())].exchange(block);
            if (block == nullptr)
                continue;
            const size_t other = block[0];
            ASSERT_EQ(alloc_gp_usable_size(block), good_size(object(other))) << other;
            if (random.one_in(4)) {
                block = static_cast<uint64_t *>(alloc_gp_realloc(block, 2 * other));
                ASSERT_TRUE(block != nullptr && block[0] == other);
                alloc_gp_free_sized(block, 2 * other);
            } else if (random.one_in(2)) {
                alloc_gp_free_sized(block, other);
            } else {
                errno = 12345;
                alloc_gp_free(block);
                ASSERT_EQ(errno, 12345);
            }
        }
    };
    std::vector<std::thread> threads;
    for (size_t number = 0; number < 3; number++)
        threads.emplace_back(visit, 30 + number);
    for (std::thread &thread : threads)
        thread.join();
    for (auto &place : table)
        alloc_gp_free(place.load());
}

#endif

} // namespace
