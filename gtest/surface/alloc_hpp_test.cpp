// The C++ surface under the standard library's containers and pointers: contents against the standard allocator, nodes
// that lie back to back, alignment of every type, sizes given back as they were asked for (which the library checks),
// errors as exceptions; the same within families.
#include "support.h"

#include <alloc/alloc.hpp>

#include <csignal>
#include <deque>
#include <forward_list>
#include <functional>
#include <list>
#include <map>
#include <memory_resource>
#include <numeric>
#include <set>
#include <string>
#include <thread>
#include <typeinfo>
#include <unordered_map>
#include <unordered_set>

using namespace support;

namespace
{

template <class T> using allocator = alloc::allocator<T>;
template <class T> using vector = std::vector<T, allocator<T>>;
template <class T> using list = std::list<T, allocator<T>>;
template <class T> using deque = std::deque<T, allocator<T>>;
template <class T> using forward_list = std::forward_list<T, allocator<T>>;
template <class T> using set = std::set<T, std::less<T>, allocator<T>>;
template <class T> using unordered_set = std::unordered_set<T, std::hash<T>, std::equal_to<T>, allocator<T>>;
template <class K, class T> using map = std::map<K, T, std::less<K>, allocator<std::pair<const K, T>>>;
template <class K, class T>
using unordered_map = std::unordered_map<K, T, std::hash<K>, std::equal_to<K>, allocator<std::pair<const K, T>>>;
using string = std::basic_string<char, std::char_traits<char>, allocator<char>>;

template <size_t Align> struct alignas(Align) Aligned {
    uint64_t value = 0;
};

// ---- containers, against the standard allocator ---------------------------------------------------------------------

template <class T> class Sequence : public testing::Test
{
};
using Sequences = testing::Types<vector<int>, vector<string>, deque<int>, deque<string>, list<int>, list<string>>;
TYPED_TEST_SUITE(Sequence, Sequences);

// Short strings and ones that have a block of their own.
string text(size_t number) { return string(number % 100, 'a') + std::to_string(number).c_str(); }

template <class T> T element(size_t number)
{
    if constexpr (std::is_same_v<T, string>)
        return text(number);
    else
        return static_cast<T>(number);
}

TYPED_TEST(Sequence, HoldsWhatIsInserted)
{
    using Element = typename TypeParam::value_type;
    TypeParam ours;
    std::vector<Element> expected;
    Random random(1);
    for (size_t i = 0; i < repetitions(20000); i++) {
        const size_t at = random.below(expected.size() + 1);
        const auto offset = static_cast<std::ptrdiff_t>(at);
        if (random.one_in(1000)) {
            ours.clear();
            expected.clear();
        } else if (at < expected.size() && random.one_in(3)) {
            ours.erase(std::next(ours.begin(), offset));
            expected.erase(expected.begin() + offset);
        } else {
            ours.insert(std::next(ours.begin(), offset), element<Element>(i));
            expected.insert(expected.begin() + offset, element<Element>(i));
        }
        if (random.one_in(500)) {
            TypeParam copy = ours, moved = std::move(ours);
            ASSERT_EQ(copy, moved);
            ours = std::move(moved);
            ours.swap(copy);
        }
    }
    EXPECT_TRUE(std::equal(ours.begin(), ours.end(), expected.begin(), expected.end()));
}

template <class T> class Associative : public testing::Test
{
};
using Associatives = testing::Types<map<int, string>, map<string, int>, unordered_map<int, string>,
                                    unordered_map<int, Aligned<64>>, map<int, Aligned<4096>>>;
TYPED_TEST_SUITE(Associative, Associatives);

TYPED_TEST(Associative, HoldsWhatIsInserted)
{
    using Key = typename TypeParam::key_type;
    using Mapped = typename TypeParam::mapped_type;
    TypeParam ours;
    std::map<Key, size_t> expected; // the number that each value came from
    Random random(2);
    auto value = [](size_t number) {
        if constexpr (std::is_class_v<Mapped> && !std::is_same_v<Mapped, string>)
            return Mapped{number};
        else
            return element<Mapped>(number);
    };
    for (size_t i = 0; i < repetitions(20000); i++) {
        const Key key = element<Key>(random.below(1000));
        if (random.one_in(3)) {
            ASSERT_EQ(ours.erase(key), expected.erase(key));
        } else {
            ours[key] = value(i);
            expected[key] = i;
        }
    }
    ASSERT_EQ(ours.size(), expected.size());
    for (const auto &[key, number] : expected) {
        const auto found = ours.find(key);
        ASSERT_NE(found, ours.end());
        ASSERT_TRUE(is_aligned(&found->second, alignof(Mapped)));
        if constexpr (std::is_class_v<Mapped> && !std::is_same_v<Mapped, string>)
            ASSERT_EQ(found->second.value, number);
        else
            ASSERT_EQ(found->second, element<Mapped>(number));
    }
}

TEST(Container, MovesItsMemoryAndNotItsElements)
{
    vector<string> from(1000, "an element that has a block of its own"), to(10);
    const string *elements = from.data();
    to = std::move(from);
    EXPECT_EQ(to.data(), elements);
    vector<string> other(5);
    swap(to, other);
    EXPECT_EQ(other.data(), elements);

    list<int> first(100), second(100);
    const int *middle = &*std::next(second.begin(), 50);
    first.splice(first.begin(), second);
    EXPECT_EQ(&*std::next(first.begin(), 50), middle);
}

TEST(Container, OfAnIncompleteType)
{
    struct Tree {
        vector<Tree> children;
    };
    Tree root;
    root.children.resize(3);
    root.children[1].children.resize(100);
    const Tree copy = root;
    EXPECT_EQ(copy.children[1].children.size(), 100U);
}

TEST(SharedPointer, LivesInOneBlockUntilTheLastReference)
{
    struct Object {
        int *destroyed;
        double payload[5] = {};
        explicit Object(int *count) : destroyed(count) {}
        ~Object() { ++*destroyed; }
        Object(const Object &) = delete;
        Object &operator=(const Object &) = delete;
    };
    int destroyed = 0;
    std::weak_ptr<Object> weak;
    {
        std::shared_ptr<Object> first = std::allocate_shared<Object>(allocator<Object>(), &destroyed), second = first;
        weak = second;
        first.reset();
        EXPECT_EQ(destroyed, 0);
    }
    EXPECT_EQ(destroyed, 1);
    EXPECT_TRUE(weak.expired());

    auto aligned = std::allocate_shared<Aligned<4096>>(allocator<Aligned<4096>>());
    EXPECT_TRUE(is_aligned(aligned.get(), 4096));
}

#if ALLOC_THREADS
TEST(Container, IsFreedByAnotherThread)
{
    map<int, string> numbers;
    std::thread([&] {
        for (size_t i = 0; i < 10000; i++)
            numbers[static_cast<int>(i)] = text(i);
    }).join();
    std::thread([moved = std::move(numbers)] { EXPECT_EQ(moved.at(9999), text(9999)); }).join();
}
#endif

// ---- what a node costs ----------------------------------------------------------------------------------------------

struct Pair {
    int64_t key = 0, value = 0;
};

template <class C, size_t Bytes> struct Nodes {
    using Container = C;
    static constexpr size_t bytes = Bytes;
};

// Links and payload, and nothing else.
using NodeBased =
    testing::Types<Nodes<list<int64_t>, 24>, Nodes<forward_list<Pair>, 24>, Nodes<forward_list<int64_t>, 16>,
                   Nodes<list<Pair>, 32>, Nodes<set<int64_t>, 40>, Nodes<map<int64_t, int64_t>, 48>>;

template <class T> class Node : public testing::Test
{
  protected:
    using Container = typename T::Container;
    static constexpr size_t bytes = T::bytes;

    static void add(Container &container, size_t count)
    {
        const int64_t first = std::distance(container.begin(), container.end());
        for (size_t i = 0; i < count; i++)
            add_one(container, first + static_cast<int64_t>(i));
    }

  private:
    template <class V> static void add_one(list<V> &container, int64_t key) { container.push_back(V{key}); }
    template <class V> static void add_one(forward_list<V> &container, int64_t key) { container.push_front(V{key}); }
    static void add_one(set<int64_t> &container, int64_t key) { container.insert(container.end(), key); }
    static void add_one(map<int64_t, int64_t> &container, int64_t key)
    {
        container.emplace_hint(container.end(), key, key);
    }
};
TYPED_TEST_SUITE(Node, NodeBased);

TYPED_TEST(Node, LiesNextToTheOneBefore)
{
    typename TestFixture::Container container;
    this->add(container, 100000);
    std::vector<uintptr_t> addresses;
    for (const auto &payload : container)
        addresses.push_back(reinterpret_cast<uintptr_t>(&payload));
    std::sort(addresses.begin(), addresses.end());
    std::adjacent_difference(addresses.begin(), addresses.end(), addresses.begin());
    const auto next_to = std::count(addresses.begin() + 1, addresses.end(), TestFixture::bytes);
    EXPECT_GT(next_to, 99900) << "of 99999 nodes; slabs have ends";
}

TYPED_TEST(Node, CostsItsBytesOfResidentMemory)
{
    if (TEST_SANITIZED || ALLOC_DEBUG)
        GTEST_SKIP() << "what watches the engine takes memory too";
    constexpr size_t count = 96 * MiB / TestFixture::bytes;
    expect_in_child([] {
        typename TestFixture::Container container;
        TestFixture::add(container, count / 4);
        const size_t before = resident_bytes();
        TestFixture::add(container, count);
        const auto growth = static_cast<double>(resident_bytes() - before);
        EXPECT_NEAR(growth, 96 * MiB, 3 * MiB) << growth / count << " a node; a slab more or less";
    });
}

// ---- the allocator itself -------------------------------------------------------------------------------------------

using Traits = std::allocator_traits<allocator<int>>;
static_assert(std::is_empty_v<allocator<int>> && sizeof(vector<int>) == sizeof(std::vector<int>), "no state");
static_assert(Traits::is_always_equal::value && Traits::propagate_on_container_move_assignment::value, "any is any");
static_assert(std::is_same_v<Traits::rebind_alloc<Pair>, allocator<Pair>>, "of another type");
static_assert(std::is_nothrow_move_assignable_v<vector<string>> && std::is_nothrow_swappable_v<vector<string>>, "");
static_assert(std::is_nothrow_constructible_v<allocator<int>, const allocator<Pair> &>, "");

TEST(Allocator, FreesWhatAnyOtherAllocated)
{
    const allocator<int> first, second;
    EXPECT_TRUE(first == second && first == allocator<void>());
    EXPECT_FALSE(first != second || first != allocator<Pair>());

    int *numbers = allocator<int>().allocate(100);
    allocator<int>(allocator<Pair>()).deallocate(numbers, 100);
    void *block = allocator<Pair>().allocate(10);
    alloc_free_aligned(block, 10 * sizeof(Pair), alignof(Pair));
}

TEST(Allocator, GivesAUniquePointerForNoElement)
{
    allocator<Pair> pairs;
    Pair *first = pairs.allocate(0), *second = pairs.allocate(0);
    ASSERT_NE(first, nullptr);
    EXPECT_NE(first, second);
    pairs.deallocate(first, 0);
    pairs.deallocate(second, 0);
}

template <class T> class AlignedType : public testing::Test
{
};
using AlignedTypes = testing::Types<Aligned<8>, Aligned<16>, Aligned<32>, Aligned<64>, Aligned<128>, Aligned<256>,
                                    Aligned<512>, Aligned<1024>, Aligned<2048>, Aligned<4096>>;
TYPED_TEST_SUITE(AlignedType, AlignedTypes);

TYPED_TEST(AlignedType, IsAlignedWhereverItIsKept)
{
    constexpr size_t align = alignof(TypeParam);
    vector<TypeParam> in_a_vector;
    deque<TypeParam> in_a_deque;
    list<TypeParam> in_a_list;
    forward_list<TypeParam> in_a_forward_list;
    std::vector<alloc::unique_ptr<TypeParam>> alone;
    std::pmr::list<TypeParam> polymorphic(alloc::resource());
    for (size_t count = 1; count <= 50; count++) {
        in_a_vector.push_back({count});
        in_a_deque.push_back({count});
        in_a_list.push_back({count});
        in_a_forward_list.push_front({count});
        alone.push_back(alloc::make_unique<TypeParam>());
        polymorphic.push_back({count});
        ASSERT_TRUE(is_aligned(in_a_vector.data(), align));
        ASSERT_TRUE(is_aligned(&in_a_deque.back(), align));
        ASSERT_TRUE(is_aligned(&in_a_list.back(), align));
        ASSERT_TRUE(is_aligned(&in_a_forward_list.front(), align));
        ASSERT_TRUE(is_aligned(alone.back().get(), align));
        ASSERT_TRUE(is_aligned(&polymorphic.back(), align));
        ASSERT_TRUE(is_aligned(alloc::make_unique<TypeParam[]>(count).get(), align));
    }
}

TEST(AllocateAtLeast, GivesWhatTheBlockHolds)
{
    allocator<Pair> pairs;
    for (size_t count = 0; count < 100000; count = count * 5 / 4 + 1) {
        const size_t room = alloc_good_size_aligned(count * sizeof(Pair), alignof(Pair)) / sizeof(Pair);
        ASSERT_GE(room, count);
        for (size_t freed_as : {count, (count + room) / 2, room}) {
            auto [ptr, has_room_for] = pairs.allocate_at_least(count);
            ASSERT_EQ(has_room_for, room) << count;
            fill(ptr, room * sizeof(Pair), count);
            ASSERT_TRUE(holds(ptr, room * sizeof(Pair), count));
            pairs.deallocate(ptr, freed_as);
        }
    }
}

// ---- errors ---------------------------------------------------------------------------------------------------------

// The type of what `action` throws: std::bad_array_new_length is a std::bad_alloc, so that catching does not tell.
template <class Action> std::string thrown_by(Action action)
{
    try {
        action();
    } catch (const std::exception &error) {
        return typeid(error).name();
    }
    return "nothing";
}

const std::string no_memory = typeid(std::bad_alloc).name(), bad_length = typeid(std::bad_array_new_length).name();

TEST(Errors, AreExceptions)
{
    allocator<int64_t> numbers;
    volatile size_t most = SIZE_MAX / 8, align = size_t{1} << 62; // hidden from the compiler, which would warn
    EXPECT_EQ(thrown_by([&] { (void)numbers.allocate(most + 1); }), bad_length);
    EXPECT_EQ(thrown_by([&] { (void)numbers.allocate(most); }), no_memory);
    EXPECT_EQ(thrown_by([&] { (void)numbers.allocate(most / 2); }), no_memory);
    EXPECT_EQ(thrown_by([&] { (void)numbers.allocate_at_least(most + 1); }), bad_length);
    EXPECT_EQ(thrown_by([&] { (void)numbers.allocate_at_least(most); }), no_memory);
    EXPECT_EQ(thrown_by([&] { (void)alloc::resource()->allocate(8 * most, 1); }), no_memory);
    EXPECT_EQ(thrown_by([&] { (void)alloc::resource()->allocate(1, align); }), no_memory);
}

TEST(Errors, LeaveAContainerAsItWas)
{
    vector<int> numbers = {1, 2, 3};
    const int *data = numbers.data();
    EXPECT_EQ(thrown_by([&] { numbers.reserve(PTRDIFF_MAX / sizeof(int)); }), no_memory);
    EXPECT_EQ(numbers.data(), data);
    EXPECT_EQ(numbers, (vector<int>{1, 2, 3}));
}

// ---- polymorphic allocators -----------------------------------------------------------------------------------------

TEST(Resource, IsOneAndEqualToItselfAlone)
{
    EXPECT_EQ(alloc::resource(), alloc::resource());
    EXPECT_TRUE(alloc::resource()->is_equal(*alloc::resource()));
    EXPECT_FALSE(alloc::resource()->is_equal(*std::pmr::new_delete_resource()));
    EXPECT_FALSE(std::pmr::new_delete_resource()->is_equal(*alloc::resource()));
}

TEST(Resource, TakesEverySizeAndAlignmentBack)
{
    Random random(3);
    for (size_t i = 0; i < repetitions(20000); i++) {
        const Request request = {random.request().size, size_t{1} << random.below(13)};
        void *block = alloc::resource()->allocate(request.size, request.align);
        ASSERT_TRUE(is_aligned(block, request.align)) << request;
        fill_edges(block, request.size, i);
        alloc::resource()->deallocate(block, request.size, request.align);
    }
    void *block = alloc::resource()->allocate(100, 8); // either way of freeing is the other
    release(block, {100, 8});
    alloc::resource()->deallocate(allocate({5000, 64}), 5000, 64);
}

TEST(Resource, ServesContainersAndWhatTheyContain)
{
    std::pmr::map<int, std::pmr::vector<std::pmr::string>> lines(alloc::resource());
    for (int i = 0; i < 1000; i++)
        lines[i % 100].emplace_back(static_cast<size_t>(i), 'x');
    EXPECT_EQ(lines[50][7].get_allocator().resource(), alloc::resource()) << "handed down";
    EXPECT_EQ(lines[50][7].size(), 750U);

    std::pmr::vector<std::pmr::string> from(100, "a string that has a block of its own", alloc::resource());
    std::pmr::vector<std::pmr::string> to(alloc::resource());
    const std::pmr::string *elements = from.data();
    to = std::move(from);
    EXPECT_EQ(to.data(), elements) << "equal resources: moved, not copied";
}

// Resources that get chunks from ours and give them back.
TEST(Resource, IsTheUpstreamOfOthers)
{
    std::pmr::unsynchronized_pool_resource pool(alloc::resource());
    std::pmr::monotonic_buffer_resource buffer(100, &pool);
    for (std::pmr::memory_resource *resource :
         {static_cast<std::pmr::memory_resource *>(&pool), static_cast<std::pmr::memory_resource *>(&buffer)}) {
        std::pmr::unordered_map<int, std::pmr::string> numbers(resource);
        for (int i = 0; i < 10000; i++)
            numbers[i] = std::pmr::string(static_cast<size_t>(i % 200), 'x');
        EXPECT_EQ(numbers[199].size(), 199U);
    }
}

// ---- families ---------------------------------------------------------------------------------------------------------

static_assert(sizeof(alloc::family_allocator<int>) == sizeof(void *), "its family, and nothing else");
static_assert(std::is_same_v<std::allocator_traits<alloc::family_allocator<int>>::rebind_alloc<Pair>,
                             alloc::family_allocator<Pair>>,
              "of another type");
static_assert(!std::is_default_constructible_v<alloc::family_allocator<int>>, "there is no family by default");

class InAFamily : public testing::Test
{
  protected:
    template <class T> using family_vector = std::vector<T, alloc::family_allocator<T>>;
    template <class T> using family_list = std::list<T, alloc::family_allocator<T>>;
    template <class K, class T>
    using family_map = std::map<K, T, std::less<K>, alloc::family_allocator<std::pair<const K, T>>>;

    static size_t bytes_of(const alloc_family &family)
    {
        struct alloc_family_stats stats;
        EXPECT_EQ(alloc_family_stats(&family, &stats, sizeof stats), 0);
        return stats.slab_bytes + stats.large_bytes;
    }

    ~InAFamily() override
    {
        alloc_family_destroy(&family);
        alloc_family_destroy(&other);
    }

    alloc_family family = ALLOC_FAMILY_INIT("containers"), other = ALLOC_FAMILY_INIT("other");
};

TEST_F(InAFamily, ContainersHoldWhatIsInserted)
{
    family_map<int, int> ours(&family);
    family_vector<Aligned<256>> aligned(&family);
    std::map<int, int> expected;
    Random random(4);
    for (size_t i = 0; i < repetitions(20000); i++) {
        const int key = static_cast<int>(random.below(1000));
        if (random.one_in(3)) {
            ASSERT_EQ(ours.erase(key), expected.erase(key));
        } else {
            ours[key] = expected[key] = static_cast<int>(i);
            aligned.push_back({i});
            ASSERT_TRUE(is_aligned(&aligned.back(), 256));
        }
    }
    EXPECT_TRUE(std::equal(ours.begin(), ours.end(), expected.begin(), expected.end()));
    EXPECT_GE(bytes_of(family), aligned.size() * 256);
    EXPECT_EQ(bytes_of(other), 0U);
}

TEST_F(InAFamily, NodesLieSideBySideWhateverElseIsAllocated)
{
    family_list<int64_t> ours(&family);
    list<int64_t> theirs;
    size_t next_to = 0;
    for (int64_t i = 0; i < 2000; i++) {
        ours.push_back(i);
        for (int64_t j = 0; j < 3; j++)
            theirs.push_back(j);
        const int64_t *last = &ours.back(), *before = &*std::prev(ours.end(), i == 0 ? 1 : 2);
        next_to += reinterpret_cast<uintptr_t>(last) - reinterpret_cast<uintptr_t>(before) == 24;
    }
    EXPECT_GE(next_to, 1998U) << "of 1999 nodes; slabs have ends";
}

TEST_F(InAFamily, ContainersTakeTheirFamilyAlong)
{
    const std::string long_text(100, 'x');
    family_vector<std::string> first({long_text, long_text}, &family), second(5, long_text, &other);
    const std::string *elements = second.data();
    EXPECT_TRUE(first.get_allocator() != second.get_allocator());
    EXPECT_TRUE(first.get_allocator() == alloc::family_allocator<Pair>(&family));

    swap(first, second); // neither memory nor elements move
    EXPECT_EQ(first.data(), elements);
    EXPECT_EQ(first.get_allocator().family(), &other);
    second = std::move(first);
    EXPECT_EQ(second.data(), elements);
    EXPECT_EQ(second.get_allocator().family(), &other);

    const family_vector<std::string> copy = second;
    EXPECT_EQ(copy.get_allocator().family(), &other);
    family_vector<std::string> assigned(&family);
    assigned = copy;
    EXPECT_EQ(assigned.get_allocator().family(), &family);
    EXPECT_EQ(assigned, copy);
}

TEST_F(InAFamily, AResetTakesContainersThatNobodyDestroys)
{
    alignas(family_list<int>) unsigned char storage[sizeof(family_list<int>)];
    for (size_t round = 0; round < 3; round++) {
        auto *numbers = ::new (static_cast<void *>(storage)) family_list<int>(&family);
        for (int i = 0; i < 10000; i++)
            numbers->push_back(i);
        EXPECT_GE(bytes_of(family), 10000U * 24);
        alloc_family_reset(&family);
        EXPECT_EQ(bytes_of(family), 0U);
    }
}

TEST_F(InAFamily, BlocksAreCheckedAndErrorsAreExceptions)
{
    alloc::family_allocator<int64_t> numbers(&family);
    volatile size_t most = SIZE_MAX / 8; // hidden from the compiler, which would warn
    EXPECT_EQ(thrown_by([&] { (void)numbers.allocate(most + 1); }), bad_length);
    EXPECT_EQ(thrown_by([&] { (void)numbers.allocate(most); }), no_memory);

    const auto [ptr, room] = numbers.allocate_at_least(33);
    EXPECT_EQ(room, alloc_good_size_aligned(33 * 8, 8) / 8);
    EXPECT_EXIT(alloc::family_allocator<int64_t>(&other).deallocate(ptr, room), testing::KilledBySignal(SIGABRT),
                "wrong family");
    numbers.deallocate(ptr, room);

    const struct alloc_family_info info = {"limited", 1 * MiB};
    alloc_family *limited = alloc_family_create(&info, sizeof info);
    ASSERT_NE(limited, nullptr);
    alloc::family_resource resource(limited);
    EXPECT_EQ(thrown_by([&] { (void)resource.allocate(2 * MiB, 8); }), no_memory);
    alloc_family_destroy(limited);
}

TEST_F(InAFamily, AResourceServesContainersAndWhatTheyContain)
{
    alloc::family_resource resource(&family), same(&family), another(&other);
    EXPECT_TRUE(resource.is_equal(same));
    EXPECT_FALSE(resource.is_equal(another));
    EXPECT_FALSE(resource.is_equal(*alloc::resource()));
    EXPECT_FALSE(alloc::resource()->is_equal(resource));
    {
        std::pmr::map<int, std::pmr::vector<std::pmr::string>> lines(&resource);
        for (int i = 0; i < 1000; i++)
            lines[i % 100].emplace_back(static_cast<size_t>(i), 'x');
        EXPECT_EQ(lines[50][7].get_allocator().resource(), &resource) << "handed down";
        EXPECT_EQ(lines[50][7].size(), 750U);
        EXPECT_GE(bytes_of(family), 1000U * 500);

        std::pmr::vector<int> from(100, 1, &resource), to(&same);
        const int *elements = from.data();
        to = std::move(from);
        EXPECT_EQ(to.data(), elements) << "equal resources: moved, not copied";
    }
    Random random(5);
    for (size_t i = 0; i < repetitions(5000); i++) {
        const Request request = {random.request().size, size_t{1} << random.below(13)};
        void *block = resource.allocate(request.size, request.align);
        ASSERT_TRUE(is_aligned(block, request.align)) << request;
        fill_edges(block, request.size, i);
        same.deallocate(block, request.size, request.align);
    }
    EXPECT_EQ(bytes_of(other), 0U);
}

} // namespace
