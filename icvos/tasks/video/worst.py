"""The clips on which a run does worst, as rows of one picture."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from icvos.drawing.overlays import compare, legend, outline_width, overlay
from icvos.drawing.panels import evenly, fitted, heading, in_row, label, stacked
from icvos.errors import IcvosError
from icvos.files.images import read_image
from icvos.files.masks import read_binary
from icvos.method import Image, Support
from icvos.protocol import PROTOCOLS
from icvos.tasks.listing import percent
from icvos.tasks.result import Named, caveats
from icvos.tasks.runs import draw_folders
from icvos.tasks.video.benchmark import Benchmark, Clip
from icvos.tasks.video.predictions import Predictions
from icvos.tasks.video.result import VideoResult
from icvos.tasks.video.score import ClipScores, require_scored, score_clip

FRAMES = 5  # in a row, behind the support
WIDEST = 16 / 9  # width of a picture's place over its height, at most
GAP_PX, TEXT_PX, HEADING_PX, LEGEND_PX = 8, 13, 17, 270


def worst_rows(
    benchmark: Benchmark, result: VideoResult, named: Named, run: Path, count: int, height_px: int
) -> Iterator[Image]:
    """A heading, then a row for each of the worst clips: a support, and the prediction of some frames beside the truth.

    A row is of the draw in which the clip is worst. Its frames are the first that counts, the one of the lowest J, and
    others evenly between them and the last.

    Args:
        benchmark: What was scored against.
        result: The scores.
        named: The result with its name.
        run: The folder that has the predictions.
        count: How many clips.
        height_px: Height of a picture.

    Raises `IcvosError` where frames, supports or predictions are not there, or are not those that were scored.
    """
    draws = {found.number: found for found in map(Predictions.open, draw_folders(run))}
    clips = {clip.id: clip for clip in benchmark.clips}
    worst = result.worst(count)
    for name in worst:
        frames = clips[name].video.folder / "JPEGImages"
        if not frames.is_dir():
            raise IcvosError(f"{frames}: no such folder; draw from a whole benchmark, not from its truth alone")
    sizes = [clips[name].video.size for name in worst]
    cell_px = round(height_px * min(WIDEST, max(width / height for height, width in sizes)))
    width_px = (FRAMES + 1) * (cell_px + GAP_PX) - GAP_PX
    title = ", ".join((f"Worst clips of {named.name}", result.protocol, *caveats(result)))
    lines = [heading(f"{title}; the truth is outlined in white", width_px, HEADING_PX), legend(LEGEND_PX, TEXT_PX)]
    yield stacked(lines, 0)
    for place, name in enumerate(worst, start=1):
        draw = result.clips[name].worst_draw
        found = draws.get(draw.draw) if draw else next(iter(draws.values()))
        if found is None or not found.frames(clips[name]):
            raise IcvosError(
                f"{run}: has scores, but no masks of {name}{f' in draw {draw.draw}' if draw else ''}; "
                "give the folder that has both"
            )
        yield _Row(benchmark, clips[name], found, result, (height_px, cell_px)).drawn(place)


@dataclass(frozen=True, slots=True)
class _Row:
    """One clip in one draw."""

    benchmark: Benchmark
    clip: Clip
    predictions: Predictions
    result: VideoResult
    cell: tuple[int, int]  # height and width of a picture's place

    def drawn(self, place: int) -> Image:
        paths = dict(zip(self.clip.video.frames, self.clip.video.frame_paths, strict=True))
        scores = score_clip(self.clip, self.predictions, PROTOCOLS[self.result.protocol])
        require_scored(self.clip, scores, self.predictions, self.result)
        panels = [*self._support(), *(self._frame(scores, index, paths) for index in shown_frames(scores, FRAMES))]
        row = in_row(panels, GAP_PX)
        return stacked([heading(f"{place}. {self._words(scores)}", row.shape[1], HEADING_PX), row], 2)

    def _words(self, scores: ClipScores) -> str:
        mean, draws = self.result.clips[self.clip.id], self.result.clips[self.clip.id].draws
        own = f"J&F {percent(float(scores.j.mean() + scores.f.mean()) / 2)}"
        others = f" (mean of {len(draws)} draws {percent(mean.jf)})" if len(draws) > 1 else ""
        return f"{self.clip.id}, {self.clip.category.name}, draw {self.predictions.number}: {own}{others}"

    def _support(self) -> Iterator[Image]:
        """The first support of the draw; none in the published layout, which has none."""
        if not self.benchmark.draws:
            return
        shots = self.predictions.run.shots or 1
        supports = self.benchmark.supports(self.clip, self.predictions.number, shots)
        text = "support" if len(supports) == 1 else f"support 1 of {len(supports)}"
        yield self._panel(_shown(supports[0], self.cell[0]), text)

    def _frame(self, scores: ClipScores, index: int, paths: Mapping[str, Path]) -> Image:
        frame = scores.frames[index]
        image, truth = read_image(paths[frame]), read_binary(self.clip.mask_path(frame))
        drawn = compare(
            image, truth, self.predictions.mask(self.clip, frame), outline_px=outline_width(image, self.cell[0], 1.5)
        )
        worst = "worst: " if index == worst_frame(scores) else ""
        return self._panel(drawn, f"{worst}frame {frame}, J {percent(float(scores.j[index]))}")

    def _panel(self, image: Image, text: str) -> Image:
        return label(fitted(image, *self.cell), text, TEXT_PX)


def _shown(support: Support, height_px: int) -> Image:
    image = support.image()
    return overlay(image, support.mask(), outline_px=outline_width(image, height_px))


def worst_frame(scores: ClipScores) -> int:
    """The position of the frame of the lowest J, of equal ones that of the lowest F, then the first."""
    return int(np.lexsort((scores.f, scores.j))[0])


def shown_frames(scores: ClipScores, count: int) -> list[int]:
    """At most ``count`` positions, in order: the first, that of `worst_frame`, and others evenly up to the last."""
    found, worst = evenly(len(scores.frames), count), worst_frame(scores)
    if worst not in found:
        nearest = min(range(1, len(found)), key=lambda place: abs(found[place] - worst))
        found[nearest] = worst
    return found
