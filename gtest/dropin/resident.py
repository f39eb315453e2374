"""How much more memory does a program take with the drop-in than with the system's malloc?

    resident.py --limit KIB [--runs N] LIBRARY PROGRAM

Runs a program that prints a line and waits, with the library preloaded and without, by turns, and adds up what
/proc/PID/smaps says of it: VmRSS is a counter that lags behind. The kernel maps files in aligned windows around what is
touched, and where a program's libraries lie is random: a mapping takes one of a few values 16 KiB apart, about as often each, between
which its median would jump. So the means of the middle half of each mapping's values are compared. Exits with 1 if the
difference is more than the limit, to which comes what is only read where the kernel shares no page of zeros.
"""
import argparse
import mmap
import os
import re
import statistics
import subprocess
import sys


def resident_kib(program, preload):
    """{mapping: KiB} of one run."""
    environment = {**os.environ, "LD_PRELOAD": preload}
    with subprocess.Popen([program], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        with open(f"/proc/{process.pid}/smaps", encoding="utf-8") as file:
            smaps = file.read()
        process.stdin.close()
    if process.returncode != 0:
        sys.exit(f"{program} ended with {process.returncode}")
    sizes = {}
    for name, resident in re.findall(r"^[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \S+ *(.*)\n(?:[A-Z].*\n)*?Rss: +(\d+)", smaps, re.M):
        name = os.path.basename(name) or "[anonymous]"
        sizes[name] = sizes.get(name, 0) + int(resident)
    return sizes


ONLY_READ_KIB = 36


def reading_takes_pages():
    """Whether memory that is only read takes pages of its own."""
    pages = 1024
    with mmap.mmap(-1, pages * mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        if hasattr(mmap, "MADV_NOHUGEPAGE"):
            memory.madvise(mmap.MADV_NOHUGEPAGE)
        before = own_resident_kib()
        for page in range(pages):
            _ = memory[page * mmap.PAGESIZE]
        return own_resident_kib() - before > pages * mmap.PAGESIZE // 1024 // 2


def own_resident_kib():
    with open("/proc/self/smaps_rollup", encoding="utf-8") as file:
        return int(re.search(r"^Rss: +(\d+)", file.read(), re.M)[1])


def middle(values):
    """The mean of the middle half."""
    quarter = len(values) // 4
    return statistics.mean(sorted(values)[quarter:len(values) - quarter])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=float, required=True)
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("library")
    parser.add_argument("program")
    options = parser.parse_args()

    runs = {"": [], options.library: []}
    for _ in range(options.runs):
        for preload, of_preload in runs.items():
            of_preload.append(resident_kib(options.program, preload))
    sizes = [{name: middle([run.get(name, 0) for run in of_preload]) for name in set().union(*of_preload)}
             for of_preload in runs.values()]
    for name in sorted(set().union(*sizes)):
        print(f"{name:32} {sizes[0].get(name, 0):8.0f} {sizes[1].get(name, 0):8.0f} KiB")
    limit = options.limit + (ONLY_READ_KIB if reading_takes_pages() else 0)
    more = sum(sizes[1].values()) - sum(sizes[0].values())
    print(f"{more:.0f} KiB more than with the system's malloc; at most {limit:.0f} are allowed")
    return 1 if more > limit else 0


if __name__ == "__main__":
    sys.exit(main())
