"""What `icvos profile` says a method costs."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from icvos.errors import IcvosError
from icvos.inspection.trial import make_trial
from icvos.method import Image, Mask, Prompt, Support
from tests.conftest import icvos

torch = pytest.importorskip("torch", reason="networks need torch: pip install 'icvos[models]'")

from icvos.inspection.cost import Part, measure, profile  # noqa: E402
from icvos.inspection.networks import find_encoders, find_networks  # noqa: E402
from icvos.models.backbones.build import build_backbone  # noqa: E402
from icvos.models.backbones.lite0 import EfficientNetLite0  # noqa: E402
from icvos.models.sam.sam2 import SAM2_MODELS  # noqa: E402
from tests import Json  # noqa: E402
from tests.baselines.drawn import small_sam2  # noqa: E402

SIZE = (48, 64)


class Backbone(torch.nn.Module):
    """One convolution of 3 to 4 channels, named as an encoder is."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = torch.nn.Conv2d(3, 4, 1, bias=False)
        self.head = torch.nn.Conv2d(4, 1, 1)

    def forward(self, x: Any) -> Any:
        return self.head(self.backbone(x))


class Follows:
    """A propagator whose network runs once for every frame after the first."""

    def __init__(self) -> None:
        self.network = torch.nn.Linear(5, 7)

    def start(self, frame: Image, prompt: Prompt) -> Mask:  # noqa: ARG002
        return np.zeros(frame.shape[:2], dtype=bool)

    def step(self, frame: Image) -> Mask:
        self.network(torch.zeros(2, 5))
        return np.zeros(frame.shape[:2], dtype=bool)


class Toy:
    """A method with a network of its own, one inside an object, and a propagator."""

    def __init__(self) -> None:
        self.network = Backbone()
        self._propagator = Follows()

    def prompt(self, supports: Sequence[Support], frame: Image) -> Prompt:
        for image in (*(support.image() for support in supports), frame):
            self.network(torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float())
        return Prompt(mask=np.zeros(frame.shape[:2], dtype=bool))

    def propagator(self) -> Follows:
        return self._propagator


def test_parts_of_a_method(tmp_path: Path) -> None:
    trial = make_trial(tmp_path, SIZE, 4, 1)
    found = measure(Toy(), trial)
    pixels = 176 * 208 + SIZE[0] * SIZE[1]  # of the support and the first frame
    assert found.parts == (
        Part("network", 17, 0, 16 * pixels, 16 * pixels, 0, 0),
        Part("network.backbone", 12, 0, 12 * pixels, 12 * pixels, 0, 0),
        Part("network.head", 5, 0, 4 * pixels, 4 * pixels, 0, 0),
        Part("propagator.network", 42, 0, 0, 0, 70, 70),
    )
    assert found.total == Part("all", 59, 0, 16 * pixels, 16 * pixels, 70, 70)
    seconds = found.seconds
    assert seconds.frames == 4
    assert min(seconds.prompt_encode, seconds.prompt, seconds.propagate) > 0
    assert seconds.propagate_encode == 0
    each = seconds.per_frame()
    assert each["total"] == pytest.approx(each["encode"] + each["prompt"] + each["propagate"])
    assert found.peak_resident_bytes > 0
    with pytest.raises(IcvosError, match="give --frames 2 or more"):
        measure(Toy(), make_trial(tmp_path, SIZE, 1, 1))
    with pytest.raises(IcvosError, match="2 shots of 1 supports"):
        measure(Toy(), trial, shots=2)


def test_a_network_that_two_share_counts_once() -> None:
    toy = Toy()
    toy.again = toy.network  # type: ignore[attr-defined]
    toy._propagator.network = toy.network.head  # type: ignore[assignment]
    assert list(find_networks(toy)) == ["network"]


def test_a_method_may_name_its_parts() -> None:
    class Named(Toy):
        def parts(self) -> dict[str, torch.nn.Module]:
            return {"body": self.network.backbone}

    toy = Named()
    assert find_networks(toy) == {"body": toy.network.backbone}


@pytest.mark.parametrize("build", [EfficientNetLite0, partial(build_backbone, "resnet50-v2")])
def test_a_backbone_is_an_image_encoder_by_any_name(build: Callable[[], torch.nn.Module]) -> None:
    with torch.device("meta"):
        body = build()
    whole = torch.nn.ModuleDict({"eye": body, "head": torch.nn.Linear(1, 1)})
    assert find_encoders({"all": whole}) == {"all.eye": body}


def test_one_call_measures_a_method() -> None:
    found = profile(Toy(), frames=2, size=(64, 96))
    assert (found.method, found.frames, found.size, found.shots, found.device) == ("Toy", 2, (64, 96), 1, "cpu")
    shown = found.to_json()
    assert list(shown)[:5] == ["method", "frames", "size", "shots", "parts"]
    assert (shown["size"], shown["seconds_per_frame"]) == ([96, 64], found.seconds.per_frame())
    table = [line.split()[0] for line in found.lines() if line.endswith(" G")]
    assert table == [part.name for part in (*found.parts, found.total)]


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("lite", {"frames": 0}, "give --frames 2 or more"),
        (Toy(), {"shots": 0, "size": (64, 96)}, "0 shots of 1 supports"),
        (Toy(), {"settings": {"a": 1}}, "settings go with the name"),
        ("lite", {"settings": {"devise": "cpu"}}, "did you mean device"),
    ],
)
def test_what_cannot_be_measured(method: Any, options: Json, message: str) -> None:
    with pytest.raises(IcvosError, match=message):
        profile(method, **options)


def test_tuned_parts_of_sam2_are_those_of_the_paper(monkeypatch: pytest.MonkeyPatch) -> None:
    """Table X of the DC-SAM paper: 3.95 M of the decoder (its score heads left out) and 7.31 M of the memory."""
    monkeypatch.setitem(SAM2_MODELS, "sam2-hiera-t", replace(SAM2_MODELS["sam2-hiera-t"], image_size=128))
    arguments = ("profile", "--method", "memory", "--set", "sam2=sam2-hiera-t", "--set", "device=cpu")
    size = ("--frames", 2, "--size", "64x48", "--allow-random-weights")
    found = json.loads(icvos(*arguments, *size, "--json", "-").stdout)
    parts = {part["name"].removeprefix("propagator.network."): part for part in found["parts"]}
    assert found["total"]["parameters"] == 38_945_986
    assert parts["sam_mask_decoder"]["parameters"] == 3_950_656 + 131_841 + 132_612
    assert parts["memory_encoder"]["parameters"] + parts["memory_attention"]["parameters"] == 7_306_912
    assert parts["memory_attention"]["frame_operators"] > 0
    assert set(found["seconds_per_frame"]) == {"encode", "prompt", "propagate", "total"}
    assert (found["size"], found["frames"], found["shots"]) == ([64, 48], 2, 1)


def test_what_learns_of_dcsam_and_of_sam2_beside_it() -> None:
    """1,944,512 in the DC-SAM paper's Table XIV, and its Table X: 3.95 M of the decoder, 7.31 M of the memory."""
    settings = {"variant": "prior", "tuned": "both", "sam2": "sam2-hiera-t", "size": 64, "device": "cpu"}
    with small_sam2():
        found = profile("dcsam", settings=settings, frames=2, size=(64, 96), random_weights=True)
    learnable = {part.name.removeprefix("propagator.network."): part.learnable for part in found.parts}
    assert learnable["network"] == 1_944_512
    assert learnable["sam_mask_decoder"] == 3_950_656
    assert learnable["memory_encoder"] + learnable["memory_attention"] == 7_306_912
    assert found.total.learnable == 1_944_512 + 3_950_656 + 7_306_912


def test_the_command_prints_a_table() -> None:
    output = icvos(
        *("profile", "--method", "lite", "--frames", 2, "--size", "96x64"),
        *("--set", "device=cpu", "--set", "short_side=64"),
    ).output
    assert "network" in output
    assert "seconds a frame: " in output
    assert "peak memory: " in output
    for size in ("96", "96x", "axb", "8x8"):
        refusal = icvos("profile", "--method", "lite", "--size", size, status=2).stderr
        assert "write WIDTHxHEIGHT in pixels" in refusal
    assert "icvos weights fetch sam2.1-hiera-l" in icvos("profile", "--method", "memory", status=2).stderr
