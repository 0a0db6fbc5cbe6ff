"""The names in a prediction folder, and what is certainly meant by those that are not the benchmark's own.

Advice about names is followed to the letter, so a pattern is looked for first: frames that are all there under other
numbers are one fault, not as many as there are frames.
"""

import itertools
import re
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from icvos.categories import category
from icvos.errors import Fault, IcvosError, PredictionError, Severity, plural
from icvos.files.names import SOURCES
from icvos.files.submitted import is_plain, opened, visible

MAX_LISTED = 1000  # extra names of one place; the rest is counted
PNG_START = b"\x89PNG\r\n\x1a\n"
JPEG_START = b"\xff\xd8\xff"
REPAIRED = "icvos validate PREDICTIONS --benchmark BENCHMARK --repair NEW-FOLDER does so"


@dataclass(frozen=True, slots=True)
class Renumbered:
    """All frames of a clip, under numbers that are not the video's.

    Args:
        names: For each frame the name that it has.
        words: What is wrong and what to rename.
    """

    names: dict[str, str]
    words: str


@dataclass(frozen=True, slots=True)
class Names:
    """What was found in a place: for each name without suffix the file or folder that carries it.

    Args:
        level: ``video``, ``class`` or ``frame``.
        place: The folder, or the JSON of a clip.
        found: Files or folders by names without suffix.
        key: Equal for names that mean the same; None for a name that means nothing.
        strange: Files that cannot hold masks, by name.
        counted: How many of a video's first frames count.
    """

    level: str
    place: Path
    found: dict[str, Path]
    key: Callable[[str], str | None]
    strange: dict[str, Path] = field(default_factory=dict)
    counted: int = 0

    def renumbered(self, known: Sequence[str]) -> Renumbered | None:
        """The pattern of the numbers of frames, where one explains them all; see `renumber`."""
        return renumber(self.found, known, self.counted) if self.level == "frame" else None

    def renames(self, wanted: Collection[str], known: Sequence[str]) -> dict[str, str]:
        """For each wanted name that is absent the one that is certainly meant by it, as found.

        Certain is what is the only one to mean the only absent name. Frames are certain only where every unknown number
        finds its frame: frames numbered 0, 1, 2 ... are not those of a video numbered 1, 6, 11 ..., unless they are as
        many. ``known`` are in order.
        """
        pattern = self.renumbered(known)
        if pattern is not None:
            chosen = set(wanted)
            return {name: found for name, found in pattern.names.items() if name in chosen}
        own = set(known)
        absent = _by_key((name for name in wanted if name not in self.found), self.key)
        unknown = _by_key((name for name in self.found if name not in own), self.key)
        if self.level == "frame" and unknown.keys() - absent.keys():
            return {}
        return {
            absent[key][0]: names[0]
            for key, names in unknown.items()
            if len(names) == 1 and len(absent.get(key, ())) == 1
        }

    def faults(self, wanted: Sequence[str], known: Sequence[str]) -> Iterator[Fault]:
        """Faults where names are absent, unknown, or wrong in a way that shows what is meant; patterns first."""
        meant, pattern = self.renames(wanted, known), self.renumbered(known)
        if pattern is not None:
            yield Fault("renumbered-frames", str(self.place), pattern.words)
            extra = sorted(self.found.keys() - set(pattern.names.values()))
        else:
            for name, found in meant.items():
                what = f"is not a {self.level} of the benchmark; rename it to {self._shown(name)}"
                yield self._fault("misnamed", found, what)
            extra = sorted(self.found.keys() - set(known) - set(meant.values()))
        absent = [name for name in wanted if name not in (meant if pattern else self.found.keys() | meant.keys())]
        explained = yield from self._strange_faults(absent)
        absent = [name for name in absent if name not in explained]
        yield from self._extra_faults(extra, bool(absent))
        remedy = self._missing_remedy(absent, wanted, bool(extra))
        for name in absent:
            yield self._fault("missing", name, f"no such {self.level} among the predictions; {remedy}")

    def _shown(self, name: str) -> str:
        return f"{name}.png" if self.level == "frame" and self.place.suffix != ".json" else name

    def _missing_remedy(self, absent: Sequence[str], wanted: Sequence[str], extra: bool) -> str:
        """What to do about absent names: not to predict what is there under another name."""
        if self.level == "frame" and len(absent) == 1 < len(wanted) and absent[0] in (wanted[0], wanted[-1]):
            return "predict it, unless every name is one too high or too low: then rename them all"
        if extra:
            return f"predict it, or rename what stands for it among the {self.level} names that are not the benchmark's"
        return "predict it"

    def explained(self, absent: Iterable[str]) -> dict[str, Path]:
        """For absent frames the files that stand in their place and cannot hold masks."""
        keys = {self.key(name): path for name, path in self.strange.items()}
        return {name: keys[self.key(name)] for name in absent if self.key(name) in keys}

    def _strange_faults(self, absent: Sequence[str]) -> Generator[Fault, None, frozenset[str]]:
        """One fault for the files that stand in the place of absent frames; returns those frames."""
        explained = self.explained(absent)
        if explained:
            jpeg = all(_starts_with(path, JPEG_START) for path in list(explained.values())[:3])
            why = "a JPEG cannot hold masks, it blurs their values" if jpeg else "only a PNG holds masks here"
            files = examples(path.name for path in explained.values())
            what = f"{len(explained):,} files are no PNG ({files}): {why}; write the masks as PNG, do not rename them"
            yield Fault("format", str(self.place), what)
        for path in [path for path in self.strange.values() if path not in explained.values()][:MAX_LISTED]:
            yield Fault("extra-frame", str(path), "not a PNG, so no mask; remove it", "warning")
        return frozenset(explained)

    def _extra_faults(self, extra: Sequence[str], absent: bool) -> Iterator[Fault]:
        remedy = "if it is a missing one, rename it, else remove it" if absent else "remove it"
        for name in extra[:MAX_LISTED]:
            yield self._fault("extra", name, f"the benchmark has no such {self.level}; {remedy}", "warning")
        if len(extra) > MAX_LISTED:
            what = f"{len(extra) - MAX_LISTED:,} more that are no {self.level} of the benchmark; remove them"
            yield Fault(f"extra-{self.level}", str(self.place), what, "warning")

    def _fault(self, kind: str, name: str, what: str, severity: Severity = "error") -> Fault:
        if self.place.suffix == ".json":
            where = f"{self.place}: {name}"
        elif name in self.found:
            where = str(self.found[name])
        else:
            where = str(self.place / self._shown(name))
        return Fault(f"{kind}-{self.level}", where, what, severity)


def renumber(found: Collection[str], frames: Sequence[str], counted: int) -> Renumbered | None:
    """How the names in ``found`` stand for the frames of a video, where all have other numbers in the same order.

    Args:
        found: Names of predicted frames. Those without a number are passed over.
        frames: The video's, in order.
        counted: How many of the first frames count: predictions may end there.

    Only where they are as many, and where a number that the video does not have shows that they are not its own: 1..512
    in a video of frames 0..599 may well be its second to its last but 87th.
    """
    numbers = {key: name for name in found if (key := _frame_key(name)) is not None}
    by_number = {int(key): name for key, name in numbers.items()}
    got, every = sorted(by_number), [int(frame) for frame in frames]
    own = every[: len(got)]
    if len(got) not in (len(frames), counted) or len(got) < 2 or got == own or set(got) <= set(every):
        return None
    if len(by_number) < sum(_frame_key(name) is not None for name in found):
        return None  # two names of one number
    shift = got[0] - own[0]
    if all(number - one == shift for number, one in zip(got, own, strict=True)):
        words = _shift_words(shift)
    elif got[0] in (0, 1, own[0]) and len(set(_steps(got))) == 1:
        words = (
            f"frames are numbered {_series(got)}, the video's {_series(own)}: "
            "rename every frame to the video's frame in the same place of the order"
        )
    else:
        return None
    names = {frame: by_number[number] for frame, number in zip(frames, got, strict=False)}
    first = ", ".join(f"{name} to {frame}" for frame, name in list(names.items())[:3])
    return Renumbered(names, f"{words} ({plural(len(names), 'frame')}: {first} ...); {REPAIRED}")


def _shift_words(shift: int) -> str:
    amount = {1: "one"}.get(abs(shift), f"{abs(shift):,}")
    change = "less" if shift > 0 else "plus"
    return f"frame names are shifted by {amount}: rename every frame to its number {change} {amount}"


def _steps(numbers: Sequence[int]) -> list[int]:
    return [second - first for first, second in itertools.pairwise(numbers)]


def _series(numbers: Sequence[int]) -> str:
    return f"{', '.join(map(str, numbers[:3]))} ..."


def examples(names: Iterable[str]) -> str:
    """The first three of ``names``, for a message."""
    names = list(names)
    return ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")


def _by_key(names: Iterable[str], key: Callable[[str], str | None]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        meaning = key(name)
        if meaning is not None:
            found.setdefault(meaning, []).append(name)
    return found


def frame_names(place: Path, counted: int, frames: Iterable[str] | None = None) -> Names:
    """The frames of a clip: the PNGs in the folder ``place``, or ``frames`` where it is a JSON that has those.

    A file that is called otherwise is a PNG if it begins like one. ``counted`` of a video's first frames count.
    """
    if frames is not None:
        return Names("frame", place, dict.fromkeys(sorted(frames), place), _frame_key, counted=counted)
    found, strange = {}, {}
    for path in visible(place):
        if path.name.endswith(".png") or not is_plain(path) or _starts_with(path, PNG_START):
            found[path.name.removesuffix(".png")] = path
        else:
            strange[path.name] = path
    return Names("frame", place, found, _frame_key, strange, counted)


def _starts_with(path: Path, start: bytes) -> bool:
    try:
        with opened(path) as file:
            return file.read(len(start)) == start
    except (OSError, PredictionError):
        return False


def video_key(name: str) -> str:
    """Equal for ``davis_dog``, ``dog`` and ``Dog``."""
    name = name.lower()
    source, _, own = name.partition("_")
    return own if own and source in SOURCES else name


def class_key(name: str) -> str | None:
    """Equal for ``17``, ``017`` and ``dog``; None for what names no class."""
    text = name.lstrip("0") if name.isdecimal() else name.replace("_", " ")
    try:
        return str(category(text).index)
    except IcvosError:
        return None


def _frame_key(name: str) -> str | None:
    """Equal for names whose last number is the same, as in ``00005``, ``5.jpg`` and ``frame_5``; None without one."""
    numbers = re.findall(r"[0-9]+", re.sub(r"\.[A-Za-z]\w*$", "", name))
    return (numbers[-1].lstrip("0") or "0") if numbers and len(numbers[-1]) < 20 else None
