"""Writes all pages of the site as one folder of Markdown, from which any generator builds it: see `write`."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from documentation import cards, commands, face, notebooks
from documentation.places import DOCS, PROJECT, ROOT, START, TOUR, place, readme, relinked, targets

CODE = {".py": "python", ".toml": "toml", ".json": "json", ".csv": "", ".md": "markdown", "": ""}
UNSEARCHED = "---\nsearch:\n  exclude: true\n---\n\n"


def write(folder: Path, executed: Mapping[str, Path] | None = None) -> int:
    """Write every page, and what pages show, into ``folder``, which is emptied before; returns how many pages.

    ``executed`` has copies of notebooks that were run, by the notebooks' paths in the repository.
    """
    if folder.exists():
        shutil.rmtree(folder)
    shutil.copytree(ROOT / DOCS, folder)
    found = pages(executed)
    for name, text in found.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    for name, copy in (executed or {}).items():
        for picture, data in notebooks.pictures(copy):
            (folder / place(name)).with_name(picture).write_bytes(data)
    return len(found)


def pages(executed: Mapping[str, Path] | None = None) -> dict[str, str]:
    """The text of every page by its place on the site; notebooks show what their ``executed`` copies did."""
    found = dict(_of_the_repository(executed or {}))
    made = {**commands.pages(), **cards.pages(), "reference/python.md": face.page(), "schemas/index.md": _schemas()}
    linked: set[str] = set()
    for name, text in made.items():
        linked.update(targets(text, f"{DOCS}/{name}"))
        found[name] = relinked(text, f"{DOCS}/{name}", name)
    for name in ("README.md", *PROJECT, *_written()):
        linked.update(targets(_read(name), name))
    for name in notebooks.notebooks():
        linked.update(targets(notebooks.text_of(ROOT / name), name))
    for target in sorted(linked):
        found.update(_source(target))
    return found


def _of_the_repository(executed: Mapping[str, Path]) -> Iterator[tuple[str, str]]:
    """Pages that somebody wrote, README.md as two."""
    first, second = readme()
    where = (Path(__file__).parent / "start.md").read_text(encoding="utf-8")
    yield START, relinked(f"{first}\n{where}", "README.md", START)
    yield TOUR, relinked(second, "README.md", TOUR)
    for name in (*PROJECT, *_written()):
        yield place(name), relinked(_read(name), name, place(name))
    for name in notebooks.notebooks():
        yield place(name), relinked(notebooks.text_of(executed.get(name, ROOT / name)), name, place(name))


def _written() -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / DOCS).rglob("*.md"))]


def _schemas() -> str:
    listed = "\n".join(f"* [{path.name}]({path.name})" for path in sorted((ROOT / DOCS / "schemas").iterdir()))
    return (
        f"# JSON Schemas\n\nWhich file each is for, and who writes it: [formats](../formats.md#schemas).\n\n{listed}\n"
    )


def _source(target: str) -> Iterator[tuple[str, str]]:
    """The page that shows a file of the repository, or those of a folder and the files in it."""
    path = ROOT / target
    if target.startswith(f"{DOCS}/") or target in ("README.md", *PROJECT, *notebooks.notebooks()):
        return
    if path.is_dir():
        inside = [one for one in sorted(path.iterdir()) if one.is_file() and one.suffix in CODE]
        listed = "\n".join(f"* [{one.name}]({one.name}.md)" for one in inside)
        yield place(target), f"{UNSEARCHED}# {target}\n\n{listed}\n"
        for one in inside:
            yield from _source(f"{target}/{one.name}")
    elif path.is_file():
        yield place(target), f"{UNSEARCHED}# {target}\n\n````{CODE.get(path.suffix, '')}\n{_read(target)}````\n"


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")
