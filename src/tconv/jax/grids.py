"""Between phases and the fine grid: residues interleaved with positions, and ends cropped or filled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import jax.numpy as jnp
from jax import Array, lax

from tconv.axis import Axis
from tconv.jax.task import Task


def uncropped(axis: Axis) -> Axis:
    """The axis with the full result: all its residues then read the same coarse cells, but for missing taps."""
    return replace(axis, padding=(0, 0), output_padding=0)


def most_shifts(axis: Axis) -> int:
    """The coarse cells that a position of the uncropped axis reads at most, taps of dilated kernels spread out."""
    return -(-axis.effective_kernel // axis.stride)


def interleaved(task: Task, y: Array) -> Array:
    """From (N, *positions, groups or 1, *residues, the rest of Cout) to (N, *fine positions, Cout)."""
    nd, (n, *sizes) = task.ndim, y.shape
    positions, residues = sizes[:nd], sizes[nd + 1 : 2 * nd + 1]
    pairs = [dimension for i in range(nd) for dimension in (1 + i, 2 + nd + i)]
    turned = jnp.transpose(y, (0, *pairs, 1 + nd, 2 + 2 * nd))
    fine = [m * r for m, r in zip(positions, residues, strict=True)]
    return turned.reshape(n, *fine, task.problem.out_channels)


def cropped(task: Task, y: Array) -> Array:
    """The fine grid, of a result that begins with the first cell of the uncropped one; cells it lacks are zero."""
    ends = [
        (-axis.padding[0], axis.padding[0] + axis.fine - size)
        for axis, size in zip(task.problem.geometry.axes, y.shape[1:-1], strict=True)
    ]
    return padded(y, [(0, 0), *ends, (0, 0)])


def padded(a: Array, ends: Sequence[tuple[int, int]], between: Sequence[int] | None = None) -> Array:
    """Zeros at the (low, high) end of each dimension, negative ones cropping, and so many between its entries."""
    inner = between or (0,) * len(ends)
    config = [(low, high, gap) for (low, high), gap in zip(ends, inner, strict=True)]
    return lax.pad(a, jnp.zeros((), a.dtype), config)


def added(parts: Iterator[Array]) -> Array | None:
    """The sum of arrays of one shape; None of none."""
    total: Array | None = None
    for part in parts:
        total = part if total is None else total + part
    return total
