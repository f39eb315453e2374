"""Runs the runner: over every workload of the executables named on the command line, each as small as it gets, over the
programs of those that end in .programs, and over made-up executables to see in which order and how often it starts them."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

RUN = pathlib.Path(__file__).with_name("run.py")
ALL = [pathlib.Path(argument).resolve() for argument in sys.argv[1:]]
PROGRAMS = [path for path in ALL if path.suffix == ".programs"]
EXECUTABLES = [path for path in ALL if path not in PROGRAMS]

# Says that it has two workloads, or a program, writes what it is asked to run to a log, and fails where it is told to.
FAKE = """#!{python}
import json, os, pathlib, sys
name = pathlib.Path(sys.argv[0]).name
if "--benchmark_list_tests" in sys.argv:
    if name.endswith(".programs"):
        print("program/x")
        sys.exit(print("program/y: left out, needs y", file=sys.stderr))
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
rate = float(os.environ.get("RATE", "5e8")) if "candidate" in sys.argv[0] else 5e8
print(json.dumps({{
    "context": {{"allocator_version": "7", "allocator_library": "/lib/x.so"}},
    "benchmarks": [{{"name": asked, "items_per_second": rate, "peak_rss": 3 << 20, "harness": 1 << 20,
                    "label": "wrong" if "liar" in name else "right"}}]}}))
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

    def read(self, name):
        return json.loads((self.build_dir / "bench" / name).read_text(encoding="utf-8"))

    def rows(self):
        lines = (self.build_dir / "bench" / "results.md").read_text(encoding="utf-8").splitlines()
        table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
        return {row[0]: dict(zip(table[0], row)) for row in table[2:]}

    def add(self, *executables):
        for executable in executables:
            (self.build_dir / "bench" / executable.name).symlink_to(executable)

    def add_fakes(self, *names, build="."):
        folder = self.build_dir / build / "bench"
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            path = folder / f"bench_{name}"
            path.write_text(FAKE.format(python=sys.executable), encoding="utf-8")
            path.chmod(0o755)

    def test_every_workload_runs_and_is_in_the_table(self):
        self.add(*EXECUTABLES)
        done = self.run_it("--repetitions=1", "--min-time=0.001", ALLOC_BENCH_SCALE="0.001")
        self.assertEqual(done.returncode, 0, done.stderr)

        listing = subprocess.run([EXECUTABLES[0], "--benchmark_list_tests"], capture_output=True, text=True, check=True)
        results = self.read("results.json")
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

    @unittest.skipUnless(PROGRAMS, "the library that programs run on is not built")
    def test_programs_run_on_the_library_and_without_it(self):
        self.add(*PROGRAMS)
        done = self.run_it("--repetitions=1", "--filter=^program/(gcc|python3|redis|sqlite3)$", ALLOC_BENCH_SCALE="0.001")
        self.assertEqual(done.returncode, 0, done.stderr)
        listing = subprocess.run([PROGRAMS[0], "--benchmark_list_tests"], capture_output=True, text=True, check=True)
        rows = self.rows()
        for program in {"program/gcc", "program/python3"} & set(listing.stdout.split()):
            for executable in PROGRAMS:
                name = executable.stem.removeprefix("bench_")
                self.assertRegex(rows[program][name], r"^\d+\.\d\d ±0%$")
                self.assertGreater(float(rows[program][f"{name} MiB"]), 1)
        for entry in self.read("results.json")["benchmarks"]:
            self.assertGreater(entry["cpu_time"], 1e6)
            self.assertGreater(entry["page_faults"], 100)
            self.assertRegex(entry["label"], "^[0-9a-f]{16}$")

    @unittest.skipUnless(PROGRAMS, "the library that programs run on is not built")
    def test_a_program_that_takes_too_long_leaves_nothing_behind(self):
        self.add(PROGRAMS[0])
        done = self.run_it("--repetitions=2", "--filter=^program/(python3|redis)$", "--time-limit=4", TMPDIR=str(self.build_dir))
        self.assertIn("program/python3: left out, takes too long", done.stdout)
        self.assertEqual(list(self.build_dir.glob("bench-*")), [])

    @unittest.skipUnless(PROGRAMS, "the library that programs run on is not built")
    def test_a_program_without_the_library_is_a_failure(self):
        script = RUN.parent / "programs" / "benchmark.py"
        done = subprocess.run([sys.executable, "-B", script, "x", "/no/such/library.so", "--benchmark_filter=python3"],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("would run without /no/such/library.so", done.stderr)

    def test_an_allocator_may_have_several_executables(self):
        self.add_fakes("alloc", "alloc_malloc", "alloc_malloc.programs", "system", "system.programs")
        done = self.run_it("--repetitions=1")
        self.assertEqual(done.returncode, 0, done.stderr)
        log = (self.build_dir / "log").read_text(encoding="utf-8").splitlines()
        self.assertEqual(sorted(line for line in log if "program" in line),
                         ["bench_alloc_malloc.programs program/x", "bench_system.programs program/x"])
        self.assertEqual(done.stdout.count("program/y: left out, needs y"), 1)
        row = self.rows()["program/x"]
        self.assertEqual((row["alloc"], row["alloc_malloc"], row["system"]), ("-", "1.00 ±0%", "1.00 ±0%"))
        for line in ("- alloc: time 1.00 of the best other's, the geometric mean of 2 workloads",
                     "- alloc_malloc: time 1.00 of the best other's, the geometric mean of 3 workloads"):
            self.assertIn(line, done.stdout)

    def test_a_program_that_writes_something_else_has_failed(self):
        self.add_fakes(*(f"{name}.programs" for name in ("alloc_malloc", "system", "liar")))
        done = self.run_it("--repetitions=1")
        self.assertEqual(done.returncode, 2)
        self.assertIn("liar program/x: its output wrong is not that of others", done.stderr)
        self.assertEqual(self.rows()["program/x"]["liar"], "no result")

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
        done = self.run_it("--quick", "--filter=^second/threads:2$", "--allocators=alloc,system", "--output=elsewhere")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("alloc 7: /lib/x.so", done.stdout)
        self.assertRegex(done.stdout, r"3/3 second/threads:2 .*; 0:0\d left")
        self.assertEqual(len((self.build_dir / "log").read_text(encoding="utf-8").splitlines()), 6)
        self.assertIn("| second/threads:2", (self.build_dir / "elsewhere/results.md").read_text(encoding="utf-8"))

    def test_everything_that_others_read_is_written(self):
        self.add_fakes("alloc", "system")
        (self.build_dir / "bench/dashboard").mkdir()
        (self.build_dir / "bench/dashboard/page.html").write_text("<p>@RESULTS@</p>", encoding="utf-8")
        (self.build_dir / "bench/build.txt").write_text("C compiler: some  thing\nC++ flags:\n", encoding="utf-8")
        done = self.run_it("--repetitions=2", "--history=past")
        self.assertEqual(done.returncode, 0, done.stderr)
        for name in ("alloc", "system"):
            runs = self.read(f"{name}.json")["benchmarks"]
            self.assertEqual([run["repetition_index"] for run in runs], [0, 0, 1, 1])
        context = self.read("results.json")["context"]
        self.assertEqual(context["build"], {"C compiler": "some thing"})
        self.assertRegex(context["kernel"], "^Linux ")
        self.assertEqual([entry["value"] for entry in self.read("benchmark-action.json")], [2, 2, 2, 2])
        self.assertIn("0 faster, 0 slower, 2 without", (self.build_dir / "bench/summary.md").read_text(encoding="utf-8"))
        page = (self.build_dir / "bench/dashboard.html").read_text(encoding="utf-8")
        self.assertEqual(json.loads(page[3:-4])["results"], self.read("results.json"))
        commit = context["commit"]
        self.assertEqual(len(list(self.build_dir.glob("past/*.json"))), 1 if commit else 0)

    def test_reports_can_be_written_again_without_measuring(self):
        self.add_fakes("alloc", "system")
        self.assertEqual(self.run_it("--repetitions=1").returncode, 0)
        (self.build_dir / "bench/results.md").unlink()
        (self.build_dir / "log").unlink()
        self.assertEqual(self.run_it("--report-only").returncode, 0)
        self.assertEqual(self.rows()["second/threads:2"]["alloc"], "1.00 ±0%")
        self.assertFalse((self.build_dir / "log").exists())

    def compare_builds(self, rate, *arguments):
        for build in ("baseline", "candidate"):
            self.add_fakes("alloc", "system", build=build)
        return subprocess.run([sys.executable, RUN, "--build-dir=candidate", "--baseline=baseline", "--repetitions=9",
                               *arguments], cwd=self.build_dir, env={**os.environ, "RATE": rate}, capture_output=True,
                              text=True)

    def test_two_builds_are_compared_in_pairs(self):
        for build in ("baseline", "candidate"):
            self.add_fakes("alloc_malloc.programs", build=build)
        done = self.compare_builds("4e8")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("**3 slower, 0 faster, 0 without a difference** above 5.0%; 0 undecided.", done.stdout)
        self.assertRegex(done.stdout, r"first/1/threads:1 \|.* 1.25 \(1.25 to 1.25\) \|")
        log = (self.build_dir / "log").read_text(encoding="utf-8").splitlines()
        self.assertEqual(len(log), 54)
        self.assertEqual(log.count("bench_alloc_malloc.programs program/x"), 18)
        self.assertTrue((self.build_dir / "candidate/bench/pairs.md").exists())

    def test_a_bad_regular_expression_is_no_regression(self):
        done = self.run_it("--filter", "(")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--filter '('", done.stderr)

    def test_the_exit_status_tells_whether_there_is_a_regression(self):
        for rate, arguments, status in (("6e8", [], 0), ("5e8", [], 0), ("4e8", ["--threshold=30"], 0), ("4e8", [], 1)):
            self.assertEqual(self.compare_builds(rate, *arguments).returncode, status, (rate, arguments))

    def test_a_failure_is_named_and_does_not_stop_the_rest(self):
        self.add_fakes("alloc", "broken")
        done = self.run_it("--repetitions=1")
        self.assertEqual(done.returncode, 2)
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
