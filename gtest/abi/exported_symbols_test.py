"""The exported-symbol test must be able to fail: what it reads of the real libraries is doctored, one fact at a time.

    exported_symbols_test.py, with the arguments of exported_symbols.py
"""
import sys
import unittest

import exported_symbols

real = exported_symbols.read(sys.argv[1:])


class DoctoredInputIsRefused(unittest.TestCase):
    def expect(self, problem, text, old, new):
        self.assertIn(old, real[text], "the doctoring changes nothing")
        doctored = {**real, text: real[text].replace(old, new, 1)}
        self.assertIn(problem, exported_symbols.differences(**doctored))

    def line_of(self, text, word):
        return next(line for line in real[text].splitlines(keepends=True) if word in line)

    def test_the_real_input_is_accepted(self):
        self.assertEqual(exported_symbols.differences(**real), [])

    def test_a_name_missing_in_the_headers(self):
        self.expect("shared library: has alloc_zalloc, which no header declares",
                    "header", "ALLOC_API void *alloc_zalloc(", "void *alloc_zalloc(")

    def test_a_name_missing_in_the_unsized_header(self):
        self.expect("shared library: has alloc_gp_malloc, which no header declares",
                    "header", "ALLOC_API void *alloc_gp_malloc(", "void *alloc_gp_malloc(")

    def test_a_name_missing_in_the_version_script(self):
        self.expect("version script: lacks alloc_zalloc", "version_script", "alloc_zalloc;", "")

    def test_a_name_added_to_the_version_script(self):
        self.expect("version script: has alloc_more, which no header declares",
                    "version_script", "alloc_zalloc;", "alloc_zalloc; alloc_more;")

    def test_a_wildcard_in_the_version_script(self):
        with self.assertRaises(ValueError):
            self.expect("", "version_script", "alloc_zalloc;", "alloc_*;")

    def test_a_name_in_two_nodes_of_the_version_script(self):
        with self.assertRaises(ValueError):
            self.expect("", "version_script", "alloc_purge;", "alloc_purge; alloc_zalloc;")

    def test_a_node_that_inherits_nothing(self):
        with self.assertRaises(ValueError):
            self.expect("", "version_script", "} ALLOC_1.0;", "};")

    def test_a_node_that_exports_the_rest(self):
        with self.assertRaises(ValueError):
            self.expect("", "version_script", "local:\n    *;", "")

    def test_a_symbol_missing_in_the_shared_library(self):
        self.expect("shared library: lacks alloc_zalloc", "shared", self.line_of("shared", " alloc_zalloc@"), "")

    def test_a_symbol_leaking_from_the_shared_library(self):
        self.expect("shared library: has slab_settle, which no header declares",
                    "shared", " alloc_zalloc@", " slab_settle@")

    def test_a_symbol_without_a_version(self):
        self.expect("shared library: alloc_zalloc has version none, not ALLOC_1.0",
                    "shared", "alloc_zalloc@@ALLOC_1.0", "alloc_zalloc")

    def test_a_symbol_of_another_version(self):
        self.expect("shared library: alloc_zalloc has version ALLOC_1.1, not ALLOC_1.0",
                    "shared", "alloc_zalloc@@ALLOC_1.0", "alloc_zalloc@@ALLOC_1.1")

    def test_a_later_symbol_of_the_first_version(self):
        self.expect("shared library: alloc_purge has version ALLOC_1.0, not ALLOC_1.1",
                    "shared", "alloc_purge@@ALLOC_1.1", "alloc_purge@@ALLOC_1.0")

    def test_another_soname(self):
        self.expect("shared library: its name is liballoc.so.2, not liballoc.so.1",
                    "dynamic_section", "[liballoc.so.1]", "[liballoc.so.2]")

    def test_no_soname(self):
        self.expect("shared library: its name is None, not liballoc.so.1",
                    "dynamic_section", self.line_of("dynamic_section", "SONAME"), "")

    def test_a_hidden_public_symbol_in_the_static_library(self):
        line = self.line_of("static", " alloc_zalloc\n")
        self.expect("static library: lacks alloc_zalloc", "static", line, line.replace("DEFAULT", "HIDDEN "))

    def test_a_visible_internal_symbol_in_the_static_library(self):
        line = self.line_of("static", " alloc_zalloc\n")
        self.expect("static library: has slab_settle, which no header declares",
                    "static", line, line + line.replace("alloc_zalloc", "slab_settle"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
