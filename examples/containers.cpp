// Containers, polymorphic allocators and unique pointers.
#include <alloc/alloc.hpp>

#include <cstdio>
#include <list>
#include <map>
#include <memory_resource>
#include <string>
#include <unordered_map>
#include <vector>

namespace
{

template <class T> using list = std::list<T, alloc::allocator<T>>;
template <class K, class V> using map = std::map<K, V, std::less<K>, alloc::allocator<std::pair<const K, V>>>;
using string = std::basic_string<char, std::char_traits<char>, alloc::allocator<char>>;

struct shape {
    explicit shape(int n) : corners(n) {}
    int corners;
};

} // namespace

int main()
{
    // The allocator as a type: a node takes what it has, 24 bytes for two links and a number.
    list<long> numbers;
    for (long i = 0; i < 1000; i++)
        numbers.push_back(i);
    map<int, string> names;
    names.emplace(1, "a name that is too long to lie in the string itself");
    std::printf("%zu numbers, %s\n", numbers.size(), names.at(1).c_str());

    // The allocator as a value: containers of one type, wherever their memory comes from.
    std::pmr::unordered_map<std::pmr::string, int> ages(alloc::resource());
    ages["a key that is too long to lie in the string itself"] = 7;
    std::pmr::monotonic_buffer_resource arena(alloc::resource()); // takes its buffers there
    std::pmr::vector<int> vector(1000, 3, &arena);
    std::printf("%zu ages, %zu elements\n", ages.size(), vector.size());

    // One object, and an array whose pointer knows how long it is.
    auto triangle = alloc::make_unique<shape>(3);
    auto zeros = alloc::make_unique<double[]>(100);
    std::printf("%d corners, %zu zeros\n", triangle->corners, zeros.get_deleter().count());
}
