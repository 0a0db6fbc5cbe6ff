"""`icvos curate agree`: whom to compare, and the tables of a comparison."""

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

from curation.review.agreement import Agreement, Comparison, compare
from curation.review.events import log_of, of_video
from curation.review.ledger import Ledger, decided_alone, reviewers
from curation.review.standing import consistency
from curation.video.rows import read_rows
from icvos.errors import IcvosError
from icvos.tasks.listing import Listing


def comparisons(first: Path, second: Path | None = None) -> tuple[list[Comparison], list[str]]:
    """Two files compared, or every two reviewers in the log of one; and a line on each who was shown videos again.

    Raises `IcvosError` for files that cannot be read, and for a log with fewer than two reviewers.
    """
    if second is not None:
        names = (first.name, second.name) if first.name != second.name else (str(first), str(second))
        return [compare(of_video(read_rows(first)), of_video(read_rows(second)), names)], []
    read_rows(first)  # an error, where it is none
    table = Ledger(first).read()
    found = reviewers(table)
    if len(found) < 2:
        who = f"only {found[0]} has" if found else "nobody has"
        raise IcvosError(
            f"{log_of(first)}: {who} decided; give two files, or have a second person run: icvos curate review "
            f"--rows {first.name} --reviewer NAME --blind"
        )
    pairs = [
        compare(decided_alone(table, one), decided_alone(table, other), (one, other))
        for one, other in combinations(found, 2)
    ]
    counted = {name: consistency(name, table.events) for name in found}
    notes = [
        f"{name} decided {same} of {shown} videos that were shown again as before"
        for name, (same, shown) in counted.items()
        if shown
    ]
    return pairs, notes


def lines(found: Comparison) -> Iterator[Listing | str]:
    """A comparison as tables and lines."""
    one, other = found.names
    alone = ", ".join(f"{name} alone: {count}" for name, count in zip(found.names, found.alone, strict=True))
    yield f"videos that {one} and {other} decided: {found.videos}; {alone}"
    columns = ("", "items", "same", "kappa", "95% interval")
    yield Listing("", ("question", *columns[1:]), tuple(_row(name, asked) for name, asked in found.questions.items()))
    rows = tuple(_row(name, asked) for name, asked in found.categories.items())
    yield Listing("objects of a category, or not", ("category", *columns[1:]), rows)
    yield f"videos in dispute: {len(found.disputes)}"
    for dispute in found.disputes:
        yield f"  {'/'.join(dispute.key)}: {one} says {dispute.first}; {other} says {dispute.second}"


def _row(name: str, found: Agreement) -> tuple[str, ...]:
    share = f"{100 * found.same / found.items:.1f}%" if found.items else "-"
    kappa = "-" if found.kappa is None else f"{found.kappa:.3f}"
    interval = "-" if found.low is None or found.high is None else f"{found.low:.3f} to {found.high:.3f}"
    return name, str(found.items), share, kappa, interval
