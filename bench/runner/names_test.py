import unittest

from runner import names


class Names(unittest.TestCase):
    def test_how_it_is_run_is_no_part_of_the_name(self):
        for written in ("churn/100/iterations:1/real_time/threads:2", "churn/100/repeats:3/threads:2",
                        "churn/100/min_time:0.500/process_time/threads:2", "churn/100/manual_time/threads:2"):
            self.assertEqual(names.workload_name(written), "churn/100/threads:2")

    def test_parts(self):
        self.assertEqual(names.parse("batch/lifo/1000/threads:1"), names.Workload(
            "batch/lifo/1000/threads:1", "batch", 1, "batch/lifo/1000", ("", 1000), "batch/lifo/*"))
        self.assertEqual(names.parse("list/aged/iterations:1/real_time/threads:16"), names.Workload(
            "list/aged/threads:16", "list", 16, "list/aged", None, "list/aged"))

    def test_an_argument_can_have_a_name_and_stand_anywhere_but_first(self):
        workload = names.parse("server/live:500/fast/threads:4")
        self.assertEqual((workload.parameter, workload.series), (("live", 500), "server/live:*/fast"))
        self.assertEqual(names.parse("64/7").parameter, ("", 7))
        self.assertIsNone(names.parse("64").parameter)

    def test_the_last_argument_is_the_parameter(self):
        self.assertEqual(names.parse("large/64/4096").series, "large/64/*")

    def test_a_number_within_a_word_is_no_argument(self):
        self.assertIsNone(names.parse("large/1MiB_to_32MiB/threads:1").parameter)


if __name__ == "__main__":
    unittest.main()
