"""Weights on their way to being packed: for each pair of channels the points of each segment of its kernel."""

from __future__ import annotations

from functools import lru_cache, reduce
from math import prod

import numpy as np

from tconv.jit.schedules.axes import LoopAxis
from tconv.jit.schedules.winograd.schedule import FilteredAxis, WinogradSchedule
from tconv.problem import Array
from tconv.winograd import transforms

#: Elements that are transformed at a time, in float64.
PART = 1 << 20


def transformed(schedule: WinogradSchedule, w: Array) -> Array:
    """Weights (Cin, Cout / groups, *kernel) as (Cin, Cout / groups, segments x points), in the dtype that they have."""
    matrix = _matrix(tuple(zip(schedule.layout.axes, schedule.axes, strict=True)))
    flat = w.reshape(-1, prod(schedule.problem.geometry.kernel))
    found = np.empty((len(flat), len(matrix)), w.dtype)
    rows = max(1, PART // max(matrix.shape))
    with np.errstate(over="ignore", invalid="ignore"):  # who packs them looks whether all are finite
        for start in range(0, len(flat), rows):
            found[start : start + rows] = flat[start : start + rows].astype(np.float64) @ matrix.T
    return found


@lru_cache(maxsize=64)
def _matrix(axes: tuple[tuple[LoopAxis, FilteredAxis], ...]) -> Array:
    """What takes the taps of a kernel to its points, those of the first segment first."""
    of_axes = [_of_axis(line, axis) for line, axis in axes]
    whole = reduce(np.kron, of_axes)
    shape = [n for _, axis in axes for n in (axis.segments, axis.points)]
    order = [*range(0, len(shape), 2), *range(1, len(shape), 2)]
    return whole.reshape(*shape, -1).transpose(*order, len(shape)).reshape(whole.shape)


def _of_axis(line: LoopAxis, axis: FilteredAxis) -> Array:
    """The same along one axis: a row for each point of each segment, a column for each tap."""
    matrix = np.zeros((axis.segments * axis.points, line.kernel))
    of_taps = transforms(axis.outputs, axis.taps).weights
    for cell in range(line.kernel):
        tap = cell if line.dilation < 0 else line.kernel - 1 - cell
        segment, number = divmod(cell, axis.taps)
        for point, row in enumerate(of_taps):
            matrix[segment * axis.points + point, tap] = float(row[number])
    return matrix
