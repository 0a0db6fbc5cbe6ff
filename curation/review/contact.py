"""`icvos curate gifs`: an animation of every video with its objects numbered, and a page of all to look through."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Literal, Unpack

from curation.review.events import Key, of_video
from curation.review.standing import in_words, status
from curation.sources.datasets import SourceFolders, read_datasets
from curation.sources.video import SourceVideo
from curation.video.rows import CurationRow, read_rows, shipped_rows
from curation.video.thumbnails import numbered
from icvos.drawing.animation import write_animation
from icvos.errors import IcvosError, printable_lines
from icvos.files.images import read_image
from icvos.files.names import plain_name
from icvos.files.storage import require_writable, write_text
from icvos.method import Image
from icvos.tasks.task import SILENT, Watch
from icvos.workers import run_jobs

PAGE = "index.html"
MOST_FRAMES = 40  # of an animation, spread over the video
FPS = 8.0
ORDER = ("disputed", "open", "unsure", "accepted", "rejected")
TITLES = {"open": "undecided"}


@dataclass(frozen=True, slots=True)
class Card:
    """A video on the page."""

    name: str
    animation: str
    frames: int
    status: str
    lines: tuple[str, ...]


def write_contact_sheet(
    out: Path | str,
    *,
    rows: Path | str | None = None,
    kind: Literal["webp", "gif"] = "webp",
    height_px: int = 240,
    workers: int = 1,
    watch: Watch = SILENT,
    **sources: Unpack[SourceFolders],
) -> Path:
    """Write an animation of every source video and a page that shows them all with what was decided so far.

    An animation that is there is kept, so that a call that was stopped goes on, and a later one renews the page alone.

    Args:
        out: The folder; it can be sent around, and the page opened without a server.
        rows: A curation file, for the decisions; the rows that ship for DAVIS count where it has none.
        kind: What kind of file an animation is.
        height_px: Height of an animation.
        workers: Processes.
        watch: Is told of every video.
        sources: The folders of the source data sets (``davis``, ``mose``, ``lvos``, ``youtube_vos``) and how
            strictly they are read, as `curation.sources.datasets.read_datasets` explains.

    Returns:
        The page.

    Raises:
        IcvosError: No source is given, something cannot be read, or the folder cannot be written.

    >>> write_contact_sheet("gifs", davis="davis", height_px=90).name
    'index.html'
    """
    out = Path(out)
    require_writable(out, folder=True)
    decided = _rows(rows)
    videos = [video for dataset in read_datasets(watch=watch, **sources) for video in dataset.videos]
    if not videos:
        raise IcvosError("no source: give at least one of --davis, --mose, --lvos, --youtube-vos")
    watch.stage("videos")
    watch.total(len(videos))
    run_jobs(
        partial(_animate, out=out, kind=kind, height_px=height_px),
        videos,
        workers,
        cost=lambda video: min(MOST_FRAMES, len(video.frames)),
        done=lambda video: watch.advance(),
    )
    cards = [_card(video, kind, decided) for video in videos]
    write_text(out / PAGE, _page(cards))
    return out / PAGE


def _rows(path: Path | str | None) -> dict[Key, tuple[CurationRow, ...]]:
    own = of_video(read_rows(Path(path))) if path is not None else {}
    return {**of_video(shipped_rows()), **own}


def _name(video: SourceVideo) -> str:
    return f"{video.source}_{plain_name(video.name, f'a video of {video.source}')}"


def _animate(video: SourceVideo, out: Path, kind: str, height_px: int) -> None:
    path = out / f"{_name(video)}.{kind}"
    if not path.exists():
        write_animation(path, pictures(video, height_px), FPS)


def pictures(video: SourceVideo, height_px: int) -> Iterator[Image]:
    """At most `MOST_FRAMES` frames of a video, spread evenly from the first, with numbered objects."""
    every = -(-len(video.frames) // MOST_FRAMES)
    for position, (path, ids) in enumerate(zip(video.frames, video.iter_ids(), strict=True)):
        if position % every == 0:
            yield numbered(read_image(path), ids, height_px)


def _card(video: SourceVideo, kind: str, decided: Mapping[Key, tuple[CurationRow, ...]]) -> Card:
    key = video.source, video.name
    own = decided.get(key, ())
    lines = [in_words([row]) + (f": {row.reason}" if row.reason else "") for row in own]
    who = sorted({row.who for row in own if row.who})
    return Card(
        f"{video.source}/{video.name}",
        f"{_name(video)}.{kind}",
        len(video.frames),
        status(decided, key),
        (*lines, *([f"by {'; '.join(who)}"] if who else [])),
    )


def _page(cards: Sequence[Card]) -> str:
    from jinja2 import Environment, StrictUndefined

    made = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: printable_lines(value) if type(value) is str else value,
    )
    groups = [(TITLES.get(name, name), [card for card in cards if card.status == name]) for name in ORDER]
    text = files("curation.review").joinpath("contact.html.jinja").read_text(encoding="utf-8")
    return made.from_string(text).render(groups=[group for group in groups if group[1]], count=len(cards))
