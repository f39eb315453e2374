#!/usr/bin/env python3
"""Compares the allocators whose benchmarks were built.

Each measurement is a process of its own, so that its resident memory and its heap's history are its own. Repetitions
are interleaved: in each one every workload is run with every allocator, and who goes first changes, so that a noisy
machine is noisy for all."""

import argparse
import json
import os
import pathlib
import platform
import re
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # the sources may be read-only, and are no place for caches
import report

FULL = {"repetitions": 9, "min_time": 0.2}  # some 10 minutes with five allocators
QUICK = {"repetitions": 3, "min_time": 0.05}
TIMEOUT = 600  # seconds; the slowest measurement takes a few


class Failure(Exception):
    """A benchmark that did not finish; the text says how."""


def run(executable, *arguments, **environment):
    try:
        done = subprocess.run([executable, *arguments], capture_output=True, text=True, timeout=TIMEOUT,
                              env={**os.environ, **environment})
    except subprocess.TimeoutExpired as expired:
        raise Failure(f"{executable.name} {' '.join(arguments)}: not done after {TIMEOUT} s") from expired
    if done.returncode:
        how = signal.Signals(-done.returncode).name if done.returncode < 0 else f"exit status {done.returncode}"
        last_words = (done.stderr.strip().splitlines() or [""])[-1]
        raise Failure(f"{executable.name} {' '.join(arguments)}: {how} {last_words}".rstrip())
    return done.stdout


def measure(executable, benchmark, min_time, **environment):
    """One process that runs one benchmark: Google Benchmark's result as it wrote it."""
    result = json.loads(run(executable, f"--benchmark_filter=^{benchmark}$", f"--benchmark_min_time={min_time}",
                            "--benchmark_format=json", **environment))
    if result["benchmarks"][0].get("error_occurred"):
        raise Failure(f"{executable.name} {benchmark}: {result['benchmarks'][0]['error_message']}")
    return result


def list_benchmarks(executable, pattern):
    names = run(executable, "--benchmark_list_tests").splitlines()
    return [name for name in names if re.search(pattern, workload(name))]


def workload(benchmark):
    """A benchmark's name without what says how Google Benchmark counts: workload/param/threads:n."""
    return re.sub(r"/(iterations:\d+|real_time)", "", benchmark)


def find_allocators(folder, wanted):
    """{name: executable}, ours first, then the peers, then others."""
    found = {path.name.removeprefix("bench_"): path for path in folder.glob("bench_*")
             if path.is_file() and os.access(path, os.X_OK)}
    order = [report.OURS, *report.PEERS]
    names = sorted(wanted or found, key=lambda name: (order.index(name) if name in order else len(order), name))
    missing = [name for name in names if name not in found]
    if missing or not names:
        sys.exit(f"run.py: no benchmark of {', '.join(missing) or 'any allocator'} in {folder}")
    return {name: found[name] for name in names}


def describe(executable, benchmark):
    """What an executable says about its allocator; the benchmark it runs for that is as small as it gets."""
    context = measure(executable, benchmark, 0.001, ALLOC_BENCH_SCALE="0")["context"]
    return {"version": context["allocator_version"], "library": context["allocator_library"],
            "executable": str(executable)}


def first_line(path, start=""):
    """What follows `start` in the first line of a file that begins with it."""
    try:
        lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return "?"
    return next((line.removeprefix(start).strip("\t :") for line in lines if line.startswith(start)), "?")


def describe_machine():
    return {
        "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "processor": first_line("/proc/cpuinfo", "model name"),
        "processors": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "huge_pages": first_line("/sys/kernel/mm/transparent_hugepage/enabled"),
        "load_average": round(os.getloadavg()[0], 2),
    }


def to_sample(entry):
    return report.Sample(1e9 / entry["items_per_second"], entry["peak_rss"] - entry["harness"])


class Clock:
    """Tells how long the rest takes, from how long the same measurements took before."""

    def __init__(self, jobs, repetitions):
        self.left = {job: repetitions for job in jobs}
        self.seconds = {}

    def finished(self, job, seconds):
        self.left[job] -= 1
        self.seconds[job] = seconds

    def remaining(self):
        average = sum(self.seconds.values()) / len(self.seconds)
        seconds = round(sum(count * self.seconds.get(job, average) for job, count in self.left.items()))
        return f"{seconds // 60}:{seconds % 60:02} left"


def measure_all(executables, benchmarks, repetitions, min_time, entries):
    """Appends every result to `entries`; returns what failed. Says where it is as it goes."""
    names, failures = list(executables), []
    clock = Clock([(benchmark, name) for benchmark in benchmarks for name in names], repetitions)
    for repetition in range(repetitions):
        for index, benchmark in enumerate(benchmarks):
            turn = (repetition + index) % len(names)
            line = []
            for name in names[turn:] + names[:turn]:
                start = time.monotonic()
                try:
                    entry = measure(executables[name], benchmark, min_time)["benchmarks"][0]
                    entries.append({**entry, "allocator": name, "repetition": repetition})
                    line.append(f"{name} {to_sample(entry).nanoseconds:.2f}")
                except Failure as failure:
                    failures.append(str(failure))
                    line.append(f"{name} failed")
                clock.finished((benchmark, name), time.monotonic() - start)
            print(f"{repetition + 1}/{repetitions} {workload(benchmark):32} ns: {', '.join(sorted(line))}; "
                  f"{clock.remaining()}", flush=True)
    return failures


def collect(entries, benchmarks, names):
    """The entries as the report's samples. Workloads nobody has reached are left out."""
    samples = {workload(benchmark): {name: [] for name in names} for benchmark in benchmarks}
    for entry in entries:
        samples[workload(entry["name"])][entry["allocator"]].append(to_sample(entry))
    return {name: row for name, row in samples.items() if any(row.values())}


def heading(machine, allocators, repetitions):
    lines = [f"{machine['processor']}, {machine['processors']} processors, Linux {machine['kernel']}, transparent huge "
             f"pages {machine['huge_pages']}, load average at the start {machine['load_average']}", ""]
    lines += [f"- {name} {about['version']}: {about['library']}" for name, about in allocators.items()]
    lines += ["", f"Medians of {repetitions} repetitions. Time per item (CPU time of one thread, wall time of several) as a "
              f"ratio to the best of {', '.join(report.PEERS)}: less is faster; ± half the interquartile range. Peak "
              "resident memory of the process in MiB, without the harness's arrays.", ""]
    return lines


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build-dir", type=pathlib.Path, required=True, help="where the project was built")
    parser.add_argument("--filter", default="", metavar="REGEX", help="only workloads whose name matches")
    parser.add_argument("--allocators", metavar="NAME,...", help="only these; all that were built otherwise")
    parser.add_argument("--quick", action="store_true", help="2 to 3 minutes: fewer repetitions, and shorter ones")
    parser.add_argument("--repetitions", type=int, metavar="N",
                        help=f"{FULL['repetitions']}, or {QUICK['repetitions']} with --quick")
    parser.add_argument("--min-time", type=float, metavar="SECONDS",
                        help="how long a workload is repeated that is no fixed amount of work; "
                        f"{FULL['min_time']}, or {QUICK['min_time']} with --quick")
    parser.add_argument("--markdown", type=pathlib.Path, metavar="FILE",
                        help="where to write the table; BUILD-DIR/bench/results.md otherwise")
    arguments = parser.parse_args()
    defaults = QUICK if arguments.quick else FULL
    for name, value in defaults.items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)
    return arguments


def main():
    arguments = parse_arguments()
    folder = arguments.build_dir.resolve() / "bench"
    executables = find_allocators(folder, arguments.allocators and arguments.allocators.split(","))
    benchmarks = list_benchmarks(next(iter(executables.values())), arguments.filter)
    if not benchmarks:
        sys.exit(f"run.py: no workload matches {arguments.filter!r}")
    machine = describe_machine()
    allocators = {name: describe(path, benchmarks[0]) for name, path in executables.items()}
    head = "\n".join(heading(machine, allocators, arguments.repetitions))
    print(head, flush=True)

    entries, failures = [], []
    try:
        failures = measure_all(executables, benchmarks, arguments.repetitions, arguments.min_time, entries)
    except KeyboardInterrupt:
        print("\ninterrupted: the table shows what was measured")

    table = report.markdown(report.comparison(collect(entries, benchmarks, allocators), list(allocators)))
    json_file, markdown_file = folder / "results.json", arguments.markdown or folder / "results.md"
    context = {**machine, "repetitions": arguments.repetitions, "min_time": arguments.min_time,
               "allocators": allocators}
    json_file.write_text(json.dumps({"context": context, "benchmarks": entries}, indent=1), encoding="utf-8")
    markdown_file.write_text(f"{head}\n{table}\n", encoding="utf-8")
    print(f"\n{table}\n\nwritten to {markdown_file} and {json_file}", flush=True)
    if failures:
        sys.exit("\n".join(["failed:", *failures]))


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"run.py: {failure}")
