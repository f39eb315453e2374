import pathlib
import tempfile
import unittest

from runner import history, results
from runner.made_up import merged


def commit(letter, day, changed=False):
    return {"hash": letter * 40, "date": f"2026-01-{day:02}T00:00:00+00:00", "subject": f"Change {letter}",
            "changed": changed}


class History(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name, "not", "there", "yet")

    def add(self, table, **context):
        data = merged(table, **context)
        history.add(self.folder, results.analyse(data), data["context"])
        return data["context"]

    def test_commits_come_back_in_their_order(self):
        self.add({"w": {"alloc": [4, 5, 6], "system": [9]}}, commit=commit("b", 2))
        context = self.add({"w": {"alloc": [7], "system": [9]}}, commit=commit("a", 1))
        entries, others = history.read(self.folder, context)
        self.assertEqual([entry["commit"]["subject"] for entry in entries], ["Change a", "Change b"])
        self.assertEqual(entries[1]["workloads"], {"w": {"time": [5, 4, 6], "memory": [1 << 20] * 3}})
        self.assertEqual(others, 0)

    def test_what_is_measured_again_replaces_and_the_rest_stays(self):
        self.add({"v": {"alloc": [1]}, "w": {"alloc": [2]}})
        context = self.add({"w": {"alloc": [3]}})
        (entry,), _ = history.read(self.folder, context)
        self.assertEqual({name: value["time"][0] for name, value in entry["workloads"].items()}, {"v": 1, "w": 3})

    def test_what_only_the_drop_in_runs_is_kept_too(self):
        context = self.add({"program/x": {"alloc_malloc": [3]}, "w": {"alloc": [1], "alloc_malloc": [2]}})
        (entry,), _ = history.read(self.folder, context)
        self.assertEqual({name: value["time"][0] for name, value in entry["workloads"].items()}, {"program/x": 3, "w": 1})

    def test_uncommitted_changes_are_no_commit(self):
        self.add({"w": {"alloc": [1]}}, commit=commit("a", 1))
        context = self.add({"w": {"alloc": [2]}}, commit=commit("a", 1, changed=True))
        self.assertEqual(len(history.read(self.folder, context)[0]), 2)

    def test_other_machines_are_counted_and_not_shown(self):
        self.add({"w": {"alloc": [1]}}, processor="Another")
        context = self.add({"w": {"alloc": [2]}})
        entries, others = history.read(self.folder, context)
        self.assertEqual(([entry["workloads"]["w"]["time"][0] for entry in entries], others), ([2], 1))

    def test_without_a_commit_or_a_result_nothing_is_added(self):
        self.add({"w": {"alloc": [1]}}, commit={})
        self.add({"w": {"system": [1]}})
        self.assertEqual(history.read(self.folder, merged({})["context"]), ([], 0))


if __name__ == "__main__":
    unittest.main()
