"""The three operations by PyTorch's own operators: for what the engine does not serve, and where they are faster.

PyTorch has one padding for both ends. Where the ends differ, the result is computed uncropped, and then cropped or
padded; likewise what is read.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from tconv import sizes

Sizes = Sequence[int]


def conv_transpose(
    x: Tensor, w: Tensor, bias: Tensor | None, stride: Sizes, low: Sizes, size: Sizes, dilation: Sizes, groups: int
) -> Tensor:
    """From the coarse grid to a fine grid of this size."""
    left = _left_over(x.shape[2:], w.shape[2:], stride, low, size, dilation)
    if left is not None:
        return torch.convolution(x, w, bias, stride, low, dilation, True, left, groups)
    none = [0] * len(size)
    y = torch.convolution(x, w, None, stride, none, dilation, True, none, groups)
    y = _padded(y, [(-p, n - m + p) for p, n, m in zip(low, size, y.shape[2:], strict=True)])
    return y if bias is None else y + bias.reshape(-1, *[1] * len(size))


def conv(
    y: Tensor, w: Tensor, bias: Tensor | None, stride: Sizes, low: Sizes, size: Sizes, dilation: Sizes, groups: int
) -> Tensor:
    """From the fine grid to a coarse grid of this size."""
    none = [0] * len(size)
    if _left_over(size, w.shape[2:], stride, low, y.shape[2:], dilation) is None or _several(stride, dilation):
        y = _padded(y, _ends(size, w.shape[2:], stride, low, y.shape[2:], dilation))
        low = none
    return torch.convolution(y, w, bias, stride, low, dilation, False, none, groups)


def weight_gradient(
    x: Tensor, y: Tensor, kernel: Sizes, stride: Sizes, low: Sizes, dilation: Sizes, groups: int
) -> Tensor:
    """The derivative of <conv_transpose(x, w), y> by w."""
    left = _left_over(x.shape[2:], kernel, stride, low, y.shape[2:], dilation)
    if left is None:
        y = _padded(y, _ends(x.shape[2:], kernel, stride, low, y.shape[2:], dilation))
        low = left = [0] * len(kernel)
    w = x.new_empty((1,)).expand(x.shape[1], y.shape[1] // groups, *kernel)
    gradients = torch.ops.aten.convolution_backward(
        y, x, w, None, stride, low, dilation, True, left, groups, [False, True, False]
    )
    return gradients[1]


def _left_over(
    coarse: Sizes, kernel: Sizes, stride: Sizes, low: Sizes, fine: Sizes, dilation: Sizes
) -> list[int] | None:
    """The output padding with which PyTorch says this map; None where it cannot."""
    left = []
    for n, k, s, p, m, d in zip(coarse, kernel, stride, low, fine, dilation, strict=True):
        a = m - sizes.fine_size(n, k, s, (p, p), 0, d)
        if p < 0 or not 0 <= a < max(s, d):
            return None
        left.append(a)
    return left


def _several(stride: Sizes, dilation: Sizes) -> bool:
    """Whether a fine size may have several coarse sizes, of which PyTorch's convolution takes the largest."""
    return any(d > s for s, d in zip(stride, dilation, strict=True))


def _ends(
    coarse: Sizes, kernel: Sizes, stride: Sizes, low: Sizes, fine: Sizes, dilation: Sizes
) -> list[tuple[int, int]]:
    """What to pad the fine grid by, so that without padding all of it is read."""
    full = [sizes.fine_size(n, k, s, (0, 0), 0, d) for n, k, s, d in zip(coarse, kernel, stride, dilation, strict=True)]
    return [(p, f - m - p) for p, f, m in zip(low, full, fine, strict=True)]


def _padded(y: Tensor, ends: Sequence[tuple[int, int]]) -> Tensor:
    """Zeros added at the ends of each axis; negative crops."""
    return F.pad(y, [cells for pair in reversed(ends) for cells in pair])
