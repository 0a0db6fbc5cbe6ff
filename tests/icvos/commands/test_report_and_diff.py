"""`icvos report` and `icvos diff`, end to end on the tiny small world."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from icvos.files.masks import read_binary, write_binary
from icvos.files.storage import write_json
from icvos.tasks.video.benchmark import Benchmark
from icvos.tasks.video.means import summarise
from icvos.tasks.video.result import VideoResult
from tests import Json
from tests.conftest import icvos

FEW = "unknown: 5 videos say nothing about others, 6 are the fewest that do"


def write_shifted(benchmark: Benchmark, folder: Path, *, pixels: int, still: int | None = None) -> Path:
    """Predictions that drift away from the truth by so many pixels a frame, but for the class ``still``."""
    for clip in benchmark.clips:
        for position, frame in enumerate(clip.video.frames):
            drift = 0 if clip.category.index == still else pixels * position
            write_binary(folder / clip.id / f"{frame}.png", np.roll(read_binary(clip.mask_path(frame)), drift, axis=1))
    write_json(folder / "run.json", {"method": f"drift [red]{pixels}", "sees_truth": not pixels})
    return folder


@pytest.fixture(scope="module")
def runs(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The truth, and predictions that drift by one and by three pixels, scored. Tests must not change it."""
    root, benchmark = tmp_path_factory.mktemp("runs"), Benchmark.open(built)
    for name, pixels, still in (("truth", 0, None), ("one", 1, None), ("three", 3, 17)):
        icvos("score", write_shifted(benchmark, root / name, pixels=pixels, still=still), "--benchmark", built)
    return root


def read(path: Path) -> Json:
    found: Json = json.loads(path.read_text())
    return found


def row(text: str, label: str) -> list[str]:
    """The cells behind a label in a printed table."""
    (line,) = [line for line in text.splitlines() if line.strip().startswith(f"{label} ")]
    return line.strip().removeprefix(label).split()


def test_a_report_of_a_run(runs: Path, benchmark: Benchmark, tmp_path: Path) -> None:
    shown = icvos("report", runs / "three", "--json", tmp_path / "report.json").stdout
    scores, found = read(runs / "three/scores.json"), read(tmp_path / "report.json")
    assert found["analysis"] == scores["analysis"]
    assert (found["protocol"], found["digest"]) == ("paper@1", benchmark.digest)
    assert "drift [red]3, paper@1" in shown
    overall, analysis = scores["overall"], scores["analysis"]
    frames = sum(len(clip.video.frames) for clip in benchmark.clips)
    percent = [f"{100 * overall[key]:.2f}" for key in ("j", "f", "jf")]
    assert row(shown, "all clips") == [str(len(benchmark.clips)), str(frames), *percent]
    assert row(shown, "under 50 frames") == row(shown, "all clips")
    assert row(shown, "recall") == [f"{100 * overall[key]:.2f}" for key in ("j_recall", "f_recall")]
    assert row(shown, "first frame") == [str(len(benchmark.clips)), "100.00", "100.00", "100.00"]
    assert row(shown, "frames after it")[1] == f"{100 * analysis['propagation']['after']['j']:.2f}"
    assert analysis["propagation"]["drop"]["j"] > 0.1
    clips = scores["clips"]
    assert list(found["worst"]) == sorted(clips, key=lambda name: (clips[name]["jf"], name))[:8]
    assert all(found["worst"][name]["jf"] == clips[name]["jf"] for name in found["worst"])
    assert [line.split()[0] for line in shown.splitlines() if re.match(r"  \S+_\S+/\d+ ", line)] == list(found["worst"])


def test_absences_of_the_world_are_found(runs: Path, benchmark: Benchmark) -> None:
    scores = read(runs / "one/scores.json")
    gone, back = 0, 0
    for clip in benchmark.clips:
        shown = [bool(read_binary(clip.mask_path(frame)).any()) for frame in clip.video.frames]
        absent = not all(shown[shown.index(True) :])
        returns = absent and any(shown[shown.index(False, shown.index(True)) :])
        gone, back = gone + absent, back + returns
        assert (scores["clips"][clip.id]["disappearance"] is not None) == absent
        assert (scores["clips"][clip.id]["reappearance"] is not None) == returns
    assert gone > 0
    assert back > 0
    analysis = scores["analysis"]
    assert analysis["disappearance"]["clips"] == gone
    assert analysis["reappearance"]["clips"] == back
    assert analysis["disappearance"]["jf"] == 1  # nothing is predicted where nothing is
    assert analysis["reappearance"]["jf"] < 1


def test_the_share_of_a_ceiling(runs: Path, tmp_path: Path) -> None:
    done = icvos("report", runs / "three", "--ceiling", runs / "truth/scores.json", "--json", tmp_path / "report.json")
    assert done.stderr == "note: drift [red]0 is equal to the truth in 100 % of the masks\n"
    own = read(runs / "three/scores.json")["overall"]["jf"]
    ceiling = read(tmp_path / "report.json")["analysis"]["ceiling"]
    assert (ceiling["jf"], ceiling["share"]["jf"]) == (1, pytest.approx(own))
    assert row(done.stdout, "all clips")[-1] == f"{100 * own:.2f}"
    assert "ceiling: drift [red]0" in done.stdout
    doubted = icvos("report", runs / "truth", "--ceiling", runs / "one").stderr
    assert "note: drift [red]1 does not say that it sees the truth; is it a ceiling?" in doubted


def test_a_difference_between_runs(runs: Path, benchmark: Benchmark, tmp_path: Path) -> None:
    shown = icvos("diff", runs / "one", runs / "three", "--most", 2, "--json", tmp_path / "diff.json").stdout
    found, one, three = read(tmp_path / "diff.json"), *(read(runs / f"{name}/scores.json") for name in ("one", "three"))
    assert (found["a"]["name"], found["b"]["draws"]) == ("drift [red]1", [0])
    assert found["clips"] == len(benchmark.clips)
    for key in ("j", "f", "jf"):
        assert found["overall"][key]["a"] == pytest.approx(one["overall"][key])
        assert found["overall"][key]["b"] == pytest.approx(three["overall"][key])
    differences = {clip: one["clips"][clip]["jf"] - three["clips"][clip]["jf"] for clip in one["clips"]}
    most = sorted(differences, key=lambda clip: -abs(differences[clip]))
    assert list(found["by_clip"])[:2] == most[:2]
    assert all(found["by_clip"][clip]["difference"] == difference for clip, difference in differences.items())
    assert all(f"  {clip} " in shown for clip in most[:2])
    assert not any(f"  {clip} " in shown for clip in most[2:])
    assert found["categories"]["dog"]["difference"] < 0 < found["categories"]["person"]["difference"]
    assert row(shown, "dog")[-1] == f"{100 * found['categories']['dog']['difference']:+.2f}"
    assert found["overall"]["jf"]["verdict"] == "unknown"  # of so few videos
    assert shown.splitlines()[-1] == FEW
    swapped = icvos("diff", runs / "three", runs / "one", "--json", tmp_path / "back.json").stdout
    assert read(tmp_path / "back.json")["overall"]["jf"]["difference"] == -found["overall"]["jf"]["difference"]
    assert "A: drift [red]3" in swapped


def test_a_run_does_not_part_from_itself(runs: Path) -> None:
    shown = icvos("diff", runs / "one", runs / "one/scores.json").stdout
    assert shown.splitlines()[-1] == FEW
    assert "part most" not in shown


def more_videos(scores: Json, times: int) -> Json:
    """A result on as many times the videos, of the same figures under other names."""
    found = VideoResult.model_validate_json(json.dumps(scores))
    clips = {f"{key.replace('/', f'-{n}/')}": clip for key, clip in found.clips.items() for n in range(times)}
    return summarise(clips, {}, protocol=found.protocol, digest=found.digest, run=found.run).to_json()


def test_six_videos_and_more_say_which_is_better(runs: Path, tmp_path: Path) -> None:
    for name in ("one", "truth"):
        write_json(tmp_path / f"{name}.json", more_videos(read(runs / name / "scores.json"), 4))
    last = icvos("diff", tmp_path / "one.json", tmp_path / "one.json").stdout.splitlines()[-1]
    assert last == "tied: J&F +0.00 [+0.00, +0.00] at 95 %, P(A better) 0.5000; the interval contains 0"
    last = icvos("diff", tmp_path / "one.json", tmp_path / "truth.json").stdout.splitlines()[-1]
    assert last.startswith("B is better: J&F -")
    assert last.endswith("at 95 %, P(A better) <0.0001")


def test_results_on_a_board_can_be_compared(runs: Path, built: Path, tmp_path: Path) -> None:
    said = ("--training", "none", "--classes-unseen", "--no-text", "--licence", "MIT", "--parameters", 7)
    icvos("submit", runs / "one", "--benchmark", built, "--name", "submitted", "--board", tmp_path, *said)
    (result,) = tmp_path.glob("*.json")
    facts = {"training": "none", "classes_seen": False, "uses_text": False, "licence": "MIT", "parameters": 7}
    assert read(result)["method"] == facts
    assert read(result)["scores"]["benchmark"]["drawn"]
    assert "A: submitted" in icvos("diff", result, runs / "three").stdout
    assert "submitted, paper@1" in icvos("report", result).stdout


def test_clips_of_one_run_alone_are_named_and_left_out(
    runs: Path, built: Path, benchmark: Benchmark, tmp_path: Path
) -> None:
    people = [clip for clip in benchmark.clips if clip.category.name == "person"]
    others = [clip.id for clip in benchmark.clips if clip not in people]
    icvos("score", runs / "three", "--benchmark", built, "--categories", "person", "--out", tmp_path / "some.json")
    done = icvos("diff", runs / "one", tmp_path / "some.json")
    assert f"note: {len(others)} clips are in A alone and left out: {others[0]}, {others[1]}, " in done.stderr
    assert f"{len(people)} clips of {len({clip.video for clip in people})} videos" in done.stdout
    ceiling = icvos("report", runs / "one", "--ceiling", tmp_path / "some.json").stderr
    assert f"has {len(people)} of the {len(benchmark.clips)} clips" in ceiling


def test_one_video_says_nothing(runs: Path, built: Path, benchmark: Benchmark, tmp_path: Path) -> None:
    video = benchmark.videos[0].name
    icvos("score", runs / "one", "--benchmark", built, "--videos", video, "--out", tmp_path / "one-video.json")
    single = icvos("diff", tmp_path / "one-video.json", runs / "three").stdout
    assert single.splitlines()[-1] == "unknown: 1 video says nothing about others, 6 are the fewest that do"


def test_a_run_folder_may_hold_scores_of_several_protocols(runs: Path, built: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(runs / "one", run)
    (run / "scores.json").unlink()
    icvos("score", run, "--benchmark", built, "--protocol", "native")
    assert ", native@1" in icvos("report", run).stdout  # the only ones there
    assert "there is scores-native@1.json" in icvos("report", run, "--protocol", "paper", status=2).stderr
    icvos("score", run, "--benchmark", built)
    assert ", paper@1" in icvos("report", run).stdout
    assert ", native@1" in icvos("report", run, "--protocol", "native").stdout


def test_other_draws_are_pointed_out(runs: Path, built: Path, tmp_path: Path) -> None:
    for draw in (0, 1):
        shutil.copytree(runs / "one", tmp_path / f"draw{draw}")
    icvos("score", tmp_path, "--benchmark", built)
    done = icvos("diff", tmp_path, runs / "one")
    assert "note: means over different support draws: [0, 1] of A, [0] of B" in done.stderr
    assert done.stdout.splitlines()[-1] == FEW


def test_predictions_for_another_build_are_pointed_out(runs: Path, built: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(runs / "one", run / "draw0")
    write_json(run / "draw0/run.json", {"method": "drift", "benchmark": {"digest": "sha256:" + "0" * 64}})
    for place in (run, Path(shutil.make_archive(str(tmp_path / "packed"), "zip", run))):
        done = icvos("score", place, "--benchmark", built)
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"warning: {place}/")
        assert "run.json: made for another build of the benchmark (sha256:000" in line


def test_what_cannot_be_shown_or_compared_is_one_line(runs: Path, built: Path, tmp_path: Path) -> None:
    icvos("score", runs / "one", "--benchmark", built, "--protocol", "native", "--out", tmp_path / "native.json")
    other, old = read(runs / "one/scores.json"), read(runs / "one/scores.json")
    write_json(tmp_path / "other.json", {**other, "digest": "sha256:" + "0" * 64})
    for clip in old["clips"].values():
        del clip["first"]
    write_json(tmp_path / "stale.json", old)
    del old["analysis"]
    write_json(tmp_path / "old.json", old)
    write_json(tmp_path / "empty.json", {**other, "clips": {}})
    one = runs / "one"
    cases = [
        (["diff", one, tmp_path / "native.json"], "scored under native@1, .* under paper@1; score both under one"),
        (["report", one, "--ceiling", tmp_path / "native.json"], "scored under native@1"),
        (["diff", one, tmp_path / "other.json"], "scored against another build of the benchmark"),
        (["diff", one, runs / "two"], "no such file"),
        (["diff", one, one, "--protocol", "native"], r"scores-native@1.json: no such file; score the run first"),
        (["diff", one, one, "--protocol", "imaginary"], "unknown protocol 'imaginary'"),
        (["diff", one, one / "run.json"], "not a result"),
        (["report", tmp_path / "old.json"], "written before results held .*; score the predictions again"),
        (["report", tmp_path / "stale.json"], "analysis.length.under 50 frames does not follow from the clips; score"),
        (["report", tmp_path / "empty.json"], "clips is empty, .*; score the predictions again"),
    ]
    for arguments, message in cases:
        done = icvos(*arguments, status=2)
        (line,) = done.stderr.strip().splitlines()
        assert re.search(message, line), line
        assert done.stdout == ""
    icvos("report", one, "--ceiling", tmp_path / "old.json")  # of a ceiling only the figures are needed


def test_reports_of_a_part_name_what_is_not_there(built: Path, tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    for folder in sorted((built / "videos").glob("*/Annotations/*")):
        shutil.copytree(folder, masks / folder.parent.parent.name / folder.name)
    icvos("score", masks, "--benchmark", built)
    clip = json.loads((masks / "scores.json").read_text())["clips"].popitem()[0]
    assert "all clips" in icvos("report", masks, "--clips", clip).output
    for option, value in (("--videos", "bus"), ("--clips", "dog/17")):
        assert (
            f"no {value} for {option}; the result has names like"
            in icvos("report", masks, option, value, status=2).stderr
        )
    assert "is a benchmark, not a run" in icvos("report", built, status=2).stderr
    assert "is the benchmark itself" in icvos("validate", built, "--benchmark", built, status=2).stderr
