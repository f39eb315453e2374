// malloc and free of the C library.
#include "malloc.h"
#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

namespace allocator
{

inline std::string version()
{
#ifdef __GLIBC__
    return std::string("glibc ") + gnu_get_libc_version();
#else
    return "?";
#endif
}

} // namespace allocator
