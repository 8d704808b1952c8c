"""Normalizations over the whole array in passes: the statistics first, box by box, then the boxes themselves."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, fx

from tconv.torch.tiling.rules import Normed


class Statistics(NamedTuple):
    """How many cells, mean and sum of squared distances from it, of each sample and group, in float64."""

    cells: int
    mean: Tensor
    squares: Tensor

    def together(self, other: Statistics) -> Statistics:
        """Those of both, as T. Chan, G. Golub and R. LeVeque add them up (Stanford report STAN-CS-79-773)."""
        cells = self.cells + other.cells
        apart = other.mean - self.mean
        share = other.cells / cells
        squares = self.squares + other.squares + apart.square() * (self.cells * share)
        return Statistics(cells, self.mean + apart * share, squares)


def statistics(x: Tensor, groups: int) -> Statistics:
    """Those of a box."""
    flat = x.reshape(x.shape[0], groups, -1).double()
    mean = flat.mean(2)
    return Statistics(flat.shape[2], mean, (flat - mean.unsqueeze(2)).square().sum(2))


def applied(rule: Normed, x: Tensor, known: Statistics, network: Any) -> Tensor:
    """A box, normalized: (x - mean) / sqrt(variance + eps) * scale + shift."""
    factor = (known.squares / known.cells + rule.eps).rsqrt()
    each = x.shape[1] // rule.groups
    factor, mean = factor.repeat_interleave(each, 1), known.mean.repeat_interleave(each, 1)
    scale, shift = (_of_channels(value, network) for value in (rule.scale, rule.shift))
    factor = factor if scale is None else factor * scale
    moved = -mean * factor if shift is None else shift - mean * factor
    shape = (*factor.shape, *[1] * (x.dim() - 2))
    work = x.dtype if x.dtype in (torch.float32, torch.float64) else torch.float32
    y = torch.addcmul(moved.to(work).reshape(shape), x.to(work), factor.to(work).reshape(shape))
    return y.to(x.dtype)


def _of_channels(value: Any, network: Any) -> Tensor | None:
    tensor = network.constant(value) if isinstance(value, fx.Node) else value
    return None if tensor is None else tensor.detach().double()
