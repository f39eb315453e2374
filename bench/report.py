"""What the runner concludes from its measurements: medians, ratios to the best peer, and the table of them.

Samples are {workload: {allocator: [Sample, ...]}}. A workload that an allocator failed has no samples there."""

import re
import statistics
from collections import namedtuple

# One process's result: time per item (with several threads, wall time by the items of all), and the most memory that
# was resident, without the harness's arrays.
Sample = namedtuple("Sample", "nanoseconds peak_bytes")

OURS = "alloc"
PEERS = ("system", "jemalloc", "mimalloc")  # the best of these is 1; other allocators are shown beside them

# The highest ratio of our time to the best peer's that is expected, by workload. The first match counts.
EXPECTED = (
    (r"pair/", 0.85),
    (r"batch/", 1.0),
    (r"churn(_mixed)?/(10|100|200)000/", 1.0),
    (r"churn(_mixed)?/(500|4000)000/", 1.2),
    (r"list_build/aged/", 0.9),
    (r"list_walk/aged/", 0.65),
    (r"list_\w+/fresh/", 1.0),
    (r"producer_consumer/", 0.6),
)

MIB = 1 << 20


def expected_ratio(workload):
    return next((ratio for pattern, ratio in EXPECTED if re.match(pattern, workload)), None)


def spread(values):
    """Half the interquartile range as a part of the median."""
    if len(values) < 2:
        return 0.0
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / 2 / middle


def medians(samples, field):
    """{workload: {allocator: median}} of a field of the samples."""
    def median(runs):
        return statistics.median(getattr(sample, field) for sample in runs)

    return {workload: {name: median(runs) for name, runs in row.items() if runs} for workload, row in samples.items()}


def best(row, names):
    """The name with the smallest value in {allocator: value}, or None."""
    return min((name for name in names if name in row), key=row.get, default=None)


def ratios(times, references):
    """{workload: {allocator: its time as a ratio to the best of the references}}; empty where all of these failed."""
    table = {}
    for workload, row in times.items():
        reference = best(row, references)
        table[workload] = {name: time / row[reference] for name, time in row.items()} if reference else {}
    return table


def geometric_means(table, allocators):
    """{allocator: geometric mean} over the workloads that every allocator finished."""
    rows = [row for row in table.values() if all(name in row for name in allocators)]
    return {name: statistics.geometric_mean(row[name] for row in rows) for name in allocators} if rows else {}


def verdict(value, limit):
    """Judged as printed, to two digits. `value` is None where the measurement failed."""
    return "met" if value is not None and round(value, 2) <= round(limit, 2) else "**missed**"


def comparison(samples, allocators):
    """The table as rows of cells, the heading first."""
    others = [name for name in allocators if name != OURS]
    extra = [name for name in others if name not in PEERS]
    times, memory = medians(samples, "nanoseconds"), medians(samples, "peak_bytes")
    to_peer, to_all = ratios(times, PEERS), ratios(times, others)
    rows = [["workload", "best peer", *allocators, *(["to best of all"] if extra else []), "expected",
             *(f"{name} MiB" for name in allocators)]]
    for workload, row in times.items():
        peer, limit, ours = best(row, PEERS), expected_ratio(workload), to_peer[workload].get(OURS)
        cells = [workload, f"{row[peer]:.2f} ns {peer}" if peer else "-"]
        for name in allocators:
            noise = spread([sample.nanoseconds for sample in samples[workload][name]])
            ratio = to_peer[workload].get(name)
            cells.append(f"{ratio:.2f} ±{noise:.0%}" if ratio else "-" if name in row else "no result")
        if extra:
            cells.append(f"{to_all[workload][OURS]:.2f}" if OURS in to_all[workload] else "-")
        cells.append(f"≤ {limit:.2f} {verdict(ours, limit)}" if limit and peer and OURS in allocators else "")
        cells += [f"{memory[workload][name] / MIB:.1f}" if name in row else "-" for name in allocators]
        rows.append(cells)
    return rows + [summary(to_peer, to_all, memory, allocators, extra)]


def summary(to_peer, to_all, memory, allocators, extra):
    """The last row: geometric means of the ratios and of peak memory, of which ours is expected to be the smallest."""
    time, size = geometric_means(to_peer, allocators), geometric_means(memory, allocators)
    cells = ["**geometric mean**", ""]
    cells += [f"{time[name]:.2f}" if time else "-" for name in allocators]
    if extra:
        overall = geometric_means(to_all, [OURS] if OURS in allocators else [])
        cells.append(f"{overall[OURS]:.2f}" if overall else "-")
    cells.append(f"least memory {verdict(size[OURS] / min(size.values()), 1.0)}" if OURS in size else "")
    return cells + [f"{size[name] / MIB:.2f}" if size else "-" for name in allocators]


def markdown(rows):
    """A Markdown table that is aligned as plain text too: first column left, the rest right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.rjust(width) if i else cell.ljust(width)
                               for i, (cell, width) in enumerate(zip(row, widths))) + " |" for row in rows]
    rule = "|" + "|".join("-" * (width + 1) + (":" if i else "-") for i, width in enumerate(widths)) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])
