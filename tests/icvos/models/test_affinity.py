import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; pip install 'icvos[models]'")

from icvos.errors import IcvosError  # noqa: E402
from icvos.method import Prompt  # noqa: E402
from icvos.models.affinity import TILE, Affinity, AffinityPropagator, Votes  # noqa: E402
from icvos.models.backbones.lite0 import EfficientNetLite0, lite0  # noqa: E402

SMALL = Affinity(short_side=160)


@pytest.fixture(scope="module")
def network() -> EfficientNetLite0:
    torch.set_num_threads(1)
    return lite0()


def moving_square(step: int, size: tuple[int, int] = (160, 224)) -> tuple[np.ndarray, np.ndarray]:
    """A chequered red square on grey noise, three pixels further right at every step: (picture, mask)."""
    noise = np.random.default_rng(0).integers(90, 130, (*size, 1), dtype=np.uint8)
    picture = np.repeat(noise, 3, axis=2)
    mask = np.zeros(size, dtype=bool)
    mask[48:112, 32 + 3 * step : 96 + 3 * step] = True
    rows, columns = np.mgrid[: size[0], : size[1]]
    picture[mask] = (220, 30, 30)
    picture[mask & (((rows // 8 + (columns - 3 * step) // 8) % 2) == 0)] = (250, 220, 40)
    return picture, mask


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / max((a | b).sum(), 1))


def test_follows_a_moving_square(network: EfficientNetLite0) -> None:
    propagator = AffinityPropagator(network, SMALL)
    picture, mask = moving_square(0)
    assert (propagator.start(picture, Prompt(mask=mask)) == mask).all()
    for step in range(1, 13):
        picture, mask = moving_square(step)
        found = propagator.step(picture)
    assert iou(found, mask) > 0.7


def test_memory_does_not_grow_and_results_repeat(network: EfficientNetLite0) -> None:
    def follow() -> tuple[list[int], np.ndarray]:
        propagator = AffinityPropagator(network, SMALL)
        picture, mask = moving_square(0)
        propagator.start(picture, Prompt(mask=mask))
        held = []
        for step in range(1, 50):
            found = propagator.step(moving_square(step % 20)[0])
            held.append(propagator.held_bytes())
        return held, found

    held, found = follow()
    assert len(set(held[10:])) == 1
    again, repeated = follow()
    assert again == held
    assert (repeated == found).all()


def test_votes_of_all_tiles_at_once_are_those_of_each() -> None:
    """The one way is for processors, the other for what is slow in small steps."""
    generator = torch.Generator().manual_seed(0)
    first, last, new = (torch.randn(3 * TILE, 5 * TILE, 12, generator=generator) for _ in range(3))
    votes = Votes(new, (first, last), (6, 3), 10, 0.1)
    tiles = torch.tensor([[0, 0], [2, 4], [1, 3], [0, 4]])
    each, whole = votes.of(tiles), votes.of_all()
    order = tiles[:, 0] * 5 + tiles[:, 1]
    assert whole[0].shape == whole[1].shape == (15, TILE * TILE, 10)
    assert torch.equal(each[1], whole[1][order])
    assert torch.allclose(each[0], whole[0][order], atol=1e-6)


def test_start_forgets_the_video_before(network: EfficientNetLite0) -> None:
    fresh, used = AffinityPropagator(network, SMALL), AffinityPropagator(network, SMALL)
    used.start(moving_square(9)[0], Prompt(mask=moving_square(9)[1]))
    used.step(moving_square(10)[0])
    for propagator in (fresh, used):
        propagator.start(moving_square(0)[0], Prompt(mask=moving_square(0)[1]))
    assert (fresh.step(moving_square(1)[0]) == used.step(moving_square(1)[0])).all()


@pytest.mark.parametrize("size", [(160, 224), (97, 211), (240, 135), (33, 40)])
def test_masks_have_the_frame_size(network: EfficientNetLite0, size: tuple[int, int]) -> None:
    picture = np.random.default_rng(1).integers(0, 255, (*size, 3), dtype=np.uint8)
    mask = np.zeros(size, dtype=bool)
    mask[size[0] // 4 : size[0] // 2, size[1] // 4 : size[1] // 2] = True
    propagator = AffinityPropagator(network, SMALL)
    propagator.start(picture, Prompt(mask=mask))
    found = propagator.step(picture)
    assert found.shape == size
    assert found.dtype == bool
    assert iou(found, mask) > 0.3


def test_an_empty_mask_stays_empty_and_a_full_one_full(network: EfficientNetLite0) -> None:
    picture, mask = moving_square(0)
    for value in (False, True):
        propagator = AffinityPropagator(network, SMALL)
        propagator.start(picture, Prompt(mask=np.full(mask.shape, value)))
        assert (propagator.step(moving_square(1)[0]) == value).all()


def test_a_soft_prompt_is_cut_at_a_half(network: EfficientNetLite0) -> None:
    picture, mask = moving_square(0)
    found = AffinityPropagator(network, SMALL).start(picture, Prompt(mask=np.where(mask, 0.9, 0.1).astype(np.float32)))
    assert (found == mask).all()


def test_what_cannot_be_followed_is_refused(network: EfficientNetLite0) -> None:
    propagator = AffinityPropagator(network, SMALL)
    picture, mask = moving_square(0)
    with pytest.raises(IcvosError, match="call start before step"):
        propagator.step(picture)
    with pytest.raises(IcvosError, match="prompt mask of 224x160"):
        propagator.start(picture, Prompt(points=np.zeros((1, 2), np.float32)))
    with pytest.raises(IcvosError, match="prompt mask of 224x160"):
        propagator.start(picture, Prompt(mask=mask[:-1]))
    propagator.start(picture, Prompt(mask=mask))
    with pytest.raises(IcvosError, match="resize the frames"):
        propagator.step(picture[:-1])
