// The tcmalloc of gperftools, by its own names and with the size.
#include <gperftools/tcmalloc.h>

#include <string>

namespace allocator
{

inline void *allocate(size_t size) { return tc_malloc(size); }

inline void release(void *ptr, size_t size) { tc_free_sized(ptr, size); }

inline const void *entry() { return reinterpret_cast<const void *>(tc_malloc); }

inline std::string version() { return tc_version(nullptr, nullptr, nullptr); }

} // namespace allocator
