"""The three operations by a variant: the variant itself, and what JAX's transpose makes of it.

A variant is bilinear in x and w. Its transpose by x is the convolution, its transpose by w the weight gradient: what is
fast as a derivative of the transposed convolution is as fast when it is asked for by name. Of `native` both are written
down here: lax's own convolution with strides, and what lax makes of that one's derivative by the weights.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

from tconv.jax import laxs
from tconv.jax.task import Task, weights_in
from tconv.jax.variants import VARIANTS
from tconv.jax.variants.base import letters, with_ends, within


def by_variant(name: str, task: Task, first: Array, second: Array, tangent: str = "") -> Array:
    """The result of a task: x and y have their channels last, and weights lie as the task says.

    `tangent` names the operand that is a tangent, and which JAX may transpose the computation by.
    """
    operation = task.problem.operation
    if operation == "conv_transpose":
        return VARIANTS[name](task, first, second)
    # JAX does not transpose integers. By y, lax's weight gradient would become a convolution whose kernel is x.
    by_lax = name == "native" or not jnp.issubdtype(first.dtype, jnp.inexact)
    if by_lax and not (operation == "weight_gradient" and tangent == "y"):
        return (_conv if operation == "conv" else _weight_gradient)(task, first, second)
    return (_transposed_by_x if operation == "conv" else _transposed_by_w)(name, task, first, second)


def _transposed_by_x(name: str, task: Task, y: Array, w: Array) -> Array:
    p = task.problem
    like = jax.ShapeDtypeStruct((p.batch, *p.geometry.coarse, p.in_channels), y.dtype)  # type: ignore[no-untyped-call]
    x: Array
    (x,) = jax.linear_transpose(lambda x: VARIANTS[name](task, x, w), like)(y)
    return x


def _transposed_by_w(name: str, task: Task, x: Array, y: Array) -> Array:
    p = task.problem
    like = jax.ShapeDtypeStruct((p.in_channels, p.cout, *p.geometry.kernel), y.dtype)  # type: ignore[no-untyped-call]
    w: Array
    (w,) = jax.linear_transpose(lambda w: VARIANTS[name](task, x, w), like)(y)
    return w


def _conv(task: Task, y: Array, w: Array) -> Array:
    """lax's convolution with strides: w (Cin, Cout / groups, *kernel) are weights from Cout to Cin channels.

    As in `variants.base.convolution`, lax is given paddings from 0 to the kernel's reach, and what lies beyond is done
    before: those of the derivatives are not negative then.
    """
    g, axes = task.problem.geometry, letters(task.ndim)
    needed, reaches = _needed(task), [axis.effective_kernel - 1 for axis in g.axes]
    given = [(within(low, reach), within(high, reach)) for (low, high), reach in zip(needed, reaches, strict=True)]
    y = with_ends(y, [(low - a, high - b) for (low, high), (a, b) in zip(needed, given, strict=True)])
    return laxs.conv_general_dilated(
        y,
        weights_in(task, w, "channels_first", flipped=False),
        window_strides=g.stride,
        padding=given,
        rhs_dilation=g.dilation,
        dimension_numbers=(f"N{axes}C", f"OI{axes}", f"N{axes}C"),
        feature_group_count=task.problem.groups,
        precision=task.precision,
    )


def _weight_gradient(task: Task, x: Array, y: Array) -> Array:
    """lax's derivative of `_conv` by w: a convolution of y by x, whose cells are a stride apart, summed over images."""
    g, axes = task.problem.geometry, letters(task.ndim)
    return laxs.conv_general_dilated(
        with_ends(y, _needed(task)),
        x,
        window_strides=g.dilation,
        padding=[(0, 0)] * task.ndim,
        rhs_dilation=g.stride,
        dimension_numbers=(f"C{axes}N", f"I{axes}O", f"CN{axes}"),
        batch_group_count=task.problem.groups,
        precision=task.precision,
    )


def _needed(task: Task) -> list[tuple[int, int]]:
    """The cells that y lacks of what all windows together span, at each end; negative where it has more."""
    return [
        (axis.padding[0], (axis.coarse - 1) * axis.stride + axis.effective_kernel - axis.padding[0] - axis.fine)
        for axis in task.problem.geometry.axes
    ]
