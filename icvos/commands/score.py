"""`icvos score`: figures of predictions."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from icvos.commands.options import (
    FILE,
    FOLDER,
    FRAMES,
    PAPER,
    RAY,
    WORKERS,
    examples,
    read_selection,
    read_workers,
    selected_names,
    selection_options,
)
from icvos.commands.printing import is_stdout, put_json, require_places, say, show_listings, show_result
from icvos.commands.progress import scored_in, watched
from icvos.errors import AGAIN

if TYPE_CHECKING:
    from icvos.files.schema import Schema
    from icvos.tasks.listing import Listing
    from icvos.vos.result import Figures, FolderResult


@click.command(
    epilog=examples(
        "icvos score my-predictions --benchmark IC-VOS --frames-csv frames.csv",
        "icvos score runs/lite --benchmark IC-VOS --clips-there",
        "icvos score PREDICTIONS ANNOTATIONS --skip-ends --workers 8",
        "icvos score /shared/lite --benchmark /shared/IC-VOS --ray 10.0.0.1:6379",
        "icvos score osvos.zip DAVIS/Annotations/480p --objects binary --skip-ends --csv results",
    )
)
@click.argument("predictions", type=FOLDER)
@click.argument("truth", metavar="[GT]", type=FOLDER, required=False)
@click.option("--benchmark", type=FOLDER, default=None, help="A benchmark to score against, in place of GT.")
@click.option(
    "--protocol", metavar="ID", default=None, help=f"With --benchmark: paper@1 or native@1.  [default: {PAPER}]"
)
@click.option("--skip-ends", is_flag=True, help="With GT: leave out each video's first and last frame, as DAVIS does.")
@click.option(
    "--objects",
    type=click.Choice(["all", "first-frame", "binary"]),
    default=None,
    help="With GT: every id in the truth (as vos-benchmark), those of its first frame (as DAVIS 2017), or everything "
    "that is not 0 as one object (as DAVIS 2016).  [default: all]",
)
@click.option(
    "--json",
    "--out",
    "json_path",
    type=FILE,
    default=None,
    help="Write the scores to this file (- prints them).  [default: with --benchmark, scores.json in PREDICTIONS; of a "
    "part of the benchmark, scores-partial.json]",
)
@click.option(
    "--csv",
    "csv_folder",
    type=FOLDER,
    default=None,
    help="With GT: also write the DAVIS scripts' global_results.csv and per-sequence_results.csv into this folder.",
)
@click.option("--frames-csv", type=FOLDER, default=None, help="Also write J and F of every frame to this file.")
@FRAMES
@selection_options
@click.option(
    "--clips-there",
    is_flag=True,
    help="Score an unfinished run: the clips of which every draw that has begun has all masks. The result is partial.",
)
@WORKERS
@RAY
def score(predictions: Path, truth: Path | None, benchmark: Path | None, **given: Any) -> None:
    """Score predictions against a benchmark, or one folder of masks against another.

    With --benchmark, PREDICTIONS is a run, a folder of predictions (<video>/<class>/<frame>.png; on images
    fold<F>/episodes.jsonl), or a zip or tar.gz file of either. On images, every finished fold is scored.

    With GT, both folders hold <video>/<frame>.png or the frames of one video, with object ids or binary. PREDICTIONS
    may be a zip or tar.gz file of them, with other folders around the videos.
    """
    from icvos.errors import IcvosError

    if (truth is None) == (benchmark is None):
        raise IcvosError("give exactly one of GT, a folder of true masks, and --benchmark")
    for key in (
        ("protocol", "categories", "clips", "clips_there", "frames")
        if truth
        else ("skip_ends", "objects", "csv_folder")
    ):
        if given[key] not in (None, False, ()):
            place = "a --benchmark" if truth else "a folder GT"
            raise IcvosError(f"--{key.removesuffix('_folder').replace('_', '-')} is for scoring against {place}")
    if truth:
        _against_folder(predictions, truth, given)
    elif benchmark:
        _against_benchmark(predictions, benchmark, given)


def _against_benchmark(predictions: Path, benchmark: Path, given: dict[str, Any]) -> None:
    from icvos.errors import IcvosError
    from icvos.tasks.calls import score as run
    from icvos.tasks.calls import scores_path
    from icvos.tasks.result import keep_frames
    from icvos.tasks.task import open_task

    selection, protocol = read_selection(given), given["protocol"] or PAPER
    require_places(given["json_path"] or scores_path(predictions, protocol))
    if given["frames"] and is_stdout(given["json_path"]):
        raise IcvosError("--frames lies beside the scores; give a file to --json, or leave out one of the two")
    workers = read_workers(given, predictions)
    task, kept = open_task(benchmark), list["Schema"]()
    with watched(f"{{done}} of {{units}} {scored_in(task)} are scored and nothing is written; {AGAIN}") as watch:
        result = run(
            predictions,
            task,
            protocol,
            selection=selection,
            clips_there=given["clips_there"],
            workers=workers,
            frames_csv=given["frames_csv"],
            keep=kept.append if given["frames"] else None,
            watch=watch,
        )
    path = given["json_path"] or scores_path(predictions, protocol, result.partial)
    keep_frames(path, kept)
    put_json(path, result.to_json())
    if not is_stdout(path):
        show_result(result, path)


def _against_folder(predictions: Path, truth: Path, given: dict[str, Any]) -> None:
    from icvos.files.storage import require_writable
    from icvos.vos.folders import score_folders
    from icvos.vos.tables import write_frames_csv, write_sequences_csv

    require_places(given["json_path"], given["frames_csv"])
    if given["csv_folder"]:
        require_writable(given["csv_folder"], folder=True)
    workers = read_workers(given, predictions)
    with watched(f"videos scored: {{done}}, and nothing is written; {AGAIN}") as watch:
        watch.stage("score")
        scores = score_folders(
            predictions,
            truth,
            skip_ends=given["skip_ends"],
            objects=given["objects"] or "all",
            videos=selected_names(given["videos"], "--videos"),
            workers=workers,
            progress=lambda video: watch.advance(),
        )
    result = scores.to_result()
    if given["json_path"]:
        put_json(given["json_path"], result.to_json())
    if given["frames_csv"]:
        write_frames_csv(given["frames_csv"], scores)
    if given["csv_folder"]:
        write_sequences_csv(given["csv_folder"], scores)
    for line in scores.warnings:
        say(f"warning: {line}", err=True)
    if not is_stdout(given["json_path"]):
        show_listings([_table(result), result.line()])


def _table(result: "FolderResult") -> "Listing":
    """The figures of every object of every video."""
    from icvos.tasks.listing import Listing, percent

    def cells(figures: "Figures") -> tuple[str, ...]:
        return tuple(percent(getattr(figures, name)) for name in names)

    names = ("jf", "j", "j_recall", "j_decay", "f", "f_recall", "f_decay")
    rows: list[tuple[str, ...] | None] = []
    for video, found in result.videos.items():
        rows += [(video, key, str(one.frames), *cells(one)) for key, one in found.objects.items()]
    total = result.overall
    rows += [None, ("all", str(total.objects), str(total.frames), *cells(total))]
    columns = ("video", "object", "frames", "J&F", "J", "J recall", "J decay", "F", "F recall", "F decay")
    return Listing("", columns, tuple(rows))
