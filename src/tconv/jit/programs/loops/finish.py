"""The last op of a chunk, where an epilogue follows: which elements of y it has written."""

from __future__ import annotations

from tconv.jit.machine.native.language import Ints, native
from tconv.jit.programs.loops.chunks import begin, end, put
from tconv.jit.programs.loops.words import AXIS, AxisWords


@native
def first_written(axis: Ints) -> int:
    """The first position of y that a chunk has along an axis, counted from that of its first q."""
    return max(0, axis[AxisWords.ORIGIN] - axis[AxisWords.Q] * axis[AxisWords.STRIDE])


@native
def positions_written(axis: Ints) -> int:
    """How many it has."""
    first = axis[AxisWords.Q] * axis[AxisWords.STRIDE] - axis[AxisWords.ORIGIN]
    stop = min(axis[AxisWords.WRITTEN], axis[AxisWords.Q_END] * axis[AxisWords.STRIDE] - axis[AxisWords.ORIGIN])
    return max(0, stop - max(0, first))


@native
def finish(axes: Ints, count: int, kernel: int, out: Ints) -> None:
    """Everything that a chunk has written: rows side by side as one, rows in steps in one op, then op after op."""
    outer, base, total = count - 1, 0, 1
    last = outer * AXIS
    length, rows, step = positions_written(axes[last:]), 1, 0
    for n in range(count):
        base += first_written(axes[n * AXIS :]) * axes[n * AXIS + AxisWords.Y_STEP]
        total *= positions_written(axes[n * AXIS :])
    if total == 0:
        return
    if axes[last + AxisWords.PIXEL_STEP] != axes[last + AxisWords.STRIDE] * axes[last + AxisWords.Y_STEP]:
        # Images as the q of an axis: their positions lie apart.
        length, rows = axes[last + AxisWords.STRIDE], axes[last + AxisWords.Q_END] - axes[last + AxisWords.Q]
        step = axes[last + AxisWords.PIXEL_STEP]
    else:
        axis, more = last, outer
        while more > 0:
            before = axis - AXIS
            whole = positions_written(axes[axis:]) == axes[axis + AxisWords.WRITTEN]
            side_by_side = (
                axes[before + AxisWords.Y_STEP] == axes[axis + AxisWords.WRITTEN] * axes[axis + AxisWords.Y_STEP]
            )
            if whole and side_by_side:
                length *= positions_written(axes[before:])
                axis = before
                outer -= 1
                more -= 1
            else:
                more = 0
        if outer > 0:
            outer -= 1
            rows, step = positions_written(axes[outer * AXIS :]), axes[outer * AXIS + AxisWords.Y_STEP]
    total = 1
    for n in range(outer):
        total *= positions_written(axes[n * AXIS :])
    for number in range(total):
        y, rest = base, number
        for reverse in range(outer):
            axis = (outer - 1 - reverse) * AXIS
            n = positions_written(axes[axis:])
            y += (rest % n) * axes[axis + AxisWords.Y_STEP]
            rest = rest // n
        finish_rows(kernel, y, length, rows, step, axes[last + AxisWords.Y_STEP], out)


@native
def finish_rows(kernel: int, y: int, length: int, rows: int, step: int, pixel: int, out: Ints) -> None:
    """The op for rows in steps (`kernels/finish.py`)."""
    op = begin(out, kernel)
    put(out, y)
    put(out, length)
    put(out, rows)
    put(out, step)
    put(out, pixel)
    end(out, op)
