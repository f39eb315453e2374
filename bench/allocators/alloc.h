// alloc, by its sized interface. Powers of two take the natural functions; other sizes, and blocks that are resized, the
// aligned ones, with the alignment malloc gives. Where the size is a constant, so is the choice.
#include <alloc/alloc_family.h>

#include <string>

namespace allocator
{

constexpr size_t malloc_alignment = 16;

constexpr bool is_power_of_two(size_t size) { return (size & (size - 1)) == 0; }

inline void *allocate(size_t size)
{
    return is_power_of_two(size) ? alloc_malloc(size) : alloc_malloc_aligned(size, malloc_alignment);
}

inline void release(void *ptr, size_t size)
{
    is_power_of_two(size) ? alloc_free(ptr, size) : alloc_free_aligned(ptr, size, malloc_alignment);
}

inline void *allocate_zeroed(size_t size)
{
    return is_power_of_two(size) ? alloc_zalloc(size) : alloc_zalloc_aligned(size, malloc_alignment);
}

inline void *resize(void *ptr, size_t old_size, size_t new_size)
{
    return alloc_realloc_aligned(ptr, old_size, new_size, malloc_alignment);
}

inline void release_resized(void *ptr, size_t size) { alloc_free_aligned(ptr, size, malloc_alignment); }

#define ALLOCATOR_HAS_FAMILIES
class Family
{
  public:
    static constexpr bool resets = true;
    ~Family() { alloc_family_destroy(&family_); }
    void *allocate(size_t size, size_t) { return alloc_family_malloc_aligned(&family_, size, malloc_alignment); }
    void release(void *ptr, size_t size) { alloc_family_free_aligned(&family_, ptr, size, malloc_alignment); }
    void reset() { alloc_family_reset(&family_); }

  private:
    alloc_family family_ = ALLOC_FAMILY_INIT("bench");
};

inline const void *entry() { return reinterpret_cast<const void *>(alloc_malloc); }

inline std::string version() { return alloc_version_string(); }

} // namespace allocator
