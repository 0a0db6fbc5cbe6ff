"""A checkpoint says in its header what it was trained as, and which setting to change where that differs."""

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="networks need torch: pip install 'icvos[models]'")

from safetensors.torch import save_file  # noqa: E402

from baselines.base_learner import BaseLearner  # noqa: E402
from baselines.hdmnet import HDMNet  # noqa: E402
from baselines.pfenet import PFENet  # noqa: E402
from baselines.vrp_sam import VRPSAM  # noqa: E402
from icvos.errors import IcvosError  # noqa: E402
from icvos.method import load_method, settings_for  # noqa: E402
from icvos.models.weights.header import read_training  # noqa: E402
from icvos.models.weights.registry import random_weights_allowed  # noqa: E402
from icvos.settings import fill  # noqa: E402
from icvos.training.recipe import Recipe  # noqa: E402

SMALL = {"backbone": "vgg16-bn", "device": "cpu"}


NAMES = {PFENet: "pfenet", VRPSAM: "vrp-sam", BaseLearner: "base-learner", HDMNet: "hdmnet"}


def header(
    settings: dict[str, Any] | None, recipe: dict[str, Any] | None = None, method: str = "pfenet"
) -> dict[str, str]:
    """As `icvos train` writes it; without ``settings`` as earlier versions did."""
    made = {"recipe": Recipe(method, recipe or {}).to_json(), "classes": [0, 1, 2]}
    if settings is not None:
        made["settings"] = settings
    return {"made_by": "icvos train", **{name: json.dumps(value) for name, value in made.items()}}


def saved(kind: Any, settings: dict[str, Any], path: Path, metadata: dict[str, str] | None) -> Path:
    with random_weights_allowed():
        method = kind(fill(kind.Settings, {**SMALL, **settings}))
    state = {name: tensor.contiguous().clone() for name, tensor in method.network.state_dict().items()}
    save_file(state, path, metadata)
    return path


@pytest.mark.parametrize(
    ("kind", "trained", "here", "message"),
    [
        (PFENet, {"bins": [60, 30, 15, 8]}, {}, "was trained with bins=60,30,15,8, not 1,0.5,0.25,0.125; "),
        (PFENet, {"bins": [1.0, 0.5]}, {"bins": "1,0.5,0.25"}, "use --set bins=1,0.5"),
        (PFENet, {}, {"backbone": "resnet50-v2"}, "use --set backbone=vgg16-bn"),
        (VRPSAM, {"queries": 25}, {}, "was trained with queries=25, not 50; use --set queries=25"),
        (BaseLearner, {"base_classes": 3}, {}, "was trained with base_classes=3, not 80; use --set base_classes=3"),
        (HDMNet, {"base_classes": 60}, {}, "was trained with base_classes=60, not 80; use --set base_classes=60"),
        (HDMNet, {"shots": 5}, {}, "was trained with shots=5, not 1; use --set shots=5"),
        (
            HDMNet,
            {"shots": 5, "base_classes": 3},
            {},
            "was trained with base_classes=3, not 80 and shots=5, not 1; use --set base_classes=3 --set shots=5",
        ),
    ],
)
def test_what_to_change_is_said_and_helps(
    kind: Any, trained: dict[str, Any], here: dict[str, str], message: str, tmp_path: Path
) -> None:
    told = {**SMALL, **trained}
    path = saved(kind, trained, tmp_path / "best.safetensors", header(told, method=NAMES[kind]))
    given = {**SMALL, **here, "checkpoint": str(path)}
    with pytest.raises(IcvosError) as refusal:
        kind(fill(kind.Settings, given))
    said = str(refusal.value)
    assert said.startswith(f"{path}: was trained with ")
    assert message in said
    advice = dict(word.split("=", 1) for word in said.partition("; use ")[2].split() if word != "--set")
    assert kind(fill(kind.Settings, {**given, **advice})).loaded.name == "best.safetensors"


def test_what_it_was_trained_with_need_not_be_set_again(tmp_path: Path) -> None:
    trained = {"bins": [1.0, 0.5], "size": 33, "device": "cuda", "sam2": "elsewhere"}
    path = saved(PFENet, {"bins": [1.0, 0.5]}, tmp_path / "best.safetensors", header({**SMALL, **trained}))
    found = settings_for("pfenet", {"checkpoint": str(path)})
    assert (found.backbone, found.bins, found.size) == ("vgg16-bn", (1.0, 0.5), 33)
    assert (found.device, found.sam2) == ("auto", "sam2.1-hiera-l")  # are for each machine to say
    assert settings_for("pfenet", {"checkpoint": str(path), "size": "65"}).size == 65
    assert settings_for("pfenet", {"checkpoint": str(path), "size": 65}).bins == (1.0, 0.5)
    assert settings_for("vrp-sam", {"checkpoint": str(path)}).backbone == "resnet50-v2"  # which will refuse it
    assert load_method("pfenet", {"checkpoint": str(path), "device": "cpu"}).describe()["settings"]["size"] == 33


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, header(None)])
def test_checkpoints_without_such_a_header_load(metadata: dict[str, str] | None, tmp_path: Path) -> None:
    path = saved(PFENet, {}, tmp_path / "old.safetensors", metadata)
    assert PFENet(fill(PFENet.Settings, {**SMALL, "checkpoint": str(path)})).loaded.name == "old.safetensors"


def test_settings_of_an_earlier_header_count(tmp_path: Path) -> None:
    path = saved(PFENet, {"bins": [2, 1]}, tmp_path / "old.safetensors", header(None, {"bins": [2, 1]}))
    with pytest.raises(IcvosError, match=r"was trained with bins=2,1, .*; use --set bins=2,1"):
        PFENet(fill(PFENet.Settings, {**SMALL, "checkpoint": str(path)}))


@pytest.mark.parametrize(
    ("trained", "message"),
    [
        ({"base_classes": 60}, "its base learner knows 60 classes, base_classes is 80; use --set base_classes=60"),
        ({"base_classes": 80, "shots": 5}, "is for 5 supports, shots is 1; use --set shots=5"),
    ],
)
def test_shapes_tell_where_no_header_does(trained: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = saved(HDMNet, trained, tmp_path / "published.safetensors", None)
    with pytest.raises(IcvosError, match=message):
        HDMNet(fill(HDMNet.Settings, {**SMALL, "checkpoint": str(path)}))


@pytest.mark.parametrize(
    "changes", [{"recipe": "{"}, {"recipe": "[]"}, {"classes": "3"}, {"classes": '["a"]'}, {"settings": "[1]"}]
)
def test_a_header_that_is_not_as_written(changes: dict[str, str], tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "best.safetensors", {**header({}), **changes})
    with pytest.raises(IcvosError, match=r"best\.safetensors: its header is not as icvos train writes it"):
        read_training(tmp_path / "best.safetensors")


def test_what_a_header_tells(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "best.safetensors", header({"bins": [1]}))
    found = read_training(tmp_path / "best.safetensors")
    assert found is not None
    assert (found.benchmark, found.fold, found.classes) == ("coco-20i", 0, {1, 2, 3})
    assert found.settings == {"bins": [1]}


@pytest.mark.parametrize("kind", [VRPSAM, HDMNet])
def test_another_methods_checkpoint_is_named_as_such(kind: Any, tmp_path: Path) -> None:
    """Settings that would fit it are no advice: with them, its tensors would not."""
    path = saved(PFENet, {}, tmp_path / "best.safetensors", header({**SMALL, "width": 64}))
    with pytest.raises(IcvosError, match=r"best.safetensors: is a checkpoint of pfenet; run it with --method pfenet$"):
        load_method(NAMES[kind], {**SMALL, "checkpoint": str(path)})
