"""Which memory counts as a method's."""

import pytest

from icvos.inspection.memory import storage_bytes

torch = pytest.importorskip("torch", reason="tensors need torch: pip install 'icvos[models]'")


def test_shared_memory_counts_once_and_stand_ins_have_none() -> None:
    from torch._subclasses import FakeTensorMode

    real = torch.zeros(8)
    with FakeTensorMode() as mode:  # as an exported network leaves them
        fake = mode.from_tensor(torch.nn.Parameter(torch.ones(100)))
    assert storage_bytes([real, real[2:], torch.empty(9, device="meta"), fake, "text"]) == 32
