"""Is liballoc_malloc what replaces malloc: every name, no other one, and nothing that a malloc must not need?

    symbols.py --shared L --static A --headers DIRECTORY --soname S --flag F... [--readelf R]

Prints each difference and exits with 1 if there is one.
"""
import argparse
import pathlib
import re
import subprocess
import sys

sys.path.append(str(pathlib.Path(__file__).parents[1] / "abi"))
import exported_symbols  # pylint: disable=wrong-import-position

# Replacing malloc, The GNU C Library Reference Manual, 3.2.5; reallocarray and malloc's older companions; C23's frees.
C_NAMES = """malloc free calloc realloc
    aligned_alloc malloc_usable_size memalign posix_memalign pvalloc valloc cfree
    reallocarray malloc_trim mallinfo2 mallopt
    free_sized free_aligned_sized mallinfo malloc_info malloc_stats
    __libc_malloc __libc_calloc __libc_realloc __libc_free __libc_memalign __libc_valloc __libc_pvalloc __libc_mallopt
    __libc_mallinfo __posix_memalign""".split()

# C++17, [new.delete], as the Itanium ABI mangles them: new and new[] of a size, delete and delete[] of a pointer.
NOTHROW, ALIGNED = "RKSt9nothrow_t", "St11align_val_t"
CXX_NAMES = [f"_Zn{kind}m{rest}" for kind in "wa" for rest in ("", NOTHROW, ALIGNED, ALIGNED + NOTHROW)] + \
    [f"_Zd{kind}Pv{rest}" for kind in "la" for rest in ("", "m", NOTHROW, ALIGNED, "m" + ALIGNED, ALIGNED + NOTHROW)]

# What the shared library defines to come before others, see core/os/os_linux_fork.c.
SHARED_NAMES = {"__register_atfork"}

# What it may need of others: nothing that allocates, but for what has the C++ runtime found and what malloc_info writes with.
IMPORTS = set("""
    mmap munmap mremap mprotect madvise syscall getpid getpagesize getauxval getrlimit clock_gettime write abort
    pthread_mutexattr_init pthread_mutexattr_setrobust pthread_mutex_init pthread_mutex_trylock pthread_mutex_unlock
    pthread_mutex_consistent pthread_once pthread_key_create pthread_setspecific __register_atfork dlsym __errno_location
    environ __environ __libc_single_threaded memcpy memset strchr strcpy strcmp strncmp strlen snprintf vsnprintf dlopen fprintf
    prctl _ZSt15get_new_handlerv _ZSt17__throw_bad_allocv
    __cxa_finalize __gmon_start__ _ITM_deregisterTMCloneTable _ITM_registerTMCloneTable""".split())

# Thread-local storage at an offset that is known when the program starts, nothing that a lookup allocates for.
TLS_RELOCATION = re.compile(r"R_\w+_(DTPMOD|DTPOFF|TLS_DTP\w*|TLSDESC)\w*")


def imported(symbol_table):
    """The names that `readelf --dyn-syms -W` shows as undefined."""
    fields = (line.split() for line in symbol_table.splitlines())
    return {field[7].partition("@")[0] for field in fields if len(field) >= 8 and field[6] == "UND"}


def differences(soname, flags, headers, shared, static, dynamic_section, relocations):
    """What is wrong, as lines."""
    own = exported_symbols.declared(headers)
    expected = own | set(C_NAMES) | set(CXX_NAMES)
    lines = [] if own else ["headers: declare nothing"]
    for where, table, ours in (("shared library", shared, SHARED_NAMES), ("static library", static, set())):
        there = set(exported_symbols.visible(table)) - ours
        lines += [f"{where}: lacks {name}" for name in sorted(expected - there)]
        lines += [f"{where}: has {name}" for name in sorted(there - expected)]
    lines += [f"shared library: needs {name}" for name in sorted(imported(shared) - IMPORTS)]
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic_section)
    lines += [f"shared library: needs {name}" for name in needed if not re.match(r"(libc|ld-linux[\w-]*)\.so\.", name)]
    if exported_symbols.soname(dynamic_section) != soname:
        lines.append(f"shared library: its name is {exported_symbols.soname(dynamic_section)}, not {soname}")
    for flag in flags:
        if not re.search(rf"\(FLAGS(_1)?\).*\b{flag}\b", dynamic_section):
            lines.append(f"shared library: is not {flag}")
    lines += [f"shared library: has a relocation {kind[0]}" for kind in TLS_RELOCATION.finditer(relocations)]
    return lines


def read(arguments):
    """The texts that `differences` compares, of the files that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for file in ("shared", "static", "headers", "soname"):
        parser.add_argument(f"--{file}", required=True)
    parser.add_argument("--flag", action="append", required=True, help="what readelf -d must show among the flags")
    parser.add_argument("--readelf", default="readelf")
    options = parser.parse_args(arguments)

    def readelf(option, path):
        return subprocess.run([options.readelf, option, "-W", path], check=True, capture_output=True, text=True).stdout

    return {
        "soname": options.soname,
        "flags": options.flag,
        "headers": "".join(path.read_text() for path in sorted(pathlib.Path(options.headers).glob("*.h"))),
        "shared": readelf("--dyn-syms", options.shared),
        "static": readelf("-s", options.static),
        "dynamic_section": readelf("-d", options.shared),
        "relocations": readelf("-r", options.shared),
    }


if __name__ == "__main__":
    problems = differences(**read(sys.argv[1:]))
    print("\n".join(problems) or f"{len(C_NAMES)} names of C, {len(CXX_NAMES)} of C++, no others")
    sys.exit(1 if problems else 0)
