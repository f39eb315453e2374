// A program in C++ that is one file, the C and C++ libraries included: nothing in it uses more of these than operator new.
// Exit status 0 when that is the library's, and throws.
#include <cstdint>
#include <malloc.h>
#include <new>

int main()
{
    static volatile std::size_t impossible = PTRDIFF_MAX - 100;
    char *volatile block = new char[1000]; // volatile: or compilers leave out what is only freed
    if (malloc_usable_size(block) != 1024)
        return 1;
    delete[] block;
    try {
        block = new char[impossible];
    } catch (const std::bad_alloc &) {
        return 0;
    }
    return 2;
}
