"""Variant `taps`: a matrix product for each tap, added to its phase; depthwise, a multiplication."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import jax.numpy as jnp
from jax import Array, lax

from tconv.jax.grids import added, interleaved, padded
from tconv.jax.task import Task
from tconv.jax.variants.base import Variant
from tconv.phases import Phase, phases


def _compute(task: Task, x: Array, w: Array) -> Array:
    p, axes = task.problem, task.problem.geometry.axes
    positions = [-(-axis.fine // axis.stride) for axis in axes]
    residues = [min(axis.stride, axis.fine) for axis in axes]
    empty = jnp.zeros((x.shape[0], *positions, 1, p.out_channels), x.dtype)
    computed = []
    for phase in phases(p.geometry):
        y = added(_parts(task, x, w, phase, positions))
        computed.append(empty if y is None else y)
    y = jnp.stack(computed, -2).reshape(x.shape[0], *positions, 1, *residues, p.out_channels)
    y = interleaved(task, y)
    return lax.slice(y, [0] * y.ndim, [x.shape[0], *p.geometry.fine, p.out_channels])


def _parts(task: Task, x: Array, w: Array, phase: Phase, positions: list[int]) -> Iterator[Array]:
    """What each tap adds to the positions of a phase."""
    pairs = [list(zip(axis.taps, axis.shifts, strict=True)) for axis in phase.axes]
    for combination in product(*pairs):
        taps, shifts = zip(*combination, strict=True)
        landed = _product(task, x, w[taps])
        ends = [
            (-shift, count + shift - coarse)
            for shift, count, coarse in zip(shifts, positions, task.problem.geometry.coarse, strict=True)
        ]
        yield padded(landed, [(0, 0), *ends, (0, 0), (0, 0)])


def _product(task: Task, x: Array, w: Array) -> Array:
    """x (N, *coarse, Cin) through one tap (Cin / groups, Cout): (N, *coarse, 1, Cout)."""
    p = task.problem
    if p.cin == 1:
        y = x[..., None] * w.reshape(p.groups, p.cout)
        return y.reshape(*x.shape[:-1], 1, p.out_channels)
    cells = x.reshape(-1, p.groups, p.cin)
    if p.groups == 1:
        y = lax.dot(cells[:, 0], w, precision=task.precision)
    else:
        taps = w.reshape(p.cin, p.groups, p.cout)
        y = lax.dot_general(cells, taps, (((2,), (0,)), ((1,), (1,))), precision=task.precision)
        y = jnp.moveaxis(y, 0, 1)
    return y.reshape(*x.shape[:-1], 1, p.out_channels)


TAPS = Variant("taps", "a matrix product for each tap, added to its phase", "taps_first", _compute)
