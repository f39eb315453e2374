#!/usr/bin/env python3
"""How much of what programs do wrong is caught?

    count.py [--readme FILE --table NAME --column NAME] [--preload LIBRARY] PROGRAM

Runs each case of the program (see case.h) in a process of its own. It is caught when a line on standard error tells of it: this library's,
or where the process aborts, anybody's. Prints a table by kind, and each case that is not caught. With --readme, the counts must be those of
that column of the table there whose head begins with that name: what is caught less is a fault, what is caught more is to be told.
"""
import argparse
import os
import re
import resource
import signal
import subprocess
import sys


def no_core():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def outcome(program, name, environment):
    """Of one case: "caught", "crashed" or "missed"."""
    run = subprocess.run([program, name], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         stderr=subprocess.PIPE, timeout=60, check=False, preexec_fn=no_core)
    said = run.stderr.decode(errors="replace")
    if re.match("alloc: ", said) or (run.returncode == -signal.SIGABRT and said):
        return "caught"
    if run.returncode not in (0, -signal.SIGSEGV, -signal.SIGBUS, -signal.SIGABRT):
        sys.exit(f"{program} {name}: ended with {run.returncode}: {said}")
    return "missed" if run.returncode == 0 else "crashed"


def cases(program):
    """(kind, name) of each."""
    listed = subprocess.run([program, "--list"], stdout=subprocess.PIPE, check=True)
    return [line.split() for line in listed.stdout.decode().splitlines()]


def counts_of(program, environment):
    """{kind: [cases, caught]}"""
    counts = {}
    for kind, name in cases(program):
        count = counts.setdefault(kind, [0, 0])
        count[0] += 1
        how = outcome(program, name, environment)
        count[1] += how == "caught"
        if how != "caught":
            print(f"{how}: {name}")
    return counts


def promised(readme, table, column):
    """{kind: [cases, caught]} as the table says."""
    with open(readme, encoding="utf-8") as file:
        rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in file if line.startswith("|")]
    head = next(i for i, row in enumerate(rows) if row[0] == table)
    place = {name: i for i, name in enumerate(rows[head])}
    counts = {}
    for row in rows[head + 2:]:
        counts[row[0]] = [int(row[place["cases"]]), int(row[place[column]])]
        if row[0] == "all":
            break
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--readme")
    parser.add_argument("--table")
    parser.add_argument("--column")
    parser.add_argument("--preload", default="")
    parser.add_argument("program")
    options = parser.parse_args()

    counts = counts_of(options.program, {**os.environ, "LD_PRELOAD": options.preload})
    total = [sum(count[i] for count in counts.values()) for i in range(2)]
    for kind, count in [*counts.items(), ("all", total)]:
        print(f"{kind:20} {count[1]:4} of {count[0]}")
    if options.readme is None:
        return 0
    expected = promised(options.readme, options.table, options.column)
    if expected != {**counts, "all": total}:
        print(f"{options.readme} says {expected}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
