"""Variant `columns`: one matrix product of all coarse cells and all taps, then the taps added to where they land.

This is Caffe's method (Y. Jia, 2014) with col2im by phases: taps are split into shifts and residues, so that adding is
a sum of some shifted arrays, and interleaving comes last. Depthwise, the matrix product is a plain one.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import jax.numpy as jnp
from jax import Array, lax

from tconv.jax.grids import added, cropped, interleaved, most_shifts, padded
from tconv.jax.task import Task
from tconv.jax.variants.base import Variant


def _compute(task: Task, x: Array, w: Array) -> Array:
    cols = _depthwise(task, x, w) if task.problem.cin == 1 else _product(task, x, w)
    y = added(_shifted(task, _split(task, cols)))
    assert y is not None
    return cropped(task, interleaved(task, y))


def _product(task: Task, x: Array, w: Array) -> Array:
    """Columns (N, *coarse, 1, *kernel, Cout) from one matrix product a group; w channels first."""
    p, nd = task.problem, task.ndim
    cells, sizes = x.reshape(-1, p.groups, p.cin), x.shape[: 1 + nd]
    if p.groups == 1:  # no batch dimension, which lax would put first
        cols = lax.dot(cells[:, 0], w.reshape(p.cin, -1), precision=task.precision)
        return jnp.moveaxis(cols.reshape(*sizes, 1, p.cout, *p.geometry.kernel), 2 + nd, -1)
    taps = w.reshape(p.groups, p.cin, -1)
    cols = lax.dot_general(cells, taps, (((2,), (1,)), ((1,), (0,))), precision=task.precision)
    cols = jnp.transpose(cols.reshape(p.groups, -1, p.cout, p.taps), (1, 3, 0, 2))
    return cols.reshape(*sizes, 1, *p.geometry.kernel, p.out_channels)


def _depthwise(task: Task, x: Array, w: Array) -> Array:
    """Columns (N, *coarse, 1, *kernel, Cout) where a group has one input channel: each cell times each tap."""
    p, nd = task.problem, task.ndim
    taps = jnp.moveaxis(w, (0, 1), (-2, -1))
    cols = x.reshape(*x.shape[: 1 + nd], *(1,) * (nd + 1), p.in_channels, 1) * taps
    return cols.reshape(*cols.shape[:-2], p.out_channels)


def _split(task: Task, cols: Array) -> Array:
    """Each dimension of taps as two, of shifts and residues: filled with zeros to whole strides."""
    nd = task.ndim
    axes = task.problem.geometry.axes
    ends = [(0, most_shifts(axis) * axis.stride - axis.effective_kernel) for axis in axes]
    gaps = [axis.dilation - 1 for axis in axes]
    if any(gaps) or any(map(any, ends)):
        around = [(0, 0)] * (2 + nd)
        cols = padded(cols, [*around, *ends, (0, 0)], [0] * (2 + nd) + gaps + [0])
    taps = [size for axis in axes for size in (most_shifts(axis), axis.stride)]
    return cols.reshape(*cols.shape[: 2 + nd], *taps, cols.shape[-1])


def _shifted(task: Task, cols: Array) -> Iterator[Array]:
    """For each combination of shifts, its taps at the positions they land on."""
    nd = task.ndim
    numbers = [most_shifts(axis) for axis in task.problem.geometry.axes]
    for shift in product(*map(range, numbers)):
        taps = [which for j in shift for which in (j, slice(None))]
        part = cols[(slice(None),) * (2 + nd) + tuple(taps)]
        ends = [(j, number - 1 - j) for j, number in zip(shift, numbers, strict=True)]
        yield padded(part, [(0, 0), *ends] + [(0, 0)] * (part.ndim - 1 - nd))


COLUMNS = Variant("columns", "one matrix product of all cells and taps, then shifted sums", "channels_first", _compute)
