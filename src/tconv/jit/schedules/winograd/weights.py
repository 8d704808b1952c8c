"""Weights on their way to being packed: for each pair of channels the points of each segment of its kernel."""

from __future__ import annotations

from functools import lru_cache, reduce

import numpy as np

from tconv.jit.kernels.banks import matrices
from tconv.jit.schedules.winograd.axis import FilteredAxis
from tconv.problem import Array

#: Elements that are transformed at a time, in float64.
PART = 1 << 17


def transformed(axes: tuple[tuple[int, FilteredAxis], ...], w: Array) -> Array:
    """Weights (Cin, Cout / groups, *kernel) as (Cin * Cout / groups, sets * segments * points), in their own dtype.

    `axes`: of each axis of the layout, the batch first, the taps and what is done along it.
    """
    of_taps = matrix_of(axes)
    flat = w.reshape(-1, len(of_taps))
    found = np.empty((len(flat), of_taps.shape[1]), w.dtype)
    rows = max(1, PART // max(of_taps.shape))
    with np.errstate(over="ignore", invalid="ignore"):  # who packs them looks whether all are finite
        for start in range(0, len(flat), rows):
            found[start : start + rows] = flat[start : start + rows].astype(np.float64) @ of_taps
    return found


@lru_cache(maxsize=64)
def matrix_of(axes: tuple[tuple[int, FilteredAxis], ...]) -> Array:
    """What takes the taps of a kernel to its points, a row a tap: by set of weights, then segment, then point."""
    whole = reduce(np.kron, [_of_axis(kernel, axis) for kernel, axis in axes])
    shape = [n for _, axis in axes for n in (len(axis.kernels), axis.segments, axis.points)]
    order = [number for start in range(3) for number in range(start, len(shape), 3)]
    ordered = whole.reshape(*shape, -1).transpose(*order, len(shape)).reshape(whole.shape)
    return np.ascontiguousarray(ordered.T)  # the other way round products of matrices take half as long again


def _of_axis(kernel: int, axis: FilteredAxis) -> Array:
    """The same along one axis: a row for each point of each segment of each set, a column for each tap."""
    of_taps = matrices(axis.bank).weights
    matrix = np.zeros((len(axis.kernels), axis.segments, axis.points, kernel))
    for number, taps in enumerate(axis.kernels):
        for place, tap in enumerate(taps):
            segment, column = divmod(place, axis.bank.taps)
            for point, row in enumerate(of_taps):
                if tap >= 0:
                    matrix[number, segment, point, tap] = float(row[column])
    return matrix.reshape(-1, kernel)
