"""Schedules of `weight_gradient`, by the kernel with channels in lanes; `tables.py` writes their programs.

    dw[i, o, t] = sum over images n and coarse cells c of  x[n, i, c] * y[n, o, c * stride - low + t * dilation]

Lanes are the channels i of the coarse grid. The kernel multiplies "weights", here the coarse cells, with their channels
transposed innermost (`kernels/pack_cells.py`), by elements that it broadcasts, here of the fine grid; the sums of a
tile are those of some taps, or of some channels o, and its terms are coarse cells:

    sum[tap, lanes] += y[o, c * stride + tap] * x[c, lanes]
                       one number,              vectors, loaded once
                       in all lanes             for all taps

In the words of `axes.py` what is read is the fine grid, as of `conv`, and q is a coarse cell. A chunk is a cache block
of q. Sums of a chunk are added up in the block, [tile][o, tap][lanes], and squares of it are transposed on their way
into dw when all chunks are done. A run of pieces has all chunks for some tiles of lanes and some channels o.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from math import prod

from tconv.cached import cached_property
from tconv.jit.kernels import Code, Kernel
from tconv.jit.kernels.channels import Channels
from tconv.jit.kernels.pack_cells import PackCells
from tconv.jit.kernels.pack_channels_last import PackChannelsLast
from tconv.jit.kernels.pack_rows import PackRows
from tconv.jit.kernels.unpack import UnpackTransposed
from tconv.jit.machine.ir import ELEMENTS
from tconv.jit.machine.isa import Isa
from tconv.jit.programs.cuts import balanced
from tconv.jit.programs.packing import LINE
from tconv.jit.schedules.axes import inside
from tconv.jit.schedules.base import TERMS
from tconv.jit.schedules.broadcast import BroadcastSchedule
from tconv.jit.schedules.lane_tiles import MOST_ROWS, LaneTile, best_tile, whole_vectors
from tconv.jit.schedules.layouts import MemoryLayout, as_one_group, channels_of
from tconv.problem import Problem


@dataclass(frozen=True)
class GradientSchedule(BroadcastSchedule):
    """Sizes of tiles, chunks and runs."""

    problem: Problem
    layout: MemoryLayout
    lanes: int
    vectors: int  #: vectors of a tile, at most
    pixels: int  #: neighbouring taps of a tile, or channels last neighbouring channels o, at most
    rows: int  #: rows of them
    cache_block: tuple[int, ...]  #: q of a chunk along each axis, the batch first
    outputs: int  #: channels o of a run, at most
    run_tiles: int  #: tiles of lanes of a run, at most
    by_channel: bool  #: whether the neighbours in a tile are channels o, not taps of the last axis
    in_place: bool  #: the fine grid is read where it is
    gathered: bool  #: coarse cells are copied, their channels side by side; else they are read where they are
    terms: int = TERMS  #: of a sum, at most
    depthwise: bool = False  #: depthwise: the groups are the lanes, and each reads its own channel of the fine grid

    @property
    def kind(self) -> str:
        """The name of its kind."""
        return "depthwise gradient" if self.depthwise else "gradient"

    @property
    def neighbours(self) -> str:
        """What lies side by side in a tile, in words."""
        return "channels" if self.by_channel else "taps"

    @property
    def spreads(self) -> bool:
        """Whether cells of x meet zeros beside y: a NaN or an Inf would reach weights that are not tied to it."""
        return not self.in_place and not inside(self.last)

    @cached_property
    def tiles(self) -> list[LaneTile]:
        """The tiles of lanes."""
        found, first = [], 0
        for count in whole_vectors(self.written, self.lanes, self.vectors):
            found.append(LaneTile(-(-count // self.lanes), first, count, 0, 1))
            first += count
        return found

    @cached_property
    def variants(self) -> list[tuple[int, int]]:
        """(vectors, elements of the last vector that count) in which tiles come."""
        return list(dict.fromkeys(map(self.variant_of, self.tiles)))

    def variant_of(self, tile: LaneTile) -> tuple[int, int]:
        """The variant of a tile: what lies behind the last channel is read where it may be, and never used."""
        beyond = not self.gathered or (self.depthwise and self.layout.channels_last)
        return tile.vectors, tile.count - (tile.vectors - 1) * self.lanes if beyond else self.lanes

    @cached_property
    def copied(self) -> int:
        """Channels of the fine grid that the panel holds."""
        return self.outputs

    @cached_property
    def innermost(self) -> int:
        """Channels of a pixel of the panel, where they are transposed: those of a tile."""
        return self.widest

    @cached_property
    def pixel(self) -> int:
        """Bytes of the fine grid from one neighbour in a tile (a tap, or a channel o) to the next."""
        return self.layout.x_channel if self.by_channel else abs(self.last.dilation) * self.cell

    @cached_property
    def tiles_outside(self) -> bool:
        """Whether a tile of lanes does a whole chunk before the next: not where all read the same lines of memory."""
        return not (self.depthwise and self.layout.channels_last)

    @cached_property
    def readable(self) -> bool:
        """Whether coarse cells can be read where they are: whole vectors of their channels lie side by side."""
        return not self.side_by_side and all(tile.vectors > 1 or tile.count == self.lanes for tile in self.tiles)

    @cached_property
    def side_by_side(self) -> bool:
        """Whether coarse cells lie side by side, so that squares of them are transposed; else their channels do."""
        return self.layout.y_channel != self.problem.itemsize

    # ---- scratch

    @cached_property
    def widest(self) -> int:
        """Elements of the block for one position, and of a cell."""
        return max(tile.vectors for tile in self.tiles) * self.lanes

    @cached_property
    def positions(self) -> int:
        """Positions (o, tap) of a run."""
        return self.outputs * self.problem.taps

    @cached_property
    def of_tile(self) -> int:
        """Bytes of the block for one tile."""
        return self.positions * self.widest * self.problem.itemsize

    @cached_property
    def block(self) -> int:
        """Bytes of the block; a transpose may read a square of positions behind the last."""
        return self.run_tiles * self.of_tile + self.lanes * self.widest * self.problem.itemsize

    @cached_property
    def cells_of_tile(self) -> int:
        """Bytes of the cells of a chunk, and a square behind the last, for one tile."""
        return (prod(self.cache_block) + self.lanes) * self.widest * self.problem.itemsize

    @cached_property
    def cells(self) -> int:
        """Bytes of cells in scratch, with the zeros before them."""
        if not self.gathered:
            return 0
        return self.widest * self.problem.itemsize + self.cells_of_tile * (1 if self.tiles_outside else self.run_tiles)

    # ---- runs

    @cached_property
    def cut(self) -> list[int]:
        """Channels o of each run."""
        return balanced(self.read, self.outputs)

    @cached_property
    def runs(self) -> int:
        """How many runs of pieces there are: independent work."""
        return self.problem.groups * len(self.cut) * -(-len(self.tiles) // self.run_tiles)

    # ---- code

    @cached_property
    def widths(self) -> list[int]:
        """The sizes that tiles come in."""
        lengths = self.cut if self.by_channel else [self.last.kernel]
        return sorted({n for length in lengths for n in balanced(length, self.pixels)}, reverse=True)

    @cached_property
    def code(self) -> Code:
        """The kernels: for each width one a variant, alone and in rows; then one a variant that copies or moves."""
        element, variants = ELEMENTS[self.problem.dtype], self.variants
        kernels: list[Kernel] = [
            Channels(
                element,
                self.lanes,
                width,
                vectors,
                self.pixel,
                last,
                self.depthwise,
                False,
                rows,
                cells=not self.gathered,
            )
            for rows in dict.fromkeys((1, self.rows))
            for width in self.widths
            for vectors, last in variants
        ]
        if self.gathered:
            kernels += [PackCells(element, self.lanes, vectors, self.side_by_side, last) for vectors, last in variants]
        kernels += [UnpackTransposed(element, self.lanes, self.widest // self.lanes)] * len(variants)
        copy = (
            PackChannelsLast(element, self.lanes, self.cell, True) if self.transposed else PackRows(element, self.lanes)
        )
        return Code(element, self.lanes, (*kernels, *[copy] * len(variants)))


#: Positions of a run: more amortise the transposing of cells, fewer leave room for longer chunks.
POSITIONS = 512
#: Channels o of a run at least where they lie side by side, as long as the block does not become too large: lines of
#: memory are read once for each run. Measured on AMD Zen 5: 32 take 10 to 30 % longer where there are 64, 128 no less.
FEWEST = 64
#: What taps side by side cost channels last, against channels o, where a cell is a line or more: each reads its own.
SCATTERED = 1.3
#: Bytes from a cell to the next from which cells are copied, channels last too: each would lie in a page of its own.
PAGE = 4096
#: Bytes of cells of a tile, of panel and of block that a chunk or a run may have.
CELLS, PANEL, BLOCK = 128 << 10, 512 << 10, 1 << 20


def make(problem: Problem, layout: MemoryLayout, isa: Isa, *, depthwise: bool = False) -> GradientSchedule:
    """Choose the sizes: a tile, the channels o of a run, then a chunk as large as the caches like."""
    problem = as_one_group(problem) if depthwise else problem
    s = _of_one_cell(problem, layout, isa, gathered=False, depthwise=depthwise)
    if not s.readable or layout.axes[-1].y_step >= PAGE:
        s = _of_one_cell(problem, layout, isa, gathered=True, depthwise=depthwise)
    while s.outputs > 1 and not (_fits(s) and s.of_tile <= 2 * BLOCK):
        s = replace(s, outputs=-(-s.outputs // 2))
    for axis in reversed(range(len(s.cache_block))):
        s = _grown(s, axis)
        if s.cache_block[axis] < len(s.spans[axis]):
            break
    return replace(s, run_tiles=max(1, min(len(s.tiles), BLOCK // s.of_tile)))


def _of_one_cell(
    problem: Problem, layout: MemoryLayout, isa: Isa, *, gathered: bool, depthwise: bool
) -> GradientSchedule:
    """The tile that takes the fewest cycles, for chunks of a single cell."""
    lanes, last = isa.lanes(problem.itemsize), layout.axes[-1]
    read, written, *_ = channels_of(problem)
    taps, channels = (
        best_tile(n, -(-written // lanes), min(MOST_ROWS, read * problem.taps // n), isa, 3 if gathered else 2)
        for n in (last.kernel, read)
    )
    scattered = SCATTERED if read * problem.itemsize >= LINE else 1.0
    by_channel = layout.channels_last and not depthwise and channels[0] < taps[0] * scattered
    _, vectors, pixels, rows = channels if by_channel else taps
    outputs = max(balanced(read, max(FEWEST if layout.channels_last else 1, POSITIONS // problem.taps)))
    in_place = layout.joined or (depthwise and layout.channels_last and inside(last))
    cache_block = (1,) * len(layout.axes)
    sizes = (vectors, pixels, rows, cache_block, outputs, 1, by_channel, in_place, gathered)
    return GradientSchedule(problem, layout, lanes, *sizes, depthwise=depthwise)


def _fits(s: GradientSchedule) -> bool:
    """Whether what a chunk copies stays near, or is no more than the block that every chunk goes through."""
    return s.cells_of_tile <= CELLS and prod(s.slots) * s.row <= max(PANEL, min(s.of_tile, PANEL + BLOCK))


def _grown(s: GradientSchedule, axis: int) -> GradientSchedule:
    """Chunks as long along an axis as fits, and equally long."""
    whole = len(s.spans[axis])

    def at(size: int) -> GradientSchedule:
        return replace(s, cache_block=(*s.cache_block[:axis], size, *s.cache_block[axis + 1 :]))

    most = 1 + bisect_left(range(2, whole + 1), True, key=lambda size: not _fits(at(size)))
    return at(max(balanced(whole, most)))
