"""What a range of results of one operation reads along one axis: integers only, no tensors.

An operation is run on a part of its input as it is, with its own padding and its own weights. Where the part ends
inside of the array, the results next to its end have read that padding in place of neighbours: the part is so much
wider that none of them is wanted, and they are cropped. Where it ends as the array does, the padding is right. So
nothing is recomputed for the sake of operations further on: every operation reads what its own results need, and no
more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from tconv.block import reached


class Read(NamedTuple):
    """The cells [start, stop) that are read, and how many results of them come before those that are wanted."""

    start: int
    stop: int
    skip: int = 0


class AxisMap(Protocol):
    """An operation along one axis."""

    def read(self, start: int, stop: int) -> Read:
        """What the results [start, stop) read."""

    def computed(self, cells: int) -> int | None:
        """How many results so many cells give; None where only those that are wanted are computed."""


@dataclass(frozen=True, slots=True)
class Same:
    """Each result reads the cell at its own place."""

    def read(self, start: int, stop: int) -> Read:
        """The same cells."""
        return Read(start, stop)

    def computed(self, cells: int) -> int:
        """As many."""
        return cells


@dataclass(frozen=True, slots=True)
class Down:
    """A convolution or pooling of n cells: fine to coarse."""

    n: int
    kernel: int
    stride: int
    padding: tuple[int, int]
    dilation: int = 1
    mirror: int = 0  #: further cells that the padding copies: those of padding_mode "reflect" and "replicate"
    least: int = 1  #: cells that are read at least: PyTorch pools no array that is smaller than the kernel

    def read(self, start: int, stop: int) -> Read:
        """Cells from a multiple of the stride, so that the windows of the part are those of the whole."""
        before, after = reached("conv", start, stop, self.kernel, self.stride, self.dilation, self.padding[0])
        after += max(0, -self.padding[1])  # negative padding crops the part as it crops the whole
        one = max(0, min(before, self.n - 1))  # a cell is read even if all windows lie in the padding
        first = max(0, min(one - self.mirror, start * self.stride))
        first -= first % self.stride
        last = min(self.n, max(max(after, one + 1) + self.mirror, first + self.least))
        missing = self.least - (last - first)
        if missing > 0:
            first = max(0, first - -(-missing // self.stride) * self.stride)
        return Read(first, last, start - first // self.stride)

    def computed(self, cells: int) -> int:
        """The size of a convolution of so many cells."""
        return (cells + sum(self.padding) - self.dilation * (self.kernel - 1) - 1) // self.stride + 1


@dataclass(frozen=True, slots=True)
class Up:
    """A transposed convolution of n cells: coarse to fine, to n * stride + extra cells."""

    n: int
    kernel: int
    stride: int
    low: int
    extra: int
    dilation: int = 1

    def read(self, start: int, stop: int) -> Read:
        """Cells whose results reach from `start`, or before, to `stop`, or behind."""
        before, after = reached("conv_transpose", start, stop, self.kernel, self.stride, self.dilation, self.low)
        first = max(0, min(before, start // self.stride, self.n - 1))
        long_enough = -((self.extra - stop) // self.stride)
        return Read(first, min(self.n, max(after, long_enough, first + 1)), start - first * self.stride)

    def computed(self, cells: int) -> int:
        """The size of a transposed convolution of so many cells."""
        return cells * self.stride + self.extra


@dataclass(frozen=True, slots=True)
class Shifted:
    """n cells moved up by `low`, or down where that is negative: padding with a constant, and cropping."""

    n: int
    low: int

    def read(self, start: int, stop: int) -> Read:
        """The cells that are not padding; one that is not used where all are."""
        first = max(0, min(start - self.low, self.n - 1))
        return Read(first, max(first + 1, min(self.n, stop - self.low)))

    def computed(self, cells: int) -> None:
        """Nothing but what is wanted."""
