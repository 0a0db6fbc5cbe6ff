"""What frozen networks see of pictures that come again."""

import torch
from torch import Tensor, nn

from icvos.training.remembered import Remembered


def test_every_picture_is_seen_once_and_alone() -> None:
    network = nn.Conv2d(3, 4, 3)
    seen: list[int] = []

    def see(picture: Tensor) -> tuple[Tensor, ...]:
        seen.append(len(picture))
        return network(picture), picture.mean((2, 3), keepdim=True)

    remembered = Remembered(see, most=3)
    pictures = torch.randn(4, 3, 8, 8)
    first, again = remembered(pictures[:3]), remembered(pictures[[2, 0]])
    assert seen == [1, 1, 1]
    assert not first[0].requires_grad
    torch.testing.assert_close(first[0], network(pictures[:3]))
    assert all(torch.equal(b, a[[2, 0]]) for a, b in zip(first, again, strict=True))
    remembered(pictures[3:])
    remembered(pictures[3:])  # one more than is kept
    assert seen == [1] * 5
