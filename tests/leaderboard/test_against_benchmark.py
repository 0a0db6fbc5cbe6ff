"""`icvos leaderboard --benchmark`: names, sizes and numbers in results are those of the benchmark."""

import json
import shutil
from pathlib import Path

import pytest

from icvos.protocol import PAPER
from icvos.tasks.image.benchmark import ImageBenchmark
from icvos.tasks.image.score import score_images
from icvos.tasks.video.benchmark import Benchmark
from icvos.tasks.video.means import summarise
from icvos.tasks.video.result import VideoResult
from icvos.tasks.video.score import score
from leaderboard.ranking import rank
from tests import Json
from tests.conftest import icvos
from tests.icvos.handmade import write_benchmark, write_predictions
from tests.icvos.tasks.image.test_score import write_run
from tests.icvos.tasks.image.tiny_episodes import write_images


@pytest.fixture(scope="module")
def handmade(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    return write_benchmark(tmp_path_factory.mktemp("benchmark"))


@pytest.fixture
def sound(handmade: Benchmark, tmp_path: Path) -> Json:
    return score(handmade, write_predictions(handmade, tmp_path / "run"), PAPER).to_result().to_json()


def renamed(value: Json, old: str, new: str, **more: object) -> Json:
    """A sound result in which a clip has another name, or other facts."""
    found = VideoResult.model_validate_json(json.dumps(value))
    clips = {new if name == old else name: clip for name, clip in found.clips.items()}
    clips[new] = clips[new].model_copy(update=more)
    sources = {name: name.partition("_")[0] for name in clips}
    made = summarise(
        clips, sources, protocol=found.protocol, digest=found.digest, run=found.run, benchmark=found.benchmark
    )
    return made.to_json()


def test_a_sound_result_is_ranked_and_others_are_not(handmade: Benchmark, sound: Json, tmp_path: Path) -> None:
    (tmp_path / "scores.json").write_text(json.dumps(sound))
    (tmp_path / "other.json").write_text(json.dumps({**sound, "digest": "sha256:" + "0" * 64}))
    tables = rank([tmp_path / "scores.json", tmp_path / "other.json"], benchmarks=[handmade.root])
    rows = {table.digest: table.rows[0] for table in tables}
    assert rows[handmade.digest].kind == "ranked"
    (other,) = (row for digest, row in rows.items() if digest != handmade.digest)
    assert other.kind == "partial"
    assert "not on the benchmark" in " ".join(
        note for table in tables for note in table.footnotes.values() if table.digest != handmade.digest
    )


CASES = {
    "a clip that there is not": (("davis_dog/17", "davis_cat/17", {}), "clips.davis_cat/17 is no clip of handmade"),
    "another class": (("davis_dog/17", "davis_dog/18", {}), "clips.davis_dog/18 is no clip of handmade"),
    "more objects": (("davis_dog/17", "davis_dog/17", {"instances": 3}), "clips.davis_dog/17.instances is 3, in"),
    "fewer frames": (("lvos_cats/16", "lvos_cats/16", {"frames": 8, "shown": 8}), "clips.lvos_cats/16.frames is 8, in"),
}


@pytest.mark.parametrize(("change", "words"), CASES.values(), ids=CASES)
def test_a_result_that_contradicts_its_benchmark_is_refused(
    handmade: Benchmark, sound: Json, tmp_path: Path, change: tuple[str, str, Json], words: str
) -> None:
    old, new, more = change
    (tmp_path / "scores.json").write_text(json.dumps(renamed(sound, old, new, **more)))
    icvos("leaderboard", tmp_path / "scores.json")  # nothing in the file itself says so
    refusal = icvos("leaderboard", tmp_path / "scores.json", "--benchmark", handmade.root, status=2).stderr
    assert refusal.startswith(f"icvos: {tmp_path / 'scores.json'}: {words}")


@pytest.mark.parametrize(
    ("key", "value", "words"), [("clips", 40, "benchmark.clips is 40"), ("draws", 1, "benchmark.draws is 1")]
)
def test_the_size_of_the_benchmark_is_no_claim(
    handmade: Benchmark, sound: Json, tmp_path: Path, key: str, value: int, words: str
) -> None:
    claimed = {**sound, "benchmark": {**sound["benchmark"], key: value}, "partial": key == "clips"}
    (tmp_path / "scores.json").write_text(json.dumps(claimed))
    assert words in icvos("leaderboard", tmp_path / "scores.json", "--benchmark", handmade.root, status=2).stderr


def test_older_results_learn_the_size_of_the_benchmark(handmade: Benchmark, sound: Json, tmp_path: Path) -> None:
    part = score(handmade, tmp_path / "run", PAPER, clips=handmade.clips[:2]).to_result().to_json()
    del part["benchmark"], part["partial"]
    (tmp_path / "scores.json").write_text(json.dumps(part))
    kinds = [
        table.rows[0].kind
        for benchmarks in ([], [handmade.root])
        for table in rank([tmp_path / "scores.json"], benchmarks=benchmarks)
    ]
    assert kinds == ["ranked", "partial"]
    assert sound["partial"] is False


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> ImageBenchmark:
    return write_images(tmp_path_factory.mktemp("images") / "tiny")


def test_results_on_images_too(images: ImageBenchmark, tmp_path: Path) -> None:
    value = score_images(images, write_run(images, tmp_path / "run"), PAPER).to_result().to_json()
    path = tmp_path / "scores.json"

    def refusal(changed: Json) -> str:
        path.write_text(json.dumps(changed))
        return icvos("leaderboard", path, "--benchmark", images.root, status=2).stderr

    path.write_text(json.dumps(value))
    icvos("leaderboard", path, "--benchmark", images.root)
    swapped = json.loads(json.dumps(value))
    counts = swapped["folds"]["0"]["counts"]
    counts[0], counts[1] = counts[1], counts[0]
    swapped["folds"]["0"]["interval"] = swapped["overall"]["interval"] = None
    assert "folds.0.counts[0] is not of class 1" in refusal(swapped)
    larger = json.loads(json.dumps(value))
    larger["partial"], larger["benchmark"]["folds"], larger["benchmark"]["episodes"] = True, 3, 30
    assert "benchmark.folds is 3, not 2" in refusal(larger)
    names = json.loads(json.dumps(value).replace('"plum"', '"prune"'))
    assert "categories.prune.class" in refusal(names)
    shutil.rmtree(tmp_path / "run" / "fold1")
    part = score_images(images, tmp_path / "run", PAPER).to_result().to_json()
    path.write_text(json.dumps(part))
    icvos("leaderboard", path, "--benchmark", images.root)
