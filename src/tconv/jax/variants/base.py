"""What a variant is: one way to express a transposed convolution in operations of lax."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from jax import Array

from tconv.jax import laxs
from tconv.jax.grids import padded
from tconv.jax.task import Order, Task, weights_in


class Variant(NamedTuple):
    """A way to compute y of (N, *fine, Cout) from x of (N, *coarse, Cin) and weights in the order it works on.

    All are bilinear in x and w and made of lax alone, so that JAX transposes, batches and differentiates them.
    """

    name: str
    summary: str
    order: Order
    compute: Callable[[Task, Array, Array], Array]
    flipped: bool = False  #: whether it works on flipped weights

    def __call__(self, task: Task, x: Array, w: Array) -> Array:
        """The result; `w` is in the order of the task."""
        return self.compute(task, x, weights_in(task, w, self.order, self.flipped))


def convolution(
    task: Task,
    x: Array,
    w: Array,
    padding: Sequence[tuple[int, int]],
    *,
    stretch: Sequence[int] | None = None,
    dilation: Sequence[int],
) -> Array:
    """lax's convolution at stride 1 of x (N, *size, Cin), cells `stretch` apart, by w (*kernel, Cin / groups, Cout).

    lax is only given paddings from 0 to the kernel's reach, so that those of its derivatives are not negative either.
    Whole cells that a padding crops are taken off before, single positions, and what lies beyond that reach, after:
    where a low end is cropped and the high one padded, XLA's CPU backend reads beyond x (openxla/xla#48713).
    """
    nd = task.ndim
    stretch = stretch or (1,) * nd
    reaches = [d * (k - 1) for d, k in zip(dilation, w.shape, strict=False)]
    crops = [_cells(ends, apart, size) for ends, apart, size in zip(padding, stretch, x.shape[1:-1], strict=True)]
    x = with_ends(x, [(-low, -high) for low, high in crops])
    left = [
        tuple(e + c * s for e, c in zip(ends, crop, strict=True))
        for ends, crop, s in zip(padding, crops, stretch, strict=True)
    ]
    given = [(within(low, reach), within(high, reach)) for (low, high), reach in zip(left, reaches, strict=True)]
    y = laxs.conv_general_dilated(
        x,
        w,
        window_strides=(1,) * nd,
        padding=given,
        lhs_dilation=stretch,
        rhs_dilation=dilation,
        dimension_numbers=spatial(nd),
        feature_group_count=task.problem.groups,
        precision=task.precision,
    )
    return with_ends(y, [(low - a, high - b) for (low, high), (a, b) in zip(left, given, strict=True)])


def _cells(ends: tuple[int, int], apart: int, size: int) -> tuple[int, int]:
    """How many whole cells a padding crops at each end, one at least being left."""
    low = min(max(-ends[0], 0) // apart, size - 1)
    return low, min(max(-ends[1], 0) // apart, size - 1 - low)


def within(end: int, reach: int) -> int:
    """What lax is given of a padding."""
    return min(max(end, 0), reach)


def with_ends(a: Array, ends: Sequence[tuple[int, int]]) -> Array:
    """Zeros added at the ends of the axes of size, or entries taken off."""
    return padded(a, [(0, 0), *ends, (0, 0)]) if any(map(any, ends)) else a


def spatial(ndim: int) -> tuple[str, str, str]:
    """The dimension numbers of a convolution of arrays with channels last."""
    axes = letters(ndim)
    return f"N{axes}C", f"{axes}IO", f"N{axes}C"


def letters(ndim: int) -> str:
    """One for each axis of size, in dimension numbers: lax takes any."""
    return "".join(chr(ord("0") + axis) for axis in range(ndim))
