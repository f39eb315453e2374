"""Runs benchmarks. Each measurement is a process of its own, so that its resident memory and its heap's history are
its own. Repetitions are interleaved: in each one every workload is run with every allocator, and who goes first
changes, so that a noisy machine is noisy for all."""

import json
import os
import re
import signal
import subprocess
import time
from collections import Counter, namedtuple

from runner import names
from runner.results import nanoseconds

TIMEOUT = 600  # seconds; the slowest measurement takes some ten

# repetitions  of every workload
# min_time     seconds that Google Benchmark repeats a workload for that is no fixed amount of work
# time_limit   seconds for everything, or None: as many workloads are taken in as can be repeated so often in that time
Plan = namedtuple("Plan", "repetitions min_time time_limit")

# Of a time limit, the part that one workload may take. A longer one is stopped early and left out.
WORKLOAD_SHARE = 0.1
TOLERANCE = 1.05  # of a time limit


class Failure(Exception):
    """A benchmark that did not finish; the text says how."""


class TimedOut(Failure):
    """It was stopped."""


def execute(executable, *arguments, timeout=TIMEOUT, **environment):
    """Runs it to its end: what it has written, as output and as messages. What it has started ends with it."""
    what = f"{executable.name} {' '.join(arguments)}"
    with subprocess.Popen([executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env={**os.environ, **environment}, start_new_session=True) as process:
        try:
            output, messages = process.communicate(timeout=timeout)
        except BaseException as reason:
            os.killpg(process.pid, signal.SIGTERM)
            if isinstance(reason, subprocess.TimeoutExpired):
                raise TimedOut(f"{what}: not done after {timeout:.0f} s") from reason
            raise
    if process.returncode:
        how = signal.Signals(-process.returncode).name if process.returncode < 0 else f"exit status {process.returncode}"
        last_words = (messages.strip().splitlines() or [""])[-1]
        raise Failure(f"{what}: {how} {last_words}".rstrip())
    return output, messages


def run(executable, *arguments, **options):
    return execute(executable, *arguments, **options)[0]


def measure(executable, benchmark, min_time, timeout=TIMEOUT, **environment):
    """One process that runs one benchmark: Google Benchmark's result as it wrote it."""
    result = json.loads(run(executable, f"--benchmark_filter=^{re.escape(benchmark)}$",
                            f"--benchmark_min_time={min_time}", "--benchmark_format=json", timeout=timeout,
                            **environment))
    if result["benchmarks"][0].get("error_occurred"):
        raise Failure(f"{executable.name} {benchmark}: {result['benchmarks'][0]['error_message']}")
    return result


def list_benchmarks(executables, pattern, say=print):
    """{benchmark: {name: the first of its executables that has it}}, from {name: executables}, in their order. Says once
    what the executables say of workloads that they leave out."""
    found, said = {}, {}
    for name, paths in executables.items():
        for executable in paths:
            listed, messages = execute(executable, "--benchmark_list_tests")
            said.update(dict.fromkeys(messages.splitlines()))
            for benchmark in listed.splitlines():
                if re.search(pattern, names.workload_name(benchmark)):
                    found.setdefault(benchmark, {}).setdefault(name, executable)
    for line in said:
        say(line)
    return found


def describe(executable):
    """What an executable says of its allocator. It says so with a result; no benchmark is run in full for that."""
    benchmark = run(executable, "--benchmark_list_tests").splitlines()[0]
    context = measure(executable, benchmark, 0.001, ALLOC_BENCH_SCALE="0")["context"]
    return {"version": context["allocator_version"], "library": context["allocator_library"],
            "executable": str(executable), "caches": context.get("caches", [])}


def by_turns(benchmarks):
    """One of every group, then a second family of every group and a second one of every family, and so on: what a time
    limit leaves out is variants."""
    families, turns = {}, []
    for index, benchmark in enumerate(benchmarks):
        workload = names.parse(benchmark)
        of_group = families.setdefault(workload.group, {})
        of_group.setdefault(workload.series, []).append(benchmark)
        turn = list(of_group).index(workload.series) + len(of_group[workload.series])
        turns.append((turn, index, benchmark))
    return [benchmark for _, _, benchmark in sorted(turns)]


def expect_same_output(entries):
    """Those of a workload's entries whose label, which tells a program's output, is that of most, and what is wrong with
    the others. Where there is no most, all are wrong."""
    labels = Counter(entry.get("label") for entry in entries).most_common(2)
    common = {label for label, count in labels if count == labels[0][1]}
    right = [entry for entry in entries if len(common) == 1 and entry.get("label") in common]
    return right, [f"{entry['allocator']} {names.workload_name(entry['name'])}: its output {entry['label']} is not that "
                   "of others" for entry in entries if entry not in right]


class Clock:
    """Tells how long the rest takes, from how long the same measurements took before."""

    def __init__(self, plan, now=time.monotonic):
        self.plan, self.now, self.start = plan, now, now()
        self.seconds = {}  # of one repetition of a workload, as last measured

    def elapsed(self):
        return self.now() - self.start

    def total(self, extra=0.0):
        """How long everything will have taken, as far as is known during the first repetition."""
        return self.elapsed() + (sum(self.seconds.values()) + extra) * (self.plan.repetitions - 1)

    def has_room(self, seconds=0.0):
        """Whether a workload that takes so long can be taken in."""
        return self.plan.time_limit is None or self.total(seconds) <= self.plan.time_limit

    def has_room_for_another(self):
        """Of which is not known how long it takes."""
        return self.has_room(sum(self.seconds.values()) / max(1, len(self.seconds)))

    def is_over(self, benchmark):
        """Whether another repetition of it would exceed the limit by more than a machine that slows down excuses."""
        limit = self.plan.time_limit
        return limit is not None and self.elapsed() + self.seconds[benchmark] > TOLERANCE * limit

    def share(self, runs):
        """Seconds that one of so many runs of a workload may take."""
        limit = self.plan.time_limit
        return TIMEOUT if limit is None else limit * WORKLOAD_SHARE / (runs * self.plan.repetitions)

    def remaining(self, repetition, following):
        """Of this repetition the workloads that follow, and all of the later ones."""
        average = sum(self.seconds.values()) / len(self.seconds)
        ahead = sum(self.seconds.get(benchmark, average) for benchmark in following)
        new = sum(average for benchmark in following if benchmark not in self.seconds)
        seconds = ahead + (sum(self.seconds.values()) + new) * (self.plan.repetitions - 1 - repetition)
        if self.plan.time_limit is not None:
            seconds = min(seconds, max(0.0, self.plan.time_limit - self.elapsed()))
        return f"{round(seconds) // 60}:{round(seconds) % 60:02} left"


class Campaign:
    """All measurements of one comparison, and what became of them."""

    def __init__(self, benchmarks, plan, say=print):
        self.benchmarks, self.plan, self.say = benchmarks, plan, say  # benchmarks: as list_benchmarks found them
        self.clock = Clock(plan)
        self.entries = []  # Google Benchmark's, each with its allocator and repetition
        self.failures = []
        self.left_out = []  # benchmarks there was no time for

    def run_all(self):
        admitted = self.run_first(by_turns(self.benchmarks) if self.plan.time_limit else list(self.benchmarks))
        for repetition in range(1, self.plan.repetitions):
            for index, benchmark in enumerate(admitted):
                if self.clock.is_over(benchmark):
                    self.say("stopped for the time limit: everything takes longer than it did at first")
                    return
                self.run_one(repetition, index, benchmark, admitted[index + 1:])

    def run_first(self, benchmarks):
        """The first repetition. Returns what is to be repeated."""
        admitted, too_long = [], set()
        for index, benchmark in enumerate(benchmarks):
            series = names.parse(benchmark).series
            if series in too_long or not self.clock.has_room_for_another():
                self.left_out.append(benchmark)
            elif self.run_one(0, index, benchmark, benchmarks[index + 1:]):
                admitted.append(benchmark)
            else:
                too_long.add(series)
                self.left_out.append(benchmark)
        return admitted

    def run_one(self, repetition, index, benchmark, following):
        """A workload once with every allocator. False if it turned out to take too long to be repeated."""
        executables = self.benchmarks[benchmark]
        allocators = list(executables)
        turn = (repetition + index) % len(allocators)
        timeout = self.clock.share(len(allocators)) if repetition == 0 else TIMEOUT
        line, entries, failures, start = [], [], [], self.clock.elapsed()
        for name in allocators[turn:] + allocators[:turn]:
            try:
                entry = measure(executables[name], benchmark, self.plan.min_time, timeout)["benchmarks"][0]
                entries.append({**entry, "allocator": name, "repetition": repetition})
                line.append(f"{name} {nanoseconds(entry):.2f}")
            except Failure as failure:
                if isinstance(failure, TimedOut) and timeout < TIMEOUT:
                    self.say(f"{names.workload_name(benchmark)}: left out, takes too long for the time limit")
                    return False
                failures.append(str(failure))
                line.append(f"{name} failed")
        seconds = self.clock.elapsed() - start
        if repetition == 0 and not self.clock.has_room(seconds):
            self.say(f"{names.workload_name(benchmark)}: left out, cannot be repeated within the time limit")
            return False
        right, wrong = expect_same_output(entries)
        self.entries += right
        self.failures += failures + wrong
        self.clock.seconds[benchmark] = seconds
        self.say(f"{repetition + 1}/{self.plan.repetitions} {names.workload_name(benchmark):32} "
                 f"ns: {', '.join(sorted(line))}; {self.clock.remaining(repetition, following)}")
        return True
