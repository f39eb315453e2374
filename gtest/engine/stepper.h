// Stops a thread before any chosen instruction of what it does, while another does something whole (x86-64, Linux). So
// every interleaving of the two with one switch can be run, one after the other.
#ifndef ALLOC_TEST_STEPPER_H
#define ALLOC_TEST_STEPPER_H

#include "white_box.h"
#include "worker.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <functional>
#include <sched.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include <vector>

extern "C" unsigned char __executable_start[], etext[]; // NOLINT(bugprone-reserved-identifier): the linker's

class Stepper
{
  public:
    using Instruction = unsigned char *;

    // Does `stepped` and returns the instructions of this program, not of its shared libraries, that it went through:
    // each once, as first reached.
    static std::vector<Instruction> trace(const std::function<void()> &stepped)
    {
        Stepper stepper;
        stepper.traced.reserve(10'000);
        Trap trap(&stepper, on_step);
        asm volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq" ::: "memory", "cc"); // the trap flag
        stepped();
        asm volatile("pushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq" ::: "memory", "cc");
        return stepper.traced;
    }

    // Does `stepped` in the calling thread and, before its instruction `stop`, `other` in that of a worker. They may both
    // take locks: where `other` has to wait for one that `stepped` holds, both go on. False: `stepped` did not reach the
    // instruction this time, and `other` was done afterwards.
    static bool run(Instruction stop, const std::function<void()> &stepped, Worker &worker,
                    const std::function<void()> &other)
    {
        Stepper stepper;
        worker.start([&] {
            stepper.is_ready = true;
            while (!stepper.may_go)
                sched_yield();
            engine_before_next_lock([](void *self) { static_cast<Stepper *>(self)->is_at_lock = true; }, &stepper);
            other();
            engine_before_next_lock(nullptr, nullptr);
            stepper.is_done = true;
        });
        while (!stepper.is_ready) // and out of the way: the breakpoint is in code that threads share
            sched_yield();
        Trap trap(&stepper, on_breakpoint);
        stepper.set_breakpoint(stop);
        stepped();
        if (stepper.breakpoint != nullptr)
            stepper.clear_breakpoint();
        bool has_stopped = stepper.may_go.exchange(true);
        worker.wait();
        return has_stopped;
    }

  private:
    // Where traps go while it lives.
    class Trap
    {
      public:
        Trap(Stepper *stepper, void (*handler)(int, siginfo_t *, void *))
        {
            current = stepper;
            struct sigaction action = {};
            action.sa_sigaction = handler;
            action.sa_flags = SA_SIGINFO;
            sigaction(SIGTRAP, &action, &before);
        }
        ~Trap() { sigaction(SIGTRAP, &before, nullptr); }

      private:
        struct sigaction before;
    };

    static greg_t &register_of(void *context, int number)
    {
        return static_cast<ucontext_t *>(context)->uc_mcontext.gregs[number];
    }

    static void on_step(int, siginfo_t *, void *context)
    {
        auto here = reinterpret_cast<Instruction>(register_of(context, REG_RIP));
        std::vector<Instruction> &traced = current->traced;
        bool is_ours = here >= __executable_start && here < etext;
        if (is_ours && std::find(traced.begin(), traced.end(), here) == traced.end() &&
            traced.size() < traced.capacity())
            traced.push_back(here); // without an allocation, in the middle of whatever this is
    }

    static void on_breakpoint(int, siginfo_t *, void *context)
    {
        register_of(context, REG_RIP) = reinterpret_cast<greg_t>(current->breakpoint);
        current->clear_breakpoint();
        current->let_other_go();
    }

    void set_breakpoint(Instruction at)
    {
        const uintptr_t page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
        mprotect(reinterpret_cast<void *>(reinterpret_cast<uintptr_t>(at) & -page), page,
                 PROT_READ | PROT_WRITE | PROT_EXEC);
        breakpoint = at;
        replaced = *at;
        *at = 0xcc; // int3
    }

    void clear_breakpoint()
    {
        *breakpoint = replaced;
        breakpoint = nullptr;
    }

    // Waits for the other thread, but not for ever where it may be waiting for this one.
    void let_other_go()
    {
        using namespace std::chrono;
        may_go = true;
        while (!is_done && !is_at_lock)
            sched_yield();
        const auto until = steady_clock::now() + microseconds(300);
        while (!is_done && steady_clock::now() < until)
            sched_yield();
    }

    static inline Stepper *current = nullptr;
    std::vector<Instruction> traced;
    Instruction breakpoint = nullptr;
    unsigned char replaced = 0;
    std::atomic<bool> is_ready{false}, may_go{false}, is_at_lock{false}, is_done{false};
};

#endif
