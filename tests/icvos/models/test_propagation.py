"""Streaming SAM 2 against the recorded clip, and against SAM 2's own video predictor."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from icvos.errors import IcvosError
from icvos.method import Prompt
from icvos.models.sam.propagation import Sam2Propagator, fill_holes, load_propagator
from icvos.models.sam.sam2 import SAM2_MODELS, build_sam2, see_objects
from icvos.models.weights.load import Loaded, fill_randomly
from tests import parity

FRAMES = 20  # more than SAM 2 looks back on
SIZE = (72, 96)
MASK = np.zeros(SIZE, dtype=bool)
MASK[20:50, 30:60] = True
POINTS = np.array([[45, 33], [5, 5]], dtype=np.float32)
PROMPTS = {
    "click": Prompt(points=POINTS[:1], labels=np.array([1])),
    "clicks": Prompt(points=POINTS, labels=np.array([1, 0])),
    "box": Prompt(box=np.array([30, 20, 60, 50], dtype=np.float32)),
    "clicks and box": Prompt(points=POINTS, labels=np.array([1, 0]), box=np.array([30, 20, 60, 50], dtype=np.float32)),
    "mask": Prompt(mask=MASK),
}


def random_network(name: str, image_size: int) -> Any:
    """A model with random weights that sees an object in most frames."""
    network = build_sam2(replace(SAM2_MODELS[name], image_size=image_size))
    fill_randomly(network)
    see_objects(network)
    return network


def official_predictor(name: str, image_size: int) -> Any:
    """The package's own video predictor from its own configuration, as its builder makes it."""
    from hydra import compose, initialize_config_module
    from hydra.core.global_hydra import GlobalHydra
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    version, size = name.removesuffix(".yaml").split("-")[0], name.rpartition("-")[2]
    extra = "++model.sam_mask_decoder_extra_args.dynamic_multimask_"
    overrides = [
        "++model._target_=sam2.sam2_video_predictor.SAM2VideoPredictor",
        f"++model.image_size={image_size}",
        f"{extra}via_stability=true",
        f"{extra}stability_delta=0.05",
        f"{extra}stability_thresh=0.98",
        "++model.binarize_mask_from_pts_for_mem_enc=true",
    ]
    GlobalHydra.instance().clear()
    with initialize_config_module("sam2", version_base="1.2"):
        config = compose(config_name=f"configs/{version}/{version}_hiera_{size}.yaml", overrides=overrides)
    OmegaConf.resolve(config)
    return instantiate(config.model, _recursive_=True).eval()


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("video")
    image = parity.image(3, *SIZE)
    for number in range(FRAMES):
        Image.fromarray(np.roll(image, 2 * number, axis=1)).save(folder / f"{number:05d}.jpg", quality=95)
    return folder


def frames_of(video: Path, count: int) -> list[np.ndarray]:
    return [np.array(Image.open(video / f"{number:05d}.jpg")) for number in range(count)]


def official_logits(predictor: Any, video: Path, prompt: Prompt, count: int, first: int = 0) -> Iterator[np.ndarray]:
    """From frame ``first`` on, which is prompted, of the video's first ``count`` frames."""
    state = predictor.init_state(str(video))
    state["images"], state["num_frames"] = state["images"][:count], count
    if prompt.mask is not None:
        predictor.add_new_mask(state, first, 1, prompt.mask)
    else:
        predictor.add_new_points_or_box(state, first, 1, points=prompt.points, labels=prompt.labels, box=prompt.box)
    for _, _, logits in predictor.propagate_in_video(state):
        yield logits[0, 0].numpy()


def streamed_logits(
    network: Any, frames: list[np.ndarray], prompt: Prompt, length: int | None, hole_area: int = 0
) -> Iterator[np.ndarray]:
    propagator = Sam2Propagator(network, Loaded("random", None), hole_area=hole_area)
    for number, frame in enumerate(frames):
        mask = propagator.step(frame) if number else propagator.start(frame, prompt, length)
        assert propagator.logits is not None
        assert np.array_equal(mask, propagator.logits > 0)
        yield propagator.logits


def pair(name: str, image_size: int) -> tuple[Any, Any]:
    """Our network and the official predictor, of the same random weights."""
    network, predictor = random_network(name, image_size), official_predictor(name, image_size)
    predictor.load_state_dict(network.state_dict())
    return network, predictor


@pytest.fixture(scope="module")
def tiny_pair() -> tuple[Any, Any]:
    return pair("sam2.1-hiera-t", 128)


@pytest.fixture(scope="module")
def older_pair() -> tuple[Any, Any]:
    """SAM 2.0, whose pointers do not carry their age."""
    return pair("sam2-hiera-t", 64)


@pytest.mark.parametrize("version", ["tiny_pair", "older_pair"])
@pytest.mark.parametrize("kind", ["clicks", "mask"])
def test_long_clip_equals_the_official_predictor(
    version: str, kind: str, request: pytest.FixtureRequest, video: Path
) -> None:
    """More frames than SAM 2 looks back on; ``benchmarks/propagation.py`` does it for all models and prompts."""
    network, predictor = request.getfixturevalue(version)
    expected = list(official_logits(predictor, video, PROMPTS[kind], FRAMES))
    found = list(streamed_logits(network, frames_of(video, FRAMES), PROMPTS[kind], None))
    assert len(found) == len(expected) == FRAMES
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert any(0 < (logits > 0).mean() < 1 for logits in expected[FRAMES // 2 :])


@pytest.mark.parametrize("kind", PROMPTS)
def test_short_clip_needs_its_length(kind: str, tiny_pair: tuple[Any, Any], video: Path) -> None:
    network, predictor = tiny_pair
    expected = list(official_logits(predictor, video, PROMPTS[kind], 5))
    for one, other in zip(streamed_logits(network, frames_of(video, 5), PROMPTS[kind], 5), expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_category_that_begins_later(tiny_pair: tuple[Any, Any], video: Path) -> None:
    """The predictor is prompted on the sixth frame of a video, the stream starts with it."""
    network, predictor = tiny_pair
    expected = list(official_logits(predictor, video, PROMPTS["box"], FRAMES, first=5))
    found = list(streamed_logits(network, frames_of(video, FRAMES)[5:], PROMPTS["box"], None))
    assert len(found) == len(expected) == FRAMES - 5
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def connected_components(mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What SAM 2's CUDA extension gives for (1, 1, H, W) masks: numbers of the 8-connected parts, and their areas."""
    import cv2

    _, parts, numbers, _ = cv2.connectedComponentsWithStats(mask[0, 0].numpy().astype(np.uint8), connectivity=8)
    areas = np.where(parts > 0, numbers[parts, cv2.CC_STAT_AREA], 0)
    return torch.from_numpy(parts)[None, None], torch.from_numpy(areas)[None, None]


@pytest.mark.parametrize("kind", ["clicks", "mask"])
def test_holes_are_filled_as_with_the_cuda_extension(
    kind: str, tiny_pair: tuple[Any, Any], video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, predictor = tiny_pair
    monkeypatch.setattr("sam2.utils.misc.get_connected_components", connected_components)
    monkeypatch.setattr(predictor, "fill_hole_area", 8)
    expected = list(official_logits(predictor, video, PROMPTS[kind], 8))
    found = list(streamed_logits(network, frames_of(video, 8), PROMPTS[kind], 8, hole_area=8))
    unfilled = list(streamed_logits(network, frames_of(video, 8), PROMPTS[kind], 8))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert any((one != other).any() for one, other in zip(found, unfilled, strict=True))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name.endswith("-l") else []) for name in SAM2_MODELS]
)
def test_every_configuration_equals_the_official_one(name: str, video: Path) -> None:
    network, predictor = pair(name, 64)
    assert {key: value.shape for key, value in network.state_dict().items()} == {
        key: value.shape for key, value in predictor.state_dict().items()
    }
    for module, other in zip(network.modules(), predictor.modules(), strict=True):
        plain = {key: value for key, value in vars(other).items() if isinstance(value, bool | int | float | str)}
        ours = {key: value for key, value in vars(module).items() if key in plain}
        extra = {"fill_hole_area", "non_overlap_masks", "clear_non_cond_mem_around_input"}
        extra |= {"add_all_frames_to_correct_as_cond"}
        assert ours == {key: value for key, value in plain.items() if key not in extra}, type(other)
    expected = list(official_logits(predictor, video, PROMPTS["clicks"], 4))
    for one, other in zip(streamed_logits(network, frames_of(video, 4), PROMPTS["clicks"], 4), expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_memory_is_a_window(tiny_pair: tuple[Any, Any], video: Path) -> None:
    propagator = Sam2Propagator(tiny_pair[0], Loaded("random", None))
    frames = frames_of(video, FRAMES)
    propagator.start(frames[0], PROMPTS["mask"])
    held = []
    for number in range(1, 30):
        propagator.step(frames[number % FRAMES])
        held.append(propagator.held_bytes())
    assert len(set(held[16:])) == 1
    assert len(propagator.memory.recent) == 15


def test_absent_object_and_misuse(tiny_pair: tuple[Any, Any], video: Path) -> None:
    propagator = Sam2Propagator(tiny_pair[0], Loaded("random", None))
    frame = frames_of(video, 1)[0]
    with pytest.raises(IcvosError, match="call start before step"):
        propagator.step(frame)
    with pytest.raises(IcvosError, match="the prompt is empty"):
        propagator.start(frame, Prompt())
    with pytest.raises(IcvosError, match="needs a label"):
        propagator.start(frame, Prompt(points=POINTS))
    with pytest.raises(IcvosError, match="prompt mask of"):
        propagator.start(frame, Prompt(mask=MASK[:10]))
    assert not propagator.start(frame, Prompt(mask=np.zeros(SIZE, dtype=bool))).any()
    assert propagator.step(frame).shape == SIZE
    with pytest.raises(IcvosError, match="resize to one size"):
        propagator.step(frame[:40])


def test_fill_holes() -> None:
    logits = torch.full((1, 1, 12, 12), 5.0)
    logits[0, 0, 2:4, 2:4] = -1  # four pixels
    logits[0, 0, 6:10, 6:10] = -2  # sixteen
    filled = fill_holes(logits, 8)
    assert torch.allclose(filled[0, 0, 2:4, 2:4], torch.tensor(0.1))
    assert (filled[0, 0, 6:10, 6:10] == -2).all()
    assert torch.equal(fill_holes(logits, 0), logits)


@pytest.mark.parametrize("case_name", parity.cases("dcsam-sam2.1-hiera-*-video*", slow="*"))
def test_recorded_clip_with_prompt_embeddings(case_name: str, tmp_path: Path) -> None:
    case, expected = parity.load(case_name)
    side = case["config"]["frame_size"]
    state = {
        name.removeprefix("sam2."): torch.from_numpy(value)
        for name, value in parity.state_dict(case).items()
        if name.startswith("sam2.")
    }
    torch.save({"model": state}, tmp_path / "published.pt")
    propagator = load_propagator(str(tmp_path / "published.pt"), "cpu", resize=f"{side}-bilinear")
    labels = propagator.network.sam_prompt_encoder.point_embeddings
    tokens = np.concatenate(
        [expected["stage2_pos"][0] + labels[1].weight.numpy(), expected["stage2_neg"][0] + labels[0].weight.numpy()]
    )
    made = case["inputs"]["query_video"]
    image = parity.image(made["seed"], side, side)
    low, pointers, scores, logits = [], [], [], []
    for number in range(made["frames"]):
        frame = np.roll(image, (made["dy"] * number, made["dx"] * number), axis=(0, 1))
        if number:
            propagator.step(frame)
        else:
            propagator.start(frame, Prompt(embeddings=tokens), made["frames"])
        bank = propagator.memory.recent if number else propagator.memory.prompted
        low.append(propagator.output["pred_masks"][0].numpy())
        pointers.append(bank[number]["obj_ptr"][0].numpy())
        scores.append(float(propagator.output["object_score_logits"]))
        logits.append(propagator.logits)
    found = {
        "first_frame_low_res_logits": low[0][None],
        "frame_low_res_logits_sub": np.stack(low)[:, :, ::4, ::4],
        "object_pointers": np.stack(pointers),
        "object_score_logits": np.array(scores, dtype=np.float32),
        "frame_mean_logit": np.array([frame.mean() for frame in logits], dtype=np.float32),
        "frame_foreground_fraction": np.array([(frame > 0).mean() for frame in logits], dtype=np.float32),
    }
    stride = side // expected["frame_logits_sub"].shape[1]
    found["frame_logits_sub"] = np.stack([frame[::stride, ::stride] for frame in logits])
    for name, value in found.items():
        wanted = expected[name][1:] if name.startswith("object") else expected[name]  # the first is the coarse mask's
        parity.assert_close(value, wanted, case["tolerance"], name)


@pytest.mark.parametrize("kind", ["clicks", "mask"])
def test_a_memory_that_was_put_aside_gives_the_same_masks(tiny_pair: tuple[Any, Any], video: Path, kind: str) -> None:
    propagator = Sam2Propagator(tiny_pair[0], Loaded("random", None))
    images = frames_of(video, FRAMES)
    propagator.start(images[0], PROMPTS[kind])
    logits, kept = [], {}
    for number, image in enumerate(images[1:], start=1):
        propagator.step(image)
        logits.append(propagator.logits)
        if number in (1, 4, 17):
            kept[number] = {name: array.copy() for name, array in propagator.remembered().items()}
    for stop, memory in kept.items():
        propagator.start(images[5], PROMPTS["box"])  # another video in between
        propagator.recall(memory)
        for image, expected in zip(images[stop + 1 :], logits[stop:], strict=True):
            propagator.step(image)
            assert np.array_equal(propagator.logits, expected), stop
