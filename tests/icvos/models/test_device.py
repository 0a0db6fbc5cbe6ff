"""Which device a network runs on."""

import pytest
import torch

from icvos.errors import IcvosError
from icvos.models.device import pick_device


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(IcvosError, match="setting device=tpu: it must be one of auto, cpu, cuda, mps"):
        pick_device("tpu")
    assert pick_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["cuda:99", "mps:7", "cpu:3"])
def test_a_device_that_is_not_there_is_one_line_with_the_remedy(name: str) -> None:
    with pytest.raises(IcvosError, match=f"setting device={name}: torch .*; use --set device=auto"):
        pick_device(name)


@pytest.mark.parametrize("name", ["", "cuda:", "cuda:x", "cuda:-1", "CUDA", "gpu"])
def test_what_is_no_device(name: str) -> None:
    with pytest.raises(IcvosError, match="it must be one of auto"):
        pick_device(name)
