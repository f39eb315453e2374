"""Measurements made up for tests."""

from runner import results

MIB = 1 << 20


def entry(name, allocator, nanoseconds, repetition=0, mib=1, **counters):
    """As Google Benchmark writes it, with 1 MiB of the harness's arrays."""
    return {"name": name, "run_name": name, "run_type": "iteration", "iterations": 100, "real_time": nanoseconds,
            "cpu_time": nanoseconds, "time_unit": "ns", "items_per_second": 1e9 / nanoseconds,
            "peak_rss": (mib + 1.0) * MIB, "harness": 1.0 * MIB, **counters, "allocator": allocator,
            "repetition": repetition}


def merged(table, repetitions=3, **context):
    """Results of {workload: {allocator: [ns, ...]}} or {workload: {allocator: (MiB, [ns, ...])}}."""
    entries = []
    allocators = list(dict.fromkeys(name for row in table.values() for name in row))
    for name, row in table.items():
        for allocator, runs in row.items():
            mib, runs = runs if isinstance(runs, tuple) else (1, runs)
            entries += [entry(name, allocator, time, repetition, mib) for repetition, time in enumerate(runs)]
    return {"context": {
        "date": "2026-01-02T03:04:05+0000", "processor": "A processor", "processors": 4, "memory": "1 kB",
        "kernel": "Linux 6", "huge_pages": "madvise", "load_average": 0.5, "caches": [], "build": {"compiler": "GNU 12"},
        "commit": {"hash": "a" * 40, "date": "2026-01-01T00:00:00+00:00", "subject": "A change", "changed": False},
        "repetitions": repetitions, "min_time": 0.1, "left_out": [], "failures": [],
        "allocators": {name: {"version": "1.0", "library": f"/lib/{name}.so", "executable": f"bench_{name}"}
                       for name in allocators}, **context}, "benchmarks": entries}


def analysis(table):
    return results.analyse(merged(table))
