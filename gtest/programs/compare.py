"""Runs a real program twice, as it is and with a library preloaded, and compares what comes out of it.

    compare.py LIBRARY WORKLOAD [ARGUMENT...]

WORKLOAD is a function of workloads.py, called with a Run and the ARGUMENTs. Both runs have the same directory, the same
environment but for LD_PRELOAD, and the same transcript: every command with its output, and what the workload notes. The
dynamic loader writes down what it loads, so that each process of the preloaded run is known to have the library.

Exit status 0 when both runs are alike; one line "skipped: needs ..." when a program is not installed.
"""
import contextlib
import difflib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
DEADLINE = 240  # seconds for both runs


class Missing(Exception):
    """A program is not installed."""


class Failed(Exception):
    """A program did not do what it should."""


class Run:
    """One run of a workload: its directory, its environment, its processes, its transcript."""

    def __init__(self, directory, library):
        self.directory, self.trace, self.library = directory / "work", directory / "trace", library
        for fresh in (self.directory, self.trace):
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir()
        self.environment = {
            "PATH": PATH, "HOME": str(self.directory), "TMPDIR": str(self.directory), "LANG": "C.UTF-8", "TZ": "UTC",
            "LD_DEBUG": "files", "LD_DEBUG_OUTPUT": str(self.trace / "ld"),
        }
        if library:
            self.environment["LD_PRELOAD"] = library
        self.transcript = []
        self.processes = []

    def note(self, *facts):
        """Adds what both runs must have in common."""
        self.transcript += [line for fact in facts for line in str(fact).splitlines()]

    def start(self, *command, variables=None, **options):
        """Starts a process in a session of its own, so that whatever it starts can be ended with it."""
        command = [str(word) for word in command]
        if not shutil.which(command[0], path=PATH):
            raise Missing(command[0])
        process = subprocess.Popen(command, cwd=self.directory, env={**self.environment, **(variables or {})},
                                   start_new_session=True, **options)
        self.processes.append(process)
        return process

    def command(self, *command, stdin="", recorded=True, variables=None):
        """Runs a command to its end, notes it with all its output, and returns its standard output."""
        process = self.start(*command, variables=variables, text=True, errors="replace",
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        output, messages = process.communicate(stdin)
        if process.returncode:
            raise Failed(f"{command}: exit status {process.returncode}\n{output[-2000:]}{messages[-4000:]}")
        if recorded:
            self.note("$ " + " ".join(map(str, command)), output, messages)
        return output

    @contextlib.contextmanager
    def server(self, *command, listens, stop=signal.SIGTERM):
        """A server while the block runs, which begins when the server listens; it must end well when told to."""
        log = self.directory / "server.log"

        def fail(what, cause=None):
            raise Failed(f"{command[0]}: {what}\n{log.read_text(errors='replace')[-4000:]}") from cause

        with open(log, "wb") as sink:
            process = self.start(*command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink)
        while not self.is_listening(listens):
            with contextlib.suppress(subprocess.TimeoutExpired):
                fail(f"ended at once, exit status {process.wait(0.05)}")
        try:
            yield process
        except (Failed, OSError, RuntimeError) as failure:
            fail(failure, failure)
        process.send_signal(stop)
        if process.wait():
            fail(f"exit status {process.returncode}")
        if "alloc: " in log.read_text(errors="replace"):
            fail("reported something")

    def is_listening(self, path):
        with socket.socket(socket.AF_UNIX) as attempt:
            return attempt.connect_ex(str(self.directory / path)) == 0

    def end(self):
        """Ends what is left of its processes."""
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def programs(self):
        """The programs that ran, each of them with the library that was to be preloaded."""
        programs = set()
        for trace in self.trace.iterdir():
            text = trace.read_text(encoding="utf-8", errors="replace")
            started = re.findall(r"initialize program: (\S+)", text)
            if self.library and text.count(f"file={self.library} [0];  generating link map") != len(started):
                raise Failed(f"{started} ran without {self.library}:\n{text[:2000]}")
            programs.update(os.path.basename(program) for program in started)
        return programs


def transcript_of(workload, arguments, directory, library):
    run = Run(directory, library)
    try:
        workload(run, *arguments)
    finally:
        run.end()
    programs = sorted(run.programs())
    if not programs:
        raise Failed("the loader wrote nothing down")
    print(f"{library or 'as it is'}: {len(run.transcript)} lines of transcript from {' '.join(programs)}")
    return run.transcript + programs


def out_of_time(_signal, _frame):
    raise Failed(f"not done after {DEADLINE} seconds")


def main(library, name, *arguments):
    import workloads
    library = str(pathlib.Path(library).resolve(strict=True))
    signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm(DEADLINE)
    with tempfile.TemporaryDirectory(prefix=f"alloc-{name}-") as directory:
        try:
            plain, preloaded = (transcript_of(getattr(workloads, name), arguments, pathlib.Path(directory), preload)
                                for preload in (None, library))
        except Missing as program:
            print(f"skipped: needs {program}")
            return 0
        except Failed as failure:
            print(failure)
            return 1
    difference = list(difflib.unified_diff(plain, preloaded, "as it is", "preloaded", lineterm=""))
    print("\n".join(difference[:100]))
    return 1 if difference else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
