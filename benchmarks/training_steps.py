"""One optimiser step of a training recipe, at its own size and on random weights: losses, seconds, peak memory.

    python benchmarks/training_steps.py dcsam-coco-20i --data coco-20i --set settings.sam=sam-vit-b
    python benchmarks/training_steps.py dcsam-ic-vos-tube --data all-coco --vary settings.tuned=lora
    python benchmarks/training_steps.py dcsam-ic-vos-tube --data all-coco --frames 2 5 9

Every row is measured in a process of its own: "built" is its peak resident memory before the step, "peak" after it.
The frames of a tube that is to be longer or shorter than its five views are repeated or left out.
"""

import argparse
import dataclasses
import itertools
import subprocess
import sys
import time

import torch

from icvos.inspection.memory import peak_resident_bytes
from icvos.settings import as_text
from icvos.training.batches import training_batches
from icvos.training.learner import Learner
from icvos.training.recipe import PREFIX
from icvos.training.session import Session, prepare
from icvos.training.trainable import EpisodeBatch


def with_frames(batch: EpisodeBatch, frames: int) -> EpisodeBatch:
    """The batch with tubes of so many frames."""
    if batch.later is None or batch.later_labels is None:
        sys.exit("--frames is for a recipe with tubes")
    chosen = torch.arange(frames - 1) % batch.later.shape[1]
    return dataclasses.replace(batch, later=batch.later[:, chosen], later_labels=batch.later_labels[:, chosen])


def measure(session: Session, frames: int | None) -> dict[str, str]:
    """What one step of a session prints, by column."""
    recipe = session.recipe
    learner = Learner(recipe, session.trainable)
    batches = list(training_batches(recipe, session.episodes, 0, range(1), learner.accelerator, 0))
    if frames is not None:
        batches = [with_frames(batch, frames) for batch in batches]
    session.trainable.train()
    built = peak_resident_bytes()
    began, cpu = time.perf_counter(), time.process_time()
    losses = learner.step(0, 0, 1.0, iter(batches))
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    learned = sum(parameter.numel() for parameter in session.trainable.network.parameters() if parameter.requires_grad)
    return {
        "batch": as_text(recipe.batch),
        "frames": as_text(1 if batches[0].later is None else 1 + batches[0].later.shape[1]),
        "losses": " ".join(f"{name}={value:.3f}" for name, value in losses.items()),
        "seconds": f"{seconds:.1f}",
        "CPU s": f"{cpu:.1f}",
        "built MiB": f"{built / 2**20:.0f}",
        "peak MiB": f"{peak_resident_bytes() / 2**20:.0f}",
        "learns": f"{learned:,}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe")
    parser.add_argument("--data", required=True, help="an image benchmark with pictures to train on")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", help="changes of the recipe in all rows")
    parser.add_argument("--vary", nargs="+", default=[""], metavar="NAME=VALUE[,...]", help="a row for each")
    parser.add_argument("--frames", type=int, nargs="+", default=[None], help="frames of a tube, a row for each")
    parser.add_argument("--alone", action="store_true", help="measure in this process")
    chosen = parser.parse_args()
    if not chosen.alone:
        for vary, frames in itertools.product(chosen.vary, chosen.frames):
            row = [sys.executable, __file__, chosen.recipe, "--data", chosen.data, "--alone", "--vary", vary]
            row += ["--set", *chosen.set] if chosen.set else []
            row += ["--frames", str(frames)] if frames else []
            subprocess.run(row, check=True)
        return
    varied = [pair for pair in chosen.vary[0].split(",") if pair]
    changes = dict(pair.split("=", 1) for pair in (*chosen.set, *varied))
    session = prepare(
        chosen.recipe, chosen.data, "unused", settings={"validation_episodes": 0} | changes, random_weights=True
    )
    found = measure(session, chosen.frames[0])
    what = " ".join(f"{name.removeprefix(PREFIX)}={value}" for name, value in changes.items())
    print(f"{chosen.recipe} {what}: " + "  ".join(f"{name} {value}" for name, value in found.items()), flush=True)


if __name__ == "__main__":
    main()
