"""Where a source data set lies below a folder that a user names, and what to say when it is another one.

The data set's own folder is accepted, and the folder above it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from curation.sources.left_out import Findings, some_of
from curation.sources.video import MetaFindings, ReadOptions, SourceDataset, SourceName, SourceVideo, list_video
from icvos.errors import IcvosError, plural
from icvos.files.listing import visible_entries, visible_folders
from icvos.files.sources import SPLIT_NAMES, TITLES, SplitFolders, recognise, recognise_videos, split_folders


def find_root(root: Path, source: str, fits: Callable[[Path], bool], expected: str) -> Path:
    """``root`` or the one folder in it that ``fits`` the layout of ``source``.

    Raises `IcvosError` for a missing folder, for two that fit, for another data set (naming the option that takes it),
    and for anything else, with the ``expected`` layout.
    """
    if not root.is_dir():
        raise IcvosError(f"{root}: no such folder; --{source} takes the folder of {TITLES[source]}")
    places = [root, *sorted(visible_folders(root))]
    found = [place for place in places if fits(place)]
    if found:
        return only_one(found, f"two copies of {TITLES[source]}", f"give one of them to --{source}")
    for place in places:
        other = recognise(place)
        if other is not None and other != source:
            raise IcvosError(_misdirected(place, other, source))
    if root.name in sum(SPLIT_NAMES.values(), ()) and (root / "JPEGImages").is_dir():
        raise IcvosError(f"{root}: one split of a data set; give its parent folder {root.parent} to --{source}")
    raise IcvosError(f"{root}: no {TITLES[source]} data set; expected {expected} in it")


def _misdirected(place: Path, other: str, source: str) -> str:
    if other in TITLES:
        return f"{place}: looks like {TITLES[other]}, not {TITLES[source]}; pass it to --{other}"
    return f"{place}: looks like {other}, not {TITLES[source]}; give the folder of {TITLES[source]} to --{source}"


def only_one(found: Sequence[Path], what: str, remedy: str) -> Path:
    """The only path in ``found``; with more, `IcvosError` names them all: ``what`` they are, and the ``remedy``."""
    if len(found) > 1:
        raise IcvosError(f"{' and '.join(str(path) for path in found)}: {what}; {remedy}")
    return found[0]


def has_splits_of(place: Path, source: str) -> bool:
    """Whether ``place`` holds splits of videos that may be those of ``source``: none is clearly another data set's."""
    splits = split_folders(place).values()
    return bool(splits) and all(recognise_videos(folders[0].frames) in (None, source) for folders in splits)


def choose_splits(root: Path, splits: Sequence[str] | None, public: Sequence[str], source: str) -> list[SplitFolders]:
    """The folders of the ``splits`` asked for (any of a split's names), else of those whose masks are ``public``."""
    found = split_folders(root)
    present = ", ".join(entry.name for entries in found.values() for entry in entries)
    if splits is None:
        wanted = [split for split in public if split in found]
        if not wanted:
            raise IcvosError(
                f"{root}: no {' or '.join(public)} split of {TITLES[source]}, only {present}, where not all frames "
                "have public masks; fetch the split, or name the splits to read"
            )
    else:
        wanted = [next((split for split, names in SPLIT_NAMES.items() if asked in names), asked) for asked in splits]
        for split, asked in zip(wanted, splits, strict=True):
            if split not in found:
                raise IcvosError(f"{root}: no split {asked}; there is {present}")
    chosen = []
    for split in dict.fromkeys(wanted):
        only_one([entry.frames for entry in found[split]], f"two candidates for split {split}", "remove one of them")
        chosen.append(found[split][0])
    return chosen


def read_folders(
    source: SourceName, folders: Iterable[tuple[Path, Path]], options: ReadOptions, findings: Findings
) -> dict[str, SourceVideo]:
    """The videos of pairs of a frame and a mask folder by name, in order of name; a name that occurs twice raises."""
    videos: dict[str, SourceVideo] = {}
    for frame_folder, mask_folder in folders:
        video = list_video(source, frame_folder, mask_folder, options, findings)
        if video is None:
            continue
        if video.name in videos:
            twin = videos[video.name].frames[0].parent
            raise IcvosError(f"{twin} and {frame_folder}: one video in two splits; remove one of them")
        videos[video.name] = video
    return dict(sorted(videos.items()))


def read_splits(
    source: SourceName, splits: Sequence[SplitFolders], options: ReadOptions, findings: Findings
) -> dict[str, SourceVideo]:
    """The videos of ``splits`` by name; ``findings`` has what is not among them."""
    pairs = []
    for split in splits:
        if not split.masks.is_dir():
            raise IcvosError(f"{split.masks}: no such folder; fetch the annotations of split {split.name}")
        names = [folder.name for folder in sorted(visible_folders(split.frames))]
        note_orphans(split.frames, split.masks, findings)
        pairs += [(split.frames / name, split.masks / name) for name in names]
    videos = read_folders(source, pairs, options, findings)
    if not videos:
        raise IcvosError(f"{splits[0].frames}: no video of two or more frames; fetch the frames of {TITLES[source]}")
    return videos


def read_dataset(
    source: SourceName,
    root: Path,
    splits: Sequence[str] | None,
    options: ReadOptions,
    *,
    usual: Sequence[str],
    expected: str,
    version: Callable[[Path], str],
    meta: Callable[[Path, SplitFolders, dict[str, SourceVideo]], MetaFindings],
) -> SourceDataset:
    """A data set with folders of splits, in ``root`` or in the folder below it.

    Args:
        source: Which data set it is.
        root: Where it is looked for.
        splits: Names of splits; None: the ``usual`` ones.
        options: How strict to be.
        usual: The splits that are read by default, where they exist.
        expected: What it is laid out like, for the error.
        version: Tells the version of the release in the root.
        meta: What the meta files say of a split: (root, split, all videos).
    """
    root = find_root(root, source, lambda place: has_splits_of(place, source), expected)
    chosen = choose_splits(root, splits, tuple(usual), source)
    findings = Findings()
    videos = read_splits(source, chosen, options, findings)
    categories: dict[str, dict[int, str]] = {}
    for split in chosen:
        said = meta(root, split, videos)
        findings.warnings += said.warnings
        categories |= {name: found for name, found in said.categories.items() if name in videos}
    return SourceDataset(
        source,
        root,
        version(root),
        tuple(split.name for split in chosen),
        tuple(videos.values()),
        tuple(findings.warnings),
        findings.left_out,
        elsewhere(root, chosen),
        categories,
    )


def note_orphans(frames: Path, masks: Path, findings: Findings) -> None:
    """Leave out the masks of videos that have no folder in ``frames``, and say which files lie beside the folders."""
    there = {folder.name for folder in visible_folders(frames)}
    orphans = sorted(folder for folder in visible_folders(masks) if folder.name not in there)
    findings.left_out.update(dict.fromkeys((folder.name for folder in orphans), "masks without frames"))
    if orphans:
        names = some_of([folder.name for folder in orphans])
        findings.warnings.append(
            f"{masks}: {plural(len(orphans), 'folder')} of masks without frames, left out: {names}"
        )
    for folder in (frames, masks):
        files = sorted(path.name for path in visible_entries(folder) if not path.is_dir())
        if files:
            findings.warnings.append(
                f"{folder}: {plural(len(files), 'file')} where videos are, not read: {some_of(files)}"
            )


def elsewhere(root: Path, chosen: Sequence[SplitFolders]) -> dict[str, str]:
    """The videos below ``root`` of splits that are not ``chosen``, with the reason why they are not read."""
    read = [split.frames for split in chosen]
    others = [split for entries in split_folders(root).values() for split in entries if split.frames not in read]
    return {name: f"in split {split.name}, which is not read" for split in others for name in by_name([split])}


def by_name(splits: Iterable[SplitFolders]) -> Mapping[str, Path]:
    """The frame folders of every video in ``splits`` by the video's name."""
    return {folder.name: folder for split in splits for folder in visible_folders(split.frames)}
