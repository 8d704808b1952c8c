"""The chunks of schedules with pixels in lanes (`kernels/pixels.py` says what their ops are)."""

from __future__ import annotations

from tconv.jit.kernels.abi import Piece
from tconv.jit.machine.native.language import Ints, native
from tconv.jit.programs.loops.chunks import advance, classify, select, select_later, spread, stay
from tconv.jit.programs.loops.finish import finish
from tconv.jit.programs.loops.words import AXIS, PIECE, AxisWords, Out
from tconv.jit.schedules.pixels.loops.panel import copies, lines_of
from tconv.jit.schedules.pixels.loops.planes import planes
from tconv.jit.schedules.pixels.loops.tiles import tiles
from tconv.jit.schedules.pixels.loops.words import S


@native
def chunks_of_pixels(
    s: Ints, axes: Ints, lists: Ints, classes: Ints, rows: Ints, lines: Ints, met: Ints, chunks: Ints, out: Ints
) -> int:
    """Write the copies and ops of chunks; returns how many chunks have something to compute."""
    count = s[S.AXES]
    classify(axes, count, classes)
    more, total = 1, 1
    for n in range(count):
        total *= axes[n * AXIS + AxisWords.PARTS]
    while more:
        number = select(axes, count, classes)
        start = out[Out.USED]
        if not s[S.IN_PLACE]:
            copies(s, axes, lists, rows, out)
        middle = out[Out.USED]
        if s[S.PLANES]:
            planes(s, axes, lists, out)
        else:
            s[S.LINES], s[S.ASKED] = 0, 0
            if s[S.GROUPS] > 1:
                stay(axes, count)
                lines_of(s, axes, lists, lines, s[S.THREADS] * s[S.X_GROUP])
            elif number + s[S.THREADS] < total:
                select_later(axes, count, number + s[S.THREADS])
                lines_of(s, axes, lists, lines, 0)
            tiles(s, axes, lists, rows, lines, met, out)
        if s[S.FINISH]:
            finish(axes, count, s[S.FINISH], out)
        chunk = number * PIECE
        chunks[chunk + Piece.COPIES], chunks[chunk + Piece.COPIES_END] = 8 * start, 8 * middle
        chunks[chunk + Piece.OPS], chunks[chunk + Piece.OPS_END] = 8 * middle, 8 * out[Out.USED]
        more = advance(axes, count)
    return spread(axes, count, classes, chunks)
