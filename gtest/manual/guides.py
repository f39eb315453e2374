"""Are the guides right in what can be read off the sources? guides.py SOURCE

- Every line that the library can print is explained in docs/misuse.md: what is misused under a heading of its own. No heading of the page
  explains a misuse that nothing reports.
- Every name that begins with alloc_ or ALLOC_ in a guide or another page for users is one that there is.
- Every link leads to a file, and to a heading of it, that is there.
"""
import pathlib
import re
import sys

LITERAL = r'"(?:[^"\\]|\\.)*"'


def balanced(text, start):
    """The text from the parenthesis at `start` to its partner."""
    depth = 0
    for i in range(start, len(text)):
        depth += (text[i] == "(") - (text[i] == ")")
        if depth == 0:
            return text[start:i + 1]
    raise ValueError("a parenthesis is not closed")


def literals(text):
    return [literal[1:-1].replace("\\n", "").replace('\\"', '"') for literal in re.findall(LITERAL, text)]


def calls(text, names):
    """The arguments of the calls of functions, as text."""
    return [balanced(text, match.end() - 1) for match in re.finditer(rf"\b(?:{names})\(", text)]


def reported(source):
    """(kinds of misuse, other texts of messages) that the library's sources have."""
    kinds, texts = set(), set()
    for path in sorted([*source.glob("core/**/*.[ch]"), *source.glob("abi/*.[ch]")]):
        text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        for arguments in calls(text, "misuse|misuse_free|misuse_tolerated"):
            kinds |= {literal for literal in literals(arguments) if " " in literal and "%" not in literal}
        texts |= {literal for literal in literals(text) if literal.startswith("alloc: ")}
        if path.name == "misuse.c": # what lies there
            texts |= {literal for arguments in calls(text, "snprintf") for literal in literals(arguments) if " " in literal}
    return kinds, {text for text in texts if text not in ("alloc: ", "%s") and not text.startswith(", ")}


def message_problems(page, source):
    kinds, texts = reported(source)
    headings = set(re.findall(r"^## (.*)$", page, re.MULTILINE))
    problems = [f"misuse.md has no heading for '{kind}'" for kind in sorted(kinds - headings)]
    for text in sorted(texts):
        form = re.sub(r"%[a-z]+", "\0", text)
        form = re.escape(form).replace("\0", "[^\n:]*")
        if not re.search(form, page):
            problems.append(f"misuse.md does not have '{text}'")
    explained = set(re.findall(r"^alloc: [\w ]+\(0x[^)]*\): ([^:]+):", page, re.MULTILINE))
    problems += [f"misuse.md explains '{kind}', which nothing reports" for kind in sorted(explained - kinds)]
    if len(kinds) < 5 or len(texts) < 5:
        problems.append("the messages were not found in the sources")
    return problems


def known_names(source):
    """What is public, and what the build knows."""
    text = "".join(path.read_text(encoding="utf-8") for path in [
        *(source / "abi/include/alloc").iterdir(), *source.glob("cmake/*.cmake"), *source.glob("cmake/*.in"), source / "CMakeLists.txt",
        source / "core/option.c", *(source / "gtest").glob("**/*.h")])
    names = set(re.findall(r"\balloc_\w+|\bALLOC_\w+", text))
    return names | {path.stem for path in source.glob("man/*.[1-9]")} | {path.stem for path in source.glob("*/*.[ch]")} | {
        path.stem for path in source.glob("abi/include/alloc/*.h")}


def slug(heading):
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def link_problems(path, text):
    problems = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"\w+:", target):
            continue
        file, _, place = target.partition("#")
        there = path.parent / file if file else path
        if not there.exists():
            problems.append(f"{path.name} links to {target}, which is not there")
        elif place and place not in {slug(line) for line in re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.MULTILINE)}:
            problems.append(f"{path.name} links to {target}, a heading that is not there")
    return problems


def differences(source):
    problems = message_problems((source / "docs/misuse.md").read_text(encoding="utf-8"), source)
    names = known_names(source)
    for path in [*sorted(source.glob("docs/*.md")), *(source / name for name in (
            "README.md", "CONTRIBUTING.md", "examples/README.md", "abi/README.md"))]:
        text = path.read_text(encoding="utf-8")
        problems += link_problems(path, text)
        problems += [f"{path.name}: there is no {name}" for name in sorted(set(re.findall(r"\b(?:alloc|ALLOC)_\w+", text)) - names)
                     if not name.endswith("_")]
    return problems


if __name__ == "__main__":
    found = differences(pathlib.Path(sys.argv[1]))
    print("\n".join(found) or "the guides say what the sources say")
    sys.exit(1 if found else 0)
