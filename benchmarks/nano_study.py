"""Table IV of the paper at a small size: every method with the networks that come with icvos.

    python -m benchmarks.nano_study --out runs/novel > docs/nano-study.md

The benchmark is that of `benchmarks.novel_categories`: drawn videos of categories that none of the networks was trained
on. What is there already is not run again; from run folders alone the page is written in seconds. `--only dcsam,sansa`
prints the rows of these methods alone.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill

from benchmarks.novel_categories import FOLD, SMALL, build, options
from benchmarks.novel_categories import run as command
from icvos.method import method_class, sees_truth
from icvos.smallworld import held_out
from icvos.tasks.video.comparison import OverallCompared, compare
from icvos.tasks.video.result import VideoResult
from leaderboard.paper.tables import paper_table

TABLE = "table-4"
OWN = "dcsam"  # every other row is compared with it
BESIDE = {
    "lite": "`lite`, which learns nothing",
    "oracle": "`oracle`, which is told the first frame",
    "bam": "BAM",
    "sansa": "SANSA",
}
BY_MEMORY = ("oracle", OWN, "sansa", "pfenet", "vrp-sam", "memory")  # evaluated with SAM 2 in the place of affinity too
SAM2 = {"sam2": "sam2-nano"}


@dataclass(frozen=True, slots=True)
class Measured:
    """One row.

    Args:
        method: The method.
        title: What the paper calls it, or what it is.
        printed: J&F of the paper, in per cent; None for a method that it does not have.
        result: What came out.
        behind: How far `OWN` is above it; None for itself.
    """

    method: str
    title: str
    printed: float | None
    result: VideoResult
    behind: OverallCompared | None

    @property
    def jf(self) -> float:
        """J&F, in per cent."""
        return 100 * self.result.overall.jf


def main() -> None:
    """Run what is missing, and print the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="The folder of the world and the runs.")
    parser.add_argument("--draws", default="0-2", help="Support draws.")
    parser.add_argument("--only", help="Only these methods, separated by commas, beside DC-SAM.")
    given = parser.parse_args()
    benchmark = build(given.out)
    tables = []
    for carried, methods in (("affinity", (*paper_rows(), "bam", "lite", "oracle")), ("sam2-nano", BY_MEMORY)):
        wanted = [one for one in methods if given.only is None or one in (OWN, *given.only.split(","))]
        if wanted != [OWN]:
            tables.append(measured(run(given.out, benchmark, wanted, carried, given.draws)))
    print("\n\n".join("\n".join(lines(rows)) for rows in tables) if given.only else page(*tables))


def paper_rows() -> dict[str, tuple[str, float]]:
    """By method: what the paper calls it, whatever carries its masks, and its J&F in per cent."""
    table = paper_table(TABLE)
    return {row.method: (row.name.removesuffix(" + SAM 2"), table.printed(row)["jf"]) for row in table.rows}


def run(out: Path, benchmark: Path, methods: Sequence[str], carried: str, draws: str) -> dict[str, VideoResult]:
    """The scores of methods at their small sizes, all carried through the videos by affinity or by a SAM 2.

    They are made in one pass over each video, but for the one that is told the truth, which has no draws.
    """
    folder = out / "runs" / f"study-{carried}"
    told = [method for method in methods if sees_truth(method_class(method))]
    others = [method for method in methods if method not in told]
    asked = [
        "--shots", "1", "--categories", ",".join(held_out(FOLD)), "--benchmark", str(benchmark),
    ]  # fmt: skip
    for method in told:
        command("eval", "--method", method, *options(_settings(method, carried)), *asked, "--out", str(folder / method))
    words = [part for method in others for part in ("--method", method)]
    own = {f"{method}.{name}": value for method in others for name, value in _settings(method, carried).items()}
    command("eval", *words, "--together", *options(own), "--draws", draws, *asked, "--out", str(folder))
    found = {}
    for method in methods:
        (scores,) = (folder / method).glob("scores*.json")
        found[method] = VideoResult.model_validate(json.loads(scores.read_text()))
    return found


def _settings(method: str, carried: str) -> dict[str, str]:
    small = getattr(method_class(method), "small", {})
    return {**small, **(SMALL if carried == "affinity" else SAM2)}


def measured(results: Mapping[str, VideoResult]) -> list[Measured]:
    """Rows, best first."""
    named = {method: title for method, (title, _) in paper_rows().items()} | BESIDE
    rows = []
    for method, result in results.items():
        printed = paper_rows().get(method, ("", None))[1]
        behind = None if method == OWN else compare(results[OWN], result, OWN, method).overall.jf
        rows.append(Measured(method, named.get(method, f"`{method}`"), printed, result, behind))
    return sorted(rows, key=lambda row: -row.jf)


def page(by_affinity: Sequence[Measured], by_memory: Sequence[Measured]) -> str:
    """The page, in Markdown."""
    ranked = [row for row in by_affinity if row.printed is not None]
    paper = sorted(ranked, key=lambda row: -(row.printed or 0))
    claims = {row.title: verdict(row) for row in ranked if row.behind}
    same = [title for title, said in claims.items() if said == "holds"]
    others = "".join(f"; {title}: {said}" for title, said in claims.items() if said != "holds")
    overall = by_affinity[0].result.overall
    draws = max(len(row.result.overall.draws) for row in by_affinity)
    parts = [
        "# Table IV at a small size",
        wrapped(
            "Every method of the paper's Table IV, with the networks that come with icvos ([nano.md](nano.md)) in the "
            "place of the published ones: what of the paper holds where all is small and drawn? Made by"
        ),
        "    python -m benchmarks.nano_study --out runs/novel > docs/nano-study.md",
        wrapped(
            f"{overall.clips} clips of {overall.videos} drawn videos, {overall.frames:,} frames, of "
            f"categories that none of the networks was trained on; one shot, {draws} support draws, "
            "`paper@1`, 95 % intervals by a bootstrap over videos. All trained networks stand on the same "
            "frozen EfficientNet-Lite0 and learned from pictures of the same drawn world, one seed each, "
            "each by its own recipe and for its own time: a difference may be the method's or its "
            "training's. The last columns compare DC-SAM with the row on the same videos (paired "
            "bootstrap), and quote the paper's J&F on IC-VOS."
        ),
        "## Masks carried by affinity",
        "\n".join(lines(by_affinity)),
        wrapped(
            f"In the paper DC-SAM is above all {len(claims)} others. Here it is above {len(same)} of them "
            f"({', '.join(same)}){others}. The paper's order is {', '.join(row.title for row in paper)}; the order "
            f"here is {', '.join(row.title for row in ranked)}. The rank correlation of the two (Spearman) is "
            f"{spearman(paper, ranked):.2f}."
        ),
        "## Masks carried by the small SAM 2",
        "\n".join(lines(by_memory)),
        "## What is not in it",
        wrapped(
            "Table V, the parts of DC-SAM one by one, was measured with shorter trainings ([dcsam.md](dcsam.md)). No "
            "row of either has more than one training seed."
        ),
    ]
    return "\n\n".join(parts)


def wrapped(text: str) -> str:
    """A paragraph in lines as long as those of the other pages."""
    return fill(text, 130, break_long_words=False, break_on_hyphens=False)


def verdict(row: Measured) -> str:
    """Whether DC-SAM is above a row here, as it is in the paper."""
    assert row.behind is not None
    return {"a is better": "holds", "b is better": "the other way round"}.get(row.behind.verdict, "not decided")


def lines(rows: Sequence[Measured]) -> list[str]:
    """A table in Markdown."""
    found = [
        "| method | J | F | J&F | 95 % | DC-SAM is above by | paper |",
        "| --- | ---: | ---: | ---: | --- | --- | ---: |",
    ]
    for row in rows:
        overall = row.result.overall
        bounds = between(overall.interval.jf) if overall.interval else "-"
        above = "-"
        if row.behind and row.behind.interval:
            above = f"{100 * row.behind.difference:.1f} ({between(row.behind.interval)})"
        title = f"**{row.title}**" if row.method == OWN else row.title
        paper = "-" if row.printed is None else f"{row.printed:.1f}"
        figures = f"{100 * overall.j:.1f} | {100 * overall.f:.1f} | {row.jf:.1f}"
        found.append(f"| {title} | {figures} | {bounds} | {above} | {paper} |")
    return found


def between(bounds: tuple[float, float]) -> str:
    """An interval in per cent."""
    low, high = bounds
    return f"{100 * low:.1f} to {100 * high:.1f}"


def spearman(one: Sequence[Measured], other: Sequence[Measured]) -> float:
    """The rank correlation of the same rows in two orders."""
    n = len(one)
    squares = sum((place - other.index(row)) ** 2 for place, row in enumerate(one))
    return 1 - 6 * squares / (n * (n * n - 1))


if __name__ == "__main__":
    main()
