"""A pattern is named once; its advice, followed to the letter, and ``--repair`` both give the score of right masks."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from icvos.categories import category
from icvos.errors import Fault
from icvos.files.masks import read_binary, write_binary
from icvos.files.rle import encode_rle
from icvos.protocol import NATIVE, PAPER
from icvos.tasks.calls import score, validate
from icvos.tasks.video.benchmark import Benchmark
from icvos.tasks.video.layouts import numbering
from icvos.tasks.video.names import renumber
from icvos.tasks.video.repair import repair
from tests.icvos.handmade import predicted, write_benchmark, write_predictions


@pytest.fixture(scope="module")
def handmade(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    return write_benchmark(tmp_path_factory.mktemp("benchmark"))


@pytest.fixture(scope="module")
def right(handmade: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """The figures of the masks before they are spoiled."""
    return figures(handmade, write_predictions(handmade, tmp_path_factory.mktemp("right") / "run"))


@pytest.fixture
def run(handmade: Benchmark, tmp_path: Path) -> Path:
    return write_predictions(handmade, tmp_path / "run")


def figures(benchmark: Benchmark, folder: Path) -> dict[str, object]:
    found = score(folder, benchmark.root).to_json()
    return {"overall": found["overall"], "clips": found["clips"]}


def clips_of(run: Path) -> list[Path]:
    return sorted(path for path in run.glob("*/*") if path.is_dir())


def renamed(folder: Path, name: Callable[[str], str]) -> None:
    """Every file under the name that ``name`` gives it, none written over another."""
    for path in sorted(folder.iterdir()):
        path.rename(path.with_name(f"new-{name(path.name)}"))
    for path in sorted(folder.iterdir()):
        path.rename(path.with_name(path.name.removeprefix("new-")))


def plus(amount: int) -> Callable[[str], str]:
    def name(old: str) -> str:
        stem = old.removesuffix(".png")
        return f"{int(stem) + amount:0{len(stem)}d}.png"

    return name


def shift_up(run: Path) -> None:
    for clip in clips_of(run):
        renamed(clip, plus(1))


def shift_down_one_clip(run: Path) -> None:
    renamed(run / "lvos_cats/1", plus(-1))


def count_from_0(run: Path) -> None:
    """The video's frames are 1, 6, 11 ..."""
    for clip in (run / "lvos_cats").iterdir():
        names = sorted(path.name for path in clip.iterdir())
        renamed(clip, lambda old, names=names: f"{names.index(old):05d}.png")  # type: ignore[misc]


def count_from_1(run: Path) -> None:
    for clip in (run / "lvos_cats").iterdir():
        names = sorted(path.name for path in clip.iterdir())
        renamed(clip, lambda old, names=names: f"frame_{names.index(old) + 1}.png")  # type: ignore[misc]


def steps_of_five(run: Path) -> None:
    renamed(run / "davis_dog/17", lambda old: f"{5 * int(old[:5]):05d}.png")


def annotations(run: Path) -> None:
    for video in run.iterdir():
        for clip in list(video.iterdir()):
            (video / "Annotations").mkdir(exist_ok=True)
            clip.rename(video / "Annotations" / clip.name)
        (video / "JPEGImages").mkdir()


def class_first(run: Path) -> None:
    for clip in clips_of(run):
        target = run / clip.name / clip.parent.name
        target.parent.mkdir(exist_ok=True)
        clip.rename(target)
    for video in ("davis_dog", "lvos_cats", "mose_dog"):
        (run / video).rmdir()


def class_names_first(run: Path) -> None:
    class_first(run)
    for kind in ("17", "1", "16"):
        (run / kind).rename(run / category(kind).name)


def no_class(run: Path) -> None:
    for clip in (run / "davis_dog/17", run / "mose_dog/17"):
        for path in list(clip.iterdir()):
            path.rename(clip.parent / path.name)
        clip.rmdir()


def coco_ids(run: Path) -> None:
    for video in run.iterdir():
        renamed(video, lambda old: str(category(old).category_id))


def from_0(run: Path) -> None:
    for video in run.iterdir():
        renamed(video, lambda old: str(int(old) - 1))


def coco_ids_and_annotations(run: Path) -> None:
    coco_ids(run)
    annotations(run)


def coco_ids_first(run: Path) -> None:
    coco_ids(run)
    class_first(run)


def coco_ids_of_every_class(run: Path) -> None:
    """As of a method that writes a mask for each of the 80 classes, most of them of nothing."""
    coco_ids(run)
    for number in (2, 21, 44, 85, 90):
        shutil.copytree(run / "davis_dog/18", run / f"davis_dog/{number}")


def shifted_in_json(run: Path) -> None:
    for clip in clips_of(run):
        rles = {f"{int(path.stem) + 1}.png": encode_rle(read_binary(path)) for path in clip.iterdir()}
        shutil.rmtree(clip)
        clip.with_name(f"{clip.name}.json").write_text(json.dumps(rles))


REPAIRABLE: dict[Callable[[Path], None], tuple[dict[str, int], str]] = {
    shift_up: ({"renumbered-frames": 4}, "shifted by one: rename every frame to its number less one"),
    shift_down_one_clip: ({"renumbered-frames": 1}, "shifted by one: rename every frame to its number plus one"),
    count_from_0: ({"renumbered-frames": 2}, "frames are numbered 0, 1, 2 ..., the video's 1, 6, 11 ..."),
    count_from_1: ({"renumbered-frames": 2}, "frames are numbered 1, 2, 3 ..., the video's 1, 6, 11 ..."),
    steps_of_five: ({"renumbered-frames": 1}, "frames are numbered 0, 5, 10 ..., the video's 0, 1, 2 ..."),
    annotations: ({"layout": 1}, "3 videos (davis_dog, lvos_cats, mose_dog) have their classes in Annotations"),
    class_first: ({"layout": 1}, "3 folders are classes with videos in them"),
    class_names_first: ({"layout": 1, "misnamed-class": 4}, "3 folders are classes with videos in them"),
    no_class: ({"layout": 1}, "2 videos (davis_dog, mose_dog) have masks and no folder of their class"),
    coco_ids: ({"class-numbers": 1}, "rename 17 to 16, 18 to 17 in this order"),
    from_0: ({"class-numbers": 1}, "rename 16 to 17, 15 to 16, 0 to 1 in this order"),
    coco_ids_and_annotations: ({"layout": 1, "class-numbers": 1}, "have their classes in Annotations"),
    coco_ids_first: ({"layout": 1, "class-numbers": 1}, "classes with videos in them"),
    coco_ids_of_every_class: ({"class-numbers": 1, "extra-class": 5}, "which go to 90 with gaps"),
    shifted_in_json: ({"renumbered-frames": 4}, "shifted by one: rename every frame to its number less one"),
}


def counts(faults: list[Fault]) -> dict[str, int]:
    found: dict[str, int] = {}
    for fault in faults:
        found[fault.kind] = found.get(fault.kind, 0) + 1
    return found


@pytest.mark.parametrize("protocol", [PAPER, NATIVE], ids=lambda protocol: protocol.name)
@pytest.mark.parametrize("spoil", REPAIRABLE)
def test_patterns_are_named_once_and_repaired(
    handmade: Benchmark, run: Path, right: dict[str, object], spoil: Callable[[Path], None], protocol: object
) -> None:
    assert protocol in (PAPER, NATIVE)
    spoil(run)
    kinds, words = REPAIRABLE[spoil]
    found = validate(run, handmade.root, protocol.id)  # type: ignore[attr-defined]
    assert counts(found) == kinds
    assert any(words in fault.what for fault in found)
    assert all(fault.severity == "error" for fault in found if not fault.kind.startswith("extra"))
    repaired = run.parent / "repaired"
    report = repair(handmade, run, repaired, protocol)  # type: ignore[arg-type]
    assert report.left == ()
    assert validate(repaired, handmade.root) == []
    assert figures(handmade, repaired) == right


def follow(fault: Fault) -> None:
    """Do what the advice about names says, and nothing else."""
    place = Path(fault.where)
    if found := re.search(r"rename every frame to its number (less|plus) one", fault.what):
        renamed(place, plus(-1 if found[1] == "less" else 1))
    elif found := re.search(r"rename ((\d+ to \d+(, )?)+) in this order", fault.what):
        for old, new in re.findall(r"(\d+) to (\d+)", found[1]):
            for folder in sorted(place.glob(f"*/{old}")):
                folder.rename(folder.with_name(new))
    elif "move those up into the video's folder" in fault.what:
        for folder in sorted(place.glob("*/Annotations/*")):
            folder.rename(folder.parent.parent / folder.name)
        for folder in [*place.glob("*/Annotations"), *place.glob("*/JPEGImages")]:
            folder.rmdir()
    else:
        raise AssertionError(fault)


@pytest.mark.parametrize("spoil", [shift_up, shift_down_one_clip, annotations, coco_ids, from_0])
def test_advice_followed_to_the_letter_gives_the_score_of_the_right_masks(
    handmade: Benchmark, run: Path, right: dict[str, object], spoil: Callable[[Path], None]
) -> None:
    spoil(run)
    for fault in validate(run, handmade.root):
        follow(fault)
    assert validate(run, handmade.root) == []
    assert figures(handmade, run) == right


def first_frame_missing(run: Path) -> None:
    (run / "davis_dog/17/00000.png").unlink()


def shifted_and_one_lost(run: Path) -> None:
    renamed(run / "davis_dog/17", plus(1))
    (run / "davis_dog/17/00003.png").unlink()


def one_too_many(run: Path) -> None:
    shutil.copy(run / "davis_dog/17/00004.png", run / "davis_dog/17/00005.png")


def uneven_numbers(run: Path) -> None:
    renamed(run / "davis_dog/17", lambda old: f"{int(old[:5]) ** 2 + 1:05d}.png")


def two_of_one_number(run: Path) -> None:
    renamed(run / "davis_dog/17", plus(1))
    (run / "davis_dog/17/00005.png").rename(run / "davis_dog/17/1.png")


def several_classes_without_folders(run: Path) -> None:
    for path in (run / "lvos_cats/1").iterdir():
        shutil.copy(path, run / "lvos_cats" / path.name)
    shutil.rmtree(run / "lvos_cats/1")
    shutil.rmtree(run / "lvos_cats/16")


def objects_without_a_class(run: Path) -> None:
    """Ids of two objects: nobody says which of them is the dog."""
    no_class(run)
    for video in ("davis_dog", "mose_dog"):
        for path in (run / video).iterdir():
            ids = np.asarray(read_binary(path), dtype=np.uint8)
            ids[:3] = 2
            Image.fromarray(ids).save(path)


def one_class_of_another_number(run: Path) -> None:
    (run / "davis_dog/17").rename(run / "davis_dog/18")


@pytest.mark.parametrize(
    ("spoil", "kinds", "kept"),
    [
        (first_frame_missing, {"missing-frame": 1}, "davis_dog/17/00001.png"),
        (shifted_and_one_lost, {"missing-frame": 2, "extra-frame": 1}, "davis_dog/17/00001.png"),
        (one_too_many, {"extra-frame": 1}, "davis_dog/17/00001.png"),
        (uneven_numbers, {"missing-frame": 3, "extra-frame": 3}, None),
        (two_of_one_number, {"missing-frame": 1, "extra-frame": 1}, None),
        (several_classes_without_folders, {"layout": 1}, None),
        (objects_without_a_class, {"layout": 1}, None),
        (one_class_of_another_number, {"missing-class": 1, "extra-class": 1}, None),
    ],
)
def test_what_is_not_certain_is_never_repaired(
    handmade: Benchmark,
    run: Path,
    right: dict[str, object],
    spoil: Callable[[Path], None],
    kinds: dict[str, int],
    kept: str | None,
) -> None:
    before = (run / kept).read_bytes() if kept else b""
    spoil(run)
    assert counts(validate(run, handmade.root)) == kinds
    report = repair(handmade, run, run.parent / "repaired", PAPER)
    if any(fault.severity == "error" for fault in report.left):
        assert not kept or spoil is not first_frame_missing or (run.parent / "repaired" / kept).read_bytes() == before
    else:
        assert figures(handmade, run.parent / "repaired") == right


def test_jpegs_are_no_masks(handmade: Benchmark, run: Path) -> None:
    for path in sorted((run / "davis_dog/17").iterdir()):
        Image.fromarray(read_binary(path).astype(np.uint8) * 255).save(path.with_suffix(".jpg"))
        path.unlink()
    for path in sorted((run / "mose_dog/17").iterdir()):
        Image.fromarray(read_binary(path).astype(np.uint8) * 255).save(path.with_suffix(".bmp"))
        path.unlink()
    found = validate(run, handmade.root)
    assert [(fault.kind, fault.where) for fault in found] == [
        ("format", str(run / "davis_dog/17")),
        ("format", str(run / "mose_dog/17")),
    ]
    assert "5 files are no PNG (00000.jpg, 00001.jpg, 00002.jpg ...): a JPEG cannot hold masks" in found[0].what
    assert "3 files are no PNG (00000.bmp, 00001.bmp, 00002.bmp): only a PNG holds masks here" in found[1].what
    report = repair(handmade, run, run.parent / "repaired", PAPER)
    assert [fault.kind for fault in report.left] == ["format", "format"]


def test_a_png_under_another_name_is_renamed(handmade: Benchmark, run: Path, right: dict[str, object]) -> None:
    for path in sorted((run / "davis_dog/17").iterdir()):
        path.rename(path.with_suffix(".jpg"))
    assert counts(validate(run, handmade.root)) == {"misnamed-frame": 5}
    assert repair(handmade, run, run.parent / "repaired", PAPER).left == ()
    assert figures(handmade, run.parent / "repaired") == right


def test_odd_clips_are_warnings(handmade: Benchmark, run: Path) -> None:
    made = {
        "davis_dog/17": lambda mask: mask & False,
        "lvos_cats/1": lambda mask: mask | True,
        "lvos_cats/16": lambda mask: ~box(mask.shape),
        "mose_dog/17": lambda mask: box(mask.shape),
    }
    for clip, change in made.items():
        for path in (run / clip).iterdir():
            write_binary(path, change(read_binary(path)))
    found = validate(run, handmade.root)
    assert [(fault.kind, fault.where, fault.severity) for fault in found] == [
        ("empty", str(run / "davis_dog/17"), "warning"),
        ("full", str(run / "lvos_cats/1"), "warning"),
        ("inverted", str(run / "lvos_cats/16"), "warning"),
    ]
    assert "in 9 of 9 frames" in found[2].what
    for path in sorted((run / "lvos_cats/16").iterdir())[:2]:
        write_binary(path, predicted(handmade.clip("lvos_cats/16"), path.stem))
    assert counts(validate(run, handmade.root)) == {"empty": 1, "full": 1}


def box(size: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(size, dtype=bool)
    mask[size[0] // 3 : size[0] // 2, size[1] // 3 : size[1] // 2] = True
    return mask


@pytest.mark.parametrize(
    ("found", "frames", "counted", "first"),
    [
        (range(1, 6), range(5), 5, 1),
        (range(5), range(1, 6), 5, 0),
        (range(9), range(1, 42, 5), 9, 0),
        (range(0, 25, 5), range(5), 5, 0),
        (range(512), range(1, 3001, 5), 512, 0),
        (range(1, 513), range(600), 512, None),  # may be the second to the last but 87th
        (range(1, 601), range(600), 512, 1),
        (range(1, 5), range(5), 5, None),
        (range(6), range(5), 5, None),
        ([1, 2, 3, 4, 6], range(5), 5, None),
        (range(7, 17, 2), range(5), 5, None),  # no beginning that is seen
        ([3], [0], 1, None),
        ([], range(5), 5, None),
    ],
)
def test_renumbered(found: range, frames: range, counted: int, first: int | None) -> None:
    pattern = renumber([f"{one:05d}" for one in found], [f"{one:05d}" for one in frames], counted)
    assert (pattern is None) == (first is None)
    if pattern is not None:
        assert list(pattern.names.values()) == [f"{one:05d}" for one in found]
        assert list(pattern.names) == [f"{one:05d}" for one in frames][: len(found)]


DOG, HORSE, CAT, PERSON, BOOK = map(category, ("dog", "horse", "cat", "person", "book"))


@pytest.mark.parametrize(
    ("numbers", "title"),
    [
        ({"a": {17}, "b": {18, 17}}, ""),
        ({"a": {18}, "b": {19, 18}}, "COCO"),
        ({"a": {16}, "b": {17, 16}}, "counted from 0"),
        ({"a": {18}}, ""),  # one video says too little: a horse may have been predicted there
        ({"a": {18}, "b": {18}}, ""),
        ({"a": {18, 90}}, "COCO"),
        ({"a": {0, 16}}, "counted from 0"),
        ({"a": {0, 90}}, ""),
        ({"a": {12, 90}}, ""),  # no class of COCO has 12
        ({"a": {17}, "b": {19, 18}}, ""),
        ({}, ""),
    ],
)
def test_numbers_of_classes(numbers: dict[str, set[int]], title: str) -> None:
    found = numbering(numbers, {"a": [DOG], "b": [DOG, HORSE]})
    assert found.startswith(title)
    assert bool(found) == bool(title)
