#!/usr/bin/env python3
"""Compares the allocators whose benchmarks were built, or with --baseline two builds of this library.

Writes to the output folder: dashboard.html; results.json, everything that was measured, and one file per allocator in
Google Benchmark's format; results.md, the table that is printed; summary.md for a pull request; and
benchmark-action.json for github-action-benchmark. With --baseline: pairs.json and pairs.md; the exit status is 0
without a regression, 1 with one, 2 where nothing could be measured, and 3 where the run was too noisy to tell."""

import argparse
import os
import pathlib
import re
import sys

sys.dont_write_bytecode = True  # the sources may be read-only, and are no place for caches
from runner import history, machine, measure, names, page, pairs, report, results

FULL = {"repetitions": 9, "min_time": 0.2, "time_limit": None}
QUICK = {"repetitions": 3, "min_time": 0.05, "time_limit": 150.0}  # leaves half a minute for what is not measuring
NO_RESULT = 2


def find_allocators(folder, wanted=None):
    """{name: its executables}, ours first, then the peers, then others. They are bench_NAME and bench_NAME.WHAT."""
    found = {}
    for path in sorted(folder.glob("bench_*")):
        if path.is_file() and os.access(path, os.X_OK):
            found.setdefault(path.name.removeprefix("bench_").partition(".")[0], []).append(path)
    rank = {name: index for index, name in enumerate(report.PEERS)}
    ordered = sorted(wanted or found, key=lambda name: (not results.is_ours(name), rank.get(name, len(rank)), name))
    missing = [name for name in ordered if name not in found]
    if missing or not ordered:
        raise measure.Failure(f"no benchmark of {', '.join(missing) or 'any allocator'} in {folder}")
    return {name: found[name] for name in ordered}


def find_ours(folder):
    """The executables of a build of this library, whichever of its surfaces they are for."""
    return [path for name, paths in find_allocators(folder).items() if results.is_ours(name) for path in paths]


def executables_of(arguments):
    folder = arguments.build_dir.resolve() / "bench"
    if arguments.baseline:
        folders = {pairs.BASELINE: arguments.baseline.resolve() / "bench", pairs.CANDIDATE: folder}
        return {name: find_ours(path) for name, path in folders.items()}
    return find_allocators(folder, arguments.allocators and arguments.allocators.split(","))


def measure_everything(arguments):
    """The merged results."""
    executables = executables_of(arguments)
    benchmarks = measure.list_benchmarks(executables, arguments.filter, lambda line: print(line, flush=True))
    if arguments.baseline:
        benchmarks = {benchmark: builds for benchmark, builds in benchmarks.items() if len(builds) == len(executables)}
    if not benchmarks:
        raise measure.Failure(f"no workload matches {arguments.filter!r}")
    about = {name: measure.describe(paths[0]) for name, paths in executables.items()
             if any(name in measured for measured in benchmarks.values())}
    caches = [allocator.pop("caches") for allocator in about.values()][0]
    context = {
        **machine.describe_machine(), "caches": caches,
        "commit": machine.describe_commit(pathlib.Path(__file__).parent),
        "build": machine.describe_build(arguments.build_dir.resolve() / "bench"),
        "repetitions": arguments.repetitions, "min_time": arguments.min_time, "allocators": about,
    }
    print("\n".join(report.heading(context)), flush=True)
    campaign = measure.Campaign(benchmarks,
                                measure.Plan(arguments.repetitions, arguments.min_time, arguments.time_limit),
                                lambda line: print(line, flush=True))
    try:
        campaign.run_all()
    except KeyboardInterrupt:
        print("\ninterrupted: the reports show what was measured")
    context["left_out"] = [names.workload_name(benchmark) for benchmark in campaign.left_out]
    context["failures"] = campaign.failures
    if campaign.left_out:
        print(f"\nleft out, for the time limit of {arguments.time_limit:.0f} s: "
              f"{', '.join(context['left_out'])}")
    order = {benchmark: index for index, benchmark in enumerate(benchmarks)}
    campaign.entries.sort(key=lambda entry: (entry["repetition"], order[entry["name"]]))
    return {"context": context, "benchmarks": campaign.entries}


def write_comparison(merged, arguments):
    """Every report of a comparison of allocators. Prints the table. Returns the exit status."""
    output, context = arguments.output, merged["context"]
    analysis = results.analyse(merged)
    table = report.markdown(report.comparison(analysis, list(context["allocators"])))
    overall = "\n".join(report.overall(analysis, list(context["allocators"])))
    warning = report.explain_noise(analysis)
    print("\n" + "\n\n".join(part for part in (table, overall, warning) if part))

    head = "\n".join(report.heading(context))
    (output / "results.md").write_text("\n".join([head, *([warning, ""] if warning else []), table, "", overall, ""]),
                                       encoding="utf-8")
    (output / "summary.md").write_text(report.summary(analysis, context), encoding="utf-8")
    results.save(report.benchmark_action(analysis), output / "benchmark-action.json")
    for name in context["allocators"]:
        results.save(results.of_allocator(merged, name), output / f"{name}.json")
    history.add(arguments.history, analysis, context)
    template = arguments.build_dir / "bench" / "dashboard" / "page.html"
    if template.exists():
        page.write(template, page.page_data(analysis, merged, *history.read(arguments.history, context)),
                   output / "dashboard.html")
        print(f"\ndashboard: {output / 'dashboard.html'}")
    else:
        print("\nno dashboard: its page was not bundled, which needs node, npm and npm's registry")
    print(f"everything else: {output}", flush=True)
    return 0


def write_pairs(merged, arguments):
    """Prints what two builds' comparison says. Returns the exit status."""
    compared = pairs.compare(merged["benchmarks"], arguments.threshold / 100)
    if not compared:
        return NO_RESULT
    text = pairs.markdown(compared, merged["context"], arguments.threshold / 100)
    (arguments.output / "pairs.md").write_text(text, encoding="utf-8")
    print(f"\n{text}\nwritten to {arguments.output}", flush=True)
    return pairs.exit_status(compared)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build-dir", type=pathlib.Path, required=True, help="where the project was built")
    parser.add_argument("--output", type=pathlib.Path, metavar="DIR", help="where to write; BUILD-DIR/bench otherwise")
    parser.add_argument("--history", type=pathlib.Path, metavar="DIR",
                        help="where results of earlier commits are, and these go; history in the output folder otherwise")
    parser.add_argument("--filter", default="", metavar="REGEX", help="only workloads whose name matches")
    parser.add_argument("--allocators", metavar="NAME,...", help="only these; all that were built otherwise")
    parser.add_argument("--quick", action="store_true", help="3 minutes: fewer repetitions, shorter ones, and only the "
                        "workloads that fit into the time")
    parser.add_argument("--repetitions", type=int, metavar="N",
                        help=f"{FULL['repetitions']}, or {QUICK['repetitions']} with --quick")
    parser.add_argument("--min-time", type=float, metavar="SECONDS",
                        help="how long a workload is repeated that is no fixed amount of work; "
                        f"{FULL['min_time']}, or {QUICK['min_time']} with --quick")
    parser.add_argument("--time-limit", type=float, metavar="SECONDS",
                        help="for all measurements; takes in as many workloads as can be repeated in that time")
    parser.add_argument("--report-only", action="store_true", help="write the reports again, from results.json")
    parser.add_argument("--baseline", type=pathlib.Path, metavar="DIR", help="another build's BUILD-DIR to compare with")
    parser.add_argument("--threshold", type=float, default=5.0, metavar="PERCENT",
                        help="with --baseline: a smaller change is no difference; 5 otherwise")
    arguments = parser.parse_args()
    try:
        re.compile(arguments.filter)
    except re.error as error:
        parser.error(f"--filter {arguments.filter!r}: {error}")
    if arguments.baseline and arguments.repetitions is None:  # fewer could not give a verdict
        arguments.repetitions = FULL["repetitions"]
    for name, value in (QUICK if arguments.quick else FULL).items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)
    arguments.output = (arguments.output or arguments.build_dir / "bench").resolve()
    arguments.history = arguments.history or arguments.output / "history"
    return arguments


def main():
    arguments = parse_arguments()
    arguments.output.mkdir(parents=True, exist_ok=True)
    merged_file = arguments.output / ("pairs.json" if arguments.baseline else "results.json")
    if arguments.report_only and not merged_file.exists():
        raise measure.Failure(f"no results in {arguments.output} yet; run it without --report-only")
    merged = results.load(merged_file) if arguments.report_only else measure_everything(arguments)
    results.save(merged, merged_file)
    status = (write_pairs if arguments.baseline else write_comparison)(merged, arguments)
    if merged["context"]["failures"] and not arguments.report_only:
        print("\n".join(["failed:", *merged["context"]["failures"]]), file=sys.stderr)
        status = status or NO_RESULT
    return status


if __name__ == "__main__":
    try:
        sys.exit(main())
    except measure.Failure as failure:
        print(f"run.py: {failure}", file=sys.stderr)
        sys.exit(NO_RESULT)
