// A program that forks workers, unaware of any allocator: a server's parent with threads of its own forks while they
// allocate, workers go on with what they inherited, fork again and answer over pipes. Prints sums.
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace
{

using Table = std::map<int, std::string>;

Table make_table(int seed)
{
    Table table;
    for (int i = 0; i < 5000; i++)
        table[i * 7919 % 5003] = std::string(static_cast<size_t>((i + seed) * 31 % 400), 'x');
    return table;
}

uint64_t sum_of(const Table &table)
{
    uint64_t sum = 0;
    for (const auto &[key, text] : table)
        sum += static_cast<uint64_t>(key) * text.size();
    return sum;
}

// Changes what was inherited: frees, allocates, and threads of its own.
uint64_t work(Table table, int seed)
{
    for (int i = 0; i < 5003; i += 3)
        table.erase(i);
    Table other;
    std::thread thread([&other, seed] { other = make_table(seed); });
    const uint64_t sum = sum_of(table);
    thread.join();
    table.merge(other);
    return sum + sum_of(table);
}

// Runs `body` in a child process and returns the number that it answers.
template <class Body> uint64_t in_child(Body body)
{
    int ends[2];
    if (pipe(ends) != 0)
        std::abort();
    const pid_t child = fork();
    if (child < 0)
        std::abort();
    if (child == 0) {
        const uint64_t answer = body();
        _exit(write(ends[1], &answer, sizeof answer) == sizeof answer ? 0 : 1);
    }
    uint64_t answer = 0;
    int status = -1;
    if (read(ends[0], &answer, sizeof answer) != sizeof answer || waitpid(child, &status, 0) != child || status != 0) {
        std::fprintf(stderr, "a worker failed: status %d\n", status);
        std::abort();
    }
    close(ends[0]);
    close(ends[1]);
    return answer;
}

} // namespace

int main()
{
    std::atomic<bool> is_done{false};
    std::thread threads[3]; // forks meet them wherever they are
    for (int i = 0; i < 3; i++)
        threads[i] = std::thread([&is_done, i] {
            while (!is_done)
                if (make_table(i).size() != 5000)
                    std::abort();
        });
    const Table inherited = make_table(0);
    for (int round = 0; round < 40; round++) {
        const uint64_t sum =
            in_child([&] { return work(inherited, round) + in_child([&] { return work(inherited, round + 1); }); });
        std::printf("worker %d: %llu\n", round, static_cast<unsigned long long>(sum));
    }
    is_done = true;
    for (std::thread &thread : threads)
        thread.join();
    std::printf("parent: %llu\n", static_cast<unsigned long long>(sum_of(inherited)));
    return 0;
}
