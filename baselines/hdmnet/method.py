"""HDMNet: hierarchical dense correlation distillation (Peng et al., CVPR 2023), and its join with SAM 2."""

from collections.abc import Sequence
from types import MappingProxyType

from baselines.hdmnet.network import HDMNetwork
from baselines.hdmnet.training import HDMNetTrainable
from baselines.parts.ensemble_method import EnsembleMethod
from icvos.models.backbones.stages import Staged


class HDMNet(EnsembleMethod[HDMNetwork]):
    """The method ``hdmnet``: the network's mask of the first frame, which SAM 2 carries on."""

    name = "hdmnet"
    small = MappingProxyType({"checkpoint": "hdmnet-nano", "sam2": "affinity"})

    def make(self, body: Staged) -> HDMNetwork:
        """The network on a backbone, its own layers fresh."""
        chosen = self.settings
        return HDMNetwork(body, chosen.base_classes, chosen.shots, chosen.width, chosen.base_width)

    def trainable(self, classes: Sequence[int]) -> HDMNetTrainable:
        """The network, as it is trained on these classes; see `EnsembleMethod.base_class_of`."""
        return HDMNetTrainable(
            self.network, self.base_class_of(classes), self.settings.base_learner, self.starts_from(classes)
        )
