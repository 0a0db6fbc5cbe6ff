"""Counted parameters and multiply-accumulates against the figures of the papers and of the published code."""

from typing import Any

import pytest
import torch
from torch import nn

from baselines.pfenet import COCO_BINS, PASCAL_BINS, PFENetwork
from baselines.vrp_sam import PromptEncoder
from icvos.models.backbones import build_backbone
from icvos.models.sam2 import build_sam2
from icvos.operations import ALL, count_operations


def size_of(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("name", "total"),
    [("sam2-hiera-t", 38_945_986), ("sam2-hiera-l", 224_430_130), ("sam2.1-hiera-l", 224_446_642)],
)
def test_parameters_of_sam2(name: str, total: int) -> None:
    """The totals, and the tuned parts of the DC-SAM paper's Table X: 3.95 M and 7.31 M, 11.26 M together."""
    network: Any = build_sam2(name)
    assert size_of(network) == total
    decoder = network.sam_mask_decoder
    tuned = size_of(decoder) - size_of(decoder.pred_obj_score_head) - size_of(decoder.iou_prediction_head)
    memory = size_of(network.memory_encoder) + size_of(network.memory_attention)
    assert (tuned, memory, tuned + memory) == (3_950_656, 7_306_912, 11_257_568)


def meta(*shape: int) -> torch.Tensor:
    return torch.empty(shape, device="meta")


def giga(network: nn.Module, *inputs: torch.Tensor) -> tuple[float, float]:
    """Multiply-accumulates, in units of 10^9, of modules (as thop counts) and of operators."""
    network = network.eval().to("meta")
    with torch.no_grad(), count_operations({"network": network}) as found:
        network(*inputs)
    return found.modules["network"] / 1e9, found.operators[ALL] / 1e9


def test_vrp_sam_costs_what_the_paper_says() -> None:
    """218.949 G in the DC-SAM paper's Table XIV: modules of one 512 x 512 episode, SAM excluded."""
    network = PromptEncoder(build_backbone("resnet50-v2", "torchvision"))
    modules, operators = giga(network, meta(1, 3, 512, 512), meta(1, 3, 512, 512), meta(1, 512, 512))
    assert modules == pytest.approx(218.949165, abs=1e-6)
    assert operators == pytest.approx(254.0744, rel=3e-3)  # another tool's count of the same operators


@pytest.mark.parametrize(
    ("backbone", "bins", "side", "expected"),
    [
        ("resnet50-v2", COCO_BINS, 473, 207.582),
        ("resnet50-v2", PASCAL_BINS, 473, 207.612),
        ("resnet50-v2", COCO_BINS, 513, 243.592),
        ("vgg16-bn", COCO_BINS, 473, 144.041),
    ],
)
def test_pfenet_costs_what_the_paper_says(backbone: str, bins: tuple[float, ...], side: int, expected: float) -> None:
    """207.582 G and 10.8 M in the DC-SAM paper's Table XIV: modules of one 473 x 473 episode with the COCO bins."""
    network = PFENetwork(build_backbone(backbone, "whole"), bins)
    modules, _ = giga(network, meta(1, 3, side, side), meta(1, 1, 3, side, side), meta(1, 1, side, side))
    assert modules == pytest.approx(expected, abs=6e-4)
