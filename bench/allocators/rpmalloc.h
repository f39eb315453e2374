// rpmalloc under the names of malloc; it has no free that takes the size.
#include "malloc.h"

namespace allocator
{

inline std::string version() { return "?"; } // the library does not tell

} // namespace allocator
