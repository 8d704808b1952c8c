"""`conv_transpose1d` to `3d`, and `conv1d` to `3d`, in place of those of torch.nn.functional, with what tconv adds."""

from __future__ import annotations

from torch import Tensor

from tconv.resolve import Ints, PaddingLike
from tconv.torch.calls import call, frozen
from tconv.torch.dispatched import PUBLIC


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
    given = frozen("conv_transpose", stride, padding, output_padding, groups, dilation, output_size)
    return call("conv_transpose", 1, input, weight, bias, given)


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
    """`torch.nn.functional.conv_transpose2d` on tconv's engine: its arguments, and more ways to say them.

    Args:
        input: (N, Cin, *size), or (Cin, *size) without a batch.
        weight: (Cin, Cout / groups, *kernel), on the device of input and of its dtype.
        bias: (Cout,), or None.
        stride, dilation: an integer of at least 1, or one for each axis.
        padding: cells cropped off the result: an integer, for each axis an integer or a (low, high) pair, "same"
            (size * stride cells remain), "causal" (they do too, and all is cropped at the high end, so that no cell
            depends on a later one) or "valid" (none is cropped). Negative padding adds cells.
        output_padding: cells added at the high end, less than max(stride, dilation).
        groups: channels are split into so many groups that do not mix.
        output_size: the size of the result, for all axes or for each; `output_padding` then does not matter, as in
            PyTorch's layers.

    float32 and float64 on the CPU are computed by the engine; so are float16, and bfloat16 where that is quicker, cast
    to float32 around it; everything else by PyTorch's own operator: `plan` says which and why. Derivatives of any order
    are recorded as PyTorch records them. In two and three axes channels are innermost in the result if they are in the
    input or the weights, as in PyTorch.

    Returns:
        A tensor of shape (N, Cout, *fine), or (Cout, *fine).

    Raises:
        RuntimeError: a value, a shape, a dtype or a device does not fit. TypeError: something is of the wrong type.
        ValueError: `output_size` cannot be reached.

    >>> import torch
    >>> from tconv.torch import functional as F
    >>> x, w = torch.tensor([[[[1.0, 2.0]]]]), torch.ones(1, 1, 1, 3)
    >>> F.conv_transpose2d(x, w, stride=(1, 2))
    tensor([[[[1., 1., 3., 2., 2.]]]])
    >>> F.conv_transpose2d(x, w, stride=(1, 2), padding=((0, 0), (0, 1)))
    tensor([[[[1., 1., 3., 2.]]]])
    """
    given = frozen("conv_transpose", stride, padding, output_padding, groups, dilation, output_size)
    return call("conv_transpose", 2, input, weight, bias, given)


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
    given = frozen("conv_transpose", stride, padding, output_padding, groups, dilation, output_size)
    return call("conv_transpose", 3, input, weight, bias, given)


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Ints = 1,
    padding: PaddingLike = 0,
    dilation: Ints = 1,
    groups: int = 1,
) -> Tensor:
    """`torch.nn.functional.conv1d`; see `conv2d`."""
    return call("conv", 1, input, weight, bias, frozen("conv", stride, padding, None, groups, dilation, None))


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Ints = 1,
    padding: PaddingLike = 0,
    dilation: Ints = 1,
    groups: int = 1,
) -> Tensor:
    """`torch.nn.functional.conv2d` on tconv's engine: its arguments, and paddings that differ at both ends.

    Args:
        input: (N, Cin, *size), or (Cin, *size) without a batch.
        weight: (Cout, Cin / groups, *kernel), on the device of input and of its dtype.
        bias: (Cout,), or None.
        stride, dilation: an integer of at least 1, or one for each axis.
        padding: zeros around the input: an integer, for each axis an integer or a (low, high) pair, "same" (the result
            has the size of the input; only where strides are 1) or "valid" (none). Negative padding crops the input.
        groups: channels are split into so many groups that do not mix.

    Who computes, and how derivatives and memory formats are had, is as in `conv_transpose2d`; `tconv.torch.plan` with
    `operation="conv"` says it. It is the transpose of `conv_transpose2d` with the same weights and arguments:

        result[n, o, c] = bias[o] + sum of input[n, i, c * stride - low + t * dilation] * weight[o, i, t]

    Returns:
        A tensor of shape (N, Cout, *size'), or (Cout, *size'), each size' = floor((size + low + high - dilation *
        (kernel - 1) - 1) / stride) + 1.

    Raises:
        RuntimeError: a value, a shape, a dtype or a device does not fit. TypeError: something is of the wrong type.

    >>> import torch
    >>> from tconv.torch import functional as F
    >>> x, w = torch.tensor([[[[1.0, 2.0, 3.0, 4.0]]]]), torch.ones(1, 1, 1, 3)
    >>> F.conv2d(x, w, padding="same")
    tensor([[[[3., 6., 9., 7.]]]])
    >>> F.conv2d(x, w, stride=(1, 2), padding=((0, 0), (2, 0)))
    tensor([[[[1., 6.]]]])
    """
    return call("conv", 2, input, weight, bias, frozen("conv", stride, padding, None, groups, dilation, None))


def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Ints = 1,
    padding: PaddingLike = 0,
    dilation: Ints = 1,
    groups: int = 1,
) -> Tensor:
    """`torch.nn.functional.conv3d`; see `conv2d`."""
    return call("conv", 3, input, weight, bias, frozen("conv", stride, padding, None, groups, dilation, None))


_TRANSPOSED, _PLAIN = (conv_transpose1d, conv_transpose2d, conv_transpose3d), (conv1d, conv2d, conv3d)
PUBLIC.update({("conv_transpose", ndim): function for ndim, function in enumerate(_TRANSPOSED, 1)})
PUBLIC.update({("conv", ndim): function for ndim, function in enumerate(_PLAIN, 1)})
