"""Hostile benchmarks, results, board entries, curation files, recipes and runs on images, for `fuzz_submissions`.

Each surface takes a sound file of a small drawn world, spoils it, and calls what the commands call with it.
"""

import contextlib
import io
import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from curation.video.build import build
from icvos.cli import main
from icvos.errors import IcvosError
from icvos.tasks.calls import render, score, validate
from icvos.tasks.result import Selection
from icvos.tasks.task import Drawing, open_task, read_result
from icvos.training.recipe import read_recipe, shipped_recipes
from leaderboard.site.build import build_site
from leaderboard.store import Board, collect
from leaderboard.tables.build import build_tables
from leaderboard.tables.build import render as as_text

TEXTS = (
    *("../out", "..", "/etc/passwd", "a/b", "", " ", "\x1b[2J", "[/bold]", "[red]", "‮", "é", "=1+1", "\x00", "con"),
    *("{{ 7 }}", "<script>", "\\input{x}", "|", "x" * 5000, "\ud800", "1", "dog", "sha256:0", "paper@1", "foo@1"),
)
NUMBERS = (0, 1, -1, 2, 80, 81, 255, 2**31, 2**63, 10**30, 10**400, 0.5, -0.0, 1e308, float("inf"), float("nan"))


WORLD = ("sources", "videos", "images", "run", "image-run", "board")


@dataclass(frozen=True, slots=True)
class World:
    """What is sound, made once.

    Args:
        sources: The drawn sources.
        videos: A built benchmark of videos.
        images: A built benchmark of images.
        run: A run on the videos, scored.
        image_run: A run on the images, scored.
        board: A board with one result.
    """

    sources: Path
    videos: Path
    images: Path
    run: Path
    image_run: Path
    board: Path


def command(*words: object) -> None:
    """A command that must succeed."""
    found = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
    if found.exit_code:
        raise RuntimeError(found.output)


def make_world(root: Path) -> World:
    """A small drawn world, benchmarks of it, and runs on them."""
    made = World(*(root / name for name in WORLD))
    sources = made.sources
    command("smallworld", "--scale", "tiny", sources)
    given = ("--davis", sources / "davis", "--mose", sources / "mose", "--lvos", sources / "lvos")
    rows = ("--curation", sources / "curation.csv", "--only-decided")
    command("build", *given, "--coco", sources / "coco", *rows, "--out", made.videos)
    command("eval", "--method", "oracle", "--benchmark", made.videos, "--out", made.run)
    few = ("--train-split", "none", "--episodes", "3", "--max-shots", "1")
    command("smallworld", "--scale", "demo", root / "more")
    command("episodes", "coco-20i", "--coco", root / "more" / "coco", "--out", made.images, *few)
    command("eval", "--method", "oracle", "--benchmark", made.images, "--out", made.image_run)
    command("submit", made.run, "--benchmark", made.videos, "--name", "sound", "--board", made.board)
    return made


def spoiled_value(value: object, source: random.Random) -> object:
    """Another value in the place of one."""
    choice = source.randrange(6)
    if choice == 0:
        return source.choice(TEXTS)
    if choice == 1:
        return source.choice(NUMBERS)
    if choice == 2:
        return source.choice((None, True, False, [], {}, [[]], {"": None}))
    if choice == 3:
        return [value] * source.choice((0, 2, 3))
    if choice == 4 and isinstance(value, int | float) and not isinstance(value, bool):
        return value + source.choice((1, -1, 0.001, 1e-7) if abs(value) < 1e9 else (1, -1))
    return str(value)


def spoiled(value: object, source: random.Random) -> object:
    """A JSON value with one thing in it changed, dropped, added or named otherwise."""
    inner = [key for key, part in value.items() if isinstance(part, dict | list)] if isinstance(value, dict) else []
    if isinstance(value, list):
        inner = [place for place, part in enumerate(value) if isinstance(part, dict | list)]
    if isinstance(value, dict | list) and inner and source.random() < 0.75:
        key = source.choice(inner)
        copied = dict(value) if isinstance(value, dict) else list(value)
        copied[key] = spoiled(value[key], source)
        return copied
    if isinstance(value, dict) and value:
        copied, key, choice = dict(value), source.choice(list(value)), source.randrange(4)
        if choice == 0:
            del copied[key]
        elif choice == 1:
            copied[source.choice(TEXTS)] = copied.pop(key)
        elif choice == 2:
            copied[source.choice(TEXTS)] = spoiled_value(value[key], source)
        else:
            copied[key] = spoiled_value(value[key], source)
        return copied
    if isinstance(value, list) and value:
        place = source.randrange(len(value))
        return [*value[:place], spoiled_value(value[place], source), *value[place + 1 :]]
    return spoiled_value(value, source)


def spoil(path: Path, source: random.Random, flipped: Callable[..., bytes]) -> None:
    """Change a file: as JSON where it is JSON, as bytes else and sometimes."""
    data = path.read_bytes()
    with contextlib.suppress(ValueError, RecursionError):  # spoiled before
        if path.suffix == ".json" and source.random() < 0.8:
            value = json.loads(data)
            for _ in range(source.randint(1, 3)):
                value = spoiled(value, source)
            path.write_text(json.dumps(value), encoding="utf-8", errors="surrogatepass")
            return
        if path.suffix in (".csv", ".toml", ".jsonl") and source.random() < 0.6:
            lines = data.decode().splitlines(keepends=True)
            place = source.randrange(len(lines))
            cells = lines[place].split(source.choice((",", " ", '"')))
            cells[source.randrange(len(cells))] = source.choice(TEXTS)
            lines[place] = ",".join(cells) + "\n"
            path.write_bytes("".join(lines).encode("utf-8", "surrogatepass"))
            return
    path.write_bytes(flipped(data, source))


def chosen(root: Path, pattern: str, source: random.Random) -> Path:
    """One of the files of a pattern."""
    return source.choice(sorted(path for path in root.rglob(pattern) if path.is_file()))


class Surfaces:
    """What strangers send, surface by surface: each a method of (folder, source) that ends well or raises `IcvosError`.

    Args:
        world: What is sound.
        flipped: Spoils bytes.
    """

    def __init__(self, world: World, flipped: Callable[..., bytes]) -> None:
        self.world = world
        self.flipped = flipped

    def names(self) -> list[str]:
        """The surfaces."""
        return ["benchmark", "build", "curation", "entry", "image benchmark", "image run", "recipe", "result"]

    def run(self, name: str, folder: Path, source: random.Random) -> None:
        """One case in an empty folder."""
        getattr(self, name.replace(" ", "_"))(folder, source)

    def benchmark(self, folder: Path, source: random.Random) -> None:
        """A benchmark of videos is opened, told of, scored against and drawn."""
        root = folder / "benchmark"
        shutil.copytree(self.world.videos, root)
        for _ in range(source.randint(1, 2)):
            spoil(source.choice((root / "icvos.json", root / "supports.json")), source, self.flipped)
        with contextlib.suppress(IcvosError):
            list(open_task(root).summary())
        with contextlib.suppress(IcvosError):
            validate(self.world.run, root)
            score(self.world.run, root)
        with contextlib.suppress(IcvosError):
            render(root, folder / "out", selection=Selection(limit=1), drawing=Drawing(kind="sheet", height_px=32))

    def build(self, folder: Path, source: random.Random) -> None:
        """A build goes on in a benchmark that a stranger has made."""
        root = folder / "benchmark"
        shutil.copytree(self.world.videos, root)
        records = sorted((root / ".build").rglob("*.json"))
        spoil(source.choice([*records, root / "icvos.json"]), source, self.flipped)
        if source.random() < 0.3:
            record = source.choice(records)
            with contextlib.suppress(OSError, ValueError):
                record.rename(record.with_name(f"{source.choice(TEXTS)}.json"))
        sources = self.world.sources
        build(root, davis=sources / "davis", coco=sources / "coco", curation=sources / "curation.csv")

    def curation(self, folder: Path, source: random.Random) -> None:
        """Rows of a stranger are built."""
        rows = folder / "rows.csv"
        shutil.copy(self.world.sources / "curation.csv", rows)
        for _ in range(source.randint(1, 3)):
            spoil(rows, source, self.flipped)
        sources = self.world.sources
        build(folder / "out", davis=sources / "davis", mose=sources / "mose", curation=rows)

    def entry(self, folder: Path, source: random.Random) -> None:
        """A board with a stranger's entry becomes tables and a page."""
        board = folder / "board"
        shutil.copytree(self.world.board, board)
        spoil(chosen(board, "*.json", source), source, self.flipped)
        self._tables(Board.open(board).entries, folder)

    def result(self, folder: Path, source: random.Random) -> None:
        """A result is read, reported and ranked."""
        run = source.choice((self.world.run, self.world.image_run))
        path = folder / "scores.json"
        shutil.copy(run / "scores.json", path)
        spoil(path, source, self.flipped)
        read_result(path)
        self._tables(collect([path]), folder)

    def image_benchmark(self, folder: Path, source: random.Random) -> None:
        """A benchmark of images is opened, told of and scored against."""
        root = folder / "benchmark"
        shutil.copytree(self.world.images, root)
        spoil(source.choice((root / "episodes.json", root / "val.json")), source, self.flipped)
        with contextlib.suppress(IcvosError):
            list(open_task(root).summary())
        with contextlib.suppress(IcvosError):
            validate(self.world.image_run, root)
            score(self.world.image_run, root)

    def image_run(self, folder: Path, source: random.Random) -> None:
        """A run on images is checked and scored."""
        run = folder / "run"
        shutil.copytree(self.world.image_run, run)
        for _ in range(source.randint(1, 2)):
            spoil(chosen(run, source.choice(("episodes.jsonl", "run.json")), source), source, self.flipped)
        for fault in validate(run, self.world.images):
            assert str(fault).isprintable()
        score(run, self.world.images)

    def recipe(self, folder: Path, source: random.Random) -> None:
        """A recipe is read, with changes."""
        path = folder / "mine.toml"
        path.write_text(source.choice(sorted(shipped_recipes().items()))[1])
        spoil(path, source, self.flipped)
        read_recipe(path, {source.choice(("epochs", "batch", "settings.x", "scale")): source.choice(TEXTS)})

    @staticmethod
    def _tables(entries: object, folder: Path) -> None:
        tables = build_tables(entries)  # type: ignore[arg-type]
        for format in ("markdown", "csv", "latex"):
            as_text(tables, format).encode()
        build_site(tables, folder / "site")


def quiet(work: Callable[[], None]) -> None:
    """``work`` without what it prints."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        work()
