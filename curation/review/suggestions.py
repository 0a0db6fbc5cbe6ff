"""Which categories a video's objects may be, and where another of one may have been missed: proposed, never decided.

A thread works through the videos in the background, those that are asked for first, and keeps what it finds in a folder
beside the curation file.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from curation.review.events import Key
from curation.review.examples import Examples, examples_of, keep, kept, name_of
from curation.review.missed import Box, Search
from curation.sources.coco import Coco
from curation.sources.video import SourceVideo
from icvos.bitmasks.values import occurring
from icvos.categories import category
from icvos.errors import IcvosError
from icvos.files.images import read_image
from icvos.files.schema import Fraction, Name, Schema, parse_schema
from icvos.files.storage import write_json
from icvos.method import Image

if TYPE_CHECKING:
    from curation.review.features import Eye

STOP_SECONDS = 10.0  # that the end of a server waits at most


class Hint(Schema):
    """Something outside the annotated objects that may be another one of their category."""

    category: Name
    box: Box  # left, top, right, bottom in shares of the frame


class Suggested(Schema):
    """What is proposed for a video."""

    examples: Name  # the name of the examples that it was compared with
    objects: dict[int, tuple[tuple[Name, Fraction], ...]]  # by id: categories with confidences, the best first
    hints: tuple[Hint, ...]

    def first(self) -> str:
        """The best category of the first object; empty where there is none."""
        return next((found[0][0] for found in self.objects.values() if found), "")


@dataclass(slots=True)
class Suggestions:
    """The thread that proposes, and what it found.

    Args:
        videos: What there is to propose for.
        coco: Whose annotated objects are the examples.
        folder: Where findings are kept.
        fault: Why it ended by itself; empty: it has not.
    """

    videos: Mapping[Key, SourceVideo]
    coco: Coco
    folder: Path
    fault: str = ""
    _name: str = ""
    _found: dict[Key, Suggested] = field(default_factory=dict)
    _asked: list[Key] = field(default_factory=list)
    _rest: list[Key] = field(default_factory=list)
    _change: threading.Condition = field(default_factory=threading.Condition)
    _stopped: bool = False
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; what an earlier server found of the same examples is taken over."""
        self._name = name_of(self.coco)
        for key in self.videos:
            found = self._read(key)
            if found is not None:
                self._found[key] = found
        self._rest = [key for key in reversed(list(self.videos)) if key not in self._found]
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the video that is being looked at, which is waited for: torch dislikes to be cut off."""
        with self._change:
            self._stopped = True
            self._change.notify()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)

    def known(self, key: Key) -> Suggested | None:
        """What was found of a video so far."""
        return self._found.get(key)

    def ask(self, key: Key) -> Suggested | None:
        """What was found of a video; None: it is not known yet, and is looked at next."""
        found = self._found.get(key)
        if found is None:
            with self._change:
                if key in self._asked:
                    self._asked.remove(key)
                self._asked.append(key)
                self._change.notify()
        return found

    def _work(self) -> None:
        try:
            self._look_at_all()
        except IcvosError as error:
            self.fault = str(error)

    def _look_at_all(self) -> None:
        from curation.review.features import Eye

        eye, search = Eye(), Search(self.coco)
        path = self.folder / f"examples-{self._name}.npz"
        examples = kept(path)
        if examples is None:
            examples = examples_of(self.coco, eye, lambda: self._stopped)
            if not self._stopped:
                keep(examples, path)
        while (key := self._next()) is not None:
            self._found[key] = found = self._look(key, examples, eye, search)
            write_json(self._path(key), found.model_dump(mode="json"))

    def _next(self) -> Key | None:
        """The video asked for last, else the next one; None: it is time to end."""
        with self._change:
            while not self._stopped:
                waiting = self._asked or self._rest
                if not waiting:
                    self._change.wait()
                    continue
                key = waiting.pop()
                if key not in self._found:
                    return key
        return None

    def _look(self, key: Key, examples: Examples, eye: "Eye", search: Search) -> Suggested:
        try:
            video = self.videos[key]
            image, ids = read_image(video.frames[0]), next(video.iter_ids())
        except IcvosError:  # is told where the video is shown
            return Suggested(examples=self._name, objects={}, hints=())
        objects, hints = propose(image, ids, examples, eye, search)
        return Suggested(examples=self._name, objects=objects, hints=hints)

    def _path(self, key: Key) -> Path:
        return self.folder / f"{key[0]}_{key[1]}.json"

    def _read(self, key: Key) -> Suggested | None:
        """What was kept of a video; None where nothing was, or what is there is of other examples."""
        path = self._path(key)
        try:
            found = parse_schema(path.read_bytes(), Suggested, str(path), "suggestions", "remove it")
        except (OSError, IcvosError):
            return None
        return found if found.examples == self._name else None


def propose(
    image: Image, ids: np.ndarray, examples: Examples, eye: "Eye", search: Search
) -> tuple[dict[int, tuple[tuple[str, float], ...]], tuple[Hint, ...]]:
    """What the objects in a frame may be, and what may be another one of their kinds.

    Args:
        image: (H, W, 3) uint8.
        ids: (H, W) object ids, 0 is background.
        examples: What they are compared with.
        eye: Looks at them.
        search: Finds categories outside them.

    Returns:
        For every object id three categories with confidences, the best first; and places outside the objects.
    """
    numbers = [int(number) for number in occurring(ids) if number]
    objects = {number: tuple(examples.proposals(eye.look(image, ids == number))) for number in numbers}
    hints = [
        Hint(category=name, box=box)
        for name in dict.fromkeys(found[0][0] for found in objects.values())
        for box in search.elsewhere(category(name).index, image, ids != 0)
    ]
    return objects, tuple(hints)


def to_json(found: Suggested) -> dict[str, Any]:
    """What a browser is told."""
    return {"objects": found.objects, "hints": [{"category": one.category, "box": one.box} for one in found.hints]}
