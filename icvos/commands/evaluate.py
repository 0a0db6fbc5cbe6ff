"""`icvos eval`: a method over a benchmark, then its scores."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from icvos.commands.options import (
    BENCHMARK,
    FOLDER,
    FRAMES,
    PROTOCOLS,
    RANDOM_WEIGHTS,
    SETTINGS,
    SHOTS,
    TIMEOUT,
    WORKERS,
    examples,
    read_numbers,
    read_selection,
    read_settings,
    selection_options,
)
from icvos.commands.printing import say, show_result
from icvos.commands.progress import scored_in, watched
from icvos.errors import AGAIN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from icvos.errors import IcvosError
    from icvos.tasks.result import Result
    from icvos.tasks.task import Task


@click.command(
    "eval",
    epilog=examples(
        "icvos eval --method lite --benchmark IC-VOS --out runs/lite",
        "icvos eval --method lite --method oracle --benchmark IC-VOS --out runs",
        "icvos eval --method lite --method oracle --together --benchmark IC-VOS --out runs",
        "icvos eval --method lite --shots 5 --draws 0 --limit 10 --benchmark IC-VOS --out runs/lite-5",
        "icvos eval --method lite --shard 2/8 --benchmark IC-VOS --out /shared/lite",
        "icvos eval --method lite --method oracle --ray local --benchmark IC-VOS --out runs",
        "icvos eval --method vrp-sam --set checkpoint=fold{fold}.safetensors \\",
        "    --benchmark coco-20i --out runs/vrp",
    ),
)
@click.option(
    "--method",
    "methods",
    metavar="NAME",
    multiple=True,
    required=True,
    help="The method; icvos methods lists them. Of several, each has its run in --out/NAME, and a table compares them.",
)
@BENCHMARK
@click.option("--out", type=FOLDER, required=True, help="The run folder: predictions and scores.")
@SETTINGS
@SHOTS
@click.option("--draws", metavar="NUMBERS", default=None, help="On videos: support draws, as 0 or 0-4.  [default: all]")
@click.option(
    "--folds", "--fold", "folds", metavar="NUMBERS", default=None, help="On images: folds, as 0 or 0-3.  [default: all]"
)
@PROTOCOLS
@selection_options
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=1),
    default=None,
    help="Only the first N clips, or the first N episodes of each fold.",
)
@click.option(
    "--overwrite",
    type=click.Choice(["never", "only-missing", "always"]),
    default="only-missing",
    show_default=True,
    help="What to do if there are predictions already.",
)
@FRAMES
@WORKERS
@click.option(
    "--together",
    is_flag=True,
    help="On videos, with several methods: all in one pass over each video. Frames are read once, and what methods see "
    "of them alike is computed once; all are loaded at once.",
)
@click.option(
    "--shard",
    metavar="I/N",
    default=None,
    help="On videos: make the run together with N - 1 other processes that are given the same --out; slurm: as a task "
    "of a job array. The last one scores.",
)
@click.option(
    "--ray",
    metavar="ADDRESS",
    default=None,
    help="On videos: have the workers of a Ray cluster make the run, one on each GPU; local: those of this machine. "
    "Several methods share them.",
)
@click.option(
    "--cpus-per-worker",
    metavar="N",
    type=click.IntRange(min=1),
    default=None,
    help="With --ray: workers on the CPU, each with N processors.  [default: one for each GPU, else each processor]",
)
@click.option(
    "--slurm",
    metavar="N",
    type=click.IntRange(min=1),
    default=None,
    help="On videos: submit a job array of N shards to SLURM, and end; a task that is preempted is submitted again.",
)
@click.option(
    "--slurm-set",
    "slurm_pairs",
    multiple=True,
    metavar="NAME=VALUE",
    help="With --slurm: what submitit asks for, as gpus_per_node=1, timeout_min=600, slurm_partition=gpu (repeatable).",
)
@TIMEOUT
@RANDOM_WEIGHTS
def evaluate(methods: tuple[str, ...], benchmark: Path, out: Path, pairs: tuple[str, ...], **given: Any) -> None:
    """Run a method, or several, on a benchmark and score it.

    A run that was stopped resumes when it is run again. On videos several processes may run it at once: each makes what
    the others have not begun, and takes over what they leave behind. On benchmarks of images, {fold} in a setting is
    replaced by the number of the fold, so that every fold can have its own checkpoint.

    With several methods, --set METHOD.NAME=VALUE is for one of them, and --set NAME=VALUE for all. One that fails does
    not stop the others.
    """
    from icvos.tasks.task import open_task

    count, slurm_pairs, together = given.pop("slurm"), given.pop("slurm_pairs"), given.pop("together")
    settings = _settings(methods, pairs)
    task = open_task(benchmark)
    given["parts"] = _parts(task, draws=given.pop("draws"), folds=given.pop("folds"))
    given["selection"] = read_selection(given, given.pop("limit"))
    places = {method: out / method if len(methods) > 1 else out for method in methods}
    if together:
        _require_several(methods, given["ray"], count)
    if count is not None or slurm_pairs:
        for method, place in places.items():
            asked = {"method": method, "settings": settings[method], **given}
            _submit(task, place, asked, count, read_settings(slurm_pairs))
    elif len(methods) == 1:
        _run(methods[0], task, out, settings=settings[methods[0]], **given)
    else:
        _run_all(task, places, settings, given, together=together or given["ray"] is not None)


def _require_several(methods: tuple[str, ...], ray: str | None, count: int | None) -> None:
    """Refuse --together where there is nothing that this process would make in one pass."""
    from icvos.errors import IcvosError

    if len(methods) == 1:
        raise IcvosError("--together: is for several methods; give another --method, or leave it out")
    if ray is not None or count is not None:
        other = f"--slurm {count}" if ray is None else f"--ray {ray}"
        raise IcvosError(f"--together: one process makes all methods, and not {other}; leave one of the two out")


def _settings(methods: tuple[str, ...], pairs: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """The settings of each method, of which ``METHOD.NAME=VALUE`` are its own."""
    from icvos.errors import IcvosError
    from icvos.method import settings_for
    from icvos.tasks.runs import in_fold

    own: dict[str, list[str]] = {method: [] for method in methods}
    if len(own) < len(methods):
        twice = next(method for method in methods if methods.count(method) > 1)
        raise IcvosError(f"--method {twice}: is given twice; for other settings of it, run it again with another --out")
    for pair in pairs:
        method, _, rest = pair.partition(".")
        if method in own:
            own[method].append(rest)
        else:
            for every in own.values():
                every.append(pair)
    found = {method: read_settings(tuple(given)) for method, given in own.items()}
    for method, settings in found.items():
        try:
            settings_for(method, in_fold(settings, 0))
        except IcvosError as error:
            like = "; --set METHOD.NAME=VALUE is for one of the methods" if len(methods) > 1 and settings else ""
            raise IcvosError(f"{error}{like}") from error
    return found


def _run(method: str, task: "Task", out: Path, **given: Any) -> bool:
    """Run a method and show its figures; whether there are any, which a shard may leave to another."""
    from icvos.tasks.evaluation import evaluate as run

    with watched(f"all masks are made and {{done}} of {{units}} {scored_in(task)} scored; {AGAIN} to go on") as watch:
        results = run(method, task, out, watch=watch, **given)
    if not results:
        _say_left(task, out, given["shard"])
    _show(results, out)
    return bool(results)


def _say_left(task: "Task", out: Path, shard: str) -> None:
    say(f"shard {shard} has nothing left to do, others are still at work; the last of them scores the run")
    say(f"if they are gone, {AGAIN}, or score what is there with:")
    say(f"icvos score {out} --benchmark {task.root} --clips-there")


def _show(results: "tuple[Result, ...]", out: Path) -> None:
    from icvos.tasks.evaluation import evaluated_path

    for result in results:
        show_result(result, evaluated_path(out, result))


def _run_all(
    task: "Task",
    places: dict[str, Path],
    settings: dict[str, dict[str, str]],
    given: dict[str, Any],
    *,
    together: bool,
) -> None:
    """Run one method after the other, or all ``together``, then rank them; `IcvosError` where some failed."""
    from rich.console import Console

    from icvos.errors import IcvosError
    from icvos.models.needs import require_usable
    from icvos.models.weights.registry import random_weights_allowed
    from icvos.tasks.runs import in_fold
    from leaderboard.ranking import rank
    from leaderboard.tables.formats import terminal

    moving = task.part == "draw"
    with random_weights_allowed(given["random_weights"]):
        for method in places:  # before the first begins
            for fold in (0,) if moving else given["parts"] or task.parts:
                require_usable(method, in_fold(settings[method], fold), moving=moving)
    scored: list[Path] = []
    failed: list[str] = []
    for method, found in (
        _together(task, places, settings, given) if together else _in_turn(task, places, settings, given)
    ):
        if isinstance(found, IcvosError):
            failed.append(method)
            say(f"{method} failed: {found}", err=True)
        elif found:
            scored.append(places[method])
    if scored:
        Console().print(terminal(rank(scored), breakdowns=False))
    if failed:
        raise IcvosError(f"{', '.join(failed)} failed, see above; all others are scored; {AGAIN} to go on")


def _in_turn(
    task: "Task", places: dict[str, Path], settings: dict[str, dict[str, str]], given: dict[str, Any]
) -> "Iterator[tuple[str, bool | IcvosError]]":
    """Run and show one method after the other: whether there are figures, or what ended it."""
    from icvos.errors import IcvosError

    for method, place in places.items():
        say(f"{method}:", bold=True)
        try:
            yield method, _run(method, task, place, settings=settings[method], **given)
        except IcvosError as error:
            yield method, error


def _together(
    task: "Task", places: dict[str, Path], settings: dict[str, dict[str, str]], given: dict[str, Any]
) -> "Iterator[tuple[str, bool | IcvosError]]":
    """Run all methods in one pass or by the same workers, and show them: whether there are any, or what ended it."""
    from icvos.errors import IcvosError
    from icvos.tasks.evaluation import evaluate_all

    if given["shard"] is not None and given["ray"] is not None:
        has_own = f"--ray {given['ray']} has workers of its own"
        raise IcvosError(f"--shard {given['shard']}: {has_own}; leave one of the two out")
    with watched(f"all masks are made and {{done}} of {{units}} {scored_in(task)} scored; {AGAIN} to go on") as watch:
        found = evaluate_all(settings, task, places, watch=watch, **given)
    for method, results in found.items():
        say(f"{method}:", bold=True)
        if isinstance(results, IcvosError):
            yield method, results
            continue
        if not results:
            _say_left(task, places[method], given["shard"])
        _show(results, places[method])
        yield method, bool(results)


def _submit(task: "Task", out: Path, asked: dict[str, Any], count: int | None, parameters: dict[str, str]) -> None:
    """Submit the shards of a run to SLURM, and say what follows."""
    from icvos.errors import IcvosError
    from icvos.tasks.slurm import submit

    if count is None:
        raise IcvosError("--slurm-set: goes with --slurm; leave it out")
    if asked.pop("shard") or asked.get("ray"):
        raise IcvosError(f"--slurm {count}: submits shards itself; leave --shard and --ray out")
    if task.part != "draw":
        raise IcvosError(f"--slurm {count}: is for videos; run each of the folds by itself, with --folds")
    logs = out.absolute().with_name(f"{out.name}.slurm")
    places = {"benchmark": task.root.absolute(), "out": out.absolute()}
    jobs = submit({**asked, **places}, count, logs, parameters)
    say(f"submitted {jobs[0].job_id} and so on, {count} shards; the last to end scores the run; logs in {logs}")
    say("if a task ends with an error, submit the same command again: it makes what is missing")


def _parts(task: "Task", **given: str | None) -> tuple[int, ...] | None:
    """The draws or folds that are asked for; `IcvosError` for those that the benchmark does not consist of."""
    from icvos.errors import IcvosError

    own = f"{task.part}s"
    for name, text in given.items():
        if text is not None and name != own:
            raise IcvosError(f"--{name}: {task.root} consists of {own}; leave it out, or choose with --{own}")
    text = given[own]
    return read_numbers(text, f"--{own}") if text is not None else None
