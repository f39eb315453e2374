"""Does covered.py see what is missing? Takes its arguments; each case changes one thing in a copy and expects one complaint."""
import ctypes
import pathlib
import shutil
import sys
import tempfile
import unittest

import covered

ARGUMENTS = {name.lstrip("-"): pathlib.Path(value) for name, value in zip(sys.argv[1::2], sys.argv[2::2])}

CASES = [
    ("man/alloc_malloc.3", ".Nm alloc_rezalloc ,\n", "", "alloc_rezalloc: not in the NAME section of alloc_malloc.3"),
    ("man/alloc_malloc.3", '"size_t count" "size_t size"', '"size_t count"', "has void*alloc_calloc(size_t count)"),
    ("man/alloc_malloc.3", ".Ft size_t\n.Fn alloc_good_size \"", ".Ft int\n.Fn alloc_good_size \"", "the header size_t alloc_good_size"),
    ("man/alloc_ext.3", ".Ft T *\n.Fn alloc_new T\n", "", "alloc_new: in no page's synopsis"),
    ("man/alloc_ext.3", '"size_t needed"\n.Ft', '"size_t wanted"\n.Ft', "the header (T, array, capacity, needed)"),
    ("man/alloc_purge.3", ".Fn alloc_purge void", ".Fn alloc_purge void\n.Ft int\n.Fn alloc_purge_all void", "no header has alloc_purge_all"),
    ("man/alloc_option_set.3", ".It Dv ALLOC_OPTION_STRICT", ".It Dv STRICT", "lacks ALLOC_OPTION_STRICT"),
    ("man/alloc_option_set.3", ".Dv ALLOC_HUGE_PAGES_OFF", ".Dv OFF", "lacks ALLOC_HUGE_PAGES_OFF"),
    ("man/alloc_options.7", "ALLOC_CACHE_LIMIT Ns = Ns Cm 32M", "ALLOC_CACHE_LIMIT Ns = Ns Cm 64M", "is 33554432, not 64M"),
    ("man/alloc_options.7", ".It Ev ALLOC_STRICT", ".It Ev ALLOC_SEVERE", "lacks ALLOC_STRICT"),
    ("man/alloc_stats.3", ".It Va purges", ".It Va purged", "struct alloc_stats has"),
    ("man/alloc_family_malloc.3", ".It Va limit", ".It Va bound", "struct alloc_family_info has"),
    ("man/alloc_family_malloc.3", ".It Va large_bytes", ".It Va large", "struct alloc_family_stats has"),
    ("abi/include/alloc/alloc_family.h", "void alloc_family_reset(alloc_family *family)", "void alloc_family_reset(void)", "the header void alloc_family_reset(void)"),
    ("man/alloc.hpp.3", "alloc::deleter", "alloc::eraser", "lacks deleter"),
    ("man/alloc.3", ".It Pa liballoc.so.1", ".It Pa liballoc.1", "liballoc.so is installed"),
    ("man/liballoc_malloc.so.8", ".Fn pvalloc ,", "", "lacks pvalloc"),
    ("abi/include/alloc/alloc_std.h", "int alloc_purge(void)", "int alloc_purge(int)", "the header int alloc_purge(int)"),
    ("core/option.c", '"ALLOC_STRICT"', '"ALLOC_HARD"', "the library reads other variables"),
]


class Covered(unittest.TestCase):
    def test_each_case_is_seen(self):
        library = ctypes.CDLL(str(ARGUMENTS["library"]))
        for file, old, new, expected in CASES:
            with self.subTest(file=file, new=new), tempfile.TemporaryDirectory() as copy:
                source = pathlib.Path(copy)
                for part in ("man", "abi", "core"):
                    shutil.copytree(ARGUMENTS["source"] / part, source / part)
                text = (source / file).read_text(encoding="utf-8")
                self.assertIn(old, text)
                (source / file).write_text(text.replace(old, new), encoding="utf-8")
                pages = sorted((source / "man").glob("*.[1-9]"))
                lines = covered.differences(source, pages, ARGUMENTS["prefix"], library)
                self.assertTrue(any(expected in line for line in lines), lines)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
