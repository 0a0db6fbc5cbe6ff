"""`icvos eval` and `icvos predict`, end to end on the tiny small world."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from icvos.files.frames import read_ahead
from icvos.files.images import turned
from icvos.files.leases import Leases
from icvos.files.masks import read_binary, write_binary
from icvos.method import load_method
from icvos.own_supports import support_of_files
from icvos.tasks.video import opening, together
from icvos.tasks.video.benchmark import Benchmark
from tests.conftest import icvos

torch = pytest.importorskip("torch", reason="the methods need torch: pip install 'icvos[models]'")

SMALL = ("--set", "short_side=96")  # the size of the drawn videos; 480, the default, takes a dozen times as long
ORACLE = ("eval", "--method", "oracle", *SMALL)
LITE = ("eval", "--method", "lite", *SMALL)


@pytest.fixture(scope="module")
def oracle_run(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "oracle"
    icvos(*ORACLE, "--benchmark", built, "--out", out, "--protocol", "paper", "--protocol", "native")
    return out


def masks(run: Path) -> dict[str, bytes]:
    return {str(path.relative_to(run)): path.read_bytes() for path in sorted(run.rglob("*.png"))}


def scores(run: Path, name: str = "scores.json") -> dict[str, object]:
    found: dict[str, object] = json.loads((run / name).read_text())
    found.pop("run")
    return found


def test_a_run_has_every_frame_of_every_clip(oracle_run: Path, benchmark: Benchmark) -> None:
    for clip in benchmark.clips:
        names = sorted(path.stem for path in (oracle_run / "draw0" / clip.id).iterdir())
        assert names == sorted(clip.video.frames)
        assert read_binary(oracle_run / "draw0" / clip.id / f"{names[0]}.png").shape == clip.video.size
    assert not (oracle_run / "draw1").exists()
    assert not list((oracle_run / ".partial").iterdir())


def test_the_oracle_starts_from_the_true_mask(oracle_run: Path, benchmark: Benchmark) -> None:
    for clip in benchmark.clips:
        first = clip.video.frames[0]
        truth, found = read_binary(clip.mask_path(first)), read_binary(oracle_run / "draw0" / clip.id / f"{first}.png")
        assert (truth & found).sum() / (truth | found).sum() > 0.9


def test_scores_of_two_protocols(oracle_run: Path, benchmark: Benchmark) -> None:
    paper, native = scores(oracle_run), scores(oracle_run, "scores-native@1.json")
    assert (paper["protocol"], native["protocol"]) == ("paper@1", "native@1")
    assert paper["digest"] == native["digest"] == benchmark.digest
    assert 0.3 < paper["overall"]["jf"] <= 1  # type: ignore[index]
    assert paper["overall"]["jf"] != native["overall"]["jf"]  # type: ignore[index]


def test_the_record_says_how_the_run_was_made(oracle_run: Path, benchmark: Benchmark) -> None:
    record = json.loads((oracle_run / "draw0" / "run.json").read_text())
    assert record["method"] == "oracle"
    assert record["sees_truth"] is True
    assert record["benchmark"]["digest"] == benchmark.digest
    assert set(record["clips"]) == {clip.id for clip in benchmark.clips}
    assert record["frames"] == sum(len(clip.video.frames) for clip in benchmark.clips)
    assert record["seconds_per_frame"] > 0
    assert record["versions"]["torch"] == torch.__version__


def test_missing_clips_are_made_again_and_the_rest_is_left(
    oracle_run: Path, built: Path, benchmark: Benchmark, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(oracle_run, run)
    gone, kept = benchmark.clips[0], benchmark.clips[1]
    shutil.rmtree(run / "draw0" / gone.id)
    write_binary(run / "draw0" / kept.id / f"{kept.video.frames[0]}.png", np.zeros(kept.video.size, dtype=bool))
    icvos(*ORACLE, "--benchmark", built, "--out", run)
    assert masks(run / "draw0" / gone.id) == masks(oracle_run / "draw0" / gone.id)
    assert not read_binary(run / "draw0" / kept.id / f"{kept.video.frames[0]}.png").any()
    icvos(*ORACLE, "--benchmark", built, "--out", run, "--overwrite", "always")
    assert masks(run) == masks(oracle_run)
    refusal = icvos(*ORACLE, "--benchmark", built, "--out", run, "--overwrite", "never", status=2)
    assert "holds predictions already" in refusal.stderr


def test_a_killed_run_goes_on_to_the_same_scores(oracle_run: Path, built: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    arguments = [*ORACLE, "--benchmark", str(built), "--out", str(out)]
    process = subprocess.Popen(
        [sys.executable, "-c", "from icvos.cli import main; main()", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not list(out.glob("draw0/*/*")) and process.poll() is None:
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (out / "scores.json").exists()
    icvos(*arguments)
    assert masks(out) == masks(oracle_run)
    assert scores(out) == scores(oracle_run)


def test_lite_with_draws_shots_and_a_choice_of_clips(built: Path, benchmark: Benchmark, tmp_path: Path) -> None:
    name = benchmark.clips[0].video.name
    arguments = ["--benchmark", built, "--out", tmp_path / "run", "--videos", name, "--shots", 2, "--limit", 1]
    icvos(*LITE, "--draws", "1-2", *arguments)
    record = json.loads((tmp_path / "run" / "draw1" / "run.json").read_text())
    assert (record["draw"], record["shots"]) == (1, 2)
    assert record["weights"][0]["sha256"]
    found = scores(tmp_path / "run", "scores-partial.json")
    assert [draw["draw"] for draw in found["overall"]["draws"]] == [1, 2]  # type: ignore[index]
    assert list(found["clips"]) == [benchmark.clips[0].id]  # type: ignore[call-overload]
    other = icvos(*LITE, "--draws", "1", "--benchmark", built, "--out", tmp_path / "run", status=2)
    assert "holds a run with shots 2, not 1" in other.stderr


def test_an_unfinished_run_is_scored_on_purpose(
    built: Path, oracle_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, made = tmp_path / "run", list[int]()
    real = together.follow

    def stopped(*arguments: Any) -> Any:
        if len(made) == 1:
            raise KeyboardInterrupt
        made.append(1)
        return real(*arguments)

    monkeypatch.setattr(together, "follow", stopped)
    icvos(*ORACLE, "--benchmark", built, "--out", out, status=130)
    found = icvos("score", out, "--benchmark", built, status=2)
    assert "score those that are there by --clips-there" in found.stderr
    found = icvos("score", out, "--benchmark", built, "--clips-there")
    partial, whole = (
        json.loads(path.read_text()) for path in (out / "scores-partial.json", oracle_run / "scores.json")
    )
    assert partial["partial"] is True
    first = next(iter(whole["clips"])).partition("/")[0]
    of_first = {clip: found for clip, found in whole["clips"].items() if clip.partition("/")[0] == first}
    assert partial["clips"] == of_first
    assert 1 <= len(of_first) < len(whole["clips"])
    assert not (out / "scores.json").exists()
    assert "partial" in found.stdout


def test_only_clips_that_every_draw_has_are_there(built: Path, benchmark: Benchmark, tmp_path: Path) -> None:
    out = tmp_path / "run"
    first, second, third = benchmark.clips[:3]
    for clip in (first, second, third):
        for draw in ("draw0", "draw1"):
            shutil.copytree(clip.mask_path("00000").parent, out / draw / clip.id)
    shutil.rmtree(out / "draw1" / second.id)
    next((out / "draw0" / third.id).iterdir()).unlink()
    icvos("score", out, "--benchmark", built, "--protocol", "native", "--clips-there")
    assert list(json.loads((out / "scores-native@1-partial.json").read_text())["clips"]) == [first.id]
    shutil.rmtree(out / "draw0" / first.id)
    found = icvos("score", out, "--benchmark", built, "--protocol", "native", "--clips-there", status=2)
    assert "no clip is there with all its masks in every draw" in found.stderr


def test_predict_on_ones_own_video(benchmark: Benchmark, tmp_path: Path) -> None:
    clip = benchmark.clips[0]
    support = benchmark.supports(clip, 0, 1)[0]
    video = clip.video.folder / "JPEGImages"
    arguments = ["--support", support.image_path, "--mask", support.mask_path, "--video", video, *SMALL]
    arguments += ["--out", tmp_path / "m"]
    icvos("predict", *arguments, "--overlay", tmp_path / "overlay.gif")
    assert sorted(path.stem for path in (tmp_path / "m").glob("*.png")) == list(clip.video.frames)
    assert Image.open(tmp_path / "overlay.gif").n_frames == len(clip.video.frames)
    assert "holds these 6 masks already" in icvos("predict", *arguments).stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method", "lit"], "unknown method 'lit'; did you mean lite?"),
        (["--method", "lite", "--set", "sise=3"], "unknown setting 'sise'"),
        (["--method", "lite", "--set", "size"], "write it as name=value"),
        (["--method", "lite", "--draws", "7"], "no draw 7; draws are 0..4"),
        (["--method", "lite", "--draws", "a"], "write numbers like 0 or 0,2"),
        (["--method", "lite", "--shots", "50"], "draws hold 5 supports"),
        (["--method", "lite", "--videos", "nobody"], "no video nobody"),
        (["--method", "lite", "--categories", "toaster"], "no clip matches"),
        (["--method", "lite", "--protocol", "mine"], "unknown protocol 'mine'"),
        (["--method", "lite", "--benchmark", "nowhere"], "nowhere: no such folder"),
    ],
)
def test_bad_input_is_one_line(built: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    given = arguments if "--benchmark" in arguments else [*arguments, "--benchmark", str(built)]
    result = icvos("eval", *given, "--out", tmp_path / "run", status=2)
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_run_folder_that_holds_something_else_is_left_alone(built: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    result = icvos("eval", "--method", "oracle", "--benchmark", built, "--out", tmp_path, status=2)
    assert "holds something that icvos eval did not make" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_own_support_must_fit_its_mask(tmp_path: Path) -> None:
    Image.new("RGB", (8, 6)).save(tmp_path / "a.png")
    write_binary(tmp_path / "small.png", np.ones((5, 8), dtype=bool))
    write_binary(tmp_path / "empty.png", np.zeros((6, 8), dtype=bool))
    for mask, message in (("small.png", "mask of 8x5 pixels, a.png is 8x6"), ("empty.png", "no pixel is set")):
        with pytest.raises(Exception, match=message):
            support_of_files(tmp_path / "a.png", tmp_path / mask)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_turned_by_exif_are_upright_with_their_masks(
    tmp_path: Path, orientation: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The mask of a quarter turn may be drawn on the picture as stored, which its size says."""
    pixels = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as picture:
        upright = np.asarray(ImageOps.exif_transpose(picture))
    write_binary(tmp_path / "upright.png", upright[..., 0] > 60)
    write_binary(tmp_path / "stored.png", pixels[..., 0] > 60)
    assert np.array_equal(turned(pixels, orientation), upright)
    quarter = orientation >= 5
    for name in ("upright.png", "stored.png") if quarter else ("upright.png",):
        support = support_of_files(tmp_path / "a.png", tmp_path / name)
        assert np.array_equal(support.image(), upright)
        assert np.array_equal(support.mask(), upright[..., 0] > 60)
    assert [str(tmp_path / "a.png") in record.getMessage() for record in caplog.records] == [True] * (
        1 < orientation < 5
    )


def test_a_mask_of_the_whole_picture_is_a_notice(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Image.new("RGB", (8, 6)).save(tmp_path / "a.png")
    write_binary(tmp_path / "full.png", np.ones((6, 8), dtype=bool))
    support_of_files(tmp_path / "a.png", tmp_path / "full.png")
    assert "full.png: every pixel is set" in caplog.text


def test_frames_are_read_ahead_in_order_and_no_further(tmp_path: Path) -> None:
    for number in range(6):
        Image.new("RGB", (4, 3), (number, 0, 0)).save(tmp_path / f"{number}.png")
    taken: list[Path] = []

    def paths() -> object:
        for path in sorted(tmp_path.iterdir()):
            taken.append(path)
            yield path

    stream = read_ahead(paths(), ahead=2)  # type: ignore[arg-type]
    assert next(stream)[0, 0, 0] == 0
    assert len(taken) == 3
    assert [int(frame[0, 0, 0]) for frame in stream] == [1, 2, 3, 4, 5]


def test_methods_lists_what_is_installed() -> None:
    assert "lite" in icvos("methods").output
    assert load_method("oracle")


@pytest.mark.parametrize("setting", ["block=99", "recent=-2"])
def test_a_refused_setting_does_not_bind_the_folder(built: Path, tmp_path: Path, setting: str) -> None:
    pytest.importorskip("torch", reason="lite needs torch: pip install 'icvos[models]'")
    run = ("eval", "--method", "lite", "--benchmark", built, "--out", tmp_path / "run", "--draws", 0, "--limit", 1)
    refusal = icvos(*run, "--set", setting, status=2).stderr
    assert len(refusal.splitlines()) == 1
    icvos(*run, "--set", "short_side=96")
    assert "settings.short_side 96, not 120" in icvos(*run, "--set", "short_side=120", status=2).stderr


EVAL = "import sys; from icvos.cli import main; main(sys.argv[1:])"


def test_two_at_once_on_one_folder(oracle_run: Path, built: Path, tmp_path: Path) -> None:
    """They make the run together, and each scores it."""
    out = tmp_path / "run"
    command = [sys.executable, "-c", EVAL, *ORACLE, "--benchmark", str(built), "--out", str(out)]
    started = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    for process in started:
        said = process.communicate()[1]
        assert (process.returncode, said) == (0, "")
    assert masks(out) == masks(oracle_run)
    assert scores(out) == scores(oracle_run)


@pytest.mark.parametrize("mode", ["never", "always", "only-missing"])
def test_a_run_that_makes_everything_again_is_alone(built: Path, tmp_path: Path, mode: str) -> None:
    out = tmp_path / "run"
    (out / ".partial" / "other").mkdir(parents=True)
    with Leases(out / ".claims") as other:
        if mode == "only-missing":
            assert other.take(opening.ALL)
        refusal = icvos(*ORACLE, "--benchmark", built, "--out", out, "--overwrite", mode, status=2).stderr
    assert refusal.startswith(f"icvos: {out}: another process ({os.getpid()}) is working on it; ")
    assert (out / ".partial" / "other").is_dir()


def changed_record(run: Path, **changes: object) -> None:
    path = run / "draw0" / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_clip_that_its_record_does_not_name_is_made_again(
    oracle_run: Path, built: Path, benchmark: Benchmark, tmp_path: Path
) -> None:
    """A kill may come between the two; whose mask it is nobody knows then."""
    run = tmp_path / "run"
    shutil.copytree(oracle_run, run)
    clip = benchmark.clips[0]
    first = run / "draw0" / clip.id / f"{clip.video.frames[0]}.png"
    write_binary(first, np.zeros(clip.video.size, dtype=bool))
    named = json.loads((run / "draw0" / "run.json").read_text())["clips"]
    changed_record(run, clips={name: made for name, made in named.items() if name != clip.id})
    icvos(*ORACLE, "--benchmark", built, "--out", run)
    assert masks(run) == masks(oracle_run)
    (run / "draw0" / benchmark.clips[1].id / f"{benchmark.clips[1].video.frames[0]}.png").write_bytes(b"")
    icvos(*ORACLE, "--benchmark", built, "--out", run)
    assert masks(run) == masks(oracle_run)
    assert json.loads((run / "draw0" / "run.json").read_text())["clips"].keys() == named.keys()


def test_another_method_never_inherits_masks(
    oracle_run: Path, built: Path, benchmark: Benchmark, tmp_path: Path
) -> None:
    """``always`` with another method that is stopped at once leaves none of the first method's masks."""
    run = tmp_path / "run"
    shutil.copytree(oracle_run, run)
    lite = (*LITE, "--draws", 0, "--benchmark", built)
    icvos(*lite, "--out", run, "--overwrite", "always", "--limit", 1)
    assert {path.parent.name for path in (run / "draw0").glob("*/*/*.png")} == {str(benchmark.clips[0].category.index)}
    icvos(*lite, "--out", run, "--limit", 2)
    icvos(*lite, "--out", tmp_path / "alone", "--limit", 2)
    assert masks(run) == masks(tmp_path / "alone")


def test_always_keeps_the_other_clips_of_the_same_run(
    oracle_run: Path, built: Path, benchmark: Benchmark, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(oracle_run, run)
    icvos(*ORACLE, "--benchmark", built, "--out", run, "--overwrite", "always", "--limit", 1)
    assert masks(run) == masks(oracle_run)
    record = json.loads((run / "draw0" / "run.json").read_text())
    assert set(record["clips"]) == {clip.id for clip in benchmark.clips}
    assert record["frames"] == sum(len(clip.video.frames) for clip in benchmark.clips)
