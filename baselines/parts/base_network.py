"""The base learner that BAM, HDMNet and AMNet stand on: a PSPNet on the training classes, as BAM trains it.

After Lang et al. (CVPR 2022). It knows its classes and nothing else, and so can say what the target is not.
"""

import json

import torch
from torch import Tensor, nn

from icvos.errors import IcvosError
from icvos.models.backbones.stages import Staged
from icvos.models.maps import aligned
from icvos.models.weights.header import read_header, require_alike
from icvos.models.weights.load import Loaded, State, find_weights, load_weights


class PyramidPooling(nn.Module):
    """PSPNet's pyramid pooling: bins 1, 2, 3 and 6 beside the features."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.features = nn.ModuleList(
            nn.Sequential(
                nn.AdaptiveAvgPool2d(size),
                nn.Conv2d(width, width // 4, 1, bias=False),
                nn.BatchNorm2d(width // 4),
                nn.ReLU(),
            )
            for size in (1, 2, 3, 6)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, D, h, w) to (B, 2 D, h, w)."""
        size = (x.shape[2], x.shape[3])
        return torch.cat([x, *(aligned(part(x), size) for part in self.features)], 1)


def base_classifier(last: int, base_classes: int, width: int) -> nn.Sequential:
    """What follows the pyramid pooling: (B, 2 last, h, w) to (B, base_classes + 1, h, w) logits."""
    return nn.Sequential(
        nn.Conv2d(2 * last, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Dropout2d(0.1),
        nn.Conv2d(width, base_classes + 1, 1),
    )


class BaseNetwork(Staged):
    """The network; published parameter names.

    Args:
        body: The backbone, whose stages become the network's own.
        base_classes: Classes that it knows, without background.
        width: Channels of its last map; 512 as published.
    """

    def __init__(self, body: Staged, base_classes: int, width: int = 512) -> None:
        super().__init__()
        self.take_stages(body)
        self.base_classes = base_classes
        last = body.channels[4]
        self.ppm = PyramidPooling(last)
        self.cls = base_classifier(last, base_classes, width)

    def forward(self, x: Tensor, last: Tensor | None = None) -> Tensor:
        """(B, 3, S, S) pictures to (B, N + 1, f, f) logits; channel 0 is background.

        Args:
            x: The pictures.
            last: (B, D, f, f), their layer4 where it is known.
        """
        if last is None:
            (last,) = self.features(x, (4,))
        found: Tensor = self.cls(self.ppm(last))
        return found


def load_base(network: BaseNetwork, checkpoint: str, settings: object = None, prefix: str = "") -> Loaded:
    """Load a base learner, trained here or published, by path.

    Args:
        network: Takes the weights in place.
        checkpoint: The path.
        settings: Of the method, with ``backbone``, ``base_classes`` and ``base_width``; None: any.
        prefix: What stands before a setting's name where it is set.

    Raises `IcvosError` where it knows another number of classes, or does not fit otherwise.
    """
    known = network.base_classes
    path = find_weights(checkpoint)
    if path is not None and settings is not None:
        require_alike(path, settings, ("backbone", "base_classes", "base_width"), prefix)

    def convert(state: State) -> State:
        state = {name: tensor for name, tensor in state.items() if not name.startswith("encoder.")}  # layer0 to 4 again
        found = len(state.get("cls.4.bias", ())) - 1
        if found not in (known, -1):
            raise IcvosError(
                f"{checkpoint}: this base learner knows {found} classes, base_classes is {known}; "
                f"use --set {prefix}base_classes={found}, or give another one"
            )
        return state

    return load_weights(network, checkpoint, convert)


def known_classes(checkpoint: str) -> tuple[int, ...]:
    """The classes of a base learner that `icvos train` made, from 0, ascending; () where its file does not say."""
    path = find_weights(checkpoint)
    text = read_header(path).get("classes", "") if path else ""
    try:
        return tuple(int(kind) for kind in json.loads(text)) if text else ()
    except (ValueError, TypeError) as error:
        raise IcvosError(f"{checkpoint}: its header's classes are not a list of numbers; train it again") from error


def vote(logits: Tensor, masks: Tensor) -> Tensor:
    """(B,) int64: the class, from 0, that (B K, N + 1, f, f) base logits see most inside (B, K, S, S) support masks."""
    seen = logits.softmax(1)[:, 1:]
    mask = aligned(masks.flatten(0, 1)[:, None].float(), (logits.shape[2], logits.shape[3]))
    inside = (seen * mask).sum((2, 3)).unflatten(0, masks.shape[:2]).sum(1)
    return inside.argmax(1)
