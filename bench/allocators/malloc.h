// malloc and free, as unchanged programs call them: of the C library, or of what replaces them there.
#include <cstdlib>
#include <string>

namespace allocator
{

inline void *allocate(size_t size) { return std::malloc(size); }

inline void release(void *ptr, size_t) { std::free(ptr); }

inline void *allocate_zeroed(size_t size) { return std::calloc(1, size); }

inline void *resize(void *ptr, size_t, size_t new_size) { return std::realloc(ptr, new_size); }

inline void release_resized(void *ptr, size_t size) { release(ptr, size); }

inline const void *entry() { return reinterpret_cast<const void *>(std::malloc); }

} // namespace allocator
