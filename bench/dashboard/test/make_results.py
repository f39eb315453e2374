"""make_results.py FOLDER [--noisy]: writes FOLDER/results.json and FOLDER/history/, made up and always the same: some
fifty workloads of the kinds there are, won, lost and undecided, one that an allocator failed, and six commits."""

import math
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from runner import history, results
from runner.made_up import entry, merged

ALLOCATORS = {"alloc": 1.0, "alloc_malloc": 1.1, "system": 2.1, "jemalloc": 1.2, "mimalloc": 1.1, "tcmalloc": 1.3}  # times, roughly
FAILED = ("large/64KiB_to_32MiB/threads:16", "system")
REPETITIONS = 9
COMMITS = (1.3, 1.25, 1.27, 1.05, 1.1, 1.0)  # alloc's times then, as ratios to now
LAST = len(COMMITS) - 1


def workloads():
    """(name, time in ns, peak memory in MiB, how much alloc's time differs from what it is elsewhere)"""
    for size, time in ((16, 3.5), (64, 3.6), (1024, 5.4), (8192, 11)):
        yield f"pair/{size}/threads:1", time, 4, 1.0
    for order in ("lifo", "fifo", "random"):
        for count in (100, 1000, 10000):
            yield f"batch/{order}/{count}/threads:1", 3.7 + count / 20000, 4, 1.5
    for live, time in ((10000, 3.8), (100000, 5.4), (500000, 14), (4000000, 48)):
        yield f"churn/{live}/iterations:1/threads:1", time, 4 + live * 32 / 2**20, 0.85
    for phase, time in (("build", 13), ("walk", 1.2), ("free", 2.6)):
        for heap, factor in (("fresh", 1), ("aged", 12)):
            for threads in (1, 2):
                yield (f"list_{phase}/{heap}/iterations:1/real_time/threads:{threads}", time * factor / threads,
                       20 * (1 + (heap == "aged") * 2.5), 0.5 if heap == "aged" else 1.3)
    for threads in (1, 2, 4, 8, 16):
        yield f"server/real_time/threads:{threads}", 40 / min(threads, 2) ** 0.8, 30 + 4 * threads, 0.8
        yield f"shared_slots/real_time/threads:{threads}", 120 * threads ** 0.2, 60 + 6 * threads, 1.6
        yield f"large/64KiB_to_32MiB/iterations:1/real_time/threads:{threads}", 9e5 / min(threads, 2), 300, 1.12
    for live in (1000, 100000, 1000000):
        yield f"strings/live:{live}/threads:1", 20 + math.log(live) ** 2, 5 + live * 48 / 2**20, 0.9
    yield "program/python3", 1.8e9, 14, 0.97
    yield "program/sqlite3", 2.4e9, 40, 1.7


def measure(draw, change, noise, allocators):
    data = merged({}, REPETITIONS, processor="An imaginary processor", load_average=0.12, caches=[
        {"type": "Data", "level": 1, "size": 49152}, {"type": "Unified", "level": 2, "size": 1 << 20}],
        build={"C compiler": "GNU 12.2.0", "library's flags": "-O2"})
    allocators = list(allocators)
    for name in allocators:
        data["context"]["allocators"][name] = {"version": "1.0", "library": f"/usr/lib/{name}.so", "executable": name}
    for index, (name, time, mib, ours) in enumerate(workloads()):
        for allocator in allocators:
            if (results.names.workload_name(name), allocator) == FAILED or \
                    allocator == results.OURS and name.startswith("program/"):
                continue
            own = ALLOCATORS[allocator] * (ours * change if results.is_ours(allocator) else 1 + (index * 7 + len(allocator)) % 5 / 10)
            size = mib * (1 + len(allocator) % 4 / 20) * draw.uniform(0.98, 1.02)
            for repetition in range(REPETITIONS):
                once = time * own * draw.lognormvariate(0, noise * (1 + index % 6))
                peak = size * draw.lognormvariate(0, noise / 2)
                data["benchmarks"].append(entry(name, allocator, once, repetition, peak,
                                                page_faults=round(peak * 256), final_rss=peak * 2**19))
    data["context"]["failures"] = [f"bench_{FAILED[1]} {FAILED[0]}: SIGKILL"]
    return data


def main():
    noise = 0.1 if "--noisy" in sys.argv else 0.015
    folder, draw = pathlib.Path(sys.argv[1]), random.Random(1)
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("history/*.json"):
        path.unlink()
    for index, change in enumerate(COMMITS):
        data = measure(draw, change, noise, ALLOCATORS if index == LAST else filter(results.is_ours, ALLOCATORS))
        data["context"]["commit"] = {"hash": f"{index + 10:x}" * 40, "subject": f"Change number {index + 1}", "changed": False,
                                     "date": f"2026-01-{index + 1:02}T10:00:00+00:00"}
        history.add(folder / "history", results.analyse(data), data["context"])
    results.save(data, folder / "results.json")


if __name__ == "__main__":
    main()
