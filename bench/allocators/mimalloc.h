// mimalloc, by its own names and with the size.
#include <mimalloc.h>

#include <string>

namespace allocator
{

inline void *allocate(size_t size) { return mi_malloc(size); }

inline void release(void *ptr, size_t size) { mi_free_size(ptr, size); }

inline void *allocate_zeroed(size_t size) { return mi_zalloc(size); }

inline void *resize(void *ptr, size_t, size_t new_size) { return mi_realloc(ptr, new_size); }

inline void release_resized(void *ptr, size_t size) { release(ptr, size); }

// Its heaps, of which each serves one thread.
#define ALLOCATOR_HAS_FAMILIES
class Family
{
  public:
    static constexpr bool resets = true;
    ~Family() { reset(); }
    void *allocate(size_t size, size_t thread)
    {
        mi_heap_t *&heap = heaps_[thread];
        if (!heap)
            heap = mi_heap_new();
        return mi_heap_malloc(heap, size);
    }
    void release(void *ptr, size_t size) { mi_free_size(ptr, size); }
    void reset()
    {
        for (mi_heap_t *&heap : heaps_) {
            if (heap)
                mi_heap_destroy(heap);
            heap = nullptr;
        }
    }

  private:
    mi_heap_t *heaps_[2] = {};
};

inline const void *entry() { return reinterpret_cast<const void *>(mi_malloc); }

inline std::string version()
{
    const int number = mi_version(); // 209 is 2.0.9, 30403 is 3.4.3
    const int base = number < 10'000 ? 10 : 100;
    return std::to_string(number / base / base) + "." + std::to_string(number / base % base) + "." +
           std::to_string(number % base);
}

} // namespace allocator
