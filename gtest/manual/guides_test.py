"""Does guides.py see what is wrong? guides_test.py SOURCE: each case changes one thing in a copy and expects one complaint."""
import pathlib
import shutil
import sys
import tempfile
import unittest

import guides

SOURCE = pathlib.Path(sys.argv[1])

CASES = [
    ("docs/misuse.md", "## double free", "## freed twice", "no heading for 'double free'"),
    ("core/misuse.c", '"not the start of a slot"', '"not a slot\'s start"', "no heading for 'not a slot's start'"),
    ("core/misuse.c", "wrong size: it is a", "wrong size: it was a", "does not have 'alloc: "),
    ("core/misuse.c", '"its slab holds nothing"', '"its slab is empty"', "does not have 'its slab is empty'"),
    ("core/option.c", "ignored: not a number", "not a number", "does not have 'alloc: "),
    ("abi/alloc_malloc.c", "alloc: operator new: out of memory", "alloc: new: no memory", "does not have 'alloc: new"),
    ("docs/misuse.md", "100): double free: its", "100): freed twice: its", "explains 'freed twice'"),
    ("docs/moving.md", "alloc_rezalloc(p, old, n)", "alloc_recalloc(p, old, n)", "there is no alloc_recalloc"),
    ("docs/options.md", "ALLOC_PURGE_AGE=100`", "ALLOC_PURGE_TIME=100`", "there is no ALLOC_PURGE_TIME"),
    ("docs/growth.md", "(options.md)", "(option.md)", "option.md, which is not there"),
    ("docs/misuse.md", "(#what-does-not-end-the-process)", "(#what-does-not-end)", "a heading that is not there"),
]


class Guides(unittest.TestCase):
    def test_each_case_is_seen(self):
        self.assertEqual(guides.differences(SOURCE), [])
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder) / "source"
            skipped = shutil.ignore_patterns("build", ".git", "results")
            shutil.copytree(SOURCE, copy, ignore=skipped)
            for file, old, new, expected in CASES:
                with self.subTest(file=file, new=new):
                    text = (copy / file).read_text(encoding="utf-8")
                    self.assertIn(old, text)
                    (copy / file).write_text(text.replace(old, new), encoding="utf-8")
                    lines = guides.differences(copy)
                    (copy / file).write_text(text, encoding="utf-8")
                    self.assertTrue(any(expected in line for line in lines), lines)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
