"""What samples are worth, as numbers: whether they can be read, whether they are copies, whether they are checkered."""

from __future__ import annotations

import torch
from sklearn.svm import SVC
from torch import Tensor, nn

from examples.digits import Digits
from examples.generate.network import CHANNELS, SIZE, doubling, last_geometry

#: Cycles a pixel along either axis. A checkerboard repeats every 2 pixels: 0.5 cycles a pixel.
HIGH = 0.4


def reader(real: Digits) -> SVC:
    """A classifier that learnt to read from the real digits."""
    return SVC(C=10).fit(real.images.reshape(len(real.images), -1), real.labels)


def read_as_wanted(reader: SVC, images: Tensor, wanted: Tensor) -> float:
    """The share of images that the classifier reads as the digit that was wanted."""
    return float(reader.score(images.flatten(1).numpy(), wanted.numpy()))


def nearest(images: Tensor, real: Tensor) -> float:
    """The mean distance to the nearest real digit, as a root mean square over the pixels.

    >>> nearest(torch.full((1, 2, 2), 0.5), torch.stack([torch.zeros(2, 2), torch.full((2, 2), 0.75)]))
    0.25
    """
    distances = torch.cdist(images.flatten(1), real.flatten(1)).amin(1)
    return float(distances.mean() / images[0].numel() ** 0.5)


def spectrum(images: Tensor) -> Tensor:
    """The mean energy at each frequency, (rows, columns), without what is constant; frequency 0 is in the middle."""
    energy = torch.fft.fft2(images - images.mean((1, 2), keepdim=True)).abs().square().mean(0)
    return torch.fft.fftshift(energy)


def high_frequencies(images: Tensor) -> float:
    """The share of the energy that is above `HIGH`, where digits have hardly any and a checkerboard has all.

    >>> board = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).tile(4, 4)[None]
    >>> round(high_frequencies(board), 6)
    1.0
    """
    energy = spectrum(images)
    rows, columns = (torch.fft.fftshift(torch.fft.fftfreq(side)).abs() for side in energy.shape)
    return float(energy[torch.maximum(rows[:, None], columns) > HIGH].sum() / energy.sum())


@torch.no_grad()
def untrained_by_phase(kernel: int, networks: int = 200) -> tuple[Tensor, Tensor]:
    """Of the last layer with random weights: the mean square of its results by phase, and the coverage.

    Both (2, 2), relative to their largest. Independent weights add up like their number, so the two agree.
    """
    geometry = last_geometry(kernel)
    coverage = torch.from_numpy(geometry.coverage())[SIZE // 2 : SIZE // 2 + 2, SIZE // 2 : SIZE // 2 + 2]
    squares = torch.zeros(2, 2)
    for seed in range(networks):
        torch.manual_seed(seed)
        layer = doubling(CHANNELS[-1], 1, kernel, nn.ConvTranspose2d)
        layer.bias = None
        inner = layer(torch.randn(1, CHANNELS[-1], *geometry.coarse))[0, 0, 4:-4, 4:-4]
        squares += inner.square().reshape(SIZE // 2 - 4, 2, SIZE // 2 - 4, 2).mean((0, 2))
    return squares / squares.max(), coverage / coverage.max()
