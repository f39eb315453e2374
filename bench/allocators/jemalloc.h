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

// Its arenas, without caches of threads: what these hold would outlive a reset.
#define ALLOCATOR_HAS_FAMILIES
class Family
{
  public:
    static constexpr bool resets = true;
    Family()
    {
        size_t size = sizeof arena_;
        mallctl("arenas.create", &arena_, &size, nullptr, 0);
    }
    ~Family() { control("destroy"); }
    void *allocate(size_t size, size_t) { return mallocx(size, MALLOCX_ARENA(arena_) | MALLOCX_TCACHE_NONE); }
    void release(void *ptr, size_t size) { sdallocx(ptr, size, MALLOCX_TCACHE_NONE); }
    void reset() { control("reset"); }

  private:
    void control(const char *action)
    {
        const std::string name = "arena." + std::to_string(arena_) + "." + action;
        mallctl(name.c_str(), nullptr, nullptr, nullptr, 0);
    }

    unsigned arena_ = 0;
};

inline const void *entry() { return reinterpret_cast<const void *>(sdallocx); }

inline std::string version()
{
    const char *text = "?";
    size_t size = sizeof text;
    mallctl("version", &text, &size, nullptr, 0);
    return text;
}

} // namespace allocator
