"""Where results with channels in lanes are written: straight into y, or into the block, which is moved then."""

from __future__ import annotations

from tconv.jit.machine.native.language import Ints, native
from tconv.jit.programs.loops.chunks import begin, end, put
from tconv.jit.programs.loops.words import AXIS, AxisWords
from tconv.jit.schedules.channels.loops.words import C


@native
def fine(axis: Ints) -> int:
    """Positions of y that a chunk has along an axis."""
    stop = min(axis[AxisWords.WRITTEN], axis[AxisWords.Q_END] * axis[AxisWords.STRIDE])
    return max(0, stop - axis[AxisWords.Q] * axis[AxisWords.STRIDE])


@native
def positions(s: Ints, axes: Ints, number: int) -> int:
    """Bytes from a position of the block to the next along an outer axis."""
    count = s[C.AXES] - s[C.PHASES]
    last = (s[C.AXES] - 1) * AXIS
    found = s[C.POSITION]
    if s[C.PHASES]:
        found *= axes[last + AxisWords.Q_END] - axes[last + AxisWords.Q]
    for n in range(number + 1, count):
        found *= fine(axes[n * AXIS :])
    return found


@native
def target_of(s: Ints, axes: Ints) -> int:
    """Where the first column of a row of the phases at hand is written."""
    count, target = s[C.AXES] - 1, 0
    last = count * AXIS
    for n in range(count):
        step = axes[n * AXIS + AxisWords.Y_STEP] if s[C.DIRECT] else positions(s, axes, n)
        target += axes[n * AXIS + AxisWords.PHASE] * step
    if not s[C.PHASES]:
        target += axes[last + AxisWords.PHASE] * (axes[last + AxisWords.Y_STEP] if s[C.DIRECT] else s[C.POSITION])
    return target


@native
def follows(axes: Ints) -> int:
    """Whether the next position of an axis lies behind the last one of the axis after it."""
    return axes[AxisWords.Y_STEP] == axes[AXIS + AxisWords.WRITTEN] * axes[AXIS + AxisWords.Y_STEP]


@native
def moves(s: Ints, axes: Ints, out: Ints) -> None:
    """The block into y: positions that follow each other, or all q of a row where phases are in lanes."""
    count, total, together = s[C.AXES] - s[C.PHASES], 1, 1
    last = (s[C.AXES] - 1) * AXIS
    if not s[C.PHASES]:
        # Whole trailing axes, and the one before them, if rows follow each other.
        more = 1
        while more:
            count -= 1
            together *= fine(axes[count * AXIS :])
            more = count > 1 and fine(axes[count * AXIS :]) == axes[count * AXIS + AxisWords.WRITTEN]
            more = more and follows(axes[(count - 1) * AXIS :])
    columns = axes[last + AxisWords.Q_END] - axes[last + AxisWords.Q]
    start = axes[last + AxisWords.Q] * axes[last + AxisWords.STRIDE] - axes[last + AxisWords.ORIGIN]
    for n in range(count):
        total *= fine(axes[n * AXIS :])
    for number in range(total):
        y, rest = 0, number
        for reverse in range(count):
            axis = (count - 1 - reverse) * AXIS
            n = fine(axes[axis:])
            y += (rest % n) * axes[axis + AxisWords.Y_STEP]
            rest = rest // n
        op = begin(out, s[C.MOVE])
        put(out, number * (columns if s[C.PHASES] else together) * s[C.POSITION])
        put(out, y)
        put(out, columns if s[C.PHASES] else together)
        if s[C.PHASES]:
            put(out, axes[last + AxisWords.PIXEL_STEP])
            put(out, s[C.RUN])
            put(out, max(0, -start) * s[C.ELEMENTS])
            put(out, (axes[last + AxisWords.WRITTEN] - start) * s[C.ELEMENTS])
        end(out, op)
