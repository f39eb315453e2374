// Threads that do what they are told, when they are told: the interleavings of a test are its own, not the scheduler's.
#ifndef ALLOC_TEST_WORKER_H
#define ALLOC_TEST_WORKER_H

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

// Sleeps until it is given something to run. Its thread exits with it.
class Worker
{
  public:
    Worker() : thread([this] { serve(); }) {}
    ~Worker()
    {
        start(nullptr);
        thread.join();
    }
    Worker(const Worker &) = delete;
    Worker &operator=(const Worker &) = delete;

    void start(std::function<void()> work)
    {
        wait();
        std::lock_guard<std::mutex> lock(mutex);
        task = std::move(work);
        is_busy = true;
        changed.notify_all();
    }

    void wait()
    {
        std::unique_lock<std::mutex> lock(mutex);
        changed.wait(lock, [this] { return !is_busy; });
    }

    void run(std::function<void()> work)
    {
        start(std::move(work));
        wait();
    }

    // The thread exits, and another one takes its place.
    void replace()
    {
        start(nullptr);
        thread.join();
        is_busy = false;
        thread = std::thread([this] { serve(); });
    }

  private:
    void serve()
    {
        std::unique_lock<std::mutex> lock(mutex);
        for (;;) {
            changed.wait(lock, [this] { return is_busy; });
            if (!task)
                return;
            lock.unlock();
            task();
            lock.lock();
            is_busy = false;
            changed.notify_all();
        }
    }

    std::mutex mutex;
    std::condition_variable changed;
    std::function<void()> task;
    bool is_busy = false;
    std::thread thread;
};

// Where one thread stops until another lets it go on.
class Gate
{
  public:
    void stop()
    {
        std::unique_lock<std::mutex> lock(mutex);
        is_reached = true;
        changed.notify_all();
        changed.wait(lock, [this] { return is_open; });
    }

    void wait_until_reached()
    {
        std::unique_lock<std::mutex> lock(mutex);
        changed.wait(lock, [this] { return is_reached; });
    }

    void open()
    {
        std::lock_guard<std::mutex> lock(mutex);
        is_open = true;
        changed.notify_all();
    }

  private:
    std::mutex mutex;
    std::condition_variable changed;
    bool is_reached = false, is_open = false;
};

#endif
