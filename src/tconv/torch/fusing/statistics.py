"""A run whose normalization takes statistics of the result: instance and group normalization.

They are known when all of a plane is there, so nothing can be done as the engine stores it. The convolution is called
as it is, on whichever is faster; of its result, which nobody else has, a kernel takes the statistics, and normalizes
and activates it where it lies.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from tconv.torch import formats
from tconv.torch.fusing import planes
from tconv.torch.fusing.runs import CONVOLUTIONS, Run, follower_of, groups_of, readable, residual_of
from tconv.torch.plain import plain


def computed(run: Run, x: Tensor) -> Tensor | None:
    """The result of a run, None where its modules have to compute it."""
    known, follower = follower_of(run.activation)
    parameters = run.conv._parameters
    w, bias = parameters.get("weight"), parameters.get("bias")
    if not known or w is None or not plain(x, w, bias) or not planes.serves(x.dtype):
        return None
    own = run.statistics._parameters
    scale, shift = own.get("weight"), own.get("bias")
    slope = None if follower is None else follower.slope
    recorded = torch.is_grad_enabled() and any(
        t is not None and t.requires_grad for t in (x, w, bias, scale, shift, slope)
    )
    if recorded or not readable((scale, shift, slope), x.dtype):
        return None
    y: Tensor = run.conv(x)
    axes = CONVOLUTIONS[type(run.conv)][1] + 2
    lies = type(y) is Tensor and y.dtype is x.dtype and y.dim() == axes and formats.is_in_order(y) and y.data_ptr()
    if lies and normalizes(run.statistics, y.shape, slope):
        fits, residual = residual_of(run, (y.shape, y.stride()), y.dtype)
        groups, adds = groups_of(run.statistics), residual is not None
        kernel = planes.prepared(y.shape, y.dtype, groups, follower, adds) if fits else None
        if kernel is not None:
            kernel.run(y, y, slope, scale, shift, run.statistics.eps, residual)
            return y
    for module in run.members[1:]:
        y = module(y)
    return y


def normalizes(norm: Any, shape: Sequence[int], slope: Tensor | None, kind: type | None = None) -> bool:
    """Whether a kernel can do what a normalization of a class would, and that neither raises nor warns."""
    channels, groups, own = shape[1], groups_of(norm, kind), norm._parameters
    if any(t is not None and t.shape != (channels,) for t in (own.get("weight"), own.get("bias"))):
        return False
    if groups < 1 or channels % groups or (slope is not None and slope.shape not in ((1,), (channels,))):
        return False
    of_group = prod(shape[2:]) * (channels // groups)
    if (kind or type(norm)) is nn.GroupNorm:
        return norm.num_channels == channels and shape[0] * of_group > 1
    return groups == channels and of_group > 1
