// alloc under the names of malloc and free: the drop-in, for who does not pass the size.
#include "malloc.h"

#include <alloc/alloc_std.h>

namespace allocator
{

inline std::string version() { return alloc_version_string(); }

} // namespace allocator
