"""`icvos curate recover`: from a copy of the published benchmark back to the rows it was made by.

Every category mask of the published release is the union of some objects of a source video. An object whose every pixel
lies inside the category mask belongs to it; one with no pixel inside does not; the union of the first kind must then be
the category mask, exactly, in every frame.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Unpack

import numpy as np

from curation.sources.datasets import SourceFolders, read_datasets
from curation.sources.video import SourceDataset, SourceVideo
from curation.video.rows import CurationRow, refuse_existing, write_rows
from icvos.errors import IcvosError, extent
from icvos.files.masks import read_binary
from icvos.tasks.task import SILENT, Watch
from icvos.tasks.video.benchmark import Benchmark, Clip, Video


def recover_rows(
    out: Path | str, published: Path | str, *, watch: Watch = SILENT, **sources: Unpack[SourceFolders]
) -> list["Finding"]:
    """Recover the curation rows from a copy of the published benchmark, by matching its masks with sources' objects.

    Args:
        out: The curation file to write; a file that exists is refused.
        published: The copy.
        watch: Is told of every video, and why a clip does not match.
        sources: The folders of the source data sets (``davis``, ``mose``, ``lvos``, ``youtube_vos``) and how
            strictly they are read, as `curation.sources.datasets.read_datasets` explains.

    Returns:
        What was found for every published clip, in order of clip; ``out`` has the rows among it.

    Raises:
        IcvosError: ``out`` exists, no source is given, or no clip matches; ``out`` is then not written.

    >>> findings = recover_rows("recovered.csv", "published", davis="davis", mose="mose", lvos="lvos")
    >>> all(finding.row for finding in findings)
    True
    """
    out = Path(out)
    refuse_existing(out)
    benchmark = Benchmark.open(published)
    datasets = read_datasets(watch=watch, **sources)
    if not datasets:
        raise IcvosError(
            "no source: give at least one of --davis, --mose, --lvos, --youtube-vos to match the masks with"
        )
    findings = match_clips(benchmark, datasets, watch)
    for finding in findings:
        if finding.row is None:
            watch.note(f"no match: {finding.clip}: {finding.reason}")
    rows = [finding.row for finding in findings if finding.row]
    if not rows:
        raise IcvosError(f"{published}: none of {len(findings)} clips match the sources; {out} was not written")
    write_rows(out, sorted(rows, key=lambda row: row.key))
    return findings


@dataclass(slots=True)
class Evidence:
    """What the frames of one clip say: pixels of the category, and per object id all its pixels and those inside."""

    pixels: int = 0
    objects: dict[int, int] = field(default_factory=dict)
    inside: dict[int, int] = field(default_factory=dict)

    def add(self, ids: np.ndarray, mask: np.ndarray) -> None:
        """Count one frame: (H, W) object ids against the (H, W) bool category mask."""
        self.pixels += int(mask.sum())
        for counts, values in ((self.objects, ids.ravel()), (self.inside, ids[mask])):
            for number, count in enumerate(np.bincount(values).tolist()):
                if number and count:
                    counts[number] = counts.get(number, 0) + count

    def members(self) -> tuple[int, ...]:
        """The objects that lie wholly inside the category mask."""
        return tuple(sorted(number for number, count in self.objects.items() if self.inside.get(number) == count))

    def fault(self) -> str:
        """Why the members' union is not the category mask; empty if it is, in every frame and pixel."""
        if not self.pixels:
            return "the published mask is empty in every frame"
        split = [number for number, count in self.inside.items() if count != self.objects[number]]
        if split:
            worst = max(split, key=lambda number: min(self.inside[number], self.objects[number] - self.inside[number]))
            return (
                f"object {worst} lies only partly inside ({self.inside[worst]} of {self.objects[worst]} pixels): "
                "the source annotation is another version"
            )
        covered = sum(self.objects[number] for number in self.members())
        if covered != self.pixels:
            return f"{self.pixels - covered} pixels of the published mask belong to no object of the source"
        return ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One published clip: its row if it matched, else why not."""

    clip: str
    row: CurationRow | None
    reason: str


def match_clips(benchmark: Benchmark, datasets: Sequence[SourceDataset], watch: Watch) -> list[Finding]:
    """Match every clip of a published copy with the sources, in order of clip."""
    watch.stage("recover")
    watch.total(len(benchmark.videos))
    findings: list[Finding] = []
    for video in benchmark.videos:
        clips = [clip for clip in benchmark.clips if clip.video.name == video.name]
        findings += _match_video(video, clips, datasets)
        watch.advance()
    return findings


def _match_video(video: Video, clips: Sequence[Clip], datasets: Sequence[SourceDataset]) -> Iterable[Finding]:
    found = _source_of(video, datasets)
    if isinstance(found, str):
        return [Finding(clip.id, None, found) for clip in clips]
    evidence = {clip.category.index: Evidence() for clip in clips}
    wanted = set(video.frames)
    compared = 0
    for path, ids in zip(found.frames, found.iter_ids(), strict=True):
        if path.stem not in wanted:
            continue
        compared += 1
        for clip in clips:
            mask = read_binary(clip.mask_path(path.stem))
            if mask.shape != ids.shape:
                sizes = f"published mask of {extent(mask.shape)} pixels, source mask of {extent(ids.shape)}"
                reason = f"frame {path.stem}: {sizes}"
                return [Finding(clip.id, None, reason) for clip in clips]
            evidence[clip.category.index].add(ids, mask)
    if compared < len(wanted):
        reason = f"{len(wanted) - compared} published frames are not in the source: another version of it"
        return [Finding(clip.id, None, reason) for clip in clips]
    return [_finding(clip, found, evidence[clip.category.index], compared) for clip in clips]


def _source_of(video: Video, datasets: Sequence[SourceDataset]) -> SourceVideo | str:
    """The source video of this name (a ``davis_`` prefix is allowed), or why there is none."""
    matches = [
        source
        for dataset in datasets
        for source in dataset.videos
        if video.name in (source.name, f"{source.source}_{source.name}")
    ]
    if len(matches) == 1:
        return matches[0]
    if not matches:
        return f"no video {video.name} in {', '.join(dataset.source for dataset in datasets)}"
    return f"{video.name} is in {' and '.join(match.source for match in matches)}"


def _finding(clip: Clip, source: SourceVideo, evidence: Evidence, frames: int) -> Finding:
    fault = evidence.fault()
    if fault:
        return Finding(clip.id, None, fault)
    reason = f"equals the published mask in all of {frames} frames"
    row = CurationRow(
        source=source.source,
        video=source.name,
        category=clip.category,
        objects=evidence.members(),
        decision="accepted",
        reason=reason,
        who="icvos curate recover",
    )
    return Finding(clip.id, row, reason)
