"""Depthwise layers, channels first: one op for all rows of a chunk (`kernels/planes.py`)."""

from __future__ import annotations

from tconv.jit.machine.native.language import Ints, native
from tconv.jit.programs.loops.chunks import begin, end, put
from tconv.jit.programs.loops.rows import first_phase, further, next_phase, of_phase, row, rows_between, tap_reads
from tconv.jit.programs.loops.words import AXIS, AxisWords
from tconv.jit.schedules.pixels.loops.reads import column_reads
from tconv.jit.schedules.pixels.loops.words import S


@native
def planes(s: Ints, axes: Ints, lists: Ints, out: Ints) -> None:
    """For each phase and q of the axes before the last two, one op for all rows of the chunk (`kernels/planes.py`)."""
    count, number = s[S.AXES] - 2, 0
    before = count * AXIS
    line, line_end = axes[before + AxisWords.Q], axes[before + AxisWords.Q_END]
    whole = line_end
    if s[S.ROWS] > 1:  # the last row may lack some of the phases
        whole = max(line, min(line_end, axes[before + AxisWords.WRITTEN] // axes[before + AxisWords.STRIDE]))
    more = first_phase(axes, count)
    while more:
        for n in range(count):
            of_phase(axes[n * AXIS :])
        for at in range(rows_between(axes, count)):
            row(axes, count, at)
            if line < whole:
                plane(s, axes, lists, number, line, whole, out)
            if whole < line_end:
                plane(s, axes, lists, number, whole, line_end, out)
        number += 1
        more = next_phase(axes, count)


@native
def plane(s: Ints, axes: Ints, lists: Ints, number: int, start: int, stop: int, out: Ints) -> None:
    """The op of some rows of a plane, and what writes them if they go through the block."""
    count = s[S.AXES] - 2
    before, last = count * AXIS, (count + 1) * AXIS
    stride = axes[before + AxisWords.STRIDE]
    axes[before + AxisWords.AT], combinations = start, 1
    x, y = further(axes, count + 1, AxisWords.ROW_STEP), further(axes, count + 1, AxisWords.PIXEL_STEP)
    for n in range(count):
        axis = n * AXIS
        y += axes[axis + AxisWords.PHASE] * axes[axis + AxisWords.Y_STEP]
        combinations *= lists[lists[axes[axis + AxisWords.TAPS_AT] + axes[axis + AxisWords.PHASE]]]
    first = axes[last + AxisWords.Q] * axes[last + AxisWords.STRIDE]
    elements = min(axes[last + AxisWords.WRITTEN], axes[last + AxisWords.Q_END] * axes[last + AxisWords.STRIDE]) - first
    phases = min(s[S.ROWS], axes[before + AxisWords.WRITTEN] - start * stride) if s[S.ROWS] > 1 else 1
    op = begin(out, lists[s[S.PLANES] + number])
    put(out, 0 if s[S.THROUGH_BLOCK] else y)
    put(out, number * s[S.PER_PHASE])
    put(out, stop - start)
    put(out, phases)
    put(out, elements)
    shifts = axes[before + AxisWords.SHIFTS_AT]
    for which in range(combinations):
        reads = x + plane_reads(s, axes, lists, which)
        for n in range(lists[shifts]):
            of_row = reads + tap_reads(
                axes[before:], lists[shifts + 1 + 2 * n], lists[shifts + 2 + 2 * n], s[S.IN_PLACE]
            )
            for strand in range(s[S.STRANDS]):
                put(out, of_row + column_reads(s, axes, lists, strand))
    end(out, op)
    if s[S.THROUGH_BLOCK]:
        written = (stop - start - 1) * stride + phases if s[S.ROWS] > 1 else stop - start
        op = begin(out, s[S.THROUGH_BLOCK])
        put(out, 0)
        put(out, y)
        put(out, written * elements)
        end(out, op)


@native
def plane_reads(s: Ints, axes: Ints, lists: Ints, number: int) -> int:
    """Where a combination of taps of the axes before the last two reads."""
    count, reads = s[S.AXES] - 2, 0
    for reverse in range(count):
        axis = (count - 1 - reverse) * AXIS
        taps = lists[axes[axis + AxisWords.TAPS_AT] + axes[axis + AxisWords.PHASE]]
        tap = taps + 1 + 3 * (number % lists[taps])
        number = number // lists[taps]
        reads += tap_reads(axes[axis:], lists[tap + 1], lists[tap + 2], s[S.IN_PLACE])
    return reads
