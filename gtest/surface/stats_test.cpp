// Statistics: structs of any version, numbers that add up, what the kernel says of the same, JSON; also while others allocate
// and free.
#include "json.h"
#include "usage.h"
#include "worker.h"

#include <alloc/alloc_ext.h>
#include <alloc/alloc_family.h>
#include <atomic>
#include <cerrno>
#include <climits>
#include <fstream>
#include <memory>
#include <sstream>
#include <sys/resource.h>
#include <sys/socket.h>
#include <thread>

using namespace support;

namespace
{

constexpr size_t never = 1 << 30; // milliseconds

// ---- structs of other versions ----------------------------------------------------------------------------------------

// How `fill` treats sizes below and above that of the struct.
template <class Stats, class Fill> void expect_any_size_served(Fill fill)
{
    Stats known;
    ASSERT_EQ(fill(&known, sizeof known), 0);
    for (size_t size :
         {size_t{0}, size_t{1}, sizeof(size_t), sizeof known - 1, sizeof known, sizeof known + 1, sizeof known + 100}) {
        std::vector<char> out(sizeof known + 200, 'x');
        ASSERT_EQ(fill(reinterpret_cast<Stats *>(out.data()), size), 0) << size;
        EXPECT_EQ(std::memcmp(out.data(), &known, std::min(size, sizeof known)), 0) << size;
        EXPECT_TRUE(size <= sizeof known || is_zero(out.data(), sizeof known, size)) << size;
        EXPECT_EQ(std::count(out.begin() + static_cast<ptrdiff_t>(size), out.end(), 'x'),
                  static_cast<ptrdiff_t>(out.size() - size))
            << "nothing is written beyond " << size;
    }
    errno = 0;
    EXPECT_EQ(fill(nullptr, sizeof known), -1);
    EXPECT_EQ(errno, EINVAL);
}

TEST(StatsStruct, MayBeOfAnyVersion)
{
    alloc_free(alloc_malloc(100), 100);
    expect_any_size_served<struct alloc_stats>(
        [](struct alloc_stats *out, size_t size) { return alloc_stats(out, size); });
}

TEST(StatsStruct, OfAClassMayBeOfAnyVersion)
{
    alloc_free(alloc_malloc(1), 1);
    expect_any_size_served<struct alloc_stats_class>(
        [](struct alloc_stats_class *out, size_t size) { return alloc_stats_class(0, out, size); });
}

// ---- classes ----------------------------------------------------------------------------------------------------------

// Those that exist, by number.
std::vector<struct alloc_stats_class> classes()
{
    std::vector<struct alloc_stats_class> all;
    struct alloc_stats_class stats;
    for (unsigned number = 0; alloc_stats_class(number, &stats, sizeof stats) == 0; number++)
        if (stats.slot_size != 0)
            all.push_back(stats);
    return all;
}

TEST(StatsOfClasses, AreThoseOfTheDocumentedSizes)
{
    std::vector<size_t> sizes;
    for (const struct alloc_stats_class &stats : classes())
        sizes.push_back(stats.slot_size);
    EXPECT_EQ(sizes, slot_sizes());
    for (unsigned number : {1000u, UINT_MAX}) {
        struct alloc_stats_class stats;
        errno = 0;
        EXPECT_EQ(alloc_stats_class(number, &stats, sizeof stats), -1);
        EXPECT_EQ(errno, EINVAL);
    }
}

// ---- blocks in every state ----------------------------------------------------------------------------------------------

// Blocks of some sizes, of which parts are freed: slabs of every state, large blocks live and cached. All of it is touched;
// what keeps track of it is allocated once.
class Population
{
  public:
    Population() : blocks(blocks_max) { blocks.clear(); }
    ~Population() { free_all(); }
    Population(const Population &) = delete;
    Population &operator=(const Population &) = delete;

    void fill(Request request, size_t bytes)
    {
        for (size_t i = 0; i < std::min(bytes / request.size, blocks_max / 10) && blocks.size() < blocks_max; i++) {
            void *block = allocate(request);
            ASSERT_NE(block, nullptr);
            std::memset(block, 1, good_size(request));
            blocks.emplace_back(block, request);
        }
    }
    void fill_mixed(size_t bytes)
    {
        for (Request request : {Request{2, 0},
                                {24, 8},
                                {64, 0},
                                {1000, 8},
                                {8192, 0},
                                {20000, 8},
                                {512 * KiB, 0},
                                {700 * KiB, 0},
                                {3 * MiB, 0}})
            fill(request, bytes);
    }
    // Every so many.
    void free_some(size_t stride)
    {
        for (size_t i = 0; i < blocks.size(); i += stride) {
            release(blocks[i].first, blocks[i].second);
            blocks[i].first = nullptr;
        }
        blocks.erase(
            std::remove_if(blocks.begin(), blocks.end(), [](const auto &each) { return each.first == nullptr; }),
            blocks.end());
    }
    void free_all() { free_some(1); }

    size_t live(size_t slot_size) const
    {
        return static_cast<size_t>(std::count_if(blocks.begin(), blocks.end(), [slot_size](const auto &each) {
            return good_size(each.second) == slot_size;
        }));
    }
    size_t live_large() const
    {
        return static_cast<size_t>(std::count_if(blocks.begin(), blocks.end(),
                                                 [](const auto &each) { return each.second.size > slot_size_max; }));
    }

  private:
    static constexpr size_t blocks_max = 1000000;
    std::vector<std::pair<void *, Request>> blocks;
};

class Stats : public testing::Test
{
  protected:
    static constexpr size_t amount = (TEST_SANITIZED || ALLOC_DEBUG ? 3 : 12) * MiB; // of each size

    // Runs `check` with blocks in one state after the other.
    template <class Check> static void in_every_state(Check check)
    {
        Population population;
        check("empty", population);
        population.fill_mixed(amount);
        check("filled", population);
        population.free_some(2);
        check("half of it freed", population);
        for (size_t i = 0; i < 3; i++)
            population.free_some(2);
        check("a sixteenth left", population);
        population.fill_mixed(amount / 4);
        check("a quarter filled", population);
        population.free_all();
        check("all freed", population);
        alloc_trim();
        check("trimmed", population);
    }

    const Setting age{ALLOC_OPTION_PURGE_AGE, never};
};

TEST_F(Stats, OfClassesAddUpToTheTotals)
{
    in_every_state([](const char *state, const Population &population) {
        const struct alloc_stats total = statistics();
        struct alloc_stats sum = {};
        for (const struct alloc_stats_class &stats : classes()) {
            sum.slabs_current += stats.slabs_current;
            sum.slabs_parked += stats.slabs_parked;
            sum.slabs_available += stats.slabs_available;
            sum.slab_bytes += stats.slab_bytes;
            // What is out is with the program, held back or in the slab that is allocated from.
            const size_t used = stats.slots - stats.slots_free, live = population.live(stats.slot_size);
            EXPECT_LE(stats.slots_free, stats.slots) << stats.slot_size << ", " << state;
            EXPECT_LE(live, used) << stats.slot_size << ", " << state;
            EXPECT_LE(used, live + stats.slabs_current * std::min(2 * MiB / stats.slot_size, stats.slots) + 6)
                << stats.slot_size << ", " << state;
        }
        EXPECT_EQ(sum.slabs_current, total.slabs_current) << state;
        EXPECT_EQ(sum.slabs_parked, total.slabs_parked) << state;
        EXPECT_EQ(sum.slabs_available, total.slabs_available) << state;
        EXPECT_EQ(sum.slab_bytes, total.slab_bytes) << state;
        EXPECT_EQ(population.live_large(), total.large_live) << state;
    });
}

// A slab that served once is in one of the states for ever, and no other is.
TEST_F(Stats, SlabsThatServedAreInOneStateEach)
{
    size_t most = 0;
    in_every_state([&](const char *state, const Population &) {
        const struct alloc_stats stats = statistics();
        const size_t in_use = stats.slabs_current + stats.slabs_parked + stats.slabs_available;
        const size_t served = in_use + stats.slabs_cached + stats.slabs_purged;
        EXPECT_GE(served, most) << state;
        EXPECT_GE(stats.reserved_bytes, stats.slab_bytes + stats.cached_bytes + stats.large_live_bytes) << state;
        most = served;
    });
    EXPECT_GT(most, 0u);
}

// ---- what the kernel says -----------------------------------------------------------------------------------------------

// Sums over the mappings that have no file and no name: the library's, and whatever else the program maps.
struct Mapped {
    size_t size = 0, writable = 0, resident = 0;
};

Mapped read_mapped()
{
    Mapped sums;
    std::ifstream smaps("/proc/self/smaps");
    bool is_anonymous = false;
    for (std::string line; std::getline(smaps, line);) {
        std::istringstream words(line);
        std::string range, access, offset, device, inode, name;
        size_t kilobytes = 0;
        if (line.find('-') < line.find(':') && words >> range >> access >> offset >> device >> inode) {
            is_anonymous = inode == "0" && !(words >> name);
            const size_t dash = range.find('-');
            const size_t size = std::stoull(range.substr(dash + 1), nullptr, 16) - std::stoull(range, nullptr, 16);
            sums.size += is_anonymous ? size : 0;
            sums.writable += is_anonymous && access == "rw-p" ? size : 0;
        } else if (is_anonymous && std::sscanf(line.c_str(), "Rss: %zu", &kilobytes) == 1)
            sums.resident += kilobytes * KiB;
    }
    return sums;
}

// Whether two numbers grew alike.
testing::AssertionResult grew_alike(size_t before, size_t after, size_t other_before, size_t other_after,
                                    size_t tolerance)
{
    const auto grown = static_cast<int64_t>(after - before), other = static_cast<int64_t>(other_after - other_before);
    if (std::abs(grown - other) <= static_cast<int64_t>(tolerance))
        return testing::AssertionSuccess();
    return testing::AssertionFailure() << "one grew by " << grown << ", the other by " << other;
}

// What is purged stays writable, but is not committed.
void expect_committed(const struct alloc_stats &first, const struct alloc_stats &now, const Mapped &mapped_first,
                      const Mapped &mapped_now)
{
    constexpr size_t slab = 2 * MiB;      // at most
    constexpr size_t ahead = 5 * 2 * MiB; // writable before it is used; what is purged stays so
    EXPECT_LE(now.committed_bytes + mapped_first.writable,
              first.committed_bytes + first.slabs_purged * slab + mapped_now.writable + ahead);
}

// The estimate may be wrong by the tables and maps that the library keeps, and by pages of which only a part was handed out:
// a twentieth, and a few megabytes.
TEST_F(Stats, AreWhatTheKernelSays)
{
    if (!can_measure || ALLOC_DEBUG)
        GTEST_SKIP() << "what sanitizers and debug builds map besides is not in the statistics";
    expect_in_child([] {
        Mapped before;
        struct alloc_stats first = {};
        in_every_state([&](const char *state, const Population &) {
            const Mapped now = read_mapped();
            const struct alloc_stats stats = statistics();
            if (before.size == 0) {
                before = now;
                first = stats;
            }
            EXPECT_TRUE(grew_alike(first.reserved_bytes, stats.reserved_bytes, before.size, now.size, 3 * MiB))
                << state; // a table of addresses
            expect_committed(first, stats, before, now);
            EXPECT_TRUE(grew_alike(first.resident_estimate, stats.resident_estimate, before.resident, now.resident,
                                   stats.resident_estimate / 20 + 4 * MiB))
                << state;
        });
    });
}

// Of one kind of blocks at a time, in arrays that are there before: the same to the page.
TEST_F(Stats, AreExactForMappings)
{
    if (!can_measure || ALLOC_DEBUG)
        GTEST_SKIP() << "what sanitizers and debug builds map besides is not in the statistics";
    if (statistics().slabs_purged != 0)
        GTEST_SKIP() << "only where nothing was purged yet";
    for (Request request : {Request{64, 0}, {8192, 0}, {64 * KiB, 0}, {MiB, 0}, {5 * MiB + 1, 4096}})
        expect_in_child([request] {
            const size_t count = 48 * MiB / request.size;
            void **blocks = static_cast<void **>(std::calloc(count, sizeof *blocks));
            alloc_free(alloc_malloc(16), 16);
            const Mapped before = read_mapped();
            const struct alloc_stats first = statistics();
            const auto expect_same = [&](const char *state) {
                const Mapped now = read_mapped();
                const struct alloc_stats stats = statistics();
                EXPECT_TRUE(grew_alike(first.reserved_bytes, stats.reserved_bytes, before.size, now.size, 0))
                    << request << ", " << state;
                expect_committed(first, stats, before, now);
            };
            for (size_t i = 0; i < count; i++)
                blocks[i] = allocate(request);
            expect_same("live");
            for (size_t i = 0; i < count; i++)
                release(blocks[i], request);
            expect_same("freed");
            alloc_trim();
            expect_same("trimmed");
            std::free(blocks);
        });
}

// ---- large blocks, purges -----------------------------------------------------------------------------------------------

TEST_F(Stats, LargeBlocksAreCounted)
{
    alloc_trim();
    struct alloc_stats before = statistics();
    void *one = alloc_malloc(600 * KiB + 1), *other = alloc_malloc(3 * MiB);
    struct alloc_stats now = statistics();
    EXPECT_EQ(now.large_live, before.large_live + 2);
    EXPECT_EQ(now.large_live_bytes, before.large_live_bytes + 604 * KiB + 3 * MiB);
    alloc_free(one, 600 * KiB + 1);
    now = statistics();
    EXPECT_EQ(now.large_live, before.large_live + 1);
    EXPECT_EQ(now.large_live_bytes, before.large_live_bytes + 3 * MiB);
    EXPECT_EQ(now.large_cached, 1u);
    EXPECT_EQ(now.large_cached_bytes, 640 * KiB) << "whole units of 64 KiB";
    other = alloc_realloc(other, 3 * MiB, 2 * MiB);
    now = statistics();
    EXPECT_EQ(now.large_live_bytes, before.large_live_bytes + 2 * MiB);
    EXPECT_EQ(now.large_cached_bytes, 640 * KiB + MiB);
    const size_t cached = now.large_cached;
    EXPECT_EQ(alloc_trim(), 1);
    now = statistics();
    EXPECT_EQ(now.large_cached, 0u);
    EXPECT_EQ(now.large_cached_bytes, 0u);
    EXPECT_GE(now.purges, before.purges + cached);
    alloc_free(other, 2 * MiB);
    alloc_trim();
    EXPECT_EQ(statistics().large_live, before.large_live);
}

TEST_F(Stats, PurgesAreCounted)
{
    alloc_trim();
    const Setting limit(ALLOC_OPTION_CACHE_LIMIT, 0);
    const struct alloc_stats before = statistics();
    Population population;
    population.fill({32 * KiB, 0}, 5 * MiB);
    EXPECT_EQ(statistics().purges, before.purges);
    population.free_all();
    const struct alloc_stats after = statistics();
    EXPECT_GE(after.purges, before.purges + 8);
    EXPECT_LE(after.purges, before.purges + 11);
}

// ---- JSON -----------------------------------------------------------------------------------------------------------------

std::string read_json()
{
    std::string text;
    alloc_stats_json([](void *context, const char *part,
                        size_t length) { static_cast<std::string *>(context)->append(part, length); },
                     &text);
    return text;
}

TEST_F(Stats, AsJsonAreTheSame)
{
    in_every_state([](const char *state, const Population &) {
        const struct alloc_stats stats = statistics();
        const std::string text = read_json();
        EXPECT_EQ(text.find('\n'), text.size() - 1) << "one line";
        const json::Value all = json::parse(text);
        const std::map<std::string, size_t> expected = {{"version", size_t{ALLOC_VERSION}},
                                                        {"regions", stats.regions},
                                                        {"reserved_bytes", stats.reserved_bytes},
                                                        {"committed_bytes", stats.committed_bytes},
                                                        {"resident_estimate", stats.resident_estimate},
                                                        {"slabs_current", stats.slabs_current},
                                                        {"slabs_parked", stats.slabs_parked},
                                                        {"slabs_available", stats.slabs_available},
                                                        {"slabs_cached", stats.slabs_cached},
                                                        {"slabs_purged", stats.slabs_purged},
                                                        {"slabs_fresh", stats.slabs_fresh},
                                                        {"slab_bytes", stats.slab_bytes},
                                                        {"cached_bytes", stats.cached_bytes},
                                                        {"large_live", stats.large_live},
                                                        {"large_live_bytes", stats.large_live_bytes},
                                                        {"large_cached", stats.large_cached},
                                                        {"large_cached_bytes", stats.large_cached_bytes},
                                                        {"remote_frees", stats.remote_frees},
                                                        {"purges", stats.purges},
                                                        {"heaps_live", stats.heaps_live},
                                                        {"heaps_pooled", stats.heaps_pooled}};
        EXPECT_EQ(expected.size() - 1, sizeof stats / sizeof(size_t)) << "every field of the struct";
        EXPECT_EQ(all.members.size(), expected.size() + 4) << "process, program, classes, families";
        for (const auto &[name, value] : expected)
            EXPECT_EQ(all.at(name).number, value) << name << ", " << state;
        auto element = all.at("classes").elements.begin();
        for (const struct alloc_stats_class &each : classes()) {
            if (each.slab_bytes == 0)
                continue;
            ASSERT_NE(element, all.at("classes").elements.end());
            EXPECT_EQ(element->members.size(), sizeof each / sizeof(size_t));
            EXPECT_EQ(element->at("slot_size").number, each.slot_size);
            EXPECT_EQ(element->at("slabs_current").number, each.slabs_current);
            EXPECT_EQ(element->at("slabs_parked").number, each.slabs_parked);
            EXPECT_EQ(element->at("slabs_available").number, each.slabs_available);
            EXPECT_EQ(element->at("slab_bytes").number, each.slab_bytes);
            EXPECT_EQ(element->at("slots").number, each.slots);
            EXPECT_EQ(element->at("slots_free").number, each.slots_free);
            ++element;
        }
        EXPECT_EQ(element, all.at("classes").elements.end());
    });
}

TEST_F(Stats, AsJsonHaveFamiliesInUse)
{
    const std::string cut =
        std::string(62, 'x') + "\u00e9"; // its last character begins within what is shown, and ends beyond
    const std::string names[] = {"plain", "a \"quote\" and a \\, \n\t\x01\x7f", "", "Stra\u00dfe", cut};
    alloc_family *families[5];
    for (size_t i = 0; i < 5; i++) {
        const struct alloc_family_info info = {names[i].c_str(), 0};
        families[i] = alloc_family_create(&info, sizeof info);
        for (size_t j = 0; j <= i * 1000; j++)
            ASSERT_NE(alloc_family_malloc(families[i], 100), nullptr);
        ASSERT_NE(alloc_family_malloc(families[i], (i + 1) * MiB), nullptr);
    }
    alloc_family_reset(families[2]);
    std::map<std::string, json::Value> shown;
    const json::Value all = json::parse(read_json());
    for (const json::Value &each : all.at("families").elements)
        EXPECT_TRUE(shown.emplace(each.at("name").text, each).second) << each.at("name").text;
    for (size_t i = 0; i < 5; i++) {
        const std::string name = i == 4 ? cut.substr(0, 62) : names[i];
        ASSERT_EQ(shown.count(name), 1u) << name;
        const json::Value &each = shown[name];
        struct alloc_family_stats stats;
        ASSERT_EQ(alloc_family_stats(families[i], &stats, sizeof stats), 0);
        EXPECT_EQ(stats.large_bytes, i == 2 ? 0 : (i + 1) * MiB);
        EXPECT_EQ(each.members.size(), 1 + sizeof stats / sizeof(size_t));
        EXPECT_EQ(each.at("slab_bytes").number, stats.slab_bytes);
        EXPECT_EQ(each.at("used_bytes").number, stats.used_bytes);
        EXPECT_EQ(each.at("large_bytes").number, stats.large_bytes);
        EXPECT_EQ(each.at("resident_estimate").number, stats.resident_estimate);
        alloc_family_destroy(families[i]);
    }
    const json::Value after = json::parse(read_json());
    EXPECT_EQ(after.at("families").elements.size(), shown.size() - 5) << "none that ended";
}

[[noreturn]] void exit_with_families()
{
    const std::string name(60, '\n'); // each takes six bytes
    const struct alloc_family_info info = {name.c_str(), 0};
    for (size_t i = 0; i < 300; i++)
        if (alloc_family_create(&info, sizeof info) == nullptr)
            std::_Exit(1);
    std::exit(alloc_option_set(ALLOC_OPTION_VERBOSITY, 2));
}

TEST_F(Stats, AtExitAreWholeHoweverManyFamiliesThereAre)
{
    testing::FLAGS_gtest_death_test_style = "threadsafe";
    EXPECT_EXIT(exit_with_families(), testing::ExitedWithCode(0), "^alloc: \\{.*u000a\", .*\\]\\}\n$");
}

TEST_F(Stats, JsonMayBeWrittenToMemoryOfTheLibrary)
{
    struct Text {
        char *bytes = nullptr;
        size_t length = 0, capacity = 0;
    } text;
    for (size_t size : {size_t{16}, size_t{1000}, 64 * KiB})
        alloc_free(alloc_malloc(size), size);
    alloc_stats_json(
        [](void *context, const char *part, size_t length) {
            Text &grown = *static_cast<Text *>(context);
            for (size_t size : {size_t{16}, size_t{1000}, 64 * KiB, MiB}) // whatever it needs meanwhile
                alloc_free(alloc_malloc(size), size);
            grown.bytes = alloc_grow_array(char, grown.bytes, &grown.capacity, grown.length + length);
            std::memcpy(grown.bytes + grown.length, part, length);
            grown.length += length;
        },
        &text);
    const json::Value all = json::parse(std::string(text.bytes, text.length));
    EXPECT_GE(all.at("classes").elements.size(), 3u);
    alloc_delete_array(text.bytes, text.capacity);
}

// What a datagram socket is written is received as it was written.
std::string receive(int socket)
{
    std::vector<char> text(64 * KiB);
    const ssize_t length = recv(socket, text.data(), text.size(), MSG_DONTWAIT);
    return length < 0 ? "nothing" : std::string(text.data(), static_cast<size_t>(length));
}

struct Sockets {
    Sockets() { EXPECT_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0); }
    ~Sockets()
    {
        close(ends[0]);
        close(ends[1]);
    }
    Sockets(const Sockets &) = delete;
    Sockets &operator=(const Sockets &) = delete;
    int ends[2] = {-1, -1};
};

// With every class in use.
TEST_F(Stats, JsonIsWrittenInOnePiece)
{
    Sockets sockets;
    std::vector<void *> blocks;
    for (size_t size : slot_sizes())
        blocks.push_back(alloc_malloc_aligned(size, 1));
    alloc_stats_json([](void *context, const char *text,
                        size_t length) { (void)!write(static_cast<int *>(context)[1], text, length); },
                     sockets.ends);
    for (size_t i = 0; i < blocks.size(); i++)
        alloc_free_aligned(blocks[i], slot_sizes()[i], 1);
    const json::Value all = json::parse(receive(sockets.ends[0]));
    EXPECT_GE(all.at("classes").elements.size(), slot_sizes().size());
    EXPECT_EQ(receive(sockets.ends[0]), "nothing");
}

TEST_F(Stats, LineAtExitIsWrittenInOnePiece)
{
    Sockets sockets;
    const pid_t child = fork();
    if (child == 0) {
        (void)alloc_option_set(ALLOC_OPTION_VERBOSITY, 2);
        (void)dup2(sockets.ends[1], STDERR_FILENO);
        std::exit(0);
    }
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    const std::string line = receive(sockets.ends[0]);
    ASSERT_EQ(line.substr(0, 7), "alloc: ");
    EXPECT_EQ(json::parse(line.substr(7)).at("version").number, size_t{ALLOC_VERSION});
    EXPECT_EQ(receive(sockets.ends[0]), "nothing");
}

TEST_F(Stats, JsonIsWrittenByAndByWhereAddressesAreShort)
{
    if (TEST_SANITIZED)
        GTEST_SKIP() << "sanitizers need addresses";
    expect_in_child([] {
        std::string text;
        text.reserve(64 * KiB);
        const rlimit none = {0, 0};
        EXPECT_EQ(setrlimit(RLIMIT_AS, &none), 0);
        alloc_stats_json([](void *context, const char *part,
                            size_t length) { static_cast<std::string *>(context)->append(part, length); },
                         &text);
        EXPECT_EQ(text.find('\n'), text.size() - 1);
        EXPECT_EQ(text.substr(0, 12), "{\"version\": ");
    });
}

// ---- threads ------------------------------------------------------------------------------------------------------------

#if ALLOC_THREADS

TEST_F(Stats, RemoteFreesAreExactOnceTheirThreadsEnded)
{
    const size_t before = statistics().remote_frees;
    size_t expected = 0;
    for (Request request : {Request{1, 0}, {16, 0}, {100, 8}, {5000, 1}, {32 * KiB, 0}, {512 * KiB, 0}}) {
        std::vector<void *> blocks(std::min(repetitions(20000), 8 * MiB / request.size));
        for (void *&block : blocks)
            block = allocate(request);
        std::vector<std::thread> threads;
        for (size_t number = 0; number < 3; number++)
            threads.emplace_back([&blocks, request, number] {
                for (size_t i = number; i < blocks.size(); i += 4)
                    release(blocks[i], request);
            });
        for (std::thread &thread : threads)
            thread.join();
        for (size_t i = 3; i < blocks.size(); i += 4) // its own
            release(blocks[i], request);
        expected += blocks.size() - (blocks.size() - 3 + 3) / 4;
        ASSERT_EQ(statistics().remote_frees - before, expected) << request;
    }
}

TEST_F(Stats, HeapsAreThoseOfThreadsThatAllocate)
{
    alloc_free(alloc_malloc(16), 16);
    const struct alloc_stats before = statistics();
    constexpr size_t count = 6;
    {
        std::vector<std::unique_ptr<Worker>> workers(count);
        for (auto &worker : workers)
            worker = std::make_unique<Worker>();
        EXPECT_EQ(statistics().heaps_live, before.heaps_live) << "none has allocated";
        for (size_t i = 0; i < count; i++) {
            workers[i]->run([] { alloc_free(alloc_malloc(100), 100); });
            EXPECT_EQ(statistics().heaps_live, before.heaps_live + i + 1);
        }
    }
    struct alloc_stats now = statistics();
    EXPECT_EQ(now.heaps_live, before.heaps_live);
    EXPECT_EQ(now.heaps_pooled, std::max(before.heaps_pooled, count));
    Worker worker;
    worker.run([] { alloc_free(alloc_malloc(100), 100); });
    EXPECT_EQ(statistics().heaps_live, before.heaps_live + 1);
    EXPECT_EQ(statistics().heaps_pooled, now.heaps_pooled - 1);
}

TEST_F(Stats, MayBeAskedForWhileOthersAllocateAndFree)
{
    seed();
    std::atomic<bool> is_over{false};
    std::atomic<void *> table[512] = {};
    constexpr Request requests[] = {{16, 0}, {100, 8}, {1024, 0}, {8192, 0}, {64 * KiB, 0}, {700 * KiB, 0}};
    const auto request_of = [&](size_t i) { return requests[i % std::size(requests)]; };
    std::vector<std::thread> threads;
    for (size_t number = 0; number < 3; number++)
        threads.emplace_back([&, number] {
            Random random(number);
            while (!is_over) {
                const size_t i = random.below(std::size(table));
                void *former = table[i].exchange(random.one_in(3) ? nullptr : allocate(request_of(i)));
                release(former, request_of(i));
            }
        });
    for (size_t i = 0; i < repetitions(300); i++) {
        const struct alloc_stats stats = statistics();
        EXPECT_GE(stats.reserved_bytes, stats.large_live_bytes);
        EXPECT_LE(stats.heaps_live, 4u);
        EXPECT_LE(classes().size(), slot_sizes().size());
        EXPECT_EQ(json::parse(read_json()).at("version").number, size_t{ALLOC_VERSION});
    }
    is_over = true;
    for (std::thread &thread : threads)
        thread.join();
    for (size_t i = 0; i < std::size(table); i++)
        release(table[i], request_of(i));
    EXPECT_EQ(statistics().large_live, 0u);
}

// A slab's owner is found without a lock that its thread held before: the heap must be whole for whoever finds it. The counts
// order nothing, so that only the library does.
TEST_F(Stats, MayBeAskedForWhileAThreadTakesItsFirstHeap)
{
    constexpr size_t thread_count = 16;
    std::atomic<size_t> started{0};
    std::vector<std::thread> threads;
    for (size_t number = 0; number < thread_count; number++) {
        threads.emplace_back([&] {
            alloc_free(alloc_malloc(16), 16);
            started.fetch_add(1, std::memory_order_relaxed);
            while (started.load(std::memory_order_relaxed) < thread_count)
                std::this_thread::yield(); // or its heap would serve the next thread
        });
        while (started.load(std::memory_order_relaxed) <= number) {
            struct alloc_stats_class stats;
            EXPECT_EQ(alloc_stats_class(0, &stats, sizeof stats), 0);
            EXPECT_LE(stats.slabs_current, number + 2);
        }
    }
    for (std::thread &thread : threads)
        thread.join();
}

#endif

} // namespace
