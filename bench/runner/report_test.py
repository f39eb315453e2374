import unittest

from runner import report
from runner.made_up import analysis, merged


def cells(table, allocators):
    """{workload: {column: cell}} of the table."""
    heading, *rows = report.comparison(analysis(table), allocators)
    return {row[0]: dict(zip(heading, row)) for row in rows}


class Table(unittest.TestCase):
    def test_ratio_is_of_medians_to_the_best_peer(self):
        row = cells({"pair/16/threads:1": {"alloc": [1, 3, 900], "system": [8], "jemalloc": [2, 4, 6]}},
                    ["alloc", "system", "jemalloc"])["pair/16/threads:1"]
        self.assertEqual(row["best peer"], "4.00 ns jemalloc")
        self.assertTrue(row["alloc"].startswith("0.75 "))
        self.assertEqual(row["system"], "2.00 ±0%")
        self.assertEqual(row["jemalloc"], "1.00 ±50%")

    def test_an_allocator_beside_the_peers_is_not_the_reference(self):
        row = cells({"pair/16/threads:1": {"alloc": [3], "system": [4], "other": [2]}},
                    ["alloc", "system", "other"])["pair/16/threads:1"]
        self.assertEqual(row["best peer"], "4.00 ns system")
        self.assertEqual(row["alloc"], "0.75 ±0%")
        self.assertEqual(row["other"], "0.50 ±0%")
        self.assertEqual(row["alloc to best of all"], "1.50")

    def test_another_surface_of_the_library_is_no_peer(self):
        row = cells({"pair/16/threads:1": {"alloc": [3], "alloc_malloc": [1], "other": [2]}},
                    ["alloc", "alloc_malloc", "other"])["pair/16/threads:1"]
        self.assertEqual((row["alloc to best of all"], row["alloc_malloc to best of all"]), ("1.50", "0.50"))

    def test_what_only_another_surface_can_run_has_not_failed(self):
        table = {"program/x": {"alloc_malloc": [3], "system": [4], "mimalloc": []}, "pair/16": {"alloc": [1], "system": [2]}}
        row = cells(table, ["alloc", "alloc_malloc", "system", "mimalloc"])["program/x"]
        self.assertEqual((row["alloc"], row["alloc_malloc"], row["mimalloc"]), ("-", "0.75 ±0%", "no result"))

    def test_expectations_are_met_or_missed(self):
        table = {
            "pair/16/threads:1": {"alloc": [85.4], "system": [100]},
            "pair/32/threads:1": {"alloc": [86], "system": [100]},
            "churn/4000000/threads:1": {"alloc": [119], "system": [100]},
            "list_walk/aged/threads:2": {"system": [100]},
            "list_free/aged/threads:1": {"alloc": [500], "system": [100]},
        }
        verdicts = {workload: row["expected"] for workload, row in cells(table, ["alloc", "system"]).items()}
        self.assertEqual(verdicts["pair/16/threads:1"], "≤ 0.85 met")
        self.assertEqual(verdicts["pair/32/threads:1"], "≤ 0.85 **missed**")
        self.assertEqual(verdicts["churn/4000000/threads:1"], "≤ 1.20 met")
        self.assertEqual(verdicts["list_walk/aged/threads:2"], "≤ 0.65 **missed**")
        self.assertEqual(verdicts["list_free/aged/threads:1"], "")

    def test_a_failed_workload_says_so(self):
        row = cells({"pair/16/threads:1": {"alloc": [1], "system": []}}, ["alloc", "system"])["pair/16/threads:1"]
        self.assertEqual(row["system"], "no result")
        self.assertEqual(row["system MiB"], "-")
        self.assertEqual(row["alloc"], "-")

    def test_memory_is_compared_by_its_geometric_mean(self):
        table = {"a": {"alloc": (1, [1]), "system": (3, [1])}, "b": {"alloc": (16, [1]), "system": (3, [1])}}
        row = cells(table, ["alloc", "system"])["**geometric mean**"]
        self.assertEqual((row["alloc MiB"], row["system MiB"]), ("4.00", "3.00"))
        self.assertEqual(row["expected"], "least memory **missed**")
        table["b"]["alloc"] = (8, [1])
        self.assertEqual(cells(table, ["alloc", "system"])["**geometric mean**"]["expected"], "least memory met")

    def test_geometric_means_take_the_rows_that_all_finished(self):
        means = report.geometric_means([{"x": 1, "y": 8}, {"x": 4, "y": 2}, {"x": 100}], ["x", "y"])
        self.assertAlmostEqual(means["x"], 2)
        self.assertAlmostEqual(means["y"], 4)

    def test_it_is_aligned_markdown(self):
        lines = report.markdown([["workload", "x"], ["pair", "1.00"]]).splitlines()
        self.assertEqual(lines, ["| workload |    x |", "|----------|-----:|", "| pair     | 1.00 |"])

    def test_times_have_the_unit_that_suits_them(self):
        self.assertEqual([report.format_time(time) for time in (0.5, 999, 1e3, 2.5e6, 3e9)],
                         ["0.50 ns", "999.00 ns", "1.00 µs", "2.50 ms", "3.00 s"])


class Overall(unittest.TestCase):
    table = {
        "a": {"alloc": (1, [1]), "alloc_malloc": (2, [3]), "system": (3, [2]), "tcmalloc": (4, [4])},
        "b": {"alloc": (1, [1]), "alloc_malloc": (2, [1]), "system": (3, [6]), "tcmalloc": (9, [4])},
        "program/x": {"alloc_malloc": (16, [10]), "system": (3, [10])},
    }

    def test_a_line_for_each_surface_of_the_library(self):
        alloc, drop_in = report.overall(analysis(self.table), ["alloc", "alloc_malloc", "system", "tcmalloc"])
        self.assertEqual(alloc, "- alloc: time 0.35 of the best other's, the geometric mean of 2 workloads; at worst 0.50, a; "
                         "above 1.05 in 0. Peak memory 1.0 MiB, geometric mean; system 3.0, tcmalloc 6.0.")
        self.assertEqual(drop_in, "- alloc_malloc: time 0.72 of the best other's, the geometric mean of 3 workloads; at worst "
                         "1.50, a; above 1.05 in 1. Peak memory 2.0 MiB, geometric mean; system 3.0, tcmalloc 6.0.")

    def test_what_has_nothing_to_be_compared_with_has_no_line(self):
        self.assertEqual(report.overall(analysis({"a": {"alloc": [1]}}), ["alloc"]), [])


class Noise(unittest.TestCase):
    quiet, shaky = [10, 10, 10], [8, 10, 12]

    def warning(self, *rows):
        return report.explain_noise(analysis({f"w{index}": row for index, row in enumerate(rows)}))

    def test_a_quiet_run_has_no_warning(self):
        self.assertEqual(self.warning({"alloc": self.quiet, "system": self.quiet}), "")

    def test_a_run_whose_times_vary_has_one(self):
        calm = {"alloc": self.quiet, "system": self.quiet}
        for noisy in ({"alloc": self.shaky, "system": self.quiet}, {"alloc": self.quiet, "system": self.shaky}):
            self.assertIn("too noisy", self.warning(noisy, calm))
            self.assertIn("1 of 2 workloads", self.warning(noisy, calm))
            self.assertEqual(self.warning(noisy, calm, calm, calm), "")

    def test_only_those_count_on_whom_the_verdict_rests(self):
        self.assertEqual(self.warning({"alloc": self.quiet, "system": self.quiet, "slow": [80, 100, 120]}), "")


class Summary(unittest.TestCase):
    table = {
        "won/threads:1": {"alloc": [5, 5, 5], "system": [10, 10, 10], "mimalloc": [8, 8, 8]},
        "lost/threads:1": {"alloc": [30, 30, 30], "system": [10, 10, 10], "mimalloc": [20, 20, 20]},
        "worst/threads:1": {"alloc": [90, 90, 90], "system": [10, 10, 10], "mimalloc": [20, 20, 20]},
        "open/threads:1": {"alloc": [9, 10, 11], "system": [10, 10, 10], "mimalloc": [20, 20, 20]},
        "failed/threads:1": {"system": [10, 10, 10]},
    }

    def setUp(self):
        results = merged(self.table)
        self.lines = report.summary(analysis(self.table), results["context"]).splitlines()

    def rows(self, title):
        start = next(index for index, line in enumerate(self.lines) if title in line)
        table = []
        for line in self.lines[start + 1:]:
            if line.startswith("|"):
                table.append([cell.strip() for cell in line.strip("|").split("|")])
            elif table:
                break
        return table[2:]

    def test_it_counts_every_verdict_and_names_the_commit(self):
        text = "\n".join(self.lines)
        self.assertIn("**1 faster, 2 slower, 1 without a clear difference**", text)
        self.assertIn("### Benchmark of aaaaaaaaaaaa", text)
        mean = (5 / 8 * 3 * 9 * 1) ** 0.25
        self.assertIn(f"- alloc: time {mean:.2f} of the best other's, the geometric mean of 4 workloads", text)

    def test_losses_stand_like_gains(self):
        self.assertEqual([row[0] for row in self.rows("Largest losses")], ["worst/threads:1", "lost/threads:1"])
        self.assertEqual(self.rows("Largest gains"),
                         [["won/threads:1", "alloc", "5.00 ns", "mimalloc", "0.62 (0.62 to 0.62)", "▲ faster"]])

    def test_all_that_was_compared_is_in_it(self):
        self.assertEqual([row[0] for row in self.rows("All 4 workloads")],
                         ["worst/threads:1", "lost/threads:1", "open/threads:1", "won/threads:1"])

    def test_machine_and_versions_are_in_it(self):
        text = "\n".join(self.lines)
        for part in ("A processor, 4 processors", "system 1.0: /lib/system.so", "compiler: GNU 12"):
            self.assertIn(part, text)


class BenchmarkAction(unittest.TestCase):
    def test_time_and_memory_of_this_library_with_a_range(self):
        entries = report.benchmark_action(analysis({"w": {"alloc": (3, [8, 10, 12]), "system": [7, 7, 7]},
                                                    "failed": {"system": [1]}}))
        self.assertEqual(entries, [
            {"name": "w time", "unit": "ns", "value": 10, "range": "± 2", "extra": "system 7.00 ns"},
            {"name": "w memory", "unit": "MiB", "value": 3, "range": "± 0"}])


if __name__ == "__main__":
    unittest.main()
