import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="torch is not installed; pip install 'icvos[models]'")

from baselines.lite import Lite, LiteSettings, graph_side  # noqa: E402
from baselines.oracle import Oracle, OracleSettings  # noqa: E402
from icvos.errors import IcvosError  # noqa: E402
from icvos.files.images import read_image  # noqa: E402
from icvos.files.masks import read_binary, write_binary  # noqa: E402
from icvos.method import Support, load_method, sees_truth, segment  # noqa: E402

SMALL = LiteSettings(device="cpu", prompt_sides=(160, 224), support_side=224, short_side=160)


@pytest.fixture(scope="module")
def lite() -> Lite:
    torch.set_num_threads(1)
    return Lite(SMALL)


def disc(size: tuple[int, int], centre: tuple[int, int], radius: int) -> tuple[np.ndarray, np.ndarray]:
    """An orange, banded disc on a smooth green slope: (picture, mask)."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    picture = np.stack([rows * 60 // size[0], 110 + columns * 60 // size[1], rows * 0 + 40], axis=2).astype(np.uint8)
    mask = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius**2
    picture[mask] = (240, 140, 20)
    picture[mask & (rows // 6 % 2 == 0)] = (30, 20, 10)
    return picture, mask


def saved(folder: Path, name: str, picture: np.ndarray, mask: np.ndarray) -> Support:
    Image.fromarray(picture).save(folder / f"{name}.png")
    write_binary(folder / f"{name}_mask.png", mask)
    return Support(name, folder / f"{name}.png", folder / f"{name}_mask.png")


@pytest.fixture
def supports(tmp_path: Path) -> list[Support]:
    """Five supports of five sizes and aspect ratios."""
    sizes = [(160, 200), (240, 160), (97, 301), (128, 128), (333, 250)]
    return [
        saved(tmp_path, f"s{number}", *disc(size, (size[0] // 2, size[1] // 3), min(size) // 4))
        for number, size in enumerate(sizes)
    ]


@pytest.mark.parametrize("shots", [1, 5])
def test_finds_a_disc_from_supports_of_other_sizes(lite: Lite, supports: Sequence[Support], shots: int) -> None:
    frame, mask = disc((170, 260), (80, 180), 45)
    found = lite.prompt(supports[:shots], frame).mask
    assert found is not None
    assert found.shape == mask.shape
    assert found.dtype == bool
    assert (found & mask).sum() / (found | mask).sum() > 0.5


def test_the_same_inputs_give_the_same_masks(lite: Lite, supports: Sequence[Support]) -> None:
    frames = [disc((170, 260), (80, 150 + 4 * step), 45)[0] for step in range(4)]
    first = list(segment(lite, supports[:2], frames))
    assert len(first) == 4
    again = list(segment(Lite(SMALL), supports[:2], frames))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize("pixels", [0, 1, 30])
def test_a_tiny_or_empty_support_mask_gives_a_mask(lite: Lite, tmp_path: Path, pixels: int) -> None:
    picture, _ = disc((160, 200), (80, 100), 40)
    mask = np.zeros(picture.shape[:2], dtype=bool)
    mask.reshape(-1)[80 * 200 + 100 : 80 * 200 + 100 + pixels] = True
    found = lite.prompt([saved(tmp_path, "tiny", picture, mask)], picture).mask
    assert found is not None
    assert found.dtype == bool
    assert found.any() == bool(pixels)


def test_a_support_mask_that_covers_everything_gives_a_mask(lite: Lite, tmp_path: Path) -> None:
    picture, mask = disc((160, 200), (80, 100), 40)
    found = lite.prompt([saved(tmp_path, "full", picture, np.ones_like(mask))], picture).mask
    assert found is not None
    assert found.shape == mask.shape


def test_no_support_is_refused(lite: Lite) -> None:
    frame, _ = disc((160, 200), (80, 100), 40)
    for method in (lite, Oracle(OracleSettings(short_side=96))):
        with pytest.raises(IcvosError, match="support"):
            method.prompt([], frame)


def test_oracle_gives_the_true_mask_and_says_that_it_sees_it(tmp_path: Path, lite: Lite) -> None:
    frame, mask = disc((160, 200), (80, 100), 40)
    oracle = Oracle(OracleSettings(short_side=96))
    given = oracle.prompt([saved(tmp_path, "own", frame, mask)], frame).mask
    assert given is not None
    assert (given == mask).all()
    assert sees_truth(oracle)
    assert not sees_truth(lite)
    with pytest.raises(IcvosError, match=r"own_mask\.png: mask of 200x160 for a frame of 100x80"):
        oracle.prompt([saved(tmp_path, "own", frame, mask)], frame[::2, ::2])


def test_describes_itself(lite: Lite) -> None:
    about = lite.describe()
    assert about["settings"]["short_side"] == 160
    assert about["weights"][0]["name"].endswith(".pth")
    assert len(about["weights"][0]["sha256"]) == 64


def test_is_found_by_name_and_takes_settings() -> None:
    method = load_method("lite", {"short_side": "96", "device": "cpu"})
    assert isinstance(method, Lite)
    assert method.settings.short_side == 96
    assert isinstance(load_method("oracle"), Oracle)


@pytest.mark.parametrize(("sequence", "least"), [("dog", 0.85), ("blackswan", 0.85)])
def test_follows_a_real_video(sequence: str, least: float) -> None:
    folder = os.environ.get("ICVOS_SAMPLES")
    if not folder:
        pytest.skip("ICVOS_SAMPLES does not name a folder with sample data")
    frames = sorted((Path(folder) / "DAVIS" / "JPEGImages" / "480p" / sequence).glob("*.jpg"))[:6]
    if not frames:
        pytest.skip(f"no DAVIS sequence {sequence} in the sample data")
    masks = [Path(str(path).replace("JPEGImages", "Annotations")).with_suffix(".png") for path in frames]
    found = list(segment(Oracle(), [Support("own", frames[0], masks[0])], (read_image(path) for path in frames)))
    truth = read_binary(masks[-1])
    assert (found[-1] & truth).sum() / (found[-1] | truth).sum() > least


def test_finds_a_real_dog_from_another() -> None:
    folder = os.environ.get("ICVOS_SAMPLES")
    if not folder:
        pytest.skip("ICVOS_SAMPLES does not name a folder with sample data")
    frame_path = Path(folder) / "DAVIS" / "JPEGImages" / "480p" / "libby" / "00000.jpg"
    shown_path = Path(folder) / "DAVIS" / "JPEGImages" / "480p" / "dog" / "00000.jpg"
    if not (frame_path.is_file() and shown_path.is_file()):
        pytest.skip("no DAVIS sequences dog and libby in the sample data")
    masks = [
        Path(str(path).replace("JPEGImages", "Annotations")).with_suffix(".png") for path in (shown_path, frame_path)
    ]
    found = Lite(LiteSettings(device="cpu")).prompt([Support("dog", shown_path, masks[0])], read_image(frame_path)).mask
    assert found is not None
    truth = read_binary(masks[1])
    assert (found & truth).sum() / (found | truth).sum() > 0.6


def test_a_very_long_picture_becomes_a_graph_of_bounded_size(lite: Lite, supports: Sequence[Support]) -> None:
    assert graph_side(np.zeros((480, 854, 3), np.uint8)) == 480
    assert graph_side(np.zeros((100, 1600, 3), np.uint8)) == 120
    found = lite.prompt(supports[:1], np.zeros((40, 400, 3), np.uint8)).mask
    assert found is not None
    assert found.shape == (40, 400)
