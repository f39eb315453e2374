"""Results of this library over commits: one file per commit and machine in a folder, which can be any, a checkout of
the branch on which a CI keeps it included."""

import zlib

from runner import results
from runner.machine import UNKNOWN

MACHINE = ("processor", "processors", "huge_pages")  # results of different ones are no history


def machine_of(context):
    return {key: context.get(key, UNKNOWN) for key in MACHINE}


def file_name(commit, machine):
    """The same for the same commit on the same machine: what is measured again replaces what was measured before."""
    changed = "-changed" if commit["changed"] else ""
    return f"{commit['hash'][:12]}{changed}-{zlib.crc32(repr(machine).encode()):08x}.json"


def add(folder, analysis, context):
    """Adds what was measured of a known commit; what the commit's file has of other workloads stays."""
    commit, machine = context.get("commit"), machine_of(context)
    measured = {workload["name"]: {key: workload["results"][ours][key] for key in ("time", "memory")}
                for workload in analysis if (ours := results.ours(workload["results"]))}
    if not commit or not measured:
        return
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / file_name(commit, machine)
    earlier = results.load(path)["workloads"] if path.exists() else {}
    results.save({"commit": commit, "machine": machine, "date": context["date"], "workloads": {**earlier, **measured}},
                 path)


def read(folder, context):
    """([entries of this machine, the oldest commit first], how many there are of other machines)"""
    entries = [results.load(path) for path in folder.glob("*.json")] if folder.is_dir() else []
    here = [entry for entry in entries if entry["machine"] == machine_of(context)]
    here.sort(key=lambda entry: (entry["commit"]["date"], entry["date"]))
    return here, len(entries) - len(here)
