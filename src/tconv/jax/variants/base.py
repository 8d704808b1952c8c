"""What a variant is: one way to express a transposed convolution in operations of lax."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from jax import Array

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


def spatial(ndim: int) -> tuple[str, str, str]:
    """The dimension numbers of a convolution of arrays with channels last."""
    axes = "".join(chr(ord("0") + axis) for axis in range(ndim))  # lax takes any letters for the axes of size
    return f"N{axes}C", f"{axes}IO", f"N{axes}C"
