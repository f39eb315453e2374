// A program that replaces only the plain forms of operator new and delete, by such as put something before each block: all other
// forms must be made of these, as the C++ runtime's are. Prints what is wrong.
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <new>

namespace
{

constexpr std::size_t header = 16, aligned_header = 256;
int news, deletes, news_aligned, deletes_aligned;

struct Form {
    const char *name;
    void *(*allocate)();
    void (*release)(void *block);
};

constexpr std::nothrow_t nothrow{};
constexpr std::align_val_t align{128};

constexpr Form plain[] = {
    {"new", [] { return ::operator new(100); }, [](void *p) { ::operator delete(p); }},
    {"new[]", [] { return ::operator new[](100); }, [](void *p) { ::operator delete[](p); }},
    {"new nothrow", [] { return ::operator new(100, nothrow); }, [](void *p) { ::operator delete(p, nothrow); }},
    {"new[] nothrow", [] { return ::operator new[](100, nothrow); }, [](void *p) { ::operator delete[](p, nothrow); }},
    {"sized", [] { return ::operator new(100); }, [](void *p) { ::operator delete(p, 100); }},
    {"sized []", [] { return ::operator new[](100); }, [](void *p) { ::operator delete[](p, 100); }},
};

constexpr Form aligned[] = {
    {"new", [] { return ::operator new(100, align); }, [](void *p) { ::operator delete(p, align); }},
    {"new[]", [] { return ::operator new[](100, align); }, [](void *p) { ::operator delete[](p, align); }},
    {"new nothrow", [] { return ::operator new(100, align, nothrow); },
     [](void *p) { ::operator delete(p, align, nothrow); }},
    {"new[] nothrow", [] { return ::operator new[](100, align, nothrow); },
     [](void *p) { ::operator delete[](p, align, nothrow); }},
    {"sized", [] { return ::operator new(100, align); }, [](void *p) { ::operator delete(p, 100, align); }},
    {"sized []", [] { return ::operator new[](100, align); }, [](void *p) { ::operator delete[](p, 100, align); }},
};

template <std::size_t N> int wrong(const char *kind, const Form (&forms)[N], const int &allocated, const int &released)
{
    int count = 0;
    for (const Form &form : forms) {
        const int before = allocated, before_released = released;
        form.release(form.allocate());
        if (allocated == before + 1 && released == before_released + 1)
            continue;
        std::printf("%s, %s: not the program's own\n", form.name, kind);
        count++;
    }
    return count;
}

} // namespace

void *operator new(std::size_t size)
{
    news++;
    char *start = static_cast<char *>(std::malloc(size + header));
    if (start == nullptr)
        throw std::bad_alloc();
    return start + header;
}

void operator delete(void *block) noexcept
{
    deletes++;
    if (block != nullptr)
        std::free(static_cast<char *>(block) - header);
}

void *operator new(std::size_t size, std::align_val_t)
{
    news_aligned++;
    char *start = static_cast<char *>(std::aligned_alloc(aligned_header, size + 2 * aligned_header));
    if (start == nullptr)
        throw std::bad_alloc();
    return start + aligned_header;
}

void operator delete(void *block, std::align_val_t) noexcept
{
    deletes_aligned++;
    if (block != nullptr)
        std::free(static_cast<char *>(block) - aligned_header);
}

int main()
{
    return wrong("plain", plain, news, deletes) + wrong("aligned", aligned, news_aligned, deletes_aligned) == 0 ? 0 : 1;
}
