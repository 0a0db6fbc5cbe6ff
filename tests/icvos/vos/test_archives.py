"""Archives as people send them score as their folders do; hostile ones are refused before anything is unpacked."""

import io
import os
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from icvos.errors import IcvosError
from icvos.files.archives.entries import ArchiveError, Limits
from icvos.vos import source
from icvos.vos.folders import FolderScores, score_folders
from tests.conftest import icvos
from tests.icvos.vos.test_folders import square, write_video

FRAMES = 5
VIDEOS = ("bmx-trees", "dog")
Name = Callable[[str, int], str]


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place for temporary folders; whatever happens, nothing is left in it."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    for video in VIDEOS:
        write_video(tmp_path / "gt" / video, [square(number, 255) for number in range(FRAMES)], grey=True)
    return tmp_path / "gt"


def prediction(video: str, number: int) -> np.ndarray:
    return square(number + 1 + len(video) % 3, 255)


def encoded(mask: np.ndarray, mode: str = "1") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(mask).convert(mode).save(buffer, "PNG")
    return buffer.getvalue()


def files(name: Name, mode: str = "1") -> dict[str, bytes]:
    return {
        name(video, number): encoded(prediction(video, number), mode) for video in VIDEOS for number in range(FRAMES)
    }


def plain(video: str, number: int) -> str:
    return f"{video}/{number:05d}.png"


def zipped(path: Path, content: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, content: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in content.items():
            one = tarfile.TarInfo(name)
            one.size = len(data)
            archive.addfile(one, io.BytesIO(data))
    return path


def figures(scores: FolderScores) -> list[tuple[str, list[float], list[float]]]:
    return [(video.video, one.j.tolist(), one.f.tolist()) for video in scores.videos for one in video.objects]


@pytest.fixture
def expected(tmp_path: Path, truth: Path) -> FolderScores:
    for name, data in files(plain).items():
        (tmp_path / "unpacked" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "unpacked" / name).write_bytes(data)
    return score_folders(tmp_path / "unpacked", truth, skip_ends=True, objects="binary")


JUNK = {
    "__MACOSX/x/._00001.png": b"\0",
    "__MACOSX/dog/00001.png": b"\0",
    ".DS_Store": b"\0",
    "readme.txt": b"hello",
    "x/Thumbs.db": b"\0",
    "x/figures.zip": b"PK",
    "x/scores.mat": b"\0" * 100,
    "x/teaser.jpg": b"\xff\xd8\xff",
    "videos/camel/00000.png": encoded(square(3)),
}
NAMED: dict[str, Name] = {
    "plain": plain,
    "one root folder": lambda video, number: f"my masks (1)/{plain(video, number)}",
    "deep": lambda video, number: f"DAVIS/Results/Segmentations/480p/osvos/{plain(video, number)}",
    "capitals": lambda video, number: f"X/{video.upper()}/{number:05d}.PNG",
    "underscores": lambda video, number: f"{video.replace('-', '_')}/{number:05d}.png",
    "a folder in each video": lambda video, number: f"x/{video}/masks/{number:05d}.png",
    "short numbers": lambda video, number: f"{video}/{number}.png",
    "the video in every name": lambda video, number: f"{video}/{video}_{number:04d}.png",
    "numbered from one": lambda video, number: f"{video}/{number + 1:05d}.png",
}


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize("name", NAMED)
def test_archives_as_people_send_them(
    tmp_path: Path, truth: Path, expected: FolderScores, temporary: Path, name: str, pack: Callable[..., Path]
) -> None:
    path = pack(tmp_path / "masks.zip", files(NAMED[name]) | JUNK)
    found = score_folders(path, truth, skip_ends=True, objects="binary")
    assert figures(found) == figures(expected)
    assert f"{path}/videos/camel: the truth has no such video; not scored" in found.warnings
    assert any("numbered otherwise" in line for line in found.warnings) == (name == "numbered from one")
    assert not any(str(temporary) in line for line in found.warnings)
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16"])
def test_modes_of_masks(tmp_path: Path, truth: Path, expected: FolderScores, mode: str) -> None:
    path = zipped(tmp_path / "masks.zip", files(plain, mode))
    assert figures(score_folders(path, truth, skip_ends=True, objects="binary")) == figures(expected)


@pytest.mark.parametrize("ends", [(0,), (FRAMES - 1,), (0, FRAMES - 1)])
def test_first_and_last_masks_may_be_missing_where_they_do_not_count(
    tmp_path: Path, truth: Path, expected: FolderScores, ends: tuple[int, ...]
) -> None:
    content = {name: data for name, data in files(plain).items() if int(Path(name).stem) not in ends}
    path = zipped(tmp_path / "masks.zip", content)
    assert figures(score_folders(path, truth, skip_ends=True, objects="binary")) == figures(expected)
    name = f"bmx-trees/{ends[0]:05d}.png"
    with pytest.raises(IcvosError, match=rf"masks.zip/{name}: no such mask, and \d more; every frame"):
        score_folders(path, truth, objects="binary")


def test_of_two_copies_that_of_the_true_size_counts(tmp_path: Path, truth: Path, expected: FolderScores) -> None:
    large = {f"1080p/{name}": encoded(square(0, size=(48, 64))) for name in files(plain)}
    path = zipped(tmp_path / "masks.zip", large | {f"480p/{name}": data for name, data in files(plain).items()})
    assert figures(score_folders(path, truth, skip_ends=True, objects="binary")) == figures(expected)
    twice = {f"{side}/{name}": data for side in "ab" for name, data in files(plain).items()}
    with pytest.raises(
        IcvosError, match=r"two.zip: masks of bmx-trees in 2 folders \(a/bmx-trees, b/bmx-trees\); keep"
    ):
        score_folders(zipped(tmp_path / "two.zip", twice), truth, objects="binary")


def test_only_what_is_scored_is_unpacked(tmp_path: Path, truth: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr(source, "write", lambda path, chosen, folder, limits: written.extend(e.name for e in chosen))
    path = zipped(tmp_path / "masks.zip", files(plain) | JUNK)
    with pytest.raises(IcvosError, match="no such file; predict the frame"):
        score_folders(path, truth, skip_ends=True, videos=["dog"])
    assert sorted(written) == [plain("dog", number) for number in range(1, FRAMES - 1)]


def test_soft_edges_count_as_the_object_with_a_warning(tmp_path: Path, truth: Path, expected: FolderScores) -> None:
    soft = {}
    for video in VIDEOS:
        for number in range(FRAMES):
            mask = prediction(video, number)
            edge = mask.copy()
            edge[4, mask[4] > 0] = np.arange(20, 240, 22)[: np.count_nonzero(mask[4])]
            soft[plain(video, number)] = encoded(edge, "L")
    path = zipped(tmp_path / "masks.zip", soft)
    for objects in ("binary", "all"):
        found = score_folders(path, truth, skip_ends=True, objects=objects)  # type: ignore[arg-type]
        assert figures(found) == figures(expected)
        assert f"{path}/bmx-trees, and 1 more: shades of grey" in found.warnings[-1]


HOSTILE = [
    ({"../escaped.png": b"x"}, "leads out"),
    ({"/escaped.png": b"x"}, "leads out"),
    ({"dog/../../escaped.txt": b"x"}, "leads out"),
    ({"dog": b"x"}, "both a file and a folder"),
    ({"dog/00009.png": b"\0" * (3 << 20)}, "times its size"),
]


@pytest.mark.parametrize(("more", "what"), HOSTILE)
def test_hostile_archives_are_refused(
    tmp_path: Path, truth: Path, temporary: Path, more: dict[str, bytes], what: str
) -> None:
    path = zipped(tmp_path / "masks.zip", files(plain) | more)
    with pytest.raises(ArchiveError) as caught:
        score_folders(path, truth, objects="binary")
    assert any(what in fault.what for fault in caught.value.faults)
    assert not list(temporary.iterdir())
    assert {entry.name for entry in tmp_path.iterdir()} == {"gt", "masks.zip", "temporary"}


def test_a_link_in_an_archive_is_refused(tmp_path: Path, truth: Path) -> None:
    path = tarred(tmp_path / "masks.tgz", files(plain))
    link = tarfile.TarInfo("dog/00009.png")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with tarfile.open(tmp_path / "masks.tar", "w") as archive, tarfile.open(path) as whole:
        for one in whole:
            archive.addfile(one, whole.extractfile(one))
        archive.addfile(link)
    with pytest.raises(ArchiveError, match="a link or a special file"):
        score_folders(tmp_path / "masks.tar", truth, objects="binary")


def test_a_mask_of_gigapixels_is_never_decoded(tmp_path: Path, truth: Path) -> None:
    huge = encoded(np.zeros((1, 1), np.uint8))
    huge = huge[:16] + (60_000).to_bytes(4, "big") * 2 + huge[24:]
    path = zipped(tmp_path / "masks.zip", files(plain) | {"dog/00002.png": huge})
    with pytest.raises(IcvosError, match=r"masks.zip/dog/00002.png: mask of 60000x60000 pixels, the truth is 32x24"):
        score_folders(path, truth, objects="binary")


def test_totals_are_limited(tmp_path: Path) -> None:
    path = zipped(tmp_path / "masks.zip", files(plain) | JUNK)
    for limits, match in ((Limits(total_bytes=200), "200 at most"), (Limits(entries=9), "more than 9 files")):
        with pytest.raises(ArchiveError, match=match), source.opened_source(path, limits) as opened:
            opened.files()


def test_archives_without_masks_say_what_to_do(tmp_path: Path, truth: Path) -> None:
    inner = zipped(tmp_path / "inner.zip", files(plain)).read_bytes()
    with pytest.raises(IcvosError, match=r"outer.zip: .*unpack it, and give results/inner.zip in it"):
        score_folders(zipped(tmp_path / "outer.zip", {"results/inner.zip": inner}), truth)
    with pytest.raises(IcvosError, match=r"empty.zip: .*holds no masks as <video>/<frame>.png; pack the folders"):
        score_folders(zipped(tmp_path / "empty.zip", {"readme.txt": b""}), truth)
    with pytest.raises(IcvosError, match=r"other.zip/bmx-trees: no such video, and 1 more; predict it"):
        score_folders(zipped(tmp_path / "other.zip", {"bear/00000.png": b""}), truth)
    (tmp_path / "page.zip").write_text("<html>404</html>")
    with pytest.raises(IcvosError, match=r"page.zip: neither a folder nor a zip or tar.gz file"):
        score_folders(tmp_path / "page.zip", truth)
    with pytest.raises(IcvosError, match=r"absent.tar.gz: no such file, check the name"):
        score_folders(tmp_path / "absent.tar.gz", truth)
    os.mkfifo(tmp_path / "pipe.zip")
    with pytest.raises(IcvosError, match=r"pipe.zip: neither a folder nor"):
        score_folders(tmp_path / "pipe.zip", truth)
    with pytest.raises(IcvosError, match=r"inner.zip: is a file: unpack it"):
        score_folders(truth, tmp_path / "inner.zip")


def test_the_command_writes_tables(tmp_path: Path, truth: Path, expected: FolderScores) -> None:
    path = tarred(tmp_path / "masks.tar.gz", files(NAMED["deep"]) | JUNK)
    options = ("--objects", "binary", "--skip-ends", "--csv", tmp_path / "results" / "osvos")
    shown = icvos("score", path, truth, *options).output
    overall = expected.to_result().overall
    rows = [line.split() for line in shown.splitlines()]
    assert next(row for row in rows if row[:1] == ["all"])[:5] == ["all", "2", "6", *figures_of(overall.jf, overall.j)]
    assert next(row for row in rows if row[:1] == ["dog"])[:3] == ["dog", "1", "3"]
    text = (tmp_path / "results/osvos/global_results.csv").read_text()
    assert text.startswith(f"J&F-Mean,J-Mean,J-Recall,J-Decay,F-Mean,F-Recall,F-Decay\n{overall.jf!r},{overall.j!r},")
    lines = (tmp_path / "results/osvos/per-sequence_results.csv").read_text().splitlines()
    assert lines[0] == "Sequence,J&F-Mean,J-Mean,J-Recall,J-Decay,F-Mean,F-Recall,F-Decay"
    assert [line.partition(",")[0] for line in lines[1:]] == ["bmx-trees_1", "dog_1"]
    refused = icvos("score", path, "--benchmark", truth, "--csv", tmp_path, status=2).output
    assert "--csv is for scoring against a folder GT" in refused


def figures_of(*values: float) -> list[str]:
    return [f"{100 * value:.2f}" for value in values]
