// A shared library that a test loads itself, and what loading uses up of a process.
#ifndef ALLOC_TEST_LOADED_H
#define ALLOC_TEST_LOADED_H

#include <cstddef>
#include <dlfcn.h>
#include <fstream>
#include <gtest/gtest.h>
#include <string>

namespace support
{

// From its being loaded to its being unloaded.
class Loaded
{
  public:
    explicit Loaded(const char *path) : handle(dlopen(path, RTLD_NOW | RTLD_LOCAL)) {}
    ~Loaded()
    {
        if (handle != nullptr)
            dlclose(handle);
    }
    Loaded(const Loaded &) = delete;
    Loaded &operator=(const Loaded &) = delete;

    void *const handle; // NULL: it could not be loaded

  protected:
    template <class Function> Function *function(const char *name) const
    {
        if (handle == nullptr)
            return nullptr;
        void *address = dlsym(handle, name);
        EXPECT_NE(address, nullptr) << name;
        return reinterpret_cast<Function *>(address);
    }
};

inline size_t count_mappings()
{
    std::ifstream maps("/proc/self/maps");
    size_t count = 0;
    for (std::string line; std::getline(maps, line);)
        count++;
    return count;
}

} // namespace support

#endif
