"""The chunks of schedules with channels in lanes (`kernels/channels.py` says what their ops are)."""

from __future__ import annotations

from tconv.jit.kernels.abi import Piece
from tconv.jit.machine.native.language import Ints, native
from tconv.jit.programs.loops.chunks import advance, begin, classify, end, put, select, spread
from tconv.jit.programs.loops.finish import finish
from tconv.jit.programs.loops.rows import first_phase, next_phase, of_phase, rows_between
from tconv.jit.programs.loops.words import AXIS, PIECE, AxisWords, Out
from tconv.jit.schedules.channels.loops.block import moves
from tconv.jit.schedules.channels.loops.copies import copies
from tconv.jit.schedules.channels.loops.rows import phase
from tconv.jit.schedules.channels.loops.taps import segment_end
from tconv.jit.schedules.channels.loops.words import C


@native
def chunks_of_channels(
    s: Ints, axes: Ints, lists: Ints, shapes: Ints, classes: Ints, rows: Ints, met: Ints, taps: Ints, chosen: Ints,
    begun: Ints, chunks: Ints, out: Ints,
) -> int:  # fmt: skip
    """Write the copies and ops of chunks; returns how many chunks have something to compute."""
    count, more = s[C.AXES], 1
    classify(axes, count, classes)
    while more:
        chunk = select(axes, count, classes) * PIECE
        start = out[Out.USED]
        if not s[C.IN_PLACE]:
            copies(s, axes, lists, rows, out)
        middle = out[Out.USED]
        ops(s, axes, lists, shapes, met, taps, chosen, begun, out)
        if s[C.FINISH]:
            finish(axes, count, s[C.FINISH], out)
        chunks[chunk + Piece.COPIES], chunks[chunk + Piece.COPIES_END] = 8 * start, 8 * middle
        chunks[chunk + Piece.OPS], chunks[chunk + Piece.OPS_END] = 8 * middle, 8 * out[Out.USED]
        more = advance(axes, count)
    return spread(axes, count, classes, chunks)


@native
def ops(
    s: Ints, axes: Ints, lists: Ints, shapes: Ints, met: Ints, taps: Ints, chosen: Ints, begun: Ints, out: Ints
) -> None:  # fmt: skip
    """The tiles of a chunk, for one part of the input channels after the other, then the block into y."""
    if s[C.PACK]:
        pack(s, 0, out)  # the bias
    number = 1
    for first in range(0, s[C.READ], s[C.PART]):
        if s[C.PACK]:
            pack(s, number, out)
        compute(s, axes, lists, shapes, met, taps, chosen, begun, first, out)
        number += 1
    if not s[C.DIRECT]:
        moves(s, axes, out)


@native
def pack(s: Ints, number: int, out: Ints) -> None:
    """Pack a block of weights on the fly."""
    op = begin(out, s[C.PACK])
    put(out, number * s[C.BLOCK])
    end(out, op)


@native
def compute(
    s: Ints, axes: Ints, lists: Ints, shapes: Ints, met: Ints, taps: Ints, chosen: Ints, begun: Ints, first: int,
    out: Ints,
) -> None:  # fmt: skip
    """The tiles of a chunk, for a part of the input channels."""
    count = s[C.AXES] - 1
    last = count * AXIS
    if s[C.AT_ONCE]:
        at_once(s, axes, lists, out)
    more = first_phase(axes, count)
    while more:
        for n in range(count):
            of_phase(axes[n * AXIS :])
        if rows_between(axes, count):
            for b in range(1 if s[C.PHASES] else axes[last + AxisWords.STRIDE]):
                axes[last + AxisWords.PHASE] = b
                low, high = axes[last + AxisWords.Q], axes[last + AxisWords.Q_END]
                if not s[C.PHASES]:
                    of_phase(axes[last:])
                    low, high = axes[last + AxisWords.FROM], axes[last + AxisWords.TO]
                while low < high:
                    stop = segment_end(s, axes[last:], lists, low, high) if s[C.CUT] else high
                    phase(s, axes, lists, shapes, met, taps, chosen, begun, first, low, stop, out)
                    low = stop
        more = next_phase(axes, count)


@native
def at_once(s: Ints, axes: Ints, lists: Ints, out: Ints) -> None:
    """All phases of the cells within, row by row."""
    count = s[C.AXES] - 1
    before, last = (count - 1) * AXIS, count * AXIS
    low = max(axes[last + AxisWords.Q], s[C.COLUMNS])
    columns = min(axes[last + AxisWords.Q_END], s[C.COLUMNS_END]) - low
    for n in range(count):
        axes[n * AXIS + AxisWords.FROM], axes[n * AXIS + AxisWords.TO] = (
            axes[n * AXIS + AxisWords.Q],
            axes[n * AXIS + AxisWords.Q_END],
        )
    axes[before + AxisWords.FROM] = max(axes[before + AxisWords.Q], s[C.WITHIN])
    axes[before + AxisWords.TO] = min(axes[before + AxisWords.Q_END], s[C.WITHIN_END])
    if columns <= 0:
        return
    shifts = axes[before + AxisWords.SHIFTS_AT]
    parts = -(-columns // s[C.TOGETHER])
    for number in range(rows_between(axes, count)):
        at = low - axes[last + AxisWords.Q]
        x, y, rest = at * axes[last + AxisWords.READ_STEP], at * axes[last + AxisWords.PIXEL_STEP], number
        for reverse in range(count):
            axis = (count - 1 - reverse) * AXIS
            n = axes[axis + AxisWords.TO] - axes[axis + AxisWords.FROM]
            further = axes[axis + AxisWords.FROM] + rest % n - axes[axis + AxisWords.Q]
            rest = rest // n
            x += further * axes[axis + AxisWords.READ_STEP]
            y += further * axes[axis + AxisWords.PIXEL_STEP]
        for part in range(parts):
            some = columns // parts + (part < columns % parts)
            op = begin(out, s[C.AT_ONCE])
            put(out, some)
            put(out, y)
            for n in range(lists[shifts]):
                put(out, x + lists[shifts + 1 + 2 * n] * axes[before + AxisWords.X_STEP])
            end(out, op)
            x += some * axes[last + AxisWords.READ_STEP]
            y += some * axes[last + AxisWords.PIXEL_STEP]
