"""For tests of minimal filtering: networks, how they are accelerated, what they compute once weights are known."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import tconv.torch


class Block(nn.Module):
    """A forward method that calls one module behind the other."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(32, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32)

    def forward(self, x):
        return F.relu(self.norm(self.conv(x)))


def networks():
    """Layers alone, in a sequence with what follows, in a forward method; axes one, two and three."""
    two = nn.Sequential(
        nn.Conv2d(32, 48, 3, padding=1), nn.BatchNorm2d(48), nn.SiLU(),
        nn.ConvTranspose2d(48, 32, 3, padding=1), nn.PReLU(), Block(), nn.Conv2d(32, 32, 3, padding="same"),
    )  # fmt: skip
    one = nn.Sequential(nn.Conv1d(32, 32, 7, padding=3), nn.ReLU(), nn.ConvTranspose1d(32, 64, 7))
    three = nn.Sequential(nn.Conv3d(32, 32, 3, padding=1))
    return {
        "one axis": (one, torch.randn(2, 32, 97)),
        "two axes": (two, torch.randn(2, 32, 18, 17)),
        "channels last": (copy.deepcopy(two), torch.randn(2, 32, 18, 17).to(memory_format=torch.channels_last)),
        "three axes": (three, torch.randn(1, 32, 4, 9, 16)),
        "float64": (copy.deepcopy(two).double(), torch.randn(1, 32, 12, 16, dtype=torch.float64)),
        "float16": (nn.Sequential(nn.Conv2d(64, 64, 3)).half(), torch.randn(1, 64, 18, 18).half()),
        "an image without a batch": (nn.Sequential(nn.Conv2d(32, 32, 3), nn.ReLU()), torch.randn(32, 18, 17)),
    }


every_network = pytest.mark.parametrize("name", networks())


def convolutions(model):
    return [m for m in model.modules() if isinstance(m, nn.modules.conv._ConvNd)]


def accelerate(model, x, **given):
    """A copy that is accelerated, all layers and runs, and the report."""
    with torch.no_grad():
        return tconv.torch.accelerate(copy.deepcopy(model), copy.deepcopy(x), layers="all", rounds=3, **given)


def thrice(model, *inputs):
    """The third result: by then weights are known. The inputs stay what they are."""
    given = copy.deepcopy(inputs)
    with torch.no_grad():
        found = [model(*given) for _ in range(3)][-1]
    torch.testing.assert_close(given, inputs, rtol=0, atol=0, equal_nan=True)
    return found


def apart(found, wanted):
    """The largest difference, in parts of the largest element."""
    return float((found.double() - wanted.double()).abs().max() / wanted.double().abs().max())
