// snmalloc under the names of malloc, and operator delete with the size, its free that takes one.
#include <cstdlib>
#include <new>
#include <string>

namespace allocator
{

inline void *allocate(size_t size) { return std::malloc(size); }

inline void release(void *ptr, size_t size) { ::operator delete(ptr, size); }

inline void *allocate_zeroed(size_t size) { return std::calloc(1, size); }

inline void *resize(void *ptr, size_t, size_t new_size) { return std::realloc(ptr, new_size); }

inline void release_resized(void *ptr, size_t size) { release(ptr, size); }

inline const void *entry() { return reinterpret_cast<const void *>(std::malloc); }

inline std::string version() { return "?"; } // the library does not tell

} // namespace allocator
