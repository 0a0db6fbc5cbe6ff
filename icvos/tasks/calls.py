"""What the commands on benchmarks do, one call each: score, validate, render, report, compare.

A benchmark is the path of its folder or an opened `Task`; predictions are a run, a prediction folder or a zip or
tar.gz file of either.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from icvos.errors import Fault, IcvosError
from icvos.files.storage import require_writable, write_json
from icvos.protocol import PAPER, protocol
from icvos.tasks.repairs import RepairReport
from icvos.tasks.result import Keep, Result, Selection, scores_files, scores_name
from icvos.tasks.task import SHEET_FRAMES, SILENT, Drawing, Sheet, Task, Watch, open_task
from icvos.workers import Workers


def as_task(benchmark: Task | Path | str) -> Task:
    """The benchmark, opened where it is a path."""
    return open_task(benchmark) if isinstance(benchmark, str | Path) else benchmark


def score(
    predictions: Path | str,
    benchmark: Task | Path | str,
    protocol_name: str = PAPER.id,
    *,
    selection: Selection | None = None,
    clips_there: bool = False,
    workers: Workers = 1,
    out: Path | str | None = None,
    frames_csv: Path | str | None = None,
    keep: Keep | None = None,
    watch: Watch = SILENT,
) -> Result:
    """Score predictions against a benchmark.

    Args:
        predictions: A run, a prediction folder or a zip or tar.gz file of either.
        benchmark: What was predicted.
        protocol_name: Which frames count, and at which size masks are compared.
        selection: Score only a part of the benchmark; what is missing outside of it is no fault.
        clips_there: Of an unfinished run, score the clips that every draw has; the result is marked as partial.
        workers: Processes; the result is the same to the last bit for any number.
        out: Also write the result into this file; `icvos.tasks.calls.scores_path` says where a run keeps it.
        frames_csv: On videos: also write J and F of every frame.
        keep: On videos: is given J and F of every frame, for `icvos.tasks.result.keep_frames`.
        watch: Is told of every clip or fold.

    Raises:
        IcvosError: A mask is missing, broken or of another size, or an archive is not unpacked.

    >>> result = score("masks", "IC-VOS", "native")  # a copy of the truth
    >>> result.kind, result.to_json()["overall"]["jf"]
    ('video', 1.0)
    """
    from icvos.tasks.archive import relocate, submission_folder
    from icvos.tasks.record import read_records
    from icvos.tasks.runs import other_build

    task, chosen = as_task(benchmark), protocol(protocol_name)
    part = task.select(selection) if selection else task
    for file in (out, frames_csv):
        if file is not None:
            require_writable(Path(file))
    watch.stage("score")
    with submission_folder(predictions, task.folders) as folder:
        rows = Path(frames_csv) if frames_csv else None
        if clips_there:
            part = part.there(folder, chosen)
        result = part.score(folder, chosen, watch, workers=workers, frames_csv=rows, keep=keep)
        for path, record in read_records(folder, task.part).items():
            for fault in other_build(path, record, result.digest) if record.digest else ():
                watch.note(str(relocate(fault, folder, Path(predictions))))
    if out is not None:
        write_json(Path(out), result.to_json())
    return result


def scores_path(predictions: Path, protocol_name: str, partial: bool = False) -> Path:
    """Where the scores of predictions belong: in their folder, or beside their archive; ``partial`` ones are apart."""
    from icvos.files.archives.unpacking import bare_name

    name = scores_name(protocol(protocol_name).id, partial)
    return predictions / name if predictions.is_dir() else predictions.with_name(f"{bare_name(predictions)}-{name}")


def validate(
    predictions: Path | str,
    benchmark: Task | Path | str,
    protocol_name: str = PAPER.id,
    *,
    watch: Watch = SILENT,
) -> list[Fault]:
    """Every fault of predictions, in one pass that reads every mask once; none where they can be scored as they are.

    An error keeps predictions from being scored, a warning does not. Where an archive itself is at fault, its faults
    are all that is found.

    Args:
        predictions: A run, a prediction folder or a zip or tar.gz file of either.
        benchmark: What was predicted.
        protocol_name: Says which frames must be there.
        watch: Is told of every clip or fold.

    >>> {fault.kind for fault in validate("masks", "IC-VOS")}  # a copy of the truth
    {'truth'}
    """
    from icvos.files.archives.entries import ArchiveError
    from icvos.tasks.archive import relocate, submission_folder

    task, path = as_task(benchmark), Path(predictions)
    if path.is_dir() and path.resolve() == task.root.resolve():
        raise IcvosError(f"{path}: is the benchmark itself; give the folder or archive of the predictions")
    watch.stage("validate")
    try:
        with submission_folder(path, task.folders) as folder:
            return [relocate(fault, folder, path) for fault in task.check(folder, protocol(protocol_name), watch)]
    except ArchiveError as error:
        return list(error.faults)


def repair(
    predictions: Path | str, benchmark: Task | Path | str, out: Path | str, protocol_name: str = PAPER.id
) -> RepairReport:
    """Write a copy of predictions without the harmless faults to the new folder ``out``; what was done, what is left.

    Raises:
        IcvosError: ``out`` exists, the archive is not unpacked, or the benchmark is of a kind that has no repair.

    >>> repair("masks", "IC-VOS", "repaired").repairs
    ()
    """
    return as_task(benchmark).repair(Path(predictions), Path(out), protocol(protocol_name))


def render(
    benchmark: Task | Path | str,
    out: Path | str,
    *,
    predictions: Path | str | None = None,
    selection: Selection | None = None,
    drawing: Drawing | None = None,
    watch: Watch = SILENT,
) -> tuple[Path, ...]:
    """Draw the masks of a benchmark, and of predictions beside them, into one file for each clip or fold.

    Args:
        benchmark: What is drawn.
        out: The folder of the files.
        predictions: A run or a prediction folder; None: the truth alone.
        selection: Only a part of the benchmark.
        drawing: How it is drawn.
        watch: Is told of every file.

    >>> files = render("IC-VOS", "sheets", selection=Selection(limit=1), drawing=Drawing(kind="sheet"))
    >>> [file.suffix for file in files]
    ['.png']
    """
    from icvos.tasks.archive import refuse_links

    task = as_task(benchmark)
    part, drawing = task.select(selection) if selection else task, drawing or Drawing()
    if predictions:
        refuse_links(Path(predictions))
    sheets = part.sheets(Path(predictions) if predictions else None, drawing)
    return write_sheets(sheets, Path(out), drawing, watch)


def explain(
    clip: str,
    benchmark: Task | Path | str,
    predictions: Path | str,
    out: Path | str,
    *,
    settings: Mapping[str, Any] | None = None,
    drawing: Drawing | None = None,
) -> Path:
    """Draw how the method of a run came to its mask of one clip or episode; the picture's path in ``out``.

    The method runs again, with the settings and supports of the run, on the first frame or the query.

    Args:
        clip: ``<video>/<class>`` of videos, ``<fold>/<episode>`` of images.
        benchmark: What the run was made on.
        predictions: The run, or one of its draws.
        out: The folder of the picture.
        settings: Over those of the run, for files that were moved since.
        drawing: How high panels are.

    Raises:
        IcvosError: The run's method does not explain itself, or the run has no mask of the clip.
    """
    from icvos.drawing.panels import encode_png
    from icvos.files.names import plain_name
    from icvos.files.storage import write_bytes
    from icvos.tasks.archive import refuse_links
    from icvos.tasks.case import explained

    require_writable(Path(out), folder=True)
    refuse_links(Path(predictions))
    case = as_task(benchmark).case(clip, Path(predictions))
    path = Path(out) / plain_name(f"{clip.replace('/', '-')}-explained.png", "a picture")
    write_bytes(path, encode_png(explained(case, settings or {}, drawing or Drawing())))
    return path


def write_sheets(sheets: Iterator[Sheet], out: Path, drawing: Drawing, watch: Watch = SILENT) -> tuple[Path, ...]:
    """Write each of ``sheets`` into ``out``; raises `IcvosError` where there is none."""
    from icvos.drawing.animation import write_animation
    from icvos.drawing.panels import contact_sheet, encode_png, stacked
    from icvos.files.names import plain_name
    from icvos.files.storage import write_bytes

    require_writable(out, folder=True)
    watch.stage("render")
    written = []
    for sheet in sheets:
        name = plain_name(f"{sheet.name}.{'png' if sheet.kind == 'sheet' else sheet.kind}", "a picture")
        path = out / name
        if sheet.kind != "sheet":
            write_animation(path, sheet.images, sheet.fps)
        elif sheet.rows:
            write_bytes(path, encode_png(stacked(list(sheet.images), gap_px=10)))
        else:
            columns = drawing.columns
            width_px = 4 * columns * drawing.height_px
            picture = contact_sheet(sheet.images, columns=columns, width_px=width_px, count=SHEET_FRAMES)
            write_bytes(path, encode_png(picture))
        written.append(path)
        watch.advance()
    if not written:
        raise IcvosError("nothing to render: nothing was selected")
    return tuple(written)


def find_scores(path: Path | str, protocol_name: str | None = None) -> Path:
    """The scores file that ``path`` is, or that a run folder has for a protocol; None: ``paper``, or the only one.

    Partial scores are found where there are no whole ones.

    Raises:
        IcvosError: The run folder has none; the message says how to make it.
    """
    path = Path(path)
    if not path.is_dir():
        return path
    if any((path / name).is_file() for name in ("icvos.json", "episodes.json")):
        raise IcvosError(f"{path}: is a benchmark, not a run; give the folder of a run, which icvos eval makes")
    chosen = protocol(protocol_name or PAPER.id).id
    others = scores_files(path)
    names = [scores_name(chosen, partial) for partial in (False, True)]
    file = next((other for other in others if other.name in names), path / names[0])
    if protocol_name is None and file not in others and len(others) == 1:
        file = others[0]
    if file not in others:
        there = [other.name for other in others if other.name != scores_name(PAPER.id)]
        known = f"there is {', '.join(there)}; " if there else ""
        raise IcvosError(
            f"{file}: no such file; {known}score the run first with: "
            f"icvos score {path} --protocol {chosen} --benchmark ..."
        )
    return file
