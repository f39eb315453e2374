"""Runs the runner: over every workload of the executables named on the command line, each as small as it gets, and
over made-up executables to see in which order and how often it starts them."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

RUN = pathlib.Path(__file__).with_name("run.py")
EXECUTABLES = [pathlib.Path(argument).resolve() for argument in sys.argv[1:]]

# Says that it has two workloads, writes what it is asked to run to a log, and fails where it is told to.
FAKE = """#!{python}
import json, os, pathlib, sys
name = pathlib.Path(sys.argv[0]).name
if "--benchmark_list_tests" in sys.argv:
    print("first/1/real_time/threads:1\\nsecond/iterations:1/real_time/threads:2")
    sys.exit()
asked = next(argument.split("=")[1] for argument in sys.argv if "filter" in argument).strip("^$")
if "ALLOC_BENCH_SCALE" not in os.environ:
    with open("log", "a") as log:
        print(name, asked, file=log)
    if name == "bench_broken":
        sys.exit("out of order")
elif name == "bench_unstartable":
    sys.exit("no such library")
print(json.dumps({{
    "context": {{"allocator_version": "7", "allocator_library": "/lib/x.so"}},
    "benchmarks": [{{"name": asked, "items_per_second": 5e8, "peak_rss": 3 << 20, "harness": 1 << 20}}]}}))
"""


class Runner(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.build_dir = pathlib.Path(folder.name)
        (self.build_dir / "bench").mkdir()

    def run_it(self, *arguments, **environment):
        return subprocess.run([sys.executable, RUN, "--build-dir", self.build_dir, *arguments], cwd=self.build_dir,
                              env={**os.environ, **environment}, capture_output=True, text=True)

    def rows(self):
        lines = (self.build_dir / "bench" / "results.md").read_text(encoding="utf-8").splitlines()
        table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
        return {row[0]: dict(zip(table[0], row)) for row in table[2:]}

    def add_fakes(self, *names):
        for name in names:
            path = self.build_dir / "bench" / f"bench_{name}"
            path.write_text(FAKE.format(python=sys.executable), encoding="utf-8")
            path.chmod(0o755)

    def test_every_workload_runs_and_is_in_the_table(self):
        for executable in EXECUTABLES:
            (self.build_dir / "bench" / executable.name).symlink_to(executable)
        done = self.run_it("--repetitions=1", "--min-time=0.001", ALLOC_BENCH_SCALE="0.001")
        self.assertEqual(done.returncode, 0, done.stderr)

        listing = subprocess.run([EXECUTABLES[0], "--benchmark_list_tests"], capture_output=True, text=True, check=True)
        results = json.loads((self.build_dir / "bench" / "results.json").read_text(encoding="utf-8"))
        names = [executable.name.removeprefix("bench_") for executable in EXECUTABLES]
        self.assertEqual(list(results["context"]["allocators"]), names)
        for name in names:
            measured = [entry["name"] for entry in results["benchmarks"] if entry["allocator"] == name]
            self.assertEqual(measured, listing.stdout.split())
        rows = self.rows()
        self.assertEqual(len(rows), len(listing.stdout.split()) + 1)
        for row in rows.values():
            for name in names:
                self.assertRegex(row[name], r"^\d+\.\d\d( ±\d+%)?$")
                self.assertGreater(float(row[f"{name} MiB"]), 0)

    def test_repetitions_are_interleaved_and_turns_rotate(self):
        self.add_fakes("alloc", "system")
        self.assertEqual(self.run_it("--repetitions=2").returncode, 0)
        first, second = "first/1/real_time/threads:1", "second/iterations:1/real_time/threads:2"
        self.assertEqual((self.build_dir / "log").read_text(encoding="utf-8").splitlines(), [
            f"bench_alloc {first}", f"bench_system {first}", f"bench_system {second}", f"bench_alloc {second}",
            f"bench_system {first}", f"bench_alloc {first}", f"bench_alloc {second}", f"bench_system {second}"])
        row = self.rows()["second/threads:2"]
        self.assertEqual((row["best peer"], row["alloc"], row["alloc MiB"]), ("2.00 ns system", "1.00 ±0%", "2.0"))

    def test_options_choose_workloads_and_allocators(self):
        self.add_fakes("alloc", "system", "other")
        done = self.run_it("--quick", "--filter=^second/threads:2$", "--allocators=alloc,system", "--markdown=table.md")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("alloc 7: /lib/x.so", done.stdout)
        self.assertEqual(len((self.build_dir / "log").read_text(encoding="utf-8").splitlines()), 6)
        self.assertIn("| second/threads:2", (self.build_dir / "table.md").read_text(encoding="utf-8"))

    def test_a_failure_is_named_and_does_not_stop_the_rest(self):
        self.add_fakes("alloc", "broken")
        done = self.run_it("--repetitions=1")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "bench_broken .*first/1.*: exit status 1 out of order")
        self.assertEqual((self.rows()["first/1/threads:1"]["broken"]), "no result")

    def test_nothing_to_run_is_an_error(self):
        self.assertIn("no benchmark of any allocator", self.run_it().stderr)
        self.add_fakes("alloc")
        self.assertIn("no workload matches 'nonsense'", self.run_it("--filter=nonsense").stderr)
        self.assertIn("no benchmark of missing", self.run_it("--allocators=alloc,missing").stderr)

    def test_an_executable_that_does_not_start_is_an_error(self):
        self.add_fakes("alloc", "unstartable")
        self.assertRegex(self.run_it().stderr, "^run.py: bench_unstartable .*: exit status 1 no such library$")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
