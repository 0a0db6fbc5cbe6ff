"""`icvos predict`: what is looked at before the work, and what stands after it."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from icvos.drawing.animation import write_animation
from icvos.errors import IcvosError
from icvos.files.frames import Frames, open_frames
from icvos.files.masks import write_binary
from icvos.own_supports import support_of_files
from icvos.own_video import write_overlay
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
    return own_of(benchmark)


def own_of(benchmark: Benchmark) -> Own:
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


def shades(count: int) -> list[np.ndarray]:
    """Frames that all differ: writers of animations put equal ones together."""
    return [np.full((48, 64, 3), 15 * number, dtype=np.uint8) for number in range(count)]


def masks(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.png")}


@pytest.fixture(scope="module")
def whole(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The masks of an uninterrupted prediction."""
    pytest.importorskip("torch")
    out = tmp_path_factory.mktemp("whole") / "m"
    icvos("predict", *own_of(Benchmark.open(built)).arguments, "--out", out)
    return out


def stop_at(monkeypatch: pytest.MonkeyPatch, step: int, error: BaseException | None = None) -> list[int]:
    """Let the propagator of lite raise (Ctrl-C, where no error is given) at a step; the steps that it is asked for."""
    from icvos.models.affinity import AffinityPropagator

    real, steps = AffinityPropagator.step, list[int]()

    def counted(self: AffinityPropagator, frame: np.ndarray) -> np.ndarray:
        steps.append(1)
        found = real(self, frame)
        if len(steps) == step:  # after it has remembered the frame, the worst moment
            raise error or KeyboardInterrupt
        return found

    monkeypatch.setattr(AffinityPropagator, "step", counted)
    return steps


def test_a_stopped_prediction_says_so_and_goes_on_with_the_same_masks(
    own: Own, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "m"
    with monkeypatch.context() as patched:
        stop_at(patched, 3)
        found = icvos("predict", *own.arguments, "--out", out, status=130)
    assert found.stderr == "icvos: stopped: 3 of 6 frames are done; run the same command again to go on\n"
    assert not out.exists()
    with monkeypatch.context() as patched:
        steps = stop_at(patched, 0)
        icvos("predict", *own.arguments, "--out", out)
    assert len(steps) == 3
    assert masks(out) == masks(whole)
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_other_arguments_begin_anew(own: Own, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "m"
    with monkeypatch.context() as patched:
        stop_at(patched, 3)
        icvos("predict", *own.arguments, "--set", "recent=1", "--out", out, status=130)
    icvos("predict", *own.arguments, "--out", out)
    assert masks(out) == masks(whole)


@pytest.mark.parametrize("damage", [b"", b"no zip", None])
def test_a_memory_that_cannot_be_read_begins_anew(
    own: Own, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: bytes | None
) -> None:
    out = tmp_path / "m"
    with monkeypatch.context() as patched:
        stop_at(patched, 3)
        icvos("predict", *own.arguments, "--out", out, status=130)
    memory = tmp_path / ".m.partial" / ".memory.npz"
    memory.unlink() if damage is None else memory.write_bytes(damage)
    icvos("predict", *own.arguments, "--out", out)
    assert masks(out) == masks(whole)


def test_a_frame_that_vanishes_is_one_line_and_costs_no_work(own: Own, whole: Path, tmp_path: Path) -> None:
    video = tmp_path / "video"
    shutil.copytree(own.video, video)
    frames = sorted(video.iterdir())
    kept = frames[4].read_bytes()
    real = Frames.after

    def after(self: Frames, count: int) -> Iterator[tuple[str, np.ndarray]]:
        for name, image in real(self, count):
            if name == frames[3].stem:
                frames[4].unlink()
            yield name, image

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Frames, "after", after)
        arguments = Own(own.picture, own.mask, video).arguments
        found = icvos("predict", *arguments, "--out", tmp_path / "m", status=2)
    assert found.stderr.startswith(f"icvos: {frames[4]}: no such file")
    frames[4].write_bytes(kept)
    with pytest.MonkeyPatch.context() as patched:
        steps = stop_at(patched, 0)
        icvos("predict", *arguments, "--out", tmp_path / "m")
    assert len(steps) == 2
    assert masks(tmp_path / "m") == masks(whole)


def test_a_killed_prediction_goes_on(own: Own, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "m"
    code = (
        "import icvos.own_masks as m; m.SAVE_SECONDS = 0; import os; from icvos.models.affinity import "
        "AffinityPropagator as A; r = A.step; n = []\n"
        "def s(self, f):\n n.append(1)\n if len(n) == 4: os.kill(os.getpid(), 9)\n return r(self, f)\n"
        "A.step = s; from icvos.cli import main; main()"
    )
    command = [sys.executable, "-c", code, "predict", *map(str, own.arguments), "--out", str(out)]
    assert subprocess.run(command, check=False, capture_output=True).returncode == -signal.SIGKILL
    assert len(masks(tmp_path / ".m.partial")) == 4
    with pytest.MonkeyPatch.context() as patched:
        steps = stop_at(patched, 0)
        icvos("predict", *own.arguments, "--out", out)
    assert len(steps) == 2
    assert masks(out) == masks(whole)


def test_masks_that_are_there_are_used(own: Own, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "m"
    shutil.copytree(whole, out)
    steps = stop_at(monkeypatch, 1)
    found = icvos("predict", *own.arguments, "--out", out, "--overlay", tmp_path / "o.webp")
    assert f"{out}: holds these 6 masks already" in found.stderr
    assert not steps
    assert Image.open(tmp_path / "o.webp").n_frames == 6
    (out / "00003.png").unlink()
    assert "holds 5 of its 6 masks; remove it" in icvos("predict", *own.arguments, "--out", out, status=2).stderr


@pytest.mark.parametrize("change", ["setting", "mask", "video", "method"])
def test_masks_of_something_else_are_left_alone(own: Own, whole: Path, tmp_path: Path, change: str) -> None:
    out, video, mask = tmp_path / "m", tmp_path / "video", tmp_path / "mask.png"
    shutil.copytree(whole, out)
    shutil.copytree(own.video, video)
    Image.fromarray(np.asarray(Image.open(own.mask))[:, ::-1].copy()).save(mask)
    (video / "00005.jpg").unlink()
    changed = {
        "setting": ([*own.arguments, "--set", "recent=1"], "masks of setting recent=2, not 1"),
        "mask": (Own(own.picture, mask, own.video).arguments, "masks of other supports"),
        "video": (Own(own.picture, own.mask, video).arguments, "masks of another video"),
        "method": ([*own.arguments[:-2], "--method", "memory", "--allow-random-weights"], "method lite, not memory"),
    }
    arguments, message = changed[change]
    if change == "method":
        pytest.importorskip("sam2")
    found = icvos("predict", *arguments, "--out", out, status=2)
    assert message in found.stderr
    assert masks(out) == masks(whole)


def test_a_stopped_overlay_says_that_the_masks_are_there(
    own: Own, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    shutil.copytree(whole, tmp_path / "m")
    monkeypatch.setattr("icvos.drawing.animation.write_animation", stop)
    words = "predict", *own.arguments, "--out", tmp_path / "m", "--overlay", tmp_path / "o.gif"
    assert (
        "stopped: the masks of all 6 frames are done, but not all that is made of them; run"
        in icvos(*words, status=130).stderr
    )


def test_frames_whose_names_are_no_utf8_give_masks_of_the_same_names(own: Own, whole: Path, tmp_path: Path) -> None:
    video = tmp_path / "video"
    video.mkdir()
    for number, frame in enumerate(sorted(own.video.iterdir())):
        shutil.copy(frame, os.fsencode(video) + b"/caf\xe9 %d.jpg" % number)
    arguments = Own(own.picture, own.mask, video).arguments
    icvos("predict", *arguments, "--out", tmp_path / "m", "--overlay", tmp_path / "o.gif")
    assert sorted(masks(tmp_path / "m").values()) == sorted(masks(whole).values())
    assert all(b"caf\xe9" in os.fsencode(name) for name in masks(tmp_path / "m"))


@pytest.mark.parametrize(
    ("suffix", "fps", "shown", "seconds"),
    [(".gif", 5, 12, 2.4), (".gif", 60, 6, 0.2), (".webp", 60, 12, 0.2), (".mp4", 24, 12, 0.5)],
)
def test_an_overlay_is_as_fast_as_its_video(
    tmp_path: Path, suffix: str, fps: float, shown: int, seconds: float
) -> None:
    pytest.importorskip("av")
    write_animation(tmp_path / "film.mp4", shades(12), fps=fps)
    frames = open_frames(tmp_path / "film.mp4")
    for name, image in frames:
        write_binary(tmp_path / "m" / f"{name}.png", np.ones(image.shape[:2], dtype=bool))
    write_overlay(tmp_path / f"o{suffix}", frames, {"object": tmp_path / "m"})
    found = open_frames(tmp_path / f"o{suffix}")
    assert found.count == shown
    assert shown / (found.fps or 0) == pytest.approx(seconds, rel=0.02)


def test_the_rate_of_a_folder_of_frames_can_be_given(own: Own, whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "m")
    words = "predict", *own.arguments, "--out", tmp_path / "m", "--overlay", tmp_path / "o.gif"
    for option, fps in (([], 12), (["--fps", 25], 25)):
        icvos(*words, *option)
        assert open_frames(tmp_path / "o.gif").fps == pytest.approx(fps, rel=0.03)
    assert "--fps" in icvos(*words, "--fps", 0, status=2).stderr
    assert "--fps is of the overlay; give --overlay too" in icvos(*words[:-2], "--fps", 5, status=2).stderr


def test_an_overlay_never_replaces_what_it_is_made_from(own: Own, tmp_path: Path) -> None:
    film = tmp_path / "film.gif"
    write_animation(film, [np.full((48, 64, 3), 90, dtype=np.uint8)] * 3)
    before = film.read_bytes()
    arguments = Own(own.picture, own.mask, film).arguments
    found = icvos("predict", *arguments, "--out", tmp_path / "m", "--overlay", film, status=2)
    assert "would be written over" in found.stderr
    assert film.read_bytes() == before


def test_render_draws_what_predict_made(own: Own, whole: Path, tmp_path: Path) -> None:
    words = "render", "--video", own.video, "--predictions", whole, "--out", tmp_path / "o"
    for kind, file in (("gif", "JPEGImages.gif"), ("sheet", "JPEGImages.png")):
        icvos(*words, "--kind", kind, "--height", 96)
        assert (tmp_path / "o" / file).is_file()
    found = open_frames(tmp_path / "o" / "JPEGImages.gif")
    assert (found.count, found.fps) == (6, pytest.approx(12, rel=0.03))
    assert next(iter(found))[1].shape[0] == 96


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{whole}"], "masks that icvos predict made, not a benchmark; draw them with: icvos render --video VIDEO"),
        (["--predictions", "{whole}"], "--predictions of what? give the benchmark, or the --video"),
        (["--video", "{video}"], "give its masks too, by --predictions; icvos predict makes them"),
        (["--video", "{video}", "--predictions", "{empty}"], "no mask of frame 00000 of"),
        (["--video", "{video}", "--predictions", "{whole}", "--errors"], "--errors: a video of your own has no truth"),
        (["--video", "{video}", "--predictions", "{whole}", "--clips", "a/1"], "--clips: a video of your own has no"),
        (["--video", "{video}", "{benchmark}", "--predictions", "{whole}"], " beside --video; give one or the other"),
        (["--video", "{picture}", "--predictions", "{whole}"], "no mask of frame"),
    ],
)
def test_render_says_what_is_missing(
    own: Own, whole: Path, built: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "empty").mkdir()
    places = {"whole": whole, "video": own.video, "empty": tmp_path / "empty", "benchmark": built}
    words = [word.format(**places, picture=own.picture) for word in arguments]
    found = icvos("render", *words, "--out", tmp_path / "o", status=2)
    assert message in found.stderr
    assert len(found.stderr.splitlines()) == 1


def test_what_predict_made_is_scored_as_any_folder_of_masks(whole: Path) -> None:
    assert "J&F 100.00" in icvos("score", whole, whole).stdout
