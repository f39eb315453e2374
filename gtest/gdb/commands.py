"""The gdb commands on a live process, on a core dump of it, and without debug information.

    commands.py GDB GCORE OBJCOPY SCRIPT LIBRARY PROGRAM WORK_DIR
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

gdb, gcore, objcopy, script, library, program = sys.argv[1:7]
work = pathlib.Path(sys.argv[7])
shutil.rmtree(work, ignore_errors=True)
complaints = []


def place_library(directory, *copy):
    """A library with the script beside it, as it is installed."""
    directory.mkdir(parents=True)
    placed = directory / pathlib.Path(library).name
    subprocess.run([*copy, library, placed], check=True)
    shutil.copy(script, f"{placed}-gdb.py")
    os.symlink(placed.name, directory / "liballoc.so.1")
    return directory


def debug(directory, target, *commands):
    """What gdb says. It finds the script by itself."""
    arguments = [gdb, "--batch", "-nx", "-iex", f"add-auto-load-safe-path {directory}", "-iex", "set debuginfod enabled off",
                 *target]
    for command in commands:
        arguments += ["-ex", command]
    run = subprocess.run(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=100)
    return run.stdout


def expect(what, said, *expressions):
    for expression in expressions:
        if not re.search(expression, said, re.MULTILINE):
            complaints.append(f"{what}: nothing that is {expression} in:\n{said}")


class Subject:
    """The program, when it has printed its addresses."""

    def __init__(self, directory):
        self.process = subprocess.Popen([program], env={**os.environ, "LD_LIBRARY_PATH": str(directory)},
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.address = dict(line.split() for line in iter(self.process.stdout.readline, "ready\n"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


whole = place_library(work / "whole", "cp")
stripped = place_library(work / "stripped", objcopy, "--strip-debug")

with Subject(whole) as subject:
    a = {name: hex(int(address, 16)) for name, address in subject.address.items()}
    names = sorted(a)
    questions = [f"alloc info {a[name]}" for name in names] + ["alloc heaps", "alloc slabs 2048", "alloc stats"]
    slot = r"slot of {} bytes at {}, in the \S+ small slab at 0x[0-9a-f]+ of heap {}"
    expected = [
        rf"^{a['live']}: live: {slot.format(128, a['live'], 1)}$",
        rf"^{a['inside']}: live: {slot.format(128, a['live'], 1)}$",
        rf"^{a['held_back']}: free: {slot.format(128, a['held_back'], 1)}; held back by heap 1$",
        rf"^{a['freed_by_owner']}: free: {slot.format(2048, a['freed_by_owner'], 1)}; freed by its owner$",
        rf"^{a['never']}: free: {slot.format(2048, a['never'], 1)}; never handed out$",
        rf"^{a['outbox']}: free: {slot.format(16, a['outbox'], 1)}; in the outbox of heap 2$",
        rf"^{a['held_by_other']}: free: {slot.format(4096, a['held_by_other'], 1)}; held back by heap 2$",
        rf"^{a['other_live']}: live: {slot.format(4096, a['other_live'], 2)}$",
        rf"^{a['large']}: live: large block of 1052672 bytes at {a['large']}$",
        rf"^{a['inside_large']}: live: large block of 1052672 bytes at {a['large']}$",
        rf"^{a['local']}: in no block of alloc$",
        r"^heap 1 at 0x[0-9a-f]+: .*; \d+ slabs, 91 live slots of 184448 bytes together$",
        r"^heap 2 at 0x[0-9a-f]+: .*; 1 slabs, 1 live slots of 4096 bytes together$",
        r"^slab at 0x[0-9a-f]+: small, .*, heap 1; 32 slots, 32 ever handed out, 22 live$",
        r"^slots of 2048 bytes: 90 live of 128, in 4 slabs$",
        r"^slots of 128 bytes: 1 live of 512, in 1 slabs$",
        r"^large blocks: 1 live, 1052672 bytes$",
        r"^live in all: 1241216 bytes; \d regions, 2 heaps$",
    ]
    live = debug(whole, ["-p", str(subject.process.pid)], *questions)
    expect("live process", live, *expected, r"^heap 1 .*thread 1 \(LWP \d+\)", r"^heap 2 .*thread 2 \(LWP \d+\)")
    subprocess.run([gcore, "-o", work / "core", str(subject.process.pid)], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    core = debug(whole, [program, f"{work}/core.{subject.process.pid}"], *questions)
    expect("core dump", core, *expected)

with Subject(stripped) as subject:
    for command in ("alloc stats", "alloc heaps", "alloc slabs 64", f"alloc info {subject.address['live']}"):
        said = debug(stripped, ["-p", str(subject.process.pid)], command)
        expect("no debug information", said,
               r"^alloc: no debug information of the library: it must be built with -g, and not stripped$")
        if "Traceback" in said:
            complaints.append(said)

print("\n".join(complaints))
sys.exit(1 if complaints else 0)
