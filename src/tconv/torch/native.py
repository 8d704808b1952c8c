"""The three operations by PyTorch's own operators: for what the engine does not serve, and where they are faster.

PyTorch has one padding for both ends. Where the ends differ, the result is computed uncropped, and then cropped or
padded; what is read likewise. Only `extra` = fine - coarse * stride is asked for of sizes where possible: it does not
depend on them, so that traces hold for other sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from tconv import sizes

Sizes = Sequence[int]

_TRANSPOSED: Any = (None, F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)
_PLAIN: Any = (None, F.conv1d, F.conv2d, F.conv3d)


def conv_transpose(
    x: Tensor, w: Tensor, bias: Tensor | None, stride: Sizes, low: Sizes, extra: Sizes, dilation: Sizes, groups: int,
    kernel: Sizes | None = None,
) -> Tensor:  # fmt: skip
    """From the coarse grid to a fine grid of size coarse * stride + extra."""
    function, ndim = _TRANSPOSED[len(stride)], len(stride)
    kernel = w.shape[2:] if kernel is None else kernel
    left = _left_over(kernel, stride, low, extra, dilation)
    if left is not None:
        return function(x, w, bias, stride, low, left, groups, dilation)  # type: ignore[no-any-return]
    y = function(x, w, None, stride, 0, 0, groups, dilation)
    y = _padded(y, [(-p, high) for p, high in zip(low, _high(kernel, stride, low, extra, dilation), strict=True)])
    return y if bias is None else y + bias.reshape(-1, *[1] * ndim)


class SaidByTorch(NamedTuple):
    """A call as PyTorch says it in one."""

    function: Any
    arguments: tuple[Any, ...]  #: behind the tensors
    given: tuple[Any, ...]  #: those arguments in the order of `windows.RawArguments`


def said_by_torch(operation: str, kernel: Sizes, window: Any, extra: Sizes) -> SaidByTorch | None:
    """The call of PyTorch's function, whose result has the size of the window; None where it takes more than one."""
    stride, low, _, dilation, groups = window
    left = _left_over(kernel, stride, low, extra, dilation)
    if left is None:
        return None
    if operation == "conv_transpose":
        arguments = (stride, low, tuple(left), groups, dilation)
        return SaidByTorch(_TRANSPOSED[len(stride)], arguments, (*arguments, None))
    if any(a >= s for a, s in zip(left, stride, strict=True)):
        return None
    return SaidByTorch(
        _PLAIN[len(stride)], (stride, low, dilation, groups), (stride, low, None, groups, dilation, None)
    )


def conv(
    y: Tensor, w: Tensor, bias: Tensor | None, stride: Sizes, low: Sizes, extra: Sizes, dilation: Sizes, groups: int
) -> Tensor:
    """From a fine grid of size coarse * stride + extra to the coarse grid."""
    same = _left_over(w.shape[2:], stride, low, extra, dilation)
    if same is None or any(a >= s for a, s in zip(same, stride, strict=True)):  # PyTorch would have more coarse cells
        y = _padded(y, _ends(w.shape[2:], stride, low, extra, dilation))
        low = [0] * len(stride)
    return _PLAIN[len(stride)](y, w, bias, stride, low, dilation, groups)  # type: ignore[no-any-return]


def padded_conv(
    y: Tensor, w: Tensor, bias: Tensor | None, stride: Sizes, pads: Sequence[tuple[int, int]], dilation: Sizes,
    groups: int,
) -> Tensor:  # fmt: skip
    """The convolution with (low, high) padding, in which no size of the grid is asked for."""
    function = _PLAIN[len(stride)]
    if all(low == high >= 0 for low, high in pads):
        return function(y, w, bias, stride, [low for low, _ in pads], dilation, groups)  # type: ignore[no-any-return]
    return function(_padded(y, pads), w, bias, stride, 0, dilation, groups)  # type: ignore[no-any-return]


def weight_gradient(
    x: Tensor, y: Tensor, w: Tensor, stride: Sizes, low: Sizes, extra: Sizes, dilation: Sizes, groups: int
) -> Tensor:
    """The derivative of <conv_transpose(x, w), y> by w, of which only the shape and the memory format matter."""
    kernel = w.shape[2:]
    left = _left_over(kernel, stride, low, extra, dilation)
    if left is None:
        y = _padded(y, _ends(kernel, stride, low, extra, dilation))
        low = left = [0] * len(kernel)
    only_weights = [False, True, False]
    _, dw, _ = torch.ops.aten.convolution_backward(
        y, x, w, None, stride, low, dilation, True, left, groups, only_weights
    )
    return dw  # type: ignore[no-any-return]


def extra(coarse: Sizes, stride: Sizes, fine: Sizes) -> tuple[int, ...]:
    """What `conv_transpose` and the others take for the sizes of both grids: fine = coarse * stride + extra."""
    return tuple(m - n * s for n, s, m in zip(coarse, stride, fine, strict=True))


def _left_over(kernel: Sizes, stride: Sizes, low: Sizes, extra: Sizes, dilation: Sizes) -> list[int] | None:
    """The output padding with which PyTorch says this map; None where it cannot."""
    left = []
    for k, s, p, e, d in zip(kernel, stride, low, extra, dilation, strict=True):
        a = e - sizes.fine_size(0, k, s, (p, p), 0, d)
        if p < 0 or not 0 <= a < max(s, d):
            return None
        left.append(a)
    return left


def _high(kernel: Sizes, stride: Sizes, low: Sizes, extra: Sizes, dilation: Sizes) -> list[int]:
    """Cells to add at the high end of what is neither cropped nor padded, but at the low end; negative crops."""
    return [
        e - sizes.fine_size(0, k, s, (p, 0), 0, d)
        for k, s, p, e, d in zip(kernel, stride, low, extra, dilation, strict=True)
    ]


def _ends(kernel: Sizes, stride: Sizes, low: Sizes, extra: Sizes, dilation: Sizes) -> list[tuple[int, int]]:
    """What to pad the fine grid by, so that without padding all of it is read."""
    return [(p, -high) for p, high in zip(low, _high(kernel, stride, low, extra, dilation), strict=True)]


def _padded(y: Tensor, ends: Sequence[tuple[int, int]]) -> Tensor:
    """Zeros added at the ends of each axis; negative crops."""
    return F.pad(y, [cells for pair in reversed(ends) for cells in pair])
