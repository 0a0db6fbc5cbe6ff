"""SAM 2 out of the checkpoint of a network that it was trained with, whole or as a LoRA adapter."""

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from icvos.errors import IcvosError
from icvos.models.sam.lora import merge, split
from icvos.models.sam.sam2 import SAM2_MODELS, architecture_of, build_sam2, fit_sam2, load_sam2
from icvos.models.weights.header import read_training
from icvos.models.weights.load import BESIDE, Loaded, State


@dataclass(frozen=True, slots=True)
class TunedSam2:
    """SAM 2, or an adapter of it, as the checkpoint of a network holds it that was trained together with it.

    Args:
        path: The file.
        loaded: The file, for the record.
        own: SAM 2's weights by its own names; {} where the file has an adapter alone.
        added: What a LoRA adapter adds to them; {} where there is none.
    """

    path: Path
    loaded: Loaded
    own: State
    added: State

    @classmethod
    def read(cls, state: State, path: Path, loaded: Loaded) -> "TunedSam2":
        """Of a state dictionary with SAM 2's part alone; raises `IcvosError` for an adapter that is none."""
        return cls(path, loaded, *split(state, path))

    @property
    def holds(self) -> str:
        """What there is, in words, for the record."""
        return " and ".join([*(["weights"] if self.own else []), *(["LoRA"] if self.added else [])])

    def build(self, sam2: str) -> tuple[nn.Module, Loaded]:
        """The network, the adapter merged into it, and its weights; those of ``sam2`` where the file has none."""
        if self.own:
            network, loaded = build_sam2(architecture_of(self.own, f"{self.path} ({BESIDE}*)")), self.loaded
            fit_sam2(network, self.own, self.path)
        else:
            network, loaded = self._base(sam2)
        merge(network, self.added, self.path, loaded.name)
        return network, loaded

    def _base(self, sam2: str) -> tuple[nn.Module, Loaded]:
        """Raises `IcvosError` where it is missing, or is another than the adapter was trained on as far as is known."""
        remedy = "give the SAM 2 that it was trained on as --set sam2=NAME or PATH"
        try:
            network, loaded = load_sam2(sam2)
        except IcvosError as error:
            raise IcvosError(f"{self.path}: is a LoRA adapter without its base; {remedy} ({error})") from error
        training = read_training(self.path)
        began = training.weights if training else {}
        if training and loaded.name in SAM2_MODELS and loaded.sha256 not in (None, *began.values()):
            names = " or ".join(name for name in began if name != training.settings.get("backbone"))
            raise IcvosError(f"{self.path}: its LoRA adapter was trained on {names}, not on {loaded.name}; {remedy}")
        return network, loaded
