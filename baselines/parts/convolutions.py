"""The convolutions between backbone and prediction that PFENet, BAM, CyCTR, HDMNet and AMNet have in common."""

from torch import nn


def reduction(inputs: int, width: int) -> nn.Sequential:
    """Two joined taps of a backbone to fewer channels: (B, inputs, h, w) to (B, width, h, w)."""
    return nn.Sequential(nn.Conv2d(inputs, width, 1, bias=False), nn.ReLU(), nn.Dropout2d(0.5))


def merge(inputs: int, width: int) -> nn.Sequential:
    """Joined maps to fewer channels: (B, inputs, h, w) to (B, width, h, w)."""
    return nn.Sequential(nn.Conv2d(inputs, width, 1, bias=False), nn.ReLU())


def pair(width: int) -> nn.Sequential:
    """What stands beside a shortcut: (B, width, h, w) to the same."""
    first, second = (nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(2))
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU())


def classifier(width: int) -> nn.Sequential:
    """Logits of background and foreground: (B, width, h, w) to (B, 2, h, w)."""
    return nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1, bias=False), nn.ReLU(), nn.Dropout2d(0.1), nn.Conv2d(width, 2, 1)
    )
