"""From the arguments of a public call to axes: every argument normalised to a value an axis, every axis settled.

Raises `checks.Rejected`, with the axis named where there are several.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from tconv import checks, sizes
from tconv.axis import Axis, settled

#: One integer for all axes, or one for each.
Ints: TypeAlias = int | Sequence[int]
#: "same", "valid", one integer for all axes, or for each axis an integer or a (low, high) pair.
PaddingLike: TypeAlias = int | str | Sequence[int | tuple[int, int]]


class AxisArguments(NamedTuple):
    """The arguments that both directions share, with a value an axis."""

    size: tuple[int, ...]  #: of the grid that is known: fine for conv, coarse for conv_transpose
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[sizes.Padding | str, ...]
    dilation: tuple[int, ...]


def window(size: Ints, kernel: Ints, stride: Ints, padding: PaddingLike, dilation: Ints, name: str) -> AxisArguments:
    """The shared arguments; the size, called `name` in messages, or else the kernel says how many axes there are."""
    ndim = next((len(value) for value in (size, kernel) if checks.is_sequence(value)), 1)
    if ndim == 0:
        checks.wrong(f"{name} must have at least 1 axis; got {size!r}")
    return AxisArguments(
        checks.per_axis(name, size, ndim, 1),
        checks.per_axis("kernel", kernel, ndim, 1),
        checks.per_axis("stride", stride, ndim, 1),
        checks.padding_per_axis(padding, ndim),
        checks.per_axis("dilation", dilation, ndim, 1),
    )


def conv(fine: AxisArguments, output_padding: Ints | None, output_size: Ints | None) -> tuple[Axis, ...]:
    """The axes of a convolution."""
    a = _optional("output_padding", output_padding, len(fine.size), 0)
    coarse = _optional("output_size", output_size, len(fine.size), 1)
    return _settled(fine, lambda i, n, k, s, pad, d: sizes.of_conv(n, k, s, pad, a[i], coarse[i], d))


def conv_transpose(coarse: AxisArguments, output_padding: Ints, output_size: Ints | None) -> tuple[Axis, ...]:
    """The axes of a transposed convolution."""
    a = checks.per_axis("output_padding", output_padding, len(coarse.size), 0)
    fine = _optional("output_size", output_size, len(coarse.size), 1)
    return _settled(coarse, lambda i, n, k, s, pad, d: sizes.of_conv_transpose(n, k, s, pad, a[i], fine[i], d))


def between(coarse: AxisArguments, fine: tuple[int, ...]) -> tuple[Axis, ...]:
    """The axes of a weight gradient, where both grids are given."""
    return _settled(coarse, lambda i, n, k, s, pad, d: sizes.of_both(n, fine[i], k, s, pad, d))


def _settled(
    window: AxisArguments, settle: Callable[[int, int, int, int, sizes.Padding | str, int], sizes.Ends]
) -> tuple[Axis, ...]:
    axes = []
    for i, (n, k, s, pad, d) in enumerate(zip(*window, strict=True)):
        try:
            coarse, padding, a = settle(i, n, k, s, pad, d)
        except checks.Rejected as rejected:
            place = f" (axis {i})" if len(window.size) > 1 else ""
            raise checks.Rejected(rejected.kind, f"{rejected}{place}") from None
        axes.append(settled(coarse, k, s, padding, a, d))
    return tuple(axes)


def _optional(name: str, value: Ints | None, ndim: int, least: int) -> tuple[int | None, ...]:
    return (None,) * ndim if value is None else checks.per_axis(name, value, ndim, least)
