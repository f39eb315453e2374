import unittest

from runner import pairs
from runner.made_up import entry, merged


def results_of(**workloads):
    """Of {workload: (baseline's times, candidate's)}."""
    return merged({name: {"baseline": before, "candidate": after} for name, (before, after) in workloads.items()})


def compare(threshold=0.05, **workloads):
    return pairs.compare(results_of(**workloads)["benchmarks"], threshold)


STEADY = [10.0] * 9
SHAKY = [10.0, 13, 8, 12, 9, 7, 11, 14, 10]


class Pairs(unittest.TestCase):
    def test_each_workload_is_faster_slower_no_different_or_undecided(self):
        compared = compare(slow=(STEADY, [time * 1.3 for time in STEADY]), fast=(STEADY, [time / 1.3 for time in STEADY]),
                           same=(STEADY, [time * 1.01 for time in STEADY]), open=(STEADY, SHAKY))
        self.assertEqual({workload["name"]: workload["verdict"] for workload in compared},
                         {"slow": "slower", "fast": "faster", "same": "no difference", "open": "undecided"})

    def test_noise_that_both_share_does_not_hide_a_change(self):
        compared, = compare(w=(SHAKY, [time * 1.2 for time in SHAKY]))
        self.assertEqual(compared["verdict"], "slower")
        self.assertAlmostEqual(compared["ratio"].median, 1.2)

    def test_so_few_pairs_that_no_interval_is_wide_enough_show_nothing(self):
        for count, verdict in ((3, "undecided"), (7, "undecided"), (8, "slower")):
            compared, = compare(w=(STEADY[:count], [time * 1.3 for time in STEADY[:count]]))
            self.assertEqual(compared["verdict"], verdict, count)
        self.assertEqual(pairs.exit_status(compare(w=(STEADY[:3], [13.0] * 3))), pairs.TOO_NOISY)

    def test_only_repetitions_that_both_finished_are_pairs(self):
        entries = [entry("w", "baseline", 10, 0), entry("w", "candidate", 20, 1), entry("w", "baseline", 10, 2),
                   entry("w", "candidate", 30, 2)]
        compared, = pairs.compare(entries, 0.05)
        self.assertEqual((compared["pairs"], compared["ratio"].median), (1, 3))
        self.assertEqual(pairs.compare(entries[:2], 0.05), [])


class Conclusion(unittest.TestCase):
    slow, same, open = (STEADY, [13.0] * 9), (STEADY, STEADY), (STEADY, SHAKY)

    def test_exit_status(self):
        self.assertEqual(pairs.exit_status(compare(a=self.same, b=self.same)), pairs.UNCHANGED)
        self.assertEqual(pairs.exit_status(compare(a=self.same, b=self.slow)), pairs.REGRESSION)
        self.assertEqual(pairs.exit_status(compare(a=self.same, b=self.open)), pairs.TOO_NOISY)
        self.assertEqual(pairs.exit_status(compare(a=self.slow, b=self.open)), pairs.REGRESSION)
        self.assertEqual(pairs.exit_status(compare(a=self.same, b=self.same, c=self.same, d=self.open)), pairs.UNCHANGED)

    def test_the_threshold_decides_what_a_regression_is(self):
        self.assertEqual(pairs.exit_status(compare(threshold=0.4, a=self.slow)), pairs.UNCHANGED)

    def test_too_noisy_a_run_says_so(self):
        self.assertIn("too noisy", pairs.conclude(compare(a=self.open), 0.05))
        self.assertNotIn("too noisy", pairs.conclude(compare(a=self.same, b=self.slow), 0.05))

    def test_the_report_shows_what_got_slower_first(self):
        workloads = {"same": self.same, "open": self.open, "slow": self.slow, "slower": (STEADY, [20.0] * 9)}
        data = results_of(**workloads)
        text = pairs.markdown(compare(**workloads), data["context"], 0.05)
        rows = [line.split("|") for line in text.splitlines() if line.startswith("|")][2:]
        self.assertEqual([row[1].strip() for row in rows], ["slower", "slow", "open", "same"])
        self.assertEqual([cell.strip() for cell in rows[1][2:-1]],
                         ["10.00 ns", "13.00 ns", "1.30 (1.30 to 1.30)", "1.00", "▼ slower"])
        self.assertIn("**2 slower, 0 faster, 1 without a difference** above 5.0%; 1 undecided.", text)


if __name__ == "__main__":
    unittest.main()
