"""What SAM 2 remembers of a video that it goes through; `icvos.models.sam.propagation` says what that is."""

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor


@dataclass(slots=True)
class Memory:
    """What is remembered of the frames so far, in the shape that SAM 2's tracking step reads.

    ``prompted`` and ``recent`` map a frame's number to its outputs: ``maskmem_features`` (1, 64, s, s) bfloat16,
    ``maskmem_pos_enc`` and ``obj_ptr`` (1, 256). The first two of a recent frame become None when they are too old.
    """

    prompted: dict[int, dict[str, Any]] = field(default_factory=dict)
    recent: dict[int, dict[str, Any]] = field(default_factory=dict)
    frames: int = 0

    def forget(self, spatial: int, pointers: int) -> None:
        """Drop spatial memories older than ``spatial`` frames and pointers older than ``pointers``."""
        for number in list(self.recent):
            age = self.frames - number
            if age > max(spatial, pointers):
                del self.recent[number]
            elif age > spatial:
                self.recent[number]["maskmem_features"] = None
                self.recent[number]["maskmem_pos_enc"] = None

    def copy(self) -> "Memory":
        """As it is now; what either forgets later, the other keeps."""
        prompted, recent = (
            {number: dict(output) for number, output in bank.items()} for bank in (self.prompted, self.recent)
        )
        return Memory(prompted, recent, self.frames)

    def held_bytes(self) -> int:
        """Bytes of all tensors remembered."""
        outputs = [*self.prompted.values(), *self.recent.values()]
        tensors = [value for output in outputs for value in output.values() if isinstance(value, Tensor)]
        return sum(tensor.nbytes for tensor in tensors)
