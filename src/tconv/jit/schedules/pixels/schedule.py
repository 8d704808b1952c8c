"""Schedules with pixels in lanes (`kernels/pixels.py`); `tables.py` writes their programs.

A chunk is a cache block of q over all axes but the last, and a range of q along the last. Its rows of x are copied into
the panel, [strand][channel][outer rows][row][pitch], with zeros on both sides, so that every load is in bounds and
every tap that falls beside x reads a zero; or they are read where they are, behind masks, where copying them would take
long and they stay near. There is one strand, or of `conv` those that taps read (`axes.strands`). A tile starts anywhere
in the flat panel: where rows are short, one tile spans several of them and is stored in segments. In channels-last
arrays a tile has all channels, and x is transposed on its way into the panel (`kernels/pack_channels_first.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod
from typing import TypeAlias

from tconv.cached import cached_property
from tconv.jit.kernels import Code, Kernel
from tconv.jit.kernels.pack_channels_first import PackChannelsFirst
from tconv.jit.kernels.pack_rows import PackRows
from tconv.jit.kernels.pack_strands import PackStrands
from tconv.jit.kernels.pixels import Pixels, Stage
from tconv.jit.kernels.scatter import Fill
from tconv.jit.machine.ir import ELEMENTS
from tconv.jit.programs.cuts import balanced
from tconv.jit.programs.layer_cache import LayerCache
from tconv.jit.programs.packing import LINE
from tconv.jit.schedules.axes import LoopAxis, Strand, by_shift, phase_taps, residues, strand_shifts, strands
from tconv.jit.schedules.base import TERMS, Schedule
from tconv.jit.schedules.layouts import MemoryLayout
from tconv.problem import Problem


@dataclass(frozen=True)
class PixelSchedule(Schedule):
    """Sizes of tiles and chunks."""

    problem: Problem
    layout: MemoryLayout
    lanes: int
    channels: int  #: output channels of a tile, at most
    vectors: int  #: vectors of a tile, at most
    rows: int  #: phases of the axis before the last in a tile: 1, or all of them
    cache_block: tuple[int, ...]  #: q of a chunk along each axis, the batch first
    flat: bool  #: tiles may span rows
    terms: int = field(default=TERMS, kw_only=True)  #: of a sum, at most
    in_place: bool = field(default=False, kw_only=True)  #: x is read where it is
    streaming: bool = field(default=False, kw_only=True)  #: results go past the caches

    @property
    def kind(self) -> str:
        """The name of its kind."""
        return "pixels"

    @property
    def completes(self) -> bool:
        """A tile sums up all of its terms."""
        return True

    @cached_property
    def before(self) -> int:
        """Zeros before a row of the panel."""
        return max(0, -strand_shifts(self.last).start)

    @cached_property
    def behind(self) -> int:
        """Cells of a strand that the last q of a row reads beyond it."""
        return max(0, strand_shifts(self.last).stop - 1)

    @cached_property
    def columns(self) -> int:
        """q along the last axis in a chunk."""
        return self.cache_block[-1]

    @cached_property
    def pitch(self) -> int:
        """Elements from a row of the panel to the next."""
        whole = self.columns == len(self.spans[-1])
        return self.flat_pitch if whole and self.flat else self.before + self.columns + self.behind

    @cached_property
    def flat_pitch(self) -> int:
        """Elements from a row of the panel to the next where tiles span rows: zeros between two rows serve both."""
        cells = self.last.of_strand
        return max(cells + max(self.before, self.columns + self.behind - cells), self.columns)

    @cached_property
    def vectors_of_rows(self) -> list[int]:
        """Vectors of the tiles of one row, or of all rows of a chunk where they are flat."""
        cells = self.columns
        if self.flat:
            cells += (self.cache_block[-2] - 1) * self.pitch
        return balanced(-(-cells // self.lanes), self.vectors)

    @cached_property
    def panel_row(self) -> int:
        """Elements of the panel for a strand of a channel."""
        tiles = sum(self.vectors_of_rows) * self.lanes
        last_row = prod(self.slots) - (self.cache_block[-2] if self.flat else 1)
        most = self.before + last_row * self.pitch + tiles + self.behind
        lines = -(-most * self.problem.itemsize // LINE)
        # An even number of cache lines would put the rows of all channels into few sets of the cache.
        return (lines + 1 - lines % 2) * LINE // self.problem.itemsize

    @cached_property
    def panel(self) -> int:
        """Bytes of the panel."""
        return 0 if self.in_place else len(self.strands) * self.panel_strand + LINE

    @cached_property
    def source_channel(self) -> int:
        """Bytes from a channel to the next in what kernels read."""
        return self.layout.x_channel if self.in_place else self.panel_row * self.problem.itemsize

    @cached_property
    def readable(self) -> bool:
        """Whether x can be read where it is: nothing to take apart, or to put between rows that a tile spans."""
        return not self.layout.channels_last and self.last.read_stride == 1 and (not self.flat or self._seamless)

    @cached_property
    def _seamless(self) -> bool:
        """Whether q of the last two axes are the cells of x, row after row."""
        rows, cells = self.layout.axes[-2:]
        alike = all(len(strand_shifts(line)) == 1 and strand_shifts(line).start == 0 for line in (rows, cells))
        # Of rows that are apart, those between them lie in x but are no q.
        side_by_side = rows.read_step == cells.read * cells.read_step
        return alike and side_by_side and self.columns == cells.read and len(self.spans[-2]) <= rows.read

    @cached_property
    def panel_strand(self) -> int:
        """Bytes of the panel for a strand of all channels."""
        return self.panel_row * self.read * self.problem.itemsize

    @cached_property
    def strands(self) -> tuple[Strand, ...]:
        """What rows of x are de-interleaved into: one strand, or of `conv` those that taps read."""
        return strands(self.last)

    @cached_property
    def block(self) -> int:
        """Bytes of the block: tiles are written straight into y."""
        return 0

    # ---- code

    @cached_property
    def sizes(self) -> list[int]:
        """The sizes that tiles of channels come in, the larger first."""
        return sorted(set(balanced(self.written, self.channels)), reverse=True)

    @cached_property
    def widths(self) -> list[int]:
        """The sizes that tiles come in along the row."""
        return list(range(self.vectors, 0, -1))

    @cached_property
    def stages(self) -> Stages:
        """The stages of a tile, and for each of them, by shift of the row, the tap of each of its phases."""
        return _stages(self.rows == 1, self.outer[-1].sizeless, self.last.sizeless)

    @cached_property
    def most_taps(self) -> list[int]:
        """The taps of the phase that has most of them, along each axis."""
        return [max(map(len, phase_taps(line))) for line in self.layout.axes]

    @cached_property
    def parts(self) -> bool:
        """Whether sums are so long that each row makes its own, or several."""
        return self.read * prod(self.most_taps) > self.terms

    @cached_property
    def part(self) -> int:
        """Input channels of a row that make one sum, at most."""
        if not self.parts:
            return self.read
        taps = Counter((strand.residue, b) for strand in self.strands for _, tap_of in strand.taps for b in tap_of)
        return max(1, self.terms // max(taps.values()))

    @cached_property
    def code(self) -> Code:
        """The kernels: for each width one a size of tile, then the copy."""
        return CODES.of(self.layer, self._code)

    def _code(self) -> Code:
        element = ELEMENTS[self.problem.dtype]
        stages, last = tuple(stage for stage, _ in self.stages), self.layout.channels_last
        kernels = [
            Pixels(
                element,
                self.lanes,
                size,
                width,
                self.rows,
                self.last.stride,
                stages,
                self.parts,
                last,
                in_place=self.in_place,
                flat=self.flat and not last,
                streaming=self.streaming,
            )
            for width in self.widths
            for size in self.sizes
        ]
        # An op calls the kernel of the size of its tile.
        fills = [Fill(element, self.lanes)] * (len(self.sizes) if self.gaps else 0)
        return Code(element, self.lanes, (*kernels, *fills, self.copy))

    @cached_property
    def gaps(self) -> bool:
        """Whether there are rows of y that no tap reaches, all of them runs of one channel: they are not computed."""
        return (
            not self.layout.channels_last and self.rows == 1 and any(not all(phase_taps(line)) for line in self.outer)
        )

    @cached_property
    def copy(self) -> Kernel:
        """The kernel that fills the panel."""
        element = ELEMENTS[self.problem.dtype]
        if self.layout.channels_last:
            return PackChannelsFirst(element, self.lanes)
        if self.last.read_stride == 1:
            return PackRows(element, self.lanes)
        return PackStrands(element, self.lanes, self.last.read_stride, residues(self.last))


#: The stages of a tile, and the taps of each: see `PixelSchedule.stages`.
Stages: TypeAlias = list[tuple[Stage, tuple[tuple[int, ...], ...]]]

#: The code of layers: kernels of pixels depend on no size.
CODES: LayerCache[Code] = LayerCache()


@lru_cache(maxsize=1024)
def _stages(alone: bool, before: LoopAxis, last: LoopAxis) -> Stages:
    """`alone`: each phase of the axis before the last is computed by itself."""
    if alone:
        return [(stage, ()) for stage in dict.fromkeys(feeds((0,), strand) for strand in strands(last))]
    [strand] = strands(last)
    found: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
    for shift, tap_of in by_shift(before).items():
        found.setdefault(tuple(tap_of), []).append((shift, *tap_of.values()))
    return [(feeds(phases, strand), tuple(rows)) for phases, rows in found.items()]


def feeds(phases: Iterable[int], strand: Strand) -> Stage:
    """What a row of x feeds: for each shift along the last axis, its phases in each of these phases of the row."""
    rows = tuple(phases)
    return tuple((shift, tuple((a, b) for a in rows for b in tap_of)) for shift, tap_of in strand.taps)
