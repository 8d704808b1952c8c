"""Tap by tap: which coarse cells and which fine cells each tap ties, as slices, and the operations computed that way.

Every product is of two cells that a tap really ties, with no padding anywhere. So NaN and Inf reach exactly what they
should, and `run` in `methods/__init__.py` comes here where another method's padded zeros would meet one.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np

from tconv.axis import Axis
from tconv.geometry import Geometry
from tconv.methods.base import Index, last_axes
from tconv.problem import Array, Problem


class Tie(NamedTuple):
    """A tap, and the coarse and the fine cells it ties, as indices of the last axes of an array."""

    tap: Index
    coarse: Index
    fine: Index


@lru_cache(maxsize=4096)
def _ties_of_axis(axis: Axis, first: int, beyond: int) -> tuple[tuple[int, slice, slice], ...]:
    """For each tap that lands inside: the coarse cells it ties out of first <= c < beyond, and their fine positions."""
    ties = []
    for tap in range(axis.kernel):
        pairs = axis.pairs_of_tap(tap)
        start, stop = max(pairs.start, first), min(pairs.stop, beyond)
        if start < stop:
            position = start * axis.stride + tap * axis.dilation - axis.padding[0]
            fine = slice(position, position + (stop - start - 1) * axis.stride + 1, axis.stride)
            ties.append((tap, slice(start - first, stop - first), fine))
    return tuple(ties)


def ties(geometry: Geometry, rows: slice | None = None, along: int = 0) -> Iterator[Tie]:
    """The taps that land inside, one after the other.

    `rows` restricts the coarse cells along one axis; their indices then count from its start.
    """
    ends = [(0, axis.coarse) for axis in geometry.axes]
    if rows is not None:
        ends[along] = (rows.start, rows.stop)
    of_axes = [_ties_of_axis(axis, *end) for axis, end in zip(geometry.axes, ends, strict=True)]
    for combination in product(*of_axes):
        yield Tie(*(last_axes(entries) for entries in zip(*combination, strict=True)))


def run_tap_by_tap(problem: Problem, x: Array, w: Array, y: Array) -> None:
    """Compute the operation as a sum over taps of products between the cells that each tap ties."""
    {"x": x, "w": w, "y": y}[problem.written][...] = 0
    for tap, coarse, fine in ties(problem.geometry):
        xt, wt, yt = x[coarse], w[tap], y[fine]
        if problem.operation == "conv_transpose":
            yt += np.einsum("ngi...,gio->ngo...", xt, wt)
        elif problem.operation == "conv":
            xt += np.einsum("ngo...,gio->ngi...", yt, wt)
        else:
            wt += np.einsum("ngic,ngoc->gio", _flat(xt), _flat(yt))


def _flat(a: Array) -> Array:
    return a.reshape(*a.shape[:3], -1)
