// Small programs that each do one thing wrong. A program of this kind has a table of them: `--list` prints their classes and names, a line
// each; with a name it runs that one, and ends with 0 if nothing stopped it.
#ifndef ALLOC_TEST_MISUSE_CASE_H
#define ALLOC_TEST_MISUSE_CASE_H

#include <cstddef>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace misuse
{

struct Case {
    std::string kind, name;
    std::function<void()> body;
};

// The compiler knows malloc and free, and would warn, or leave them out.
template <class T> T hidden(T value)
{
    __asm__ volatile("" : "+r"(value) : : "memory");
    return value;
}

inline char *at(void *block, ptrdiff_t offset) { return hidden(static_cast<char *>(block)) + offset; }

// Every byte of it used.
inline void *filled(void *block, size_t size)
{
    std::memset(block, 0x5a, size);
    return hidden(block);
}

// One of each size.
template <class Body>
void add(std::vector<Case> &cases, const char *kind, const char *name, const std::vector<size_t> &sizes, Body body)
{
    for (size_t size : sizes)
        cases.push_back({kind, name + ("_" + std::to_string(size)), [=] { body(size); }});
}

// Double frees by `give(block, size)` of what `take(size)` returns.
template <class Take, class Give>
void add_double_frees(std::vector<Case> &cases, const std::vector<size_t> &sizes, Take take, Give give)
{
    const char *kind = "double-free";
    add(cases, kind, "in_a_row", sizes, [=](size_t size) {
        take(size); // stays, so that not everything around the other is free
        void *block = take(size);
        give(block, size);
        give(block, size);
    });
    for (size_t others : {1, 6})
        add(cases, kind, ("with_" + std::to_string(others) + "_in_between").c_str(), sizes, [=](size_t size) {
            std::vector<void *> blocks(20);
            for (void *&block : blocks)
                block = take(size);
            for (size_t i = 0; i <= others; i++)
                give(blocks[2 * i], size);
            give(blocks[0], size);
        });
    add(cases, kind, "by_another_thread", sizes, [=](size_t size) {
        take(size);
        void *block = take(size);
        give(block, size);
        std::thread([=] { give(block, size); }).join();
    });
}

inline int run(const std::vector<Case> &cases, int count, char **arguments)
{
    const std::string wanted = count == 2 ? arguments[1] : "--list";
    for (const Case &one : cases) {
        if (wanted == "--list")
            std::printf("%s %s\n", one.kind.c_str(), one.name.c_str());
        else if (wanted == one.name) {
            one.body();
            std::_Exit(0); // what the program does at its end is not the case
        }
    }
    return wanted == "--list" ? 0 : 2;
}

} // namespace misuse

#endif
