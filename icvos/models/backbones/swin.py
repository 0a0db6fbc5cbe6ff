"""Swin-B (Liu et al., 2021) in five stages, taken from torchvision's ``swin_b``."""

from torch import Tensor, nn

from icvos.models.backbones.stages import Staged

PLACES = ("layer0", "layer1", "layer2.0", "layer2.1", "layer3.0", "layer3.1", "layer4.0", "layer4.1")  # of ``features``


class ChannelsLast(nn.Sequential):
    """Layers that work on (B, h, w, C), between others that have (B, C, h, w)."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to (B, C', h', w')."""
        x = x.permute(0, 2, 3, 1)
        for layer in self:
            x = layer(x)
        return x.permute(0, 3, 1, 2)


class SwinB(Staged):
    """The five stages at strides 4, 4, 8, 16 and 32, with 128, 128, 256, 512 and 1024 channels.

    ``layer0`` is the patch embedding, whose size rounds down; ``layer1`` torchvision's first stage; each further one a
    merging of patches, whose size rounds up, with a stage behind it; the final norm closes ``layer4``. Unlike in
    torchvision's, no block is left out at random in training, since few-shot networks keep their backbone frozen.
    """

    channels = (128, 128, 256, 512, 1024)
    strides = (4, 4, 8, 16, 32)

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models import SwinTransformer  # late: it takes a second, and most methods do without
        from torchvision.ops import Permute

        built = SwinTransformer([4, 4], 128, [2, 2, 18, 2], [4, 8, 16, 32], [7, 7], stochastic_depth_prob=0.0)
        embedding, first, merging2, second, merging3, third, merging4, fourth = built.features
        self.layer0 = nn.Sequential(*embedding, Permute([0, 3, 1, 2]))
        self.layer1 = ChannelsLast(*first)
        self.layer2 = ChannelsLast(merging2, second)
        self.layer3 = ChannelsLast(merging3, third)
        self.layer4 = ChannelsLast(merging4, fourth, built.norm)

    @staticmethod
    def own_name(published: str) -> str | None:
        """The name here of a parameter of torchvision's ``swin_b``; None for the classifier's."""
        head, _, rest = published.partition(".")
        if head == "head":
            return None
        if head != "features":
            return f"layer4.2.{rest}" if head == "norm" else published
        number, _, leaf = rest.partition(".")
        return f"{PLACES[int(number)]}.{leaf}" if number in "01234567" else published
