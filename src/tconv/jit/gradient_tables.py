"""The program of a weight gradient: its runs of chunks, what is copied for each, and its sums as tables."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tconv.jit.gradient import GradientSchedule
from tconv.jit.gradient_runs import finer
from tconv.jit.kernels.abi import Context, Header, Piece, Tile
from tconv.jit.lane_tiles import LaneTile
from tconv.jit.lines import meets, phase_taps
from tconv.jit.packing import Packer
from tconv.jit.program import Program, Scratch, Writer, balanced, dot, flat, spans
from tconv.jit.source import rows_of_x
from tconv.jit.templates import Ints, places

Box = tuple[range, ...]


class Unit(NamedTuple):
    """What one row of a tile computes: for taps of the outer axes, from where in a row, to which position."""

    outer: tuple[int, ...]  #: shifts along the outer axes
    source: int  #: bytes from the first tap of channel 0
    position: int


class GradientTables:
    """Writes the tables of a schedule, for a number of threads."""

    def __init__(self, schedule: GradientSchedule, threads: int) -> None:
        self.s = s = finer(schedule, threads)
        self.size = s.problem.itemsize
        self.writer, self.packer, self.code = Writer(self.size, 0), Packer(self.size, s.lanes), s.code
        variants = len(s.variants)
        self.of_rows = len(s.widths) * variants  # where kernels for several rows begin
        self.cells = self.of_rows * len({1, s.rows})
        self.move = self.cells + (variants if s.gathered else 0)
        self.copy = self.move + variants
        self.written: dict[tuple[object, ...], tuple[int, int]] = {}

    def write(self) -> Program:
        """The program: pieces of a run in the order of chunks, which never depends on threads."""
        s, p = self.s, self.s.problem
        boxes = list(product(*(spans(span, n) for span, n in zip(s.spans, s.box, strict=True))))
        parts = spans(range(len(s.tiles)), s.together)
        self._tiles(parts)
        chunks = {n: [self._chunk(boxes, number, n) for number in range(len(boxes))] for n in {*s.cut}}
        pieces = []
        for g, tiles, outputs in product(range(p.groups), parts, spans(range(s.read), s.outputs)):
            weights = (g * p.cin * p.cout + outputs.start) * p.taps * self.size
            moved = g * s.layout.x_group + outputs.start * s.layout.x_channel
            of_run = np.empty((len(boxes), len(Piece)), np.int64)
            of_run[:, : Piece.TILE] = chunks[len(outputs)]
            of_run[:, : Piece.COPIES] += moved, g * s.layout.y_group, weights
            of_run[:, Piece.TILE :] = tiles.start, tiles.stop
            pieces.append(of_run)
        self.writer.pieces = np.concatenate(pieces)
        header = {
            Header.IN_PLACE: int(s.in_place),
            Header.TILES_OUTSIDE: int(s.tiles_outside),
            Header.GATHERED: int(s.gathered),
            Header.RUN: len(boxes),
        }
        scratch = Scratch.of(s.panel, s.block, s.cells)
        return self.writer.finish(self.code, header, self._sizes(), self.packer.packing(), scratch)

    def _chunk(self, boxes: list[Box], number: int, outputs: int) -> list[int]:
        """Where a chunk begins on both grids, and the spans of its copies and its ops."""
        box, first, last = boxes[number], number == 0, number == len(boxes) - 1
        copies = self._once(self._copies, box, outputs)
        return [*self._bases(box), 0, *copies, *self._once(self._ops, box, outputs, first, last)]

    def _sizes(self) -> dict[Context, int]:
        """The sizes that all ops share."""
        s = self.s
        position = s.widest * self.size
        return {
            Context.COPIED: 1,
            Context.X_CHANNEL: s.layout.x_channel,
            Context.SOURCE_CHANNEL: s.source_channel,
            Context.SOURCE_TERM: s.source_pixel,
            Context.W_CHANNEL: s.layout.y_channel,
            Context.W_TERM: s.last.y_step,
            Context.Y_CHANNEL: s.problem.cout * s.problem.taps * self.size,
            Context.TARGET_PIXEL: position * (s.problem.taps if s.by_channel else 1),
        }

    def _tiles(self, parts: list[range]) -> None:
        """Where each tile of lanes finds its channels, keeps its cells and its sums, and writes them."""
        s, p = self.s, self.s.problem
        for place, number in (pair for part in parts for pair in enumerate(part)):
            tile = s.tiles[number]
            self.packer.tile({
                Tile.VARIANT: s.variants.index(s.variant_of(tile)),
                **self._of_cells(tile, place),
                Tile.Y: tile.run * p.cout * p.taps * self.size,
                Tile.TARGET: place * s.of_tile,
                Tile.X: tile.run * self.size if s.own and not s.turned else 0,
                Tile.OF_X: tile.run * s.layout.x_channel if s.turned else 0,
                Tile.OF_W: tile.run * s.layout.y_channel,
                Tile.COUNT: tile.count,
            })  # fmt: skip

    def _of_cells(self, tile: LaneTile, place: int) -> dict[Tile, int]:
        """Where a tile reads cells: in scratch, row by row, or in the coarse grid, where ops say how many bytes on."""
        s = self.s
        if not s.gathered:
            return {Tile.W: tile.run * s.layout.y_channel, Tile.TAP: 1}
        first = s.widest * self.size + (0 if s.tiles_outside else place * s.cells_of_tile)
        return {Tile.W: first, Tile.TAP: s.box[-1] * tile.vectors * s.lanes * self.size}

    def _bases(self, box: Box) -> tuple[int, int]:
        """Where a chunk begins on the fine grid and on the coarse one: what its ops say counts from there."""
        lines, first = self.s.layout.lines, [q.start for q in box]
        return dot(first, [line.read_step for line in lines]), dot(first, [line.y_step for line in lines])

    def _once(self, write: object, box: Box, *more: int) -> tuple[int, int]:
        """Where the ops of a chunk lie; chunks that meet the borders alike share them."""
        key = (write, *(meets(line, q) for line, q in zip(self.s.layout.lines, box, strict=True)), *more)
        if key not in self.written:
            start = self.writer.here
            write(box, *more)  # type: ignore[operator]
            self.written[key] = (start, self.writer.here)
        return self.written[key]

    # ---- copies

    def _copies(self, box: Box, outputs: int) -> None:
        """Rows of the fine grid into the panel, with zeros around."""
        s = self.s
        if s.in_place or s.turned:
            return
        rows = self._rows(box)
        if s.picked:
            self.writer.pixels(self.copy, rows, s.last.x_step, s.cell, outputs)
            return
        for channel in range(1 if s.layout.last else outputs):
            moved = channel * s.layout.x_channel, channel * s.source_channel, 0, 0, 0
            self.writer.copies(self.copy, rows + np.array(moved, np.int64))

    def _rows(self, box: Box) -> Ints:
        """Those of channel 0; of all channels where they lie side by side and all are copied, in elements."""
        return rows_of_x(self.s, box, self._bases(box)[0])

    def _gathered(self, rows: Cells, columns: int) -> None:
        """The coarse cells of a chunk, a run of evenly spaced ones after the other."""
        s = self.s
        runs: list[tuple[int, int, int, int]] = []  # source, cells before it, cells, step
        for number, source in enumerate(rows.beside.tolist()):
            if runs and columns == s.box[-1]:
                first, before, count, step = runs[-1]
                # Single cells may be any step apart, unless squares of them are turned.
                step = source - first if count == 1 and not s.side_by_side else step
                if source == first + count * step:
                    runs[-1] = (first, before, count + columns, step)
                    continue
            runs.append((source, number * s.box[-1], columns, s.last.y_step))
        for run in runs:
            self.writer.op(self.cells, *run)

    # ---- sums

    def _ops(self, box: Box, outputs: int, first: bool, last: bool) -> None:
        """What a tile of lanes does for a chunk."""
        s, rows = self.s, Cells(self.s, box)
        if s.gathered:
            self._gathered(rows, len(box[-1]))
        if s.turned:
            self.writer.copies(self.copy, self._rows(box))
        of_reach: dict[bytes, list[Unit]] = {}
        for unit in self._units(outputs):
            of_reach.setdefault(rows.reached(unit.outer).tobytes(), []).append(unit)
        for units in of_reach.values():
            for some in _together(units, s.rows):
                for pixels, source, position in self._runs(outputs):
                    self._sums(rows, some, (pixels, source, position), len(box[-1]), adds=not first)
        if last:
            self.writer.op(self.move, 0, 0, outputs * s.problem.taps)

    def _units(self, outputs: int) -> Iterator[Unit]:
        """The rows of tiles: taps of the outer axes, with each channel o, or with each tap of the last axis."""
        s, kernel = self.s, [line.kernel for line in self.s.outer]
        outer = list(product(*(phase_taps(line)[0] for line in s.outer)))
        inner = phase_taps(s.last)[0]
        for number in range(s.last.kernel if s.by_channel else outputs):
            for taps in outer:
                moved = tuple(shift for _, shift in taps)
                position = flat([tap for tap, _ in taps], kernel) * s.last.kernel
                if s.by_channel:
                    yield Unit(moved, inner[number][1] * s.cell, position + number)
                else:
                    source = inner[0][1] * s.cell + number * s.source_channel
                    yield Unit(moved, source, position + number * s.problem.taps)

    def _runs(self, outputs: int) -> Iterator[tuple[int, int, int]]:
        """How many neighbours a tile has, and where they begin: bytes in the source, and positions."""
        s, at = self.s, 0
        for pixels in balanced(outputs if s.by_channel else s.last.kernel, s.pixels):
            yield pixels, at * s.pixel, at * (s.problem.taps if s.by_channel else 1)
            at += pixels

    def _sums(self, rows: Cells, units: list[Unit], run: tuple[int, int, int], columns: int, *, adds: bool) -> None:
        """The ops of one tile: sums of so many terms each, over the rows of cells that its taps reach."""
        s, (pixels, source, position) = self.s, run
        kernel = s.widths.index(pixels) * len(s.variants) + (self.of_rows if len(units) > 1 else 0)
        targets = [(unit.position + position) * s.widest * self.size for unit in units]
        for some in _cut(rows.reached(units[0].outer), max(1, s.terms // columns)):
            at = 0
            for number in balanced(columns, s.terms):
                words = np.zeros((len(some), 2 + len(units)), np.int64)
                words[:, 0] = some if s.gathered else rows.beside[some] + at * s.last.y_step
                for n, unit in enumerate(units, 2):
                    words[:, n] = rows.read[some] + (
                        rows.first(unit.outer) + unit.source + source + at * s.source_pixel
                    )
                head = len(some), 0, int(adds), number, at if s.gathered else 0
                self.writer.op(kernel, *head, *targets, *words.reshape(-1).tolist())
                at, adds = at + number, True
        if not adds:
            self.writer.op(kernel, 0, 0, 0, 1, 0, *targets)


class Cells:
    """The rows of coarse cells of a chunk, one after the other, and what taps of the outer axes read for them."""

    def __init__(self, s: GradientSchedule, box: Box) -> None:
        self.s, self.box = s, box
        first, rows = [q.start for q in box[:-1]], box[:-1]
        #: Bytes of the coarse grid from the first cell of the chunk to the first of each row.
        self.beside = places(rows, [line.y_step for line in s.outer], first)
        if s.in_place:
            steps = [line.read_step for line in s.outer]
        else:
            steps = [prod(s.slots[axis + 1 :]) * s.row for axis in range(len(s.outer))]
        self.read = places(rows, steps, first)  #: how much further than for the first row a tap reads
        self._first: dict[tuple[int, ...], int] = {}
        self._reached: dict[tuple[int, ...], NDArray[np.intp]] = {}

    def first(self, moved: tuple[int, ...]) -> int:
        """Where a tap that is so far along the outer axes reads what the first cell meets, if it reads anything."""
        if moved not in self._first:
            s = self.s
            if s.in_place:
                self._first[moved] = dot(moved, [line.x_step for line in s.outer])
            else:
                cells = [q.start * line.apart + n for q, line, n in zip(self.box, s.outer, moved, strict=False)]
                self._first[moved] = s.slot(cells, self.box) * s.row + s.before * s.cell
        return self._first[moved]

    def reached(self, moved: tuple[int, ...]) -> NDArray[np.intp]:
        """Which rows meet the fine grid there."""
        if moved not in self._reached:
            exist = np.ones(1, bool)
            for q, line, shift in zip(self.box[:-1], self.s.outer, moved, strict=True):
                cells = np.arange(q.start, q.stop) * line.apart + shift
                exist = (exist[:, None] & (cells >= 0) & (cells < line.read)).reshape(-1)
            self._reached[moved] = np.flatnonzero(exist)
        return self._reached[moved]


def _cut(rows: NDArray[np.intp], most: int) -> Iterator[NDArray[np.intp]]:
    at = 0
    for size in balanced(len(rows), most) if len(rows) else ():
        yield rows[at : at + size]
        at += size


def _together(units: list[Unit], most: int) -> list[list[Unit]]:
    """As many as a tile has rows, and those that are left alone."""
    whole = len(units) // most * most
    return [units[n : n + most] for n in range(0, whole, most)] + [[unit] for unit in units[whole:]]
