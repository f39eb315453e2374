// What is done wrong with malloc, free and operator new.
#include "case.h"

#include <cstdint>
#include <cstdlib>
#include <malloc.h>
#include <new>
#include <sys/mman.h>

using namespace misuse;

namespace
{

const std::vector<size_t> sizes = {8, 24, 100, 1000, 5000, 40000, 200000, 2000000};

void *take(size_t size) { return filled(hidden(std::malloc(hidden(size))), size); }

void give(void *block) { std::free(hidden(block)); }

// Two blocks of the size: one stays, so that not everything around the other is free.
void *take_one_of_two(size_t size)
{
    take(size);
    return take(size);
}

void double_frees(std::vector<Case> &cases)
{
    const char *kind = "double-free";
    add_double_frees(cases, sizes, take, [](void *block, size_t) { give(block); });
    add(cases, kind, "of_what_realloc_moved", sizes, [](size_t size) {
        void *block = take(size), *behind = take(size);
        void *moved = hidden(std::realloc(hidden(block), 3 * size + 5000));
        if (moved == block)
            std::abort(); // no move, no misuse
        give(block);
        give(behind);
    });
    add(cases, kind, "by_delete", {8, 100, 5000}, [](size_t size) {
        void *block = hidden(::operator new(hidden(size)));
        ::operator delete(hidden(block));
        ::operator delete(hidden(block));
    });
}

void foreign_frees(std::vector<Case> &cases)
{
    const char *kind = "foreign";
    static char global[4096];
    const auto add_one = [&](const char *name, const std::function<void *()> &pointer) {
        cases.push_back({kind, std::string("free_of_") + name, [=] {
                             take(100);
                             give(pointer());
                         }});
    };
    add_one("a_global", [] { return global + 64; });
    add_one("the_stack", [] {
        static char *kept;
        char local[256];
        kept = hidden(local) + 64;
        return static_cast<void *>(kept);
    });
    add_one("a_mapping",
            [] { return mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); });
    add_one("an_unmapped_address", [] { return reinterpret_cast<void *>(uintptr_t{0x123456789000}); });
    add_one("a_small_number", [] { return reinterpret_cast<void *>(uintptr_t{16}); });
    add_one("no_address", [] { return reinterpret_cast<void *>(uintptr_t{0xdeadbeefdeadbee0}); });
    add_one("a_literal",
            [] { return const_cast<char *>(hidden("a literal of some length, long enough to be freed")); });
    cases.push_back({kind, "realloc_of_a_global", [] {
                         take(100);
                         hidden(std::realloc(hidden(static_cast<void *>(global + 64)), 100));
                     }});
}

void interiors(std::vector<Case> &cases)
{
    const std::vector<size_t> with_inside(sizes.begin() + 1, sizes.end());
    add(cases, "interior", "free_8_behind", with_inside, [](size_t size) { give(at(take_one_of_two(size), 8)); });
    add(cases, "interior", "free_16_behind", with_inside, [](size_t size) { give(at(take_one_of_two(size), 16)); });
    add(cases, "interior", "free_of_the_middle", {100, 1000, 5000, 40000, 200000, 2000000},
        [](size_t size) { give(at(take_one_of_two(size), static_cast<ptrdiff_t>(size / 2 & ~size_t{15}))); });
    add(cases, "interior", "realloc_16_behind", with_inside,
        [](size_t size) { hidden(std::realloc(at(take_one_of_two(size), 16), size + 100)); });
    add(cases, "never-handed-out", "free_of_what_lies_far_behind", {8, 24, 100, 1000}, [](size_t size) {
        void *block = take(size);
        give(at(block, static_cast<ptrdiff_t>(malloc_usable_size(block)) * 200));
    });
}

void accesses(std::vector<Case> &cases)
{
    for (size_t bytes : {1, 16, 64}) {
        add(cases, "overflow", ("behind_by_" + std::to_string(bytes)).c_str(), sizes, [=](size_t size) {
            void *block = take_one_of_two(size);
            std::memset(at(block, static_cast<ptrdiff_t>(malloc_usable_size(block))), 0x41, bytes);
            give(block);
        });
    }
    for (size_t bytes : {1, 16}) {
        add(cases, "underflow", ("in_front_by_" + std::to_string(bytes)).c_str(), sizes, [=](size_t size) {
            void *block = take_one_of_two(size);
            std::memset(at(block, -static_cast<ptrdiff_t>(bytes)), 0x41, bytes);
            give(block);
        });
    }
    add(cases, "write-after-free", "and_allocated_again", sizes, [](size_t size) {
        void *block = take_one_of_two(size);
        give(block);
        std::memset(at(block, 0), 0x41, 8);
        take(size);
        take(size);
    });
    cases.push_back({"no-bytes", "write_of_one", [] { *at(std::malloc(hidden(size_t{0})), 0) = 1; }});
    cases.push_back({"no-bytes", "write_of_one_and_free", [] {
                         void *block = hidden(std::malloc(hidden(size_t{0})));
                         *at(block, 0) = 1;
                         give(block);
                     }});
}

void mixtures(std::vector<Case> &cases)
{
    add(cases, "wrong-size", "delete_of_half", {24, 100, 5000, 40000, 2000000},
        [](size_t size) { ::operator delete(hidden(::operator new(hidden(size))), hidden(size / 2)); });
    add(cases, "wrong-size", "delete_of_twice", {24, 100, 5000, 40000, 2000000},
        [](size_t size) { ::operator delete(hidden(::operator new(hidden(size))), hidden(2 * size)); });
    cases.push_back({"mixed", "new_and_free", [] { give(hidden(::operator new(hidden(size_t{100})))); }});
    cases.push_back({"mixed", "malloc_and_delete", [] { ::operator delete(take(100)); }});
    cases.push_back(
        {"mixed", "new_array_and_delete", [] { ::operator delete(hidden(::operator new[](hidden(size_t{100})))); }});
    cases.push_back({"mixed", "aligned_new_and_delete",
                     [] { ::operator delete(hidden(::operator new (hidden(size_t{100}), std::align_val_t{64}))); }});
}

} // namespace

int main(int count, char **arguments)
{
    std::vector<Case> cases;
    double_frees(cases);
    foreign_frees(cases);
    interiors(cases);
    accesses(cases);
    mixtures(cases);
    return run(cases, count, arguments);
}
