"""From Google Benchmark's entries to what every report is made of.

The merged file, results.json, is {"context": {...}, "benchmarks": [...]}: Google Benchmark's entries, each with its
allocator and repetition, and a context that says where, with what and of which commit they were measured."""

import json
import statistics

from runner import names, stats

OURS = "alloc"
LIMIT = 1.05  # of a ratio of times: what is above it counts as a loss

# What Google Benchmark itself writes, and we add; every other number of an entry is a counter.
NO_COUNTERS = {"family_index", "per_family_instance_index", "repetitions", "repetition_index", "threads", "iterations",
               "real_time", "cpu_time", "items_per_second", "bytes_per_second", "repetition"}
UNITS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}


def is_ours(allocator):
    """The library's surfaces: the sized one, and with more to their names others, which are no peers of it."""
    return allocator == OURS or allocator.startswith(f"{OURS}_")


def ours(measured):
    """Of the allocators measured that of the library which a verdict is about: the sized surface comes first. Or None."""
    return min(filter(is_ours, measured), default=None)


def nanoseconds(entry):
    """Time per item: with one thread its processor time, with several the wall time by the items of all."""
    rate = entry.get("items_per_second")
    return 1e9 / rate if rate else entry["real_time"] * UNITS[entry["time_unit"]]


def peak_bytes(entry):
    """The most memory that was resident, without the harness's arrays."""
    return max(0.0, entry.get("peak_rss", 0.0) - entry.get("harness", 0.0))


def counters(entry):
    return {key: value for key, value in entry.items()
            if key not in NO_COUNTERS and isinstance(value, (int, float)) and not isinstance(value, bool)}


def collect(entries):
    """{workload: {allocator: its entries}}, in the order of the entries."""
    table = {}
    for entry in entries:
        table.setdefault(names.workload_name(entry["name"]), {}).setdefault(entry["allocator"], []).append(entry)
    return table


def times(runs):
    return [nanoseconds(entry) for entry in runs]


def analyse_allocator(runs):
    shared = [counters(entry) for entry in runs]
    return {
        "time": stats.estimate(times(runs)),
        "memory": stats.estimate([peak_bytes(entry) for entry in runs]),
        "counters": {key: statistics.median(values[key] for values in shared)
                     for key in shared[0] if all(key in values for values in shared)},
    }


def analyse_workload(name, row, allocators):
    workload = names.parse(name)
    measured = [allocator for allocator in allocators if allocator in row]
    peers = [allocator for allocator in measured if not is_ours(allocator)]
    return {
        **workload._asdict(),
        "results": {allocator: analyse_allocator(row[allocator]) for allocator in measured},
        "ratios": {surface: {peer: stats.estimate_ratio(times(row[surface]), times(row[peer])) for peer in peers}
                   for surface in filter(is_ours, measured)},
    }


def analyse(results):
    """[{a workload's name and its parts, results by allocator, ratios of our time by surface and peer}]"""
    allocators = list(results["context"]["allocators"])
    return [analyse_workload(name, row, allocators) for name, row in collect(results["benchmarks"]).items()]


def best_peer(workload, among=None):
    """The peer with the least time, or None."""
    peers = [name for name in workload["results"] if not is_ours(name) and (among is None or name in among)]
    return min(peers, key=lambda name: workload["results"][name]["time"].median, default=None)


def ratio_to_best(workload, surface=None):
    """Our time's ratio to the best peer's, or None where either is missing. Without a surface, that of the verdict."""
    return workload["ratios"].get(surface or ours(workload["results"]), {}).get(best_peer(workload))


def overall(analysis, surface):
    """What one of our surfaces is to who chooses an allocator: {workloads: how many, time: the geometric mean of its
    ratios to the best peer, worst: (the largest, where), above: where it is above LIMIT, memory: {allocator: the geometric
    mean of peaks}}. Of those workloads that it and a peer finished, for memory it and every peer. None without any."""
    judged = [(ratio.median, workload["name"]) for workload in analysis if (ratio := ratio_to_best(workload, surface))]
    if not judged:
        return None
    compared = {name: None for workload in analysis for name in workload["results"] if name == surface or not is_ours(name)}
    peaks = [[workload["results"][name]["memory"].median for name in compared]
             for workload in analysis if compared.keys() <= workload["results"].keys()]
    peaks = [row for row in peaks if min(row) > 0]
    return {
        "workloads": len(judged), "time": statistics.geometric_mean(ratio for ratio, _ in judged), "worst": max(judged),
        "above": [name for ratio, name in sorted(judged, reverse=True) if ratio > LIMIT],
        "memory": dict(zip(compared, map(statistics.geometric_mean, zip(*peaks)))),
    }


def noisy_workloads(analysis):
    """Workloads whose verdict rests on a time that varies too much: ours, or the best peer's."""
    def noisy(workload):
        involved = [workload["results"].get(name) for name in (ours(workload["results"]), best_peer(workload))]
        return any(result and stats.noise(result["time"]) > stats.NOISY for result in involved)

    return [workload["name"] for workload in analysis if noisy(workload)]


def of_allocator(results, name):
    """What one executable would have written had it run all of its repetitions: Google Benchmark's format."""
    context = results["context"]
    benchmarks = [{**entry, "repetitions": context["repetitions"], "repetition_index": entry["repetition"]}
                  for entry in results["benchmarks"] if entry["allocator"] == name]
    about = context["allocators"][name]
    return {
        "context": {
            "date": context["date"], "executable": about["executable"], "num_cpus": context["processors"],
            "caches": context["caches"], "allocator": name, "allocator_version": about["version"],
            "allocator_library": about["library"],
        },
        "benchmarks": benchmarks,
    }


def save(value, path):
    path.write_text(json.dumps(value, indent=1), encoding="utf-8")


def load(path):
    return json.loads(path.read_text(encoding="utf-8"))
