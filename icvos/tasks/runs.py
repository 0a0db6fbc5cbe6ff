"""What every run has, on videos or on images: options, a folder that is its own, and the record that it opens."""

import datetime
import importlib.metadata
import platform
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from icvos.errors import Fault, IcvosError, PredictionError
from icvos.files.leftovers import LOCK, is_ours, remove
from icvos.files.listing import is_empty
from icvos.files.locks import lock_folder
from icvos.files.names import require_inside
from icvos.files.schema import read_schema, write_schema
from icvos.files.storage import unwritable
from icvos.files.submitted import is_plain, link_fault, visible
from icvos.guard import Asked, description_of, require_timeout
from icvos.method import AnyMethod, method_class, sees_truth
from icvos.protocol import PAPER, Protocol
from icvos.tasks.mixture import difference
from icvos.tasks.pool import Pool
from icvos.tasks.record import RECORD, Part, RunRecord, record_of
from icvos.tasks.shards import Shard

RUN_FORMAT = 1
SCRATCH = ".partial"  # where what is being made lies in a run folder
CLAIMS = ".claims"  # where the processes that work on it say so
Overwrite = Literal["never", "only-missing", "always"]


class UnfinishedError(IcvosError):
    """Some of a run failed; everything else of it is made.

    Args:
        message: What failed.
        parts: The draws of the run.
    """

    def __init__(self, message: str, parts: tuple[int, ...]) -> None:
        super().__init__(message)
        self.parts = parts


Outcome = tuple[int, ...] | IcvosError  # what came of a run: its draws or folds, or what ended it


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What is run.

    Args:
        method: The method's name.
        settings: Its settings, over its defaults. On images ``{fold}`` in a text is the fold's number.
        shots: Supports for every clip or episode.
        overwrite: ``never``: refuse a folder with predictions; ``only-missing``: keep what is there; ``always``: make
            everything again.
        parts: Which draws or folds; None: all.
        protocols: On videos: the run predicts every frame that one of them scores.
        timeout: Seconds that the method may take for a clip or an episode; None: as long as it wants.
        shard: On videos: which of several processes that make the run together this one is; None: it waits for others
            that work on the same run.
        pool: On videos: the workers of a cluster that make the run; None: this process does.
    """

    method: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    shots: int = 1
    overwrite: Overwrite = "only-missing"
    parts: tuple[int, ...] | None = None
    protocols: tuple[Protocol, ...] = (PAPER,)
    timeout: float | None = None
    shard: Shard | None = None
    pool: Pool | None = None

    def __post_init__(self) -> None:
        if not self.protocols:
            raise IcvosError("no protocol: give at least one, as paper or native")
        if self.shard and self.overwrite != "only-missing":
            raise IcvosError(
                f"--shard {self.shard}: shards add to what others made, so not with --overwrite {self.overwrite}; "
                "leave that out, and choose a new --out to begin again"
            )
        if self.shard and self.pool:
            raise IcvosError(f"--shard {self.shard}: {self.pool} has workers of its own; leave one of the two out")
        require_timeout(self.timeout)

    def asked(self, what: str = "") -> Asked:
        """What the method is asked for now: a clip or an episode, or "" for the method itself."""
        return Asked(self.method, what, self.timeout if what else None)


def require_supports_taken(options: RunOptions, *, draws: bool = False) -> None:
    """Refuse a choice of supports for a method that is given the truth and none of them."""
    if not sees_truth(method_class(options.method)):
        return
    if options.shots != 1:
        raise IcvosError(
            f"--shots {options.shots}: method {options.method} is given the truth, not supports; leave it out"
        )
    if draws and options.parts not in (None, (0,)):
        raise IcvosError(f"--draws: method {options.method} is given the truth, and has draw 0 alone; leave it out")


def in_fold(settings: Mapping[str, Any], fold: int) -> dict[str, Any]:
    """The settings for one fold: ``{fold}`` in a text is its number."""
    return {
        name: value.replace("{fold}", str(fold)) if isinstance(value, str) else value
        for name, value in settings.items()
    }


def claim(out: Path, part: Part, overwrite: Overwrite, numbers: Collection[int] = ()) -> None:
    """Refuse a folder that holds something else, or predictions that must not be touched.

    Args:
        out: The run folder; it need not exist.
        part: What its subfolders are: ``draw`` on videos, ``fold`` on images.
        overwrite: See `RunOptions`.
        numbers: The parts that are to be made, where each is a run of its own; none: all are one run.
    """
    if out.exists() and not out.is_dir():
        raise IcvosError(f"{out}: is a file; choose another --out")
    if not out.is_dir():
        return
    for entry in (*out.glob(f"{part}*"), out / SCRATCH, out / CLAIMS):
        require_inside(entry, out)
    is_strange = _is_strange(out, part)
    if is_strange and (out / LOCK).is_file():
        with lock_folder(out):  # names another process that has just begun a run there
            is_strange = _is_strange(out, part)
    runs = [path.parent.name for path in sorted(out.glob(f"{part}*/{RECORD}"))]
    other = {"draw": "fold", "fold": "draw"}[part]
    if any(out.glob(f"{other}*/{RECORD}")):
        kinds = {"draw": "videos", "fold": "images"}
        raise IcvosError(f"{out}: holds a run on {kinds[other]}, this one is on {kinds[part]}; choose another --out")
    if is_strange:
        raise IcvosError(
            f"{out}: holds something that icvos eval did not make; choose an empty or new folder for --out"
        )
    wanted = {f"{part}{number}" for number in numbers} or set(runs)
    if overwrite == "never" and wanted & set(runs):
        raise IcvosError(
            f"{out}: holds predictions already; choose another --out, or --overwrite only-missing to resume"
        )


def _is_strange(out: Path, part: Part) -> bool:
    """Whether a folder holds something and no run."""
    begun = [entry for entry in out.glob(f"{part}*") if is_empty(entry)]  # all that an early kill leaves
    is_run = any(out.glob(f"{part}*/{RECORD}")) or any((out / own).is_dir() for own in (SCRATCH, CLAIMS))
    return not is_run and not is_empty(out, begun)


def identity(method: AnyMethod, options: RunOptions, about: RunRecord) -> RunRecord:
    """What makes two runs the same run: resuming with another of these is refused. ``about`` says what it is run on."""
    made_of = description_of(method, options.method)
    found = {
        "format": RUN_FORMAT,
        "method": options.method,
        "settings": made_of.get("settings", dict(options.settings)),
        "weights": made_of.get("weights", []),
        "sees_truth": sees_truth(method),
        **about.to_json(),
        "shots": options.shots,
        "device": made_of.get("device", "cpu"),
        "dtype": made_of.get("dtype", "float32"),
    }
    if made_of.get("random_weights"):
        found["random_weights"] = True
    record = record_of(found, options.method)
    return record.model_copy(update={"random_weights": True}) if record.made_with_random_weights else record


def open_record(
    path: Path, wanted: RunRecord, new: RunRecord, overwrite: Overwrite, *, alone: bool = True
) -> RunRecord:
    """The record so far of the run that is ``wanted``, an `identity`; or one with ``new`` beside it, written.

    Another run's record is refused unless everything is made again, or nothing was made under it: a method that refused
    its settings at its first frame keeps no folder from a better try. What another run made goes before its record
    does, so that no mask is ever taken for one that ``wanted`` made. Where this process is not ``alone`` in the folder,
    nothing is made under a record so far only because another process has just begun.
    """
    is_other = overwrite == "always" and path.is_file() and not _is_of(path, wanted)
    if is_other:
        _empty(path.parent)
    if is_other or not path.is_file() or (alone and _holds_nothing_else(path)):
        begun = {"versions": versions(), "started": now(), "finished": None}
        record = RunRecord.model_validate(wanted.to_json() | begun | new.to_json())
        write_schema(path, record)
        return record
    found = read_schema(path, RunRecord, "the record of a run", "choose another --out, or --overwrite always")
    random = found.made_with_random_weights
    if random != wanted.made_with_random_weights:
        there, here = ("random weights", "checkpoints") if random else ("checkpoints", "random weights")
        raise IcvosError(f"{path}: holds a run with {there}, this one has {here}; choose another --out")
    refuse_other(path, found, wanted, tuple(wanted.model_fields_set), "run", ", or --overwrite always to replace it")
    return found


def _is_of(path: Path, wanted: RunRecord) -> bool:
    """Whether a record can be read and is of the run that is ``wanted``."""
    try:
        found = read_schema(path, RunRecord, "the record of a run", "")
        refuse_other(path, found, wanted, tuple(wanted.model_fields_set), "run")
    except IcvosError:
        return False
    return found.made_with_random_weights == wanted.made_with_random_weights


def _empty(folder: Path) -> None:
    """Remove all but the record from a part of a run."""
    try:
        for entry in folder.iterdir():
            if entry.name != RECORD:
                remove(entry)
    except OSError as error:
        raise unwritable(folder, error) from error


def _holds_nothing_else(record: Path) -> bool:
    """Whether no file with content lies beside a record or below."""
    below = (entry for entry in record.parent.rglob("*") if entry != record and not is_ours(entry.name))
    return not any(entry.is_file() and entry.stat().st_size for entry in below)


def refuse_other(
    path: Path, found: RunRecord, wanted: RunRecord, keys: Collection[str], what: str, otherwise: str = ""
) -> None:
    """Raise `IcvosError` where a record differs from the one that is wanted in one of ``keys``."""
    there, here = found.to_json(), wanted.to_json()
    for key in RunRecord.model_fields:
        old, new = there.get(key), here.get(key)
        if key not in keys or old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):  # name what differs, not all of it
            inner = next(name for name in (*new, *old) if old.get(name) != new.get(name))
            key, old, new = f"{key}.{inner}", old.get(inner), new.get(inner)
        raise IcvosError(f"{path}: holds a {what} with {key} {old!r}, not {new!r}; choose another --out{otherwise}")


def other_build(path: Path, run: RunRecord, digest: str | None) -> Iterator[Fault]:
    """A warning where the record at ``path`` says that its masks were made for another build of the benchmark."""
    if run.digest and digest and run.digest != digest:
        what = f"made for another build of the benchmark ({run.digest}, not {digest}); predict again for it"
        yield Fault("digest", str(path), what, "warning")


def refuse_other_parts(
    out: Path, part: Part, wanted: Mapping[int, RunRecord], replaced: Collection[int] = (), *, alone: bool = True
) -> None:
    """Refuse a folder whose other draws or folds are another method's, or the same's with other settings or weights.

    Args:
        out: The run folder.
        part: What it consists of.
        wanted: By number the `identity` of those that are to be made.
        replaced: The numbers of those whose predictions are made again, whatever is there.
        alone: As for `open_record`.
    """
    for path in sorted(out.glob(f"{part}*/{RECORD}")):
        text = path.parent.name.removeprefix(part)
        if not text.isdecimal() or int(text) in replaced or (alone and _holds_nothing_else(path)):
            continue
        number, found = int(text), read_schema(path, RunRecord, "the record of a run", "choose another --out")
        for own, record in wanted.items():
            one = difference(record, found, (own, number) if part == "fold" else None)
            if own != number and one is not None:
                key, new, old = one
                noun = "run" if part == "draw" else "fold"
                raise IcvosError(f"{path}: holds a {noun} with {key} {old!r}, not {new!r}; choose another --out")


def now() -> str:
    """The time, ISO 8601 in UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """Versions of what took part: Python, icvos, and the libraries that are loaded."""
    found = {"python": platform.python_version(), "icvos": importlib.metadata.version("icvos")}
    for package, module in (("numpy", "numpy"), ("opencv", "cv2"), ("pillow", "PIL"), ("torch", "torch")):
        if module in sys.modules:
            found[package] = str(sys.modules[module].__version__)
    return found


def draw_folders(path: Path | str) -> tuple[Path, ...]:
    """The prediction folders of a run: its subfolders ``draw<N>`` in order of N, or ``path`` itself if it has none."""
    path = Path(path)
    if not path.is_dir():
        raise IcvosError(f"{path}: no such folder; expected predictions as <video>/<class>/<frame>.png")
    numbered = {
        int(entry.name[4:]): entry
        for entry in path.iterdir()
        if re.fullmatch(r"draw(0|[1-9][0-9]*)", entry.name) and entry.is_dir()
    }
    _refuse_links(numbered.values())
    return tuple(numbered[number] for number in sorted(numbered)) or (path,)


def fold_folders(run: Path) -> dict[int, Path]:
    """The folders of a run by fold, in order; `PredictionError` where ``run`` is no folder or has none."""
    expected = "expected a run on images, with fold<F>/episodes.jsonl, which icvos eval writes"
    if not run.is_dir():
        raise PredictionError(Fault("missing-fold", str(run), f"no such folder; {expected}"))
    found = {
        int(entry.name[4:]): entry
        for entry in visible(run)
        if re.fullmatch(r"fold(0|[1-9]\d{0,3})", entry.name) and entry.is_dir()
    }
    _refuse_links(found.values())
    if not found:
        raise PredictionError(Fault("missing-fold", str(run), f"no fold in it; {expected}"))
    return dict(sorted(found.items()))


def _refuse_links(folders: Iterable[Path]) -> None:
    for folder in folders:
        if not is_plain(folder, folder=True):
            raise PredictionError(link_fault(folder, folder.lstat().st_mode))
