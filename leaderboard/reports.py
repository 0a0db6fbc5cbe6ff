"""One result or two, looked into: `icvos report` and `icvos diff` as calls."""

from dataclasses import replace
from pathlib import Path

from icvos.errors import IcvosError
from icvos.tasks.calls import as_task, find_scores
from icvos.tasks.result import MOST_WORST, Named, Report, Selection
from icvos.tasks.task import SILENT, Task, Watch
from leaderboard.entry import read_entry

PICTURE_PX = 160  # height of a picture on a sheet


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
    most: int = MOST_WORST,
    sheet: Path | str | None = None,
    benchmark: Task | Path | str | None = None,
    watch: Watch = SILENT,
) -> Report:
    """Where a run is good and where it fails.

    Args:
        scores: A scores file or a run folder.
        ceiling: The same of a run whose method saw the truth.
        protocol: Which scores of a run folder to take; None: ``paper``, or the only ones there.
        selection: Only a part of the benchmark.
        most: How many clips to list and to draw, the worst first.
        sheet: Also draw them, as a PNG of this name; needs ``benchmark``, and the predictions beside the scores.
        benchmark: What the run was scored on.
        watch: Is told of every clip that is drawn.

    Raises:
        IcvosError: A file is no result, has too little in it, or the two cannot be compared; what is to be drawn is not
            there.

    >>> from icvos.tasks.calls import score
    >>> _ = score("masks", "IC-VOS", out="scores.json")
    >>> report("scores.json").tables[0].rows[0][:2]
    ('all clips', '7')
    """
    if sheet is not None and benchmark is None:
        raise IcvosError(f"{sheet}: pictures of which frames? give the benchmark too, by --benchmark")
    if benchmark is not None and sheet is None:
        raise IcvosError("--benchmark is for the frames of --sheet; give that too, or leave it out")
    own = named(scores, protocol)
    if selection:
        own = replace(own, result=own.result.select(selection, own.where))
    found = own.result.report(own, named(ceiling, protocol) if ceiling else None, most)
    if sheet is not None and benchmark is not None:
        write_worst(own, Path(sheet), as_task(benchmark), most, watch)
    return found


def write_worst(own: Named, path: Path, benchmark: Task, most: int, watch: Watch = SILENT) -> None:
    """Draw the ``most`` worst clips of a result as a PNG: a row for each; see `report`."""
    from icvos.drawing.panels import contact_sheet, encode_png, stacked
    from icvos.files.storage import require_writable, write_bytes
    from icvos.tasks.archive import refuse_links

    if path.suffix.lower() != ".png":
        raise IcvosError(f"{path}: the sheet is a PNG; give it a name that ends in .png")
    if most < 1:
        raise IcvosError(f"{path}: a sheet of no clip; ask for 1 or more")
    require_writable(path)
    run = Path(own.where).parent
    refuse_links(run)
    watch.stage("sheet")
    rows, drawn = [], benchmark.worst(own, run, most, PICTURE_PX)
    watch.total(most)
    for row in drawn:
        rows.append(row)
        watch.advance()
    picture = stacked(rows, gap_px=14)
    margin_px = 10
    picture = contact_sheet([picture], columns=1, width_px=picture.shape[1] + 2 * margin_px, gap_px=margin_px)
    write_bytes(path, encode_png(picture))


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
