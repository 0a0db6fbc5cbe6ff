"""Which device a network runs on."""

import pytest
import torch

from icvos.errors import IcvosError
from icvos.models.device import pick_device


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(IcvosError, match="choose from auto, cpu, cuda, mps"):
        pick_device("tpu")
    assert pick_device("cpu") == torch.device("cpu")
