"""Rows of x on their way into the panel, as `words.Copied` lists them, and the ops that copy them."""

from __future__ import annotations

from tconv.jit.machine.native.language import Ints, native
from tconv.jit.programs.loops.chunks import begin, end, put
from tconv.jit.programs.loops.rows import base_in_x, cell, cells, left_out, rows_read
from tconv.jit.programs.loops.words import AXIS, COPIED, AxisWords, Copied


@native
def same(rows: Ints, a: int, b: int) -> int:
    """Whether two rows differ in nothing but where they lie."""
    return (
        rows[a * COPIED + Copied.LENGTH] == rows[b * COPIED + Copied.LENGTH]
        and rows[a * COPIED + Copied.BEFORE] == rows[b * COPIED + Copied.BEFORE]
        and rows[a * COPIED + Copied.BEHIND] == rows[b * COPIED + Copied.BEHIND]
    )


@native
def moved(rows: Ints, a: int, word: int) -> int:
    """How much further the next row lies."""
    return rows[(a + 1) * COPIED + word] - rows[a * COPIED + word]


@native
def joined(rows: Ints, count: int, size: int, cell: int) -> int:
    """Join rows that follow each other, in x and `cell` bytes an element in the panel; returns how many are left."""
    kept = 0
    for n in range(1, count):
        here, there = kept * COPIED, n * COPIED
        length = rows[here + Copied.LENGTH]
        # The row that was joined last says where the next one would follow.
        follows = (
            rows[there + Copied.SOURCE] - rows[here + Copied.SOURCE] == length * size
            and rows[there + Copied.TARGET] - rows[here + Copied.TARGET] == length * cell
            and rows[here + Copied.BEHIND] == 0
            and rows[there + Copied.BEFORE] == 0
        )
        if follows:
            rows[here + Copied.LENGTH] += rows[there + Copied.LENGTH]
            rows[here + Copied.BEHIND] = rows[there + Copied.BEHIND]
        else:
            kept += 1
            for word in range(COPIED):
                rows[kept * COPIED + word] = rows[there + word]
    return min(count, kept + 1)


@native
def copy(out: Ints, kernel: int, rows: Ints, count: int) -> None:
    """Write ops that copy rows, one for each run of rows that are alike and evenly spaced."""
    at = 0
    while at < count:
        number, source, target = 1, 0, 0
        if at + 1 < count and same(rows, at, at + 1):
            source, target = moved(rows, at, Copied.SOURCE), moved(rows, at, Copied.TARGET)
            number = 2
            while (
                at + number < count
                and same(rows, at, at + number)
                and moved(rows, at + number - 1, Copied.SOURCE) == source
                and moved(rows, at + number - 1, Copied.TARGET) == target
            ):
                number += 1
        op = begin(out, kernel)
        put(out, rows[at * COPIED + Copied.SOURCE])
        put(out, rows[at * COPIED + Copied.TARGET])
        put(out, number)
        put(out, source)
        put(out, target)
        for word in range(Copied.LENGTH, COPIED):
            put(out, rows[at * COPIED + word])
        end(out, op)
        at += number


@native
def list_rows(
    axes: Ints, count: int, lists: Ints, rows: Ints, before: int, behind: int, wide: int, size: int
) -> int:  # fmt: skip
    """List the rows of x of a chunk that exist, and where they go in the panel; returns how many they are.

    A row of the panel begins `before` cells before what its first q reads and ends `behind` cells behind what its last
    q does. Of a cell `wide` elements are copied, and `size` bytes lie from one to the next.
    """
    outer, kept = count - 1, 0
    last, base = outer * AXIS, base_in_x(axes, count)
    low = axes[last + AxisWords.Q] * axes[last + AxisWords.READ_STRIDE] - before
    high = (axes[last + AxisWords.Q_END] - 1) * axes[last + AxisWords.READ_STRIDE] + 1 + behind
    start, stop = max(0, low), min(axes[last + AxisWords.READ], high)
    for number in range(rows_read(axes, outer, 0)):
        exists, source, slot, rest = 1, 0, 0, number
        for reverse in range(outer):
            axis = (outer - 1 - reverse) * AXIS
            q, q_end = axes[axis + AxisWords.Q], axes[axis + AxisWords.Q_END]
            n = cells(axes[axis:], q, q_end)
            at = cell(axes[axis:], lists, q, q_end, rest % n)
            if at < 0 or at >= axes[axis + AxisWords.READ]:
                exists = 0
            source += at * axes[axis + AxisWords.X_STEP]
            slot += (rest % n - left_out(axes[axis:])) * axes[axis + AxisWords.ROW_STEP]
            rest = rest // n
        if exists:
            there = kept * COPIED
            rows[there + Copied.SOURCE], rows[there + Copied.TARGET], rows[there + Copied.LENGTH] = 0, slot, 0
            rows[there + Copied.BEFORE], rows[there + Copied.BEHIND] = 0, (high - low) * wide
            if start < stop:
                rows[there + Copied.SOURCE] = source + start * axes[last + AxisWords.X_STEP] - base
                rows[there + Copied.TARGET] = slot + (start - low) * size
                rows[there + Copied.LENGTH] = (stop - start) * wide
                rows[there + Copied.BEFORE], rows[there + Copied.BEHIND] = (start - low) * wide, (high - stop) * wide
            kept += 1
    return kept


@native
def pick(found: Ints, kernel: int, step: int, cell_size: int, channels: int, size: int, out: Ints) -> None:
    """Copy some channels of each pixel of a row, `cell_size` bytes apart in the panel, and the zeros on both sides."""
    target, length = found[Copied.TARGET], found[Copied.LENGTH]
    before, behind = found[Copied.BEFORE], found[Copied.BEHIND]
    put_zeros(out, kernel, target - before * cell_size, before * cell_size // size)
    put_zeros(out, kernel, target + length * cell_size, behind * cell_size // size)
    if length:
        op = begin(out, kernel)
        put(out, found[Copied.SOURCE])
        put(out, target)
        put(out, length)
        put(out, step)
        put(out, cell_size)
        put(out, channels)
        put(out, 0)
        put(out, 0)
        end(out, op)


@native
def put_zeros(out: Ints, kernel: int, target: int, zeros: int) -> None:
    """The op that writes so many zeros into the panel, unless there are none."""
    if zeros:
        op = begin(out, kernel)
        put(out, 0)
        put(out, target)
        put(out, 1)
        put(out, 0)
        put(out, 0)
        put(out, 0)
        put(out, 0)
        put(out, zeros)
        end(out, op)
