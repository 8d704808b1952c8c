"""A block of a grid: which cells of the other grid it needs, and the padding that makes it a layer of its own.

Running that layer on those cells alone gives the block, no cell more and none less: nothing is trimmed, nothing is
added up. Arithmetic on Python integers, exact at any size; `Axis.coarse_range` and `Axis.fine_range` are the public way
in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Block:
    """The cells [start, stop) that a block of results needs, and what makes them a layer of their own.

    With the kernel, stride and dilation of the whole, `padding` and `output_padding`, the layer maps the needed cells
    to exactly the block, in the direction that was asked for (`Axis.local` is its axis). Where `is_empty`, no cell is
    needed: the block is the bias alone, and there is no layer.
    """

    start: int
    stop: int
    padding: tuple[int, int]  #: (low, high) of the local layer, negative ones among them: they crop, or pad with zeros
    coarse: int  #: coarse cells of the local layer: those needed by `coarse_range`, those computed by `fine_range`
    output_padding: int = 0  #: of the local layer; the high padding says it all, so none is needed

    @property
    def is_empty(self) -> bool:
        """Whether no cell is needed: every tap of the block lands in padding, or on nothing."""
        return self.start == self.stop

    @property
    def cells(self) -> tuple[int, int]:
        """(start, stop)"""
        return self.start, self.stop


#: Nothing is needed.
_EMPTY = Block(0, 0, (0, 0), 0)


def coarse_range(start: int, stop: int, coarse: int, k: int, s: int, d: int, low: int) -> Block:
    """The coarse cells that the fine cells [start, stop) read in the transposed convolution."""
    first, end = reached("conv_transpose", start, stop, k, s, d, low)
    first, end = max(0, first), min(coarse, end)
    if first >= end:
        return _EMPTY
    local = low + start - first * s
    return Block(first, end, (local, (end - first - 1) * s + d * (k - 1) + 1 - local - (stop - start)), end - first)


def fine_range(start: int, stop: int, fine: int, k: int, s: int, d: int, low: int) -> Block:
    """The fine cells that the coarse cells [start, stop) read in the convolution."""
    before, after = reached("conv", start, stop, k, s, d, low)
    first, end = max(0, before), min(fine, after)
    if first >= end:
        return _EMPTY
    return Block(first, end, (first - before, after - end), stop - start)


def reached(
    operation: Literal["conv_transpose", "conv"], start: int, stop: int, k: int, s: int, d: int, low: int
) -> tuple[int, int]:
    """What the results [start, stop) of an operation read on a grid without ends; empty where the first is no less.

    With dilation beyond 1 the outermost cell may be one that no tap uses: the range holds all that are, and is of one
    form for all blocks of a length that start at the same place between strides.
    """
    reach = d * (k - 1)
    if operation == "conv_transpose":
        return -((reach - start - low) // s), (stop - 1 + low) // s + 1
    return start * s - low, (stop - 1) * s - low + reach + 1
