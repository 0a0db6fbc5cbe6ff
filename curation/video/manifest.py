"""What ``icvos.json`` says of a build: counts beside the paper's, and the digest over everything that is evaluated."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from pydantic import ValidationError

from curation.video import published
from icvos.categories import category
from icvos.errors import IcvosError, printable
from icvos.files.schema import misfit
from icvos.tasks.video.manifest import (
    FORMAT,
    IC_VOS,
    MANIFEST,
    CategoryEntry,
    Counts,
    LeftOutEntry,
    Manifest,
    PaperCategory,
    PaperCounts,
    PaperSource,
    SourceEntry,
    SupportMasks,
    Supports,
    VideoEntry,
    clip_masks,
    overall_digest,
)


class Digest(Protocol):
    """A running hash of `hashlib`."""

    def update(self, data: bytes, /) -> None:
        """Take in more bytes."""
        ...

    def hexdigest(self) -> str:
        """The hash so far, in hexadecimal."""
        ...


def update_digest(digest: Digest, name: str, mask: np.ndarray) -> None:
    """Add one mask to a SHA-256: name, size and pixels, not the PNG's bytes, which depend on the encoder."""
    digest.update(f"{name} {mask.shape[0]}x{mask.shape[1]} ".encode())
    digest.update(np.packbits(mask).tobytes())


def make_manifest(
    videos: Mapping[str, VideoEntry],
    supports: Supports,
    support_masks: Mapping[str, str],
    versions: Mapping[str, str],
    left_out: Sequence[LeftOutEntry],
    drawn: bool = False,
    name: str = IC_VOS,
) -> Manifest:
    """The content of ``icvos.json``.

    Args:
        videos: What was built, by name.
        supports: The content of ``supports.json``.
        support_masks: Class -> SHA-256 of its supports.
        versions: Source -> version of its release.
        left_out: What was not built.
        drawn: Whether videos are drawn.
        name: The benchmark's name.
    """
    videos = dict(sorted(videos.items()))
    try:
        manifest = Manifest(
            format=FORMAT,
            name=name,
            digest=overall_digest(clip_masks(videos), supports, support_masks),
            counts=_counts(videos),
            sources=_sources(videos, versions),
            categories=_categories(videos),
            supports=SupportMasks(rule=supports.rule, masks=dict(support_masks)),
            left_out=tuple(left_out),
            videos=videos,
        )
    except ValidationError as error:
        raise IcvosError(printable(f"{MANIFEST}: {misfit(error, 'a manifest')}; rename the source's files")) from error
    return manifest.model_copy(update={"drawn": True}) if drawn else manifest


def _counts(videos: Mapping[str, VideoEntry]) -> Counts:
    """Videos, clips, frames (of videos) and categories, next to the paper's."""
    return Counts(
        videos=len(videos),
        clips=sum(len(video.clips) for video in videos.values()),
        frames=sum(video.frames for video in videos.values()),
        categories=len({index for video in videos.values() for index in video.clips}),
        paper=PaperCounts(
            videos=published.VIDEOS,
            clips=published.CLIPS,
            frames=published.FRAMES,
            categories=published.CATEGORIES,
        ),
    )


def _sources(videos: Mapping[str, VideoEntry], versions: Mapping[str, str]) -> dict[str, SourceEntry]:
    found = {}
    for source in sorted({video.source for video in videos.values()}):
        own = [video for video in videos.values() if video.source == source]
        found[source] = SourceEntry(
            version=versions.get(source, ""),
            videos=len(own),
            clips=sum(len(video.clips) for video in own),
            frames=sum(video.frames for video in own),
            share_percent=round(100 * len(own) / len(videos), 1),
            paper=PaperSource(
                videos=published.SOURCE_VIDEOS.get(source),
                share_percent=published.SOURCE_SHARES_PERCENT.get(source),
            ),
        )
    return found


def _categories(videos: Mapping[str, VideoEntry]) -> dict[str, CategoryEntry]:
    found = {}
    for index in sorted({int(index) for video in videos.values() for index in video.clips}):
        own = [video for video in videos.values() if str(index) in video.clips]
        clips, frames = published.CATEGORY_COUNTS.get(index, (0, 0))
        found[category(index).name] = CategoryEntry(
            index=index,
            clips=len(own),
            frames=sum(video.frames for video in own),
            paper=PaperCategory(clips=clips, frames_about=frames),
        )
    return found
