// operator new and delete, where the library is in their place: all forms of C++17, what happens when memory is short, and
// sizes that are not what was asked for.
#include "dropin.h"

#include <algorithm>
#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <new>
#include <set>
#include <stdexcept>
#include <string>
#include <unordered_map>
#if ALLOC_THREADS
#include <thread>
#endif

using namespace support;
using namespace dropin;

namespace
{

constexpr std::nothrow_t nothrow{};

// The four ways to ask, for objects and for arrays.
struct Form {
    const char *name;
    bool throws, is_aligned;
    void *(*allocate)(size_t size, std::align_val_t align);
};

constexpr Form forms[] = {
    {"new", true, false, [](size_t size, std::align_val_t) { return ::operator new(size); }},
    {"new[]", true, false, [](size_t size, std::align_val_t) { return ::operator new[](size); }},
    {"new nothrow", false, false, [](size_t size, std::align_val_t) { return ::operator new(size, nothrow); }},
    {"new[] nothrow", false, false, [](size_t size, std::align_val_t) { return ::operator new[](size, nothrow); }},
    {"new aligned", true, true, [](size_t size, std::align_val_t align) { return ::operator new(size, align); }},
    {"new[] aligned", true, true, [](size_t size, std::align_val_t align) { return ::operator new[](size, align); }},
    {"new aligned nothrow", false, true,
     [](size_t size, std::align_val_t align) { return ::operator new(size, align, nothrow); }},
    {"new[] aligned nothrow", false, true,
     [](size_t size, std::align_val_t align) { return ::operator new[](size, align, nothrow); }},
};

// And the six to give back what was asked for in the plain way, then in the aligned one.
using Release = void (*)(void *block, size_t size, std::align_val_t align);
constexpr Release plain_releases[] = {
    [](void *block, size_t, std::align_val_t) { ::operator delete(block); },
    [](void *block, size_t, std::align_val_t) { ::operator delete[](block); },
    [](void *block, size_t size, std::align_val_t) { ::operator delete(block, size); },
    [](void *block, size_t size, std::align_val_t) { ::operator delete[](block, size); },
    [](void *block, size_t, std::align_val_t) { ::operator delete(block, nothrow); },
    [](void *block, size_t, std::align_val_t) { ::operator delete[](block, nothrow); },
};
constexpr Release aligned_releases[] = {
    [](void *block, size_t, std::align_val_t align) { ::operator delete(block, align); },
    [](void *block, size_t, std::align_val_t align) { ::operator delete[](block, align); },
    [](void *block, size_t size, std::align_val_t align) { ::operator delete(block, size, align); },
    [](void *block, size_t size, std::align_val_t align) { ::operator delete[](block, size, align); },
    [](void *block, size_t, std::align_val_t align) { ::operator delete(block, align, nothrow); },
    [](void *block, size_t, std::align_val_t align) { ::operator delete[](block, align, nothrow); },
};

constexpr size_t sizes[] = {0, 1, 8, 24, 100, 4096, 70000, 512 * KiB + 1, 2 * MiB};

class New : public testing::Test
{
  protected:
    // For what ends the process, one of its own from its start: it reads the environment then.
    void SetUp() override { testing::FLAGS_gtest_death_test_style = "threadsafe"; }
};

size_t large_live()
{
    struct alloc_stats now;
    EXPECT_EQ(alloc_stats(&now, sizeof now), 0);
    return now.large_live;
}

// And every way back frees: up to 4096 bytes, what is freed last is handed out first.
TEST_F(New, EveryFormIsTheLibrarys)
{
    const size_t live = large_live();
    for (const Form &form : forms)
        for (size_t size : sizes)
            for (size_t align : {size_t{8}, size_t{64}, size_t{4096}, MiB}) {
                uintptr_t freed = 0;
                for (Release release : form.is_aligned ? aligned_releases : plain_releases) {
                    void *block = escape(form.allocate(opaque(size), std::align_val_t(align)));
                    ASSERT_NE(block, nullptr) << form.name << ", " << size;
                    EXPECT_TRUE(is_ours(block)) << form.name << ", " << size;
                    const size_t least = std::max<size_t>(ALLOC_MALLOC_ALIGN, size > 8 ? 16 : 8);
                    EXPECT_TRUE(is_aligned(block, form.is_aligned ? align : least)) << form.name << ", " << size;
                    EXPECT_GE(malloc_usable_size(block), size) << form.name;
                    EXPECT_TRUE(freed == 0 || freed == reinterpret_cast<uintptr_t>(block)) << form.name << ", " << size;
                    freed = malloc_usable_size(block) <= 4096 && align <= 4096 ? reinterpret_cast<uintptr_t>(block) : 0;
                    fill_edges(block, size, align);
                    release(block, size, std::align_val_t(align));
                    release(nullptr, size, std::align_val_t(align));
                }
            }
    EXPECT_EQ(large_live(), live);
}

// ---- when memory is short ---------------------------------------------------------------------------------------------

TEST_F(New, ThrowsOrReturnsNull)
{
    for (const Form &form : forms)
        for (size_t size : {impossible, SIZE_MAX, SIZE_MAX / 2})
            if (form.throws) {
                EXPECT_THROW(escape(form.allocate(opaque(size), std::align_val_t(64))), std::bad_alloc) << form.name;
            } else {
                EXPECT_EQ(escape(form.allocate(opaque(size), std::align_val_t(64))), nullptr) << form.name;
            }
}

// More than the library has: never a null pointer from a function of which nobody expects one.
TEST_F(New, RefusesAlignmentsThatItDoesNotHave)
{
    for (const Form &form : forms)
        for (size_t align : {size_t{1} << 47, size_t{1} << 62, size_t{1} << 63})
            if (form.is_aligned && form.throws) {
                EXPECT_THROW(escape(form.allocate(8, std::align_val_t(opaque(align)))), std::bad_alloc) << form.name;
            } else if (form.is_aligned) {
                EXPECT_EQ(escape(form.allocate(8, std::align_val_t(opaque(align)))), nullptr) << form.name;
            }
}

TEST_F(New, LosesNothingByThrowing)
{
    const auto fail = [] {
        try {
            delete escape(new char[opaque(impossible)]);
        } catch (const std::bad_alloc &) {
        }
    };
    fail();
    const size_t before = resident_bytes();
    for (size_t i = 0; i < repetitions(20000); i++)
        fail();
    EXPECT_LT(resident_bytes(), before + MiB);
}

// The handler finds memory at its third call: until then it is asked again. Nobody asks it for those who can do without.
int calls_left;

TEST_F(New, AsksTheNewHandlerUntilThereIsMemory)
{
    for (const Form &form : forms) {
        struct alloc_stats now;
        ASSERT_EQ(alloc_stats(&now, sizeof now), 0);
        ASSERT_EQ(alloc_option_set(ALLOC_OPTION_MAPPED_LIMIT, now.committed_bytes + MiB), 0);
        calls_left = 3;
        std::set_new_handler([] {
            if (--calls_left == 0)
                alloc_option_set(ALLOC_OPTION_MAPPED_LIMIT, 0);
        });
        void *block = escape(form.allocate(500 * MiB, std::align_val_t(64)));
        EXPECT_NE(block, nullptr) << form.name;
        EXPECT_EQ(calls_left, 0) << form.name;
        std::set_new_handler(nullptr);
        ASSERT_EQ(alloc_option_set(ALLOC_OPTION_MAPPED_LIMIT, 0), 0);
        (form.is_aligned ? aligned_releases : plain_releases)[0](block, 500 * MiB, std::align_val_t(64));
    }
}

// A handler that throws ends the search: the forms that throw nothing return no memory.
TEST_F(New, EndsWithWhatTheNewHandlerThrows)
{
    for (const Form &form : forms) {
        struct alloc_stats now;
        ASSERT_EQ(alloc_stats(&now, sizeof now), 0);
        ASSERT_EQ(alloc_option_set(ALLOC_OPTION_MAPPED_LIMIT, now.committed_bytes + MiB), 0);
        std::set_new_handler([] { throw std::bad_alloc(); });
        if (form.throws) {
            EXPECT_THROW(escape(form.allocate(500 * MiB, std::align_val_t(64))), std::bad_alloc) << form.name;
        } else {
            EXPECT_EQ(escape(form.allocate(500 * MiB, std::align_val_t(64))), nullptr) << form.name;
        }
        std::set_new_handler(nullptr);
        ASSERT_EQ(alloc_option_set(ALLOC_OPTION_MAPPED_LIMIT, 0), 0);
    }
}

// A handler that sees no way removes itself; one that knows better throws.
TEST_F(New, EndsWhereTheNewHandlerSaysSo)
{
    for (const Form &form : forms)
        for (std::new_handler handler : {+[] { std::set_new_handler(nullptr); }, +[] { throw std::bad_alloc(); }}) {
            std::set_new_handler(handler);
            if (form.throws) {
                EXPECT_THROW(escape(form.allocate(opaque(impossible), std::align_val_t(64))), std::bad_alloc)
                    << form.name;
            } else {
                EXPECT_EQ(escape(form.allocate(opaque(impossible), std::align_val_t(64))), nullptr) << form.name;
            }
            std::set_new_handler(nullptr);
        }
}

// ---- programs ---------------------------------------------------------------------------------------------------------

struct alignas(256) Wide {
    char bytes[300];
};

struct Base {
    virtual ~Base() = default;
    size_t number = 0;
};
struct Derived : Base {
    std::string text = std::string(200, 'x');
    size_t more[10] = {};
};

struct Failing {
    explicit Failing(bool fails)
    {
        if (fails)
            throw std::runtime_error("no");
    }
    char bytes[100];
};

// Whatever compilers make of new and delete expressions passes sizes that the library finds right.
TEST_F(New, ServesWhatCompilersMakeOfExpressions)
{
    ASSERT_EQ(alloc_option_set(ALLOC_OPTION_STRICT, 1), 0);
    delete escape(new char);
    delete[] escape(new char[opaque(0)]);
    delete[] escape(new std::string[opaque(0)]);
    delete[] escape(new std::string[opaque(17)]);
    delete escape<Base>(new Derived);
    Wide *wide = escape(new Wide);
    EXPECT_TRUE(is_aligned(wide, 256));
    delete wide;
    wide = escape(new Wide[opaque(5)]);
    EXPECT_TRUE(is_aligned(wide + 4, 256));
    delete[] wide;
    EXPECT_THROW(delete escape(new Failing(opaque(1) != 0)), std::runtime_error);
    EXPECT_THROW(delete[] escape(new Failing[2]{Failing(false), Failing(true)}), std::runtime_error);
}

TEST_F(New, ServesContainers)
{
    ASSERT_EQ(alloc_option_set(ALLOC_OPTION_STRICT, 1), 0);
    Random random(0);
    std::map<uint64_t, std::string> sorted;
    std::unordered_map<std::string, std::shared_ptr<std::vector<uint64_t>>> hashed;
    std::list<std::unique_ptr<Base>> list;
    std::vector<Wide> wide;
    for (size_t i = 0; i < repetitions(20000); i++) {
        const uint64_t key = random.below(2000);
        sorted[key] += "and more";
        hashed.emplace(std::to_string(key), std::make_shared<std::vector<uint64_t>>(key % 100, key));
        list.push_back(std::make_unique<Derived>());
        list.back()->number = key;
        if (i % 20 == 0)
            wide.push_back(Wide());
        if (random.one_in(3)) {
            sorted.erase(random.below(2000));
            hashed.erase(std::to_string(random.below(2000)));
            list.pop_front();
        }
    }
    for (const auto &[key, values] : hashed)
        for (uint64_t value : *values)
            EXPECT_EQ(std::to_string(value), key);
}

#if ALLOC_THREADS

TEST_F(New, ServesThreadsThatPassObjectsOn)
{
    std::vector<std::unique_ptr<Derived>> objects;
    for (size_t round = 0; round < repetitions(200); round++)
        std::thread([&objects, round] {
            for (std::unique_ptr<Derived> &object : objects)
                EXPECT_EQ(object->number, round);
            objects.clear();
            for (size_t i = 0; i < 50; i++) {
                objects.push_back(std::make_unique<Derived>());
                objects.back()->number = round + 1;
            }
        }).join();
}

#endif

// ---- sizes that are not what was asked for --------------------------------------------------------------------------------

const std::string wrong_size =
    "alloc: operator delete\\(0x[0-9a-f]+, [0-9, ]+\\): wrong size: its slab holds slots of 112 bytes\n";

void delete_wrongly()
{
    for (size_t round = 0; round < 3; round++) {
        void *block = escape(::operator new(opaque(100)));
        const auto address = reinterpret_cast<uintptr_t>(block);
        ::operator delete(block, opaque(500));
        block = escape(::operator new(opaque(100)));
        if (reinterpret_cast<uintptr_t>(block) != address)
            std::exit(2); // it was not freed for what it is
        ::operator delete[](block, opaque(1));
    }
    std::exit(0);
}

TEST_F(New, ReportsAWrongSizeOnceAndFreesTheBlock)
{
    EXPECT_EXIT(delete_wrongly(), testing::ExitedWithCode(0), "^" + wrong_size + "$");
}

TEST_F(New, AbortsForAWrongSizeWhereTheEnvironmentIsStrict)
{
    ASSERT_EQ(setenv("ALLOC_STRICT", "1", 1), 0);
    EXPECT_EXIT(delete_wrongly(), testing::KilledBySignal(SIGABRT), "^" + wrong_size + "$");
    unsetenv("ALLOC_STRICT");
}

TEST_F(New, SaysNothingOfAWrongSizeWhereTheEnvironmentIsSilent)
{
    ASSERT_EQ(setenv("ALLOC_VERBOSITY", "0", 1), 0);
    EXPECT_EXIT(delete_wrongly(), testing::ExitedWithCode(0), "^$");
    unsetenv("ALLOC_VERBOSITY");
}

} // namespace
