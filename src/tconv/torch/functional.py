"""`conv_transpose1d` to `3d` in place of those of torch.nn.functional: their arguments, and what tconv adds."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from tconv import checks
from tconv.resolve import Ints, PaddingLike
from tconv.torch import operators, windows


def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Ints = 1,
    padding: PaddingLike = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
    *,
    output_size: Ints | None = None,
) -> Tensor:
    """`torch.nn.functional.conv_transpose1d`; see `conv_transpose2d`."""
    return call(1, input, weight, bias, stride, padding, output_padding, groups, dilation, output_size)


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Ints = 1,
    padding: PaddingLike = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
    *,
    output_size: Ints | None = None,
) -> Tensor:
    """`torch.nn.functional.conv_transpose2d` on tconv's engine."""
    return call(2, input, weight, bias, stride, padding, output_padding, groups, dilation, output_size)


def conv_transpose3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Ints = 1,
    padding: PaddingLike = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
    *,
    output_size: Ints | None = None,
) -> Tensor:
    """`torch.nn.functional.conv_transpose3d`; see `conv_transpose2d`."""
    return call(3, input, weight, bias, stride, padding, output_padding, groups, dilation, output_size)


def call(
    ndim: int, x: Tensor, w: Tensor, bias: Tensor | None, stride: Any, padding: Any, output_padding: Any, groups: Any,
    dilation: Any, output_size: Any,
) -> Tensor:  # fmt: skip
    """One of the three."""
    with checks.explained(f"conv_transpose{ndim}d"):
        batched = x.dim() == ndim + 2
        x = x if batched else x.unsqueeze(0)
        kernel, coarse = tuple(w.shape[2:]), tuple(x.shape[2:])
        window = windows.window(kernel, stride, padding, output_padding, groups, dilation)
        if output_size is not None:
            window = windows.for_size(window, coarse, padding, output_size)
        settled = (window.stride, window.low, window.fine(coarse), window.dilation, window.groups)
    y = operators.conv_transpose(x, w, bias, settled)
    return y if batched else y.squeeze(0)
