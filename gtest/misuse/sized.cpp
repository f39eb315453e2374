// What is done wrong with the sized surface.
#include "case.h"

#include <alloc/alloc_std.h>
#include <sys/mman.h>

using namespace misuse;

namespace
{

const std::vector<size_t> sizes = {1, 8, 24, 100, 1000, 5000, 40000, 200000, 2000000};

void *take(size_t size) { return filled(hidden(alloc_malloc(hidden(size))), size); }

void give(void *block, size_t size) { alloc_free(hidden(block), hidden(size)); }

void *take_one_of_two(size_t size)
{
    take(size);
    return take(size);
}

void double_frees(std::vector<Case> &cases)
{
    const char *kind = "double-free";
    add_double_frees(cases, sizes, take, give);
    add(cases, kind, "of_what_realloc_moved", {24, 100, 1000, 5000, 40000}, [](size_t size) {
        void *block = take_one_of_two(size);
        hidden(alloc_realloc(hidden(block), size, 3 * size + 5000));
        give(block, size);
    });
}

void others(std::vector<Case> &cases)
{
    static char global[4096];
    const std::vector<size_t> with_inside(sizes.begin() + 2, sizes.end());
    add(cases, "foreign", "free_of_a_global", {100, 2000000}, [](size_t size) { give(global + 64, size); });
    add(cases, "foreign", "free_of_a_mapping", {100, 2000000}, [](size_t size) {
        give(mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), size);
    });
    add(cases, "interior", "free_8_behind", with_inside, [](size_t size) { give(at(take_one_of_two(size), 8), size); });
    add(cases, "interior", "free_of_the_middle", with_inside,
        [](size_t size) { give(at(take_one_of_two(size), static_cast<ptrdiff_t>(size / 2 & ~size_t{7})), size); });
    add(cases, "interior", "realloc_8_behind", with_inside,
        [](size_t size) { hidden(alloc_realloc(at(take_one_of_two(size), 8), size, size + 10000)); });
    add(cases, "interior", "free_of_a_third", {48, 96, 384, 20480}, [](size_t size) {
        alloc_free_aligned(at(hidden(alloc_malloc_aligned(size, 8)), static_cast<ptrdiff_t>(size & -size)), size, 8);
    });
    add(cases, "never-handed-out", "free_of_what_lies_far_behind", {8, 24, 100, 200},
        [](size_t size) { give(at(take(size), static_cast<ptrdiff_t>(alloc_good_size(size)) * 200), size); });
    add(cases, "wrong-size", "free_of_half", with_inside, [](size_t size) { give(take_one_of_two(size), size / 2); });
    add(cases, "wrong-size", "free_of_twice", with_inside, [](size_t size) { give(take_one_of_two(size), 2 * size); });
    add(cases, "wrong-size", "realloc_from_half", with_inside,
        [](size_t size) { hidden(alloc_realloc(take_one_of_two(size), size / 2, 4 * size)); });
    add(cases, "mixed", "aligned_and_freed_natural", {24, 100, 5000, 40000},
        [](size_t size) { give(hidden(alloc_malloc_aligned(hidden(size), 8)), size); });
}

} // namespace

int main(int count, char **arguments)
{
    std::vector<Case> cases;
    double_frees(cases);
    others(cases);
    return run(cases, count, arguments);
}
