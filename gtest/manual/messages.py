"""Are the lines that docs/misuse.md shows those that the library prints? messages.py PAGE BUILD PROGRAM

PROGRAM makes the mistakes. BUILD is release or debug: the debug build knows more.
"""
import pathlib
import re
import subprocess
import sys


def plain(lines):
    return {re.sub(r"0x[0-9a-f]+", "POINTER", line) for line in lines}


def main():
    page, build, program = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"), sys.argv[2], sys.argv[3]
    shown = plain(re.findall(r"^alloc: \w+\(0x.*$", page, re.MULTILINE))
    run = subprocess.run([program], capture_output=True, text=True, check=True)
    said = plain(run.stderr.splitlines())
    # Only the debug build knows the size of every large block.
    expected = shown if build == "debug" else {line for line in shown if "it is a block of" not in line}
    problems = [f"shown and not said: {line}" for line in sorted(expected - said)]
    problems += [f"said and not shown: {line}" for line in sorted(said - shown) if build == "debug"]
    if len(shown) < 8:
        problems.append("the page shows too little")
    print("\n".join(problems) or f"{len(expected)} lines, all said")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
