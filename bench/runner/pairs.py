"""Compares two builds of this library, and says of each workload whether the second is faster, slower, or no
different. Both run in every repetition, one right after the other, and who goes first alternates: what is judged is
the ratio of the two times of each such pair, whose noise is mostly shared."""

from runner import report, results, stats

BASELINE, CANDIDATE = "baseline", "candidate"

# Exit status, for a script that decides by it.
UNCHANGED, REGRESSION, TOO_NOISY = 0, 1, 3
# In the order of their importance.
SIGNS = {"slower": "▼ slower", "faster": "▲ faster", "undecided": "? undecided", "no difference": "● no difference"}


def pair_up(row):
    """[(baseline's entry, candidate's)] of the repetitions that both finished."""
    of = {build: {entry["repetition"]: entry for entry in row.get(build, [])} for build in (BASELINE, CANDIDATE)}
    return [(of[BASELINE][repetition], of[CANDIDATE][repetition])
            for repetition in sorted(of[BASELINE].keys() & of[CANDIDATE].keys())]


def compare(entries, threshold):
    """[{name, time ratio, verdict, ...}], without workloads that one of the two never finished."""
    compared = []
    for name, row in results.collect(entries).items():
        if pairs := pair_up(row):
            ratio = stats.estimate([results.nanoseconds(candidate) / results.nanoseconds(baseline)
                                    for baseline, candidate in pairs], stats.PAIR_CONFIDENCE)
            before, after = ([entry[i] for entry in pairs] for i in (0, 1))
            is_enough = stats.attainable_confidence(len(pairs)) >= stats.PAIR_CONFIDENCE
            compared.append({
                "name": name, "pairs": len(pairs), "ratio": ratio,
                "verdict": stats.judge(ratio, threshold) if is_enough else "undecided",
                "baseline": results.analyse_allocator(before), "candidate": results.analyse_allocator(after),
            })
    return compared


def exit_status(compared):
    verdicts = [workload["verdict"] for workload in compared]
    if "slower" in verdicts:
        return REGRESSION
    return TOO_NOISY if stats.too_many(verdicts.count("undecided"), len(verdicts)) else UNCHANGED


def conclude(compared, threshold):
    verdicts = [workload["verdict"] for workload in compared]
    count = {verdict: verdicts.count(verdict) for verdict in SIGNS}
    text = (f"**{count['slower']} slower, {count['faster']} faster, {count['no difference']} without a difference** "
            f"above {threshold:.1%}; {count['undecided']} undecided.")
    if stats.too_many(count["undecided"], len(verdicts)):
        text += (" **This run is too noisy** to rule out a regression of that size. Repeat it on a quieter machine, "
                 "with more repetitions, or with a higher threshold.")
    return text


def markdown(compared, context, threshold):
    """A pull request's comment: what got slower first."""
    order = list(SIGNS)
    rows = [["workload", "baseline", "candidate", "ratio of pairs", "memory", "verdict"]]
    for workload in sorted(compared, key=lambda entry: (order.index(entry["verdict"]), -entry["ratio"].median)):
        before, after = workload["baseline"], workload["candidate"]
        memory = after["memory"].median / before["memory"].median if before["memory"].median else 1.0
        rows.append([workload["name"], report.format_time(before["time"].median),
                     report.format_time(after["time"].median), report.describe_ratio(workload["ratio"]),
                     f"{memory:.2f}", SIGNS[workload["verdict"]]])
    confidence = min(stats.PAIR_CONFIDENCE, stats.attainable_confidence(context["repetitions"]))
    few = ("" if stats.attainable_confidence(context["repetitions"]) >= stats.PAIR_CONFIDENCE else
           f" So few pairs cannot show anything with {stats.PAIR_CONFIDENCE:.0%} confidence: all is undecided.")
    about = [f"- {name} {build['version']}: {build['library']}" for name, build in context["allocators"].items()]
    return "\n".join([
        "### Two builds compared", "", conclude(compared, threshold), "", report.markdown(rows), "",
        f"Medians of {context['repetitions']} pairs. Ratio of the candidate's time to the baseline's, with its "
        f"{confidence:.0%} confidence interval (bootstrap): \"slower\" and \"faster\" where all of it lies beyond "
        f"{threshold:.1%}, \"no difference\" where none of it does, else undecided. Memory: the same of the peak.{few}", "",
        *about, f"- {context['processor']}, {context['processors']} processors, {context['kernel']}", ""])
