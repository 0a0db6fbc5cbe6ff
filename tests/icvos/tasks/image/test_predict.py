"""`icvos eval`, `score`, `validate`, `render`, `report` and `diff` on a tiny image benchmark, end to end."""

import dataclasses
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
from PIL import Image

from icvos.errors import IcvosError
from icvos.method import load_method, segment_image
from icvos.tasks.image.benchmark import ImageBenchmark
from icvos.tasks.image.predictions import right_answers
from icvos.tasks.runs import claim
from tests import ROOT, Json
from tests.conftest import icvos
from tests.icvos.tasks.image.tiny_episodes import EPISODES, NAMES, NEVER, POINTS, write_images


@pytest.fixture(autouse=True)
def methods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("icvos.method.entry_points", lambda group: POINTS)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> ImageBenchmark:
    return write_images(tmp_path_factory.mktemp("images") / "tiny")


@pytest.fixture
def run(tiny: ImageBenchmark, tmp_path: Path) -> Path:
    evaluate(tiny, tmp_path / "run", "--protocol", "paper", "--protocol", "native")
    return tmp_path / "run"


def evaluate(tiny: ImageBenchmark, out: Path, *arguments: object, method: str = "colour", status: int = 0) -> Any:
    return icvos("eval", "--method", method, "--benchmark", tiny.root, "--out", out, *arguments, status=status)


def lines(run: Path, fold: int = 0) -> list[Json]:
    """The lines of a fold without what the clock says."""
    found = [json.loads(line) for line in (run / f"fold{fold}" / "episodes.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in found]


def scores(run: Path, name: str = "scores.json") -> Json:
    found: Json = json.loads((run / name).read_text())
    return found


def partial(run: Path) -> Json:
    """The scores of a part of the benchmark, which are apart."""
    return scores(run, "scores-partial.json")


def record(run: Path, fold: int = 0) -> Json:
    found: Json = json.loads((run / f"fold{fold}" / "run.json").read_text())
    return found


def test_a_run_answers_every_episode_of_every_fold(run: Path, tiny: ImageBenchmark) -> None:
    method = load_method("colour")
    for fold in range(2):
        episodes = tiny.episodes(fold)
        answers = list(right_answers(run / f"fold{fold}" / "episodes.jsonl", episodes))
        assert [answer.episode for answer in answers] == list(range(EPISODES))
        for answer in answers[:3]:
            episode = episodes[answer.episode]
            expected = segment_image(method, episode.shown(), episode.query.image())
            assert np.array_equal(answer.mask(), expected)
            assert answer.seconds is not None
        made = record(run, fold)
        assert (made["method"], made["fold"], made["shots"]) == ("colour", fold, 1)
        assert made["benchmark"] == {"name": "tiny", "digest": tiny.digest}
        assert (made["asked"], made["episodes"]) == (EPISODES, EPISODES)
        assert made["seconds_per_image"] > 0


def test_scores_of_two_protocols(run: Path, tiny: ImageBenchmark) -> None:
    paper, native = scores(run), scores(run, "scores-native@1.json")
    for found, protocol in ((paper, "paper@1"), (native, "native@1")):
        assert (found["task"], found["protocol"], found["digest"]) == ("image", protocol, tiny.digest)
        assert found["benchmark"] == {"name": "tiny", "folds": 2, "episodes": 2 * EPISODES}
        assert (found["shots"], found["overall"]["folds"], found["overall"]["episodes"]) == (1, 2, 2 * EPISODES)
        assert found["folds"]["0"]["without"] == [NAMES[NEVER]]
        assert set(found["categories"]) == set(NAMES.values()) - {NAMES[NEVER]}
        assert found["folds"]["1"]["run"] == record(run, 1)
    assert paper["overall"]["miou"] != native["overall"]["miou"]
    assert paper["overall"]["miou"] > 0.5


def test_a_methods_own_image_output_is_asked_first(tiny: ImageBenchmark, tmp_path: Path) -> None:
    evaluate(tiny, tmp_path / "own", "--fold", 0, "--limit", 2, method="own")
    for answer in right_answers(tmp_path / "own" / "fold0" / "episodes.jsonl", tiny.episodes(0)):
        assert not answer.mask()[:2].any()


def test_what_sees_the_truth_is_given_the_query(tiny: ImageBenchmark, tmp_path: Path) -> None:
    evaluate(tiny, tmp_path / "peek", "--fold", 1, method="peek")
    method = load_method("peek")
    for answer in right_answers(tmp_path / "peek" / "fold1" / "episodes.jsonl", tiny.episodes(1)):
        episode = tiny.episodes(1)[answer.episode]
        (expected,) = method.segment((episode.as_support(episode.query),), [episode.query.image()])
        assert np.array_equal(answer.mask(), expected)
    assert record(tmp_path / "peek", 1)["sees_truth"] is True


def test_more_shots_are_shown_and_recorded(tiny: ImageBenchmark, tmp_path: Path) -> None:
    evaluate(tiny, tmp_path / "run", "--shots", 3, "--fold", 0)
    assert (record(tmp_path / "run")["shots"], partial(tmp_path / "run")["shots"]) == (3, 3)
    assert "not 4; build them again" in evaluate(tiny, tmp_path / "x", "--shots", 4, status=2).stderr
    refusal = evaluate(tiny, tmp_path / "run", "--fold", 1, status=2).stderr
    assert "holds a fold with shots 3, not 1" in refusal


def test_the_same_folder_may_hold_folds_of_other_checkpoints(tiny: ImageBenchmark, tmp_path: Path) -> None:
    out = tmp_path / "run"
    evaluate(tiny, out, "--set", "checkpoint=fold{fold}.pth")
    assert [record(out, fold)["weights"][0]["name"] for fold in (0, 1)] == ["fold0.pth", "fold1.pth"]
    evaluate(tiny, out, "--fold", 1, "--set", "checkpoint=fold1.pth")
    refusal = evaluate(tiny, out, "--fold", 0, "--set", "checkpoint=fold1.pth", status=2).stderr
    assert "holds a run with settings" in refusal
    refusal = evaluate(tiny, out, "--fold", 0, method="own", status=2).stderr
    assert "fold1" in refusal
    assert "method 'colour', not 'own'" in refusal


def test_limited_runs_are_partial_and_go_on(tiny: ImageBenchmark, tmp_path: Path) -> None:
    out = tmp_path / "run"
    output = evaluate(tiny, out, "--limit", 4).output
    assert "fold 0: mIoU" in output
    assert f"4 of {EPISODES} episodes" in output
    assert partial(out)["folds"]["0"]["episodes"] == 4
    assert partial(out)["partial"] is True
    assert not (out / "scores.json").exists()
    assert "(no interval: a fold of 4 episodes says little, 6 are the fewest that do)" in output
    assert partial(out)["folds"]["0"]["interval"] is partial(out)["overall"]["interval"] is None
    first = lines(out)
    evaluate(tiny, out, "--fold", 0)
    assert lines(out)[:4] == first
    assert [line["episode"] for line in lines(out)] == list(range(EPISODES))
    evaluate(tiny, out, "--limit", 2)  # asks for nothing new, takes nothing away
    assert (record(out)["asked"], record(out)["episodes"], record(out, 1)["asked"]) == (EPISODES, EPISODES, 4)
    assert partial(out)["overall"]["episodes"] == EPISODES + 4
    evaluate(tiny, out)
    whole = (out / "scores.json").read_bytes()
    assert scores(out)["partial"] is False
    with (out / "fold1" / "episodes.jsonl").open("ab") as file:
        file.truncate(100)
    assert "(partial)" in icvos("score", out, "--benchmark", tiny.root).output
    assert (out / "scores.json").read_bytes() == whole  # a partial score never takes the place of a whole one
    assert partial(out)["overall"]["episodes"] == EPISODES


def test_overwriting(run: Path, tiny: ImageBenchmark) -> None:
    before = lines(run)
    path = run / "fold0" / "episodes.jsonl"
    kept = path.read_text().splitlines(keepends=True)
    path.write_text("".join(kept[3:]))
    evaluate(tiny, run)
    assert sorted(lines(run), key=lambda line: line["episode"]) == before
    assert lines(run)[-3:] == before[:3]
    evaluate(tiny, run, "--overwrite", "always", "--fold", 0)
    assert lines(run) == before
    assert "holds predictions already" in evaluate(tiny, run, "--overwrite", "never", "--fold", 0, status=2).stderr
    shutil.rmtree(run / "fold1")
    evaluate(tiny, run, "--overwrite", "never", "--fold", 1)  # a fold is a run of its own


def test_a_killed_run_goes_on_to_the_same_file(run: Path, tiny: ImageBenchmark, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    arguments = ["eval", "--method", "colour", "--benchmark", str(tiny.root), "--out", str(out)]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.icvos.tasks.image.tiny_episodes", *arguments, "--set", "sleep=0.2"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
    )
    path = out / "fold0" / "episodes.jsonl"
    while process.poll() is None and not (path.is_file() and path.read_bytes().count(b"\n") >= 2):
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = path.read_bytes().count(b"\n")
    assert 2 <= done < EPISODES
    assert not (out / "scores.json").exists()
    assert "no fold is finished (fold 0 has" in icvos("score", out, "--benchmark", tiny.root, status=2).stderr
    with path.open("ab") as file:
        file.write(b'{"episode": 9, "class": 1, "ma')  # as if it had been killed within a write
    icvos(*arguments, "--set", "sleep=0.2", "--fold", 0)
    assert lines(out) == lines(run)


@pytest.mark.parametrize("turn", range(3))
def test_two_at_once_on_one_folder(run: Path, tiny: ImageBenchmark, tmp_path: Path, turn: int) -> None:
    """One makes the run, as if alone; the other is told in one line which folder, and who works on it."""
    out = tmp_path / f"both{turn}"
    arguments = ["eval", "--method", "colour", "--benchmark", str(tiny.root), "--out", str(out)]
    command = [sys.executable, "-m", "tests.icvos.tasks.image.tiny_episodes", *arguments, "--set", "sleep=0.02"]
    started = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=ROOT, text=True)
        for _ in range(2)
    ]
    said = [process.communicate()[1] for process in started]
    codes = [process.returncode for process in started]
    for code, text, other in zip(codes, said, reversed(started), strict=True):
        if code:
            assert text.startswith(f"icvos: {out}: another process ({other.pid}) is working on it; wait"), text
            assert len(text.splitlines()) == 1
    assert 0 in codes
    assert [lines(out, fold) for fold in (0, 1)] == [lines(run, fold) for fold in (0, 1)]


def test_a_run_that_another_process_has_just_begun_is_not_taken_for_something_else(tmp_path: Path) -> None:
    """Its folder is there and its record is not yet: the lock says who works on it."""
    out = tmp_path / "run"
    (out / "fold0").mkdir(parents=True)
    (out / "fold0" / "begun").write_text("")
    code = f"""
import pathlib, time
from icvos.files.locks import lock_folder
with lock_folder(pathlib.Path({str(out)!r})):
    print("kept", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "kept\n"
        with pytest.raises(IcvosError, match=rf"another process \({other.pid}\) is working on it"):
            claim(out, "fold", "only-missing")
        other.kill()
    with pytest.raises(IcvosError, match="did not make"):
        claim(out, "fold", "only-missing")


def test_always_removes_the_masks_before_their_record(
    run: Path, tiny: ImageBenchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill between the two must not leave one method's masks under another's name."""
    before = record(run)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("icvos.tasks.image.predict.open_record", stop)
    evaluate(tiny, run, "--overwrite", "always", "--set", "sleep=0.001", status=130)
    assert record(run) == before
    assert not (run / "fold0" / "episodes.jsonl").exists()


def test_a_cut_off_last_line_is_predicted_again(run: Path, tiny: ImageBenchmark) -> None:
    before = lines(run)
    path = run / "fold0" / "episodes.jsonl"
    path.write_bytes(path.read_bytes()[:-40])
    output = icvos("score", run, "--benchmark", tiny.root)
    assert f"fold 0 is left out: it has {EPISODES - 1} of {EPISODES} episodes" in output.stderr
    assert set(partial(run)["folds"]) == {"1"}
    evaluate(tiny, run)
    assert lines(run) == before
    assert set(scores(run)["folds"]) == {"0", "1"}


def test_scoring_again_gives_the_same(run: Path, tiny: ImageBenchmark, tmp_path: Path) -> None:
    before = (run / "scores.json").read_bytes()
    icvos("score", run, "--benchmark", tiny.root, "--workers", 2)
    assert (run / "scores.json").read_bytes() == before
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path, "run")
    icvos("score", archive, "--benchmark", tiny.root, "--protocol", "native", "--out", tmp_path / "s.json")
    assert (tmp_path / "s.json").read_bytes() == (run / "scores-native@1.json").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--draws", "0"], "consists of folds; leave it out, or choose with --folds"),
        (["--videos", "dog"], "--videos is for benchmarks of videos"),
        (["--categories", "dog"], "--categories is for benchmarks of videos"),
        (["--fold", "2"], "tiny has no fold 2; folds are 0..1"),
        (["--fold", "x"], "write numbers like 0 or 0,2 or 0-3"),
        (["--fold", "3-1"], "names no number"),
        (["--protocol", "mine"], "unknown protocol 'mine'"),
        (["--set", "sise=3"], "unknown setting 'sise'"),
    ],
)
def test_bad_options_are_one_line(tiny: ImageBenchmark, tmp_path: Path, arguments: list[str], message: str) -> None:
    refusal = evaluate(tiny, tmp_path / "run", *arguments, status=2).stderr
    assert message in refusal
    assert len(refusal.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_folds_are_for_images_alone(built: Path, tmp_path: Path) -> None:
    arguments = ("--method", "colour", "--benchmark", built, "--out", tmp_path / "run", "--fold", 0)
    assert "consists of draws; leave it out, or choose with --draws" in icvos("eval", *arguments, status=2).stderr


def test_runs_on_videos_and_images_never_share_a_folder(tiny: ImageBenchmark, built: Path, run: Path) -> None:
    video = ("eval", "--method", "colour", "--benchmark", built, "--out")
    assert "holds a run on images, this one is on videos" in icvos(*video, run, status=2).stderr
    (run.parent / "v" / "draw0").mkdir(parents=True)
    (run.parent / "v" / "draw0" / "run.json").write_text("{}")
    assert "holds a run on videos, this one is on images" in evaluate(tiny, run.parent / "v", status=2).stderr
    (run.parent / "notes").mkdir()
    (run.parent / "notes" / "a.txt").write_text("mine")
    assert "did not make" in evaluate(tiny, run.parent / "notes", status=2).stderr


def test_a_mask_of_another_size_stops_the_run(tiny: ImageBenchmark, tmp_path: Path) -> None:
    refusal = evaluate(tiny, tmp_path / "run", method="wrong", status=2).stderr
    assert "method wrong gave a mask of (3, 3) bool for frame 0 of episode 0/0 (plum" in refusal


def test_validation_lists_every_fault(run: Path, tiny: ImageBenchmark, tmp_path: Path) -> None:
    assert "0 errors, 0 warnings" in icvos("validate", run, "--benchmark", tiny.root).output
    path = run / "fold0" / "episodes.jsonl"
    kept = path.read_text().splitlines()
    path.write_text("\n".join([*kept[:-2], kept[0], '{"episode": 99}', ""]))
    shutil.rmtree(run / "fold1")
    arguments = ("validate", run, "--benchmark", tiny.root, "--json", tmp_path / "faults.json")
    output = icvos(*arguments, status=1).output
    kinds = [fault["kind"] for fault in json.loads((tmp_path / "faults.json").read_text())["faults"]]
    assert kinds == ["missing-fold", "duplicate", "unreadable", "missing-episode", "missing-episode"]
    assert "4 errors, 1 warning" in output
    refusal = icvos("validate", run, "--benchmark", tiny.root, "--repair", tmp_path / "mended", status=2).stderr
    assert "--repair is for benchmarks of videos" in refusal


def test_sheets_show_episodes(run: Path, tiny: ImageBenchmark, tmp_path: Path) -> None:
    out = tmp_path / "sheets"
    icvos("render", tiny.root, "--predictions", run, "--errors", "--kind", "sheet", "--height", 60, "--out", out)
    assert sorted(path.name for path in out.iterdir()) == ["tiny-fold0.png", "tiny-fold1.png"]
    whole = Image.open(out / "tiny-fold0.png")
    icvos("render", tiny.root, "--clip", "0/3", "--height", 60, "--out", tmp_path / "one")
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["tiny-fold0.png"]
    one = Image.open(tmp_path / "one" / "tiny-fold0.png")
    assert whole.height > 8 * 60
    assert 60 < one.height < 2 * 60
    assert one.width < whole.width
    for arguments, message in (
        (("--kind", "gif"), "render them with --kind sheet"),
        (("--every", 2), "without --every"),
        (("--clip", "dog/17"), "write <fold>/<episode> like 0/12"),
        (("--clip", "0/99"), f"fold 0 has {EPISODES} episodes"),
        (("--clip", "7/0"), "has no fold 7"),
    ):
        refusal = icvos("render", tiny.root, *arguments, "--out", tmp_path / "x", status=2).stderr
        assert message in refusal


def test_reports_show_folds_and_classes_and_diffs_refuse(run: Path, tiny: ImageBenchmark) -> None:
    output = icvos("report", run).output
    for shown in ("all folds", "fold 1", "plum", NAMES[NEVER], f"{100 * scores(run)['overall']['miou']:.2f}"):
        assert shown in output
    sheet = ("--benchmark", tiny.root, "--sheet", run.parent / "worst.png")
    said = icvos("report", run, *sheet, status=2).stderr
    assert f"no clips are worst; draw episodes with: icvos render {tiny.root} --predictions {run} --out sheets" in said
    assert "its report has no ceiling" in icvos("report", run, "--ceiling", run, status=2).stderr
    assert (
        f"show both with: icvos leaderboard {run / 'scores.json'} {run / 'scores.json'}"
        in icvos("diff", run, run, status=2).stderr
    )


def test_lite_and_oracle_run_on_images(tiny: ImageBenchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="lite needs torch: pip install 'icvos[models]'")
    monkeypatch.undo()
    limits = ("--limit", 2)
    evaluate(tiny, tmp_path / "lite", *limits, method="lite")
    evaluate(tiny, tmp_path / "oracle", *limits, method="oracle")
    assert partial(tmp_path / "lite")["overall"]["episodes"] == 4
    assert partial(tmp_path / "oracle")["overall"]["miou"] > 0.95


def test_supports_can_be_kept_by_methods(tiny: ImageBenchmark) -> None:
    """As keys, equal for the same picture and class: PerSAM keeps what it computed of its last supports."""
    first, again = tiny.episodes(0)[0], ImageBenchmark.open(tiny.root).episodes(0)[0]
    kept = {first.shown()[0]: 1}
    assert kept[again.shown()[0]] == 1
    assert first.as_support(first.query) not in kept
    assert dataclasses.replace(first.shown()[0], kind=2) not in kept
