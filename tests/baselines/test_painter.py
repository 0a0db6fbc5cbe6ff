"""Painter and SegGPT against the recorded outputs of the published programs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from baselines.painter import Painter, PainterSettings, SegGPT, SegGPTSettings
from baselines.painter.losses import painter_loss, seggpt_loss
from baselines.painter.network import PainterNetwork, SegGPTNetwork, Sizes, load_painter
from baselines.painter.pictures import (
    Example,
    bright,
    enlarged,
    enlarged_smoothly,
    example,
    painted,
    to_colours,
)
from icvos.method import segment
from tests import Json, parity
from tests.baselines.drawn import saved

Arrays = dict[str, np.ndarray]
WHOLE = {"seggpt": 370_723_203, "painter": 370_721_155}
FORWARD = ("seggpt-forward-1prompt", "painter-forward")


def checkpoint_of(case: Json, path: Path) -> str:
    """The case's weights as the published files hold them."""
    state = {name: torch.from_numpy(np.array(value)) for name, value in parity.state_dict(case).items()}
    torch.save({"model": state}, path)
    return str(path)


def loaded(case: Json, folder: Path) -> PainterNetwork:
    kind = SegGPTNetwork if case["name"].startswith("seggpt") else PainterNetwork
    network, found = load_painter(kind, checkpoint_of(case, folder / "published.pth"))
    assert found.sha256
    return network


def names(case: Json, expected: Arrays, run: str) -> set[str]:
    """What is recorded of a run; the name of one may begin with another's."""
    longer = tuple(f"{one}_" for one in case["config"].get("runs", ()) if one.startswith(f"{run}_"))
    return {
        name.removeprefix(f"{run}_") for name in expected if name.startswith(f"{run}_") and not name.startswith(longer)
    }


def check(found: dict[str, Any], expected: Arrays, case: Json, run: str) -> None:
    """Every recorded key of a run, by the case's tolerance."""
    assert found.keys() == names(case, expected, run)
    for name, value in found.items():
        wanted = expected[f"{run}_{name}"]
        array = np.asarray(value, wanted.dtype).reshape(wanted.shape)
        bound = case["tolerance"]["relative_to_max_abs"] * np.abs(wanted).max()
        np.testing.assert_allclose(array, wanted, rtol=0, atol=bound, err_msg=name)


def outputs(
    network: PainterNetwork, images: Tensor, targets: Tensor, steps: tuple[int, int, int, int], **given: Any
) -> tuple[dict[str, np.ndarray], Tensor]:
    """What the cases record of a forward pass, and all that it painted.

    Args:
        network: Painter's or SegGPT's.
        images: As the network takes them.
        targets: Likewise.
        steps: Every how many of the tokens' places, the blocks' places, channels and pixels are recorded.
        given: The other arguments of the network.
    """
    of_tokens, of_blocks, of_channels, of_pixels = steps
    found: dict[str, np.ndarray] = {}
    taps: list[np.ndarray] = []

    def keeps(name: str, *places: int) -> Callable[..., None]:
        def keep(_module: object, _inputs: object, output: Tensor) -> None:
            found[name] = output.numpy()[:, :: places[0], :: places[0], :: places[1]]

        return keep

    hooks = [
        network.blocks[number].register_forward_hook(keeps(f"block_{number}", of_blocks, of_channels))
        for number in (0, 2, 3, 11, 23)
    ]
    hooks.append(network.norm.register_forward_hook(lambda *call: taps.append(call[2].mean(-1).numpy())))
    dense = (4, 61) if of_pixels < 11 else (8, 251)
    hooks.append(network.decoder_embed.register_forward_hook(keeps("decoder_embed", *dense)))
    with torch.inference_mode():
        found["tokens"] = network.tokens(images, targets, given.get("hidden")).numpy()[
            :, ::of_tokens, ::of_tokens, ::of_channels
        ]
        colours = network(images, targets, **given)
    for hook in hooks:
        hook.remove()
    found["taps_mean"] = np.stack(taps, 1)
    found["prediction"] = colours.numpy()[:, :, ::of_pixels, ::of_pixels]
    found["prediction_mean"] = colours.mean((2, 3)).numpy()
    return found, colours


def tall(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    return parity.normalise(np.concatenate([upper, lower]))


def drawn_pair(first: int, second: int, side: int, *, copied: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Images and targets of one prompt; the lower target is the upper one's copy, or the query's own."""
    pictures = [parity.image(seed, side, side) for seed in (first, second)]
    masks = [painted(parity.mask(seed, side, side) > 0) for seed in (first, first if copied else second)]
    return tall(*pictures), tall(*masks)


def lower_half(side: int) -> Tensor:
    return (torch.arange(side * side // 128) >= side * side // 256)[None]


@pytest.mark.parametrize(("case_name", "run"), [pair for name in FORWARD for pair in parity.runs(name)])
def test_forward(case_name: str, run: str, tmp_path: Path) -> None:
    case, expected = parity.load(case_name)
    network = loaded(case, tmp_path)
    first, drawn, loss_of = (101, 103, seggpt_loss) if "seggpt" in case_name else (111, 113, painter_loss)
    side = 176 if run == "other_size" else 160
    images, targets = (torch.from_numpy(one)[None] for one in drawn_pair(first, first + 1, side))
    if run == "black":
        targets[:, :, :side] = torch.from_numpy(parity.normalise(np.zeros((side, side, 3), np.uint8)))
    hidden, valid = lower_half(side), torch.ones_like(targets)
    if run == "random":
        hidden = torch.from_numpy(np.random.RandomState(drawn).rand(1, hidden.shape[1]) < 0.5)
        valid = torch.from_numpy(np.random.RandomState(drawn + 1).randint(0, 3, (1, 1, 2 * side, side))).float()
        valid = valid.expand(-1, 3, -1, -1)
    if isinstance(network, SegGPTNetwork):
        network.instance = run != "half_semantic"
    found, colours = outputs(network, images, targets, (2, 3, 8, 3), hidden=hidden)
    found["loss"] = loss_of(colours, targets, hidden, valid).numpy()
    check({"loss": found["loss"]} if run == "black" else found, expected, case, run)


@pytest.mark.parametrize(("case_name", "run"), parity.runs("seggpt-forward-ensemble"))
def test_several_prompts(case_name: str, run: str, tmp_path: Path) -> None:
    case, expected = parity.load(case_name)
    network, said = loaded(case, tmp_path), case["config"]["runs"][run]
    pairs = [drawn_pair(121 + number, 129, 160, copied=True) for number in range(said["prompts"])]
    images, targets = (torch.from_numpy(np.stack(each)) for each in zip(*pairs, strict=True))
    ensemble = said["merge_between_batch"] if said["merge_between_batch"] >= 0 else None
    found, colours = outputs(network, images, targets, (2, 3, 8, 5), ensemble=ensemble)
    query = colours[:, :, 160:]
    check(found | {"query_spread": (query - query[:1]).abs().max().numpy()}, expected, case, run)
    if ensemble in (None, 0):
        with torch.inference_mode():
            alone = network.repaint(images, targets, together=ensemble == 0)
        torch.testing.assert_close(alone, query[: len(alone)], rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("case_name", "first"), [("seggpt-vit-large", 161), ("painter-vit-large", 171)])
def test_published_size(case_name: str, first: int, tmp_path: Path) -> None:
    case, expected = parity.load(case_name)
    network = loaded(case, tmp_path)
    images, targets = (torch.from_numpy(one)[None] for one in drawn_pair(first, first + 8, 448, copied=True))
    found, colours = outputs(network, images, targets, (6, 6, 64, 11))
    loss_of = seggpt_loss if "seggpt" in case_name else painter_loss
    found["loss"] = loss_of(colours, targets, lower_half(448), torch.ones_like(targets)).numpy()
    check(found, expected, case, "large")
    assert sum(one.numel() for one in network.parameters()) == case["parameters"]


@pytest.mark.parametrize(
    ("name", "kind", "tensors"), [("seggpt", SegGPTNetwork, 354), ("painter", PainterNetwork, 352)]
)
def test_sizes_are_the_published_ones(name: str, kind: type[PainterNetwork], tensors: int) -> None:
    with torch.device("meta"):
        network, pictures = kind(), torch.empty(1, 3, 896, 448)
    with FlopCounterMode(display=False) as whole, torch.no_grad():
        network(pictures, pictures)
    with FlopCounterMode(display=False) as query, torch.no_grad():
        network.repaint(pictures, pictures, together=True)
    assert whole.get_total_flops() == 2 * 794_871_332_864
    assert query.get_total_flops() == 2 * 736_965_361_664  # the decoder sees 29 of 56 rows of patches
    assert sum(one.numel() for one in network.parameters()) == WHOLE[name]
    assert len(network.state_dict()) == tensors
    assert Sizes.of(network.state_dict()) == Sizes()


def packed(mask: np.ndarray) -> np.ndarray:
    return np.unpackbits(mask).astype(bool)


def overlay(image: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """The published picture of a result."""
    size = image.shape[0], image.shape[1]
    return (image * (0.6 * enlarged(colours, size) / 255 + 0.4)).astype(np.uint8)


def inputs(network: PainterNetwork) -> tuple[list[np.ndarray], Any]:
    """The pictures and targets that a network is given from now on, and the hook that keeps them."""
    seen: list[np.ndarray] = []
    hook = network.patch_embed.register_forward_pre_hook(lambda _, given: seen.append(given[0].numpy()))
    return seen, hook


@dataclass(frozen=True, slots=True)
class Kept:
    """What a SegGPT painted: the colours of every picture, and with how many prompts."""

    colours: list[np.ndarray] = field(default_factory=list)
    prompts: list[int] = field(default_factory=list)


def watched(method: SegGPT, monkeypatch: pytest.MonkeyPatch) -> Kept:
    kept, usual = Kept(), method.colours

    def colours(prompts: list[Example], query: np.ndarray) -> np.ndarray:
        kept.prompts.append(len(prompts))
        kept.colours.append(usual(prompts, query))
        return kept.colours[-1]

    monkeypatch.setattr(method, "colours", colours)
    return kept


def differ_by(found: np.ndarray, wanted: np.ndarray) -> int:
    return int(np.abs(found.astype(int) - wanted.astype(int)).max())


@pytest.mark.parametrize(("case_name", "run"), parity.runs("seggpt-image"))
def test_pictures(case_name: str, run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case, expected = parity.load(case_name)
    said = case["config"]["runs"][run]
    settings = SegGPTSettings(checkpoint=checkpoint_of(case, tmp_path / "w.pth"), kind=said["type"], device="cpu")
    method = SegGPT(settings)
    query = parity.image(131, 150, 200)
    shown = [(parity.image(132, 120, 160), parity.mask(132, 120, 160) > 0)]
    shown.append((parity.image(133, 520, 600), parity.mask(133, 520, 600) > 0))
    shown = shown[: said["prompts"]]
    seen, hook = inputs(method.network)
    kept = watched(method, monkeypatch)
    if run == "coloured":  # the method itself paints in white
        prompts = [example(image, mask, 448, tuple(said["colour"])) for image, mask in shown]
        found = enlarged(method.square_mask(prompts, method.seen(query)), (150, 200))
    else:
        supports = [saved(tmp_path, image, mask, f"s{number}") for number, (image, mask) in enumerate(shown)]
        found = method.segment_image(supports, query)
    hook.remove()
    (colours,), mask = kept.colours, bright(kept.colours[0], settings.threshold)
    exact = dict(zip(("images", "targets"), (one[:, :, ::16, ::16] for one in seen), strict=True))
    for name, value in exact.items():
        np.testing.assert_allclose(value, expected[f"{run}_{name}"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(colours[::5, ::5], expected[f"{run}_pixels"], rtol=0, atol=0.008)
    assert (mask.ravel() != packed(expected[f"{run}_mask448"])).sum() <= 40
    assert (found.ravel() != packed(expected[f"{run}_mask"])).sum() <= 40 * 30000 / 200704
    assert differ_by(overlay(query, colours)[::3, ::3], expected[f"{run}_overlay"]) <= 1
    assert {*exact, "pixels", "mask448", "mask", "overlay"} == names(case, expected, run)


@pytest.mark.slow
@pytest.mark.parametrize(("case_name", "run"), parity.runs("seggpt-video"))
def test_videos(case_name: str, run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case, expected = parity.load(case_name)
    method = SegGPT(
        SegGPTSettings(
            checkpoint=checkpoint_of(case, tmp_path / "w.pth"),
            recent=case["config"]["runs"][run]["memory"],
            device="cpu",
        )
    )
    kept = watched(method, monkeypatch)
    frames = [np.roll(parity.image(141, 120, 160), (5 * t, 9 * t), axis=(0, 1)) for t in range(4)]
    support = saved(tmp_path, parity.image(142, 100, 140), parity.mask(142, 100, 140))
    if run == "first":  # the first frame is the prompt, and is not segmented
        support, frames = saved(tmp_path, frames[0], parity.mask(141, 120, 160)), frames[1:]
    seen, _ = inputs(method.network)
    masks = list(segment(method, [support], iter(frames)))
    found = np.stack(kept.colours)
    squares = bright(found, 128).reshape(len(frames), -1)
    overlays = np.stack([overlay(*each) for each in zip(frames, kept.colours, strict=True)])
    assert kept.prompts == expected[f"{run}_prompts"].tolist()
    wanted = expected[f"{run}_pixels"]
    np.testing.assert_allclose(found[0, ::8, ::8], wanted[0], rtol=0, atol=0.008)
    np.testing.assert_allclose(found[1:, ::8, ::8], wanted[1:], rtol=0, atol=0.2)
    flipped = squares != packed(expected[f"{run}_mask448"]).reshape(len(frames), -1)
    assert flipped.sum(1).max() <= 200
    assert differ_by(overlays[:, ::4, ::4], expected[f"{run}_overlay"]) <= 1
    images, targets = (one[:, :, ::16, ::16] for one in seen[-2:])
    np.testing.assert_allclose(images, expected[f"{run}_last_images"], rtol=0, atol=1e-6)
    assert (np.abs(targets - expected[f"{run}_last_targets"]) > 1e-6).sum() <= 3 * flipped.sum()
    for mask, square in zip(masks, squares, strict=True):
        np.testing.assert_array_equal(mask, enlarged(square.reshape(448, 448), (120, 160)))
    assert {"prompts", "pixels", "mask448", "overlay", "last_images", "last_targets"} == names(case, expected, run)


@pytest.mark.parametrize(("case_name", "run"), parity.runs("painter-image"))
def test_painters_pictures(case_name: str, run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case, expected = parity.load(case_name)
    settings = PainterSettings(checkpoint=checkpoint_of(case, tmp_path / "w.pth"), program=run, device="cpu")
    method = Painter(settings)
    query, support = parity.image(151, 150, 200), (parity.image(152, 520, 300), parity.mask(152, 520, 300))
    seen, hook = inputs(method.network)
    kept: list[Tensor] = []
    usual = method.repaint
    monkeypatch.setattr(method, "repaint", lambda *given, **more: kept.append(usual(*given, **more)) or kept[-1])
    found = method.segment_image([saved(tmp_path, *support)], query)
    hook.remove()
    exact = dict(zip(("images", "targets"), (one[:, :, ::16, ::16] for one in seen), strict=True))
    for name, value in exact.items():
        np.testing.assert_allclose(value, expected[f"{run}_{name}"], rtol=0, atol=1e-6)
    wanted, (colours,) = expected[f"{run}_prediction"], kept
    np.testing.assert_allclose(colours[:, :, ::6, ::6].numpy(), wanted, rtol=0, atol=3e-5 * np.abs(wanted).max())
    enlarge = {"demo": enlarged, "semantic": enlarged_smoothly}[run]
    picture = enlarge(to_colours(colours)[0], (150, 200))
    assert differ_by(picture[::2, ::2].astype(np.uint8), expected[f"{run}_picture"]) <= 1
    assert {*exact, "prediction", "picture"} == names(case, expected, run)
    np.testing.assert_array_equal(found, bright(picture, 128))
