// A list in a family of its own: its nodes lie side by side, whatever else is allocated meanwhile.
#include <alloc/alloc.hpp>

#include <cstdint>
#include <cstdio>
#include <list>
#include <memory_resource>
#include <vector>

namespace
{

// How many nodes lie right behind the one before them.
template <class List> int neighbours(const List &list)
{
    int count = 0;
    std::uintptr_t before = 0;
    for (const auto &value : list) {
        const auto address = reinterpret_cast<std::uintptr_t>(&value);
        count += address - before == 3 * sizeof(void *); // two links and a number
        before = address;
    }
    return count;
}

template <class List> void fill_both(List &list, std::list<long, alloc::allocator<long>> &everywhere)
{
    std::vector<std::vector<char, alloc::allocator<char>>> others; // what the program does besides
    for (long i = 0; i < 1000; i++) {
        list.push_back(i);
        everywhere.push_back(i);
        others.emplace_back(24);
    }
}

} // namespace

int main()
{
    alloc_family nodes = ALLOC_FAMILY_INIT("nodes");
    {
        std::list<long, alloc::family_allocator<long>> together(&nodes);
        std::list<long, alloc::allocator<long>> everywhere;
        fill_both(together, everywhere);
        std::printf("side by side: %s in the family, %s outside\n", neighbours(together) > 990 ? "nearly all" : "few",
                    neighbours(everywhere) > 990 ? "nearly all" : "few");
    }

    // The same with a memory resource; the strings within are of the family too.
    alloc::family_resource resource(&nodes);
    {
        std::pmr::vector<std::pmr::string> lines(&resource);
        for (int i = 0; i < 1000; i++)
            lines.emplace_back("a line that is too long to lie in the string itself");
        struct alloc_family_stats stats;
        if (alloc_family_stats(&nodes, &stats, sizeof stats) != 0)
            return 1;
        std::printf("%zu lines, %s\n", lines.size(), stats.used_bytes > 1000 * 50 ? "in the family" : "elsewhere");
    }
    alloc_family_destroy(&nodes);
}
