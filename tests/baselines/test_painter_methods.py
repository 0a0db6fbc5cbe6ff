"""The methods painter and seggpt on small networks with random weights: prompts, videos and refusals."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from baselines.painter import Painter, PainterSettings, SegGPT, SegGPTSettings
from baselines.painter.network import PainterNetwork, SegGPTNetwork, Sizes, load_painter
from baselines.painter.pictures import enlarged
from icvos.errors import IcvosError
from icvos.method import Segmenter, Support, segment, segment_in_step
from icvos.models.weights.load import fill_randomly
from tests import parity
from tests.baselines.drawn import saved
from tests.baselines.test_painter import watched

Small = Callable[..., Any]  # makes a method of its settings
SMALL = Sizes(width=32, heads=2, decoder_width=8, grid=(8, 4))


def small_method(name: str, folder: Path) -> Small:
    """A method on a small network of random weights, whose masks are about half of a picture."""
    network = {"seggpt": SegGPTNetwork, "painter": PainterNetwork}[name](SMALL)
    fill_randomly(network)
    network.state_dict()["decoder_pred.3.bias"] += 0.3
    path = folder / "small.safetensors"
    save_file(network.state_dict(), path)
    kind, settings = {"seggpt": (SegGPT, SegGPTSettings), "painter": (Painter, PainterSettings)}[name]
    return lambda **given: kind(settings(checkpoint=str(path), side=64, device="cpu", **given))


@pytest.fixture(scope="module", params=["seggpt", "painter"])
def small(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Small:
    """Either method."""
    return small_method(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def seggpt(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """SegGPT alone: Painter has no memory."""
    return small_method("seggpt", tmp_path_factory.mktemp("seggpt"))


def shown(folder: Path, count: int = 2) -> list[Support]:
    return [
        saved(folder, parity.image(seed, 50, 70), parity.mask(seed, 50, 70), f"s{seed}") for seed in range(1, count + 1)
    ]


def video(count: int = 4) -> list[np.ndarray]:
    return [parity.image(20 + number, 48, 80) for number in range(count)]


def test_a_method_follows_a_video_itself_unless_it_hands_it_over(small: Small) -> None:
    handed = small(handover="mask", sam2="affinity")
    alone = small(handover="each-frame")
    for method, whole in ((handed, False), (copy.copy(handed), False), (alone, True), (copy.copy(alone), True)):
        assert isinstance(method, Segmenter) is whole
    assert handed.describe()["settings"]["handover"] == "mask"
    assert alone.describe()["settings"]["handover"] == "each-frame"
    assert [one["name"] for one in alone.describe()["weights"]] == ["small.safetensors"]
    assert handed.needs(handed.settings)[1:] == ("affinity",)
    assert alone.needs(alone.settings)[1:] == ()


def test_what_is_handed_over_is_the_first_frames_mask(small: Small, tmp_path: Path) -> None:
    method, supports, frames = small(handover="mask", sam2="affinity"), shown(tmp_path), video(2)
    masks = list(segment(method, supports, frames))
    first = method.segment_image(supports, frames[0])
    assert 0.05 < first.mean() < 0.95
    np.testing.assert_array_equal(masks[0], first)
    assert len(masks) == 2


def test_each_frame_is_a_picture_of_its_own(small: Small, tmp_path: Path) -> None:
    method, supports, frames = small(handover="each-frame"), shown(tmp_path), video()
    for mask, frame in zip(segment(method, supports, frames), frames, strict=True):
        np.testing.assert_array_equal(mask, method.segment_image(supports, frame))


def test_clips_in_step_have_the_masks_of_each_alone(small: Small, tmp_path: Path) -> None:
    method, supports, frames = small(handover="each-frame"), shown(tmp_path), video()
    together = list(segment_in_step(method, [supports[:1], supports[1:]], frames))
    for number in range(2):
        for masks, alone in zip(together, segment(method, [supports[number]], frames), strict=True):
            np.testing.assert_array_equal(masks[number], alone)


def test_every_support_counts(small: Small, tmp_path: Path) -> None:
    method, supports, frame = small(), shown(tmp_path), video()[0]
    both = method.segment_image(supports, frame)
    assert (both != method.segment_image(supports[:1], frame)).any()
    assert (both != method.segment_image(supports[1:], frame)).any()
    with pytest.raises(IcvosError, match="needs a support; give an image with its mask"):
        method.segment_image([], frame)


def test_the_memory_is_bounded_and_never_drops_a_support(
    seggpt: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = seggpt(recent=2)
    kept = watched(method, monkeypatch)
    masks = list(segment(method, shown(tmp_path), video(5)))
    assert kept.prompts == [2, 3, 4, 4, 4]
    pictures = list(segment(seggpt(handover="each-frame"), shown(tmp_path), video(5)))
    np.testing.assert_array_equal(masks[0], pictures[0])
    assert any((one != other).any() for one, other in zip(masks[1:], pictures[1:], strict=True))


def test_without_a_memory_every_frame_stands_alone(seggpt: Small, tmp_path: Path) -> None:
    given = shown(tmp_path), video()
    for one, other in zip(
        segment(seggpt(recent=0), *given), segment(seggpt(handover="each-frame"), *given), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_the_type_is_told_to_seggpt(seggpt: Small, tmp_path: Path) -> None:
    given = shown(tmp_path), video()[0]
    assert (seggpt(kind="semantic").segment_image(*given) != seggpt().segment_image(*given)).any()


@pytest.mark.parametrize(("kind", "fault"), [(SegGPTNetwork, "lacks type_token_cls"), (PainterNetwork, "has unknown")])
def test_the_other_methods_checkpoint_is_refused(kind: type[PainterNetwork], fault: str, tmp_path: Path) -> None:
    other = PainterNetwork if kind is SegGPTNetwork else SegGPTNetwork
    save_file(other(SMALL).state_dict(), tmp_path / "other.safetensors")
    with pytest.raises(IcvosError, match=f"other.safetensors: {fault}"):
        load_painter(kind, str(tmp_path / "other.safetensors"))


def test_a_side_is_whole_patches() -> None:
    with pytest.raises(IcvosError, match="setting side=450: it must be a multiple of 16, like 448"):
        SegGPTSettings(side=450)


@pytest.mark.parametrize("size", [160, 427, 448, 854, 1080, 1920])
def test_masks_are_enlarged_as_torch_does_in_double_precision(size: int) -> None:
    square = torch.arange(448.0).double()
    wanted = torch.nn.functional.interpolate(square[None, None], size=size, mode="nearest")[0, 0]
    found = enlarged(np.arange(448)[:, None].repeat(448, 1), (size, 2))
    np.testing.assert_array_equal(found[:, 0], wanted.numpy())
