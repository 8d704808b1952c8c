"""The chunks of weight gradients: what is copied for each, and its sums (`schedule.py` says what these are)."""

from __future__ import annotations

from tconv.jit.kernels.abi import Piece
from tconv.jit.machine.native.language import Ints, native
from tconv.jit.programs.loops.chunks import advance, classify, locate, offset, select, select_later, share
from tconv.jit.programs.loops.copies import copy, list_rows, pick
from tconv.jit.programs.loops.words import AXIS, COPIED, PIECE, AxisWords, Copied, Out
from tconv.jit.schedules.gradient.loops.sums import sums_of_chunk
from tconv.jit.schedules.gradient.loops.words import G


@native
def chunks_of_gradient(
    s: Ints, axes: Ints, lists: Ints, widths: Ints, classes: Ints, rows: Ints, met: Ints, units: Ints, chunks: Ints,
    out: Ints,
) -> int:  # fmt: skip
    """Write the copies and ops of chunks; returns how many there are.

    The first one begins sums, the last one moves the block into dw; these have ops of their own.
    """
    count, more, total = s[G.AXES], 1, 1
    classify(axes, count, classes)
    for n in range(count):
        total *= axes[n * AXIS + AxisWords.PARTS]
    select_later(axes, count, total - 1)
    while more:
        number = select(axes, count, classes)
        chunk = number * PIECE
        chunks[chunk + Piece.COPIES] = 8 * out[Out.USED]
        if not s[G.IN_PLACE] and not s[G.TRANSPOSED]:
            copies(s, axes, lists, rows, out)
        chunks[chunk + Piece.COPIES_END], chunks[chunk + Piece.OPS] = 8 * out[Out.USED], 8 * out[Out.USED]
        if members(axes, count, classes) > (number == 0) + (total > 1 and is_last(axes, count, classes)):
            sums_of_chunk(s, axes, lists, widths, rows, met, units, 1, 0, out)
        chunks[chunk + Piece.OPS_END] = 8 * out[Out.USED]
        more = advance(axes, count)
    spread(axes, count, classes, total, chunks)
    for number in range(0, total, max(1, total - 1)):
        select_later(axes, count, number)
        for n in range(count):
            axes[n * AXIS + AxisWords.Q] = axes[n * AXIS + AxisWords.LATER]
            axes[n * AXIS + AxisWords.Q_END] = axes[n * AXIS + AxisWords.LATER_END]
        chunks[number * PIECE + Piece.OPS] = 8 * out[Out.USED]
        sums_of_chunk(s, axes, lists, widths, rows, met, units, number > 0, number == total - 1, out)
        chunks[number * PIECE + Piece.OPS_END] = 8 * out[Out.USED]
    return total


@native
def members(axes: Ints, count: int, classes: Ints) -> int:
    """How many chunks are alike with the one of the classes at hand."""
    total = 1
    for n in range(count):
        axis = n * AXIS
        at, parts, found = axes[axis + AxisWords.CLASS_AT], axes[axis + AxisWords.PARTS], 0
        for part in range(parts):
            found += classes[at + part] == classes[at + parts + axes[axis + AxisWords.CLASS]]
        total *= found
    return total


@native
def is_last(axes: Ints, count: int, classes: Ints) -> int:
    """Whether the last of all chunks is alike with the one of the classes at hand."""
    for n in range(count):
        axis = n * AXIS
        at, parts = axes[axis + AxisWords.CLASS_AT], axes[axis + AxisWords.PARTS]
        if classes[at + parts - 1] != classes[at + parts + axes[axis + AxisWords.CLASS]]:
            return 0
    return 1


@native
def spread(axes: Ints, count: int, classes: Ints, total: int, chunks: Ints) -> None:
    """Every chunk: where it begins on both grids, and what the first that is alike has."""
    for number in range(total):
        share(chunks, locate(axes, count, classes, number), number)
        chunks[number * PIECE + Piece.X] = offset(axes, count, AxisWords.READ_STEP)
        chunks[number * PIECE + Piece.W] = offset(axes, count, AxisWords.Y_STEP)
        chunks[number * PIECE + Piece.Y] = 0


@native
def copies(s: Ints, axes: Ints, lists: Ints, rows: Ints, out: Ints) -> None:
    """Rows of the fine grid into the panel, with zeros around."""
    last = (s[G.AXES] - 1) * AXIS
    found = list_rows(axes, s[G.AXES], lists, rows, s[G.BEFORE], s[G.BEHIND], s[G.WIDE], s[G.CELL])
    if s[G.CHANNEL_SUBSET]:
        step = axes[last + AxisWords.X_STEP]
        for number in range(found):
            pick(rows[number * COPIED :], s[G.COPY], step, s[G.CELL], s[G.OUTPUTS], s[G.SIZE], out)
        return
    for channel in range(s[G.CHANNELS]):
        for number in range(found if channel else 0):
            rows[number * COPIED + Copied.SOURCE] += s[G.X_CHANNEL]
            rows[number * COPIED + Copied.TARGET] += s[G.SOURCE_CHANNEL]
        copy(out, s[G.COPY], rows, found)
