import os
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; pip install 'icvos[models]'")

from icvos.files.storage import sha256  # noqa: E402
from icvos.models.backbones import lite0  # noqa: E402

WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
IMAGENET = {"dog": range(151, 269), "libby": range(151, 269), "blackswan": range(100, 101), "cows": range(345, 346)}


def test_the_published_weights_load_strictly() -> None:
    assert sha256(lite0.lite0_weights()) == WEIGHTS_SHA256
    network = lite0.EfficientNetLite0()
    state = torch.load(lite0.lite0_weights(), weights_only=True)
    assert set(network.state_dict()) == set(state)
    network.load_state_dict(state, strict=True)


def test_logits_equal_those_of_the_package_of_the_weights() -> None:
    package = pytest.importorskip("efficientnet_lite_pytorch", reason="efficientnet-lite-pytorch is not installed")
    state = torch.load(lite0.lite0_weights(), weights_only=True)
    theirs = package.EfficientNet.from_name("efficientnet-lite0")
    theirs.load_state_dict(state)
    ours = lite0.EfficientNetLite0()
    ours.load_state_dict(state)
    pictures = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = theirs.eval()(pictures)
        assert torch.equal(ours.eval()(pictures), expected)
        assert torch.allclose(lite0.lite0()(pictures), expected, atol=1e-4)


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_a_block_that_pads_on_its_way_equals_one_that_pads_after_it(layout: torch.memory_format) -> None:
    """Where a gradient is recorded, pictures are padded when they are convolved."""
    pictures = torch.randn(2, 16, 20, 24, generator=torch.Generator().manual_seed(0)).to(memory_format=layout)
    for kernel in (3, 5):
        block = lite0.InvertedResidual(16, 24, kernel, 2, 6).eval().to(memory_format=layout)
        expected = block(pictures.clone()).detach()
        with torch.inference_mode():
            found = block(pictures.clone())
        assert torch.equal(found, expected)
        assert found.stride() == expected.stride()


def test_blocks_have_the_documented_strides_and_channels() -> None:
    picture = lite0.lite0_input(np.zeros((130, 190, 3), np.uint8), 128)
    assert tuple(picture.shape) == (1, 3, 128, 192)
    with torch.inference_mode():
        network = lite0.lite0()
        found = network.features(picture, range(16))
    assert {index: tuple(found[index].shape) for index in (0, 2, 4, 7, 10, 14, 15)} == {
        0: (1, 16, 64, 96),
        2: (1, 24, 32, 48),
        4: (1, 40, 16, 24),
        7: (1, 80, 8, 12),
        10: (1, 112, 8, 12),
        14: (1, 192, 4, 6),
        15: (1, 320, 4, 6),
    }


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [((480, 854), 480, (480, 864)), ((854, 480), 480, (864, 480)), ((20, 900), 32, (32, 1440)), ((1, 1), 16, (32, 32))],
)
def test_input_sides_are_multiples_of_the_stride(size: tuple[int, int], side: int, expected: tuple[int, int]) -> None:
    picture = lite0.lite0_input(np.full((*size, 3), 255, np.uint8), side)
    assert tuple(picture.shape[2:]) == expected
    assert torch.equal(picture, torch.ones_like(picture))


@pytest.mark.parametrize("sequence", sorted(IMAGENET))
def test_real_photographs_get_sensible_classes(sequence: str) -> None:
    folder = os.environ.get("ICVOS_SAMPLES")
    if not folder:
        pytest.skip("ICVOS_SAMPLES does not name a folder with sample data")
    path = Path(folder) / "DAVIS" / "JPEGImages" / "480p" / sequence / "00000.jpg"
    if not path.is_file():
        pytest.skip(f"no DAVIS sequence {sequence} in the sample data")
    picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    left = (picture.shape[1] - picture.shape[0]) // 2
    picture = np.ascontiguousarray(picture[:, left : left + picture.shape[0]])
    with torch.inference_mode():
        best = lite0.lite0()(lite0.lite0_input(picture, 224)).argmax()
    assert int(best) in IMAGENET[sequence]
