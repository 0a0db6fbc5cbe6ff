"""Results on images made by hand: figures chosen, not measured."""

from typing import Any

from icvos.tasks.result import Result
from icvos.tasks.task import parse_result
from tests import Json

IMAGE_DIGEST = "sha256:" + "fedcba9876543210" * 4
CLASSES = {0: {"person": 1, "airplane": 5}, 1: {"bicycle": 2, "bus": 6}, 2: {"car": 3, "train": 7}, 3: {"boat": 8}}


def make_image_scores(
    method: str = "lite",
    miou: float = 0.4,
    *,
    folds: int = 4,
    shots: int = 1,
    protocol: str = "paper@1",
    digest: str = IMAGE_DIGEST,
    benchmark: str = "coco-20i",
    episodes: int = 1000,
    **record: Any,
) -> Json:
    """The scores of a method that gets about ``miou`` in the first ``folds`` folds, of ``episodes`` each of 1000."""
    found, categories = {}, {}
    for fold in range(folds):
        own = miou + 0.02 * fold
        names = CLASSES[fold]
        for place, (name, kind) in enumerate(names.items()):
            share = episodes // len(names) if place else episodes - episodes // len(names) * (len(names) - 1)
            iou = own + (0.05 if place else -0.05 * (len(names) - 1))
            categories[name] = {"class": kind, "fold": fold, "iou": iou, "episodes": share}
        run = {
            "format": 1,
            "method": method,
            "settings": {"top_k": 10},
            "weights": [{"name": "efficientnet-lite0", "sha256": "ab" * 32}],
            "sees_truth": False,
            "benchmark": {"name": benchmark, "digest": digest},
            "fold": fold,
            "shots": shots,
            "device": "cpu",
            "dtype": "float32",
            "versions": {"icvos": "0.1.0"},
            "finished": f"2026-01-3{fold % 2}T11:00:00+00:00",
        }
        found[str(fold)] = {
            "miou": own,
            "fb_iou": own + 0.2,
            "foreground_iou": own,
            "background_iou": own + 0.4,
            "episodes": episodes,
            "of": 1000,
            "classes": len(names),
            "without": ["toaster"] if fold == 3 else [],
            "interval": {"miou": [own - 0.01, own + 0.01], "fb_iou": [own + 0.19, own + 0.21]},
            "seconds_per_image": 0.2,
            "run": {**run, **record},
        }
    mean = sum(fold["miou"] for fold in found.values()) / folds
    return {
        "format": 1,
        "task": "image",
        "protocol": protocol,
        "digest": digest,
        "benchmark": {"name": benchmark, "folds": 4, "episodes": 4000},
        "shots": shots,
        "overall": {
            "miou": mean,
            "fb_iou": mean + 0.2,
            "folds": folds,
            "episodes": episodes * folds,
            "classes": len(categories),
            "interval": {
                "level": 0.95,
                "samples": 1000,
                "miou": [mean - 0.006, mean + 0.007],
                "fb_iou": [mean + 0.19, mean + 0.21],
            },
            "seconds_per_image": 0.2,
        },
        "folds": found,
        "categories": categories,
    }


def make_image_result(*arguments: Any, **given: Any) -> Result:
    """The result in what `make_image_scores` makes."""
    return parse_result(make_image_scores(*arguments, **given), "scores")
