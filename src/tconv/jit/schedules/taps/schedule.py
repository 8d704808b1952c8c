"""Schedules with taps in lanes (`kernels/channels.py`, `kernels/scatter.py`); `tables.py` writes their programs.

Lanes are (output channel, tap) pairs: every cell of x meets every tap, which is one matrix product, and what it gives
is added to y where the tap puts it. So no tap ever meets a zero beside x, and few channels fill vectors as well as
many: for small grids, few output channels and many input channels. `conv_transpose` only, channels first.

    block, a row for each cell    [channel 0: tap 0, tap 1, ... | channel 1: tap 0, ... | ...]
    y[channel, cell * stride + tap * dilation - low] += block[cell, channel, tap]

A tile has some whole channels. Its lanes are computed in parts of a few vectors, with sums in registers.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from tconv.cached import cached_property
from tconv.jit.kernels import Code, Kernel
from tconv.jit.kernels.channels import Channels
from tconv.jit.kernels.pack_rows import PackRows
from tconv.jit.kernels.scatter import Fill, Scatter
from tconv.jit.machine.ir import ELEMENTS
from tconv.jit.machine.isa import Isa
from tconv.jit.programs.cuts import balanced
from tconv.jit.programs.packing import LINE
from tconv.jit.schedules.axes import LoopAxis
from tconv.jit.schedules.base import MOST_SCRATCH, TERMS, Schedule
from tconv.jit.schedules.lane_tiles import best_tile
from tconv.jit.schedules.layouts import MemoryLayout
from tconv.problem import Problem


@dataclass(frozen=True)
class TapSchedule(Schedule):
    """Sizes of tiles. A chunk is an image."""

    problem: Problem
    layout: MemoryLayout  #: the images, and all cells of one as a single axis
    spread: MemoryLayout  #: likewise, with the axes of the grids
    lanes: int
    vectors: int  #: vectors of a part of a tile, at most
    pixels: int  #: cells of a part of a tile, at most
    channels: int  #: output channels of a tile
    cache_block: tuple[int, ...]  #: one image, all cells
    terms: int = TERMS  #: of a sum, at most

    @property
    def kind(self) -> str:
        """The name of its kind."""
        return "taps"

    @property
    def posed_layout(self) -> MemoryLayout:
        """The layout as it was posed, with the axes of the grids."""
        return self.spread

    @property
    def axes(self) -> tuple[LoopAxis, ...]:
        """The axes of the grids, without the batch."""
        return self.spread.axes[1:]

    @cached_property
    def taps(self) -> int:
        """Lanes of a channel."""
        return self.problem.taps

    @cached_property
    def parts(self) -> list[int]:
        """Vectors of each part of a tile."""
        return balanced(-(-self.channels * self.taps // self.lanes), self.vectors)

    @cached_property
    def pitch(self) -> int:
        """Elements of the block for a cell."""
        return sum(self.parts) * self.lanes

    @cached_property
    def tiles(self) -> list[range]:
        """The channels of each tile."""
        return [range(c, min(c + self.channels, self.written)) for c in range(0, self.written, self.channels)]

    @cached_property
    def source_channel(self) -> int:
        """Bytes from a channel to the next in the panel: an odd number of lines keeps them in different sets."""
        lines = -(-self.cache_block[-1] * self.problem.itemsize // LINE)
        return (lines + 1 - lines % 2) * LINE

    @cached_property
    def panel(self) -> int:
        """Bytes of the panel."""
        return self.read * self.source_channel + LINE

    @cached_property
    def block(self) -> int:
        """Bytes of the block."""
        return self.cache_block[-1] * self.pitch * self.problem.itemsize

    @cached_property
    def widths(self) -> list[int]:
        """The numbers of cells that parts come in."""
        return sorted(set(balanced(self.cache_block[-1], self.pixels)), reverse=True)

    @cached_property
    def sizes(self) -> list[int]:
        """The numbers of vectors that parts come in, the larger first."""
        return sorted(set(self.parts), reverse=True)

    @cached_property
    def code(self) -> Code:
        """For each width one kernel a number of vectors, then what fills and adds, then the copy."""
        element = ELEMENTS[self.problem.dtype]
        kernels: list[Kernel] = [
            Channels(element, self.lanes, width, vectors, self.problem.itemsize, self.lanes)
            for width in self.widths
            for vectors in self.sizes
        ]
        ends = Fill(element, self.lanes), Scatter(element, self.lanes), PackRows(element, self.lanes)
        return Code(element, self.lanes, (*kernels, *ends))


#: Bytes of the block of several channels, and of that of one, at most.
BLOCK, LARGEST = 192 << 10, 1 << 20
#: Channels of a tile, at most.
MOST_CHANNELS = 32
#: Vectors of a tile that are enough to share what is read of x.
ENOUGH = 3


def able(problem: Problem, layout: MemoryLayout, isa: Isa) -> bool:
    """Whether this schedule serves a problem: its arrays are channels first, and fit scratch."""
    if problem.operation != "conv_transpose" or layout.channels_last or layout.joined or problem.within is not None:
        return False  # channels are filled as a whole
    cells, size = prod(line.read for line in layout.axes[1:]), problem.itemsize
    vector = isa.lanes(size)
    block = cells * -(-problem.taps // vector) * vector * size
    panel = problem.cin * (cells * size + 2 * LINE)
    return block <= LARGEST and block + panel + LINE <= MOST_SCRATCH - 4 * LINE


def make(problem: Problem, layout: MemoryLayout, isa: Isa) -> TapSchedule:
    """Choose the sizes: as many channels in a tile as fill its vectors best."""
    lanes, cells = isa.lanes(problem.itemsize), prod(line.read for line in layout.axes[1:])
    channels = min(_channels(problem, cells), key=lambda n: (_few(problem, n, lanes), vectors_of(problem, n, lanes), n))
    _, vectors, pixels, _ = best_tile(cells, -(-channels * problem.taps // lanes), 1, isa)
    size, batch = problem.itemsize, layout.axes[0]
    flat = layout._replace(axes=(batch, LoopAxis(cells, cells, 1, 1, 1, 0, size, size)))
    return TapSchedule(problem, flat, layout, lanes, vectors, pixels, channels, (1, cells))


def _channels(problem: Problem, cells: int) -> list[int]:
    """The numbers of channels that a tile may have."""
    each = cells * problem.taps * problem.itemsize
    return list(range(1, 1 + max(1, min(problem.cout, MOST_CHANNELS, BLOCK // each))))


def _few(problem: Problem, channels: int, lanes: int) -> bool:
    """Whether a tile of so many channels has fewer vectors than are enough."""
    return channels < problem.cout and channels * problem.taps <= (ENOUGH - 1) * lanes


def vectors_of(problem: Problem, channels: int, lanes: int) -> int:
    """Vectors of all tiles with so many channels each."""
    return -(-problem.cout // channels) * -(-channels * problem.taps // lanes)


def filled(problem: Problem, layout: MemoryLayout, lanes: int) -> float:
    """The share of the lanes in use with the best number of channels."""
    cells = prod(line.read for line in layout.axes[1:])
    vectors = min(vectors_of(problem, n, lanes) for n in _channels(problem, cells))
    return problem.cout * problem.taps / (vectors * lanes)
