"""Training as one call: the example of its docstring runs, and the commands that it offers fit the checkpoint."""

import inspect
import json
import re
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'icvos[models,train]'")

from safetensors.torch import save_file  # noqa: E402

from icvos.errors import IcvosError  # noqa: E402
from icvos.tasks.image.benchmark import ImageBenchmark  # noqa: E402
from icvos.training.next_commands import next_commands  # noqa: E402
from icvos.training.recipe import Recipe, read_recipe  # noqa: E402
from icvos.training.session import prepare, train  # noqa: E402
from tests import Json  # noqa: E402
from tests.icvos.tasks.image.image_benchmark import write_image_benchmark  # noqa: E402

SMALL = {"size": 33, "epochs": 1, "episodes": 16, "validation_episodes": 4, "settings.backbone": "vgg16-bn"}


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory: pytest.TempPathFactory) -> ImageBenchmark:
    return write_image_benchmark(tmp_path_factory.mktemp("work") / "coco-20i")


def test_the_example_runs(
    benchmark: ImageBenchmark, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(benchmark.root.parent)
    documentation = inspect.getdoc(train)
    assert documentation
    code = re.search(r"^Example.*::\n\n((?:    .*\n|\n)+)", documentation + "\n", re.MULTILINE)
    assert code
    exec(inspect.cleandoc(code[1]), {})
    shown = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"step 1 of 2: loss \d\.\d{3}", shown[0])
    assert re.fullmatch(r"runs/small/best\.safetensors: mIoU \d+\.\d", shown[2])
    assert shown[3] == "evaluate it with:"
    assert "--set checkpoint=runs/small/best.safetensors --benchmark" in shown[4]
    assert Path("runs/small/best.safetensors").is_file()


def test_a_recipe_and_an_open_benchmark_do_as_well(benchmark: ImageBenchmark, tmp_path: Path) -> None:
    recipe = read_recipe("pfenet-coco-20i", SMALL)
    session = prepare(recipe, benchmark, tmp_path / "out", settings={"fold": "1"}, random_weights=True)
    assert session.recipe == read_recipe("pfenet-coco-20i", SMALL | {"fold": 1})
    assert session.is_main
    assert session.random_weights
    lines = session.summary()
    assert lines[:3] == [
        "pfenet on coco-20i fold 1",
        "20 pictures of 6 classes to train on, 4 episodes of 2 classes to validate with",
        "starts from vgg16-bn (random weights)",
    ]
    assert lines[3].startswith("RANDOM WEIGHTS: ")
    assert not (tmp_path / "out").exists()


def test_what_is_wrong_is_said_before_the_folder_is_touched(
    benchmark: ImageBenchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(IcvosError, match="file: is a file"):
        train("pfenet-coco-20i", benchmark, file)
    with pytest.raises(IcvosError, match="expected the manifest of an image benchmark"):
        train("pfenet-coco-20i", tmp_path, tmp_path / "out")
    with pytest.raises(IcvosError, match="did you mean epochs"):
        train(Recipe("pfenet"), benchmark, tmp_path / "out", settings={"epoch": 3})
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(IcvosError, match=r"needs the package accelerate; run: pip install 'icvos\[models,train\]'"):
        train("pfenet-coco-20i", benchmark, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("recipe", "settings", "expected"),
    [
        (
            Recipe("pfenet", fold=2, shots=5),
            {"backbone": "resnet50-v2", "size": 641, "bins": [1.0, 0.5]},
            ["icvos eval --method pfenet --set checkpoint=B --benchmark D --fold 2 --shots 5 --out runs/pfenet-fold2"],
        ),
        (
            Recipe("hdmnet", benchmark="all-coco"),
            {"base_checkpoint": "base", "base_classes": 60, "sam2": "sam2.1-hiera-t"},
            ["icvos eval --method hdmnet --set checkpoint=B --set sam2=sam2.1-hiera-t --benchmark IC-VOS "
             "--out runs/hdmnet"],
        ),
        (
            Recipe("base-learner", labels="classes", fold=1),
            {"backbone": "vgg16-bn"},
            ["icvos train hdmnet-coco-20i --set fold=1 --set settings.base_checkpoint=B "
             "--set settings.backbone=vgg16-bn --data D --out runs/hdmnet-coco-20i"],
        ),
        (
            Recipe("base-learner", labels="classes", benchmark="all-coco"),
            {},
            ["icvos train hdmnet-ic-vos --set settings.base_checkpoint=B --data D --out runs/hdmnet-ic-vos",
             "icvos eval --method base-learner --set checkpoint=B --benchmark IC-VOS --out runs/base-learner"],
        ),
    ],
    ids=["fold", "all-coco", "base-learner", "base-learner-all-coco"],
)  # fmt: skip
def test_next_commands(recipe: Recipe, settings: Json, expected: list[str]) -> None:
    found = next_commands(recipe, settings, Path("D"), Path("B"))
    assert [" ".join(command.arguments) for command in found] == expected


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("nano-sam2-image", {"sam2": "nano"}, "icvos train nano-sam2 --set settings.sam2=B --out runs/sam2"),
        ("nano-dcsam-image", {"sam2": "pictures.safetensors"}, "--set checkpoint=B --set sam2=affinity --benchmark"),
        ("nano-dcsam-image", {"sam2": "own.pt"}, "--set checkpoint=B --set sam2=own.pt --benchmark"),
        ("nano-sam2", {"sam2": "own.pt"}, "icvos eval --method oracle --set sam2=B --benchmark"),
        ("nano-pfenet", {"width": 64}, "icvos eval --method pfenet --set checkpoint=B --set sam2=affinity --benchmark"),
        (
            "nano-base-learner",
            {"base_width": 32},
            "train nano-hdmnet --set fold=0 --set settings.base_checkpoint=B --out",
        ),
    ],
)
def test_what_to_do_after_training_on_the_small_world(
    name: str, settings: Json, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = {"recipe": read_recipe("nano-sam2-image").to_json(), "classes": []}
    header = {"made_by": "icvos train"} | {key: json.dumps(value) for key, value in made.items()}
    save_file({"no_mem_embed": torch.zeros(1)}, "pictures.safetensors", header)
    (found,) = next_commands(read_recipe(name), settings, None, Path("B"))
    assert expected in " ".join(found.arguments)
    assert "IC-VOS" not in str(found), "what learned from drawings is evaluated on drawings"


@pytest.mark.parametrize("name", ["nano-dcsam-image", "dcsam-ic-vos-tube", "dcsam-coco-20i"])
def test_results_of_a_checkpoint_go_beside_its_run(name: str) -> None:
    recipe = read_recipe(name)
    data = None if recipe.benchmark == "smallworld" else Path("D")
    (found,) = next_commands(recipe, {}, data, Path("runs/dcsam/best.safetensors"))
    assert found.arguments[-2:] == ("--out", "runs/dcsam-eval")


def test_advice_of_a_method_fits_the_recipe(tmp_path: Path) -> None:
    changes = {"settings.sam2": "nano", "settings.width": 64}
    with pytest.raises(IcvosError, match=r"tokens of 128 channels; add --set settings\.width=128$"):
        prepare("nano-dcsam-image", None, tmp_path / "out", settings=changes)


def test_the_small_world_needs_no_data_and_others_do(benchmark: ImageBenchmark, tmp_path: Path) -> None:
    with pytest.raises(IcvosError, match="leave out --data"):
        prepare("nano-sam2-image", benchmark, tmp_path / "out")
    with pytest.raises(IcvosError, match="give --data"):
        prepare("pfenet-coco-20i", None, tmp_path / "out")
    session = prepare("nano-sam2-image", None, tmp_path / "out")
    assert session.summary()[:2] == [
        "oracle on smallworld fold 0",
        "4,800 drawn episodes an epoch of 20 classes and 1000 inventions to train on, "
        "70 episodes of 7 classes to validate with",
    ]


@pytest.mark.parametrize(
    ("name", "labels", "wanted"),
    [
        ("nano-sam2-image", "episode", "oracle learns from labels=objects"),
        ("nano-pfenet", "objects", "pfenet learns from labels=episode"),
        ("pfenet-coco-20i", "classes", "pfenet learns from labels=episode"),
    ],
)
def test_labels_that_a_method_does_not_learn_from_are_refused(
    benchmark: ImageBenchmark, tmp_path: Path, name: str, labels: str, wanted: str
) -> None:
    data, small = (None, {"pictures": 0}) if name.startswith("nano") else (benchmark, SMALL)
    with pytest.raises(IcvosError, match=wanted):
        prepare(name, data, tmp_path / "out", settings=small | {"labels": labels}, random_weights=True)
