"""Writes the dashboard: the page that the build bundled (see dashboard/), with the results in it."""

import json

from runner import results, stats

PLACE = "@RESULTS@"  # in the page, where the results go


def page_data(analysis, merged, history, others):
    noisy = results.noisy_workloads(analysis)
    return {
        "ours": results.OURS,
        "limit": results.LIMIT,
        "context": merged["context"],
        "workloads": analysis,
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
