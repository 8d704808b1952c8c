"""The generator: noise and the digit that is wanted, through transposed convolutions, to an image."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tconv.geometry import Geometry

NOISE = 8
#: Channels on the grids of 4, 8 and 16 cells; the image has one.
CHANNELS = (80, 40, 20)
START, SIZE = 4, 32


class Generator(nn.Module):
    """Noise (N, NOISE) and digits (N,) to images (N, 1, 32, 32): 0 is paper, 1 is ink."""

    def __init__(self, kernel: int, layer: type[nn.ConvTranspose2d]) -> None:
        super().__init__()
        self.first = nn.Linear(NOISE + 10, CHANNELS[0] * START**2)
        pairs = zip(CHANNELS, (*CHANNELS[1:], 1), strict=True)
        self.up = nn.ModuleList(doubling(cin, cout, kernel, layer) for cin, cout in pairs)

    def forward(self, noise: Tensor, wanted: Tensor) -> Tensor:
        """Write the wanted digits; the noise says how."""
        features = self.first(torch.cat([noise, F.one_hot(wanted, 10).to(noise.dtype)], 1))
        features = features.reshape(-1, CHANNELS[0], START, START)
        for up in self.up:
            features = up(F.relu(features))
        return features.sigmoid()


def doubling(cin: int, cout: int, kernel: int, layer: type[nn.ConvTranspose2d]) -> nn.ConvTranspose2d:
    """A transposed convolution of stride 2 that doubles the grid exactly."""
    geometry = last_geometry(kernel)
    low, left = geometry.padding[0][0], geometry.output_padding[0]
    return layer(cin, cout, kernel, stride=2, padding=low, output_padding=left)


def last_geometry(kernel: int) -> Geometry:
    """The geometry of the last transposed convolution, from 16 to 32 cells.

    >>> print(last_geometry(4))
    fine 32x32 <-> coarse 16x16: kernel 4, stride 2, padding 1
    >>> print(last_geometry(3))
    fine 32x32 <-> coarse 16x16: kernel 3, stride 2, padding 1, output padding 1
    >>> last_geometry(4).is_even, last_geometry(3).is_even
    (True, False)
    """
    return Geometry.conv_transpose((SIZE // 2,) * 2, kernel, stride=2, padding=1, output_padding=kernel % 2)
