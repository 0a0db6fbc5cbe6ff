"""`icvos eval`, `score`, `validate`, `submit` and `leaderboard`: a run is one method, and a part of it says so."""

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from icvos.files.storage import write_json
from icvos.tasks.calls import find_scores
from icvos.tasks.video.benchmark import Benchmark
from tests import Json
from tests.conftest import icvos
from tests.icvos.handmade import write_benchmark, write_predictions
from tests.icvos.tasks.image.tiny_episodes import POINTS

FEW = "no interval: 3 videos say nothing about others, 6 are the fewest that do"


@pytest.fixture(autouse=True)
def methods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("icvos.method.entry_points", lambda group: POINTS)


@pytest.fixture(scope="module")
def handmade(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    """Four clips, two draws."""
    return write_benchmark(tmp_path_factory.mktemp("benchmark"))


def write_run(benchmark: Benchmark, run: Path, draws: int = 2, **record: object) -> Path:
    for draw in range(draws):
        write_predictions(benchmark, run / f"draw{draw}", draw)
        write_json(run / f"draw{draw}" / "run.json", {"method": "by hand", "draw": draw, **record})
    return run


def read(path: Path) -> Json:
    found: Json = json.loads(path.read_text())
    return found


@pytest.mark.parametrize(
    ("arguments", "clips"), [(["--categories", "dog"], 2), (["--videos", "dog"], 2), (["--clips", "lvos_cats/16"], 1)]
)
@pytest.mark.parametrize("protocol", ["paper@1", "native@1"])
def test_a_partial_score_never_takes_the_place_of_a_whole_one(
    handmade: Benchmark, tmp_path: Path, arguments: list[str], clips: int, protocol: str
) -> None:
    run = write_run(handmade, tmp_path / "run")
    score = ("score", run, "--benchmark", handmade.root, "--protocol", protocol)
    if arguments[0] == "--videos":
        arguments = ["--videos", "davis_dog,mose_dog"]
    stem = "scores" if protocol == "paper@1" else f"scores-{protocol}"
    shown = icvos(*score, *arguments).stdout
    assert f"{clips} of 4 clips (partial)" in shown
    assert f"-> {run / stem}-partial.json" in shown
    part = read(run / f"{stem}-partial.json")
    assert (part["partial"], part["overall"]["clips"]) == (True, clips)
    assert part["benchmark"] == {"clips": 4, "draws": 2, "name": "handmade"}
    assert find_scores(run, protocol).name == f"{stem}-partial.json"
    assert f"partial, scored on {clips} of 4 clips only" in icvos("report", run, "--protocol", protocol).stdout
    icvos(*score)
    whole = (run / f"{stem}.json").read_bytes()
    assert (read(run / f"{stem}.json")["partial"], read(run / f"{stem}.json")["overall"]["clips"]) == (False, 4)
    icvos(*score, *arguments)
    assert (run / f"{stem}.json").read_bytes() == whole
    assert find_scores(run, protocol).name == f"{stem}.json"
    assert "partial" not in icvos("report", run, "--protocol", protocol).stdout
    difference = icvos("diff", run, run / f"{stem}-partial.json", "--protocol", protocol)
    assert f"note: B is partial, scored on {clips} of 4 clips only" in difference.stderr
    assert "A is" not in difference.stderr
    site = ("--out", tmp_path / "site")
    texts = [tmp_path / "site" / name for name in ("index.html", "leaderboard.md", "leaderboard.tex")]
    icvos("leaderboard", run / f"{stem}-partial.json", *site)
    for text in texts:
        assert "Partial results: not ranked" in text.read_text()
        assert f"scored on {clips} of 4 clips only" in text.read_text()
    icvos("leaderboard", run, *site)  # of the two it takes the whole one
    assert not any("Partial results: not ranked" in text.read_text() for text in texts)


def test_a_limited_evaluation_has_its_own_file_and_so_have_some_draws(built: Path, tmp_path: Path) -> None:
    run = ("eval", "--method", "colour", "--benchmark", built, "--out", tmp_path / "run")
    shown = icvos(*run, "--limit", 1, "--draws", "0").stdout
    assert "1 of 7 clips (partial)" in shown
    assert "1 of 5 draws" in shown
    assert f"-> {tmp_path / 'run' / 'scores-partial.json'}" in shown
    assert not (tmp_path / "run" / "scores.json").exists()
    icvos(*run, "--draws", "0-1")
    whole = (tmp_path / "run" / "scores.json").read_bytes()
    for arguments in (("--limit", 1), ("--draws", "0"), ("--draws", "1"), ("--limit", 2, "--draws", "0-1")):
        icvos(*run, *arguments)
        assert (tmp_path / "run" / "scores.json").read_bytes() == whole, arguments
    assert len(read(tmp_path / "run" / "scores-partial.json")["overall"]["draws"]) == 2


def test_a_part_of_a_result_says_so(handmade: Benchmark, tmp_path: Path) -> None:
    run = write_run(handmade, tmp_path / "run")
    icvos("score", run, "--benchmark", handmade.root)
    icvos("report", run, "--categories", "dog", "--json", tmp_path / "part.json")
    assert read(tmp_path / "part.json")["caveats"] == ["partial, scored on 2 of 4 clips only"]


MIXED = {
    "method": ({"method": "another"}, "was made with method 'another', draw0 with 'by hand'"),
    "settings": ({"settings": {"size": 3}}, "was made with settings.size 3, draw0 with None"),
    "weights": ({"weights": ["other.pth"]}, "was made with weights ['other.pth'], draw0 with []"),
    "dtype": ({"dtype": "float16"}, "was made with dtype 'float16', draw0 with None"),
    "seed": ({"seed": 1}, "was made with seed {'seed': 1}, draw0 with None"),
    "copy": ({"draw": 0}, "says that it is draw 0, and is in the place of draw 1"),
    "no record": (None, "has no record, draw0 has one"),
}


@pytest.mark.parametrize(("change", "words"), MIXED.values(), ids=MIXED)
def test_draws_of_two_methods_are_no_run(handmade: Benchmark, tmp_path: Path, change: Json | None, words: str) -> None:
    run = write_run(handmade, tmp_path / "run")
    record = run / "draw1" / "run.json"
    if change is None:
        record.unlink()
    else:
        write_json(record, {"method": "by hand", "draw": 1, **change})
    board = ("--name", "x", "--board", tmp_path / "board")
    for place in (run, Path(shutil.make_archive(str(tmp_path / "packed"), "zip", run))):
        for arguments, status in ((("score", place), 2), (("validate", place), 1), (("submit", place, *board), 2)):
            done = icvos(*arguments, "--benchmark", handmade.root, status=status)
            (line,) = [line for line in (done.stdout + done.stderr).splitlines() if words in line]
            assert f"{place}/draw1/run.json: " in line or place.suffix == ".zip"
    assert not (run / "scores.json").exists()
    assert not (tmp_path / "board").exists()


@pytest.mark.parametrize("name", ["draw2", "draw7", "draw9999"])
def test_draws_that_the_benchmark_does_not_have_are_refused(handmade: Benchmark, tmp_path: Path, name: str) -> None:
    run = write_run(handmade, tmp_path / "run")
    shutil.copytree(run / "draw1", run / name)
    (run / name / "run.json").write_text(json.dumps({"method": "by hand"}))
    words = f"is of draw {name[4:]}, handmade has draws 0..1; make it one of those, or remove it"
    assert words in icvos("score", run, "--benchmark", handmade.root, status=2).stderr
    assert words in icvos("validate", run, "--benchmark", handmade.root, status=1).stdout
    assert words in icvos("score", run / name, "--benchmark", handmade.root, status=2).stderr


def test_a_benchmark_without_supports_has_one_draw(handmade: Benchmark, tmp_path: Path) -> None:
    published, run = tmp_path / "published", write_run(handmade, tmp_path / "run")
    shutil.copytree(handmade.root / "videos", published)
    words = "is of draw 1, published has no supports, so only draw 0"
    assert words in icvos("score", run, "--benchmark", published, status=2).stderr
    assert "1 draw" in icvos("score", run / "draw0", "--benchmark", published).stdout
    shutil.rmtree(run / "draw1")
    icvos("score", run, "--benchmark", published)


def test_one_draw_of_two_is_marked_and_a_board_can_ask_for_all(handmade: Benchmark, tmp_path: Path) -> None:
    one, two = write_run(handmade, tmp_path / "one", 1), write_run(handmade, tmp_path / "two")
    oracle = write_run(handmade, tmp_path / "oracle", 1, sees_truth=True)
    for run in (one, two, oracle):
        shown = icvos("score", run, "--benchmark", handmade.root).stdout
        assert ("1 of 2 draws" in shown) == (run == one)
    assert "note: A is 1 of 2 draws" in icvos("diff", one, two).stderr
    shown = icvos("leaderboard", one, two, oracle, "--out", tmp_path / "site").stdout
    assert "1 of 2 draws" in shown
    assert "1 of 2 draws" in (tmp_path / "site" / "index.html").read_text()
    rows = list(csv.DictReader(io.StringIO((tmp_path / "site" / "leaderboard.csv").read_text())))
    assert [(row["kind"], row["draws"], row["notes"]) for row in rows if row["group"] == "overall"][:3] == [
        ("ranked", "1", f"1 of 2 draws; {FEW}"),
        ("ranked", "2", FEW),
        ("upper bound", "1", FEW),
    ]
    icvos("leaderboard", one, two, oracle, "--all-draws", "--out", tmp_path / "site")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "site" / "leaderboard.csv").read_text())))
    assert [(row["kind"], row["draws"], row["notes"]) for row in rows if row["group"] == "overall"][:3] == [
        ("ranked", "2", FEW),
        ("partial", "1", f"1 of 2 draws, and this board asks for all; {FEW}"),
        ("upper bound", "1", FEW),
    ]
    submit = ("--benchmark", handmade.root, "--board", tmp_path / "board", "--all-draws", "--name")
    assert "1 of 2 draws; predict all, or leave out" in icvos("submit", one, *submit, "one", status=2).stderr
    icvos("submit", two, *submit, "two")
    icvos("submit", oracle, *submit, "oracle")


def test_an_evaluation_joins_no_run_of_another_method(built: Path, tmp_path: Path) -> None:
    run = ("eval", "--benchmark", built, "--out", tmp_path / "run", "--limit", 1, "--method")
    icvos(*run, "colour", "--draws", 0)
    for arguments, words in (
        (("own", "--draws", 1), "holds a run with method 'colour', not 'own'; choose another --out"),
        (("colour", "--draws", 1, "--set", "distance=80"), "holds a run with settings.distance 90.0, not 80.0"),
        (("colour", "--draws", 1, "--shots", 2), "holds a run with shots 1, not 2"),
        (("own", "--draws", 1, "--overwrite", "always"), "holds a run with method 'colour', not 'own'"),
    ):
        assert words in icvos(*run, *arguments, status=2).stderr
        assert not (tmp_path / "run" / "draw1").exists()
    icvos(*run, "colour", "--draws", 1)
    icvos(*run, "own", "--draws", "0-1", "--overwrite", "always")
