import random
import statistics
import unittest

from runner import stats
from runner.stats import Estimate


class Intervals(unittest.TestCase):
    def test_values_that_agree_leave_no_doubt(self):
        self.assertEqual(stats.estimate([4, 4, 4]), Estimate(4, 4, 4))
        self.assertEqual(stats.estimate([7]), Estimate(7, 7, 7))

    def test_three_values_give_their_range(self):
        self.assertEqual(stats.estimate([5, 1, 3]), Estimate(3, 1, 5))

    def test_an_outlier_does_not_move_the_interval_of_many_values(self):
        value = stats.estimate([10, 11, 9, 10, 10, 11, 9, 10, 1000])
        self.assertEqual(value.median, 10)
        self.assertLessEqual(value.high, 11)

    def test_the_median_lies_in_nineteen_of_twenty_intervals(self):
        draw = random.Random(1)
        samples = [[draw.gauss(100, 10) for _ in range(9)] for _ in range(200)]
        covered = sum(value.low <= 100 <= value.high for value in map(stats.estimate, samples))
        self.assertGreaterEqual(covered, 180)
        self.assertLess(covered, 200, "an interval that always covers it says nothing")

    def test_more_values_narrow_it_and_more_confidence_widens_it(self):
        draw = random.Random(2)
        values = [draw.gauss(100, 10) for _ in range(60)]
        few, many = stats.estimate(values[:10]), stats.estimate(values)
        sure = stats.estimate(values, stats.PAIR_CONFIDENCE)
        self.assertLess(many.high - many.low, few.high - few.low)
        self.assertGreater(sure.high - sure.low, many.high - many.low)

    def test_the_same_values_give_the_same_interval(self):
        stats.resampled_medians.cache_clear()
        first = stats.estimate([1, 2, 4, 8])
        stats.resampled_medians.cache_clear()
        self.assertEqual(stats.estimate([1, 2, 4, 8]), first)

    def test_attainable_confidence_is_that_of_the_range(self):
        draw = random.Random(3)
        within = sum(min(values) <= 0 <= max(values)
                     for values in ([draw.gauss(0, 1) for _ in range(3)] for _ in range(4000)))
        self.assertAlmostEqual(within / 4000, stats.attainable_confidence(3), delta=0.02)


class Ratios(unittest.TestCase):
    def test_of_medians(self):
        self.assertEqual(stats.estimate_ratio([1, 3, 900], [2, 4, 6]).median, 0.75)

    def test_uncertain_where_either_is(self):
        steady, shaky = [10.0] * 5, [8.0, 9, 10, 11, 12]
        for ratio in (stats.estimate_ratio(steady, shaky), stats.estimate_ratio(shaky, steady)):
            self.assertLess(ratio.low, 1)
            self.assertGreater(ratio.high, 1)
        self.assertEqual(stats.estimate_ratio(steady, [5.0] * 5), Estimate(2, 2, 2))

    def test_the_two_are_resampled_independently(self):
        values = [1.0, 2, 3, 4, 5]
        ratio = stats.estimate_ratio(values, [2 * value for value in values])
        self.assertLess(ratio.low, 0.4)
        self.assertGreater(ratio.high, 0.6)

    def test_noise_is_half_the_interval_over_the_median(self):
        self.assertEqual(stats.noise(Estimate(10, 8, 14)), 0.3)
        self.assertEqual(stats.noise(Estimate(0, 0, 0)), 0)


class Judgements(unittest.TestCase):
    def test_compare_claims_only_what_the_whole_interval_shows(self):
        self.assertEqual(stats.compare(Estimate(0.9, 0.8, 0.99)), "faster")
        self.assertEqual(stats.compare(Estimate(1.1, 1.01, 1.2)), "slower")
        self.assertEqual(stats.compare(Estimate(0.5, 0.4, 1.0)), "even")
        self.assertEqual(stats.compare(Estimate(1.3, 0.99, 2.0)), "even")

    def test_judge_wants_all_of_the_interval_on_one_side_of_the_threshold(self):
        judged = {
            "slower": [Estimate(1.2, 1.051, 1.3), Estimate(3, 2, 9)],
            "faster": [Estimate(0.9, 0.8, 0.952), Estimate(0.1, 0.01, 0.5)],
            "no difference": [Estimate(1, 1, 1), Estimate(1, 0.96, 1.04), Estimate(1.04, 1.01, 1.05)],
            "undecided": [Estimate(1.1, 1.04, 1.2), Estimate(1, 0.9, 1.01), Estimate(1, 0.5, 2)],
        }
        for verdict, ratios in judged.items():
            for ratio in ratios:
                self.assertEqual(stats.judge(ratio, 0.05), verdict, ratio)

    def test_a_higher_threshold_claims_less(self):
        self.assertEqual(stats.judge(Estimate(1.08, 1.06, 1.09), 0.05), "slower")
        self.assertEqual(stats.judge(Estimate(1.08, 1.06, 1.09), 0.10), "no difference")

    def test_builds_that_are_the_same_are_hardly_ever_judged_different(self):
        draw = random.Random(4)
        wrong = 0
        for _ in range(300):
            pairs = [draw.lognormvariate(0, 0.04) for _ in range(9)]
            wrong += stats.judge(stats.estimate(pairs, stats.PAIR_CONFIDENCE), 0.05) in ("slower", "faster")
        self.assertEqual(wrong, 0)

    def test_a_build_that_is_slower_by_a_fifth_is_found_in_noise_of_four_percent(self):
        draw = random.Random(5)
        found = 0
        for _ in range(100):
            pairs = [1.2 * draw.lognormvariate(0, 0.04) for _ in range(9)]
            found += stats.judge(stats.estimate(pairs, stats.PAIR_CONFIDENCE), 0.05) == "slower"
        self.assertGreaterEqual(found, 95)

    def test_a_quarter_is_not_too_many(self):
        self.assertFalse(stats.too_many(1, 4))
        self.assertTrue(stats.too_many(2, 4))
        self.assertFalse(stats.too_many(0, 0))


class Medians(unittest.TestCase):
    def test_resampled_medians_scatter_around_the_median(self):
        medians = stats.resampled_medians((1.0, 2.0, 3.0, 4.0, 100.0))
        self.assertEqual(statistics.median(medians), 3)
        self.assertGreater(len(set(medians)), 3)


if __name__ == "__main__":
    unittest.main()
