import json
import pathlib
import re
import tempfile
import unittest

from runner import page, results
from runner.made_up import merged


class Page(unittest.TestCase):
    def test_the_results_can_be_read_back_and_end_no_script(self):
        data = merged({"w": {"alloc": [1, 2, 3], "system": [2, 2, 2]}}, processor="</script><b>&\"'\u2028")
        analysis = results.analyse(data)
        with tempfile.TemporaryDirectory() as folder:
            template, written = pathlib.Path(folder, "template.html"), pathlib.Path(folder, "page.html")
            template.write_text(f'<script id="data">{page.PLACE}</script>', encoding="utf-8")
            page.write(template, page.page_data(analysis, data, [], 2), written)
            text = written.read_text(encoding="utf-8")
        found = re.fullmatch(r'<script id="data">(.*)</script>', text)[1]
        self.assertNotIn("<", found)
        read = json.loads(found)
        self.assertEqual(read["results"], data)
        self.assertEqual(read["workloads"][0]["results"]["alloc"]["time"], [2, 1, 3])
        self.assertEqual(read["historyOfOtherMachines"], 2)

    def test_every_group_says_what_it_does(self):
        data = merged({"larson/a": {"alloc": [1]}, "list_walk/b": {"alloc": [1]}, "program/c": {"alloc_malloc": [1]},
                       "other/d": {"alloc": [1]}})
        groups = page.page_data(results.analyse(data), data, [], 0)["groups"]
        self.assertTrue(groups["larson"].startswith("A server: sessions"))
        self.assertTrue(groups["larson"].endswith("are gone."))
        self.assertTrue(groups["list_walk"].startswith("A linked list"))
        self.assertEqual((groups["program"], groups["other"]), (page.PROGRAMS, ""))

    def test_every_workload_file_says_what_it_does(self):
        for path in page.WORKLOADS.glob("*.cpp"):
            self.assertRegex(page.describe(path.stem), r"^[A-Z0-9].*\.$", path.name)

    def test_noise_is_told(self):
        shaky = {"w": {"alloc": [5, 10, 15], "system": [20, 20, 20]}}
        data = merged(shaky)
        noise = page.page_data(results.analyse(data), data, [], 0)["noise"]
        self.assertEqual((noise["workloads"], noise["tooMany"]), (["w"], True))


if __name__ == "__main__":
    unittest.main()
