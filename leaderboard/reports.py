"""One result or two, looked into: `icvos report` and `icvos diff` as calls."""

from dataclasses import replace
from pathlib import Path

from icvos.tasks.calls import find_scores
from icvos.tasks.result import Named, Report, Selection
from leaderboard.entry import read_entry


def named(path: Path | str, protocol: str | None = None) -> Named:
    """The result in a scores file, in a board's file, or in a run folder for a protocol.

    Raises:
        IcvosError: There is none, or the file is no result.
    """
    entry = read_entry(find_scores(path, protocol))
    return Named(entry.name, str(entry.path), entry.result)


def report(
    scores: Path | str,
    *,
    ceiling: Path | str | None = None,
    protocol: str | None = None,
    selection: Selection | None = None,
) -> Report:
    """Where a run is good and where it fails.

    Args:
        scores: A scores file or a run folder.
        ceiling: The same of a run whose method saw the truth.
        protocol: Which scores of a run folder to take; None: ``paper``, or the only ones there.
        selection: Only a part of the benchmark.

    Raises:
        IcvosError: A file is no result, has too little in it, or the two cannot be compared.

    >>> from icvos.tasks.calls import score
    >>> _ = score("masks", "IC-VOS", out="scores.json")
    >>> report("scores.json").tables[0].rows[0][:2]
    ('all clips', '7')
    """
    own = named(scores, protocol)
    if selection:
        own = replace(own, result=own.result.select(selection, own.where))
    return own.result.report(own, named(ceiling, protocol) if ceiling else None)


def compare(a: Named | Path | str, b: Named | Path | str, *, protocol: str | None = None, most: int = 10) -> Report:
    """How far two runs are apart, and how sure that is.

    Args:
        a: A scores file, a run folder, or what `named` found in one.
        b: The other.
        protocol: Which scores of a run folder to take; None: ``paper``, or the only ones there.
        most: How many clips to list, those where the two part most.

    Raises:
        IcvosError: A file is no result, or the two cannot be compared.

    >>> from icvos.tasks.calls import score
    >>> _ = score("masks", "IC-VOS", out="scores.json")
    >>> compare("scores.json", "scores.json").lines[0].partition(":")[0]  # of so few videos
    'unknown'
    """
    first, second = (side if isinstance(side, Named) else named(side, protocol) for side in (a, b))
    return first.result.compare(first, second, most)
