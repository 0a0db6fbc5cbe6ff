"""What the commands on results do where the benchmark is one of images."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import numpy as np

    from icvos.errors import Fault
    from icvos.protocol import Protocol
    from icvos.tasks.image.benchmark import Episode, ImageBenchmark

SHEET_EPISODES = 8


def refuse_foreign(given: dict[str, Any], foreign: tuple[str, ...], benchmark: Path, images: bool) -> None:
    """Raise `IcvosError` for the first of the ``foreign`` options that is given."""
    from icvos.errors import IcvosError

    for key in foreign:
        if given[key]:
            other, own = ("videos", "images") if images else ("images", "videos")
            raise IcvosError(
                f"--{key.replace('_', '-')} is for benchmarks of {other}; {benchmark} is one of {own}, leave it out"
            )


def evaluate_images(name: str, benchmark: Path, out: Path, given: dict[str, Any]) -> None:
    """`icvos eval` on a benchmark of images."""
    from icvos.commands.evaluate import parse_numbers
    from icvos.commands.progress import bar
    from icvos.protocol import protocol
    from icvos.tasks.image.benchmark import ImageBenchmark
    from icvos.tasks.image.predict import ImageRunOptions, run_images

    opened = ImageBenchmark.open(benchmark)
    chosen = tuple(protocol(key) for key in given["protocols"])
    folds = parse_numbers(given["fold"], "--fold") if given["fold"] else tuple(range(len(opened.folds)))
    options = ImageRunOptions(name, given["settings"], given["shots"], given["overwrite"], folds, given["limit"])
    with bar(name) as update:
        run_images(
            opened,
            out,
            options,
            start=lambda total: update(total=total),
            advance=lambda fold, count: update(advance=count, description=f"{name} fold {fold}"),
        )
    score_run(opened, out, chosen, given["workers"])


def score_run(benchmark: Any, run: Path, protocols: Any, workers: int = 1, out: Path | None = None) -> None:
    """Score a run on images under each protocol, write its scores (``out`` or in the run), and print the figures."""
    from icvos.commands.evaluate import scores_name
    from icvos.commands.progress import bar
    from icvos.files.storage import write_json
    from icvos.tasks.image.score import score_images

    for protocol in protocols:
        with bar(f"score {protocol.id}", None) as update:
            scores = score_images(benchmark, run, protocol, workers=workers, progress=lambda fold: update(advance=1))
        path = out or run / scores_name(protocol.id)
        found = scores.to_json()
        write_json(path, found)
        for fold, (have, asked) in scores.left_out.items():
            click.echo(f"warning: fold {fold} is left out: it has {have} of {asked} episodes", err=True)
        print_scores(found, path)


def print_scores(scores: dict[str, Any], path: Path) -> None:
    """The figures of a result on images, a line for each fold and one for their mean, below a warning as above."""
    from icvos.tasks.runs import made_with_random_weights

    overall, folds = scores["overall"], scores["folds"]
    if any(made_with_random_weights(fold["run"]) for fold in folds.values()):
        click.secho("RANDOM WEIGHTS: the figures below mean nothing; no leaderboard takes them", bold=True)
    for number, fold in folds.items():
        of = "" if fold["episodes"] == fold["of"] else f" of {fold['of']}"
        click.echo(
            f"fold {number}: mIoU {100 * fold['miou']:.2f}  FB-IoU {100 * fold['fb_iou']:.2f}  "
            f"{fold['episodes']}{of} episodes, {fold['classes']} classes{_without(fold['without'])}"
        )
    low, high = overall["interval"]["miou"]
    click.echo(
        f"{scores['benchmark']['name']}, {scores['shots']} shot{'' if scores['shots'] == 1 else 's'}, "
        f"{scores['protocol']}: mIoU {100 * overall['miou']:.2f} [{100 * low:.2f}, {100 * high:.2f}]  "
        f"FB-IoU {100 * overall['fb_iou']:.2f}  {overall['folds']} of {scores['benchmark']['folds']} folds, "
        f"{overall['episodes']} episodes -> {path}"
    )


def _without(names: list[str]) -> str:
    """The classes that no episode asks for, in words: all of a few, else how many."""
    if not names:
        return ""
    return f"; no episode of {', '.join(names)}" if len(names) <= 4 else f"; no episode of {len(names)} others"


def score_submission(predictions: Path, benchmark: Path, protocol: "Protocol", out: Path | None, workers: int) -> None:
    """`icvos score` of a run on images, or of a zip file of one."""
    from icvos.commands.evaluate import scores_name
    from icvos.tasks.archive import submission_folder
    from icvos.tasks.image.benchmark import ImageBenchmark
    from icvos.tasks.image.check import fold_names

    opened = ImageBenchmark.open(benchmark)
    beside = predictions.with_name(f"{predictions.stem}-{scores_name(protocol.id)}")
    path = out or (predictions / scores_name(protocol.id) if predictions.is_dir() else beside)
    with submission_folder(predictions, fold_names(opened)) as folder:
        score_run(opened, folder, (protocol,), workers, path)


def find_faults(predictions: Path, benchmark: Path) -> "list[Fault]":
    """`icvos validate` of a run on images, or of a zip file of one."""
    from icvos.commands.progress import bar
    from icvos.tasks.image.benchmark import ImageBenchmark
    from icvos.tasks.image.check import validate_images

    opened = ImageBenchmark.open(benchmark)
    with bar("validate", len(opened.folds)) as update:
        return validate_images(opened, predictions, progress=lambda fold: update(advance=1))


def episode_rows(
    benchmark: Path, predictions: Path | None, chosen: tuple[str, ...], errors: bool, height_px: int
) -> "dict[str, Iterator[np.ndarray]]":
    """`icvos render` of episodes: file name -> a row of panels for each, for every fold that has predictions, or all.

    ``chosen`` are episodes, ``<fold>/<episode>``; none: `SHEET_EPISODES` of each fold, evenly chosen.
    """
    from icvos.drawing.panels import evenly
    from icvos.tasks.image.benchmark import ImageBenchmark
    from icvos.tasks.runs import fold_folders

    opened = ImageBenchmark.open(benchmark)
    folders = fold_folders(predictions) if predictions else {}
    picked = _picked(chosen, opened)
    found: dict[str, Iterator[np.ndarray]] = {}
    for fold in picked or folders or range(len(opened.folds)):
        episodes = opened.episodes(fold, _shots(opened, fold, folders))
        answers = _masks(folders, fold, episodes)
        numbers = picked.get(fold)
        if numbers is None:
            there = sorted(answers) if predictions else range(len(episodes))
            numbers = [there[place] for place in evenly(len(there), SHEET_EPISODES)]
        if numbers:
            shown = [episodes[number] for number in numbers]
            found[f"{opened.name}-fold{fold}"] = _rows(opened, shown, answers, errors, height_px)
    return found


def _picked(chosen: Iterable[str], benchmark: "ImageBenchmark") -> dict[int, list[int]]:
    """``<fold>/<episode>`` texts as fold -> episodes."""
    from icvos.errors import IcvosError

    picked: dict[int, list[int]] = {}
    for text in chosen:
        fold, slash, episode = text.partition("/")
        if not slash or not fold.isdecimal() or not episode.isdecimal():
            raise IcvosError(f"--clip {text}: of an image benchmark, write <fold>/<episode> like 0/12")
        if int(episode) >= len(benchmark.fold(int(fold)).episodes):
            raise IcvosError(f"--clip {text}: fold {fold} has {len(benchmark.folds[int(fold)].episodes)} episodes")
        picked.setdefault(int(fold), []).append(int(episode))
    return picked


def _shots(benchmark: "ImageBenchmark", fold: int, folders: dict[int, Path]) -> int:
    """As many supports as the predictions were made with, else one."""
    from icvos.files.untrusted import read_record
    from icvos.tasks.image.score import fold_shots
    from icvos.tasks.runs import RECORD

    return fold_shots(benchmark, fold, read_record(folders[fold] / RECORD), folders[fold]) if fold in folders else 1


def _masks(folders: dict[int, Path], fold: int, episodes: "tuple[Episode, ...]") -> dict[int, Any]:
    from icvos.tasks.image.predictions import EPISODES, right_answers

    if fold not in folders:
        return {}
    return {answer.episode: answer for answer in right_answers(folders[fold] / EPISODES, episodes)}


def _rows(
    benchmark: "ImageBenchmark", episodes: "list[Episode]", answers: dict[int, Any], errors: bool, height_px: int
) -> "Iterator[np.ndarray]":
    """Of each episode: its supports, the query with the true mask, and with the predicted one where there is one."""
    from icvos.drawing.overlays import render_frames

    for episode in episodes:
        name, answer = f"{episode.fold}/{episode.index}", answers.get(episode.index)
        yield from render_frames(
            [(name, episode.query.image())],
            truth={name: episode.query.mask(episode.kind)}.__getitem__,
            masks={name: answer.mask()}.__getitem__ if answer else None,
            supports=episode.shown(),
            category=benchmark.classes[episode.kind],
            errors=errors,
            height_px=height_px,
            word="episode",
        )
