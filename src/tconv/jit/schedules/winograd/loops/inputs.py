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
    return tiles_of(axis) + (filter[A.SEGMENTS] - 1) * filter[A.STEP] + filter[A.MOST]


@native
def cells_of(axis: Ints, filter: Ints) -> int:
    """Cells of x that they read."""
    reach = ((slots_of(axis, filter) - 1) * filter[A.OUTPUTS] + filter[A.CELLS] - 1) * filter[A.APART]
    return reach + 1 + filter[A.SPAN]


@native
def first_cell(axis: Ints, filter: Ints) -> int:
    """The first of them."""
    return axis[AxisWords.Q] * axis[AxisWords.READ_STRIDE] + filter[A.FIRST]


@native
def copies(s: Ints, axes: Ints, filters: Ints, rows: Ints, out: Ints) -> None:
    """All rows that the tiles of a chunk read: of those beside x every cell is a zero."""
    outer, total, base = s[W.AXES] - 1, 1, base_in_x(axes, s[W.AXES])
    last, of_last = outer * AXIS, outer * FILTERED
    low = first_cell(axes[last:], filters[of_last:])
    high = low + cells_of(axes[last:], filters[of_last:])
    start, stop = max(0, low), min(axes[last + AxisWords.READ], high)
    for n in range(outer):
        total *= cells_of(axes[n * AXIS :], filters[n * FILTERED :])
    for number in range(total):
        exists, source, target, rest = start < stop, 0, 0, number
        for reverse in range(outer):
            axis, of_axis = (outer - 1 - reverse) * AXIS, (outer - 1 - reverse) * FILTERED
            n = cells_of(axes[axis:], filters[of_axis:])
            at = first_cell(axes[axis:], filters[of_axis:]) + rest % n
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
def turn(filters: Ints, count: int, of: int) -> int:
    """Go on to the next phases, or areas, of all axes, the last innermost; whether there are any."""
    for reverse in range(count):
        axis = (count - 1 - reverse) * FILTERED
        filters[axis + A.PHASE] += 1
        if filters[axis + A.PHASE] < filters[axis + of]:
            return 1
        filters[axis + A.PHASE] = 0
    return 0


@native
def points(s: Ints, axes: Ints, filters: Ints, lists: Ints, out: Ints) -> None:
    """The points of all tiles that are read, area after area."""
    area, more = 0, 1
    while more:
        points_of_area(s, axes, filters, lists, area * s[W.AREA], out)
        area += 1
        more = turn(filters, s[W.AXES], A.AREAS)


@native
def points_of_area(s: Ints, axes: Ints, filters: Ints, lists: Ints, begun: int, out: Ints) -> None:
    """The points of the area at hand, row by row."""
    outer, total = s[W.AXES] - 1, 1
    last, of_last = outer * AXIS, outer * FILTERED
    for n in range(outer):
        total *= slots_of(axes[n * AXIS :], filters[n * FILTERED :])
    start = lists[filters[of_last + A.AREAS_AT] + filters[of_last + A.PHASE]] * s[W.CELL]
    for number in range(total):
        source, target, rest = start, s[W.POINTS_AT] + begun, number
        for reverse in range(outer):
            axis, of_axis = (outer - 1 - reverse) * AXIS, (outer - 1 - reverse) * FILTERED
            n = slots_of(axes[axis:], filters[of_axis:])
            cell = (rest % n) * axes[axis + AxisWords.READ_STRIDE]
            cell += lists[filters[of_axis + A.AREAS_AT] + filters[of_axis + A.PHASE]]
            source += cell * filters[of_axis + A.ROW]
            target += (rest % n) * filters[of_axis + A.SLOT]
            rest = rest // n
        op = begin(out, s[W.INPUT])
        put(out, source)
        put(out, target)
        put(out, slots_of(axes[last:], filters[of_last:]))
        put(out, s[W.READ])
        put(out, filters[of_last - FILTERED + A.APART] * filters[of_last - FILTERED + A.ROW])
        put(out, s[W.STEP])
        put(out, s[W.POINT])
        put(out, s[W.FURTHER])
        end(out, op)
