"""Benchmarks of videos as they are opened: every folder of a published copy counts, or is named."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from icvos.errors import IcvosError
from icvos.tasks.video.benchmark import Benchmark, guess_source
from tests.conftest import World, icvos
from tests.icvos.handmade import write_benchmark

DOG = Path("davis_dog-walk")
CAR = Path("davis_car-park")


@pytest.fixture
def published(built: Path, tmp_path: Path) -> Path:
    for name in (DOG, CAR):
        shutil.copytree(built / "videos" / name, tmp_path / "published" / name)
    return tmp_path / "published"


def put(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")


def rename(path: Path, name: str) -> None:
    path.rename(path.with_name(name))


def first(folder: Path) -> Path:
    return sorted(folder.iterdir())[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda dog: rename(dog / "Annotations/17", "017"), "Annotations/017: .*rename it to 17"),
        (lambda dog: rename(dog / "Annotations/17", "dog"), "Annotations/dog: .*rename it to 17"),
        (lambda dog: (dog / "Annotations/0").mkdir(), "Annotations/0: no class of COCO"),
        (lambda dog: (dog / "Annotations/81").mkdir(), "Annotations/81: no class of COCO"),
        (lambda dog: (dog / "Annotations/unknown").mkdir(), "Annotations/unknown: no class of COCO"),
        (lambda dog: (dog / "Annotations/5").mkdir(), "Annotations/5: no mask of frame"),
        (lambda dog: put(dog / "Annotations/5"), "Annotations/5: a file where .*folder"),
        (lambda dog: put(dog / "Annotations/5.zip"), r"Annotations/5\.zip: a file where .*folder"),
        (lambda dog: put(dog / "Annotations/00000.png"), r"Annotations/00000\.png: a file where .*folder"),
        (lambda dog: first(dog / "Annotations/17").unlink(), "Annotations/17: no mask of frame 00000 .*1 of"),
        (lambda dog: first(dog / "JPEGImages").unlink(), "JPEGImages: no frame for the mask 00000 .*1 of"),
        (lambda dog: shutil.rmtree(dog / "JPEGImages"), "davis_dog-walk: .* no folder JPEGImages"),
        (lambda dog: shutil.rmtree(dog / "Annotations"), "davis_dog-walk: .* no folder Annotations"),
        (lambda dog: (shutil.rmtree(dog / "JPEGImages"), put(dog / "JPEGImages")), "no folder JPEGImages"),
        (lambda dog: (shutil.rmtree(dog / "Annotations"), put(dog / "Annotations")), "no folder Annotations"),
        (lambda dog: shutil.rmtree(dog / "Annotations") or (dog / "Annotations").mkdir(), "Annotations: no class"),
        (lambda dog: rename(dog / "JPEGImages", "jpegimages"), "davis_dog-walk: .* no folder JPEGImages"),
        (lambda dog: (rename(dog / "JPEGImages", "a"), rename(dog / "Annotations", "b")), "davis_dog-walk: .*no video"),
        (lambda dog: (shutil.rmtree(dog), dog.mkdir()), "davis_dog-walk: an empty folder"),
        (lambda dog: (shutil.rmtree(dog), dog.symlink_to("nothing")), "davis_dog-walk: a link to nothing"),
        (lambda dog: (rename(first(dog / "JPEGImages"), "a.jpg")), "frame names must be numbers"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_of_a_published_copy_is_named(
    published: Path, change: Callable[[Path], object], message: str
) -> None:
    change(published / DOG)
    with pytest.raises(IcvosError, match=message):
        Benchmark.open(published)
    assert str(published / DOG) in icvos("info", published, status=2).output


def test_all_faults_of_a_published_copy_are_counted(published: Path) -> None:
    rename(published / DOG / "Annotations/17", "017")
    rename(published / CAR / "Annotations/3", "car")
    put(published / "other" / "Annotations" / "1" / "00000.png")
    with pytest.raises(IcvosError, match=r"car: .*rename it to 3.*\(and 2 more"):
        Benchmark.open(published)


@pytest.mark.parametrize(
    "path",
    ["@eaDir/x", "__MACOSX/x", ".DS_Store", "Thumbs.db", "desktop.ini", ".git/x", "README.md", "ImageSets/a.txt"],
)
def test_what_file_managers_leave_and_texts_are_passed_over(published: Path, path: str) -> None:
    whole = Benchmark.open(published)
    folders = (published, published / DOG, published / DOG / "Annotations", published / DOG / "JPEGImages")
    for folder in (*folders, published / DOG / "Annotations" / "17") if "/a" not in path else folders[:1]:
        put(folder / path)
    found = Benchmark.open(published)
    assert found.clips == whole.clips
    assert found.clips[0].video.frames == whole.clips[0].video.frames


def test_a_folder_without_any_video_is_no_benchmark(tmp_path: Path) -> None:
    put(tmp_path / "notes" / "a.txt")
    with pytest.raises(IcvosError, match="not a benchmark"):
        Benchmark.open(tmp_path)


@pytest.mark.parametrize(
    ("folder", "command"),
    [
        ("", "build --davis {0}/davis --lvos {0}/lvos --mose {0}/mose --coco {0}/coco --curation {0}/curation.csv"),
        ("davis", "build --davis {0}/davis --coco COCO"),
        ("mose", "build --mose {0}/mose --coco COCO --curation ROWS.csv"),
        ("coco", "episodes coco-20i --coco {0}/coco"),
    ],
)
def test_source_data_in_the_place_of_a_benchmark_is_told_with_the_command_that_builds_one(
    world: World, folder: str, command: str
) -> None:
    with pytest.raises(IcvosError) as refused:
        Benchmark.open(world.root / folder)
    told = f"source data, not a benchmark; build one of it with: icvos {command.format(world.root)} --out"
    assert told in str(refused.value)


def test_a_mask_that_left_a_built_benchmark_is_told_with_the_way_back(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built, tmp_path / "b")
    benchmark = Benchmark.open(tmp_path / "b")
    clip = benchmark.clip(f"{DOG}/17")
    (support,) = benchmark.supports(clip, 0, 1)
    for path in (clip.mask_path(clip.video.frames[1]), support.mask_path):
        path.unlink()
        refused = icvos("eval", "--method", "oracle" if path.parent == clip.folder else "lite",
                        "--benchmark", tmp_path / "b", "--out", tmp_path / path.stem, status=2).stderr  # fmt: skip
        assert f"{path}: missing from the benchmark; run the icvos build that made it again" in refused
        assert f"icvos build --check --out {tmp_path / 'b'} lists all that differs" in refused


def test_a_frame_that_left_a_built_benchmark_is_missed(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built, tmp_path / "b")
    first(tmp_path / "b" / "videos" / DOG / "JPEGImages").unlink()
    benchmark = Benchmark.open(tmp_path / "b")
    with pytest.raises(IcvosError, match=r"JPEGImages: (\d+) frames, but icvos\.json says \d+; run the icvos build"):
        _ = benchmark.clip(f"{DOG}/17").video.frames


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("mose_0d06c4fe", "mose"),
        ("lvos_7K7WVzGG", "lvos"),
        ("lvos_abcdefgh", "lvos"),
        ("davis_dog-walk", "davis"),
        ("davis_0d06c4fe", "davis"),
        ("0d06c4fe", "mose"),
        ("7K7WVzGG", "lvos"),
        ("bike-packing", "davis"),
        ("mose", "davis"),
    ],
)
def test_the_source_of_a_video_follows_from_its_name(name: str, source: str) -> None:
    assert guess_source(name) == source


def test_the_videos_of_a_built_benchmark_keep_their_sources(benchmark: Benchmark) -> None:
    opened = Benchmark.open(benchmark.root / "videos")
    assert [(video.name, video.source) for video in opened.videos] == [
        (video.name, video.source) for video in benchmark.videos
    ]


def test_videos_keep_no_paths_and_one_text_for_equal_names(tmp_path: Path) -> None:
    """There may be ten million frames, and a path takes some 300 bytes."""
    one, other = (write_benchmark(tmp_path / name).videos[0] for name in "ab")
    assert [path.name for path in one.frame_paths] == [f"{frame}.jpg" for frame in one.frames]
    assert all(path.is_file() for path in one.frame_paths)
    assert all(name is same for name, same in zip(one.frames, other.frames, strict=True))
    kept = [value for value in vars(one).values() if isinstance(value, tuple)]
    assert len(kept) == 2
    assert not any(isinstance(value, Path) for values in kept for value in values)
