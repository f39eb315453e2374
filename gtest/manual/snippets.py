"""Does what the manual, the guides and the README show in C and C++ compile and run? snippets.py CC CXX SOURCE LIBRARY WORK

A text with main() is a program; any other is put into a function, behind the headers. Nothing may be warned of but what is not used.
"""
import pathlib
import re
import subprocess
import sys

FLAGS = ["-O1", "-Wall", "-Wextra", "-Wno-unused", "-Wno-unused-result", "-Werror"]
FRAME = """#include <alloc/alloc_ext.h>
#include <alloc/alloc_gp.h>
#include <stdio.h>
#include <string.h>
static void example(void)
{{
{}}}
int main(void) {{ example(); return 0; }}
"""


def of_page(text):
    """The displays of a manual page's section EXAMPLES that are no commands."""
    section = re.search(r"^\.Sh EXAMPLES\n(.*?)^\.Sh", text, re.DOTALL | re.MULTILINE)
    displays = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", section[1] if section else "", re.DOTALL | re.MULTILINE)
    return [display.replace("\\e", "\\") for display in displays if not re.match(r"[A-Z_]+=\S+ ", display)]


def problem(command, name):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"{name}: {done.stderr or f'ends with {done.returncode}'}"


def main():
    cc, cxx, source, library, work = sys.argv[1], sys.argv[2], *map(pathlib.Path, sys.argv[3:])
    work.mkdir(parents=True, exist_ok=True)
    snippets = [(f"{page.stem}_{i}", text) for page in sorted(source.glob("man/*.[1-9]"))
                for i, text in enumerate(of_page(page.read_text(encoding="utf-8")))]
    for page in [source / "README.md", *sorted(source.glob("docs/*.md"))]:
        blocks = re.findall(r"^```c\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
        snippets += [(f"{page.stem}_{i}", text) for i, text in enumerate(blocks)]
    problems = [] if len(snippets) >= 9 else [f"only {len(snippets)} were found"]
    for name, text in snippets:
        is_cxx = ".hpp" in text
        file = work / (name + (".cpp" if is_cxx else ".c"))
        file.write_text(text if re.search(r"\bmain\(", text) else FRAME.format(text), encoding="utf-8")
        compiler = [cxx, "-std=c++17"] if is_cxx else [cc, "-std=c11"]
        build = [*compiler, *FLAGS, f"-I{source}/abi/include", str(file), str(library), "-pthread", "-o", str(work / name)]
        problems += filter(None, [problem(build, name) or problem([str(work / name)], name)])
    print("\n".join(problems) or f"{len(snippets)} compile and run")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
