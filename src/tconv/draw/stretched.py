"""The stretched x of a transposed convolution done as a plain one: what stands where in it, and what a window meets.

Along each axis it is the fine grid of `ZeroInserted.as_axis`; the fine grid of the geometry is the coarse one there.
"""

from __future__ import annotations

from tconv.axis import Axis
from tconv.draw.cells import Board, Index, named, number


def plain_axis(axis: Axis) -> Axis:
    """The convolution at stride 1 that computes an axis."""
    return axis.zero_inserted.as_axis


def padded(axis: Axis) -> range:
    """Positions that windows read: the stretched cells, and zeros around them or less where the padding crops."""
    a = plain_axis(axis)
    return range(-a.padding[0], a.fine + a.padding[1])


def window(axis: Axis, o: int) -> range:
    """Positions under the taps of a fine cell, from the first flipped tap to the last."""
    a = plain_axis(axis)
    start = o - a.padding[0]
    return range(start, start + a.effective_kernel, a.dilation)


def meeting(axis: Axis, o: int) -> set[int]:
    """The places in the flipped kernel that meet a value of x in the window of a fine cell."""
    return {window(axis, o).index(c * axis.stride) for c in axis.receptive_field(o)}


def slice_through(board: Board, at: Index) -> tuple[Index, Index]:
    """The coarse cell and the tap that the slice goes through, along the axes that are not in the picture."""
    cells, taps = [], []
    for axis, o in zip(board.outer, at, strict=False):
        read = axis.receptive_field(o)
        c = read[len(read) // 2] if read else axis.coarse // 2
        cells.append(c)
        flipped = window(axis, o).index(c * axis.stride) if read else axis.kernel // 2
        taps.append(axis.kernel - 1 - flipped)
    return tuple(cells), tuple(taps)


def flipped_tap(board: Board, through: Index, row: int, column: int) -> Index:
    """The tap that lies in the flipped kernel at a place of the picture."""
    return board.whole(through, board.rows.kernel - 1 - row, board.columns.kernel - 1 - column)


def standing(board: Board, before: Index, *at: int) -> tuple[str, str, str]:
    """The kind of a position of the stretched x, what stands there, and which cell of x it is, if any."""
    pairs = list(zip((board.rows, board.columns), at, strict=True))
    read = all(p in padded(axis) for axis, p in pairs)
    if not all(0 <= p < axis.zero_inserted.stretched for axis, p in pairs):
        return ("padding" if read else "left"), "0", ""
    if any(p % axis.stride for axis, p in pairs):
        return ("zero" if read else "left"), "0", ""
    index = board.whole(before, *(p // axis.stride for axis, p in pairs))
    return ("coarse" if read else "left"), number(board.x(index)), named("x", index)
