"""The commands that `tests.killing` stops, each on the least data, so that every one of its operations has its turn."""

import json
import shutil
from pathlib import Path

import numpy as np

from curation.acquisition.holdings import STORE
from curation.sources import davis
from icvos import method as registry
from icvos.cli import main
from icvos.files.storage import read_json
from icvos.tasks.calls import score
from icvos.tasks.image.benchmark import ImageBenchmark
from icvos.tasks.video.benchmark import Benchmark
from leaderboard.store import Board, collect
from tests.curation.acquisition.small_catalogue import facts, files_below, write_catalogue, zipped
from tests.curation.image.few_shot_folders import LEFT, RIGHT, WHOLE, write_few_shot_coco
from tests.curation.sources.source_folders import ids_of, write_text, write_video
from tests.icvos.tasks.image.tiny_episodes import POINTS, write_images
from tests.killing import Case

SIZE = (48, 64)  # height, width
ORACLE = ("eval", "--method", "oracle", "--set", "short_side=32")


def icvos(*arguments: object) -> None:
    """A command, in this process."""
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as error:
        if error.code:
            raise


def write_sources(data: Path) -> None:
    """DAVIS with two videos of two frames, a dog and a cat in each, COCO with two pictures, and rows."""
    ids = ids_of((1, slice(4, 30), slice(4, 30)), (2, slice(20, 44), slice(34, 60)), size=SIZE)
    source, rows = data / "davis", ["source,video,class,objects,decision,reason,who,when"]
    for video in ("one", "two"):
        folders = (source / kind / "480p" / video for kind in ("JPEGImages", "Annotations"))
        write_video(*folders, [ids, np.roll(ids, 2, axis=1)])
        rows += [f"davis,{video},{kind},{index},accepted,,me,2026-01-01" for index, kind in ((1, "dog"), (2, "cat"))]
    write_text(source / "ImageSets" / "2017" / "train.txt", "one\ntwo\n")
    write_text(data / "rows.csv", "".join(f"{row}\n" for row in rows))
    write_text(data / "fewer.csv", "".join(f"{row}\n" for row in rows[:2]))
    write_few_shot_coco(data / "coco", {7: [(17, LEFT), (16, RIGHT)], 8: [(16, LEFT)]}, "val2017")


def build(data: Path, out: Path, rows: str = "fewer.csv") -> None:
    """A benchmark of one clip, or of all four."""
    sources = ("--davis", data / "davis", "--coco", data / "coco", "--curation", data / rows, "--only-decided")
    icvos("build", *sources, "--draws", 1, "--shots", 1, "--overwrite", "--out", out)


def opened(data: Path, out: Path) -> object:  # noqa: ARG001
    """Every clip of a benchmark with its masks, and the manifest."""
    benchmark = Benchmark.open(out)
    masks = [clip.mask_path(frame).read_bytes() for clip in benchmark.clips for frame in clip.video.frames]
    return benchmark.manifest and benchmark.manifest.to_json(), masks


def write_benchmark(data: Path) -> None:
    """A built benchmark."""
    write_sources(data)
    build(data, data / "benchmark", "rows.csv")


def evaluate(data: Path, out: Path) -> None:
    """A run of a method that needs no checkpoint."""
    icvos(*ORACLE, "--overwrite", "only-missing", "--benchmark", data / "benchmark", "--out", out)


def evaluate_other(data: Path, out: Path) -> None:
    """A run with other settings."""
    icvos(*ORACLE, "--set", "recent=3", "--benchmark", data / "benchmark", "--out", out)


def evaluate_always(data: Path, out: Path) -> None:
    """The run in the place of another; where that is gone already, it goes on."""
    icvos(*ORACLE, "--overwrite", "always", "--benchmark", data / "benchmark", "--out", out)


def scored(data: Path, out: Path) -> object:
    """The figures of a run: of that one alone of which there is a record."""
    result = score(out, data / "benchmark").to_json()
    settings = read_json(out / "draw0" / "run.json", "a record")["settings"]
    del result["run"]  # it may not name yet what was just made
    return result, settings


def ranked(data: Path, out: Path) -> object:  # noqa: ARG001
    """The figures that a run's folder holds."""
    return [entry.result.to_json() for entry in collect([out])]


def write_episodes(data: Path) -> None:
    """A benchmark of images."""
    write_images(data / "benchmark")


def evaluate_images(data: Path, out: Path) -> None:
    """A run on images."""
    registry.entry_points = lambda group: POINTS  # type: ignore[assignment, misc]
    icvos("eval", "--method", "colour", "--benchmark", data / "benchmark", "--out", out)


def evaluate_images_always(data: Path, out: Path) -> None:
    """The run in the place of another."""
    registry.entry_points = lambda group: POINTS  # type: ignore[assignment, misc]
    icvos("eval", "--method", "colour", "--overwrite", "always", "--benchmark", data / "benchmark", "--out", out)


def evaluate_images_other(data: Path, out: Path) -> None:
    """A run with other settings."""
    registry.entry_points = lambda group: POINTS  # type: ignore[assignment, misc]
    icvos("eval", "--method", "colour", "--set", "distance=9", "--benchmark", data / "benchmark", "--out", out)


def scored_images(data: Path, out: Path) -> object:
    """The figures of a run on images."""
    result = score(out, data / "benchmark").to_json()
    for fold in result["folds"].values():
        del fold["run"]  # it may not say yet what was just made
        del fold["seconds_per_image"]
    del result["overall"]["seconds_per_image"]
    return result if len(result["folds"]) == 2 else None  # which says itself that it is a part


def write_run(data: Path) -> None:
    """A run on videos, to be submitted."""
    write_benchmark(data)
    evaluate(data, data / "run")


def submit(data: Path, out: Path) -> None:
    """A run onto a board."""
    icvos("submit", data / "run", "--benchmark", data / "benchmark", "--name", "mine", "--board", out)


def entries(data: Path, out: Path) -> object:  # noqa: ARG001
    """What a board holds."""
    return [(entry.key, entry.result.to_json()) for entry in Board.open(out).entries]


def write_coco(data: Path) -> None:
    """Few pictures of two classes, in two splits."""
    objects = {1: [(17, WHOLE)], 2: [(17, LEFT), (16, RIGHT)], 3: [(16, WHOLE)]}
    for split in ("val2014", "train2014"):
        write_few_shot_coco(data / "coco", objects, split, f"COCO_{split}_")


def episodes(data: Path, out: Path) -> None:
    """A benchmark of images from COCO."""
    icvos("episodes", "all-coco", "--coco", data / "coco", "--episodes", 3, "--out", out)


def opened_images(data: Path, out: Path) -> object:  # noqa: ARG001
    """The manifest of a benchmark of images, and its pictures."""
    benchmark = ImageBenchmark.open(out)
    return benchmark.digest, sorted(benchmark.validation), sorted(benchmark.training)


def train(data: Path, out: Path) -> None:  # noqa: ARG001
    """A network of a few parameters."""
    import icvos.training.loop as loop
    from tests.icvos.training.toy_training import Discs, Toy, recipe

    loop.train(recipe(epochs=2, batch=4, save_every=2), Toy(), Discs(), out)


def checkpoint(data: Path, out: Path) -> object:  # noqa: ARG001
    """The names in the best checkpoint, and the run that there is."""
    from icvos.models.weights.load import read_state
    from icvos.training.run_folder import BEST, RunState

    state = RunState.read(out / "last" / "state.json").episodes if (out / "last").is_dir() else None
    return sorted(read_state(out / BEST)), state or "discs"


def nothing(data: Path) -> None:
    """Training has its data in memory."""


def copy_of_all(data: Path, out: Path) -> None:
    """The benchmark of all clips."""
    build(data, out, "rows.csv")


def _json_lines(data: Path, out: Path) -> object:  # noqa: ARG001
    """The log of a run in training can be read."""
    text = (out / "log.jsonl").read_text() if (out / "log.jsonl").is_file() else ""
    return [json.loads(line) for line in text.splitlines() if line] and "a log"


def write_archive(data: Path) -> None:
    """DAVIS in a zip file, and the catalogue that has it."""
    write_sources(data)
    content = zipped(files_below(data / "davis", "DAVIS"))
    (data / "davis.zip").write_bytes(content)
    entry = {"file": "davis.zip", "urls": ["http://127.0.0.1:9/davis.zip"], **facts(content)}
    write_catalogue(data / "catalogue.toml", davis={"archives": [entry]})


def fetched(data: Path, out: Path) -> None:
    """The zip file where it is fetched to."""
    (out / STORE).mkdir(parents=True)
    shutil.copyfile(data / "davis.zip", out / STORE / "davis.zip")


def fetch(data: Path, out: Path) -> None:
    """DAVIS unpacked."""
    icvos("data", "fetch", "davis", "--to", out, "--catalogue", data / "catalogue.toml", "--accept-terms")


def sequences(data: Path, out: Path) -> object:  # noqa: ARG001
    """What a reader finds of DAVIS, with the sizes of its files."""
    videos = davis.read(out / "DAVIS").videos
    return [[(path.name, path.stat().st_size) for path in (*one.frames, *filter(None, one.masks))] for one in videos]


CASES = {
    "data-fetch": Case(write_archive, fetch, (sequences,), fetched),
    "build": Case(write_sources, lambda data, out: build(data, out, "rows.csv"), (opened,)),
    "build-fewer": Case(write_sources, build, (opened,), copy_of_all),
    "eval-videos": Case(write_benchmark, evaluate, (scored, ranked)),
    "eval-videos-always": Case(write_benchmark, evaluate_always, (scored,), evaluate_other),
    "eval-images": Case(write_episodes, evaluate_images, (scored_images, ranked)),
    "eval-images-always": Case(write_episodes, evaluate_images_always, (), evaluate_images_other),
    "submit": Case(write_run, submit, (entries,)),
    "episodes": Case(write_coco, episodes, (opened_images,)),
    "train": Case(nothing, train, (checkpoint, _json_lines)),
}
