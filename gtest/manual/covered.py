"""Has everything public its place in the manual, as it is declared; and has the manual nothing else?

    covered.py --source DIR --pages DIR --prefix DIR --library L

What is public is read where it is declared: the headers, the version script of the drop-in, the variables that core/option.c
reads, the defaults of the library itself, and the files that are installed. Prints each difference and exits with 1 if there is one.
"""
import argparse
import ctypes
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "abi"))
import exported_symbols  # noqa: E402


def plain(declaration):
    """A declaration with one way to space it."""
    return re.sub(r"\s*([*(),])\s*", r"\1", re.sub(r"\s+", " ", declaration).strip())


def balanced(text, start):
    """What is between the parenthesis at `start` and its partner."""
    depth = 0
    for i in range(start, len(text)):
        depth += (text[i] == "(") - (text[i] == ")")
        if depth == 0:
            return text[start + 1:i]
    raise ValueError("a parenthesis is not closed")


def without_comments(header):
    return re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)


def prototypes(header):
    """{name: "type name(parameters)"} of the functions that a header declares, or defines inline."""
    header = without_comments(header)
    found = {}
    for match in re.finditer(r"^(?:ALLOC_API|static inline)\s+([^;({]*?)(\w+)\(", header, re.MULTILINE):
        result, name = match.groups()
        found[name] = plain(f"{result} {name}({balanced(header, match.end() - 1)})")
    return found


def macros(header):
    """{name: [parameters]} of the function-like macros of a header in lower case."""
    found = re.findall(r"^#define (alloc_\w+)\(([^)]*)\)", header, re.MULTILINE)
    return {name: [parameter.strip() for parameter in parameters.split(",")] for name, parameters in found}


def enumerators(header, enum):
    body = re.search(rf"enum {enum} \{{(.*?)\}};", without_comments(header), re.DOTALL)[1]
    return re.findall(r"(\w+)\s*=", body)


def members(header, struct):
    body = re.search(rf"struct {struct} \{{(.*?)\}};", without_comments(header), re.DOTALL)[1]
    return [name for line in re.findall(r"(?:size_t |const char \*)([\w,\s]+);", body) for name in re.split(r",\s*", line.strip())]


def cxx_names(header):
    """What alloc.hpp has in namespace alloc, its details left out."""
    header = re.sub(r"^namespace detail\n.*?^\} // namespace detail", "", header, flags=re.DOTALL | re.MULTILINE)
    declared = re.findall(r"^(?:template <.*> )?(?:class|struct|using) (\w+)", header, re.MULTILINE)
    functions = re.findall(r"^(?:inline .*?|)(\w+)\([^;]*\)(?: noexcept)?;?$", header, re.MULTILINE)
    return set(declared) | (set(functions) & {"resource", "make_unique"})


class Page:
    """What a page in mdoc has."""

    def __init__(self, path):
        self.name = path.name
        self.text = path.read_text(encoding="utf-8")
        name = re.search(r"^\.Sh NAME\n(.*?)^\.Sh", self.text, re.DOTALL | re.MULTILINE)[1]
        self.names = re.findall(r"^\.Nm (\S+)", name, re.MULTILINE)
        self.synopsis = re.search(r"^\.Sh SYNOPSIS\n(.*?)^\.Sh|\Z", self.text, re.DOTALL | re.MULTILINE)[1] or ""

    def has(self, line):
        """Whether a line begins so, and the word ends there."""
        return re.search(rf"^{re.escape(line)}(?!\w)", self.text, re.MULTILINE) is not None

    def prototypes(self):
        """{name: (type, [parameters])} of the synopsis."""
        found = {}
        argument = r'"[^"]*"|\S+'
        form = rf"^\.Ft (.*)\n(?:\.Fn (\w+)((?: (?:{argument}))*)\n|\.Fo (\w+)\n((?:\.Fa .*\n)+)\.Fc\n)"
        for result, short, inline, long, lines in re.findall(form, self.synopsis, re.MULTILINE):
            arguments = re.findall(argument, inline if short else lines.replace(".Fa ", ""))
            found[short or long] = (result, [text.strip('"') for text in arguments])
        return found


def function_problems(pages, headers, declared):
    lines = []
    shown = {name: (page, *prototype) for page in pages for name, prototype in page.prototypes().items()}
    functions, defines = {}, {}
    for header in headers:
        functions.update({name: text for name, text in prototypes(header).items() if name.startswith("alloc_")})
        defines.update(macros(header))
    lines += [f"{name} is declared, and covered.py does not see it" for name in sorted(declared - set(functions))]
    for name in sorted(set(functions) | set(defines)):
        if name not in shown:
            lines.append(f"{name}: in no page's synopsis")
            continue
        page, result, parameters = shown[name]
        if name not in page.names:
            lines.append(f"{name}: not in the NAME section of {page.name}")
        if name in functions:
            text = plain(f"{result} {name}({','.join(parameters)})")
            if text != functions[name]:
                lines.append(f"{page.name} has {text}, the header {functions[name]}")
        elif [re.findall(r"\w+", parameter)[-1] for parameter in parameters] != defines[name]:
            lines.append(f"{page.name} has {name}({', '.join(parameters)}), the header ({', '.join(defines[name])})")
    return lines + [f"{shown[name][0].name}: no header has {name}" for name in sorted(set(shown) - set(functions) - set(defines))]


def option_problems(by_name, std, option_source, library):
    lines = []
    calls, environment = by_name["alloc_option_set.3"], by_name["alloc_options.7"]
    options = enumerators(std, "alloc_option")
    variables = set(re.findall(r'"(ALLOC_\w+)"', option_source))
    if variables != {option.replace("OPTION_", "") for option in options}:
        lines.append("the library reads other variables than the header has options")
    for number, option in enumerate(options):
        if not calls.has(f".It Dv {option}"):
            lines.append(f"{calls.name}: lacks {option}")
        variable = option.replace("OPTION_", "")
        value = re.search(rf"^\.It Ev {variable} Ns = Ns Cm (\S+)$", environment.text, re.MULTILINE)
        if value is None:
            lines.append(f"{environment.name}: lacks {variable}")
            continue
        default = ctypes.c_size_t()
        library.alloc_option_get(number, ctypes.byref(default))
        digits, unit = re.fullmatch(r"(\d+)([KMG]?)", {"off": "0", "auto": "1", "always": "2"}.get(value[1], value[1])).groups()
        if int(digits) << (10 * " KMG".index(unit or " ")) != default.value:
            lines.append(f"{environment.name}: the default of {variable} is {default.value}, not {value[1]}")
    lines += [f"{calls.name}: lacks {value}" for value in enumerators(std, "alloc_huge_pages")
              if not re.search(rf"\.Dv {value}\b|^\.Dv {value}\b", calls.text, re.MULTILINE)]
    known = set(options) | set(enumerators(std, "alloc_huge_pages")) | set(re.findall(r"^#define (ALLOC_\w+)", std, re.MULTILINE))
    known |= variables | {"ALLOC_NO_FORTIFY"}
    for page in by_name.values():
        lines += [f"{page.name}: there is no {name}" for name in re.findall(r"\.(?:It )?(?:Dv|Ev) (ALLOC_\w+)", page.text)
                  if name not in known]
    return lines


def struct_problems(page, header, *structs):
    """Of structs whose members a page lists in this order, each behind its name."""
    lines = []
    _, *parts = re.split(r"^\.Vt struct \w+\nare:", page.text, flags=re.MULTILINE)
    for struct, part in zip(structs, parts, strict=True):
        shown = [name for line in re.findall(r"^\.It Va ((?:.*\\\n)*.*)$", part, re.MULTILINE)
                 for name in re.findall(r"\w+", line)]
        if shown != members(header, struct):
            lines.append(f"{page.name}: struct {struct} has {members(header, struct)}, the page {shown}")
    return lines


def file_problems(pages, prefix):
    """Of what is installed, the manual and the licence left out: a header is included in a synopsis, any other file has a place by its name."""
    text = "".join(page.text for page in pages)
    lines = []
    for path in sorted(prefix.rglob("*")):
        if path.is_dir() or "share" in path.relative_to(prefix).parts:
            continue
        if path.parent.name == "alloc" and path.parent.parent.name == "cmake":
            place = r"\.It Pa cmake/alloc/"
        elif path.parent.name == "alloc":
            place = rf"\.In alloc/{path.name}|\.It Pa alloc/{path.name}"
        else:
            name = re.sub(r"\.so[.\d]*$", ".so", path.name)
            place = rf"\.It Pa (?:\S+ , )*{re.escape(name)}(?!\w)"
        if not re.search(place, text):
            lines.append(f"{path.name} is installed and has no place in the manual")
    return lines


def differences(source, page_paths, prefix, library):
    pages = [Page(path) for path in page_paths]
    by_name = {page.name: page for page in pages}
    headers = {path.name: path.read_text(encoding="utf-8") for path in (source / "abi/include/alloc").iterdir()}
    std = headers["alloc_std.h"]
    documented = [headers[name] for name in ("alloc_std.h", "alloc_gp.h", "alloc_family.h", "alloc_ext.h", "alloc_inspect.h")]
    lines = function_problems(pages, documented, exported_symbols.declared("".join(documented)))
    lines += option_problems(by_name, std, (source / "core/option.c").read_text(encoding="utf-8"), library)
    lines += struct_problems(by_name["alloc_stats.3"], std, "alloc_stats", "alloc_stats_class")
    lines += struct_problems(by_name["alloc_family_malloc.3"], headers["alloc_family.h"], "alloc_family_info", "alloc_family_stats")
    lines += [f"alloc.hpp.3: lacks {name}" for name in sorted(cxx_names(headers["alloc.hpp"]))
              if f"alloc::{name}" not in by_name["alloc.hpp.3"].text]
    drop_in = by_name["liballoc_malloc.so.8"]
    exported = re.search(r"global:(.*?)local:", (source / "abi/alloc_malloc.map").read_text(encoding="utf-8"), re.DOTALL)[1]
    replaced = [name for name in re.findall(r"([\w*]+);", exported) if not name.startswith(("_", "alloc_"))]
    lines += [f"{drop_in.name}: lacks {name}" for name in replaced if not drop_in.has(f".Fn {name}")]
    return lines + file_problems(pages, prefix)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for argument in ("source", "pages", "prefix", "library"):
        parser.add_argument(f"--{argument}", required=True, type=pathlib.Path)
    options = parser.parse_args()
    pages = sorted(options.pages.glob("*.[1-9]"))
    problems = differences(options.source, pages, options.prefix, ctypes.CDLL(str(options.library)))
    print("\n".join(problems) or f"{len(pages)} pages, nothing missing")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
