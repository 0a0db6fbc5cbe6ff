"""A method over the episodes of an image benchmark: masks in a run folder, one line an episode, resumable.

Every fold is a run of its own, since a few-shot network is trained for each: ``fold0/run.json`` says how its masks,
``fold0/episodes.jsonl``, were made. `icvos.tasks.image.predictions` lays the files out. One process works on a run
folder at a time.
"""

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from icvos.errors import AGAIN, IcvosError, stoppable
from icvos.files.locks import lock_folder
from icvos.files.names import require_inside
from icvos.files.rle import encode_rle
from icvos.files.schema import write_schema
from icvos.files.storage import end_last_line, sync
from icvos.guard import Asked, mask_of
from icvos.method import AnyMethod, Mask, load_method, method_class, sees_truth, settings_for
from icvos.models.needs import checkpoints_of, require_usable
from icvos.models.weights.header import read_training
from icvos.tasks.image.benchmark import Episode, ImageBenchmark
from icvos.tasks.image.predictions import EPISODES, Answer, right_answers
from icvos.tasks.record import RECORD, RunBenchmark, RunRecord
from icvos.tasks.runs import (
    RunOptions,
    claim,
    identity,
    in_fold,
    now,
    open_record,
    refuse_other_parts,
    require_supports_taken,
)


def for_videos(asked: object) -> IcvosError:
    """What is said where workers or shards are asked for on images."""
    return IcvosError(f"{asked}: is for videos; run each of the folds by itself, with --folds")


def run_images(
    benchmark: ImageBenchmark,
    out: Path,
    options: RunOptions,
    *,
    limit: int | None = None,
    start: Callable[[int], None] = lambda episodes: None,
    advance: Callable[[int, int], None] = lambda fold, episodes: None,
) -> None:
    """Predict the episodes of the chosen folds into the run folder ``out``.

    Only the first ``limit`` episodes of each are made; None: all. A method that sees the truth is given the query with
    its true mask as its support. ``start`` is told the number of episodes in all, ``advance`` the fold and the number
    of episodes that are there already or were made.
    """
    folds = tuple(range(len(benchmark.folds)) if options.parts is None else dict.fromkeys(options.parts))
    require_supports_taken(options)
    if options.shard is not None or options.pool is not None:
        raise for_videos(options.pool or f"--shard {options.shard}")
    episodes = {fold: benchmark.episodes(fold, options.shots) for fold in folds}
    for fold in folds:
        if not episodes[fold]:
            raise IcvosError(f"{benchmark.root}: fold {fold} has no episodes to evaluate; build them, or leave it out")
        require_usable(options.method, in_fold(options.settings, fold), moving=False)  # before hours with the first
        _refuse_seen(benchmark, fold, options.method, in_fold(options.settings, fold))
    claim(out, "fold", options.overwrite, folds)
    total, done = sum(len(episodes[fold][:limit]) for fold in folds), 0
    start(total)

    def counted(fold: int, count: int) -> None:
        nonlocal done
        done += count
        advance(fold, count)

    method = None
    with lock_folder(out), stoppable(lambda: f"{done} of {total} episodes are done; {AGAIN} to go on"):
        for fold in folds:
            settings = in_fold(options.settings, fold)
            if method is None or settings != options.settings:
                method = None  # let go of the last fold's network before the next is loaded
                method = load_method(options.method, settings)
            wanted = identity(method, options, _about(benchmark, fold))
            refuse_other_parts(out, "fold", {fold: wanted}, folds if options.overwrite == "always" else ())
            _predict_fold(method, episodes[fold], out / f"fold{fold}", wanted, options, limit, partial(counted, fold))


def _refuse_seen(benchmark: ImageBenchmark, fold: int, method: str, settings: Mapping[str, Any]) -> None:
    """Refuse a checkpoint that learned classes which the fold is there to keep from it."""
    numbers = {"all-coco": "coco-20i"}  # both have COCO's
    name, own = benchmark.name, benchmark.fold(fold)
    if set(own.test) & set(own.train):
        return
    for checkpoint in checkpoints_of(method_class(method), settings_for(method, settings)):
        path = Path(checkpoint).expanduser()
        training = read_training(path) if path.is_file() else None
        if training is None or numbers.get(training.benchmark, training.benchmark) != name:
            continue
        if seen := training.classes.intersection(own.test):
            of = f"fold {training.fold} of " if training.benchmark == name else ""
            raise IcvosError(
                f"{path}: was trained on {of}{training.benchmark}, where it saw {benchmark.classes[min(seen)]}, which "
                f"fold {fold} asks for as unseen; give each fold its own, as --set checkpoint=RUN{{fold}}.safetensors, "
                f"or choose another --fold"
            )


def _about(benchmark: ImageBenchmark, fold: int) -> RunRecord:
    """What a fold is run on, as its record says it."""
    return RunRecord(benchmark=RunBenchmark(name=benchmark.name, digest=benchmark.digest), fold=fold)


def _predict_fold(
    method: AnyMethod,
    episodes: tuple[Episode, ...],
    folder: Path,
    wanted: RunRecord,
    options: RunOptions,
    limit: int | None,
    advance: Callable[[int], None],
) -> None:
    """Make the episodes that are missing, each written as soon as it is made, then the record's figures."""
    asked = episodes[:limit]
    new = RunRecord(asked=len(asked), episodes=0, seconds_per_image=None)
    path = folder / EPISODES
    require_inside(path, folder)
    if options.overwrite == "always":
        path.unlink(missing_ok=True)  # before its record, which would vouch for it
    record = open_record(folder / RECORD, wanted, new, options.overwrite)
    end_last_line(path)
    seconds = {answer.episode: answer.seconds for answer in right_answers(path, episodes)}
    if len(asked) > (record.asked or 0):
        record = record.model_copy(update={"asked": len(asked)})
        write_schema(folder / RECORD, record)
    missing = [episode for episode in asked if episode.index not in seconds]
    advance(len(asked) - len(missing))
    with path.open("ab") as file:
        for episode in missing:
            what = f"episode {wanted.fold}/{episode.index} ({episode.query.name})"
            mask, taken = _predict(method, episode, options.asked(what))
            answer = Answer(episode.index, episode.kind, encode_rle(mask), round(taken, 4), "")
            file.write(answer.line())
            file.flush()
            seconds[episode.index] = answer.seconds
            advance(1)
    if missing:
        sync(path)
        sync(folder)
    if record.episodes != len(seconds):
        known = [taken for taken in seconds.values() if taken is not None]
        mean = round(sum(known) / len(known), 4) if known else None
        update = {"finished": now(), "episodes": len(seconds), "seconds_per_image": mean}
        write_schema(folder / RECORD, record.model_copy(update=update))


def _predict(method: AnyMethod, episode: Episode, asked: Asked) -> tuple[Mask, float]:
    """The mask of an episode's query, and the seconds that it took, the reading of supports included."""
    image = episode.query.image()
    supports = (episode.as_support(episode.query),) if sees_truth(method) else episode.shown()
    began = time.perf_counter()
    mask = mask_of(method, supports, image, asked)
    return mask, time.perf_counter() - began
