// What the kernel knows of the library's memory: how many mappings it is, which of them may have huge pages, and what of it
// a core dump contains.
#include "support.h"

#include <alloc/alloc_ext.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

using namespace support;

namespace
{

// ---- /proc/self/smaps -----------------------------------------------------------------------------------------------

struct Mapping {
    uintptr_t start, end;
    std::string access, flags; // as "rw-p", " rd wr mr "
    size_t resident, huge;     // bytes

    bool contains(const void *p) const
    {
        return reinterpret_cast<uintptr_t>(p) >= start && reinterpret_cast<uintptr_t>(p) < end;
    }
    bool has(const char *flag) const { return flags.find(' ' + std::string(flag) + ' ') != std::string::npos; }
};

std::vector<Mapping> read_mappings()
{
    std::vector<Mapping> mappings;
    std::ifstream smaps("/proc/self/smaps");
    for (std::string line; std::getline(smaps, line);) {
        std::istringstream words(line);
        Mapping mapping = {};
        char dash = 0;
        if (words >> std::hex >> mapping.start >> dash >> mapping.end >> mapping.access && dash == '-')
            mappings.push_back(mapping);
        else if (line.rfind("Rss:", 0) == 0)
            mappings.back().resident = std::stoull(line.substr(4)) * KiB;
        else if (line.rfind("AnonHugePages:", 0) == 0)
            mappings.back().huge = std::stoull(line.substr(14)) * KiB;
        else if (line.rfind("VmFlags:", 0) == 0)
            mappings.back().flags = line.substr(8) + ' ';
    }
    return mappings;
}

Mapping mapping_of(const void *p)
{
    for (const Mapping &mapping : read_mappings())
        if (mapping.contains(p))
            return mapping;
    ADD_FAILURE() << p << " is not mapped";
    return {};
}

size_t count_mappings() { return read_mappings().size(); }

size_t huge_bytes()
{
    size_t bytes = 0;
    for (const Mapping &mapping : read_mappings())
        bytes += mapping.huge;
    return bytes;
}

struct alloc_stats stats()
{
    struct alloc_stats stats;
    EXPECT_EQ(alloc_stats(&stats, sizeof stats), 0);
    return stats;
}

// Blocks of one size, so many bytes of them, not touched.
struct Blocks {
    Request request;
    std::vector<void *> blocks;

    Blocks(Request request, size_t bytes) : request(request), blocks(bytes / request.size)
    {
        for (void *&block : blocks)
            block = allocate(request);
    }
    void touch() const
    {
        for (void *block : blocks)
            std::memset(block, 1, request.size);
    }
    void release_all()
    {
        for (void *block : blocks)
            release(block, request);
        blocks.clear();
    }
};

class OwnMappings : public testing::Test
{
  protected:
    void SetUp() override
    {
        if (TEST_SANITIZED)
            GTEST_SKIP() << "a sanitizer's own mappings come and go";
    }
};

// ---- how many mappings ------------------------------------------------------------------------------------------------

// Slabs of all kinds, begun in turn, so that neighbours differ in everything.
using Mappings = OwnMappings;

TEST_F(Mappings, AreAFewForEachRegionWhateverItsSlabsAreUsedFor)
{
    constexpr Request requests[] = {{1000, 8}, {64 * KiB, 0}, {4096, 0}, {8192, 0}, {512 * KiB, 0}, {32 * KiB, 0}};
    constexpr size_t slab = 2 * MiB;
    expect_in_child([&] {
        const size_t before = count_mappings();
        auto expect_few = [&](const char *when) {
            const size_t regions = stats().regions;
            // Of each: what is committed, what is only reserved, a debug build's books; and the library's own tables.
            EXPECT_LE(count_mappings(), before + 4 * regions + 8) << when << ", with " << regions << " regions";
        };
        std::vector<Blocks> all;
        for (size_t i = 0; i < repetitions(2048 * MiB / slab); i++)
            all.emplace_back(requests[i % std::size(requests)], slab);
        expect_few("filled");
        EXPECT_TRUE(stats().regions > 14 || ALLOC_DEBUG) << "so few are no test";
        for (size_t i = 0; i < all.size(); i += 2)
            all[i].release_all();
        expect_few("half empty");
        for (size_t i = 0; i < all.size(); i += 2)
            all[i] = Blocks(requests[i / 2 % std::size(requests)], slab);
        expect_few("used for other sizes");
        for (Blocks &blocks : all)
            blocks.release_all();
        alloc_trim();
        expect_few("empty");
    });
}

// ---- huge pages -----------------------------------------------------------------------------------------------------

// A block of each kind of memory: in a small slab, in a medium one, in one of many large ones for small blocks, of its own.
struct Kinds {
    Blocks small{{64, 0}, 64}, medium{{64 * KiB, 0}, 2 * MiB}, many{{64, 0}, 64 * MiB}, own{{16 * MiB, 0}, 64 * MiB};

    Mapping of(const Blocks &blocks) const { return mapping_of(blocks.blocks.back()); }
    // Not each: huge pages pause where they are dear.
    bool some_of_many_has(const char *flag) const
    {
        for (size_t i = 0; i < many.blocks.size(); i += 2 * MiB / many.request.size)
            if (mapping_of(many.blocks[i]).has(flag))
                return true;
        return false;
    }
    void touch() const
    {
        for (const Blocks *blocks : {&small, &medium, &many, &own})
            blocks->touch();
    }
};

class HugePageMappings : public OwnMappings
{
  protected:
    void SetUp() override
    {
        OwnMappings::SetUp();
        if (!std::filesystem::exists("/sys/kernel/mm/transparent_hugepage"))
            GTEST_SKIP() << "this kernel has none";
    }

    // So that a kernel which gives them to whoever does not object does not either.
    static void expect_nowhere(const Kinds &kinds)
    {
        for (const Blocks *blocks : {&kinds.small, &kinds.medium, &kinds.many, &kinds.own})
            EXPECT_TRUE(kinds.of(*blocks).has("nh")) << blocks->request;
        const size_t before = huge_bytes();
        kinds.touch();
        EXPECT_EQ(huge_bytes(), before);
    }
};

TEST_F(HugePageMappings, AreWhereTheyArePaidFor)
{
    expect_in_child([] {
        const Kinds kinds;
        EXPECT_TRUE(kinds.of(kinds.small).has("nh"));
        EXPECT_TRUE(kinds.of(kinds.medium).has("nh"));
        EXPECT_TRUE(kinds.some_of_many_has("hg"));
        EXPECT_FALSE(kinds.of(kinds.own).has("hg") || kinds.of(kinds.own).has("nh")) << "left to the system";
    });
}

TEST_F(HugePageMappings, AreNowhereWhereTheyAreOff)
{
    expect_in_child([] {
        ASSERT_EQ(alloc_option_set(ALLOC_OPTION_HUGE_PAGES, ALLOC_HUGE_PAGES_OFF), 0);
        expect_nowhere(Kinds());
    });
}

// In a program of its own: the environment is read when the library is loaded.
TEST_F(HugePageMappings, AreForLargeSlabsAndBlocksWhereTheEnvironmentSaysAlways)
{
    constexpr const char *variable = "ALLOC_HUGE_PAGES";
    if (std::getenv(variable) == nullptr)
        expect_in_child([=] {
            setenv(variable, "always", 1);
            execl("/proc/self/exe", "mapping_test", "--gtest_filter=HugePageMappings.*EnvironmentSaysAlways", nullptr);
        });
    else {
        const Kinds kinds;
        EXPECT_TRUE(kinds.of(kinds.small).has("nh"));
        EXPECT_TRUE(kinds.of(kinds.medium).has("nh"));
        EXPECT_TRUE(kinds.of(kinds.many).has("hg"));
        EXPECT_TRUE(kinds.of(kinds.own).has("hg"));
    }
}

// The kernel then says so to nobody, and does not give any.
TEST_F(HugePageMappings, AreNotMissedByAProcessThatHasThemDisabled)
{
    expect_in_child([] {
        ASSERT_EQ(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
        Kinds kinds;
        kinds.touch();
        EXPECT_EQ(huge_bytes(), 0u);
        for (Blocks *blocks : {&kinds.small, &kinds.medium, &kinds.many, &kinds.own})
            blocks->release_all();
        alloc_trim();
        EXPECT_LT(stats().committed_bytes, 64 * MiB);
    });
}

// ---- core dumps -----------------------------------------------------------------------------------------------------

using CoreDump = OwnMappings;

TEST_F(CoreDump, LeavesOutWhatIsOnlyReserved)
{
    expect_in_child([] {
        std::vector<uintptr_t> known;
        for (const Mapping &mapping : read_mappings())
            known.push_back(mapping.start);
        const Kinds kinds;
        for (const Blocks *blocks : {&kinds.small, &kinds.medium, &kinds.many, &kinds.own})
            EXPECT_FALSE(kinds.of(*blocks).has("dd")) << blocks->request;
        size_t reserved = 0, dumped = 0;
        for (const Mapping &mapping : read_mappings()) {
            const size_t size = mapping.end - mapping.start;
            const bool is_new = std::find(known.begin(), known.end(), mapping.start) == known.end();
            if (is_new && mapping.access == "---p") {
                EXPECT_TRUE(mapping.has("dd")) << std::hex << mapping.start;
                reserved += size;
            } else if (is_new && !mapping.has("dd")) {
                dumped += size;
            }
        }
        EXPECT_GT(reserved, MiB);
        EXPECT_LT(dumped, stats().committed_bytes + 128 * MiB);
    });
}

// Has a few MiB of blocks, a lot that it had and gave back, and dies.
constexpr Request kept = {8192, 0};
constexpr size_t kept_count = 512, given_back_bytes = 256 * MiB;

[[noreturn]] void use_and_dump(const char *folder)
{
    const rlimit bounds = {RLIM_INFINITY, RLIM_INFINITY};
    if (chdir(folder) != 0 || setrlimit(RLIMIT_CORE, &bounds) != 0)
        _exit(1);
    Blocks blocks(kept, kept_count * kept.size), given_back({64 * KiB, 0}, given_back_bytes);
    for (void *block : blocks.blocks)
        fill(block, kept.size, 1);
    given_back.touch();
    given_back.release_all();
    alloc_trim();
    abort();
}

// Pages of a file that begin as the blocks kept do.
size_t count_kept(const std::filesystem::path &path)
{
    std::ifstream file(path, std::ios::binary);
    std::vector<char> page(4096);
    size_t count = 0;
    while (file.read(page.data(), static_cast<std::streamsize>(page.size())))
        count += holds(page.data(), page.size(), 1);
    return count;
}

TEST_F(CoreDump, IsAsLargeAsWhatIsUsed)
{
    std::string pattern;
    std::getline(std::ifstream("/proc/sys/kernel/core_pattern"), pattern);
    rlimit bounds;
    getrlimit(RLIMIT_CORE, &bounds);
    if (pattern.empty() || pattern.find_first_of("|/") != std::string::npos || bounds.rlim_max != RLIM_INFINITY)
        GTEST_SKIP() << "core dumps do not go to where a test finds them: " << pattern;
    const std::string shared_memory = "/dev/shm/"; // a disk may be slow
    std::string folder = std::filesystem::exists(shared_memory) ? shared_memory : testing::TempDir();
    folder += "core_dump_XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0)
        use_and_dump(folder.c_str());
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status) && WCOREDUMP(status)) << status;
    size_t files = 0;
    for (const auto &entry : std::filesystem::directory_iterator(folder)) {
        struct stat file;
        ASSERT_EQ(stat(entry.path().c_str(), &file), 0);
        EXPECT_LT(static_cast<size_t>(file.st_blocks) * 512, kept_count * kept.size + (ALLOC_DEBUG ? 64 : 16) * MiB);
        EXPECT_LT(static_cast<size_t>(file.st_size), given_back_bytes + (ALLOC_DEBUG ? 256 : 96) * MiB) << "with holes";
        EXPECT_EQ(count_kept(entry.path()), kept_count);
        files++;
    }
    EXPECT_EQ(files, 1u);
    std::filesystem::remove_all(folder);
}

} // namespace
