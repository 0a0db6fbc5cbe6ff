"""What a method that prompts SAM 2 says it is made of, before and after SAM 2 is loaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from baselines.base_learner import BaseLearner
from baselines.hdmnet import HDMNet
from baselines.pfenet import PFENet
from baselines.vrp_sam import VRPSAM
from icvos.errors import IcvosError
from icvos.method import Image, Mask, Prompt, Support
from icvos.models import prompter
from icvos.models.affinity import AffinityPropagator
from icvos.models.prompter import Prompter
from icvos.models.weights.load import Loaded

SAM2 = SimpleNamespace(loaded=Loaded("sam2", "ab"), dtype="bfloat16", describe=lambda: {"hole_area": 0})


@dataclass(frozen=True)
class Settings:
    sam2: str = "sam2"
    short_side: int = 480
    device: str = "cpu"
    dtype: str = "auto"


class Whole(Prompter):
    resize = "512-bilinear"

    def __init__(self, sam2: str = "sam2") -> None:
        self.settings = Settings(sam2)
        self.loaded = Loaded("own", "cd")
        self.device = torch.device("cpu")

    @staticmethod
    def needs(settings: Settings) -> tuple[str, ...]:
        return (settings.sam2,)

    def segment_image(self, supports: Sequence[Support], image: Image) -> Mask:  # noqa: ARG002
        return np.ones(image.shape[:2], dtype=bool)


@pytest.fixture
def loadings(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []

    def load(*arguments: Any, resize: str) -> SimpleNamespace:
        found.append((*arguments, resize))
        return SAM2

    monkeypatch.setattr(prompter, "load_propagator", load)
    return found


def test_pictures_do_without_sam2(loadings: list[tuple[Any, ...]]) -> None:
    method = Whole()
    assert method.segment_image([], np.zeros((4, 6, 3), np.uint8)).shape == (4, 6)
    found = method.describe()
    assert loadings == []
    assert found["weights"] == [{"name": "own", "sha256": "cd"}]
    assert found["dtype"] == "float32"
    assert found["settings"] == {
        "handover": "mask",
        "sam2": "sam2",
        "short_side": 480,
        "device": "cpu",
        "dtype": "auto",
    }


def test_videos_name_sam2(loadings: list[tuple[Any, ...]]) -> None:
    method = Whole()
    prompt = method.prompt([], np.zeros((4, 6, 3), np.uint8))
    assert prompt.mask is not None
    assert prompt.mask.all()
    assert method.propagator() is method.propagator()
    assert loadings == [("sam2", "cpu", "auto", "512-bilinear")]
    found = method.describe()
    assert [part["name"] for part in found["weights"]] == ["own", "sam2"]
    assert found["dtype"] == "bfloat16"
    assert found["settings"]["hole_area"] == 0


def test_sam2_is_recorded_as_it_can_be_given_again() -> None:
    method = Whole("there/own.pth")
    carried = {"sam2": "own.pth", "hole_area": 0}
    method._sam2 = SimpleNamespace(loaded=SAM2.loaded, dtype="float32", describe=lambda: carried)
    assert method.describe()["settings"]["sam2"] == "there/own.pth"
    method._sam2.loaded = method.loaded  # in the method's own checkpoint
    assert method.describe()["settings"]["sam2"] == "own.pth"


@pytest.mark.parametrize("method", [BaseLearner, HDMNet, PFENet, VRPSAM])
@pytest.mark.parametrize("size", [0, -7, 25])
def test_sizes_that_show_nothing(method: Any, size: int) -> None:
    with pytest.raises(IcvosError, match=f"size={size}: it must be"):
        method(method.Settings(size=size))


def test_affinity_carries_a_mask_on_without_sam2(loadings: list[tuple[Any, ...]]) -> None:
    method = Whole("affinity")
    frame = np.zeros((32, 48, 3), np.uint8)
    propagator = method.propagator()
    assert isinstance(propagator, AffinityPropagator)
    assert propagator is method.propagator()
    assert propagator.start(frame, method.prompt([], frame)).all()
    assert loadings == []
    found = method.describe()
    named = {"handover": "mask", "sam2": "affinity", "short_side": 480, "device": "cpu", "dtype": "auto"}
    assert found["settings"] == named
    assert found["weights"][0]["name"] == "own"
    assert len(found["weights"]) == 2  # the backbone whose features are compared
    with pytest.raises(IcvosError, match="sam2=affinity: carries masks on, and SAM 2 is needed"):
        method.sam2()


def test_a_method_that_prompts_by_points_gives_affinity_its_mask() -> None:
    class ByPoints(Whole):
        handover = "points"

        def sam2_prompt(self, supports: Sequence[Support], frame: Image) -> Prompt:  # noqa: ARG002
            return Prompt(points=np.zeros((1, 2), np.float32), labels=np.ones(1, np.int64))

    frame = np.zeros((32, 48, 3), np.uint8)
    assert ByPoints().prompt([], frame).mask is None
    assert ByPoints().describe()["settings"]["handover"] == "points"
    carried = ByPoints("affinity")
    assert carried.propagator().start(frame, carried.prompt([], frame)).all()
    assert carried.describe()["settings"]["handover"] == "mask"
