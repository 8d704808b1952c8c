"""Schedules by minimal filtering (`jit/kernels/filtering.py`); `tables.py` writes their programs.

Along each of the last two axes results come in tiles of `outputs`, and q counts tiles. A chunk is computed in four
steps: rows of x are copied into the panel with all zeros beside them, transformed into points in its second part, and
for each point and tile of lanes a product of matrices, by the kernels with channels in lanes, sums over input channels
into the block; its points are transformed into results. Channels last these are written into y, else into the second
part of the block, which is transposed into y as that of other schedules with channels in lanes.

A kernel longer than the taps of the filter is a sum of filters, its segments: they read whole tiles further on. An axis
that is not filtered has tiles of one result and segments of one tap. Each phase of a stride, and each residue of a
dilation, is filtered by itself (`axis.py`): they have the rows of x in common, and where they begin alike its points.
Phases of unequal numbers of taps are filtered together, by a bank (`jit/kernels/banks.py`).
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tconv.cached import cached_property
from tconv.jit.kernels import Code, Kernel
from tconv.jit.kernels.channels import Channels
from tconv.jit.kernels.pack_channels_last import PackChannelsLast
from tconv.jit.kernels.pack_rows import PackRows
from tconv.jit.kernels.unpack import UnpackTransposed
from tconv.jit.kernels.winograd import WinogradInput, WinogradOutput
from tconv.jit.machine.ir import ELEMENTS
from tconv.jit.programs.cuts import balanced, spans
from tconv.jit.programs.packing import LINE
from tconv.jit.schedules.axes import LoopAxis
from tconv.jit.schedules.base import Schedule
from tconv.jit.schedules.lane_tiles import LaneTile, cut
from tconv.jit.schedules.layouts import MemoryLayout
from tconv.jit.schedules.winograd.axis import FilteredAxis, filtered
from tconv.jit.schedules.winograd.weights import transformed
from tconv.problem import Problem

Pair = tuple[int, int]


@dataclass(frozen=True)
class WinogradSchedule(Schedule):
    """Sizes of tiles and chunks."""

    problem: Problem
    layout: MemoryLayout  #: with axes whose q are tiles (`axis.in_tiles`)
    lanes: int
    vectors: int  #: vectors of a tile of lanes, at most
    pixels: int  #: tiles of results whose products a kernel computes at a time
    rows: int  #: of so many rows
    outputs: Pair
    taps: Pair
    cache_block: tuple[int, ...]  #: tiles of a chunk along each axis, the batch first
    masks: bool  #: loads under a mask are quick
    lines: tuple[LoopAxis, ...]  #: the axes as they were posed
    transposed: bool = False  #: channels are transposed innermost on their way into the panel

    @property
    def posed_layout(self) -> MemoryLayout:
        """The layout with the axes as they were posed."""
        return self.layout._replace(axes=self.lines)

    @property
    def kind(self) -> str:
        """The name of its kind."""
        return "winograd"

    @cached_property
    def axes(self) -> tuple[FilteredAxis, ...]:
        """What is done along each axis."""
        pairs = [(1, 1)] * (len(self.lines) - 2) + list(zip(self.outputs, self.taps, strict=True))
        return tuple(filtered(line, *pair) for line, pair in zip(self.lines, pairs, strict=True))

    @property
    def points(self) -> int:
        """Points of a tile."""
        return prod(axis.points for axis in self.axes)

    @property
    def segments(self) -> int:
        """Segments of the kernel of a phase."""
        return prod(axis.segments for axis in self.axes)

    @property
    def areas(self) -> int:
        """Areas of points."""
        return prod(len(axis.areas) for axis in self.axes)

    @property
    def sets(self) -> int:
        """Sets of weights."""
        return prod(len(axis.kernels) for axis in self.axes)

    @property
    def weights(self) -> int:
        """Bytes of the points of a group's weights."""
        of_lanes = self.read * self._whole(self.written) * self.problem.itemsize
        return self.sets * self.segments * self.points * of_lanes

    @cached_property
    def direct(self) -> bool:
        """Whether results are written into y at once."""
        return self.layout.y_channel == self.problem.itemsize

    @cached_property
    def innermost(self) -> bool:
        """Whether channels are innermost in the panel."""
        return self.layout.channels_last or self.transposed

    @cached_property
    def tiles(self) -> tuple[LaneTile, ...]:
        """The tiles of lanes."""
        return cut(self.written, 1, self.vectors, self.lanes)

    @cached_property
    def variants(self) -> list[tuple[int, int]]:
        """(vectors, elements of the last vector that count) in which tiles of lanes come."""
        return list(dict.fromkeys(map(self._of_tile, self.tiles)))

    def _of_tile(self, tile: LaneTile) -> tuple[int, int]:
        return tile.vectors, tile.count - (tile.vectors - 1) * self.lanes if self.direct else self.lanes

    def variant(self, tile: LaneTile) -> int:
        """The number of the variant of a tile."""
        return self.variants.index(self._of_tile(tile))

    @property
    def filters(self) -> tuple[tuple[int, FilteredAxis], ...]:
        """The taps of each axis, and what is done along it: all that the points of weights depend on."""
        return tuple((line.kernel, axis) for line, axis in zip(self.lines, self.axes, strict=True))

    def transformed(self, w: int) -> NDArray[Any]:
        """The points of the weights."""
        p = self.problem
        element = np.dtype(p.dtype)
        buffer = (ctypes.c_byte * (prod(p.w_shape) * element.itemsize)).from_address(w)
        flat: NDArray[Any] = np.ctypeslib.as_array(buffer).view(element)
        return transformed(self.filters, flat)

    # ---- the panel: rows of x, and points of tiles behind them

    @cached_property
    def cell(self) -> int:
        """Bytes from a cell of a row to the next."""
        if self.transposed:
            return self._whole(self.read) * self.problem.itemsize
        return self.layout.axes[-1].x_step if self.innermost else self.problem.itemsize

    @cached_property
    def pitch(self) -> int:
        """Cells of a row of the panel; channels first an odd number of them keeps channels in different sets."""
        cells = self.axes[-1].cells(self.cache_block[-1])
        return cells if self.innermost else cells + (cells + 1) % 2

    @cached_property
    def row(self) -> int:
        """Bytes of a row of x of all channels."""
        return self.pitch * self.cell * (1 if self.innermost else self.read)

    @cached_property
    def copied_rows(self) -> tuple[int, ...]:
        """Rows of x that a chunk needs along each outer axis."""
        return tuple(axis.cells(n) for axis, n in zip(self.axes[:-1], self.cache_block[:-1], strict=True))

    @cached_property
    def slots(self) -> tuple[int, ...]:
        """Tiles of x that a chunk needs along each outer axis."""
        return tuple(axis.slots(n) for axis, n in zip(self.axes[:-1], self.cache_block[:-1], strict=True))

    @cached_property
    def tile_pitch(self) -> int:
        """Tiles of a row of points, whole vectors of them where they are innermost."""
        tiles = self.axes[-1].slots(self.cache_block[-1])
        return tiles if self.innermost else self._whole(tiles)

    def _whole(self, count: int) -> int:
        return -(-count // self.lanes) * self.lanes

    @cached_property
    def source_pixel(self) -> int:
        """Bytes from a tile to the next within a point."""
        return self.problem.itemsize * (self._whole(self.read) if self.innermost else 1)

    @cached_property
    def source_channel(self) -> int:
        """Bytes from a channel to the next within a point."""
        return self.problem.itemsize * (1 if self.innermost else self.tile_pitch)

    @cached_property
    def point(self) -> int:
        """Bytes from a point of a row of tiles to the next."""
        size = self.tile_pitch * self.source_pixel if self.innermost else self.read * self.source_channel
        return size + LINE  # a power of two would keep points in the same sets

    @cached_property
    def points_at(self) -> int:
        """Where in the panel points begin; a transform of tiles in whole vectors reads beyond the last row."""
        beyond = 0 if self.innermost else self._beyond
        return -(-(prod(self.copied_rows) * self.row + beyond) // LINE) * LINE

    @cached_property
    def panel(self) -> int:
        """Bytes of the panel."""
        return self.points_at + self.areas * self.area + LINE

    @property
    def _beyond(self) -> int:
        """Bytes that the last vectors of tiles may read beyond a row."""
        axis = self.axes[-1]
        return (self.lanes + axis.bank.cells) * axis.outputs * axis.apart * self.problem.itemsize

    @cached_property
    def area(self) -> int:
        """Bytes of the points of one area."""
        return prod(self.slots) * self.points * self.point

    # ---- the block: points of products, and where y is not written at once results behind them

    @cached_property
    def widest(self) -> int:
        """Elements of the block for one tile of results."""
        return max(tile.vectors for tile in self.tiles) * self.lanes

    @cached_property
    def results_at(self) -> int:
        """Where in the block results begin."""
        return prod(self.cache_block) * self.points * self.widest * self.problem.itemsize

    @cached_property
    def block(self) -> int:
        """Bytes of the block; a transpose may read a square of positions behind the last."""
        written = prod(n * axis.written for n, axis in zip(self.cache_block, self.axes, strict=True))
        of_results = 0 if self.direct else written + self.lanes
        return self.results_at + of_results * self.widest * self.problem.itemsize

    # ---- code

    @cached_property
    def shapes(self) -> list[Pair]:
        """(rows, pixels) in which products come."""
        widths = {len(columns) for columns in spans(self.spans[-1], self.cache_block[-1])}
        pixels = {size for width in widths for size in balanced(width, self.pixels)}
        return sorted(product({1, self.rows}, pixels), reverse=True)

    @cached_property
    def code(self) -> Code:
        """The kernels: products, for each shape one a variant; of each variant results and transposes; then points."""
        element, lanes, widest = ELEMENTS[self.problem.dtype], self.lanes, self.widest // self.lanes
        banks = self.axes[-2].bank, self.axes[-1].bank
        kernels: list[Kernel] = [
            Channels(element, lanes, pixels, vectors, self.source_pixel, lanes, rows=rows, bare=True)
            for rows, pixels in self.shapes
            for vectors, _ in self.variants
        ]
        kernels += [
            WinogradOutput(element, lanes, banks, vectors, tail, self.direct, widest) for vectors, tail in self.variants
        ]
        kernels += [] if self.direct else [UnpackTransposed(element, lanes, widest)] * len(self.variants)
        apart = self.axes[-1].apart
        points = WinogradInput(element, lanes, banks, apart, self.innermost)
        copy = PackChannelsLast(element, lanes, self.cell) if self.transposed else PackRows(element, lanes)
        return Code(element, lanes, (*kernels, points, copy))
