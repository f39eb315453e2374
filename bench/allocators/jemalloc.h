// jemalloc: malloc, and sdallocx, its free that takes the size.
#include <jemalloc/jemalloc.h>

#include <string>

namespace allocator
{

inline void *allocate(size_t size) { return malloc(size); }

inline void release(void *ptr, size_t size) { sdallocx(ptr, size, 0); }

inline void *allocate_zeroed(size_t size) { return calloc(1, size); }

inline void *resize(void *ptr, size_t, size_t new_size) { return realloc(ptr, new_size); }

inline void release_resized(void *ptr, size_t size) { release(ptr, size); }

inline const void *entry() { return reinterpret_cast<const void *>(sdallocx); }

inline std::string version()
{
    const char *text = "?";
    size_t size = sizeof text;
    mallctl("version", &text, &size, nullptr, 0);
    return text;
}

} // namespace allocator
