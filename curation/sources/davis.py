"""DAVIS 2016 and 2017: ``{JPEGImages,Annotations}/{480p,Full-Resolution}/<sequence>/00000.{jpg,png}``, ``ImageSets``.

The masks of 2017 are palette pictures of object ids; those of 2016 hold 0 and 255, the union of all objects
(`curation.sources.video.SourceVideo.is_binary`).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from curation.sources.layout import find_root, note_orphans, only_one, read_folders
from curation.sources.left_out import Findings, some_of
from curation.sources.video import STRICT, ReadOptions, SourceDataset
from icvos.errors import IcvosError
from icvos.files.listing import visible_folders
from icvos.files.sources import RESOLUTIONS
from icvos.files.storage import read_json
from icvos.files.text import read_text

Annotations = Literal["semi-supervised", "unsupervised"]
MASK_FOLDERS: dict[str, str] = {"semi-supervised": "Annotations", "unsupervised": "Annotations_unsupervised"}
SET_FOLDERS = {"2016": ("2016", "480p", "1080p"), "2017": ("2017", "2019")}  # the first archive of 2016 had 480p, 1080p
PUBLIC = ("train", "val")
EXPECTED = "JPEGImages/480p/<sequence> and Annotations/480p/<sequence>"


def read(
    root: Path,
    *,
    splits: Sequence[str] | None = None,
    resolution: str | None = None,
    annotations: Annotations = "semi-supervised",
    year: Literal["2016", "2017"] | None = None,
    options: ReadOptions = STRICT,
) -> SourceDataset:
    """The data set in ``root``, in the folder below it, or in its ``2017/trainval``.

    Args:
        root: Holds ``JPEGImages/<resolution>``.
        splits: Names of set files; None: those of train and val that exist, or all sequences without ``ImageSets``.
        resolution: ``480p``, ``Full-Resolution`` or ``1080p`` (the latter two are one); None: the only one there.
        annotations: Which masks; the unsupervised ones have other objects, so categories by object id do not fit them.
        year: Whose set files to read; None: 2017 before 2016.
        options: How strict to be; test sequences have first masks only.

    Raises `IcvosError` for another data set, two candidates, no sequences, or a frame without a mask.
    """
    root = _find(Path(root))
    chosen = _resolution(root, resolution, annotations)
    frames = root / "JPEGImages" / chosen
    masks = root / MASK_FOLDERS[annotations] / chosen
    findings = Findings()
    sets = _set_files(root, year, splits, annotations)
    on_disk = {folder.name for folder in visible_folders(frames)}
    names, elsewhere = sorted(on_disk), {}
    if sets:
        listed = sorted({name for path in sets.values() for name in sequence_names(path)})
        elsewhere = _compare(root, sets, listed, on_disk, findings)
        names = [name for name in listed if name in on_disk]
    note_orphans(frames, masks, findings)
    videos = read_folders("davis", [(frames / name, masks / name) for name in names], options, findings)
    if not videos:
        raise IcvosError(f"{frames}: no sequence of {', '.join(sets) or 'any set'} is there; fetch the frames of DAVIS")
    return SourceDataset(
        "davis",
        root,
        _version(sets),
        tuple(sets) or ("all",),
        tuple(videos.values()),
        tuple(findings.warnings),
        findings.left_out,
        elsewhere,
    )


def semantics(root: Path) -> dict[str, dict[int, str]]:
    """DAVIS's own names of what its objects are, by sequence and object id; empty without ``davis_semantics.json``.

    The ids are those of the semi-supervised annotations.
    """
    path = _find(Path(root)) / "davis_semantics.json"
    if not path.is_file():
        return {}
    value = read_json(path, "the names of DAVIS's objects")
    try:
        found = {name: {int(key): label for key, label in objects.items()} for name, objects in value.items()}
        once = all(len(found[name]) == len(objects) for name, objects in value.items())  # "1" and "01" are one id
        labels_are_text = once and all(
            isinstance(label, str) for objects in found.values() for label in objects.values()
        )
    except (AttributeError, ValueError) as error:
        raise IcvosError(f"{path}: {_SEMANTICS_SCHEMA}") from error
    if not labels_are_text:
        raise IcvosError(f"{path}: {_SEMANTICS_SCHEMA}")
    return {name: dict(sorted(objects.items())) for name, objects in sorted(found.items())}


_SEMANTICS_SCHEMA = 'expected {"<sequence>": {"<object id>": "<name>"}}; fetch the semantics archive of DAVIS again'


def sequence_names(path: Path) -> list[str]:
    """The sequences of a set file: a bare name a line (2017), or the paths of a frame and its mask (2016)."""
    try:
        lines = read_text(path).split("\n")
    except (OSError, ValueError) as error:
        raise IcvosError(f"{path}: cannot be read as a list of sequences ({error}); fetch it again") from error
    firsts = [line.split()[0] for line in lines if line.strip()]
    return list(dict.fromkeys(first.rstrip("/").split("/")[-2] if "/" in first else first for first in firsts))


def _find(root: Path) -> Path:
    for place in (root / "2017" / "trainval", root / "DAVIS" / "2017" / "trainval"):
        if _fits(place) and not _fits(root):
            return place
    return find_root(root, "davis", _fits, EXPECTED)


def _fits(place: Path) -> bool:
    return any((place / "JPEGImages" / resolution).is_dir() for resolution in RESOLUTIONS)


def _resolution(root: Path, wanted: str | None, annotations: str) -> str:
    """The name of the resolution's folder, which frames and masks must both have."""
    masks = MASK_FOLDERS[annotations]
    with_frames = [name for name in RESOLUTIONS if (root / "JPEGImages" / name).is_dir()]
    found = [name for name in with_frames if (root / masks / name).is_dir()]
    if wanted is not None:
        if wanted not in RESOLUTIONS:
            raise IcvosError(f"unknown DAVIS resolution {wanted!r}; choose from {', '.join(RESOLUTIONS)}")
        same = {wanted} if wanted == "480p" else {"Full-Resolution", "1080p"}
        exact = [name for name in found if name == wanted]
        found = exact or [name for name in found if name in same]
    if not found:
        present = [name for name in MASK_FOLDERS if (root / MASK_FOLDERS[name]).is_dir()]
        raise IcvosError(
            f"{root / masks / (wanted or with_frames[0])}: no such folder, or no frames for it; there are frames at "
            f"{', '.join(with_frames)} and {' and '.join(present) or 'no'} annotations; fetch what is missing "
            "or choose others"
        )
    paths = [root / "JPEGImages" / name for name in found]
    return only_one(paths, "DAVIS in two resolutions", "choose one of them as the resolution").name


def _set_files(root: Path, year: str | None, splits: Sequence[str] | None, annotations: str) -> dict[str, Path]:
    """The set file of each split; empty where there are no set files and no split is asked for."""
    sets = root / "ImageSets"
    folders = [name for found in ([year] if year else ["2017", "2016"]) for name in SET_FOLDERS[found]]
    if annotations == "unsupervised" and "2019" in folders:  # the test sets of 2019 are those of this task
        folders = ["2019", *(name for name in folders if name != "2019")]
    found = {}
    for split in PUBLIC if splits is None else splits:
        path = next((path for name in folders if (path := sets / name / f"{split}.txt").is_file()), None)
        if path is not None:
            found[split] = path
        elif splits is not None:
            raise IcvosError(f"{sets / folders[0] / split}.txt: no such set file; name a set that is in {sets}")
    if not found and year is not None:
        raise IcvosError(f"{sets}: no train or val set file of {year}; fetch it or leave the year open")
    return found


def _compare(
    root: Path, sets: dict[str, Path], listed: Sequence[str], on_disk: set[str], findings: Findings
) -> dict[str, str]:
    """The sequences on disk that only other sets name; those of one side alone are added to ``findings``."""
    everywhere = {name for path in sorted((root / "ImageSets").glob("*/*.txt")) for name in sequence_names(path)}
    absent = [name for name in listed if name not in on_disk]
    unknown = sorted(on_disk - everywhere)
    findings.left_out.update({name: f"in {', '.join(sets)} but not on disk" for name in absent})
    findings.left_out.update(dict.fromkeys(unknown, "on disk, but in no set of ImageSets"))
    if absent or unknown:
        findings.warnings.append(
            f"{root / 'ImageSets'}: {len(absent)} in {', '.join(sets)} but not on disk: {some_of(absent) or 'none'}; "
            f"{len(unknown)} on disk but in no set: {some_of(unknown) or 'none'}"
        )
    others = sorted((on_disk & everywhere) - set(listed))
    return dict.fromkeys(others, f"in a set that is not read, not in {', '.join(sets)}")


def _version(sets: dict[str, Path]) -> str:
    years = {
        next(year for year, folders in SET_FOLDERS.items() if path.parent.name in folders) for path in sets.values()
    }
    return max(years, default="")
