"""Episodes a second of the loader, against pycocotools, Pillow and torchvision doing the same in the usual way.

    python benchmarks/loading.py --data COCO-20I --annotations instances_val2017.json [--episodes 48] [--rounds 5]

``--data`` is an image benchmark of the split that ``--annotations`` describes. Both sides are given the same pictures
and classes and go through the same loader, turn by turn in one process: squashed (VRP-SAM), varied and resized (HDMNet,
AMNet), and varied and cropped (PFENet). The squashed masks and pictures are compared first.
"""

import argparse
import statistics
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from pycocotools.coco import COCO
from torch.utils.data import Dataset
from torchvision import tv_tensors
from torchvision.transforms import v2

from icvos.categories import COCO as CLASSES
from icvos.tasks.image.benchmark import ImageBenchmark, Picture
from icvos.training.batches import load
from icvos.training.episodes import TrainingEpisodes
from icvos.training.recipe import Recipe, read_recipe
from icvos.training.squares import MEAN_COLOUR
from icvos.training.trainable import EpisodeBatch

RECIPES = {"squash": "vrp-sam-coco-20i", "resize": "hdmnet-coco-20i", "crop": "pfenet-coco-20i"}
MEAN, DEVIATION = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


class Ours(Dataset):
    """Training episodes as `icvos train` makes them."""

    def __init__(self, episodes: TrainingEpisodes, count: int) -> None:
        self.episodes, self.count = episodes, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> EpisodeBatch:
        return self.episodes.training(0, index)


class Peer(Dataset):
    """The same pictures and classes: masks from the annotation file, pictures by Pillow, torchvision's transforms.

    Masks are painted as the benchmark's: in the order of annotation, later over earlier, crowds left out.
    """

    def __init__(self, episodes: TrainingEpisodes, count: int, annotations: Path) -> None:
        recipe = episodes.recipe
        self.coco = COCO(str(annotations))
        self.numbers = {entry["file_name"]: number for number, entry in self.coco.imgs.items()}
        self.category = {found.index: found.category_id for found in CLASSES}
        self.drawn = [
            episodes.draw(0, index, np.random.default_rng([recipe.seed, 0, 0, index])) for index in range(count)
        ]
        self.transform = transforms(recipe)

    def __len__(self) -> int:
        return len(self.drawn)

    def __getitem__(self, index: int) -> EpisodeBatch:
        kind, query, supports = self.drawn[index]
        made = [self.square(picture, kind) for picture in (query, *supports)]
        pictures, labels = (torch.stack(parts) for parts in zip(*made, strict=True))
        return EpisodeBatch(pictures[:1], labels[:1], pictures[None, 1:], labels[None, 1:], torch.tensor([kind - 1]))

    def square(self, picture: Picture, kind: int) -> tuple[torch.Tensor, torch.Tensor]:
        """A picture and its label."""
        image = Image.open(picture.path).convert("RGB")
        mask = np.zeros(picture.size, dtype=np.uint8)
        for found in self.coco.loadAnns(self.coco.getAnnIds(imgIds=self.numbers[picture.name], iscrowd=False)):
            mask[self.coco.annToMask(found) == 1] = found["category_id"] == self.category[kind]
        shown, label = self.transform(image, tv_tensors.Mask(mask[None]))
        return shown, label[0].long()


def transforms(recipe: Recipe) -> v2.Compose:
    """torchvision's transforms for what a recipe does."""
    side = recipe.size
    fill = {Image.Image: MEAN_COLOUR, tv_tensors.Mask: 255}
    tensor = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, DEVIATION)]
    if recipe.preparation == "squash":
        return v2.Compose([v2.Resize((side, side)), *tensor])
    varied = [
        Rescale(*recipe.scale),
        v2.RandomApply([v2.RandomRotation(10, v2.InterpolationMode.BILINEAR, fill=fill)]),
        v2.RandomApply([v2.GaussianBlur(5, 1.1)]),
        v2.RandomHorizontalFlip(),
    ]
    last = v2.Resize((side, side))
    if recipe.preparation == "crop":
        last = v2.RandomCrop(side, pad_if_needed=True, fill=fill)
    return v2.Compose([*varied, last, *tensor])


class Rescale(v2.Transform):
    """A random factor for both edges, for which torchvision has no transform that keeps the whole picture."""

    def __init__(self, least: float, largest: float) -> None:
        super().__init__()
        self.least, self.largest = least, largest

    def make_params(self, flat_inputs: list) -> dict:
        factor = float(torch.empty(()).uniform_(self.least, self.largest))
        width, height = next(found for found in flat_inputs if isinstance(found, Image.Image)).size
        return {"size": [round(height * factor), round(width * factor)]}

    def transform(self, inpt: object, params: dict) -> object:
        return v2.functional.resize(inpt, params["size"])


def seconds(dataset: Dataset, workers: int) -> tuple[float, float]:
    """Wall and processor seconds, the latter of this process alone, to load all of a data set in batches of two."""
    began, used = time.perf_counter(), time.process_time()
    for _ in load(dataset, 2, workers):
        pass
    return time.perf_counter() - began, time.process_time() - used


def check(ours: Dataset, peer: Dataset) -> None:
    """Stop unless both sides make the same pictures and labels."""
    for index in range(8):
        one, other = ours[index], peer[index]
        assert torch.allclose(one.query, other.query, atol=1e-4), "the pictures differ"
        different = (one.query_label != other.query_label).float().mean()
        assert different < 0.02, f"{100 * different:.1f} % of a label differs"  # two nearest rules, half a pixel apart


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--annotations", type=Path, required=True)
    parser.add_argument("--episodes", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    benchmark = ImageBenchmark.open(arguments.data)
    print(f"{'':8} {'workers':>7} {'icvos /s':>9} {'peer /s':>9} {'ratio':>6} {'of processor time':>18}")
    for name, recipe_name in RECIPES.items():
        recipe = replace(read_recipe(recipe_name), validation_episodes=0)
        episodes = TrainingEpisodes(benchmark, recipe)
        sides = [Ours(episodes, arguments.episodes), Peer(episodes, arguments.episodes, arguments.annotations)]
        if name == "squash":
            check(*sides)
        for workers in (0, 1, 2):
            walls: list[list[float]] = [[], []]
            processor: list[list[float]] = [[], []]
            for _ in range(arguments.rounds):
                for side, dataset in enumerate(sides):
                    wall, used = seconds(dataset, workers)
                    walls[side].append(wall)
                    processor[side].append(used)
            ratio = statistics.median(peer / own for own, peer in zip(*walls, strict=True))
            of_processor = statistics.median(peer / own for own, peer in zip(*processor, strict=True))
            rates = [arguments.episodes / statistics.median(found) for found in walls]
            shown = f"{of_processor:>17.2f}x" if workers == 0 else ""
            print(f"{name:8} {workers:>7} {rates[0]:>9.1f} {rates[1]:>9.1f} {ratio:>5.2f}x {shown}", flush=True)


if __name__ == "__main__":
    main()
