import pathlib
import subprocess
import tempfile
import unittest

from runner import machine


class Files(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def git(self, *arguments):
        subprocess.run(["git", "-C", self.folder, "-c", "user.name=A", "-c", "user.email=a@b.example", *arguments], check=True,
                       stdout=subprocess.DEVNULL)

    def test_first_line_that_begins_so(self):
        path = self.folder / "cpuinfo"
        path.write_text("flags\t: a b\nmodel name\t: A: B\nmodel name\t: C\n", encoding="utf-8")
        self.assertEqual(machine.first_line(path, "model name"), "A: B")
        self.assertEqual(machine.first_line(path), "flags\t: a b")
        self.assertEqual(machine.first_line(path, "nothing"), machine.UNKNOWN)
        self.assertEqual(machine.first_line(self.folder / "missing"), machine.UNKNOWN)

    def test_chosen_is_what_stands_in_brackets(self):
        self.assertEqual(machine.chosen("always [madvise] never"), "madvise")
        self.assertEqual(machine.chosen("?"), "?")

    def test_this_machine_is_known(self):
        about = machine.describe_machine()
        self.assertGreater(about["processors"], 0)
        self.assertRegex(about["memory"], r"^\d+\.\d GiB$")
        self.assertNotEqual(about["kernel"], machine.UNKNOWN)
        if pathlib.Path("/sys/kernel/mm").exists():
            self.assertNotEqual(about["huge_pages"], machine.UNKNOWN)

    def test_build_is_what_the_build_wrote(self):
        self.assertEqual(machine.describe_build(self.folder), {})
        (self.folder / "build.txt").write_text("C compiler: GNU 12\nflags:  -O2   -g\noptions:\n", encoding="utf-8")
        self.assertEqual(machine.describe_build(self.folder), {"C compiler": "GNU 12", "flags": "-O2 -g"})

    def test_commit_and_whether_the_library_differs_from_it(self):
        self.assertEqual(machine.describe_commit(self.folder), {})
        (self.folder / "core").mkdir()
        (self.folder / "core/a.c").write_text("1", encoding="utf-8")
        (self.folder / "other").write_text("1", encoding="utf-8")
        self.git("init", "-q")
        self.git("add", ".")
        self.git("commit", "-q", "-m", "A subject\n\nand more")
        within = self.folder / "core"  # any folder of the checkout will do
        commit = machine.describe_commit(within)
        self.assertRegex(commit["hash"], "^[0-9a-f]{40}$")
        self.assertEqual((commit["subject"], commit["changed"]), ("A subject", False))
        (self.folder / "other").write_text("2", encoding="utf-8")
        self.assertFalse(machine.describe_commit(within)["changed"])
        (self.folder / "core/a.c").write_text("2", encoding="utf-8")
        self.assertTrue(machine.describe_commit(within)["changed"])


if __name__ == "__main__":
    unittest.main()
