"""Memory formats: which one a result gets, and how its elements lie.

The rule is PyTorch's: in two and three axes channels are innermost in the result if they are in the input or in the
weights; in one axis never.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


class Format(NamedTuple):
    """Whether channels are innermost in memory, rather than the cells of the last axis."""

    last: bool


def of(x: Tensor, w: Tensor) -> Format:
    """That of the result."""
    return Format(x.dim() in _LAST and 0 not in x.shape and (suggests_last(x) or suggests_last(w)))


def suggests_last(t: Tensor) -> bool:
    """What PyTorch reads from the strides, also where sizes of 1 leave them open (its `suggest_memory_format`)."""
    shape, stride = t.shape, t.stride()
    if stride[1] == 0:
        return False
    least = 0
    for axis in (1, *range(t.dim() - 1, 1, -1), 0):
        if shape[axis] == 0 or stride[axis] < least or (axis == 0 and least == stride[1]):
            return False
        least = stride[axis] * max(1, shape[axis])
    return True


def lies(x: Tensor, order: Format) -> bool:
    """Whether a tensor lies in memory as a format says."""
    if not order.last:
        return x.is_contiguous()
    return x.permute(0, *range(2, x.dim()), 1).is_contiguous()


def copied(x: Tensor, order: Format) -> Tensor:
    """A copy that does."""
    if not order.last:
        return x.contiguous()
    y = x.permute(0, *range(2, x.dim()), 1).contiguous()
    return y.permute(0, x.dim() - 1, *range(1, x.dim() - 1))


def strides(shape: Sequence[int], order: Format) -> tuple[int, ...]:
    """The strides of a new tensor of this shape."""
    axes = (0, *range(2, len(shape)), 1) if order.last else range(len(shape))
    found, step = [0] * len(shape), 1
    for axis in reversed(tuple(axes)):
        found[axis] = step
        step = step * max(shape[axis], 1)
    return tuple(found)


def is_dense(t: Tensor) -> bool:
    """Whether the elements fill a piece of memory, each once, in whatever order of axes."""
    expected = 1
    for step, size in sorted((step, size) for step, size in zip(t.stride(), t.shape, strict=True) if size > 1):
        if step != expected:
            return False
        expected *= size
    return True
