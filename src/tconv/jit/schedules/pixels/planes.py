"""Schedules of depthwise layers, channels first (`kernels/planes.py`): as in `schedule.py`, panels of one channel."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from itertools import product
from math import prod

from tconv.cached import cached_property
from tconv.jit.kernels import Code, Kernel
from tconv.jit.kernels.folded import FoldedRows, PackShortRows
from tconv.jit.kernels.pixels import Stage
from tconv.jit.kernels.planes import Planes
from tconv.jit.kernels.unpack import UnpackStreaming
from tconv.jit.machine.ir import ELEMENTS
from tconv.jit.machine.isa import Isa
from tconv.jit.programs.cuts import balanced
from tconv.jit.programs.packing import LINE
from tconv.jit.schedules.axes import LoopAxis, by_shift, phase_taps, residues, strand_shifts
from tconv.jit.schedules.base import STREAM_FROM
from tconv.jit.schedules.layouts import MemoryLayout, channels_of
from tconv.jit.schedules.pixels.schedule import PixelSchedule, feeds
from tconv.jit.schedules.pixels.sizes import MOST_STRANDS
from tconv.problem import Problem


@dataclass(frozen=True)
class PlaneSchedule(PixelSchedule):
    """Sizes of tiles and chunks; `flat` is True, because every row that could be read is in the panel."""

    fold: int = field(default=0, kw_only=True)  #: rows of a vector, where a row is at most one; 0: tiles are of one row

    @property
    def kind(self) -> str:
        """The name of its kind."""
        return "planes"

    @property
    def completes(self) -> bool:
        """Its kernels have no activations."""
        return False

    @cached_property
    def through_block(self) -> bool:
        """Whether rows of y, not whole cache lines long, are put together before they go past the caches."""
        row = self.last.written * self.last.y_step
        # What is put together must lie in one piece in y.
        joined = self.columns == len(self.spans[-1]) and self.outer[-1].y_step == row
        return self.streaming and joined and row % LINE != 0

    @property
    def layer(self) -> tuple[Hashable, ...]:
        """All that tiles and packed weights depend on: as of any schedule, and whether rows go through the block."""
        return (*super().layer, self.through_block)

    @cached_property
    def block(self) -> int:
        """Bytes of the block: the rows of y of a chunk."""
        rows = self.cache_block[-2] * self.outer[-1].stride
        return rows * self.last.written * self.last.y_step if self.through_block else 0

    @cached_property
    def sizes(self) -> list[int]:
        """Each output channel is a tile of its own."""
        return [1]

    @cached_property
    def vectors_of_rows(self) -> list[int]:
        """Vectors up to the last tile of the last row of a chunk: every row begins with a tile of its own."""
        tile, rows = self.vectors * self.lanes, self.cache_block[-2]
        rows += -rows % max(1, self.fold)
        cells = (rows - 1) * self.pitch + -(-self.columns // tile) * tile
        return [-(-cells // self.lanes)]

    def kernel(self, repeats: int) -> Planes | FoldedRows:
        """The kernel where so many combinations of taps of the axes before the last two reach a row."""
        sources: tuple[Stage, ...] = self.row_stages() * repeats
        element = ELEMENTS[self.problem.dtype]
        if self.fold:
            row = self.last.written * self.last.y_step
            joined = self.through_block or self.outer[-1].y_step == row
            # What is written behind a row must fall into those of the next q.
            behind = self.lanes // self.fold * self.last.stride - self.last.written
            joined = joined and behind <= self.rows * self.last.written
            return FoldedRows(element, self.lanes, self.fold, self.rows, self.last.stride, sources, joined)
        streaming = self.streaming and not self.through_block
        return Planes(element, self.lanes, self.vectors, self.rows, self.last.stride, sources, streaming)

    def row_stages(self) -> tuple[Stage, ...]:
        """What the strands of the rows at each shift of the axis before the last feed."""
        shifted = by_shift(self.outer[-1]).values()
        return tuple(feeds(phases, strand) for phases, strand in product(shifted, self.strands))

    @cached_property
    def repeats(self) -> list[int]:
        """How many combinations of taps reach a row, for the phases of the axes before the last two."""
        return sorted({prod(map(len, phases)) for phases in product(*(phase_taps(line) for line in self.outer[:-1]))})

    @cached_property
    def code(self) -> Code:
        """One kernel for each number of combinations, then those that move the block and copy rows."""
        element = ELEMENTS[self.problem.dtype]
        kernels = tuple(self.kernel(n) for n in self.repeats)
        return Code(element, self.lanes, (*kernels, UnpackStreaming(element, self.lanes), self.copy))

    @cached_property
    def copy(self) -> Kernel:
        """The kernel that fills the panel."""
        return PackShortRows(ELEMENTS[self.problem.dtype], self.lanes) if self.fold else super().copy


def able(problem: Problem, layout: MemoryLayout) -> bool:
    """Whether this schedule serves a problem: one input channel a group, channels first, few phases in a tile."""
    last, before = layout.axes[-1], layout.axes[-2]
    few = last.stride <= 8 and before.stride * last.stride <= 16 and last.read_stride <= MOST_STRANDS
    return channels_of(problem).read == 1 and not layout.channels_last and few


def make(problem: Problem, layout: MemoryLayout, isa: Isa, threads: int = 1) -> PlaneSchedule:
    """Choose the sizes: all phases of the last two axes, chunks that fit half of the first cache."""
    lines, lanes = layout.axes, isa.lanes(problem.itemsize)
    columns, rows = len(lines[-1].span()), lines[-2].stride
    # By lane several weights share a register: where there are few phases, more sums do not wait for each other then.
    most = 4 if isa.by_lane and rows * lines[-1].stride <= 2 else 2
    vectors = max(1, min(most, (isa.registers // 2) // (rows * lines[-1].stride), columns // lanes))
    cache_block = [1] * len(lines)
    limit = 32 << 10
    strands = len(residues(lines[-1]))
    cache_block[-1] = max(balanced(columns, max(lanes, limit // (problem.itemsize * strands))))
    streaming, fold = problem.bytes_written > STREAM_FROM * min(threads, 2), folded(lines[-1], lanes, isa)
    sizes = (lanes, 1, vectors, rows, tuple(cache_block), True)
    s = PlaneSchedule(problem, layout, *sizes, streaming=streaming, fold=fold)
    if cache_block[-1] == columns:
        per = s.pitch * problem.itemsize * prod(s.slots[:-1]) * strands * len(residues(lines[-2]))
        of_chunk = max(balanced(len(lines[-2].span()), max(1, limit // max(per, s.block // 2))))
        s = replace(s, cache_block=(*s.cache_block[:-2], of_chunk, s.cache_block[-1])) if of_chunk > 1 else s
    return s


#: Cells of a row in a vector, at least.
FEWEST = 4


def folded(last: LoopAxis, lanes: int, isa: Isa) -> int:
    """How many rows a vector holds; 0 where a row with its zeros is longer than one, or masks are slow."""
    columns, reach = len(last.span()), strand_shifts(last)
    wide = columns + max(0, -reach.start) + max(0, reach.stop - 1)
    if wide > lanes or last.read_stride > 1 or not isa.masks:
        return 0
    fold = 1
    while lanes >= 2 * fold * max(columns, FEWEST):
        fold *= 2
    return fold
