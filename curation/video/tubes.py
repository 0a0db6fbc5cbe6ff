"""Videos with the masks of their categories, which a benchmark is built from: of a source, or published already."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, Self

import numpy as np

from curation.sources.video import SourceVideo
from icvos.errors import IcvosError, extent
from icvos.files.images import whole_image_size
from icvos.files.masks import read_binary
from icvos.tasks.video.benchmark import Benchmark, Video


class Tubes(Protocol):
    """A video with the masks of one or more categories, from which a video of the benchmark is built."""

    @property
    def source(self) -> str:
        """``davis``, ``mose``, ``lvos`` or ``youtube-vos``."""
        ...

    @property
    def name(self) -> str:
        """``<source>_<video>``, as in the built benchmark."""
        ...

    @property
    def frames(self) -> tuple[Path, ...]:
        """The frames in order."""
        ...

    @property
    def inputs(self) -> tuple[Path, ...]:
        """The mask files that the result depends on."""
        ...

    @property
    def recipe(self) -> str:
        """What becomes of them, in words that change when the result would."""
        ...

    @property
    def instances(self) -> dict[int, int | None]:
        """Class index -> how many annotated objects its masks unite; None where nobody knows."""
        ...

    @property
    def unseen(self) -> dict[int, tuple[int, ...]]:
        """Class index -> its objects that are in no mask; known when `iter_masks` is through."""
        ...

    def only(self, indices: Collection[int]) -> Self:
        """The same video with these classes alone."""
        ...

    def size(self) -> tuple[int, int]:
        """(height, width) of every frame."""
        ...

    def iter_masks(self) -> Iterator[dict[int, np.ndarray]]:
        """For every frame in order: class index -> (H, W) bool."""
        ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """A source video and the categories to build from it: (class index, object ids) in order of class.

    In a video of 0/255 masks the one class has all the objects.
    """

    video: SourceVideo
    classes: tuple[tuple[int, tuple[int, ...]], ...]
    _seen: set[int] = field(default_factory=set, init=False, repr=False, compare=False)

    @property
    def source(self) -> str:
        return self.video.source

    @property
    def name(self) -> str:
        return f"{self.video.source}_{self.video.name}"

    @property
    def frames(self) -> tuple[Path, ...]:
        return self.video.frames

    @property
    def inputs(self) -> tuple[Path, ...]:
        return tuple(path for path in self.video.masks if path)

    @property
    def recipe(self) -> str:
        return f"objects {self.classes}, each looked for, {self.video.options}"

    @property
    def instances(self) -> dict[int, int | None]:
        return {index: len(objects) for index, objects in self.classes}

    @property
    def unseen(self) -> dict[int, tuple[int, ...]]:
        if self.video.is_binary():
            return {}
        absent = {index: tuple(sorted(set(objects) - self._seen)) for index, objects in self.classes}
        return {index: objects for index, objects in absent.items() if objects}

    def only(self, indices: Collection[int]) -> Self:
        return replace(self, classes=tuple(entry for entry in self.classes if entry[0] in indices))

    def size(self) -> tuple[int, int]:
        return self.video.size()

    def iter_masks(self) -> Iterator[dict[int, np.ndarray]]:
        binary = self.video.is_binary()
        wanted = {found for _, objects in self.classes for found in objects}
        for ids in self.video.iter_ids():
            self._seen.update(found for found in wanted - self._seen if not binary and (ids == found).any())
            yield {index: ids > 0 if binary else np.isin(ids, objects) for index, objects in self.classes}


@dataclass(frozen=True, slots=True)
class Republished:
    """A video of a benchmark in the published layout, whose masks are category masks already."""

    video: Video
    classes: tuple[int, ...]

    @property
    def source(self) -> str:
        return self.video.source

    @property
    def name(self) -> str:
        return f"{self.video.source}_{self.video.name.removeprefix(f'{self.video.source}_')}"

    @property
    def frames(self) -> tuple[Path, ...]:
        return self.video.frame_paths

    @property
    def inputs(self) -> tuple[Path, ...]:
        annotations = self.video.folder / "Annotations"
        return tuple(annotations / str(index) / f"{frame}.png" for index in self.classes for frame in self.video.frames)

    @property
    def recipe(self) -> str:
        return f"published {self.classes}"

    @property
    def instances(self) -> dict[int, int | None]:
        return dict.fromkeys(self.classes)

    @property
    def unseen(self) -> dict[int, tuple[int, ...]]:
        return {}

    def only(self, indices: Collection[int]) -> Self:
        return replace(self, classes=tuple(index for index in self.classes if index in indices))

    def size(self) -> tuple[int, int]:
        for path in self.frames:
            if whole_image_size(path) != self.video.size:
                raise IcvosError(f"{path}: not of the size of the video's first frame; fetch it again")
        return self.video.size

    def iter_masks(self) -> Iterator[dict[int, np.ndarray]]:
        annotations = self.video.folder / "Annotations"
        for frame in self.video.frames:
            masks = {}
            for index in self.classes:
                path = annotations / str(index) / f"{frame}.png"
                masks[index] = read_binary(path)
                if masks[index].shape != self.video.size:
                    raise IcvosError(
                        f"{path}: mask of {extent(masks[index].shape)} pixels, the frames are "
                        f"{extent(self.video.size)}; fetch it again"
                    )
            yield masks


def republish(benchmark: Benchmark) -> tuple[Republished, ...]:
    """The videos of a benchmark in the published layout, to be built anew with supports and a digest."""
    classes: dict[str, list[int]] = defaultdict(list)
    for clip in benchmark.clips:
        classes[clip.video.name].append(clip.category.index)
    return tuple(Republished(video, tuple(sorted(classes[video.name]))) for video in benchmark.videos)
