import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from icvos.errors import IcvosError
from icvos.tasks.task import parse_result
from leaderboard.entry import Entry
from leaderboard.tables.build import FORMATS, build_tables, render
from leaderboard.tables.formats import terminal
from leaderboard.tables.reported import REPORTED, contradiction
from leaderboard.tables.shape import Breakdown, Table
from tests import Json

Make = Callable[..., Json]

HOSTILE = "<script>alert(1)</script> & 50%_|$x"


def entry(scores: Json, name: str = "lite", revision: str = "1", **more: Any) -> Entry:
    return Entry(name, revision, parse_result(scores, name), Path(f"/results/{name}/scores.json"), **more)


def only(*entries: Entry, reported: bool = False) -> Table:
    (table,) = build_tables(entries, reported=reported)
    return table


def part(table: Table, kind: str) -> Breakdown:
    return next(found for found in table.breakdowns if found.kind == kind)


def test_the_papers_figures_stand_beneath_ic_vos_alone(scores: Make) -> None:
    whole = scores()
    assert only(entry(whole), reported=True).rows[-1].kind == "reported"
    whole["benchmark"] = {"clips": whole["overall"]["clips"], "name": "IC-VOS-grown"}
    table = only(entry(whole), reported=True)
    assert (table.name, table.is_papers) == ("IC-VOS-grown", False)
    assert {row.kind for row in table.rows} == {"ranked"}


@pytest.mark.parametrize("width", [60, 80, 120])
def test_breakdowns_of_many_results_are_blocks_that_fit(scores: Make, width: int) -> None:
    names = [f"method-number-{number}" for number in range(11)]
    (table,) = build_tables([entry(scores(), name) for name in names], reported=False)
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(terminal([table]))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert max(map(len, lines)) <= width
    headings = [line.split() for line in lines if line.split()[:2] == ["category", "clips"]]
    assert [name for line in headings for name in line[2:]] == list(part(table, "category").labels)
    assert sum("J&F by category" in line for line in lines) == len(headings) > 1


def test_protocols_and_digests_are_never_mixed(scores: Make) -> None:
    tables = build_tables(
        [
            entry(scores(protocol="native@1")),
            entry(scores()),
            entry(scores(digest="sha256:" + "f" * 64)),
            entry(scores(digest=None)),
        ]
    )
    assert [(table.protocol, (table.digest or "none")[:10]) for table in tables] == [
        ("paper@1", "none"),
        ("paper@1", "sha256:012"),
        ("paper@1", "sha256:fff"),
        ("native@1", "sha256:012"),
    ]
    assert all(len(table.measured) == 1 for table in tables)
    assert tables[1].title == "IC-VOS, protocol paper@1, benchmark sha256:0123456789ab"
    assert tables[1].coverage == "6 clips, 6 videos, 880 frames"


def test_rows_are_ranked_by_the_mean_of_j_and_f(scores: Make) -> None:
    table = only(
        entry(scores(j=0.4, f=0.6), "b"),
        entry(scores(j=0.5, f=0.52), "a"),
        entry(scores(j=0.3, f=0.3), "d"),
        entry(scores(j=0.6, f=0.4), "c"),
    )
    assert [(row.rank, row.label) for row in table.rows] == [(1, "a"), (2, "b"), (2, "c"), (4, "d")]
    assert [sorted(row.best & {"j", "f", "jf"}) for row in table.rows] == [["jf"], ["f"], ["j"], []]


def test_what_sees_the_truth_or_is_partial_is_not_ranked(scores: Make) -> None:
    table = only(
        entry(scores(j=0.9, f=0.9, sees_truth=True), "oracle"),
        entry(scores(j=0.8, f=0.8, clips=3), "half"),
        entry(scores(j=0.4, f=0.5), "a"),
        entry(scores(j=0.3, f=0.4), "b"),
    )
    assert [(row.label, row.kind, row.rank) for row in table.rows] == [
        ("a", "ranked", 1),
        ("b", "ranked", 2),
        ("half", "partial", None),
        ("oracle", "upper bound", None),
    ]
    assert table.counts["clips"] == 6
    assert table.rows[0].best >= {"j", "f", "jf"}
    assert not table.rows[2].best
    assert not table.rows[3].best
    assert table.footnotes == {
        "a": "scored on 3 of 6 clips only",
        "b": "no interval: 3 videos say nothing about others, 6 are the fewest that do",
    }
    assert [row.notes for row in table.rows] == [(), (), ("a", "b"), ()]
    assert all(leaders == frozenset({0}) for leaders in part(table, "category").best.values())


def test_a_result_is_partial_when_the_benchmark_is_known_to_be_larger(scores: Make) -> None:
    declared = only(entry(scores(), declared_clips=437))
    stated = only(entry(scores(benchmark={"digest": "x", "clips": 437})))
    for table in (declared, stated):
        assert table.counts["clips"] == 437
        assert table.rows[0].kind == "partial"
        assert table.coverage == "6 of 437 clips, 6 videos, 880 frames"
    assert only(entry(scores())).rows[0].kind == "ranked"


@pytest.mark.parametrize("claim", [10, 437, 10**9])
@pytest.mark.parametrize("honest", [1, 2, 3])
def test_a_claim_about_the_size_of_the_benchmark_changes_no_other_row(scores: Make, claim: int, honest: int) -> None:
    others = [entry(scores(j=0.3 + 0.1 * n), f"m{n}", declared_clips=6) for n in range(honest)]
    for liar in (
        entry(scores(), "liar", declared_clips=claim),
        entry(scores(benchmark={"digest": "x", "clips": claim}), "liar"),
    ):
        table = only(*others, liar)
        kinds = {row.label: row.kind for row in table.rows}
        assert kinds == {"liar": "partial"} | {f"m{n}": "ranked" for n in range(honest)}
        assert table.counts["clips"] == 6
        assert table.coverage == "6 clips, 6 videos, 880 frames"


def test_two_partial_results_of_different_clips_are_both_partial(scores: Make) -> None:
    table = only(entry(scores(clips=3), "a"), entry(scores(first=3), "b"))
    assert [row.kind for row in table.rows] == ["partial", "partial"]


def test_the_fastest_is_named_only_on_one_kind_of_device(scores: Make) -> None:
    slow, fast = entry(scores(), "slow"), entry(scores(j=0.3, seconds_per_frame=0.1), "fast")
    gpu = entry(scores(j=0.3, seconds_per_frame=0.1, device="cuda"), "gpu")
    assert [row.label for row in only(slow, fast).rows if "seconds_per_frame" in row.best] == ["fast"]
    assert [row.label for row in only(slow, gpu).rows if "seconds_per_frame" in row.best] == []


def test_labels_tell_rows_apart(scores: Make) -> None:
    table = only(
        entry(scores(j=0.9), revision="1"),
        entry(scores(j=0.8, shots=5), revision="1"),
        entry(scores(j=0.7), revision="2"),
        entry(scores(j=0.6), "other"),
    )
    assert [row.label for row in table.rows] == [
        "lite, 1 shot, revision 1",
        "lite, 5 shots",
        "lite, 1 shot, revision 2",
        "other",
    ]
    runs = [Entry("lite", "", parse_result(scores(j=0.1 * n), "lite"), Path(f"/runs/{n}/scores.json")) for n in (1, 2)]
    assert {row.label for row in only(*runs).rows} == {"lite, 1", "lite, 2"}
    same = [Entry("lite", "", parse_result(scores(j=0.1 * n), "lite"), Path("/runs/x/scores.json")) for n in (1, 2)]
    assert {row.label for row in only(*same).rows} == {"lite", "lite #2"}


def test_the_papers_figures_stand_apart_and_only_beside_its_protocol(scores: Make) -> None:
    papers, native = build_tables([entry(scores()), entry(scores(protocol="native@1"))])
    reported = [row for row in papers.rows if row.kind == "reported"]
    assert [row.label for row in reported] == [row.method for row in REPORTED]
    assert papers.rows[-len(reported) :] == tuple(reported)
    assert all(row.rank is None and not row.best for row in reported)
    assert len(reported) == 8
    figures = {row.label: tuple(row.figures[key] for key in ("j", "f", "jf")) for row in reported}
    assert figures["DC-SAM"] == pytest.approx((0.6838, 0.7465, 0.7152))
    assert figures["PerSAM + SAM 2"] == pytest.approx((0.3223, 0.3681, 0.3452))
    assert not [row for row in native.rows if row.kind == "reported"]
    assert "not comparable" in papers.footnotes["a"]
    assert "arXiv 2504.12080, Table IV" in papers.footnotes["a"]


def test_a_row_that_contradicts_itself_is_flagged(scores: Make) -> None:
    flagged = [row.method for row in REPORTED if contradiction(row)]
    assert flagged == ["Matcher + SAM 2"]
    table = only(entry(scores()), reported=True)
    notes = {row.label: " ".join(table.footnotes[mark] for mark in row.notes) for row in table.rows}
    assert "20.44" in notes["Matcher + SAM 2"]
    assert "mean 25.44" in notes["Matcher + SAM 2"]
    assert "contradicts" not in notes["DC-SAM"]


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_shows_the_figures(scores: Make, format: str) -> None:
    tables = build_tables([entry(scores(j=0.412345, f=0.455)), entry(scores(j=0.3), "second", "7")])
    text = render(tables, format)
    for shown in ("41.23", "45.50", "43.37", "38.70", "48.37", "second", "0.22", "68.38", "20.44", "25.44", "paper@1"):
        assert shown in text, shown
    for group in ("dog", "person", "davis", "lvos"):
        assert group in text
        assert group not in render(tables, format, breakdowns=False)


def test_markdown(scores: Make) -> None:
    lines = render(
        build_tables([entry(scores(j=0.4, f=0.5)), entry(scores(j=0.3, f=0.6), "b")]), "markdown"
    ).splitlines()
    assert "| 1 | b | 1 | 5 | 30.00 | **60.00** | **45.00** | 40.33–50.00 | 6 | **0.22** |" in lines
    assert "| 1 | lite | 1 | 5 | **40.00** | 50.00 | **45.00** | 40.33–50.00 | 6 | **0.22** |" in lines
    assert "| dog | 2 | **49.00** | **49.00** |" in lines


def test_csv_is_one_tidy_table(scores: Make) -> None:
    tables = build_tables([entry(scores(), "=cmd()|x"), entry(scores(protocol="native@1"), "b")])
    rows = list(csv.DictReader(io.StringIO(render(tables, "csv"))))
    first = rows[0]
    assert (first["protocol"], first["group"], first["method"], first["rank"]) == (
        "paper@1",
        "overall",
        "'=cmd()|x",
        "1",
    )
    assert (first["jf"], first["jf_low"], first["jf_high"]) == ("55.00", "50.33", "60.00")
    dogs = [row for row in rows if row["key"] == "dog"]
    assert [(row["group"], row["protocol"], row["clips"]) for row in dogs] == [
        ("category", "paper@1", "2"),
        ("category", "native@1", "2"),
    ]
    assert {row["kind"] for row in rows} == {"ranked", "reported"}


def test_latex_is_balanced_and_escaped(scores: Make) -> None:
    text = render(build_tables([entry(scores(), HOSTILE), entry(scores(j=0.3), "b")]), "latex")
    assert text.count(r"\begin{") == text.count(r"\end{")
    assert r"\toprule" in text
    assert r"\textbf{50.00}" in text
    assert r"\textless{}script\textgreater{}alert(1)\textless{}/script\textgreater{} \& 50\%\_\textbar{}\$x" in text
    (line,) = [line for line in text.splitlines() if line.startswith("b &")]
    assert line == r"b & 1 & 5 & 30.00 & \textbf{60.00} & 45.00 & 40.33--50.00 & 6 & \textbf{0.22} \\"


def test_hostile_names_do_not_break_out_of_a_table(scores: Make) -> None:
    table = build_tables([entry(scores(), HOSTILE)], reported=False)
    markdown = render(table, "markdown")
    assert "<script>" not in markdown
    line = next(line for line in markdown.splitlines() if "alert" in line)
    assert line.replace(r"\|", "").count("|") == 11
    assert "[bold]x" in render(build_tables([entry(scores(), "[bold]x")]), "terminal")


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(IcvosError, match="choose from terminal, markdown, csv, latex"):
        render([], "pdf")


def test_a_submission_without_a_record_has_blanks(scores: Make) -> None:
    table = only(entry(scores(run=False)))
    assert (table.rows[0].figures["shots"], table.rows[0].figures["seconds_per_frame"]) == (None, None)
    assert "–" in render([table], "terminal")


def test_conditions_stand_in_the_order_of_the_analysis(scores: Make) -> None:
    table = only(
        entry(scores(j=0.4, f=0.4, analysed=True), "a"),
        entry(scores(j=0.3, f=0.3, analysed=True), "b"),
        entry(scores(j=0.2, f=0.2), "older"),
    )
    found = part(table, "condition")
    assert list(found.figures) == [
        *("length: under 50 frames", "length: 50-99 frames", "length: 100-199 frames", "length: 400 frames and more"),
        *(f"first-frame area: {name}" for name in ("under 0.25 %", "0.25-1 %", "1-4 %", "4-16 %", "16 % and more")),
        *(f"instances: {name}" for name in ("1", "2", "3 and more", "unknown")),
        *("the first frame", "the frames after it", "while it is absent"),
    ]
    assert found.figures["length: 50-99 frames"] == (pytest.approx(0.4), pytest.approx(0.3), None)
    assert found.figures["the first frame"] == (1, 1, None)
    assert found.figures["while it is absent"] == (pytest.approx(0.5), pytest.approx(0.4), None)
    assert (found.counts["instances: 3 and more"], found.counts["the frames after it"]) == (3, 6)
    assert found.best["the first frame"] == {0, 1}
    assert found.best["while it is absent"] == {0}


def test_results_without_an_analysis_have_no_conditions(scores: Make) -> None:
    assert part(only(entry(scores())), "condition").figures == {}
