"""Results of tiles from their points, into y or by way of the block."""

from __future__ import annotations

from tconv.jit.machine.native.language import Ints, native
from tconv.jit.programs.loops.chunks import begin, end, put
from tconv.jit.programs.loops.words import AXIS, AxisWords
from tconv.jit.schedules.winograd.loops.inputs import tiles_of
from tconv.jit.schedules.winograd.loops.products import rows_of_tiles
from tconv.jit.schedules.winograd.loops.words import FILTERED, A, W


@native
def exist(axis: Ints, filter: Ints, tile: int) -> int:
    """Results of the phase at hand, from the first of a tile on."""
    first = (axis[AxisWords.Q] + tile) * axis[AxisWords.STRIDE] + filter[A.PHASE]
    return max(0, -((first - axis[AxisWords.WRITTEN]) // filter[A.STRIDE]))


@native
def positions(axis: Ints) -> int:
    """Positions of the tiles of a chunk along an axis, those beside y among them."""
    return tiles_of(axis) * axis[AxisWords.STRIDE]


@native
def results(s: Ints, axes: Ints, filters: Ints, out: Ints) -> None:
    """The results of the phases at hand, a row of tiles at a time."""
    rows, outer = rows_of_tiles(s, axes), s[W.AXES] - 1
    last, of_last, before, of_before = outer * AXIS, outer * FILTERED, (outer - 1) * AXIS, (outer - 1) * FILTERED
    columns, line = tiles_of(axes[last:]), positions(axes[last:])
    height, width = filters[of_before + A.STRIDE], filters[of_last + A.STRIDE]
    for row in range(rows):
        exists, target, rest, scale = 1, 0, row, line
        for reverse in range(outer):
            axis, of_axis = (outer - 1 - reverse) * AXIS, (outer - 1 - reverse) * FILTERED
            n = tiles_of(axes[axis:])
            at = (rest % n) * axes[axis + AxisWords.STRIDE] + filters[of_axis + A.PHASE]
            if exist(axes[axis:], filters[of_axis:], rest % n) == 0:
                exists = 0
            target += at * (axes[axis + AxisWords.Y_STEP] if s[W.DIRECT] else scale * s[W.POSITION])
            scale *= positions(axes[axis:])
            rest = rest // n
        if exists:
            step = axes[last + AxisWords.Y_STEP] if s[W.DIRECT] else s[W.POSITION]
            op = begin(out, s[W.OUTPUT])
            put(out, row * columns * s[W.POSITION])
            put(out, target + filters[of_last + A.PHASE] * step + (0 if s[W.DIRECT] else s[W.RESULTS_AT]))
            put(out, columns)
            put(out, exist(axes[before:], filters[of_before:], row % tiles_of(axes[before:])))
            put(out, exist(axes[last:], filters[of_last:], 0))
            put(out, rows * columns * s[W.POSITION])
            put(out, height * (axes[before + AxisWords.Y_STEP] if s[W.DIRECT] else line * s[W.POSITION]))
            put(out, width * step)
            end(out, op)


@native
def moves(s: Ints, axes: Ints, filters: Ints, out: Ints) -> None:
    """Results of all phases from the block into y: rows that follow each other in both as one."""
    outer, total = s[W.AXES] - 1, 1
    last = outer * AXIS
    line, step = positions(axes[last:]), axes[last + AxisWords.Y_STEP]
    length = min(line, axes[last + AxisWords.WRITTEN] - axes[last + AxisWords.Q] * axes[last + AxisWords.STRIDE])
    for n in range(outer):
        total *= positions(axes[n * AXIS :])
    source, target, waiting = 0, 0, 0
    for row in range(total):
        exists, y, rest = 1, 0, row
        for reverse in range(outer):
            axis = (outer - 1 - reverse) * AXIS
            n = positions(axes[axis:])
            y += (rest % n) * axes[axis + AxisWords.Y_STEP]
            if axes[axis + AxisWords.Q] * axes[axis + AxisWords.STRIDE] + rest % n >= axes[axis + AxisWords.WRITTEN]:
                exists = 0
            rest = rest // n
        if exists:
            if waiting and (row * line != source + waiting or y != target + waiting * step):
                move(s, source, target, waiting, out)
                waiting = 0
            if not waiting:
                source, target = row * line, y
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
