"""Has a library the probes that core/README.md names, each with as many arguments, and none on a hot path?

    probes.py READELF README LIBRARY...

What is inlined into an exported function is on a hot path; what is not is a slow one.
"""
import re
import subprocess
import sys

readelf, readme = sys.argv[1:3]
with open(readme, encoding="utf-8") as file:
    documented = {name: 1 + arguments.count(",")
                  for name, arguments in re.findall(r"^\| `alloc:(\w+)` \| (.*?) \|", file.read(), re.MULTILINE)}


def output(option, library):
    return subprocess.run([readelf, option, "-W", library], check=True, capture_output=True, text=True).stdout


def functions(library):
    """(start, end, name, whether it is exported) of each function with a name."""
    for line in output("-s", library).splitlines():
        field = line.split()
        if len(field) == 8 and field[3] == "FUNC" and field[6] != "UND":
            start = int(field[1], 16)
            yield start, start + int(field[2], 0), field[7], field[4] != "LOCAL"


complaints = []
for library in sys.argv[3:]:
    probes = re.findall(r"Provider: alloc\s+Name: (\w+)\s+Location: 0x([0-9a-f]+),.*?\s+Arguments:(.*)", output("-n", library))
    if {name for name, _, _ in probes} != set(documented):
        complaints.append(f"{library}: has {sorted({name for name, _, _ in probes})}, documented are {sorted(documented)}")
    known = list(functions(library))
    for name, location, arguments in probes:
        if len(arguments.split()) != documented.get(name):
            complaints.append(f"{library}: {name} has the arguments {arguments}")
        inside = [(function, exported) for start, end, function, exported in known if start <= int(location, 16) < end]
        if not inside:
            complaints.append(f"{library}: {name} at {location} is in no function that is known")
        complaints += [f"{library}: {name} is in {function}" for function, exported in inside if exported]
    print(f"{library}: {len(probes)} places, {len(known)} functions")
print("\n".join(complaints))
sys.exit(1 if complaints or not documented else 0)
