"""Is the manual in HTML whole? html_links.py PAGES HTML: a file for every page in PAGES, named in the index, and no link to a file or a
place that is not there."""
import html.parser
import pathlib
import sys
import urllib.parse


class Links(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.targets, self.places = set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.targets |= {value for name, value in attrs if name == "href"}
        self.places |= {value for name, value in attrs if name == "id"}


def main():
    pages, folder = map(pathlib.Path, sys.argv[1:])
    names = {f"{page.name}.html" for page in pages.glob("man*/*")}
    files = {path.name: Links(path.read_text(encoding="utf-8")) for path in folder.glob("*.html")}
    problems = [f"the index lacks {name}" for name in names if name not in files["index.html"].targets]
    problems += [f"there is no {name}" for name in names - set(files)]
    for name, links in files.items():
        for target in links.targets:
            file, place = urllib.parse.urldefrag(target)
            if urllib.parse.urlparse(file).scheme:
                if "alloc" in file.rsplit("/", 1)[1].replace("malloc.3", ""):
                    problems.append(f"{name} looks elsewhere for a page of this manual: {target}")
            elif not (folder / (file or name)).exists():
                problems.append(f"{name} links to {target}, which is not there")
            elif place and urllib.parse.unquote(place) not in files[file or name].places:
                problems.append(f"{name} links to {target}, a place that is not there")
    if not names:
        problems.append("there are no pages")
    print("\n".join(problems) or f"{len(files)} files, every link right")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
