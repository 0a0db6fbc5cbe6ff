"""AMNet: the adversarial mining transformer (Wang et al., NeurIPS 2023), and its join with SAM 2."""

from collections.abc import Sequence
from types import MappingProxyType

from baselines.amnet.network import AMNetwork
from baselines.amnet.training import AMNetTrainable
from baselines.parts.ensemble_method import EnsembleMethod
from icvos.models.backbones.stages import Staged


class AMNet(EnsembleMethod[AMNetwork]):
    """The method ``amnet``: the network's mask of the first frame, which SAM 2 carries on; set like ``hdmnet``."""

    name = "amnet"
    small = MappingProxyType({"checkpoint": "amnet-nano", "sam2": "affinity"})

    def make(self, body: Staged) -> AMNetwork:
        """The network on a backbone, its own layers fresh."""
        chosen = self.settings
        return AMNetwork(body, chosen.base_classes, chosen.shots, chosen.width, chosen.base_width)

    def trainable(self, classes: Sequence[int]) -> AMNetTrainable:
        """The network, as it is trained on these classes; see `EnsembleMethod.base_class_of`."""
        return AMNetTrainable(
            self.network, self.base_class_of(classes), self.settings.base_learner, self.starts_from(classes)
        )
