"""Tiles with pixels in lanes: of one row after the other, or spanning rows."""

from __future__ import annotations

from tconv.jit.machine.native.language import Ints, native
from tconv.jit.programs.loops.chunks import begin, end, put
from tconv.jit.programs.loops.rows import first_phase, further, list_taps, next_phase, of_phase, row, rows_between
from tconv.jit.programs.loops.words import AXIS, AxisWords
from tconv.jit.schedules.pixels.loops.gaps import gaps
from tconv.jit.schedules.pixels.loops.reads import list_taps_of_rows, put_cells, put_rows
from tconv.jit.schedules.pixels.loops.words import S


@native
def tiles(s: Ints, axes: Ints, lists: Ints, rows: Ints, lines: Ints, met: Ints, out: Ints) -> None:
    """The tiles of the chunk at hand, for every phase of the outer axes."""
    outer = s[S.AXES] - 1
    phased = outer - (s[S.ROWS] > 1)  # axes whose phases are computed one by one
    if s[S.GAPS]:
        gaps(s, axes, lists, rows, out)
    more = first_phase(axes, outer)
    while more:
        reached = 1
        for n in range(outer):
            of_phase(axes[n * AXIS :])
            reached *= lists[lists[axes[n * AXIS + AxisWords.TAPS_AT] + axes[n * AXIS + AxisWords.PHASE]]]
        if s[S.ROWS] > 1:
            axes[phased * AXIS + AxisWords.FROM] = axes[phased * AXIS + AxisWords.Q]
            axes[phased * AXIS + AxisWords.TO] = axes[phased * AXIS + AxisWords.Q_END]
        if (reached or not s[S.GAPS]) and rows_between(axes, outer):
            # Tiles that span rows take all of the axis before the last.
            by = outer - s[S.FLAT]
            for number in range(rows_between(axes, by)):
                row(axes, by, number)
                x, y = further(axes, by, AxisWords.ROW_STEP), further(axes, by, AxisWords.PIXEL_STEP)
                for n in range(outer):
                    y += axes[n * AXIS + AxisWords.PHASE] * axes[n * AXIS + AxisWords.Y_STEP]
                if s[S.FLAT]:
                    tiles_of_rows(s, axes, lists, lines, met, x, y, out)
                else:
                    tiles_of_row(s, axes, lists, lines, met, x, y, out)
        more = next_phase(axes, phased)


@native
def tiles_of_row(s: Ints, axes: Ints, lists: Ints, lines: Ints, met: Ints, x: int, y: int, out: Ints) -> None:
    """The tiles of one row."""
    outer = s[S.AXES] - 1
    last, before = outer * AXIS, (outer - 1) * AXIS
    combinations = list_taps(axes, outer - (s[S.ROWS] > 1), lists, met, s[S.IN_PLACE], 0)
    q = axes[before + AxisWords.AT]
    phases = min(
        s[S.ROWS],
        axes[before + AxisWords.WRITTEN] - q * axes[before + AxisWords.STRIDE] - axes[before + AxisWords.PHASE],
    )
    inner = s[S.WRITTEN] if s[S.CHANNELS_LAST] else 1
    elements = axes[last + AxisWords.STRIDE] * inner  # of y, for each q
    ends = (
        min(axes[last + AxisWords.WRITTEN] * inner, axes[last + AxisWords.Q_END] * elements)
        - axes[last + AxisWords.Q] * elements
    )
    columns = axes[last + AxisWords.Q_END] - axes[last + AxisWords.Q]
    vectors = -(-columns // s[S.LANES])
    parts = -(-vectors // s[S.VECTORS])
    at = 0
    for part in range(parts):
        width = vectors // parts + (part < vectors % parts)
        high = min(width * s[S.LANES] * elements, ends - at * elements)
        if high > 0:
            op = begin(out, (s[S.VECTORS] - width) * s[S.SIZES])
            put(out, 1)
            if s[S.IN_PLACE]:
                put_cells(s, axes, at, 1, lists, out)
            put_rows(s, axes, lists, lines, met, combinations, q, q, x + at * s[S.SIZE], out)
            put(out, y + at * axes[last + AxisWords.PIXEL_STEP])
            put(out, 0)
            put(out, high)
            put(out, phases)
            end(out, op)
        at += width * s[S.LANES]


@native
def tiles_of_rows(s: Ints, axes: Ints, lists: Ints, lines: Ints, met: Ints, x: int, y: int, out: Ints) -> None:
    """The tiles of all rows of the axis before the last, which they span."""
    outer = s[S.AXES] - 1
    last, before = outer * AXIS, (outer - 1) * AXIS
    start = axes[before + AxisWords.FROM]
    rows, pitch = axes[before + AxisWords.TO] - start, s[S.PITCH]
    x += (start - axes[before + AxisWords.Q]) * axes[before + AxisWords.ROW_STEP]
    cells_of_rows = axes[last + AxisWords.Q_END] - axes[last + AxisWords.Q] + (rows - 1) * pitch
    vectors = -(-cells_of_rows // s[S.LANES])
    parts = -(-vectors // s[S.VECTORS])
    at = 0
    for part in range(parts):
        width = vectors // parts + (part < vectors % parts)
        low = at // pitch
        high = min((at + width * s[S.LANES] - 1) // pitch, rows - 1)
        segments = 0
        for number in range(low, high + 1):
            segments += segment(s, axes, at, width, number, 0, 0, out)
        if segments:
            combinations = list_taps_of_rows(s, axes, lists, met, start + low, start + high)
            op = begin(out, (s[S.VECTORS] - width) * s[S.SIZES])
            put(out, segments)
            if s[S.IN_PLACE]:
                put_cells(s, axes, at - low * pitch, high - low + 1, lists, out)
            put_rows(s, axes, lists, lines, met, combinations, start + low, start + high, x + at * s[S.SIZE], out)
            for number in range(low, high + 1):
                segment(s, axes, at, width, number, y, 1, out)
            end(out, op)
        at += width * s[S.LANES]


@native
def segment(s: Ints, axes: Ints, at: int, width: int, number: int, y: int, write: int, out: Ints) -> int:
    """The part of a row of y that a tile reaches; whether there is any."""
    last, before = (s[S.AXES] - 1) * AXIS, (s[S.AXES] - 2) * AXIS
    inner = s[S.WRITTEN] if s[S.CHANNELS_LAST] else 1
    elements = axes[last + AxisWords.STRIDE] * inner
    column = at - number * s[S.PITCH]
    low = max(0, -column * elements)
    ends = min(axes[last + AxisWords.WRITTEN] * inner, axes[last + AxisWords.Q_END] * elements)
    high = min(width * s[S.LANES] * elements, ends - (axes[last + AxisWords.Q] + column) * elements)
    if write and low < high:
        q = axes[before + AxisWords.FROM] + number
        y += (
            column * axes[last + AxisWords.PIXEL_STEP]
            + (q - axes[before + AxisWords.Q]) * axes[before + AxisWords.PIXEL_STEP]
        )
        put(out, y)
        put(out, low)
        put(out, high)
        written = (
            axes[before + AxisWords.WRITTEN] - q * axes[before + AxisWords.STRIDE] - axes[before + AxisWords.PHASE]
        )
        put(out, min(s[S.ROWS], written))
    return low < high
