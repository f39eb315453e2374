import unittest

from runner import results
from runner.made_up import MIB, analysis, entry, merged


class Entries(unittest.TestCase):
    def test_time_is_per_item_and_of_the_whole_where_no_items_are_counted(self):
        self.assertAlmostEqual(results.nanoseconds(entry("w", "alloc", 12.5)), 12.5)
        self.assertEqual(results.nanoseconds({"real_time": 3, "time_unit": "ms"}), 3e6)

    def test_memory_is_without_the_harness(self):
        self.assertEqual(results.peak_bytes(entry("w", "alloc", 1, mib=3)), 3 * MIB)
        self.assertEqual(results.peak_bytes({"peak_rss": 5, "harness": 9}), 0)
        self.assertEqual(results.peak_bytes({}), 0)

    def test_counters_are_what_google_benchmark_does_not_write_itself(self):
        self.assertEqual(results.counters(entry("w", "alloc", 1, page_faults=7)),
                         {"peak_rss": 2 * MIB, "harness": MIB, "page_faults": 7})


class Analysis(unittest.TestCase):
    def test_workloads_and_allocators_keep_their_order(self):
        analysed = analysis({"b/threads:2": {"alloc": [1], "system": [2]}, "a": {"alloc": [1], "system": [2]}})
        self.assertEqual([workload["name"] for workload in analysed], ["b/threads:2", "a"])
        self.assertEqual(list(analysed[0]["results"]), ["alloc", "system"])
        self.assertEqual(analysed[0]["threads"], 2)

    def test_every_peer_has_its_ratio(self):
        workload, = analysis({"w": {"alloc": [6], "alloc_malloc": [1.5], "system": [3], "mimalloc": [12]}})
        self.assertEqual({(surface, peer): ratio.median for surface, peers in workload["ratios"].items()
                          for peer, ratio in peers.items()},
                         {("alloc", "system"): 2, ("alloc", "mimalloc"): 0.5,
                          ("alloc_malloc", "system"): 0.5, ("alloc_malloc", "mimalloc"): 0.125})
        self.assertEqual(results.best_peer(workload), "system")
        self.assertEqual(results.best_peer(workload, ["mimalloc"]), "mimalloc")
        self.assertEqual(results.ratio_to_best(workload).median, 2)
        self.assertEqual(results.ratio_to_best(workload, "alloc_malloc").median, 0.5)

    def test_the_verdict_is_that_of_the_sized_surface_where_it_was_measured(self):
        self.assertEqual(results.ours(["system", "alloc_malloc", "alloc"]), "alloc")
        self.assertEqual(results.ours({"alloc_malloc": 1, "allocator": 2}), "alloc_malloc")
        self.assertIsNone(results.ours(["system", "allocator"]))
        workload, = analysis({"program/x": {"alloc_malloc": [6], "system": [3]}})
        self.assertEqual(results.ratio_to_best(workload).median, 2)

    def test_without_ours_or_without_peers_there_is_no_ratio(self):
        for row in ({"system": [3]}, {"alloc": [3]}):
            workload, = analysis({"w": row})
            self.assertIsNone(results.ratio_to_best(workload))

    def test_a_counter_is_the_median_of_the_repetitions(self):
        data = merged({"w": {"alloc": [1, 1, 1]}})
        for repetition, faults in enumerate((9, 2, 5)):
            data["benchmarks"][repetition]["page_faults"] = faults
        workload, = results.analyse(data)
        self.assertEqual(workload["results"]["alloc"]["counters"]["page_faults"], 5)


class GoogleBenchmarkFormat(unittest.TestCase):
    def test_an_allocators_file_has_its_repetitions_alone(self):
        data = results.of_allocator(merged({"w/threads:1": {"alloc": [1, 2], "system": [3, 4]}}, 2), "system")
        self.assertEqual([(run["real_time"], run["repetition_index"], run["repetitions"])
                          for run in data["benchmarks"]], [(3, 0, 2), (4, 1, 2)])
        self.assertEqual(data["context"]["allocator_library"], "/lib/system.so")
        self.assertEqual(data["context"]["num_cpus"], 4)


if __name__ == "__main__":
    unittest.main()
