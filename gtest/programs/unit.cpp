// A source that keeps a compiler busy: templates of the standard library, and functions to inline.
#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <regex>
#include <sstream>
#include <string>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

namespace
{

template <int N> struct Fibonacci {
    static constexpr long value = Fibonacci<N - 1>::value + Fibonacci<N - 2>::value;
};
template <> struct Fibonacci<1> {
    static constexpr long value = 1;
};
template <> struct Fibonacci<0> {
    static constexpr long value = 0;
};

template <class... T> std::string joined(const T &...values)
{
    std::ostringstream text;
    ((text << values << ' '), ...);
    return text.str();
}

using Value = std::variant<int, double, std::string, std::vector<int>>;

struct Describe {
    std::string operator()(int value) const { return "int " + std::to_string(value); }
    std::string operator()(double value) const { return "double " + std::to_string(value); }
    std::string operator()(const std::string &value) const { return "string " + value; }
    std::string operator()(const std::vector<int> &values) const
    {
        return "sum " + std::to_string(std::accumulate(values.begin(), values.end(), 0));
    }
};

template <size_t... I> std::map<int, std::function<long()>> table(std::index_sequence<I...> /*indices*/)
{
    return {{static_cast<int>(I), [] { return Fibonacci<I % 60>::value; }}...};
}

} // namespace

int main()
{
    for (const Value &value : {Value(1), Value(2.5), Value("three"), Value(std::vector<int>{4, 5, 6})})
        std::cout << std::visit(Describe(), value) << '\n';

    std::unordered_map<std::string, std::shared_ptr<std::tuple<int, std::string>>> words;
    const std::string text = "one two three two one two";
    const std::regex word("[a-z]+");
    for (auto it = std::sregex_iterator(text.begin(), text.end(), word); it != std::sregex_iterator(); ++it) {
        auto &entry = words[it->str()];
        if (!entry)
            entry = std::make_shared<std::tuple<int, std::string>>(0, it->str());
        ++std::get<0>(*entry);
    }
    for (const char *name : {"one", "two", "three"})
        std::cout << joined(name, std::get<0>(*words[name])) << '\n';

    long sum = 0;
    for (const auto &[index, function] : table(std::make_index_sequence<200>()))
        sum = sum * 31 + function() + index;
    std::cout << sum << '\n';
}
