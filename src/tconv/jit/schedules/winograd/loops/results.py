"""Results of tiles from their points, into y or by way of the block."""

from __future__ import annotations

from tconv.jit.machine.native.language import Ints, native
from tconv.jit.programs.loops.chunks import begin, end, put
from tconv.jit.programs.loops.words import AXIS, AxisWords
from tconv.jit.schedules.winograd.loops.inputs import tiles_of
from tconv.jit.schedules.winograd.loops.products import rows_of_tiles
from tconv.jit.schedules.winograd.loops.words import FILTERED, A, W


@native
def exist(axis: Ints, tile: int) -> int:
    """Positions of y from the first of a tile on."""
    return max(0, axis[AxisWords.WRITTEN] - (axis[AxisWords.Q] + tile) * axis[AxisWords.STRIDE])


@native
def y_of_row(s: Ints, axes: Ints, number: int) -> int:
    """Where a row of tiles begins in y, from where the chunk does."""
    found = 0
    for reverse in range(s[W.AXES] - 1):
        axis = (s[W.AXES] - 2 - reverse) * AXIS
        n = tiles_of(axes[axis:])
        found += (number % n) * axes[axis + AxisWords.PIXEL_STEP]
        number = number // n
    return found


@native
def results(s: Ints, axes: Ints, filters: Ints, out: Ints) -> None:
    """The results of each row of tiles."""
    rows, last = rows_of_tiles(s, axes), (s[W.AXES] - 1) * AXIS
    before, wide = last - AXIS, filters[(s[W.AXES] - 1) * FILTERED + A.OUTPUTS]
    high = filters[(s[W.AXES] - 2) * FILTERED + A.OUTPUTS]
    columns = tiles_of(axes[last:])
    for row in range(rows):
        op = begin(out, s[W.OUTPUT])
        put(out, row * columns * s[W.POSITION])
        if s[W.DIRECT]:
            put(out, y_of_row(s, axes, row))
            put(out, columns)
            put(out, exist(axes[before:], row % tiles_of(axes[before:])))
            put(out, exist(axes[last:], 0))
        else:
            put(out, s[W.RESULTS_AT] + row * high * columns * wide * s[W.POSITION])
            put(out, columns)
            put(out, high)
            put(out, columns * wide)
        put(out, rows * columns * s[W.POSITION])
        if s[W.DIRECT]:
            put(out, axes[before + AxisWords.Y_STEP])
            put(out, axes[last + AxisWords.Y_STEP])
        else:
            put(out, columns * wide * s[W.POSITION])
            put(out, s[W.POSITION])
        end(out, op)


@native
def moves(s: Ints, axes: Ints, filters: Ints, out: Ints) -> None:
    """Results from the block into y: rows that follow each other in both as one."""
    rows, last = rows_of_tiles(s, axes), (s[W.AXES] - 1) * AXIS
    before, wide = last - AXIS, filters[(s[W.AXES] - 1) * FILTERED + A.OUTPUTS]
    high = filters[(s[W.AXES] - 2) * FILTERED + A.OUTPUTS]
    line = tiles_of(axes[last:]) * wide
    length, step = min(line, exist(axes[last:], 0)), axes[last + AxisWords.Y_STEP]
    source, target, waiting = 0, 0, 0
    for row in range(rows):
        y = y_of_row(s, axes, row)
        for i in range(min(high, exist(axes[before:], row % tiles_of(axes[before:])))):
            here, there = (row * high + i) * line, y + i * axes[before + AxisWords.Y_STEP]
            if waiting and (here != source + waiting or there != target + waiting * step):
                move(s, source, target, waiting, out)
                waiting = 0
            if not waiting:
                source, target = here, there
            waiting += length
    if waiting:
        move(s, source, target, waiting, out)


@native
def move(s: Ints, source: int, target: int, count: int, out: Ints) -> None:
    """The op that transposes so many positions of the block into y."""
    op = begin(out, s[W.MOVE])
    put(out, s[W.RESULTS_AT] + source * s[W.POSITION])
    put(out, target)
    put(out, count)
    end(out, op)
