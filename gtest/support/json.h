// A JSON text as C++ values: as much of RFC 8259 as statistics use, and strict about it.
#ifndef ALLOC_TEST_JSON_H
#define ALLOC_TEST_JSON_H

#include <cctype>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace json
{

struct Value {
    size_t number = 0;
    std::string text;
    std::map<std::string, Value> members;
    std::vector<Value> elements;

    const Value &at(const std::string &name) const { return members.at(name); }
};

// Throws std::invalid_argument with the place where the text is not as it should be.
class Parser
{
  public:
    explicit Parser(const std::string &text) : text(text) {}

    Value parse()
    {
        Value all = value();
        skip_space();
        if (at != text.size())
            fail();
        return all;
    }

  private:
    Value value()
    {
        Value result;
        if (take('{'))
            list('}', [&] {
                const std::string name = string();
                expect(':');
                if (!result.members.emplace(name, value()).second)
                    fail();
            });
        else if (take('['))
            list(']', [&] { result.elements.push_back(value()); });
        else if (skip_space(); at < text.size() && text[at] == '"')
            result.text = string();
        else
            result.number = number();
        return result;
    }

    template <class Element> void list(char end, Element element)
    {
        if (take(end))
            return;
        do
            element();
        while (take(','));
        expect(end);
    }

    std::string string()
    {
        expect('"');
        std::string content;
        while (at < text.size() && text[at] != '"' && static_cast<unsigned char>(text[at]) >= ' ')
            content += text[at] == '\\' ? escaped() : text[at++];
        if (at == text.size() || text[at++] != '"')
            fail();
        return content;
    }

    // A character of ASCII by its number, the only form of escape that is written.
    char escaped()
    {
        const std::string digits = text.substr(at + 2, 4);
        if (text.compare(at, 4, "\\u00") != 0 || digits.find_first_not_of("0123456789abcdef") != std::string::npos ||
            digits.size() < 4 || digits[2] > '7')
            fail();
        at += 6;
        return static_cast<char>(std::stoul(digits, nullptr, 16));
    }

    size_t number()
    {
        skip_space();
        const size_t start = at;
        while (at < text.size() && std::isdigit(static_cast<unsigned char>(text[at])) != 0)
            at++;
        if (at == start || (text[start] == '0' && at - start > 1))
            fail();
        return std::stoull(text.substr(start, at - start));
    }

    void skip_space() { at = std::min(text.find_first_not_of(" \t\r\n", at), text.size()); }

    bool take(char expected)
    {
        skip_space();
        const bool is_there = at < text.size() && text[at] == expected;
        at += is_there ? 1 : 0;
        return is_there;
    }

    void expect(char expected)
    {
        if (!take(expected))
            fail();
    }

    [[noreturn]] void fail() const { throw std::invalid_argument("not JSON from here: " + text.substr(at)); }

    const std::string &text;
    size_t at = 0;
};

inline Value parse(const std::string &text) { return Parser(text).parse(); }

} // namespace json

#endif
