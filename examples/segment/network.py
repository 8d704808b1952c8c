"""The network: convolutions down, transposed convolutions up from bilinear upsampling, skip connections across.

After J. Long, E. Shelhamer and T. Darrell, "Fully convolutional networks for semantic segmentation" (CVPR 2015,
arXiv:1411.4038): the coarsest features are scored, class by class; the scores are enlarged by a transposed convolution
and added to those of the next finer features, and so on up to the pixels. Each enlargement starts as bilinear
upsampling of every class on its own, and is trained like all else.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from tconv.interpolation import bilinear_kernel, upsampling_padding

#: Of the features on each grid: that of the pixels, then each half as wide as the one before.
CHANNELS = (8, 16, 32, 64, 96)


class FullyConvolutional(nn.Module):
    """Pictures (N, 3, rows, columns) with sides that 16 divides, to scores (N, classes, rows, columns)."""

    def __init__(self, classes: int, layer: type[nn.ConvTranspose2d]) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            [level(3, CHANNELS[0], 1), *(level(cin, cout, 2) for cin, cout in pairwise(CHANNELS))]
        )
        self.scores = nn.ModuleList(nn.Conv2d(channels, classes, 1) for channels in CHANNELS)
        self.up = nn.ModuleList(upsampling(classes, layer) for _ in CHANNELS[1:])

    def forward(self, pictures: Tensor) -> Tensor:
        """Score every pixel for every class."""
        features, seen = pictures - 0.5, []
        for down, score in zip(self.down, self.scores, strict=True):
            features = down(features)
            seen.append(score(features))
        scores = seen.pop()
        for up in reversed(self.up):
            scores = up(scores) + seen.pop()
        return scores

    @property
    def kernels(self) -> list[Tensor]:
        """The weights of the transposed convolutions as they are now, from the coarsest to the finest."""
        return [up.weight.detach().clone() for up in reversed(self.up)]


def level(cin: int, cout: int, stride: int) -> nn.Sequential:
    """Two convolutions, of which the first goes to a coarser grid if its stride is 2."""

    def convolution(cin: int, stride: int) -> list[nn.Module]:
        return [nn.Conv2d(cin, cout, 3, stride, padding=1, bias=False), nn.BatchNorm2d(cout), nn.ReLU()]

    return nn.Sequential(*convolution(cin, stride), *convolution(cout, 1))


def upsampling(classes: int, layer: type[nn.ConvTranspose2d]) -> nn.ConvTranspose2d:
    """A transposed convolution that doubles the grid, bilinear to begin with.

    >>> import tconv.torch
    >>> up = upsampling(2, tconv.torch.nn.ConvTranspose2d)
    >>> up(torch.ones(1, 2, 3, 3))[0, 1, 2].tolist()
    [0.75, 1.0, 1.0, 1.0, 1.0, 0.75]
    """
    weights = bilinear_weights(classes)
    low, _ = upsampling_padding(weights.shape[-1], 2)
    up = layer(classes, classes, weights.shape[-1], stride=2, padding=low, bias=False)
    with torch.no_grad():
        up.weight.copy_(weights)
    return up


def bilinear_weights(classes: int) -> Tensor:
    """Weights (classes, classes, 4, 4) that enlarge each class on its own: bilinear from it to itself, else zero."""
    kernel = torch.from_numpy(bilinear_kernel(2, dtype="float32"))
    return torch.eye(classes)[..., None, None] * kernel


def departure(weights: Tensor) -> tuple[float, float]:
    """How far weights are from the bilinear ones, relative to these: |w - w0| / |w0|, within classes and across.

    >>> departure(bilinear_weights(11))
    (0.0, 0.0)
    """
    start = bilinear_weights(len(weights))
    change = (weights - start).norm(dim=(2, 3))
    across = change - torch.diag(change.diag())
    return float(change.diag().norm() / start.norm()), float(across.norm() / start.norm())
