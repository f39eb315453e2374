"""Is what the libraries export exactly what the headers declare and the version script lists?

    exported_symbols.py --header H... --map M --shared L --static A --soname S [--readelf R]

Prints each difference and exits with 1 if there is one.
"""
import argparse
import re
import subprocess
import sys


def declared(header):
    """The functions that a header's text declares as a part of the ABI."""
    return set(re.findall(r"^ALLOC_API\s[^;(]*?(\w+)\(", header, re.MULTILINE))


def listed(version_script):
    """{name: node} of the global names of a version script's text. That it is a chain of nodes, each after the one it
    inherits, of which the first has `local: *`, and that names are plain and in one node each, is checked."""
    form = r"([\w.]+)\s*\{\s*global:([\w\s;]*)(local:\s*\*;\s*)?\}\s*([\w.]*);\s*"
    nodes = re.findall(form, version_script)
    names = {}
    parent = ""
    for node, listed_names, is_local, inherited in nodes:
        if inherited != parent or bool(is_local) != (parent == ""):
            raise ValueError(f"the version script's {node} does not continue the chain of nodes")
        parent = node
        for name in listed_names.replace(";", " ").split():
            if name in names:
                raise ValueError(f"the version script has {name} in {names[name]} and in {node}")
            names[name] = node
    if not nodes or not re.fullmatch(rf"\s*({form})+", version_script):
        raise ValueError("the version script is not a chain of nodes with plain global names")
    return names


def visible(symbol_table):
    """{name: version} of the symbols that `readelf -sW` or `--dyn-syms` shows as defined and visible to others. The
    version is empty where there is none; a version node's own symbol is left out."""
    symbols = {}
    for line in symbol_table.splitlines():
        field = line.split()
        if len(field) == 8 and field[4] in ("GLOBAL", "WEAK") and field[5] == "DEFAULT" and field[6] not in ("UND", "ABS"):
            name, _, version = field[7].partition("@@")
            symbols[name] = version
    return symbols


def soname(dynamic_section):
    """The name that `readelf -d` shows."""
    found = re.search(r"\(SONAME\).*\[(.*)\]", dynamic_section)
    return found[1] if found else None


def differences(expected_soname, header, version_script, shared, dynamic_section, static):
    """What is wrong, as lines; the arguments are the texts that the functions above read."""
    api = declared(header)
    names = listed(version_script)
    exported = visible(shared)
    lines = []
    if not api:
        lines.append("headers: declare nothing")
    for where, there in (("version script", set(names)), ("shared library", set(exported)), ("static library", set(visible(static)))):
        lines += [f"{where}: lacks {name}" for name in sorted(api - there)]
        lines += [f"{where}: has {name}, which no header declares" for name in sorted(there - api)]
    lines += [f"shared library: {name} has version {version or 'none'}, not {names[name]}"
              for name, version in sorted(exported.items()) if name in names and version != names[name]]
    if soname(dynamic_section) != expected_soname:
        lines.append(f"shared library: its name is {soname(dynamic_section)}, not {expected_soname}")
    return lines


def read(arguments):
    """The texts that `differences` compares, of the files that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--header", action="append", required=True)
    for file in ("map", "shared", "static", "soname"):
        parser.add_argument(f"--{file}", required=True)
    parser.add_argument("--readelf", default="readelf")
    options = parser.parse_args(arguments)

    def output(*command):
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def text(path):
        with open(path, encoding="utf-8") as file:
            return file.read()

    return {
        "expected_soname": options.soname,
        "header": "".join(text(header) for header in options.header),
        "version_script": text(options.map),
        "shared": output(options.readelf, "--dyn-syms", "-W", options.shared),
        "dynamic_section": output(options.readelf, "-dW", options.shared),
        "static": output(options.readelf, "-sW", options.static),
    }


if __name__ == "__main__":
    texts = read(sys.argv[1:])
    problems = differences(**texts)
    print("\n".join(problems) or f"{len(declared(texts['header']))} symbols, the same everywhere")
    sys.exit(1 if problems else 0)
