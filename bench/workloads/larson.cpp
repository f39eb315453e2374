// A server: sessions of a thousand objects each wait in a queue; a worker takes one, replaces as many objects in it at
// random, and puts it back, so that most of what it frees others have allocated. A worker ends after some sessions and
// a new thread goes on in its place: generation after generation frees what threads left behind that are gone.
//
// After Larson and Krishnan, Memory Allocation for Long-Running Server Applications, 1998.
#include "block.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <thread>

namespace
{

constexpr size_t session_objects = 1'000;
constexpr size_t sessions_per_worker = 20;
constexpr size_t smallest = 8;
constexpr size_t largest = 1'000;
const size_t replacements = bench::scaled(4'000'000);

struct Session {
    bench::Random random;
    bench::Block objects[session_objects]; // each has its size in its first word
};

void fill(bench::Block &object, bench::Random &random)
{
    object.size = bench::random_size(random, smallest, largest);
    object.start = static_cast<char *>(bench::make_object(object.size));
}

void release(const bench::Block &object)
{
    bench::expect(bench::object_size(object.start) == object.size, "an object keeps its contents");
    allocator::release(object.start, object.size);
}

class Server
{
  public:
    // Twice as many sessions as workers: there is always one in the queue.
    explicit Server(size_t workers) : sessions_(2 * workers), queue_(sessions_.size())
    {
        for (size_t i = 0; i < sessions_.size(); i++) {
            sessions_[i].random = bench::Random(i);
            for (bench::Block &object : sessions_[i].objects)
                fill(object, sessions_[i].random);
            queue_[i] = i;
        }
    }
    ~Server()
    {
        for (const Session &session : sessions_)
            for (const bench::Block &object : session.objects)
                release(object);
    }
    Server(const Server &) = delete;
    Server &operator=(const Server &) = delete;

    void work()
    {
        for (size_t i = 0; i < sessions_per_worker; i++) {
            const size_t index = take();
            Session &session = sessions_[index];
            for (size_t replaced = 0; replaced < session_objects; replaced++) {
                bench::Block &object = session.objects[session.random.below(session_objects)];
                release(object);
                fill(object, session.random);
            }
            put_back(index);
        }
    }

  private:
    size_t take()
    {
        const std::lock_guard<std::mutex> lock(lock_);
        return queue_[taken_++ % queue_.size()];
    }
    void put_back(size_t session)
    {
        const std::lock_guard<std::mutex> lock(lock_);
        queue_[put_back_++ % queue_.size()] = session;
    }

    bench::Array<Session> sessions_;
    std::mutex lock_;
    bench::Array<size_t> queue_; // of sessions
    size_t taken_ = 0;
    size_t put_back_ = 0;
};

std::optional<Server> server;

void larson(benchmark::State &state)
{
    const size_t workers = static_cast<size_t>(state.threads());
    const size_t worker_replacements = sessions_per_worker * session_objects;
    const size_t generations = std::max<size_t>(replacements / workers / worker_replacements, 1);
    if (state.thread_index() == 0)
        server.emplace(workers);
    bench::start_together();
    for (auto _ : state)
        for (size_t i = 0; i < generations; i++)
            std::thread(&Server::work, &*server).join();
    bench::finish(state, generations * worker_replacements);
    if (state.thread_index() == 0)
        server.reset();
}

BENCHMARK(larson)->Iterations(1)->UseManualTime()->ThreadRange(1, 16);

} // namespace
