"""Where a file of the repository is on the site, and the links of Markdown pages.

Pages are written for readers of the repository: ``../icvos/method.py`` is a link to a source file. On the site the
sources that are linked have pages of their own, README.md is two, and the folder of schemas has a list.
"""

import posixpath
import re
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = "docs"
FENCE = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(\]\()([^)\s]+)(\))")
NAMED = re.compile(r"\[([\w./-]+\.md)\](?=\(\1[)#])")  # a page that is called by its file
OUTSIDE = re.compile(r"[a-z]+:")
START, TOUR = "index.md", "tour.md"  # README.md, in two
SECOND = "## On the real datasets"  # where the second begins
PROJECT = ("CHANGELOG.md", "CONTRIBUTING.md")


def slug(heading: str, separator: str = "-") -> str:
    """The anchor of a heading, as GitHub makes it.

    >>> slug("What `--skip-ends` does")
    'what---skip-ends-does'
    """
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", separator)


def headings(text: str) -> list[str]:
    """The headings of a Markdown text, without those in its code."""
    return re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.MULTILINE)


def readme() -> tuple[str, str]:
    """README.md as its two pages."""
    first, second, rest = (ROOT / "README.md").read_text(encoding="utf-8").partition(SECOND)
    if not second:
        raise ValueError(f"README.md: has no heading {SECOND!r}; say in documentation/places.py where it is divided")
    return first, f"# The commands at a glance\n\n{second}{rest}"


def place(target: str, anchor: str = "") -> str:
    """The page, or file, of the site that shows a file or a folder of the repository.

    >>> place("docs/scoring.md"), place("icvos/method.py"), place("README.md", "what-a-number-means")
    ('scoring.md', 'source/icvos/method.py.md', 'tour.md')
    """
    if target == "README.md":
        return TOUR if anchor in map(slug, headings(readme()[1])) else START
    if target in PROJECT:
        return f"project/{target}"
    if target == f"{DOCS}/schemas":
        return "schemas/index.md"
    if target.startswith(f"{DOCS}/"):
        return target.removeprefix(f"{DOCS}/")
    if target.startswith("examples/") and target.endswith(".png"):  # drawn by a notebook
        return target
    if target.endswith(".ipynb"):
        return f"{target.removesuffix('.ipynb')}.md"
    return f"source/{target}/index.md" if (ROOT / target).is_dir() else f"source/{target}.md"


def targets(text: str, origin: str) -> Iterator[str]:
    """The files and folders of the repository, as paths in it, that the Markdown file ``origin`` links to."""
    for found in LINK.finditer(FENCE.sub("", text)):
        if not OUTSIDE.match(found[2]) and not found[2].startswith("#"):
            yield posixpath.normpath(posixpath.join(posixpath.dirname(origin), found[2].partition("#")[0]))


def relinked(text: str, origin: str, page: str) -> str:
    """``text`` of the repository's file ``origin``, its links as they must be on the site's page ``page``.

    Pages that are called by their files, as ``[docs/weights.md](docs/weights.md)``, are called by their titles.
    """

    def changed(found: re.Match[str]) -> str:
        link, _, anchor = found[2].partition("#")
        if OUTSIDE.match(found[2]) or (not link and origin != "README.md"):
            return found[0]
        target = posixpath.normpath(posixpath.join(posixpath.dirname(origin), link)) if link else origin
        there = posixpath.relpath(place(target, anchor), posixpath.dirname(page) or ".")
        return f"{found[1]}{there}{'#' if anchor else ''}{anchor}{found[3]}"

    def called(found: re.Match[str]) -> str:
        path = ROOT / posixpath.join(posixpath.dirname(origin), found[1])
        return f"[{headings(path.read_text(encoding='utf-8'))[0]}]" if path.is_file() else found[0]

    return outside_code(text, lambda prose: LINK.sub(changed, NAMED.sub(called, prose)))


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """``text``, its parts outside of fenced code changed."""
    parts, end = [], 0
    for found in FENCE.finditer(text):
        parts += [change(text[end : found.start()]), found[0]]
        end = found.end()
    return "".join([*parts, change(text[end:])])
