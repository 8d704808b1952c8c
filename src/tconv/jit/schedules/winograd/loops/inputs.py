"""Rows of x into the panel, zeros beside x among them, and the points of their tiles."""

from __future__ import annotations

from tconv.jit.machine.native.language import Ints, native
from tconv.jit.programs.loops.chunks import begin, end, put
from tconv.jit.programs.loops.copies import copy
from tconv.jit.programs.loops.rows import base_in_x
from tconv.jit.programs.loops.words import AXIS, COPIED, AxisWords, Copied
from tconv.jit.schedules.winograd.loops.words import FILTERED, A, W


@native
def tiles_of(axis: Ints) -> int:
    """Tiles of a chunk along an axis."""
    return axis[AxisWords.Q_END] - axis[AxisWords.Q]


@native
def slots_of(axis: Ints, filter: Ints) -> int:
    """Tiles of x that they read."""
    return tiles_of(axis) + (filter[A.SEGMENTS] - 1) * filter[A.STEP]


@native
def cells_of(axis: Ints, filter: Ints) -> int:
    """Cells of x that they read."""
    return (slots_of(axis, filter) - 1) * filter[A.OUTPUTS] + filter[A.POINTS]


@native
def copies(s: Ints, axes: Ints, filters: Ints, rows: Ints, out: Ints) -> None:
    """All rows that the tiles of a chunk read: of those beside x every cell is a zero."""
    outer, total, base = s[W.AXES] - 1, 1, base_in_x(axes, s[W.AXES])
    last, of_last = outer * AXIS, outer * FILTERED
    low = axes[last + AxisWords.Q] * filters[of_last + A.OUTPUTS] + filters[of_last + A.FIRST]
    high = low + cells_of(axes[last:], filters[of_last:])
    start, stop = max(0, low), min(axes[last + AxisWords.READ], high)
    for n in range(outer):
        total *= cells_of(axes[n * AXIS :], filters[n * FILTERED :])
    for number in range(total):
        exists, source, target, rest = start < stop, 0, 0, number
        for reverse in range(outer):
            axis, of_axis = (outer - 1 - reverse) * AXIS, (outer - 1 - reverse) * FILTERED
            n = cells_of(axes[axis:], filters[of_axis:])
            at = axes[axis + AxisWords.Q] * filters[of_axis + A.OUTPUTS] + filters[of_axis + A.FIRST] + rest % n
            if at < 0 or at >= axes[axis + AxisWords.READ]:
                exists = 0
            source += at * axes[axis + AxisWords.X_STEP]
            target += (rest % n) * filters[of_axis + A.ROW]
            rest = rest // n
        here = number * COPIED
        rows[here + Copied.SOURCE], rows[here + Copied.TARGET], rows[here + Copied.LENGTH] = 0, target, 0
        rows[here + Copied.BEFORE], rows[here + Copied.BEHIND] = 0, (high - low) * s[W.WIDE]
        if exists:
            rows[here + Copied.SOURCE] = source + start * axes[last + AxisWords.X_STEP] - base
            rows[here + Copied.TARGET] = target + (start - low) * s[W.CELL]
            rows[here + Copied.LENGTH] = (stop - start) * s[W.WIDE]
            rows[here + Copied.BEFORE] = (start - low) * s[W.WIDE]
            rows[here + Copied.BEHIND] = (high - stop) * s[W.WIDE]
    copy(out, s[W.COPY], rows, total)


@native
def points(s: Ints, axes: Ints, filters: Ints, out: Ints) -> None:
    """The points of all tiles that are read, row by row."""
    outer, total = s[W.AXES] - 1, 1
    last, of_last = outer * AXIS, outer * FILTERED
    for n in range(outer):
        total *= slots_of(axes[n * AXIS :], filters[n * FILTERED :])
    for number in range(total):
        source, target, rest = 0, s[W.POINTS_AT], number
        for reverse in range(outer):
            axis, of_axis = (outer - 1 - reverse) * AXIS, (outer - 1 - reverse) * FILTERED
            n = slots_of(axes[axis:], filters[of_axis:])
            source += (rest % n) * filters[of_axis + A.OUTPUTS] * filters[of_axis + A.ROW]
            target += (rest % n) * filters[of_axis + A.SLOT]
            rest = rest // n
        op = begin(out, s[W.INPUT])
        put(out, source)
        put(out, target)
        put(out, slots_of(axes[last:], filters[of_last:]))
        put(out, s[W.READ])
        put(out, filters[of_last - FILTERED + A.ROW])
        put(out, s[W.STEP])
        put(out, s[W.POINT])
        put(out, s[W.FURTHER])
        end(out, op)
