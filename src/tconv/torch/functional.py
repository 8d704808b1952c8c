"""`conv_transpose1d` to `3d` in place of those of torch.nn.functional: their arguments, and what tconv adds."""

from __future__ import annotations

from torch import Tensor

from tconv.resolve import Ints, PaddingLike
from tconv.torch.calls import call, frozen


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
    return call(1, input, weight, bias, frozen(stride, padding, output_padding, groups, dilation, output_size))


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
    """`torch.nn.functional.conv_transpose2d` on tconv's engine: its arguments, and more ways to say the padding."""
    return call(2, input, weight, bias, frozen(stride, padding, output_padding, groups, dilation, output_size))


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
    return call(3, input, weight, bias, frozen(stride, padding, output_padding, groups, dilation, output_size))
