"""How well a prior alone tells where the object is: by contrast, and by the greatest similarity, as networks have it.

    python -m benchmarks.priors

Drawn pictures of the categories that the `nano-` recipes hold out, one support each, EfficientNet-Lite0. It prints, for
each size of the pictures, the mean over pictures of the average precision over pixels, and of the IoU at the best
threshold of each picture. The greatest similarity is that of PFENet and DC-SAM: the last stage sees the masked support.
"""

import argparse
import dataclasses
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from icvos.models.backbones.build import load_backbone
from icvos.models.backbones.stages import Staged
from icvos.models.maps import aligned, resized
from icvos.models.prior import contrast, prior
from icvos.training.drawn import DrawnEpisodes
from icvos.training.recipe import read_recipe
from icvos.training.trainable import EpisodeBatch

SIZES = (256, 384, 512)
Prior = Callable[[Staged, EpisodeBatch], Tensor]


def main() -> None:
    """Print a line for each prior and size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=70)
    count = parser.parse_args().pictures
    body, _ = load_backbone("efficientnet-lite0")
    assert isinstance(body, Staged)
    for size in SIZES:
        episodes = DrawnEpisodes(dataclasses.replace(read_recipe("nano-dcsam-image"), size=size, pictures=0))
        batches = [episodes.validation(index) for index in range(count)]
        for title, find in (("greatest similarity", greatest), ("contrast", by_contrast)):
            with torch.inference_mode():
                found = [measured(find(body, batch), batch.query_label[0] == 1) for batch in batches]
            precision, iou = np.mean(found, 0)
            print(f"{size} px, {title:19} average precision {precision:.3f}, best IoU {iou:.3f}", flush=True)


def greatest(body: Staged, batch: EpisodeBatch) -> Tensor:
    """(1, 1, h, w), as PFENet and DC-SAM compute it."""
    (q3,), (s3,) = body.features(batch.query, (3,)), body.features(batch.supports[0], (3,))
    mask = functional.interpolate((batch.support_labels[0] == 1).float()[:, None], size=s3.shape[2:], mode="nearest")
    grid = s3.shape[-1]
    return prior(aligned(body.layer4(q3), grid), aligned(body.layer4(s3 * mask), grid)[None], mask[None])


def by_contrast(body: Staged, batch: EpisodeBatch) -> Tensor:
    """(1, 1, h, w), see `contrast`."""
    query, support = body.features(batch.query, (3, 4)), body.features(batch.supports[0], (3, 4))
    return contrast(query, support, (batch.support_labels == 1).float(), query[0].shape[-1])


def measured(found: Tensor, truth: Tensor) -> tuple[float, float]:
    """Average precision, and the greatest IoU of any threshold, of (1, 1, h, w) scores with (S, S) bool."""
    scores = resized(found, truth.shape[-1])[0, 0].flatten()
    hits = truth.flatten()[scores.argsort(descending=True, stable=True)].double()
    caught = hits.cumsum(0)
    taken = torch.arange(1, len(hits) + 1)
    iou = caught / (taken + hits.sum() - caught)
    return float((caught / taken)[hits > 0].mean()), float(iou.max())


if __name__ == "__main__":
    main()
