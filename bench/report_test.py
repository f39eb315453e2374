"""Tests what the report concludes, on measurements made up for it."""

import unittest

import report

MIB = report.MIB


def runs(*nanoseconds, mib=1):
    return [report.Sample(value, mib * MIB) for value in nanoseconds]


def cells(samples, allocators):
    """{workload: {column: cell}} of the table."""
    heading, *rows = report.comparison(samples, allocators)
    return {row[0]: dict(zip(heading, row)) for row in rows}


class Statistics(unittest.TestCase):
    def test_spread_is_half_the_interquartile_range_over_the_median(self):
        self.assertAlmostEqual(report.spread([8, 9, 10, 11, 12]), 0.1)
        self.assertEqual(report.spread([5]), 0)

    def test_geometric_mean_takes_the_workloads_that_all_finished(self):
        table = {"a": {"x": 1, "y": 8}, "b": {"x": 4, "y": 2}, "c": {"x": 100}}
        means = report.geometric_means(table, ["x", "y"])
        self.assertAlmostEqual(means["x"], 2)
        self.assertAlmostEqual(means["y"], 4)


class Comparison(unittest.TestCase):
    def test_ratio_is_of_medians_to_the_best_peer(self):
        row = cells({"pair/16/threads:1": {"alloc": runs(1, 3, 900), "system": runs(8), "jemalloc": runs(2, 4, 6)}},
                    ["alloc", "system", "jemalloc"])["pair/16/threads:1"]
        self.assertEqual(row["best peer"], "4.00 ns jemalloc")
        self.assertTrue(row["alloc"].startswith("0.75 "))
        self.assertEqual(row["system"], "2.00 ±0%")
        self.assertEqual(row["jemalloc"], "1.00 ±25%")

    def test_an_allocator_beside_the_peers_is_not_the_reference(self):
        row = cells({"pair/16/threads:1": {"alloc": runs(3), "system": runs(4), "other": runs(2)}},
                    ["alloc", "system", "other"])["pair/16/threads:1"]
        self.assertEqual(row["best peer"], "4.00 ns system")
        self.assertEqual(row["alloc"], "0.75 ±0%")
        self.assertEqual(row["other"], "0.50 ±0%")
        self.assertEqual(row["to best of all"], "1.50")

    def test_expectations_are_met_or_missed(self):
        samples = {
            "pair/16/threads:1": {"alloc": runs(85.4), "system": runs(100)},
            "pair/32/threads:1": {"alloc": runs(86), "system": runs(100)},
            "churn/4000000/threads:1": {"alloc": runs(119), "system": runs(100)},
            "list_walk/aged/threads:2": {"alloc": [], "system": runs(100)},
            "list_free/aged/threads:1": {"alloc": runs(500), "system": runs(100)},
        }
        verdicts = {workload: row["expected"] for workload, row in cells(samples, ["alloc", "system"]).items()}
        self.assertEqual(verdicts["pair/16/threads:1"], "≤ 0.85 met")
        self.assertEqual(verdicts["pair/32/threads:1"], "≤ 0.85 **missed**")
        self.assertEqual(verdicts["churn/4000000/threads:1"], "≤ 1.20 met")
        self.assertEqual(verdicts["list_walk/aged/threads:2"], "≤ 0.65 **missed**")
        self.assertEqual(verdicts["list_free/aged/threads:1"], "")

    def test_a_failed_workload_says_so(self):
        row = cells({"pair/16/threads:1": {"alloc": runs(1), "system": []}}, ["alloc", "system"])["pair/16/threads:1"]
        self.assertEqual(row["system"], "no result")
        self.assertEqual(row["system MiB"], "-")
        self.assertEqual(row["alloc"], "-")

    def test_memory_is_compared_by_its_geometric_mean(self):
        samples = {
            "a": {"alloc": runs(1, mib=1), "system": runs(1, mib=3)},
            "b": {"alloc": runs(1, mib=16), "system": runs(1, mib=3)},
        }
        row = cells(samples, ["alloc", "system"])["**geometric mean**"]
        self.assertEqual((row["alloc MiB"], row["system MiB"]), ("4.00", "3.00"))
        self.assertEqual(row["expected"], "least memory **missed**")
        samples["b"]["alloc"] = runs(1, mib=8)
        self.assertEqual(cells(samples, ["alloc", "system"])["**geometric mean**"]["expected"], "least memory met")

    def test_the_table_is_aligned_markdown(self):
        lines = report.markdown([["workload", "x"], ["pair", "1.00"]]).splitlines()
        self.assertEqual(lines, ["| workload |    x |", "|----------|-----:|", "| pair     | 1.00 |"])


if __name__ == "__main__":
    unittest.main()
