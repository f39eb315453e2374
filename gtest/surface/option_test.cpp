// Options: what the program sets, what the environment says, and what it says wrongly; the limit on mapped bytes.
#include "json.h"
#include "usage.h"
#include "worker.h"

#include <alloc/alloc_ext.h>
#include <atomic>
#include <cerrno>
#include <climits>

using namespace support;

namespace
{

struct Option {
    enum alloc_option number;
    const char *variable;
    size_t preset, most;
};

constexpr Option options[] = {
    {ALLOC_OPTION_HUGE_PAGES, "ALLOC_HUGE_PAGES", ALLOC_HUGE_PAGES_AUTO, ALLOC_HUGE_PAGES_ALWAYS},
    {ALLOC_OPTION_PURGE_AGE, "ALLOC_PURGE_AGE", 500, INT32_MAX},
    {ALLOC_OPTION_CACHE_LIMIT, "ALLOC_CACHE_LIMIT", 32 * MiB, SIZE_MAX},
    {ALLOC_OPTION_LARGE_CACHE_LIMIT, "ALLOC_LARGE_CACHE_LIMIT", 384 * MiB, SIZE_MAX},
    {ALLOC_OPTION_MAPPED_LIMIT, "ALLOC_MAPPED_LIMIT", 0, SIZE_MAX},
    {ALLOC_OPTION_VERBOSITY, "ALLOC_VERBOSITY", 1, 2},
    {ALLOC_OPTION_STRICT, "ALLOC_STRICT", 0, 1},
};

std::ostream &operator<<(std::ostream &out, const Option &option) { return out << option.variable; }

size_t value_of(enum alloc_option option)
{
    size_t value = 0;
    EXPECT_EQ(alloc_option_get(option, &value), 0);
    return value;
}

// ---- children: this program with another environment ----------------------------------------------------------------

using Environment = std::vector<std::pair<std::string, std::string>>;

// Asked for by this variable, the program prints its options instead of running tests: before main, as early as a program
// can.
constexpr const char *asks = "ALLOC_TEST_PRINT_OPTIONS";

const bool is_asked = [] {
    if (std::getenv(asks) == nullptr)
        return false;
    alloc_free(alloc_malloc(100), 100);
    for (const Option &option : options) {
        size_t value = 0;
        if (alloc_option_get(option.number, &value) != 0)
            std::abort();
        std::printf("%zu\n", value);
    }
    std::exit(0);
}();

struct Output {
    std::vector<size_t> values; // of the options
    std::string errors;         // on standard error

    explicit Output(const Environment &environment)
    {
        FILE *files[] = {std::tmpfile(), std::tmpfile()};
        const pid_t child = fork();
        if (child == 0) {
            dup2(fileno(files[0]), STDOUT_FILENO);
            dup2(fileno(files[1]), STDERR_FILENO);
            setenv(asks, "1", 1);
            for (const auto &[name, value] : environment)
                setenv(name.c_str(), value.c_str(), 1);
            execl("/proc/self/exe", "option_test", nullptr);
            _exit(127);
        }
        int status = -1;
        EXPECT_EQ(waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0);
        std::rewind(files[0]);
        for (size_t value = 0; std::fscanf(files[0], "%zu", &value) == 1;)
            values.push_back(value);
        std::rewind(files[1]);
        for (int each; (each = std::fgetc(files[1])) != EOF;)
            errors += static_cast<char>(each);
        for (FILE *file : files)
            std::fclose(file);
        EXPECT_EQ(values.size(), std::size(options));
    }

    // Every option but this one has its preset.
    void expect(const Option &changed, size_t value) const
    {
        for (size_t i = 0; i < values.size(); i++)
            EXPECT_EQ(values[i], options[i].number == changed.number ? value : options[i].preset)
                << options[i].variable;
    }
};

// ---- set and get ----------------------------------------------------------------------------------------------------

class Options : public testing::TestWithParam<Option>
{
};

INSTANTIATE_TEST_SUITE_P(Of, Options, testing::ValuesIn(options),
                         [](const auto &info) { return std::string(info.param.variable); });

TEST_P(Options, AreWhatTheyWereSetTo)
{
    const Option &option = GetParam();
    EXPECT_EQ(value_of(option.number), option.preset);
    for (size_t value : {size_t{0}, size_t{1}, option.most}) {
        EXPECT_EQ(alloc_option_set(option.number, value), 0) << value;
        EXPECT_EQ(value_of(option.number), value);
        for (const Option &other : options)
            EXPECT_TRUE(other.number == option.number || value_of(other.number) == other.preset) << other.variable;
    }
    EXPECT_EQ(alloc_option_set(option.number, option.preset), 0);
}

TEST_P(Options, RefuseWhatTheyCannotBe)
{
    const Option &option = GetParam();
    for (size_t value : {option.most + 1, size_t{UINT32_MAX}, SIZE_MAX}) {
        if (value <= option.most || option.most == SIZE_MAX)
            continue;
        errno = 0;
        EXPECT_EQ(alloc_option_set(option.number, value), -1) << value;
        EXPECT_EQ(errno, EINVAL);
        EXPECT_EQ(value_of(option.number), option.preset);
    }
    errno = 0;
    EXPECT_EQ(alloc_option_get(option.number, nullptr), -1);
    EXPECT_EQ(errno, EINVAL);
}

TEST(UnknownOption, IsRefused)
{
    for (int number : {static_cast<int>(std::size(options)), 1000, INT_MAX, -1, INT_MIN}) {
        const auto option = static_cast<enum alloc_option>(number);
        size_t value = 42;
        errno = 0;
        EXPECT_EQ(alloc_option_get(option, &value), -1) << number;
        EXPECT_EQ(errno, EINVAL);
        EXPECT_EQ(value, 42u);
        errno = 0;
        EXPECT_EQ(alloc_option_set(option, 0), -1) << number;
        EXPECT_EQ(errno, EINVAL);
    }
}

// ---- the environment ------------------------------------------------------------------------------------------------

TEST_P(Options, AreWhatTheEnvironmentSays)
{
    const Option &option = GetParam();
    struct Said {
        const char *text;
        size_t value;
    };
    const std::vector<Said> numbers = {{"0", 0},
                                       {"1", 1},
                                       {"0002", 2},
                                       {"7", 7},
                                       {"3K", 3 * KiB},
                                       {"3k", 3 * KiB},
                                       {"64M", 64 * MiB},
                                       {"32m", 32 * MiB},
                                       {"1G", 1024 * MiB},
                                       {"2147483647", INT32_MAX},
                                       {"17179869183G", 17179869183 * 1024 * MiB},
                                       {"18446744073709551615", SIZE_MAX}};
    const std::vector<Said> words = {{"off", 0}, {"auto", 1}, {"always", 2}, {"0", 0}, {"1", 1}, {"2", 2}};
    for (const Said &said : option.number == ALLOC_OPTION_HUGE_PAGES ? words : numbers) {
        if (said.value > option.most)
            continue;
        const Output output(Environment{{option.variable, said.text}});
        output.expect(option, said.value);
        EXPECT_TRUE(output.errors.empty() || option.number == ALLOC_OPTION_VERBOSITY) << output.errors;
    }
}

// One line about each, whatever is in it, and the preset.
TEST_P(Options, IgnoreWhatTheEnvironmentSaysWrongly)
{
    const Option &option = GetParam();
    const std::vector<std::string> numbers = {"-1",
                                              "+1",
                                              "1.5",
                                              "1e9",
                                              "0x10",
                                              "1KB",
                                              "K",
                                              "1 K",
                                              " 1",
                                              "1 ",
                                              "1,000",
                                              "18446744073709551616",
                                              "17179869184G",
                                              std::string(5000, '9')};
    const std::vector<std::string> words = {"on", "3", "-1", "OFF", "auto ", "always,off", "autoo", "aut"};
    std::vector<std::string> wrong = {"", "junk", "%s%n%s", "1\n2", "\x1b[2J", "\xff\xfe", std::string(100000, 'x')};
    const auto &more = option.number == ALLOC_OPTION_HUGE_PAGES ? words : numbers;
    wrong.insert(wrong.end(), more.begin(), more.end());
    if (option.most != SIZE_MAX)
        wrong.push_back(std::to_string(option.most + 1));
    for (const std::string &text : wrong) {
        const Output output(Environment{{option.variable, text}});
        output.expect(option, option.preset);
        const std::string expected = "alloc: " + std::string(option.variable) + "=";
        EXPECT_EQ(output.errors.rfind(expected, 0), 0u) << output.errors;
        EXPECT_NE(output.errors.find(": ignored: not "), std::string::npos) << output.errors;
        EXPECT_EQ(output.errors.find('\n'), output.errors.size() - 1) << "one line: " << output.errors;
        EXPECT_LE(output.errors.size(), 256u);
        EXPECT_TRUE(std::none_of(output.errors.begin(), output.errors.end() - 1,
                                 [](char each) { return std::iscntrl(static_cast<unsigned char>(each)) != 0; }))
            << "nothing that a terminal obeys: " << output.errors;
    }
}

TEST(Verbosity, SilencesWhatIsSaidOfTheEnvironment)
{
    Environment environment;
    for (const Option &option : options)
        environment.emplace_back(option.variable, "junk");
    const std::string errors = Output(environment).errors;
    EXPECT_EQ(std::count(errors.begin(), errors.end(), '\n'), static_cast<ptrdiff_t>(std::size(options))) << errors;
    for (const Option &option : options)
        EXPECT_NE(errors.find(option.variable), std::string::npos) << errors;
    environment.emplace_back("ALLOC_VERBOSITY", "0");
    EXPECT_EQ(Output(environment).errors, "");
}

TEST(Verbosity, OfTwoPrintsStatisticsAtTheEnd)
{
    const std::string errors = Output(Environment{{"ALLOC_VERBOSITY", "2"}}).errors;
    ASSERT_EQ(errors.rfind("alloc: {", 0), 0u) << errors;
    ASSERT_EQ(errors.find('\n'), errors.size() - 1) << errors;
    const json::Value stats = json::parse(errors.substr(7));
    EXPECT_EQ(stats.at("version").number, size_t{ALLOC_VERSION});
    EXPECT_EQ(stats.at("slabs_current").number, 1u);
    ASSERT_EQ(stats.at("classes").elements.size(), 1u);
    EXPECT_EQ(stats.at("classes").elements[0].at("slot_size").number, 128u);
}

// The program has the last word.
TEST(Environment, IsReadOnceAndFirst)
{
    expect_in_child([] {
        for (const Option &option : options)
            setenv(option.variable, "1", 1);
        for (const Option &option : options)
            EXPECT_EQ(value_of(option.number), option.preset) << option.variable;
    });
}

// ---- the limit on mapped bytes --------------------------------------------------------------------------------------

class MappedLimit : public testing::Test
{
  protected:
    static constexpr size_t limit = 128 * MiB;

    static void set_limit(size_t bytes) { ASSERT_EQ(alloc_option_set(ALLOC_OPTION_MAPPED_LIMIT, bytes), 0); }

    // The largest block that can be had at once, to the megabyte.
    static size_t largest_block()
    {
        for (size_t size = limit; size > MiB; size -= MiB)
            if (void *block = alloc_malloc(size)) {
                alloc_free(block, size);
                return size;
            }
        return 0;
    }

    // Allocates as many as there are, and frees them.
    static size_t use_up(Request request)
    {
        std::vector<void *> blocks;
        errno = 0;
        while (void *block = allocate(request)) {
            fill(block, 16, blocks.size());
            blocks.push_back(block);
            if (blocks.size() % 1024 == 0 || request.size > 64 * KiB) {
                EXPECT_LE(statistics().committed_bytes, limit);
            }
        }
        EXPECT_EQ(errno, ENOMEM);
        EXPECT_LE(statistics().committed_bytes, limit);
        for (size_t i = 0; i < blocks.size(); i++) {
            EXPECT_TRUE(holds(blocks[i], 16, i)) << request;
            release(blocks[i], request);
        }
        return blocks.size();
    }
};

constexpr Request kinds[] = {{256, 0}, {3000, 8}, {64 * KiB, 0}, {512 * KiB, 0}, {700 * KiB, 4096}, {5 * MiB, 4096}};

// What was freed can be had again, as blocks of the same size and as any other, also as one.
TEST_F(MappedLimit, LosesNothing)
{
    for (Request request : kinds)
        expect_in_child([request] {
            set_limit(limit);
            const size_t count = use_up(request);
            EXPECT_GE(count * request.size, limit / 4 * 3) << request;
            EXPECT_GE(use_up(request), count - count / 16) << request;
            for (Request other : kinds)
                EXPECT_GE(use_up(other) * other.size, limit / 2) << other << " after " << request;
            alloc_trim();
            EXPECT_GE(largest_block(), limit / 4 * 3) << "after " << request;
        });
}

// The first call for it succeeds: what is cached gives way.
TEST_F(MappedLimit, CachedMemoryGivesWay)
{
    for (Request request : kinds)
        expect_in_child([request] {
            set_limit(limit);
            use_up(request);
            const struct alloc_stats stats = statistics();
            const size_t cached = stats.cached_bytes + stats.large_cached_bytes;
            const size_t size = (limit - (stats.committed_bytes - cached)) / MiB * MiB;
            EXPECT_GE(size, limit / 4 * 3) << request;
            void *block = alloc_malloc_aligned(size, 4096);
            EXPECT_NE(block, nullptr) << size << " bytes, " << cached << " cached, after " << request;
            alloc_free_aligned(block, size, 4096);
        });
}

// To move a block takes no more than the block.
TEST_F(MappedLimit, LetsBlocksGrowUpToIt)
{
    expect_in_child([] {
        set_limit(limit);
        size_t size = limit / 2 + MiB;
        char *block = static_cast<char *>(alloc_malloc_aligned(size, 4096));
        ASSERT_NE(block, nullptr);
        fill_edges(block, size, 1);
        for (size_t step = 0; size + 2 * MiB < limit; step++, size += MiB) { // the rest is for metadata
            const Obstacle obstacle(step % 8 == 0 ? block + size : nullptr);
            void *grown = alloc_realloc_aligned(block, size, size + MiB, 4096);
            ASSERT_NE(grown, nullptr) << size;
            block = static_cast<char *>(grown);
        }
        EXPECT_GT(statistics().committed_bytes, limit - 3 * MiB);
        EXPECT_EQ(alloc_realloc_aligned(block, size, size + 3 * MiB, 4096), nullptr);
        EXPECT_TRUE(holds(block, edge, 1));
        alloc_free_aligned(block, size, 4096);
    });
}

// Set below what is in use: nothing more can be had, until enough is freed.
TEST_F(MappedLimit, MayBeSetLaterAndTakenBack)
{
    expect_in_child([] {
        void *block = alloc_malloc(64 * MiB);
        set_limit(16 * MiB);
        EXPECT_EQ(alloc_malloc(MiB), nullptr);
        EXPECT_EQ(errno, ENOMEM);
        alloc_free(block, 64 * MiB);
        block = alloc_malloc(MiB);
        EXPECT_NE(block, nullptr);
        alloc_free(block, MiB);
        set_limit(0);
        block = alloc_malloc(64 * MiB);
        EXPECT_NE(block, nullptr);
        alloc_free(block, 64 * MiB);
    });
}

#if ALLOC_THREADS

TEST_F(MappedLimit, HoldsForThreadsTogether)
{
    seed();
    set_limit(limit);
    constexpr size_t thread_count = 3, held_size = limit / 3 * 2;
    void *held = alloc_malloc(held_size); // so that each thread is refused, in whatever order they run
    ASSERT_NE(held, nullptr);
    std::atomic<size_t> running{thread_count}, refused{0};
    std::vector<std::thread> threads;
    for (size_t number = 0; number < thread_count; number++)
        threads.emplace_back([&, number] {
            Random random(number);
            for (size_t round = 0; round < repetitions(24); round++) {
                const Request request = kinds[random.below(std::size(kinds))];
                std::vector<void *> blocks;
                while (blocks.size() * request.size < limit / 2) {
                    void *block = allocate(request);
                    if (block == nullptr)
                        break;
                    fill(block, 16, blocks.size());
                    blocks.push_back(block);
                }
                refused += blocks.size() * request.size < limit / 2;
                for (size_t i = 0; i < blocks.size(); i++) {
                    EXPECT_TRUE(holds(blocks[i], 16, i)) << request;
                    release(blocks[i], request);
                }
            }
            running--;
        });
    while (running != 0)
        EXPECT_LE(statistics().committed_bytes, limit);
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_GT(refused, 0u);
    alloc_free(held, held_size);
    alloc_trim();
    EXPECT_GE(largest_block(), limit / 2);
    set_limit(0);
}

#endif

} // namespace
