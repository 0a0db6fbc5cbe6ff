"""Overlays of runs whose predictions and benchmark are at hand."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from icvos.files.masks import write_binary
from icvos.tasks.video.benchmark import Benchmark
from leaderboard.site import overlays
from tests.conftest import icvos
from tests.icvos.handmade import write_benchmark, write_predictions
from tests.leaderboard.site.test_build import Page

CLIPS = 4  # of the benchmark made by hand


@pytest.fixture(scope="module")
def handmade(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    """Tests must not change it."""
    return write_benchmark(tmp_path_factory.mktemp("benchmark"))


@pytest.fixture(scope="module")
def _scored(handmade: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "mine"
    for draw in (0, 1):
        write_predictions(handmade, run / f"draw{draw}", draw)
    icvos("score", run, "--benchmark", handmade.root)
    return run


@pytest.fixture
def run(_scored: Path, tmp_path: Path) -> Path:
    """A scored run of two draws."""
    return Path(shutil.copytree(_scored, tmp_path / "runs" / "mine"))


def site(run: Path, benchmark: Benchmark, *more: object) -> tuple[str, str]:
    """What is printed, and the page of the run."""
    out = run.parent.parent / "site"
    printed = icvos("leaderboard", run, "--out", out, "--benchmark", benchmark.root, *more).output
    (page,) = (out / "runs").glob("*.html")
    return printed, page.read_text()


def pictures(run: Path) -> dict[str, bytes]:
    folder = run.parent.parent / "site" / "overlays"
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}


def test_every_clip_plays_and_its_worst_frame_stands_still(run: Path, handmade: Benchmark) -> None:
    printed, text = site(run, handmade)
    assert f"overlays: {CLIPS} clips, {CLIPS} drawn in " in printed
    page = Page(text)
    shown = [image["src"] or "" for image in page.all("img")]
    assert len(shown) == 2 * CLIPS
    assert {Path(place).name for place in shown} == {name for name in pictures(run) if not name.endswith(".json")}
    frames = {}
    for image in page.all("img"):
        path = run.parent.parent / "site" / "runs" / (image["src"] or "")
        with Image.open(path) as picture:
            assert picture.size == (int(image["width"] or 0), int(image["height"] or 0))
            frames[image["alt"]] = getattr(picture, "n_frames", 1)
        assert (image.get("loading") == "lazy") == ("animation" in (image["alt"] or ""))
    assert frames["davis_dog/17 as an animation: the truth, and the prediction"] == 5
    assert sorted(frames.values()) == [1, 1, 1, 1, 3, 5, 9, 9]
    identifiers = {attributes["id"] for _, attributes in page.elements if attributes.get("id")}
    links = {(link["href"] or "")[1:] for link in page.all("a") if (link["href"] or "").startswith("#")}
    assert {"play-clip-davis_dog/17", "clip-davis_dog/17", "watched"} <= links <= identifiers
    assert "img-src 'self'" in text
    (script,) = (run.parent.parent / "site" / "runs").glob("*.js")
    assert script.read_text().count('"movie":"../overlays/') == CLIPS


def test_nothing_is_drawn_twice_and_what_has_changed_is_drawn_anew(run: Path, handmade: Benchmark) -> None:
    _, first = site(run, handmade)
    before = pictures(run)
    printed, again = site(run, handmade)
    assert f"overlays: {CLIPS} clips, 0 drawn in 0.0 s" in printed
    assert (again, pictures(run)) == (first, before)
    next(path for path in (run.parent.parent / "site" / "overlays").glob("*.still.webp")).unlink()
    next(path for path in (run.parent.parent / "site" / "overlays").glob("*.json")).write_text("{}")
    assert f"overlays: {CLIPS} clips, 0 drawn" not in site(run, handmade)[0]
    assert pictures(run) == before
    write_binary(run / "draw0" / "davis_dog" / "17" / "00002.png", np.ones((30, 40)) > 0)
    icvos("score", run, "--benchmark", handmade.root)
    assert "1 drawn" in site(run, handmade)[0]
    assert len(pictures(run)) == len(before)
    assert len(set(pictures(run)) - set(before)) == 3


def test_masks_that_were_not_scored_are_not_shown(
    run: Path, handmade: Benchmark, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(run / "draw1" / "davis_dog", run / "draw0" / "davis_dog", dirs_exist_ok=True)
    printed, text = site(run, handmade)
    assert "davis_dog/17: not the masks that were scored; score the run again with icvos score" in caplog.text
    assert "davis_dog/17 as an animation" not in text
    assert "overlays: 4 clips" not in printed


def test_none_are_drawn_where_none_can_be_or_none_are_wanted(
    run: Path, handmade: Benchmark, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    board = tmp_path / "board"
    icvos("submit", run, "--benchmark", handmade.root, "--name", "sent", "--board", board)
    printed, text = site(board, handmade)
    assert "overlays" not in printed
    assert not Page(text).all("img")
    assert "no overlays" not in caplog.text
    site(board, handmade, "--overlays", "all")
    assert "no overlays, a result on a board comes without its predictions" in caplog.text
    site(run, handmade)
    assert pictures(run)
    site(run, handmade, "--overlays", "none")
    assert not pictures(run)
    (tmp_path / "alone").mkdir()
    shutil.copy(run / "scores.json", tmp_path / "alone")
    site(tmp_path / "alone" / "scores.json", handmade, "--overlays", "worst")
    assert "no overlays, its predictions do not lie beside its scores" in caplog.text


def test_they_are_asked_for_with_a_page_and_a_benchmark(run: Path, tmp_path: Path) -> None:
    for more in ((), ("--out", tmp_path / "site")):
        printed = icvos("leaderboard", run, *more, "--overlays", "worst", status=2).output
        assert "--overlays worst: they are drawn for the page from a benchmark; give --out, --benchmark" in printed


def test_long_clips_are_shortened_and_only_the_worst_are_shown(
    run: Path, handmade: Benchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overlays, "MOST_FRAMES", 3)
    monkeypatch.setattr(overlays, "MOST_WORST", 1)
    _, text = site(run, handmade, "--overlays", "worst")
    assert "The worst clip, the worst first" not in text
    assert "The worst clip by its worst frame" in text
    assert len(Page(text).all("img")) == 2
    _, text = site(run, handmade, "--overlays", "all")
    assert len(Page(text).all("img")) == 2 * CLIPS
    assert "Every clip, the worst first, by its worst frame" in text
    assert "Play 3 frames, one of 3" in text
    assert "Play 3 frames, one of 2" in text
    assert "Play 3 frames <span" in text
