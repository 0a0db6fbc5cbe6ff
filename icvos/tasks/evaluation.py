"""Run a method over a benchmark and score it, or several that share every pass over a video, or a cluster."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from icvos.errors import AGAIN, IcvosError
from icvos.files.schema import Schema
from icvos.files.storage import require_writable, write_json
from icvos.protocol import PAPER, protocol
from icvos.tasks.calls import as_task
from icvos.tasks.record import RECORD
from icvos.tasks.result import Result, Selection, keep_frames, scores_name
from icvos.tasks.task import SILENT, Task, Watch

if TYPE_CHECKING:
    from icvos.tasks.runs import Outcome, Overwrite, RunOptions


def evaluate(
    method: str,
    benchmark: Task | Path | str,
    out: Path | str,
    *,
    settings: Mapping[str, Any] | None = None,
    shots: int = 1,
    parts: Sequence[int] | None = None,
    protocols: Sequence[str] = (PAPER.id,),
    selection: Selection | None = None,
    overwrite: "Overwrite" = "only-missing",
    workers: int = 1,
    random_weights: bool = False,
    timeout: float | None = None,
    frames: bool = False,
    shard: str | None = None,
    ray: str | None = None,
    cpus_per_worker: int | None = None,
    watch: Watch = SILENT,
) -> tuple[Result, ...]:
    """Run a method over a benchmark into the run folder ``out``, then score it; called again, it resumes.

    On videos several processes, on one machine or several that share the folder, may make a run together.

    Args:
        method: Its name; `icvos.method.method_names` lists them.
        benchmark: A benchmark of videos or of images.
        out: The run folder: predictions, and scores for every protocol.
        settings: The method's settings, over its defaults. On images ``{fold}`` in a text is the fold's number.
        shots: Supports for every clip or episode.
        parts: Support draws on videos, folds on images; None: all.
        protocols: Names of protocols, as ``paper`` or ``native@1``.
        selection: Only a part of the benchmark.
        overwrite: What to do with predictions that are there: ``never``, ``only-missing`` or ``always``.
        workers: Processes for scoring.
        random_weights: Put random weights in the place of missing checkpoints, to try the machinery.
        timeout: Seconds that the method may take for a clip or an episode; None: as long as it wants.
        frames: On videos: also keep J and F of every frame, in ``frames.json`` beside ``scores.json``.
        shard: On videos: which of several processes this one is, as ``2/8``, or ``slurm`` in a job array; the last of
            them scores. None: it waits for others that work on the same run, and scores.
        ray: On videos: the address of a Ray cluster whose workers make the run, or ``local`` for this machine alone.
            None: this process makes it.
        cpus_per_worker: With ``ray``: processors of each worker. None: a worker for each GPU, or each processor.
        watch: Is told how it goes on.

    Returns:
        The result under each protocol, in order; `evaluated_path` says where each is written. None where other shards
        are still at work.

    Raises:
        IcvosError: Bad input, a method that cannot be built, or an ``out`` that holds something else. With ``ray`` also
            where clips failed; all others are made and scored then.

    >>> first = Selection(limit=1)
    >>> found = evaluate("lite", "IC-VOS", "runs/lite", settings={"short_side": 96}, parts=[0], selection=first)
    >>> found[0].protocol, found[0].records[""].method
    ('paper@1', 'lite')
    """
    from icvos.models.weights.registry import random_weights_allowed
    from icvos.tasks.runs import UnfinishedError

    options = _options(method, settings, shots, parts, protocols, overwrite, timeout, shard, ray, cpus_per_worker)
    require_writable(Path(out), folder=True)
    task, out = as_task(benchmark), Path(out)
    part = task.select(selection) if selection else task
    watch.stage(method)
    outcome: Outcome
    with random_weights_allowed(random_weights):
        try:
            outcome = part.predict(out, options, watch)
        except UnfinishedError as error:
            outcome = error
    return _scored(part, out, options, outcome, workers, frames, watch)


def evaluate_all(
    methods: Mapping[str, Mapping[str, Any]],
    benchmark: Task | Path | str,
    places: Mapping[str, Path],
    *,
    shard: str | None = None,
    ray: str | None = None,
    cpus_per_worker: int | None = None,
    shots: int = 1,
    parts: Sequence[int] | None = None,
    protocols: Sequence[str] = (PAPER.id,),
    selection: Selection | None = None,
    overwrite: "Overwrite" = "only-missing",
    workers: int = 1,
    random_weights: bool = False,
    timeout: float | None = None,
    frames: bool = False,
    watch: Watch = SILENT,
) -> dict[str, tuple[Result, ...] | IcvosError]:
    """`evaluate` for several methods, in one pass over each video, or by the workers of one cluster side by side.

    Without a cluster all methods are loaded at once. Each frame is read once, and what methods see of it by the same
    frozen EfficientNet-Lite0 is computed once, so what each of them takes is not known. The masks are those of a run by
    itself.

    Args:
        methods: Their names, and the settings of each.
        benchmark: A benchmark of videos.
        places: The run folder of each.
        shard: As for `evaluate`.
        ray: The cluster's address, or ``local``; None: this process makes them.
        cpus_per_worker: As for `evaluate`, and so is all that follows.
        shots: See there.
        parts: See there.
        protocols: See there.
        selection: See there.
        overwrite: See there.
        workers: See there.
        random_weights: See there.
        timeout: See there.
        frames: See there.
        watch: Is told how it goes on.

    Returns:
        By method its results, or the error that ended it, which ends no other.

    Raises:
        IcvosError: Options that are wrong for a method, or workers that cannot be had.
    """
    from icvos.models.weights.registry import random_weights_allowed
    from icvos.tasks.pool import Pool

    asked = {
        method: _options(method, settings, shots, parts, protocols, overwrite, timeout, shard, ray, cpus_per_worker)
        for method, settings in methods.items()
    }
    pool = None if ray is None else Pool(ray, cpus_per_worker)
    found: dict[str, tuple[Result, ...] | IcvosError] = {}
    runs = {}
    for method, options in asked.items():
        try:
            require_writable(places[method], folder=True)
            runs[places[method]] = options
        except IcvosError as error:
            found[method] = error
    task = as_task(benchmark)
    part = task.select(selection) if selection else task
    watch.stage("")
    with random_weights_allowed(random_weights):
        outcomes = part.predict_all(runs, pool, watch)
    for out, options in runs.items():
        try:
            found[options.method] = _scored(part, out, options, outcomes[out], workers, frames, watch)
        except IcvosError as error:
            found[options.method] = error
    return {method: found[method] for method in methods}


def _options(
    method: str,
    settings: Mapping[str, Any] | None,
    shots: int,
    parts: Sequence[int] | None,
    protocols: Sequence[str],
    overwrite: "Overwrite",
    timeout: float | None,
    shard: str | None,
    ray: str | None,
    cpus_per_worker: int | None,
) -> "RunOptions":
    """The arguments of `evaluate`, checked as far as they can be before anything is opened."""
    from icvos.method import settings_for
    from icvos.tasks.pool import Pool
    from icvos.tasks.runs import RunOptions, in_fold
    from icvos.tasks.shards import read_shard

    if shots < 1:
        raise IcvosError("--shots must be 1 or more")
    if cpus_per_worker is not None and ray is None:
        raise IcvosError("--cpus-per-worker: goes with --ray; leave it out")
    settings_for(method, in_fold(settings or {}, 0))
    return RunOptions(
        method,
        settings or {},
        shots,
        overwrite,
        None if parts is None else tuple(parts),
        tuple(protocol(name) for name in protocols),
        timeout,
        None if shard is None else read_shard(shard),
        None if ray is None else Pool(ray, cpus_per_worker),
    )


def _scored(
    part: Task, out: Path, options: "RunOptions", outcome: "Outcome", workers: int, frames: bool, watch: Watch
) -> tuple[Result, ...]:
    """The scores of what came of a run, written beside it; raises what ended it."""
    from icvos.tasks.runs import UnfinishedError

    failed: UnfinishedError | None = None
    if isinstance(outcome, UnfinishedError):
        ran, failed = outcome.parts, outcome
    elif isinstance(outcome, IcvosError):
        raise outcome
    else:
        ran = outcome
    if not ran:
        return ()
    found = []
    for one in options.protocols:
        watch.stage(f"score {one.id}")
        kept: list[Schema] = []
        made = part.there(out, one) if failed else part
        result = made.score(out, one, watch, workers=workers, parts=ran, keep=kept.append if frames else None)
        path = evaluated_path(out, result)
        keep_frames(path, kept)
        write_json(path, result.to_json())
        found.append(result)
    if failed:
        places = ", ".join(str(evaluated_path(out, result)) for result in found)
        raise IcvosError(f"{failed}; all others are scored in {places}; {AGAIN} to try the rest again")
    return tuple(found)


def evaluated_path(run: Path, result: Result) -> Path:
    """Where `evaluate` writes a result: that of a part of the benchmark, or of some draws of the run, has its own."""
    records = {path.parent.name for path in run.glob(f"*/{RECORD}")}
    others = records - {f"{part}{number}" for part in ("draw", "fold") for number in result.parts}
    return run / scores_name(result.protocol, result.partial or bool(others))
