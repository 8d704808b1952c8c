"""What a stream of cells settles, on one axis of one operation whose grid has no known end: arithmetic alone.

Results are computed in units of one local geometry: the `stride` fine positions from which on a coarse cell is in
reach, or one coarse cell. So a stream needs a program for each number of units, and none for their place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import ClassVar, NamedTuple, TypeAlias

from tconv import block, sizes
from tconv.block import Block
from tconv.chaining import strides_back


class Units(NamedTuple):
    """What computes a range of results."""

    first: int  #: the first cell that is read; there are zeros before cell 0, and after the last
    number: int  #: of units
    offset: int  #: results of these units before the range begins


@dataclass(frozen=True, slots=True)
class Up:
    """One axis of conv_transpose. `read` counts the cells that have come; results count from 0."""

    kernel: int
    stride: int
    dilation: int
    low: int
    high: int
    output_padding: int

    is_up: ClassVar[bool] = True

    @property
    def reach(self) -> int:
        """Fine cells from the first tap to the last."""
        return self.dilation * (self.kernel - 1)

    @property
    def padding(self) -> tuple[int, int]:
        """(low, high) of the geometry in which units are computed."""
        return self.reach // self.stride * self.stride, self.reach + 1 - self.stride

    def total(self, read: int) -> int:
        """Results of the whole if the stream ends now; raises `Rejected` where there are none."""
        k, s, d, pads = self.kernel, self.stride, self.dilation, (self.low, self.high)
        coarse, pads, a = sizes.of_conv_transpose(read, k, s, pads, self.output_padding, None, d)
        return sizes.fine_size(coarse, k, s, pads, a, d)

    def finished(self, read: int) -> int:
        """Results that no later cell changes, nor takes away: the whole may be cropped further than its last cell."""
        if read == 0:
            return 0
        last = (read - 1) * self.stride - self.low
        return max(0, last + min(self.stride, self.reach + 1 + self.output_padding - self.high))

    def waits_for(self, results: int) -> int:
        """Cells after which so many results are finished, on a grid without ends."""
        ahead = min(self.stride, self.reach + 1 + self.output_padding - self.high)
        return -((ahead - self.low - results) // self.stride) + 1

    def first(self, start: int) -> int:
        """The first cell that results from `start` on read."""
        return (start + self.low) // self.stride - self.reach // self.stride

    def units(self, start: int, stop: int) -> Units:
        """What computes the results [start, stop)."""
        first, end = (start + self.low) // self.stride, -(-(stop + self.low) // self.stride)
        return Units(self.first(start), end - first, start + self.low - first * self.stride)

    def cells(self, units: int) -> int:
        """Cells that so many units read."""
        return units + self.reach // self.stride

    def block(self, start: int, stop: int, read: int) -> Block:
        """The results [start, stop) as a layer of their own, in which no cell is a zero beside the grid."""
        return block.coarse_range(start, stop, read, self.kernel, self.stride, self.dilation, self.low)


@dataclass(frozen=True, slots=True)
class Down:
    """One axis of conv, in the same terms."""

    kernel: int
    stride: int
    dilation: int
    low: int
    high: int

    is_up: ClassVar[bool] = False

    @property
    def reach(self) -> int:
        """Fine cells from the first tap to the last."""
        return self.dilation * (self.kernel - 1)

    @property
    def padding(self) -> tuple[int, int]:
        """(low, high) of the geometry in which units are computed."""
        return 0, 0

    def total(self, read: int) -> int:
        """Results of the whole if the stream ends now; raises `Rejected` where there are none."""
        k, s, d, pads = self.kernel, self.stride, self.dilation, (self.low, self.high)
        return sizes.of_conv(read, k, s, pads, None, None, d)[0]

    def finished(self, read: int) -> int:
        """Results that no later cell changes, nor takes away: negative padding crops the whole wherever it ends."""
        if read == 0:
            return 0
        return max(0, (read + self.low + min(0, self.high) - self.reach - 1) // self.stride + 1)

    def waits_for(self, results: int) -> int:
        """Cells after which so many results are finished, on a grid without ends."""
        return (results - 1) * self.stride + self.reach + 1 - self.low - min(0, self.high)

    def first(self, start: int) -> int:
        """The first cell that results from `start` on read."""
        return start * self.stride - self.low

    def units(self, start: int, stop: int) -> Units:
        """What computes the results [start, stop)."""
        return Units(self.first(start), stop - start, 0)

    def cells(self, units: int) -> int:
        """Cells that so many units read."""
        return (units - 1) * self.stride + self.reach + 1

    def block(self, start: int, stop: int, read: int) -> Block:
        """The results [start, stop) as a layer of their own, in which no cell is a zero beside the grid."""
        return block.fine_range(start, stop, read, self.kernel, self.stride, self.dilation, self.low)


Pace: TypeAlias = Up | Down


def latency(paces: Sequence[Pace]) -> int:
    """Cells that a result waits for at most after the one at its own place, floor(result / scale).

    Of operations one after the other; how long results wait repeats with the alignment of their chain.
    """
    steps = strides_back([(pace.is_up, pace.stride) for pace in paces])
    cells_a_result = steps[-1] if steps else Fraction(1)
    most = 0
    for result in range(lcm(*(step.denominator for step in steps))):
        needed = result + 1
        for pace in reversed(paces):
            needed = pace.waits_for(needed)
        most = max(most, needed - 1 - int(result * cells_a_result))
    return most


#: Numbers of units that are computed as they are, beside those of the ladder: of pushes that are always alike.
EXACT = 8


class Ladder:
    """How many units are computed where some are wanted: kernels are made for a bounded number of sizes.

    The first few numbers are taken as they come, and later ones rounded up to one of four in each octave: of pushes of
    up to 2**k cells there are never more than EXACT + 4 * k. What is too much reads zeros, and is dropped.
    """

    def __init__(self) -> None:
        self._exact: set[int] = set()

    def at_least(self, units: int) -> int:
        """The number to compute."""
        step = 1 << max(0, units.bit_length() - 3)
        rounded = -(-units // step) * step
        if rounded == units or units in self._exact:
            return units
        if len(self._exact) < EXACT:
            self._exact.add(units)
            return units
        return rounded
