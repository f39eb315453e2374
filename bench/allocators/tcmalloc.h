// The tcmalloc of gperftools, by its own names and with the size.
#include <gperftools/tcmalloc.h>

#include <string>

namespace allocator
{

inline void *allocate(size_t size) { return tc_malloc(size); }

inline void release(void *ptr, size_t size) { tc_free_sized(ptr, size); }

inline void *allocate_zeroed(size_t size) { return tc_calloc(1, size); }

inline void *resize(void *ptr, size_t, size_t new_size) { return tc_realloc(ptr, new_size); }

// Without the size: tc_realloc may take more than it was asked for, and then the size asked for has another class.
inline void release_resized(void *ptr, size_t) { tc_free(ptr); }

inline const void *entry() { return reinterpret_cast<const void *>(tc_malloc); }

inline std::string version() { return tc_version(nullptr, nullptr, nullptr); }

} // namespace allocator
