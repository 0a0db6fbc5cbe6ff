"""Which file is compared with which: the true masks, and what was sent as their predictions.

Names, sizes and kinds of image are checked before the first mask is decoded.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from icvos.errors import IcvosError, PredictionError, extent
from icvos.files.listing import frames_by_number, visible_folders
from icvos.files.storage import storable
from icvos.files.untrusted import png_header
from icvos.vos.layout import Frames, Key, Masks, Parts, find_masks
from icvos.vos.objects import Objects, VideoPair
from icvos.vos.source import EXPECTED, Source

SUFFIXES = (".png", ".PNG")
ID_MODES = ("1", "L", "P", "I;16")


def pair_videos(
    source: Source, truth: Path, chosen: Sequence[str], skip_ends: bool
) -> tuple[list[VideoPair], list[str]]:
    """The masks of every wanted video beside the true ones, on disk, and what is odd about them."""
    folders = video_folders(truth)
    wanted, warnings = _true_frames(truth, folders, chosen, skip_ends)
    frames = {name: Frames(tuple(true), _counted(tuple(true), skip_ends)) for name, true in wanted.items()}
    alone = truth in folders.values()
    found, strange = find_masks(source.files(), source.name, folders.keys(), frames, alone=alone)
    absent = [str(source.path / name) for name in frames if name not in found]
    if absent:
        raise IcvosError(f"{absent[0]}: no such video{more(absent)}; predict it, or choose videos with --videos")
    if strange:
        first = source.path.joinpath(*strange[0])
        warnings.append(f"{first}: the truth has no such video{more(strange)}; not scored")
    root, masks = _fetched(source, found, frames, wanted)
    _require_all(source, masks, frames, wanted)
    pairs = []
    for name, one in sorted(masks.items()):
        true, scored = wanted[name], frames[name].scored
        predicted = tuple(root.joinpath(*one.path(key)) for key in scored)
        pairs.append(VideoPair(name, true[frames[name].all[0]], tuple(true[key] for key in scored), predicted))
        if one.note:
            warnings.append(f"{source.path.joinpath(*one.folder)}: {one.note}")
    return pairs, warnings


def _true_frames(
    truth: Path, folders: Mapping[str, Path], chosen: Sequence[str], skip_ends: bool
) -> tuple[dict[str, dict[Key, Path]], list[str]]:
    """The true masks of each wanted video that has a frame to score, and what is odd about the others."""
    chosen = [storable(name) for name in chosen]
    unknown = sorted(set(chosen) - set(folders))
    if unknown:
        raise IcvosError(f"{truth}: no video {unknown[0]}{more(unknown)}; choose among its folders")
    found, warnings = {}, []
    for name in sorted(set(chosen) or folders):
        frames = frames_by_number(folders[name], SUFFIXES, natural_sort=True)
        if _counted(tuple(frames), skip_ends):
            found[name] = frames
        else:
            warnings.append(f"{folders[name]}: {len(frames)} frames, none is left between the ends; not scored")
    if not found:
        raise IcvosError(f"{truth}: no video has a frame to score; score without --skip-ends")
    return found, warnings


def _counted(frames: tuple[Key, ...], skip_ends: bool) -> tuple[Key, ...]:
    return frames[1:-1] if skip_ends else frames


def _fetched(
    source: Source,
    found: Mapping[str, list[Masks]],
    frames: Mapping[str, Frames],
    wanted: Mapping[str, Mapping[Key, Path]],
) -> tuple[Path, dict[str, Masks]]:
    """Where the masks lie on disk, and the one folder for each video: of several, that of masks of the true size."""
    files: list[Parts] = []
    for name, rivals in found.items():
        files += [one.path(key) for one in rivals for key in frames[name].scored if key in one.files]
    root = source.fetch(files)
    chosen = {}
    for name, rivals in found.items():
        key = next((key for key in frames[name].scored if key in rivals[0].files), None)
        if len(rivals) > 1 and key is not None:
            size = png_header(wanted[name][key])[:2]
            rivals = [one for one in rivals if _size(root, one, key) == size] or rivals
        if len(rivals) > 1 and key is not None:
            places = ", ".join("/".join(one.folder) for one in rivals[:3])
            raise IcvosError(f"{source.path}: masks of {name} in {len(rivals)} folders ({places}); keep one of them")
        chosen[name] = rivals[0]
    return root, chosen


def _size(root: Path, masks: Masks, key: Key) -> tuple[int, int] | None:
    try:
        return png_header(root.joinpath(*masks.path(key)))[:2] if key in masks.files else None
    except PredictionError:  # no PNG, and said so where it is the only one
        return None


def _require_all(
    source: Source,
    masks: Mapping[str, Masks],
    frames: Mapping[str, Frames],
    wanted: Mapping[str, Mapping[Key, Path]],
) -> None:
    missing = [
        str(source.path.joinpath(*one.folder, wanted[name][key].name))
        for name, one in sorted(masks.items())
        for key in frames[name].scored
        if key not in one.files
    ]
    if missing:
        raise IcvosError(f"{missing[0]}: no such mask{more(missing)}; every frame of the truth must be predicted")


def video_folders(root: Path) -> dict[str, Path]:
    """Each true video's folder of PNGs by name: those in ``root``, or ``root`` itself where the PNGs lie in it."""
    if not root.is_dir():
        what = "is a file: unpack it, and give the folder" if root.is_file() else f"no such folder; expected {EXPECTED}"
        raise IcvosError(f"{root}: {what}")
    found = {storable(folder.name): folder for folder in visible_folders(root) if _has_masks(folder)}
    if found:
        return found
    if _has_masks(root):
        return {storable(root.resolve().name): root}
    inner = next((path for path in (root / "Annotations" / "480p", root / "Annotations") if path.is_dir()), None)
    hint = f"give {inner}" if inner else "give the folder that holds one folder of PNGs per video"
    raise IcvosError(f"{root}: no {EXPECTED}; {hint}")


def _has_masks(folder: Path) -> bool:
    return any(path.suffix in SUFFIXES and not path.name.startswith(".") for path in folder.iterdir())


def check_headers(pairs: Iterable[VideoPair], objects: Objects) -> None:
    """One error for all masks of another size, and one for all that hold colours, from the files' headers alone."""
    sizes, colours = [], []
    for pair in pairs:
        for true, predicted in zip(pair.truth, pair.prediction, strict=True):
            headers = [(path, *png_header(path)) for path in (true, predicted)]
            colours += [(path, mode) for path, _, _, mode in headers if mode not in ID_MODES]
            if headers[0][1:3] != headers[1][1:3]:
                sizes.append((predicted, headers[1][1:3], headers[0][1:3]))
    if sizes:
        path, found, expected = sizes[0]
        raise IcvosError(
            f"{path}: mask of {extent(found)} pixels, the truth is {extent(expected)}"
            f"{more(sizes)}; save masks at the truth's size"
        )
    if colours and objects != "binary":
        raise IcvosError(
            f"{colours[0][0]}: colours ({colours[0][1]}), not object ids{more(colours)}; save masks as palette or grey "
            "PNGs whose values are the ids, or score with --objects binary if all that is not black is one object"
        )


def more(found: Collection[object]) -> str:
    """How many more there are than the one that is named."""
    return f", and {len(found) - 1:,} more" if len(found) > 1 else ""
