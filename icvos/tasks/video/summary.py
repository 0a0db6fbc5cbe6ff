"""What a benchmark of videos holds: its counts beside the paper's."""

from collections.abc import Iterable
from pathlib import Path

from icvos.errors import plural
from icvos.tasks.listing import Listing
from icvos.tasks.video.benchmark import Benchmark
from icvos.tasks.video.manifest import MANIFEST, LeftOutEntry, Manifest


def summary(benchmark: Benchmark) -> list[Listing | str]:
    """Categories and sources with the paper's counts beside them, what was left out, and the digest.

    In the published layout, which has no manifest: a line for each video.
    """
    if benchmark.manifest is not None:
        return _built(benchmark.manifest, benchmark.root)
    shown: list[Listing | str] = []
    for video in benchmark.videos:
        names = ", ".join(clip.category.name for clip in benchmark.clips if clip.video == video)
        shown.append(f"{video.name}: {plural(len(video.frames), 'frame')}, {names}")
    held = f"{plural(len(benchmark.videos), 'video')}, {plural(len(benchmark.clips), 'clip')}, no supports"
    return [*shown, f"{benchmark.root}: published layout, {held}"]


def left_out_lines(left_out: Iterable[LeftOutEntry]) -> list[str]:
    """A line for every reason, with the clips that it concerns."""
    reasons: dict[str, list[str]] = {}
    for entry in left_out:
        reasons.setdefault(entry.reason, []).append(f"{entry.source}/{entry.video} {entry.category}".rstrip())
    lines = []
    for reason, clips in reasons.items():
        some = ", ".join(clips[:6]) + (f" and {len(clips) - 6} more" if len(clips) > 6 else "")
        lines.append(f"left out: {some}: {reason}")
    return lines


def _where_left_out(number: int, root: Path) -> list[str]:
    """How long the list of what was left out is, and where."""
    return [f"{number:,} left out, each with its reason: left_out in {root / MANIFEST}"] if number else []


def _built(manifest: Manifest, root: Path) -> list[Listing | str]:
    return [
        _categories(manifest),
        _sources(manifest, root),
        *left_out_lines(manifest.left_out),
        *_where_left_out(len(manifest.left_out), root),
        f"{root}: {manifest.digest}",
    ]


def _categories(manifest: Manifest) -> Listing:
    rows = []
    for name, found in manifest.categories.items():
        clips, frames = (found.paper.clips, found.paper.frames_about) if found.paper else (None, None)
        rows.append((name, str(found.index), _beside(found.clips, clips), _beside(found.frames, frames)))
    counts = manifest.counts
    title = f"{counts.categories} categories, {counts.paper.categories} in the paper"
    return Listing(title, ("category", "class", "clips", "frames"), tuple(rows))


def _sources(manifest: Manifest, root: Path) -> Listing:
    rows: list[tuple[str, ...] | None] = []
    for name, found in manifest.sources.items():
        share = f"{found.share_percent} %"
        if found.paper.share_percent is not None:
            share += f" / {found.paper.share_percent} %"
        videos = _beside(found.videos, found.paper.videos)
        rows.append((f"{name} {found.version}".rstrip(), videos, share, f"{found.clips:,}", f"{found.frames:,}"))
    counts, paper = manifest.counts, manifest.counts.paper
    videos, clips, frames = (
        _beside(getattr(counts, key), getattr(paper, key)) for key in ("videos", "clips", "frames")
    )
    columns = ("source", "videos", "share of videos", "clips", "frames")
    return Listing(f"{root}: here / in the paper", columns, (*rows, None, ("all", videos, "", clips, frames)))


def _beside(own: int, paper: int | None) -> str:
    return f"{own:,}" + ("" if paper is None else f" / {paper:,}")
