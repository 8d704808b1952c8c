"""Variant `native`: lax's own convolution of the stretched input, which is what lax.conv_transpose does."""

from __future__ import annotations

from jax import Array, lax

from tconv.jax.task import Task
from tconv.jax.variants.base import Variant, spatial


def _compute(task: Task, x: Array, w: Array) -> Array:
    geometry, nd = task.problem.geometry, task.ndim
    return lax.conv_general_dilated(
        x,
        w,
        window_strides=(1,) * nd,
        padding=[(z.padding[0], z.padding[1] + z.extra) for z in geometry.zero_inserted],
        lhs_dilation=geometry.stride,
        rhs_dilation=geometry.dilation,
        dimension_numbers=spatial(nd),
        feature_group_count=task.problem.groups,
        precision=task.precision,
    )


NATIVE = Variant(
    "native", "lax's convolution of the input with zeros put between its cells", "taps_first", _compute, flipped=True
)
