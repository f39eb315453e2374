"""What is printed and written as Markdown: the table of all results, and a summary for a pull request."""

import re
import statistics

from runner import results, stats

PEERS = ("system", "jemalloc", "mimalloc", "tcmalloc", "snmalloc", "rpmalloc")  # what expectations are ratios to

# The highest ratio of our time to the best of these peers that is expected, by workload. The first match counts.
EXPECTED = (
    (r"pair/", 0.85),
    (r"batch/", 1.0),
    (r"churn(_mixed)?/(10|100|200)000/", 1.0),
    (r"churn(_mixed)?/(500|4000)000/", 1.2),
    (r"list_build/aged/", 0.9),
    (r"list_walk/aged/", 0.65),
    (r"list_\w+/fresh/", 1.0),
    (r"producer_consumer/", 0.6),
    (r"large/", 1.0),
)

MIB = 1 << 20
VERDICTS = {"faster": "▲ faster", "slower": "▼ slower", "even": "● no clear difference"}
HIGHLIGHTS = 5


def expected_ratio(workload):
    return next((ratio for pattern, ratio in EXPECTED if re.match(pattern, workload)), None)


def format_time(nanoseconds):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.2f} {unit}"
    return f"{nanoseconds:.2f} ns"


def geometric_means(table, allocators):
    """{allocator: geometric mean} over the rows that have a positive value for every allocator."""
    rows = [row for row in table if all(row.get(name, 0) > 0 for name in allocators)]
    return {name: statistics.geometric_mean(row[name] for row in rows) for name in allocators} if rows else {}


def verdict(value, limit):
    """Judged as printed, to two digits. `value` is None where the measurement failed."""
    return "met" if value is not None and round(value, 2) <= round(limit, 2) else "**missed**"


def ratios_to(workload, reference):
    """{allocator: its median time as a ratio to the reference's}; empty without one."""
    if reference is None:
        return {}
    times = {name: result["time"].median for name, result in workload["results"].items()}
    return {name: time / times[reference] for name, time in times.items()}


def comparison(analysis, allocators):
    """The table as rows of cells, the heading first."""
    ours = [name for name in allocators if results.is_ours(name)]
    extra = ours if set(allocators) - {*ours, *PEERS} else []  # only where it says more
    rows = [["workload", "best peer", *allocators, *(f"{name} to best of all" for name in extra), "expected",
             *(f"{name} MiB" for name in allocators)]]
    to_peer, to_all, memory = [], [], []
    for workload in analysis:
        measured = workload["results"]
        peer = results.best_peer(workload, PEERS)
        to_peer.append(ratios_to(workload, peer))
        to_all.append(ratios_to(workload, results.best_peer(workload)))
        memory.append({name: result["memory"].median for name, result in measured.items()})
        cells = [workload["name"], f"{format_time(measured[peer]['time'].median)} {peer}" if peer else "-"]
        for name in allocators:
            ratio = to_peer[-1].get(name)
            cells.append(f"{ratio:.2f} ±{stats.noise(measured[name]['time']):.0%}" if ratio
                         else "-" if name in measured or is_for_another(name, measured) else "no result")
        cells += [f"{to_all[-1][name]:.2f}" if name in to_all[-1] else "-" for name in extra]
        limit = expected_ratio(workload["name"])
        cells.append(f"≤ {limit:.2f} {verdict(to_peer[-1].get(results.ours(measured)), limit)}"
                     if limit and peer and ours else "")
        cells += [f"{memory[-1][name] / MIB:.1f}" if name in measured else "-" for name in allocators]
        rows.append(cells)
    return rows + [means(to_peer, to_all, memory, allocators, extra)]


def is_for_another(name, measured):
    """Whether a workload that was not measured with a surface of ours is one for another: programs are for the drop-in."""
    return results.is_ours(name) and results.ours(measured) is not None


def means(to_peer, to_all, memory, allocators, extra):
    """The last row: geometric means of the ratios and of peak memory, of which ours is expected to be the smallest; of
    workloads that all finished."""
    time, size = geometric_means(to_peer, allocators), geometric_means(memory, allocators)
    cells = ["**geometric mean**", ""]
    cells += [f"{time[name]:.2f}" if time else "-" for name in allocators]
    cells += [f"{mean[name]:.2f}" if (mean := geometric_means(to_all, [name])) else "-" for name in extra]
    ours = results.ours(size)
    cells.append(f"least memory {verdict(size[ours] / min(size.values()), 1.0)}" if ours else "")
    return cells + [f"{size[name] / MIB:.2f}" if size else "-" for name in allocators]


def overall(analysis, allocators):
    """A line for each of our surfaces: what it is to all others, over all workloads."""
    lines = []
    for name in filter(results.is_ours, allocators):
        if summed := results.overall(analysis, name):
            worst, where = summed["worst"]
            line = (f"- {name}: time {summed['time']:.2f} of the best other's, the geometric mean of {summed['workloads']} "
                    f"workloads; at worst {worst:.2f}, {where}; above {results.LIMIT:.2f} in {len(summed['above'])}")
            memory = {other: f"{size / MIB:.1f}" for other, size in summed["memory"].items()}
            if own := memory.pop(name, None):
                others = ", ".join(f"{other} {size}" for other, size in memory.items())
                line += f". Peak memory {own} MiB, geometric mean; {others}"
            lines.append(f"{line}.")
    return lines


def markdown(rows):
    """A Markdown table that is aligned as plain text too: first column left, the rest right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.rjust(width) if i else cell.ljust(width)
                               for i, (cell, width) in enumerate(zip(row, widths))) + " |" for row in rows]
    rule = "|" + "|".join("-" * (width + 1) + (":" if i else "-") for i, width in enumerate(widths)) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def heading(context):
    """Where, with what and how it was measured."""
    lines = [f"{context['processor']}, {context['processors']} processors, {context['kernel']}, transparent huge pages "
             f"{context['huge_pages']}, load average at the start {context['load_average']}"]
    commit = context.get("commit")
    if commit:
        changed = ", with changes" if commit["changed"] else ""
        lines.append(f"Commit {commit['hash'][:12]}{changed}: {commit['subject']}")
    lines += [f"{name}: {value}" for name, value in context.get("build", {}).items()]
    lines.append("")
    lines += [f"- {name} {about['version']}: {about['library']}" for name, about in context["allocators"].items()]
    return lines + ["", explain_intervals(context["repetitions"]), ""]


def explain_intervals(repetitions):
    confidence = min(stats.CONFIDENCE, stats.attainable_confidence(repetitions))
    return (f"Medians of {repetitions} repetitions. Time per item (CPU time of one thread or a program, wall time of "
            f"several threads) as a ratio to the best of {', '.join(PEERS)}: less is faster; ± half of the "
            f"{confidence:.0%} confidence interval (bootstrap). Peak resident memory of the process in MiB, without the "
            "harness's arrays.")


def explain_noise(analysis):
    """A warning, or nothing."""
    noisy = results.noisy_workloads(analysis)
    if not stats.too_many(len(noisy), len(analysis)):
        return ""
    return (f"**This run is too noisy**: in {len(noisy)} of {len(analysis)} workloads the interval reaches more than "
            f"{stats.NOISY:.0%} to each side of the median. Repeat it on a quieter machine, or with more repetitions.")


def describe_ratio(ratio):
    return f"{ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"


def summary(analysis, context):
    """A pull request's comment: the verdict, the largest losses and gains, and all the rest folded."""
    judged = [(workload, results.ratio_to_best(workload)) for workload in analysis]
    judged = sorted(((workload, ratio) for workload, ratio in judged if ratio), key=lambda pair: -pair[1].median)
    verdicts = [stats.compare(ratio) for _, ratio in judged]
    rows = [[workload["name"], ours := results.ours(workload["results"]),
             format_time(workload["results"][ours]["time"].median), results.best_peer(workload),
             describe_ratio(ratio), VERDICTS[stats.compare(ratio)]] for workload, ratio in judged]
    top = ["workload", "ours", "time", "best peer", "ratio to it", "verdict"]
    commit = context.get("commit")
    lines = ["### Benchmark" + (f" of {commit['hash'][:12]}" if commit else ""), ""]
    if warning := explain_noise(analysis):
        lines += [warning, ""]
    if judged:
        lines += [f"Against the best of all others, workload by workload: **{verdicts.count('faster')} faster, "
                  f"{verdicts.count('slower')} slower, {verdicts.count('even')} without a clear difference**.", "",
                  *overall(analysis, list(context["allocators"])), ""]
        slowest = [row for row, verdict_ in zip(rows, verdicts) if verdict_ == "slower"][:HIGHLIGHTS]
        fastest = [row for row, verdict_ in zip(rows, verdicts) if verdict_ == "faster"][::-1][:HIGHLIGHTS]
        for title, part in (("Largest losses", slowest), ("Largest gains", fastest)):
            if part:
                lines += [f"{title}:", "", markdown([top, *part]), ""]
        lines += fold(f"All {len(rows)} workloads", markdown([top, *rows]))
    machine = [line for line in heading(context) if line]
    return "\n".join(lines + fold("Machine and versions", "\n".join(f"- {line.removeprefix('- ')}" for line in machine)))


def fold(title, text):
    return ["<details>", f"<summary>{title}</summary>", "", text, "", "</details>", ""]


def benchmark_action(analysis):
    """github-action-benchmark's format "customSmallerIsBetter": time and memory of this library, by workload."""
    entries = []
    for workload in analysis:
        if ours := workload["results"].get(results.ours(workload["results"])):
            peer = results.best_peer(workload)
            extra = f"{peer} {format_time(workload['results'][peer]['time'].median)}" if peer else ""
            for what, unit, scale, extra in (("time", "ns", 1, extra), ("memory", "MiB", MIB, "")):
                value = ours[what]
                entry = {"name": f"{workload['name']} {what}", "unit": unit, "value": value.median / scale,
                         "range": f"± {(value.high - value.low) / 2 / scale:.3g}"}
                entries.append({**entry, "extra": extra} if extra else entry)
    return entries
