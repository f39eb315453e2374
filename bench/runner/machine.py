"""What a measurement must be told with: the machine, how the library was built, and of which commit."""

import os
import pathlib
import platform
import subprocess
import time

UNKNOWN = "?"


def first_line(path, start=""):
    """What follows `start` in the first line of a file that begins with it."""
    try:
        lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return UNKNOWN
    return next((line.removeprefix(start).strip("\t :") for line in lines if line.startswith(start)), UNKNOWN)


def chosen(setting):
    """Of a file that lists its choices, "always [madvise] never", the one in brackets."""
    return setting.partition("[")[2].partition("]")[0] or setting


def describe_machine():
    kib = first_line("/proc/meminfo", "MemTotal").removesuffix(" kB")
    return {
        "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "processor": first_line("/proc/cpuinfo", "model name"),
        "processors": len(os.sched_getaffinity(0)),
        "memory": f"{int(kib) / 2**20:.1f} GiB" if kib.isdigit() else kib,
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "huge_pages": chosen(first_line("/sys/kernel/mm/transparent_hugepage/enabled")),
        "load_average": round(os.getloadavg()[0], 2),
    }


def describe_build(folder):
    """Compilers and flags, as the build wrote them to build.txt, one `name: value` a line."""
    try:
        lines = (folder / "build.txt").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    return {name: " ".join(value.split()) for name, _, value in (line.partition(":") for line in lines) if value.strip()}


def git(source, *arguments):
    try:
        done = subprocess.run(["git", "-C", source, *arguments], capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def describe_commit(source):
    """The commit that the sources are of, and whether they were changed since; {} where git does not say."""
    commit = git(source, "show", "-s", "--format=%H%n%cI%n%s", "HEAD").splitlines()
    if len(commit) != 3:
        return {}
    changed = bool(git(source, "status", "--porcelain", "--untracked-files=no", "--", ":/core", ":/abi"))
    return {"hash": commit[0], "date": commit[1], "subject": commit[2], "changed": changed}
