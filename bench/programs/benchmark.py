#!/usr/bin/env python3
"""Real programs on an allocator, as an executable of Google Benchmark would measure them: it lists them, takes a filter,
and writes a result in Google Benchmark's format. Each is a fixed amount of work.

    benchmark.py ALLOCATOR LIBRARY [--benchmark_list_tests] [--benchmark_filter=REGEX] ...

LIBRARY is preloaded. The time of a program is the processor time that its processes took, their real time a counter
beside it; the label is a digest of what came out, which must not depend on the allocator."""

import argparse
import json
import os
import pathlib
import re
import signal
import sys
import tempfile

sys.dont_write_bytecode = True  # the sources may be read-only, and are no place for caches
import workloads
from measured import Failed, Run


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("allocator")
    parser.add_argument("library")
    parser.add_argument("--benchmark_list_tests", action="store_true")
    parser.add_argument("--benchmark_filter", default="", metavar="REGEX")
    parser.add_argument("--benchmark_min_time", metavar="SECONDS", help="changes nothing")
    parser.add_argument("--benchmark_format", choices=["json"])
    return parser.parse_args()


def measure(name, library, scale):
    """One of Google Benchmark's entries."""
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        run = Run(directory, library, scale)
        try:
            workloads.WORKLOADS[name].work(run)
        finally:
            run.end()
    return {"name": name, "run_name": name, "run_type": "iteration", "iterations": 1, "threads": 1,
            "real_time": run.wall_time, "cpu_time": run.processor_time, "time_unit": "ns",
            "items_per_second": 1e9 / run.processor_time, "label": run.digest(), "wall_time": run.wall_time,
            **run.counters}


def main():
    arguments = parse_arguments()
    chosen = [name for name in workloads.WORKLOADS if re.search(arguments.benchmark_filter, name)]
    for name in chosen:
        if missing := workloads.missing(name):
            print(f"{name}: left out, needs {' '.join(missing)}", file=sys.stderr)
    chosen = [name for name in chosen if not workloads.missing(name)]
    if arguments.benchmark_list_tests:
        print("\n".join(chosen))
        return
    scale = float(os.environ.get("ALLOC_BENCH_SCALE", 1))
    context = {"allocator": arguments.allocator, "allocator_library": arguments.library,
               "allocator_version": pathlib.Path(arguments.library).resolve().name}
    entries = [measure(name, arguments.library, scale) for name in chosen]
    print(json.dumps({"context": context, "benchmarks": entries}, indent=1))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # leaving nothing behind
    try:
        main()
    except Failed as failure:
        sys.exit(str(failure))
