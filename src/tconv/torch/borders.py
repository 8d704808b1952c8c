"""PyTorch's padded convolutions, and their transpose: what the border of the fine grid was copied from gets its sums.

`torch.nn.Conv2d(..., padding_mode="circular")` computes conv(pad(y)): it pads the fine grid with copies of its own
cells. The transpose is pad^T(conv_transpose(x)): the whole fine grid with its border, then each cell of the border
added to the cell that it is a copy of. Axes are padded one after the other, and so it is for each of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from tconv import checks, sizes
from tconv.sizes import Ends, Padding
from tconv.torch import messages, windows
from tconv.torch.bordering import padded
from tconv.torch.calls import call
from tconv.torch.engine import Operation
from tconv.torch.kept import PackedWeights
from tconv.torch.windows import RawArguments

#: PyTorch's names, but for "zeros", which has no border.
MODES = ("circular", "reflect", "replicate")


def computed(
    operation: Operation, mode: str, x: Tensor, w: Tensor, bias: Tensor | None, given: tuple[Any, ...],
    layer: PackedWeights | None,
) -> Tensor:  # fmt: skip
    """A convolution that pads in this mode, or the transpose of one, plus the bias; `given` are a layer's arguments."""
    function = _conv if operation == "conv" else _conv_transpose
    ndim = len(given[0])
    with messages.explained(operation, ndim, x, w, bias, given):
        messages.check_tensors(ndim, x, w, bias)
        if x.dim() not in (ndim + 1, ndim + 2):
            axes = checks.count(ndim, "axis", "axes")
            checks.wrong(f"input must have shape (N, C, *size) or (C, *size) with {axes} of size; got {tuple(x.shape)}")
    return function(mode, x, w, bias, RawArguments(*given), layer)


def _conv(
    mode: str, y: Tensor, w: Tensor, bias: Tensor | None, said: RawArguments, layer: PackedWeights | None
) -> Tensor:
    """As PyTorch does it: the grid gets its border first, and the convolution then adds no zeros."""
    ndim = len(said.stride)
    with messages.explained("conv", ndim, y, w, bias, said):
        pads = windows.paddings_of_conv(said.padding, tuple(w.shape[2:]), said.stride, said.dilation)
        for pair, fine in zip(pads, y.shape[-ndim:], strict=True):
            _check(mode, pair, fine)
    y = padded(y, [cells for pair in reversed(pads) for cells in pair], mode=mode)
    return call("conv", ndim, y, w, bias, tuple(said._replace(padding=(0,) * ndim)), layer)


def _conv_transpose(
    mode: str, x: Tensor, w: Tensor, bias: Tensor | None, said: RawArguments, layer: PackedWeights | None
) -> Tensor:
    """The transpose of that: the whole fine grid, and then without its border."""
    ndim = len(said.stride)
    with messages.explained("conv_transpose", ndim, x, w, bias, said):
        ends = _ends(x, w, said)
        for end, k, s, d in zip(ends, w.shape[2:], said.stride, said.dilation, strict=True):
            _check(mode, end[1], sizes.fine_size(end[0], k, s, end[1], end[2], d))
        messages.check_bias(bias, w.shape[1] * said.groups)
    left = tuple(a for _, _, a in ends)
    uncropped = (said.stride, (0,) * ndim, left, said.groups, said.dilation, None)
    y = call("conv_transpose", ndim, x, w, None, uncropped, layer)
    for axis, (_, (low, high), _) in enumerate(ends, -ndim):
        if low or high:
            y = without_border(mode, y, axis, low, high)
    return y if bias is None else y + bias.to(y.dtype).reshape(-1, *[1] * ndim)


def _ends(x: Tensor, w: Tensor, said: RawArguments) -> Sequence[Ends]:
    """For each axis the coarse size, the padding of the fine grid, and the output padding."""
    kernel = tuple(w.shape[2:])
    ndim = len(kernel)
    pads = windows.paddings(said.padding, kernel, said.stride, said.dilation)
    left = windows.each("output_padding", 0 if said.output_size is not None else said.output_padding, ndim, 0)
    size = [None] * ndim if said.output_size is None else windows.each("output_size", said.output_size, ndim, 1)
    each = zip(x.shape[-ndim:], kernel, said.stride, pads, left, size, said.dilation, strict=True)
    # What a word stands for does not depend on the size of the grid, which may be a symbol of torch.export.
    return [
        (n, *sizes.of_conv_transpose(1 if isinstance(pad, str) and m is None else n, k, s, pad, a, m, d)[1:])
        for n, k, s, pad, a, m, d in each
    ]


def _check(mode: str, padding: Padding, fine: int) -> None:
    """A border can be copied from the cells of one grid."""
    most = {"circular": fine, "reflect": fine - 1}.get(mode)
    if min(padding) < 0 or (most is not None and max(padding) > most):
        limit = "at least 0" if most is None else f"from 0 to {most}"
        checks.wrong(f'padding must be {limit} with padding_mode "{mode}" for fine size {fine}; got {padding}')


def without_border(mode: str, y: Tensor, axis: int, low: int, high: int) -> Tensor:
    """The transpose of padding one axis: cells of the border are added to those that they are copies of."""
    fine = y.shape[axis] - low - high
    inner = y.narrow(axis, low, fine).clone()
    ends = y.narrow(axis, 0, low), y.narrow(axis, low + fine, high)
    if mode == "circular":
        places = (fine - low, low), (0, high)
    elif mode == "reflect":
        ends = ends[0].flip(axis), ends[1].flip(axis)
        places = (1, low), (fine - 1 - high, high)
    else:
        ends = ends[0].sum(axis, keepdim=True), ends[1].sum(axis, keepdim=True)
        places = (0, 1), (fine - 1, 1)
    for cells, place in zip(ends, places, strict=True):
        inner.narrow(axis, *place).add_(cells)
    return inner
