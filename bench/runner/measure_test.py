import pathlib
import unittest
from unittest import mock

from runner import measure


class Order(unittest.TestCase):
    def test_variants_come_after_one_of_every_family(self):
        self.assertEqual(
            measure.by_turns(["a/1", "a/2", "b/x/1", "b/x/2", "b/x/3", "c/threads:2", "c/threads:4"]),
            ["a/1", "b/x/1", "c/threads:2", "a/2", "b/x/2", "c/threads:4", "b/x/3"])

    def test_a_groups_families_come_one_by_one(self):
        self.assertEqual(measure.by_turns(["a/x/1", "a/y/1", "a/z/1", "a/y/2", "b/x", "b/y"]),
                         ["a/x/1", "b/x", "a/y/1", "b/y", "a/z/1", "a/y/2"])


class Output(unittest.TestCase):
    def entries(self, *labels):
        return [{"name": "program/x/iterations:1", "allocator": str(index), "label": label} if label else
                {"name": "pair", "allocator": str(index)} for index, label in enumerate(labels)]

    def test_what_has_none_or_the_same_is_right(self):
        for labels in ([], [None, None], ["a"], ["a", "a", "a"]):
            entries = self.entries(*labels)
            self.assertEqual(measure.expect_same_output(entries), (entries, []))

    def test_what_differs_from_most_is_wrong(self):
        entries = self.entries("a", "b", "a")
        self.assertEqual(measure.expect_same_output(entries),
                         ([entries[0], entries[2]], ["1 program/x: its output b is not that of others"]))

    def test_where_there_is_no_most_all_are_wrong(self):
        right, wrong = measure.expect_same_output(self.entries("a", "b", "a", "b"))
        self.assertEqual((right, len(wrong)), ([], 4))


class Time:
    """A clock that only goes on when told to."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Clocks(unittest.TestCase):
    def clock(self, repetitions, limit=None):
        self.time = Time()
        return measure.Clock(measure.Plan(repetitions, 0.1, limit), self.time)

    def test_time_left_is_what_the_same_took_and_the_average_for_others(self):
        clock = self.clock(3)
        clock.seconds = {"a": 10.0}
        self.assertEqual(clock.remaining(0, ["b"]), "0:50 left")  # b, then both twice
        clock.seconds["b"] = 30.0
        self.assertEqual(clock.remaining(1, ["b"]), "1:10 left")  # b, then both
        self.assertEqual(clock.remaining(2, []), "0:00 left")

    def test_time_left_is_never_above_the_limit(self):
        clock = self.clock(3, 60)
        clock.seconds = {"a": 10.0}
        self.time.now += 45
        self.assertEqual(clock.remaining(0, ["b", "c", "d"]), "0:15 left")

    def test_there_is_room_for_what_can_be_repeated(self):
        clock = self.clock(3, 60)
        self.time.now += 20
        self.assertTrue(clock.has_room(20))  # 20 so far and twice 20 more
        self.assertFalse(clock.has_room(21))
        clock.seconds = {"a": 20.0}
        self.assertTrue(clock.has_room())
        self.assertFalse(clock.has_room(1))
        self.assertTrue(self.clock(3).has_room(1e9))


class TimeLimit(unittest.TestCase):
    """The first repetition of workloads whose names say how many seconds a run of them takes."""

    def campaign(self, benchmarks, limit, repetitions=3, slower=1):
        """`slower`: how much so it gets after the first repetition."""
        self.said, time = [], Time()
        executables = {name: pathlib.Path(name) for name in ("x", "y")}
        campaign = measure.Campaign({benchmark: executables for benchmark in benchmarks},
                                    measure.Plan(repetitions, 0.1, limit), self.said.append)
        campaign.clock = measure.Clock(campaign.plan, time)

        def run(executable, benchmark, _, timeout):
            seconds = float(benchmark.split("/")[1]) * (slower if timeout == measure.TIMEOUT else 1)
            time.now += min(seconds, timeout)
            if seconds > timeout:
                raise measure.TimedOut("too slow")
            return {"benchmarks": [{"name": benchmark, "items_per_second": 1e9}]}

        with mock.patch.object(measure, "measure", run):
            campaign.run_all()
        return campaign, time.now - 1000

    def measured(self, campaign):
        return sorted({entry["name"] for entry in campaign.entries})

    def test_everything_is_repeated_without_a_limit(self):
        campaign, _ = self.campaign(["a/50", "b/1"], None)
        self.assertEqual(len(campaign.entries), 12)
        self.assertEqual(campaign.left_out, [])

    def test_what_is_taken_in_is_repeated_within_the_limit(self):
        benchmarks = [f"{letter}/1" for letter in "abcdefghijklmnop"]
        campaign, seconds = self.campaign(benchmarks, 60)
        self.assertEqual(len(self.measured(campaign)) + len(campaign.left_out), len(benchmarks))
        self.assertGreaterEqual(len(self.measured(campaign)), 8)
        self.assertGreater(len(campaign.left_out), 0)
        self.assertEqual(len(campaign.entries), 6 * len(self.measured(campaign)))
        self.assertLessEqual(seconds, 60)

    def test_a_machine_that_slows_down_does_not_exceed_the_limit_by_much(self):
        campaign, seconds = self.campaign([f"{letter}/1" for letter in "abcdefgh"], 60, slower=3)
        self.assertLessEqual(seconds, 60 * measure.TOLERANCE + 4)
        self.assertTrue(any("stopped for the time limit" in line for line in self.said))
        self.assertEqual({entry["repetition"] for entry in campaign.entries}, {0, 1})

    def test_one_that_takes_too_long_is_stopped_and_its_family_left_out(self):
        campaign, seconds = self.campaign(["long/100", "long/200", "short/0.1"], 60)
        self.assertEqual(self.measured(campaign), ["short/0.1"])
        self.assertEqual(campaign.left_out, ["long/100", "long/200"])
        self.assertEqual(campaign.failures, [])
        self.assertLess(seconds, 3)
        self.assertTrue(any("left out" in line for line in self.said))

    def test_without_a_limit_one_that_takes_too_long_has_failed(self):
        campaign, _ = self.campaign([f"long/{measure.TIMEOUT + 1}"], None, repetitions=1)
        self.assertEqual(campaign.failures, ["too slow", "too slow"])


if __name__ == "__main__":
    unittest.main()
