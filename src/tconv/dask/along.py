"""One axis cut into blocks: which cells a block reads, beyond the ends too, and from which chunks they come.

A block reads what it would on a grid without ends. What lies beyond the ends is zero, and so all blocks of a length
that start at the same place between strides are one layer, at the borders as inside: a grid of any number of blocks
needs a program or two along an axis.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate, pairwise
from typing import NamedTuple, TypeAlias

from tconv.axis import Axis
from tconv.block import reached
from tconv.problem import Operation

Chunks: TypeAlias = tuple[int, ...]
#: The first cell and the one past the last.
Range: TypeAlias = tuple[int, int]


class Piece(NamedTuple):
    """Cells of one chunk that a block reads."""

    cells: Range  #: in the chunk
    at: int  #: where they begin in what the block reads


class Part(NamedTuple):
    """What a block does along an axis, wherever the block is; few differ."""

    size: int  #: cells that it computes; of a weight gradient, cells of x
    read: int  #: cells that it reads, those beyond the ends among them
    padding: Range  #: (low, high) of the layer that maps one to the other
    inside: Range  #: those of the cells read that are on the grid
    pieces: tuple[Piece, ...]  #: none where no cell that is read is on the grid


class Along(NamedTuple):
    """A block along an axis."""

    part: Part
    chunks: tuple[int, ...]  #: which ones the pieces come from


def blocks(operation: Operation, axis: Axis, read: Chunks, written: Chunks) -> tuple[Along, ...]:
    """The blocks of an axis; the grid that is read is in chunks `read`, and the blocks are the chunks `written`.

    The blocks of a weight gradient are those of x, and read y as a convolution does.
    """
    known: dict[Part, Part] = {}
    edges = bounds(read)
    found = []
    for start, stop in pairwise(bounds(written)):
        made = _block(operation, axis, edges, start, stop)
        found.append(made._replace(part=known.setdefault(made.part, made.part)))
    return tuple(found)


def _block(operation: Operation, axis: Axis, edges: list[int], start: int, stop: int) -> Along:
    k, s, d, low = axis.kernel, axis.stride, axis.dilation, axis.padding[0]
    if start == stop:
        return Along(Part(0, 0, (0, 0), (0, 0), ()), ())
    up = operation == "conv_transpose"
    first, end = reached("conv_transpose" if up else "conv", start, stop, k, s, d, low)
    padding = (0, 0)
    if up:
        local = low + start - first * s
        padding = (local, (end - first - 1) * s + d * (k - 1) + 1 - local - (stop - start))
    chunks, pieces = [], []
    for number in range(max(0, bisect_right(edges, first) - 1), len(edges) - 1):
        begin, until = max(first, edges[number]), min(end, edges[number + 1])
        if edges[number] >= end:
            break
        if begin < until:
            chunks.append(number)
            pieces.append(Piece((begin - edges[number], until - edges[number]), begin - first))
    inside = (max(first, 0) - first, min(end, edges[-1]) - first) if pieces else (0, 0)
    return Along(Part(stop - start, max(0, end - first), padding, inside, tuple(pieces)), tuple(chunks))


def bounds(chunks: Chunks) -> list[int]:
    """Where chunks begin, and the end."""
    return [0, *accumulate(chunks)]
