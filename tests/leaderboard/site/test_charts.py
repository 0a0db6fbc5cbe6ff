import shutil
from pathlib import Path

import pytest

from icvos.tasks.video import statistics
from icvos.tasks.video.benchmark import Benchmark
from tests.conftest import icvos
from tests.icvos.handmade import write_benchmark, write_predictions
from tests.leaderboard.site.test_build import Page

pytest.importorskip("matplotlib", reason="matplotlib is not installed; pip install 'icvos[plots]'")
pytest.importorskip("wordcloud", reason="wordcloud is not installed; pip install 'icvos[plots]'")


CHARTS = ("--overlays", "none", "--charts", "--benchmark")


@pytest.fixture
def benchmark(tmp_path: Path) -> Benchmark:
    return write_benchmark(tmp_path / "benchmark")


@pytest.fixture
def run(benchmark: Benchmark, tmp_path: Path) -> Path:
    write_predictions(benchmark, tmp_path / "run" / "draw0", 0)
    icvos("score", tmp_path / "run", "--benchmark", benchmark.root)
    return tmp_path / "run"


def board(run: Path, *more: str | Path) -> tuple[Path, Page]:
    """The folder of the page of a run, and the page."""
    out = run.parent / "site"
    icvos("leaderboard", run, "--out", out, *more)
    return out, Page((out / "index.html").read_text())


def links(page: Page) -> list[str]:
    return [place for link in page.all("a") if (place := link["href"] or "").startswith("benchmarks/")]


def test_a_table_leads_to_the_charts_of_its_benchmark(
    run: Path, benchmark: Benchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, page = board(run, *CHARTS, benchmark.root)
    place = f"benchmarks/{(benchmark.digest or '')[7:31]}/index.html"
    assert links(page) == [place]
    charted = Page((out / place).read_text())
    home, *files = [link["href"] or "" for link in charted.all("a")]
    assert home == "../../index.html"
    shown = [image["src"] or "" for image in charted.all("img")]
    assert {"sources.svg", "category-frames.svg", "lengths.svg", "positions.svg"} <= {*shown}
    assert sorted(files) == sorted(
        Path(name).with_suffix(end).name for name in shown for end in (".csv", ".svg", ".png")
    )
    assert all((out / place).with_name(name).stat().st_size for name in files)
    assert charted.scripts == []
    assert f"<dt>Clips</dt><dd>{len(benchmark.clips)}</dd>" in (out / place).read_text()

    monkeypatch.delattr(statistics, "write_statistics")  # nothing is drawn again
    assert links(board(run, *CHARTS, benchmark.root)[1]) == [place]
    assert links(board(run)[1]) == [place]  # and stay where nobody asks for them


def test_unfinished_charts_are_drawn_again_and_those_of_other_benchmarks_go(run: Path, benchmark: Benchmark) -> None:
    out, page = board(run, *CHARTS, benchmark.root)
    folder = (out / links(page)[0]).parent
    (folder / "charts.json").write_text("{}")
    (folder / "lengths.svg").unlink()
    assert links(board(run)[1]) == []
    assert links(board(run, *CHARTS, benchmark.root)[1]) == links(page)
    assert (folder / "lengths.svg").is_file()
    shutil.copytree(folder, folder.with_name("0" * 24))
    board(run)
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_charts_are_asked_for_with_a_page_and_a_benchmark(run: Path, tmp_path: Path) -> None:
    for more in ((), ("--out", tmp_path / "site")):
        printed = icvos("leaderboard", run, *more, "--charts", status=2).output
        assert "--charts: they are drawn for the page from a benchmark; give --out, --benchmark" in printed
