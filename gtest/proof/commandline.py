"""What loop_freedom.py and hot_path.py share: which machine code to read, and how to end."""
import argparse
import os
import shlex
import subprocess
import tempfile

from disassembly import Program


def make_parser(description):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", help="objects, archives, or with --compile also C sources")
    parser.add_argument("--compile", help="compiler and flags for C sources")
    parser.add_argument("--objdump", default="objdump")
    parser.add_argument("--must-refuse", action="append", metavar="TEXT",
                        help="succeed only if there are complaints that begin so, and no others")
    return parser


def load_program(options):
    with tempfile.TemporaryDirectory() as directory:
        objects = []
        for number, file in enumerate(options.files):
            if file.endswith(".c"):
                target = os.path.join(directory, f"{number}-{os.path.basename(file)}.o")
                subprocess.run([*shlex.split(options.compile), "-c", file, "-o", target], check=True)
                file = target
            objects.append(file)
        return Program(objects, options.objdump)


def exit_status(options, complaints):
    """Prints the complaints; 0 where there are none, or exactly those that must be."""
    for complaint in complaints:
        print(f"REFUSED: {complaint}")
    if not options.must_refuse:
        return 1 if complaints else 0
    unmet = [text for text in options.must_refuse if not any(c.startswith(text) for c in complaints)]
    others = [c for c in complaints if not c.startswith(tuple(options.must_refuse))]
    print("FAILED: it had to refuse this alone" if unmet or others else "refused, as it must be")
    return 1 if unmet or others else 0
