"""Writes the dashboard: the page that the build bundled (see dashboard/), with the results in it."""

import json
import pathlib
import re

from runner import results, stats

WORKLOADS = pathlib.Path(__file__).resolve().parents[1] / "workloads"
PROGRAMS = "Real programs with the allocator preloaded: the processor time of one run, of redis the server's alone."
PLACE = "@RESULTS@"  # in the page, where the results go


def describe(group):
    """What a group of workloads does: the first paragraph of the file that has it, which bears its name or the start of it."""
    if group == "program":
        return PROGRAMS
    files = [path for path in WORKLOADS.glob("*.cpp") if group == path.stem or group.startswith(path.stem + "_")]
    if not files:
        return ""
    source = max(files, key=lambda path: len(path.stem)).read_text(encoding="utf-8")
    paragraph = re.match(r"(?:// .*\n)+", source)
    return " ".join(line[3:] for line in paragraph[0].splitlines()) if paragraph else ""


def page_data(analysis, merged, history, others):
    noisy = results.noisy_workloads(analysis)
    return {
        "ours": results.OURS,
        "limit": results.LIMIT,
        "context": merged["context"],
        "workloads": analysis,
        "groups": {workload["group"]: describe(workload["group"]) for workload in analysis},
        "noise": {"workloads": noisy, "limit": stats.NOISY, "tooMany": stats.too_many(len(noisy), len(analysis))},
        "confidence": min(stats.CONFIDENCE, stats.attainable_confidence(merged["context"]["repetitions"])),
        "history": history,
        "historyOfOtherMachines": others,
        "results": merged,
    }


def write(template, data, path):
    """JSON in a script element ends at its first "</script": no "<" is left in it."""
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    path.write_text(template.read_text(encoding="utf-8").replace(PLACE, text), encoding="utf-8")
