// alloc: the C++ surface, C++17 and later, all of it inline over <alloc/alloc_std.h> and <alloc/alloc_family.h>.
//
//     alloc::allocator<T>       for the standard containers: std::list<int, alloc::allocator<int>>
//     alloc::memory_resource    for polymorphic allocators: std::pmr::vector<int> v(alloc::resource());
//     alloc::make_unique<T>     makes an alloc::unique_ptr<T>, which alloc::deleter<T> frees; also of arrays, T[]
//     alloc::family_allocator<T>, alloc::family_resource   the first two, of a family: what it has lies together
//
// All blocks are of the aligned family, with the alignment of their type: they have the tightest size class (a
// container's node of 24 bytes takes 24) and are freed with their size, so that nothing is kept per block. A block made
// here may be freed or resized there, and the other way round. Nothing here has state but which family it is of.
//
// Errors: std::bad_alloc where memory is short, the size is one that nobody can have or the alignment is above
// ALLOC_ALIGN_MAX; std::bad_array_new_length where a std::size_t does not hold the size in bytes; std::abort() where
// exceptions are off (-fno-exceptions). The new handler is not called. Threads: everything may be called from any thread
// at any time, and what one allocates another may free. Complexity: as in <alloc/alloc_std.h>, plus what constructors and
// destructors do.
#ifndef ALLOC_HPP
#define ALLOC_HPP

#include <alloc/alloc_family.h>
#include <alloc/alloc_std.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#if __has_include(<memory_resource>)
#include <memory_resource>
#endif

namespace alloc
{

namespace detail
{

template <class Error> [[noreturn]] void fail()
{
#ifdef __cpp_exceptions
    throw Error();
#else
    std::abort();
#endif
}

// Where blocks come from and go to: no family, or one.
struct anywhere {
    static void *allocate(std::size_t size, std::size_t align) noexcept { return alloc_malloc_aligned(size, align); }
    static void free(void *ptr, std::size_t size, std::size_t align) noexcept { alloc_free_aligned(ptr, size, align); }
};

struct within {
    alloc_family *handle;

    void *allocate(std::size_t size, std::size_t align) const noexcept
    {
        return alloc_family_malloc_aligned(handle, size, align);
    }
    void free(void *ptr, std::size_t size, std::size_t align) const noexcept
    {
        alloc_family_free_aligned(handle, ptr, size, align);
    }
};

template <class Source> [[nodiscard]] void *allocate(const Source &source, std::size_t size, std::size_t align)
{
    void *ptr = source.allocate(size, align);
    if (ptr == nullptr)
        fail<std::bad_alloc>();
    return ptr;
}

template <class T> inline constexpr std::size_t element_size = sizeof(T); // NOLINT(bugprone-sizeof-expression): any T

// The size of `count` T in bytes.
template <class T> std::size_t size_of(std::size_t count)
{
    if (count > SIZE_MAX / element_size<T>)
        fail<std::bad_array_new_length>();
    return count * element_size<T>;
}

// A block that is freed unless it is released: for a constructor that throws.
class block
{
  public:
    block(std::size_t bytes, std::size_t alignment)
        : ptr(detail::allocate(anywhere(), bytes, alignment)), size(bytes), align(alignment)
    {
    }
    ~block() { alloc_free_aligned(ptr, size, align); }
    block(const block &) = delete;
    block &operator=(const block &) = delete;

    void *get() const noexcept { return ptr; }
    void release() noexcept { ptr = nullptr; }

  private:
    void *ptr;
    std::size_t size, align;
};

// Frees `count` objects whose destructors have run.
template <class T, class Source = anywhere>
void free_objects(T *ptr, std::size_t count, const Source &source = Source()) noexcept
{
    source.free(const_cast<std::remove_cv_t<T> *>(ptr), count * element_size<T>, alignof(T));
}

} // namespace detail

// ---- containers -----------------------------------------------------------------------------------------------------

// What allocator<T>::allocate_at_least returns: a pointer and for how many objects there is room.
#ifdef __cpp_lib_allocate_at_least
template <class Pointer> using allocation_result = std::allocation_result<Pointer>;
#else
template <class Pointer> struct allocation_result {
    Pointer ptr;
    std::size_t count;
};
#endif

namespace detail
{

// What allocators have, wherever their blocks come from.
template <class T, class Source> class allocator_of : protected Source
{
  public:
    using value_type = T;
    using size_type = std::size_t;
    using difference_type = std::ptrdiff_t;
    using propagate_on_container_move_assignment = std::true_type;

    constexpr allocator_of() noexcept = default;
    constexpr explicit allocator_of(const Source &source) noexcept : Source(source) {}

    // Memory for `count` T, aligned for T; a count of 0 gives a unique pointer.
    [[nodiscard]] T *allocate(std::size_t count)
    {
        return static_cast<T *>(detail::allocate(source(), detail::size_of<T>(count), alignof(T)));
    }

    // As allocate, and says for how many T the block has room: at least `count`. Freed with any number from `count` to
    // that. Containers of C++23 ask for it, so that no byte of a block lies idle.
    [[nodiscard]] allocation_result<T *> allocate_at_least(std::size_t count)
    {
        T *ptr = allocate(count);
        return {ptr, alloc_good_size_aligned(count * detail::element_size<T>, alignof(T)) / detail::element_size<T>};
    }

    // Frees what allocate(count) gave. Keeps errno.
    void deallocate(T *ptr, std::size_t count) noexcept { detail::free_objects(ptr, count, source()); }

  private:
    constexpr const Source &source() const noexcept { return *this; }
};

} // namespace detail

// An allocator for containers of T, which may be incomplete until memory is asked for. All are equal, whatever their T:
// what one allocates, any other frees, so containers swap and move without touching their elements.
template <class T> class allocator : public detail::allocator_of<T, detail::anywhere>
{
  public:
    using is_always_equal = std::true_type;

    constexpr allocator() noexcept = default;
    template <class U> constexpr allocator(const allocator<U> & /*other*/) noexcept {}
};

template <class T, class U> constexpr bool operator==(const allocator<T> & /*a*/, const allocator<U> & /*b*/) noexcept
{
    return true;
}

template <class T, class U> constexpr bool operator!=(const allocator<T> & /*a*/, const allocator<U> & /*b*/) noexcept
{
    return false;
}

// The same for containers in a family, which must be there as long as they are. Allocators of one family are equal.
// Containers take their family along when they are copied, moved or swapped; one that is assigned to by copying keeps
// its own. Elements are destroyed as ever: whoever resets the family first must not let the container do that.
template <class T> class family_allocator : public detail::allocator_of<T, detail::within>
{
  public:
    using propagate_on_container_swap = std::true_type;
    using is_always_equal = std::false_type;

    constexpr family_allocator(alloc_family *family) noexcept
        : detail::allocator_of<T, detail::within>(detail::within{family})
    {
    }
    template <class U>
    constexpr family_allocator(const family_allocator<U> &other) noexcept : family_allocator(other.family())
    {
    }

    constexpr alloc_family *family() const noexcept { return this->handle; }
};

template <class T, class U>
constexpr bool operator==(const family_allocator<T> &a, const family_allocator<U> &b) noexcept
{
    return a.family() == b.family();
}

template <class T, class U>
constexpr bool operator!=(const family_allocator<T> &a, const family_allocator<U> &b) noexcept
{
    return a.family() != b.family();
}

// ---- polymorphic allocators -----------------------------------------------------------------------------------------

#if __has_include(<memory_resource>)
class memory_resource;

// The one memory resource. It is never destroyed: what has static storage duration may free with it at any time.
inline memory_resource *resource() noexcept;

// A memory resource over the library: deallocating passes size and alignment on.
class memory_resource final : public std::pmr::memory_resource
{
  public:
    memory_resource(const memory_resource &) = delete;
    memory_resource &operator=(const memory_resource &) = delete;

    friend memory_resource *resource() noexcept;

  private:
    memory_resource() = default;

    void *do_allocate(std::size_t size, std::size_t align) override
    {
        return detail::allocate(detail::anywhere(), size, align);
    }

    void do_deallocate(void *ptr, std::size_t size, std::size_t align) override
    {
        alloc_free_aligned(ptr, size, align);
    }

    bool do_is_equal(const std::pmr::memory_resource &other) const noexcept override { return this == &other; }
};

inline memory_resource *resource() noexcept
{
    alignas(memory_resource) static unsigned char storage[sizeof(memory_resource)];
    static memory_resource *const instance = ::new (static_cast<void *>(storage)) memory_resource;
    return instance;
}

// A memory resource over a family, which must be there as long as it is. Resources of one family are equal; without
// run-time type information (-fno-rtti) each is equal to itself alone.
class family_resource final : public std::pmr::memory_resource
{
  public:
    explicit family_resource(alloc_family *family) noexcept : source{family} {}

    alloc_family *family() const noexcept { return source.handle; }

  private:
    void *do_allocate(std::size_t size, std::size_t align) override { return detail::allocate(source, size, align); }

    void do_deallocate(void *ptr, std::size_t size, std::size_t align) override { source.free(ptr, size, align); }

    bool do_is_equal(const std::pmr::memory_resource &other) const noexcept override
    {
#ifdef __cpp_rtti
        const auto *same = dynamic_cast<const family_resource *>(&other);
        return same != nullptr && same->family() == family();
#else
        return this == &other;
#endif
    }

    const detail::within source;
};
#endif

// ---- unique pointers ------------------------------------------------------------------------------------------------

// Destroys and frees a T from make_unique. It frees sizeof(T) bytes, so there is no conversion to a base's deleter.
template <class T> struct deleter {
    void operator()(T *ptr) const noexcept
    {
        ptr->~T();
        detail::free_objects(ptr, 1);
    }
};

// The same for an array: knows how many elements there are, and destroys them last to first.
template <class T> class deleter<T[]>
{
  public:
    constexpr deleter() noexcept = default;
    constexpr explicit deleter(std::size_t count) noexcept : elements(count) {}

    constexpr std::size_t count() const noexcept { return elements; }

    void operator()(T *ptr) const noexcept
    {
        for (std::size_t i = elements; i > 0; i--)
            ptr[i - 1].~T();
        detail::free_objects(ptr, elements);
    }

  private:
    std::size_t elements = 0;
};

template <class T> using unique_ptr = std::unique_ptr<T, deleter<T>>;

// A T made from the arguments, which its pointer destroys and frees. As large as a plain pointer.
template <class T, class... Arguments>
[[nodiscard]] std::enable_if_t<!std::is_array<T>::value, unique_ptr<T>> make_unique(Arguments &&...arguments)
{
    detail::block memory(detail::size_of<T>(1), alignof(T));
    T *object = ::new (memory.get()) T(std::forward<Arguments>(arguments)...);
    memory.release();
    return unique_ptr<T>(object);
}

// An array of `count` elements, value-initialised (numbers are 0), for T[] without a bound. The pointer's get_deleter()
// knows the count.
template <class T>
[[nodiscard]] std::enable_if_t<std::is_array<T>::value && std::extent<T>::value == 0, unique_ptr<T>>
make_unique(std::size_t count)
{
    using element = std::remove_cv_t<std::remove_extent_t<T>>;
    detail::block memory(detail::size_of<element>(count), alignof(element));
    element *array = static_cast<element *>(memory.get());
    std::uninitialized_value_construct_n(array, count);
    memory.release();
    return unique_ptr<T>(array, deleter<T>(count));
}

} // namespace alloc

#endif
