"""The arguments of a call that are not tensors, as PyTorch and tconv spell them, settled to integers an axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from tconv import checks, sizes
from tconv.axis import Axis
from tconv.geometry import Geometry
from tconv.resolve import PaddingLike

Integers: TypeAlias = tuple[int, ...]


#: The words that stand for a padding of transposed convolutions here.
WORDS = ("same", "valid", "causal")
#: And of convolutions, of which "causal" would be ambiguous where strides are not 1.
WORDS_OF_CONV = ("same", "valid")


class RawArguments(NamedTuple):
    """The arguments that are no tensors, as they were given but hashable."""

    stride: Any
    padding: Any
    output_padding: Any
    groups: Any
    dilation: Any
    output_size: Any


class SettledWindow(NamedTuple):
    """A transposed convolution but for the sizes of its grids, one integer an axis."""

    kernel: Integers
    stride: Integers
    low: Integers  #: cells cropped at the low end
    extra: Integers  #: fine = coarse * stride + extra
    dilation: Integers
    groups: int

    def fine(self, coarse: Sequence[int]) -> Integers:
        """The size of the result; symbols of `torch.compile` are left as they are."""
        return tuple(n * s + e for n, s, e in zip(coarse, self.stride, self.extra, strict=True))


def window(
    kernel: Integers, stride: Any, padding: PaddingLike, output_padding: Any, groups: Any, dilation: Any
) -> SettledWindow:
    """Settle the arguments; raises `checks.Rejected`.

    A sequence with one integer stands for all axes, as in PyTorch.
    """
    ndim = len(kernel)
    stride, dilation = each("stride", stride, ndim, 1), each("dilation", dilation, ndim, 1)
    left = each("output_padding", output_padding, ndim, 0)
    pads = paddings(padding, kernel, stride, dilation)
    ends = [
        # Padding and output padding do not depend on the size of the grid, so one cell will do.
        sizes.of_conv_transpose(1, k, s, pad, a, None, d) if isinstance(pad, str) else (1, pad, _checked(a, s, d))
        for k, s, pad, a, d in zip(kernel, stride, pads, left, dilation, strict=True)
    ]
    extra = [
        sizes.fine_size(0, k, s, pair, a, d)
        for k, s, (_, pair, a), d in zip(kernel, stride, ends, dilation, strict=True)
    ]
    low = tuple(pair[0] for _, pair, _ in ends)
    return SettledWindow(kernel, stride, low, tuple(extra), dilation, checks.integer("groups", groups, 1))


def paddings(padding: PaddingLike, kernel: Integers, stride: Any, dilation: Any) -> tuple[sizes.Padding | str, ...]:
    """The padding of each axis, a word only where it is one that tconv has in all of its operations."""
    ndim = len(kernel)
    if isinstance(padding, str) and checks.padding_word(padding, WORDS) == "causal":
        steps = zip(kernel, each("stride", stride, ndim, 1), each("dilation", dilation, ndim, 1), strict=True)
        return tuple((0, sizes.effective_kernel(k, d) - s) for k, s, d in steps)
    return checks.padding_per_axis(unpacked(padding, ndim), ndim)


def paddings_of_conv(
    padding: PaddingLike, kernel: Integers, stride: Integers, dilation: Integers
) -> tuple[sizes.Padding, ...]:
    """The padding of each axis of a convolution, in numbers, whatever the size of the grid."""
    if isinstance(padding, str):
        if checks.padding_word(padding, WORDS_OF_CONV) == "valid":
            return ((0, 0),) * len(kernel)
        if set(stride) != {1}:  # PyTorch's rule
            of = 'padding must not be "same" where a stride is not 1: it would depend on the size of the input'
            checks.wrong(f"{of}; got stride {stride} (say an integer or (low, high) pairs)")
        totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return tuple((total // 2, total - total // 2) for total in totals)
    pairs = checks.padding_per_axis(unpacked(padding, len(kernel)), len(kernel))
    return tuple(pair for pair in pairs if not isinstance(pair, str))


def coarse_size(
    fine: Sequence[int], kernel: Integers, stride: Integers, pads: Sequence[sizes.Padding], dilation: Integers
) -> Integers:
    """The size of a convolution's result, of symbols of `torch.compile` too."""
    found = []
    for n, k, s, pair, d in zip(fine, kernel, stride, pads, dilation, strict=True):
        room = n + sum(pair) - sizes.effective_kernel(k, d)
        if room < 0:
            sizes.kernel_does_not_fit(n, k, pair, d)
        found.append(room // s + 1)
    return tuple(found)


def each(name: str, value: Any, ndim: int, least: int) -> Integers:
    """One integer an axis."""
    return checks.per_axis(name, unpacked(value, ndim), ndim, least)


def unpacked(value: Any, ndim: int) -> Any:
    """The entry of a sequence that has one, which PyTorch takes for all axes."""
    return value[0] if checks.is_sequence(value) and len(value) == 1 and ndim > 1 else value


def _checked(a: int, s: int, d: int) -> int:
    sizes.check_output_padding(a, s, d)
    return a


def for_size(window: SettledWindow, coarse: Integers, padding: PaddingLike, output_size: Any) -> SettledWindow:
    """The window whose result has the size that is asked for."""
    ndim = len(coarse)
    wanted = each("output_size", output_size, ndim, 1)
    pads = paddings(padding, window.kernel, window.stride, window.dilation)
    ends = [
        sizes.of_conv_transpose(n, k, s, pad, 0, size, d)
        for n, k, s, pad, size, d in zip(
            coarse, window.kernel, window.stride, pads, wanted, window.dilation, strict=True
        )
    ]
    low = tuple(pair[0] for _, pair, _ in ends)
    extra = tuple(size - n * s for size, n, s in zip(wanted, coarse, window.stride, strict=True))
    return window._replace(low=low, extra=extra)


def geometry(kernel: Integers, stride: Integers, low: Integers, dilation: Integers, coarse: Any, fine: Any) -> Geometry:
    """The map between two grids of known sizes, with PyTorch's equal padding at both ends where that says it."""
    return Geometry(
        tuple(
            _axis(k, s, p, d, int(n), int(m))
            for k, s, p, d, n, m in zip(kernel, stride, low, dilation, coarse, fine, strict=True)
        )
    )


def _axis(k: int, s: int, low: int, d: int, coarse: int, fine: int) -> Axis:
    a = fine - sizes.fine_size(coarse, k, s, (low, low), 0, d)
    if 0 <= a < max(s, d):
        return Axis(coarse, k, s, (low, low), a, d)
    return Axis(coarse, k, s, (low, low - a), 0, d)
