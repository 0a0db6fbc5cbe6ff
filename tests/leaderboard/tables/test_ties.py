"""Who shares a rank."""

import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from icvos.metrics.summary import columns_above, paired_bootstrap, surely_above
from icvos.tasks.task import parse_result
from icvos.tasks.video.comparison import compare
from icvos.tasks.video.result import VideoResult
from leaderboard.entry import Entry
from leaderboard.tables.build import FORMATS, build_tables, render
from leaderboard.tables.formats import cell, terminal
from leaderboard.tables.shape import Table
from leaderboard.tables.ties import clips_better
from tests.leaderboard.conftest import CLIPS, Make
from tests.leaderboard.image_results import make_image_result


def videos(*moves: float, j: float = 0.5) -> dict[str, float]:
    """J&F of eight videos, each moved from ``j``; the moves repeat."""
    return {f"davis_{n}/17": j + move for n, move in zip(range(8), itertools.cycle(moves), strict=False)}


def table(*entries: Entry) -> Table:
    return build_tables(entries, reported=False)[0]


def entry(scores: Make, name: str, **given: object) -> Entry:
    return Entry(name, "1", parse_result(scores(**given), name), Path(f"{name}.json"))


@pytest.mark.parametrize(
    ("figures", "ranks"),
    [
        ([videos(0), videos(0, j=0.4)], [1, 2]),  # everywhere better
        ([videos(0), videos(0)], [1, 1]),
        ([videos(0.2, -0.2), videos(0.1, -0.1, j=0.49)], [1, 1]),  # now better, now worse
        ([videos(0), videos(0.02, -0.02, j=0.495), videos(0.002, j=0.4)], [1, 1, 3]),
        ([videos(0.3, -0.3), videos(0.001, j=0.48), videos(0.002, j=0.4)], [1, 1, 2]),  # the first is unsure of all
    ],
)
def test_ranks(figures: list[dict[str, float]], ranks: list[int]) -> None:
    better = clips_better(figures)
    assert (1 + better.sum(axis=0)).tolist() == ranks


def test_of_few_videos_nothing_is_sure() -> None:
    assert not clips_better([dict(list(videos(0).items())[:5]), dict(list(videos(0, j=0.1).items())[:5])]).any()


def test_only_clips_that_both_have_are_compared() -> None:
    more = {**videos(0), "mose_x/1": 0.0}
    better = clips_better([more, videos(0, j=0.45), {"mose_y/1": 0.0}])
    assert better.tolist() == [[False, True, False], [False] * 3, [False] * 3]


def test_every_pair_is_separated_as_the_paired_bootstrap_says() -> None:
    random = np.random.RandomState(5)
    values = random.rand(40, 1) * 0.5 + random.rand(40, 9) * 0.3 + np.linspace(0, 0.06, 9)
    groups = [f"video {n // 2}" for n in range(40)]
    above = surely_above(values, groups, samples=2000)
    pairs = list(itertools.permutations(range(9), 2))
    for a, b in pairs:
        low, _, _ = paired_bootstrap(values[:, [a]] - values[:, [b]], groups, samples=2000)
        assert above[a, b] == (low[0] > 0)
    assert 0 < sum(above[pair] for pair in pairs) < len(pairs) / 2


@pytest.mark.parametrize("zeros", [23, 24, 25, 26])
def test_the_bound_is_that_of_the_quantile(zeros: int) -> None:
    """Where as many samples are 0 as lie below the bound, the bound lies between two samples."""
    samples = np.column_stack([np.r_[np.zeros(zeros), np.ones(1001 - zeros)], np.zeros(1001)])
    assert columns_above(samples)[0, 1] == (np.quantile(samples[:, 0], (1 - 0.95) / 2) > 1e-12)


def test_a_table_ranks_as_the_comparison_of_two_says(scores: Make) -> None:
    a, b = entry(scores, "a", j=0.5), entry(scores, "b", j=0.499)
    assert [(row.rank, row.ties) for row in table(a, b).rows] == [(1, ()), (2, ())]
    assert isinstance(a.result, VideoResult)
    assert isinstance(b.result, VideoResult)
    assert compare(a.result, b.result, "a", "b").overall.jf.verdict == "a is better"


def test_rows_that_nothing_separates_share_a_rank_and_name_each_other(scores: Make) -> None:
    rows = table(entry(scores, "a", j=0.5), entry(scores, "b", f=0.4), entry(scores, "c", j=0.5)).rows
    assert [(row.label, row.rank, row.ties) for row in rows] == [("a", 1, ("c",)), ("c", 1, ("a",)), ("b", 3, ())]


@pytest.mark.parametrize("format", FORMATS)
def test_every_form_says_that_videos_are_too_few(scores: Make, format: str) -> None:
    tables = [table(entry(scores, "a", clips=3), entry(scores, "b", j=0.3, clips=3))]
    assert [row.rank for row in tables[0].rows] == [1, 1]
    text = render(tables, format)
    assert text.count("too few") == 2 or format == "csv"  # "videos" is on the next line of a terminal
    assert "3 videos say nothing about others" in text
    assert len(CLIPS) == 6


def test_no_figure_is_cut_off_in_80_columns_where_videos_are_too_few(scores: Make) -> None:
    found = table(entry(scores, "a", clips=3), entry(scores, "b", j=0.3, clips=3))
    console = Console(file=io.StringIO(), width=80, record=True, color_system=None)
    console.print(terminal([found], breakdowns=False))
    shown = console.export_text().split()
    for row in found.rows:
        for column in found.shown:
            assert set(cell(row, column).split()) <= set(shown)


def test_images_are_ranked_by_their_episodes() -> None:
    entries = [
        Entry(name, "1", make_image_result(miou=miou), Path(name))
        for name, miou in (("a", 0.5), ("b", 0.495), ("c", 0.3))
    ]
    assert [(row.rank, row.ties) for row in table(*entries).rows] == [(1, ("b",)), (1, ("a",)), (3, ())]
