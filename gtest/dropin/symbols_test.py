"""The test of the drop-in's file must be able to fail: what it reads is doctored, one fact at a time.

    symbols_test.py, with the arguments of symbols.py
"""
import sys
import unittest

import symbols

real = symbols.read(sys.argv[1:])


class DoctoredInputIsRefused(unittest.TestCase):
    def expect(self, problem, text, old, new):
        self.assertIn(old, real[text], "the doctoring changes nothing")
        self.assertIn(problem, symbols.differences(**{**real, text: real[text].replace(old, new)}))

    def test_the_real_input_is_accepted(self):
        self.assertEqual(symbols.differences(**real), [])

    def test_there_are_all_forms_of_new_and_delete(self):
        self.assertEqual((len(symbols.CXX_NAMES), len(set(symbols.CXX_NAMES))), (20, 20))

    def test_a_name_missing_in_the_shared_library(self):
        self.expect("shared library: lacks pvalloc", "shared", " pvalloc\n", " slab_settle\n")

    def test_an_operator_missing_in_the_shared_library(self):
        self.expect("shared library: lacks _ZdaPvmSt11align_val_t", "shared", " _ZdaPvmSt11align_val_t\n", " _ZdaX\n")

    def test_a_symbol_leaking_from_the_shared_library(self):
        self.expect("shared library: has slab_settle", "shared", " pvalloc\n", " slab_settle\n")

    def test_a_name_missing_in_the_static_library(self):
        self.expect("static library: lacks cfree", "static", " cfree\n", " other\n")

    def test_a_function_of_the_headers_missing(self):
        self.expect("shared library: lacks alloc_zalloc", "shared", " alloc_zalloc\n", " other\n")

    def test_an_import_that_may_allocate(self):
        self.expect("shared library: needs fopen", "shared", " memcpy@", " fopen@")

    def test_another_library_needed(self):
        self.expect("shared library: needs libstdc++.so.6", "dynamic_section", "[libc.so.6]", "[libstdc++.so.6]")

    def test_another_soname(self):
        self.expect("shared library: its name is liballoc_malloc.so.2, not liballoc_malloc.so.1",
                    "dynamic_section", "[liballoc_malloc.so.1]", "[liballoc_malloc.so.2]")

    def test_flags_missing(self):
        for flag in real["flags"]:
            self.expect(f"shared library: is not {flag}", "dynamic_section", flag, "")

    def test_thread_local_storage_that_is_looked_up(self):
        for kind in ("R_X86_64_DTPMOD64", "R_X86_64_TLSDESC", "R_AARCH64_TLSDESC", "R_AARCH64_TLS_DTPMOD"):
            self.expect(f"shared library: has a relocation {kind}", "relocations", "\n", f"\n{kind}\n")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
