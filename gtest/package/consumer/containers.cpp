// A user's program in C++17: the standard containers and pointers over alloc. Exit status 0 when all is well.
#include <alloc/alloc.hpp>
#include <alloc/alloc_inspect.h>

#include <cstdio>
#include <list>
#include <string>
#include <vector>

int main()
{
    struct alignas(64) Line {
        double values[8];
    };
    static_assert(sizeof(alloc::unique_ptr<Line>) == sizeof(Line *), "as large as a plain pointer");

    const std::list<int, alloc::allocator<int>> numbers = {1, 2, 3};
    std::pmr::vector<std::pmr::string> words(alloc::resource());
    words.emplace_back("a word that has a block of its own");
    const auto line = alloc::make_unique<Line>();
    const auto array = alloc::make_unique<int[]>(1000);
    if (numbers.back() != 3 || reinterpret_cast<std::size_t>(line.get()) % 64 != 0 || array[999] != 0)
        return 1;
    std::printf("%s\n", words[0].c_str());
    return 0;
}
