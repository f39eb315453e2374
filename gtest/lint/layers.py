"""Whether the engine's files are layers: each includes only files below it in the table of core/README.md.

    layers.py CORE_DIR
"""
import pathlib
import re
import sys

core = pathlib.Path(sys.argv[1])
table = re.findall(r"^\| `([a-z_/]+)\.h` \|", (core / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
level = {pathlib.PurePath(file).name: number for number, file in enumerate(table)}


def unit(file):
    """What a header and its source are together; all that knows the operating system is one."""
    return "os" if file.parent.name == "os" else file.stem


complaints = []
sources = sorted(file for pattern in ("*.[ch]", "os/*.[ch]") for file in core.glob(pattern))
for source in sources:
    if unit(source) not in level:
        complaints.append(f"{source.name} is not in the table")
        continue
    for name in re.findall(r'^#include "([^"]+)"', source.read_text(encoding="utf-8"), re.MULTILINE):
        included = unit(core / name)
        if included != unit(source) and level.get(included, -1) <= level[unit(source)]:
            complaints.append(f"{source.name} includes {name}, which is not below it")
complaints += [f"{name} is in the table, but there is no such file" for name in level
               if name not in {unit(source) for source in sources}]
print("\n".join(complaints) or f"{len(sources)} files in {len(level)} layers")
sys.exit(1 if complaints else 0)
