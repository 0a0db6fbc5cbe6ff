"""`icvos predict`: what is looked at before the work, and what stands after it."""

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from icvos.errors import IcvosError
from icvos.own_video import support_of_files
from icvos.tasks.video.benchmark import Benchmark
from tests.conftest import icvos

SMALL = ("--set", "short_side=96")


@dataclass(frozen=True)
class Own:
    """A picture with its mask and a folder of frames, and the arguments that name them."""

    picture: Path
    mask: Path
    video: Path

    @property
    def arguments(self) -> list[object]:
        return ["--support", self.picture, "--mask", self.mask, "--video", self.video, *SMALL]


@pytest.fixture
def own(benchmark: Benchmark) -> Own:
    clip = benchmark.clips[0]
    support = benchmark.supports(clip, 0, 1)[0]
    return Own(support.image_path, support.mask_path, clip.video.folder / "JPEGImages")


@pytest.mark.parametrize(
    ("overlay", "message"),
    [
        ("x.avi", "x.avi: unknown kind of animation; end the name in .gif, .webp, .mp4"),
        ("x", "x: unknown kind of animation"),
        ("folder.gif", "folder.gif: cannot be written (Is a directory); it is a folder, give the name of a file"),
        ("file/x.gif", "x.gif: cannot be written (Not a directory); a file stands where a folder should be"),
        ("/proc/x.webp", "/proc/x.webp: cannot be written ("),
        ("film.mp4", "film.mp4: video files need the package av; run: pip install 'icvos[video]'"),
    ],
)
def test_an_overlay_that_cannot_be_written_is_refused_before_the_first_frame(
    own: Own, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overlay: str, message: str
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "folder.gif").mkdir()
    (tmp_path / "file").touch()
    there = sorted(tmp_path.rglob("*"))
    found = icvos("predict", *own.arguments, "--out", tmp_path / "o", "--overlay", tmp_path / overlay, status=2)
    assert message in found.stderr
    assert len(found.stderr.splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == there


@pytest.mark.parametrize("out", ["file", "file/deep/out", "/proc/out"])
def test_an_out_that_cannot_be_written_is_refused_before_the_first_frame(own: Own, tmp_path: Path, out: str) -> None:
    (tmp_path / "file").touch()
    found = icvos("predict", *own.arguments, "--method", "none such", "--out", tmp_path / out, status=2)
    assert f"{tmp_path / out}: " in found.stderr
    assert len(found.stderr.splitlines()) == 1


@pytest.mark.parametrize("role", ["picture", "mask"])
@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp"])
def test_an_animation_is_no_support(tmp_path: Path, role: str, suffix: str) -> None:
    still = Image.new("L", (8, 6), 255)
    still.save(tmp_path / "still.png")
    moving = tmp_path / f"moving{suffix}"
    still.save(moving, save_all=True, append_images=[Image.new("L", (8, 6), 40)], duration=50)
    pair = {"picture": tmp_path / "still.png", "mask": tmp_path / "still.png", role: moving}
    with pytest.raises(IcvosError, match=rf"moving{suffix}: an animation of 2 pictures; save the one that is meant"):
        support_of_files(pair["picture"], pair["mask"])


def test_an_out_with_leftovers_alone_is_empty(own: Own, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / ".DS_Store").touch()
    icvos("predict", *own.arguments, "--out", tmp_path / "m")
    assert len(list((tmp_path / "m").glob("*.png"))) == len(list(own.video.iterdir()))
