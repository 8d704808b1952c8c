"""The chunks of minimal filtering: copies and transforms of x, products, and transforms of results."""

from __future__ import annotations

from tconv.jit.kernels.abi import Piece
from tconv.jit.machine.native.language import Ints, native
from tconv.jit.programs.loops.chunks import advance, classify, select, spread
from tconv.jit.programs.loops.finish import finish
from tconv.jit.programs.loops.words import PIECE, Out
from tconv.jit.schedules.winograd.loops.inputs import copies, points, turn
from tconv.jit.schedules.winograd.loops.products import products
from tconv.jit.schedules.winograd.loops.results import moves, results
from tconv.jit.schedules.winograd.loops.words import A, W


@native
def chunks_of_winograd(
    s: Ints, axes: Ints, filters: Ints, lists: Ints, shapes: Ints, classes: Ints, rows: Ints, chosen: Ints,
    segments: Ints, chunks: Ints, out: Ints,
) -> int:  # fmt: skip
    """Write the copies and ops of chunks; returns how many chunks have something to compute."""
    count, more = s[W.AXES], 1
    classify(axes, count, classes)
    while more:
        chunk = select(axes, count, classes) * PIECE
        start = out[Out.USED]
        copies(s, axes, filters, rows, out)
        points(s, axes, filters, lists, out)
        middle = out[Out.USED]
        phases = 1
        while phases:
            products(s, axes, filters, lists, shapes, chosen, segments, out)
            results(s, axes, filters, out)
            phases = turn(filters, count, A.PHASES)
        if not s[W.DIRECT]:
            moves(s, axes, filters, out)
        if s[W.FINISH]:
            finish(axes, count, s[W.FINISH], out)
        chunks[chunk + Piece.COPIES], chunks[chunk + Piece.COPIES_END] = 8 * start, 8 * middle
        chunks[chunk + Piece.OPS], chunks[chunk + Piece.OPS_END] = 8 * middle, 8 * out[Out.USED]
        more = advance(axes, count)
    return spread(axes, count, classes, chunks)
