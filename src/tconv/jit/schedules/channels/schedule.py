"""Schedules with channels in lanes (`kernels/channels.py`); `tables.py` writes their programs.

Lanes are output channels, or (channel, phase) pairs of the last axis where its stride is large: then a run of y, the
phases of one q, is a run of lanes. In channels-last arrays a run holds (phase, channel) pairs. The pixels of a tile
are the q along the last axis, or the images where each is a single cell (`MemoryLayout.joined`).

A chunk is a cache block of q over all axes. For one tile of channels after the other, every phase and row of the chunk
is computed into the block, and the block moved into y; channels-last results with whole channels in lanes go straight
into y. Input channels are taken in parts whose weights fit the cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, product
from math import prod
from typing import Literal

from tconv.cached import cached_property
from tconv.jit.kernels import Code, Kernel
from tconv.jit.kernels.at_once import AtOnce
from tconv.jit.kernels.channels import Channels
from tconv.jit.kernels.pack_channels_last import PackChannelsLast
from tconv.jit.kernels.pack_on_the_fly import PackOnTheFly
from tconv.jit.kernels.pack_rows import PackRows
from tconv.jit.kernels.unpack import UnpackRuns, UnpackTransposed
from tconv.jit.machine.ir import ELEMENTS
from tconv.jit.programs.cuts import balanced, spans
from tconv.jit.programs.packing import LINE
from tconv.jit.schedules.axes import by_shift, meets, phase_taps, residues
from tconv.jit.schedules.base import STREAM_FROM, TERMS
from tconv.jit.schedules.broadcast import BroadcastSchedule
from tconv.jit.schedules.channels import cells_at_once
from tconv.jit.schedules.lane_tiles import LaneTile, cut, rows_of_short
from tconv.jit.schedules.layouts import MemoryLayout
from tconv.problem import Problem

#: Bytes of the weights of a tile that stay near while one row after the other meets all of them.
NEAR = 1 << 20
#: Terms of a sum up to which results are written past the caches where a vector is less than a line. On AMD Zen 4 one
#: input channel and a kernel of 1 takes half of the time so with AVX2, 8 channels 0.87, and from 64 terms on nothing is
#: gained. With AVX-512, whose vectors are lines, 3 channels and a kernel of 3x3 take 0.8, 288 terms 0.95.
FEW = 16


@dataclass(frozen=True)
class ChannelSchedule(BroadcastSchedule):
    """Sizes of tiles and chunks."""

    problem: Problem
    layout: MemoryLayout
    lanes: int
    vectors: int  #: vectors of a tile, at most
    pixels: int  #: pixels of a tile, at most
    in_lanes: Literal["channels", "phases"]
    cache_block: tuple[int, ...]  #: q of a chunk along each axis, the batch first
    part: int  #: input channels taken at a time
    in_place: bool  #: x is read where it is
    masks: bool  #: loads under a mask are quick
    terms: int = TERMS  #: of a sum, at most (of one tap, where that has more input channels)
    rows: int = 1  #: rows of a tile, along the axis before the last
    on_the_fly: bool = False  #: weights are packed on the fly: for one call, whose chunk is one
    depthwise: bool = False  #: depthwise: the groups are the output channels, and each reads its own channel of x
    cut_rows: bool = False  #: rows of the panel are cut where a tap comes upon x or leaves it, as they must be in place
    at_once: bool = False  #: depthwise, and cells all of whose taps read x make all of their phases at a time
    carries: bool = False  #: of these, each vector of x is loaded once a row: sums of later q wait in registers

    @property
    def kind(self) -> str:
        """The name of its kind."""
        return "depthwise" if self.depthwise else self.in_lanes

    @property
    def cuts(self) -> bool:
        """Whether rows are cut where a tap comes upon x or leaves it: tiles then have no tap that reads zeros."""
        return self.in_place or self.cut_rows

    @property
    def parts_of_read(self) -> int:
        """Into how many parts the channels that are read are cut."""
        return -(-self.read // self.part)

    @property
    def completes(self) -> bool:
        """Few terms are one sum."""
        taps = [max(map(len, phase_taps(line))) for line in self.outer]
        last, origin = self.last, self.origin
        phases = self.in_lanes == "phases"
        taps.append(len(by_shift(last, origin)) if phases else max(map(len, phase_taps(last, origin))))
        few = self.read * prod(taps) <= self.terms
        return few and self.parts_of_read == 1 and not self.outer_first

    @cached_property
    def origin(self) -> int:
        """The origin of the last axis (see `axes.py`): with phases in lanes all have equal shifts."""
        return self.last.low % self.last.stride if self.in_lanes == "phases" else 0

    @cached_property
    def direct(self) -> bool:
        """Whether tiles are written straight into y."""
        return self.layout.y_channel == self.problem.itemsize and self.in_lanes == "channels"

    @cached_property
    def pixel(self) -> int:
        """Bytes from a pixel to the next."""
        return self.source_pixel

    @cached_property
    def run(self) -> int:
        """Neighbouring elements of y that lanes stand for: the length of a run, of which there are `runs`."""
        if self.in_lanes == "channels":
            return 1
        return self.last.stride * (self.written if self.layout.channels_last else 1)

    @cached_property
    def runs(self) -> int:
        """How many runs one pixel has."""
        return 1 if self.layout.channels_last and self.in_lanes == "phases" else self.written

    @cached_property
    def tiles(self) -> tuple[LaneTile, ...]:
        """The tiles of lanes."""
        return cut(self.runs, self.run, self.vectors, self.lanes)

    @cached_property
    def variants(self) -> list[tuple[int, int, int]]:
        """(vectors, length of a run, lanes of the last vector that count) in which tiles come."""
        found = {(t.vectors, t.length, self._tail_lanes(t)): None for t in self.tiles}
        return list(found)

    def _tail_lanes(self, tile: LaneTile) -> int:
        if not self.direct:
            return self.lanes
        return tile.count - (tile.vectors - 1) * self.lanes

    def variant(self, tile: LaneTile) -> int:
        """The number of the variant of a tile."""
        return self.variants.index((tile.vectors, tile.length, self._tail_lanes(tile)))

    # ---- the block

    @cached_property
    def widest(self) -> int:
        """Elements of the block for one pixel or position."""
        return max(tile.vectors for tile in self.tiles) * self.lanes

    @property
    def existing(self) -> tuple[bool, ...]:
        """Of each outer axis, whether the panel has room for rows that exist only: a tap beside x is in no op.

        Taps of a small grid reach several times as many.
        """
        return tuple(len(residues(line)) == 1 for line in self.outer)

    @cached_property
    def positions(self) -> int:
        """Pixels or positions of the block."""
        strides = [line.stride for line in self.layout.axes]
        if self.in_lanes == "phases":
            strides[-1] = 1
        return prod(n * s for n, s in zip(self.cache_block, strides, strict=True))

    @cached_property
    def block(self) -> int:
        """Bytes of the block; a transpose may read a square of positions behind the last."""
        if self.direct:
            return 0
        return (self.positions + self.lanes) * self.widest * self.problem.itemsize

    @cached_property
    def streaming(self) -> bool:
        """Whether results go past the caches: they are many, whole lines are written, and a sum takes one op."""
        p, vector = self.problem, self.lanes * self.problem.itemsize
        large = p.bytes_written > STREAM_FROM
        whole = self.last.pixel_step % vector == self.last.y_step % vector == self.written * p.itemsize % vector == 0
        if self.depthwise:
            # Cells at once are written a vector at a time: a part of a line would go by itself, far from the others.
            return large and whole and (vector == LINE or not self.at_once)
        if not (large and whole and self.direct):
            return False
        # Where a line is two vectors, tiles have to be lines too, and the caches do well unless there is little to do.
        most = self.terms if vector == LINE else FEW
        lines = self.written * p.itemsize % LINE == self.vectors * vector % LINE == 0
        return lines and not self.outer_first and self.part == self.read and self._longest_sum <= most

    @cached_property
    def _longest_sum(self) -> int:
        """Terms of a sum, at most."""
        return self.read * prod(max(map(len, phase_taps(line))) for line in self.layout.axes)

    @cached_property
    def working_set(self) -> int:
        """Bytes of x that a chunk reads again and again, and of y that several tiles write between each other."""
        written = self.positions * self.written * self.problem.itemsize if self.direct else 0
        rows = prod(self.cache_block[:-1] if self.weights_exceed_cache else self.slots)
        if self.cut_rows:  # beside a small grid most of them would be zeros
            rows = min(rows, prod(line.read for line in self.outer))
        return rows * self.row + written

    # ---- code

    @cached_property
    def shapes(self) -> list[tuple[int, int]]:
        """(rows, pixels) in which tiles come."""
        cut: set[tuple[int, int]] = set()
        chunks = spans(self.spans[-1], self.cache_block[-1])
        # Chunks that meet the ends of the axis alike are cut alike.
        cuts = {meets(self.last, columns, self.origin): columns for columns in chunks}.values()
        for b in range(self.last.stride if self.in_lanes == "channels" else 1):
            for columns in cuts:
                for segment in self.segments(columns, b):
                    rows = {1, self.rows_of(len(segment))}
                    cut.update(product(rows, balanced(len(segment), self.pixels)))
        return sorted(cut, reverse=True)

    def rows_of(self, pixels: int) -> int:
        """Rows of a tile in a segment of so many pixels: of what is cut off at an end of rows, several fill a tile."""
        if self.rows > 1 or self.depthwise or not self.cuts:
            return self.rows
        return rows_of_short(pixels, self.pixels)

    @cached_property
    def weights_exceed_cache(self) -> bool:
        """Whether the weights of a tile are too many to stay near while row after row meets all of them."""
        weights = self.problem.taps * self.part * self.widest * self.problem.itemsize
        return self.in_place and self.direct and not self.layout.joined and weights > NEAR

    @cached_property
    def outer_first(self) -> bool:
        """Whether all rows take one tap of the outer axes before the next."""
        return self.rows > 1 or self.weights_exceed_cache

    @cached_property
    def masked(self) -> bool:
        """Whether lanes are phases some of which have no tap at some shift."""
        shifted = by_shift(self.last, self.origin).values() if self.in_lanes == "phases" else ()
        return any(len(reached) < self.last.stride for reached in shifted)

    def ahead(self, pixels: int) -> int:
        """Bytes of x to ask for with each term of a tile, from where the next one begins; 0 for none.

        So many are used with each, where all channels of a pixel are read and no two pixels read the same.
        """
        alone = self.depthwise or self.layout.joined or self.problem.groups > 1 or self.part < self.read
        return 0 if alone or not (self.in_place and self.direct) else pixels * self.problem.itemsize

    def segments(self, columns: range, b: int) -> list[range]:
        """The q of a phase of the last axis within a range, cut where a tap comes upon x or leaves it if rows are."""
        within, line = self.within(columns, b), self.last
        if not self.cuts:
            return [within] if within else []
        taps = phase_taps(line, self.origin)[b] if self.in_lanes == "channels" else ()
        ends = {end for _, shift in taps for end in (line.reads(shift).start, line.reads(shift).stop)}
        if self.at_once:
            ends |= {self.inner[-1].start, self.inner[-1].stop}
        cuts = [within.start, *sorted(end for end in ends if end in within[1:]), within.stop]
        return [range(*pair) for pair in pairwise(cuts)] if within else []

    @cached_property
    def inner(self) -> tuple[range, range]:
        """The q of the last two axes all of whose taps, of every phase, read x."""
        before, last = map(cells_at_once.inner, self.layout.axes[-2:])
        return before, last

    def within(self, columns: range, b: int) -> range:
        """The q of a phase of the last axis within a range; of every phase where they are in lanes."""
        if self.in_lanes == "phases":
            return columns
        return self.last.of_phase(b, columns)

    @cached_property
    def code(self) -> Code:
        """The kernels: for each width one a variant, then those that move the block or pack weights, then the copy."""
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
                self.streaming,
                rows,
                self.ahead(width),
                masked=self.masked,
            )
            for rows, width in self.shapes
            for vectors, _, last in variants
        ]
        widest = self.widest // self.lanes
        for _, length, _ in () if self.direct else variants:
            phases = self.in_lanes == "phases"
            kernels.append(
                UnpackRuns(element, self.lanes, widest, length)
                if phases
                else UnpackTransposed(element, self.lanes, widest)
            )
        # An op calls the kernel of the variant of its tile.
        kernels += [PackOnTheFly(element, self.lanes)] * (len(variants) if self.on_the_fly else 0)
        if self.at_once:
            kernels += [self.inner_kernel(vectors, last) for vectors, _, last in variants]
        copy = PackChannelsLast(element, self.lanes, self.cell) if self.transposed else PackRows(element, self.lanes)
        return Code(element, self.lanes, (*kernels, copy))

    def inner_kernel(self, vectors: int, left: int) -> AtOnce:
        """The kernel for cells within, of tiles of so many vectors, with so many lanes of the last one."""
        element = ELEMENTS[self.problem.dtype]
        starts = Channels(element, self.lanes, 1, vectors, self.pixel, left).starts
        before, last = self.layout.axes[-2:]
        vectors_of_tile = element, self.lanes, starts
        return cells_at_once.kernel(before, last, vectors_of_tile, carries=self.carries, streaming=self.streaming)

    @property
    def in_whole_vectors(self) -> bool:
        """Whether no vector of a tile needs a mask."""
        return all(vectors > 1 or left == self.lanes for vectors, _, left in self.variants)
