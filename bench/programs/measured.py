"""Processes with a library preloaded, and what they cost."""

import contextlib
import hashlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
KIB = 1024


class Failed(Exception):
    """A program did not do what it should."""


def find(program):
    return shutil.which(program, path=PATH)


def resident(process):
    """Bytes that are so now, of a process that runs."""
    for line in pathlib.Path(f"/proc/{process.pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * KIB
    raise Failed(f"{process.args[0]} has ended")


class Run:
    """One run of a workload: its directory, its processes, what they took so far, and what came out.

    What is preloaded is so in every process. Those that are measured add to
        processor_time, wall_time    nanoseconds
        counters                     peak_rss in bytes: of the largest process, and no less than this script's own, which
                                     each one is for a moment; page_faults of all; and what the workload adds"""

    def __init__(self, directory, library, scale):
        self.directory, self.library, self.scale = pathlib.Path(directory), library, scale
        self.environment = {**os.environ, "PATH": PATH, "HOME": directory, "TMPDIR": directory, "LANG": "C.UTF-8",
                            "LD_PRELOAD": library}
        self.processor_time = self.wall_time = 0
        self.counters = {"peak_rss": 0, "page_faults": 0}
        self.output = hashlib.sha256()
        self.processes = []

    def scaled(self, full):
        """`full`, or the part of it that ALLOC_BENCH_SCALE asks for. Never below 64."""
        return max(64, int(full * self.scale))

    def note(self, contents):
        """Adds to what must be the same with every allocator."""
        self.output.update(contents if isinstance(contents, bytes) else str(contents).encode())

    def digest(self):
        return self.output.hexdigest()[:16]

    def resolve(self, command):
        """The command with the path of its program, which the loader says will have the library."""
        program = find(command[0])
        loaded = subprocess.run([program], env={**self.environment, "LD_TRACE_LOADED_OBJECTS": "1"}, check=True,
                                capture_output=True, text=True)
        if self.library not in loaded.stdout:
            raise Failed(f"{program} would run without {self.library}: {loaded.stderr.strip()}")
        return [program, *map(str, command[1:])]

    def start(self, command, variables=None, **options):
        process = subprocess.Popen(command, cwd=self.directory, env={**self.environment, **(variables or {})},
                                   stdin=subprocess.DEVNULL, **options)
        self.processes.append(process)
        return process

    def wait(self, process):
        """Counts what a process and the children it waited for took."""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.processor_time += round(1e9 * (usage.ru_utime + usage.ru_stime))
        self.counters["page_faults"] += usage.ru_minflt + usage.ru_majflt
        self.counters["peak_rss"] = max(self.counters["peak_rss"], usage.ru_maxrss * KIB)
        return process.returncode

    @contextlib.contextmanager
    def timed(self):
        start = time.monotonic_ns()
        yield
        self.wall_time += time.monotonic_ns() - start

    def command(self, *command, variables=None):
        """Measures a command, and notes its output."""
        command = self.resolve(command)
        with self.timed():
            process = self.start(command, variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            output = process.stdout.read()
            status = self.wait(process)
        process.stdout.close()
        if status:
            raise Failed(f"{' '.join(command)}: exit status {status} {output[-2000:].decode(errors='replace')}")
        self.note(output)

    @contextlib.contextmanager
    def server(self, *command, listens):
        """Measures a server, which runs while the block does, and is told to end behind it."""
        process = self.start(self.resolve(command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not self.is_listening(listens):
            if process.poll() is not None:
                raise Failed(f"{command[0]}: exit status {process.returncode}")
            time.sleep(0.01)
        yield process
        process.send_signal(signal.SIGTERM)
        if status := self.wait(process):
            raise Failed(f"{command[0]}: exit status {status}")

    def is_listening(self, path):
        with socket.socket(socket.AF_UNIX) as attempt:
            return attempt.connect_ex(str(self.directory / path)) == 0

    def client(self, *command):
        """A command that is not measured, nor is anything preloaded: its output."""
        done = subprocess.run(command, cwd=self.directory, env={**self.environment, "LD_PRELOAD": ""},
                              capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"{' '.join(command)}: exit status {done.returncode} {done.stderr}")
        return done.stdout

    def end(self):
        """Ends what is left of its processes."""
        for process in self.processes:
            if process.returncode is None:
                process.kill()
                process.wait()
