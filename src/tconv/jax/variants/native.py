"""Variant `native`: lax's own convolution of the stretched input, which is what lax.conv_transpose does."""

from __future__ import annotations

from jax import Array

from tconv.jax.task import Task
from tconv.jax.variants.base import Variant, convolution


def _compute(task: Task, x: Array, w: Array) -> Array:
    geometry = task.problem.geometry
    ends = [(z.padding[0], z.padding[1] + z.extra) for z in geometry.zero_inserted]
    return convolution(task, x, w, ends, stretch=geometry.stride, dilation=geometry.dilation)


NATIVE = Variant(
    "native", "lax's convolution of the input with zeros put between its cells", "taps_first", _compute, flipped=True
)
