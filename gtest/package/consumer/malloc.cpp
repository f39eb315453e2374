// The same in C++, for operator new, and what is made by it.
#include <malloc.h>
#include <string>

int main()
{
    const std::string text(999, 'x');
    char *block = new char[1000];
    const bool in_place =
        malloc_usable_size(block) == 1024 && malloc_usable_size(const_cast<char *>(text.data())) == 1024;
    delete[] block;
    return in_place ? 0 : 1;
}
