"""The program of a schedule with taps in lanes: its weights, one matrix product, and where each tap is added."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, product
from typing import NamedTuple

import numpy as np

from tconv.jit.copies import rows_of
from tconv.jit.kernels.abi import Context, Header, Tile
from tconv.jit.program import balanced, dot, flat
from tconv.jit.tables import Tables
from tconv.jit.taps import TapSchedule


class Along(NamedTuple):
    """Runs of the last axis that an op adds: how many cells, from which tap and cell on, and where in a row of y."""

    cell: int
    cells: int
    tap: int
    length: int
    start: int


class TapTables(Tables):
    """Writes the tables of a schedule."""

    s: TapSchedule

    def __init__(self, schedule: TapSchedule, threads: int) -> None:
        super().__init__(schedule, threads, len(schedule.tiles))
        self.fill = len(schedule.widths) * len(schedule.sizes)
        self.scatter = self.fill + 1
        self.zeros = self.packer.room(1, max(schedule.parts) * schedule.lanes)  # bytes, before the bias

    def header(self) -> dict[Header, int]:
        """Where kernels read and write, and the order of loops."""
        return {Header.TILES_OUTSIDE: 1}

    def sizes(self) -> dict[Context, int]:
        """The sizes that all ops share."""
        s = self.s
        return {
            Context.COPIED: s.read,
            Context.X_CHANNEL: s.layout.x_channel,
            Context.SOURCE_CHANNEL: s.source_channel,
            Context.SOURCE_TERM: s.source_channel,
            Context.Y_CHANNEL: s.layout.y_channel,
            Context.TARGET_PIXEL: s.pitch * self.size,
        }

    def copies(self, box: tuple[range, ...]) -> None:
        """All cells of every channel, side by side."""
        start = np.zeros(1, np.int64)
        self.writer.copies(self.copy, rows_of(start, start, len(box[-1]), 0, 0))

    # ---- weights

    def weights(self, g: int) -> None:
        """For each tile zeros with which its sums begin, its biases, and its parts."""
        s, w, start = self.s, self.packer, self.packer.packed
        read, written, w_read, w_written = s.channels_of_group
        widest = max(s.parts) * s.lanes
        per_part = w.room(read, widest)
        for channels in s.tiles:
            zeros = w.reserve(self.zeros)
            bias = w.reserve(w.room(1, s.channels))
            place = at = w.reserve(per_part * len(s.parts))
            w.block(zeros, [[-1] * widest], bias=True)
            w.block(bias, [list(channels)], source=g * written, bias=True)
            lanes = [c * w_written + tap for c in channels for tap in range(s.taps)]
            lanes += [-1] * (s.pitch - len(lanes))
            # All parts of an input channel lie side by side: parts of a size are packed together.
            for vectors, alike in groupby(s.parts):
                parts, size = len(list(alike)), vectors * s.lanes
                rows = [lanes[n * size : (n + 1) * size] for n in range(parts)]
                w.block(at, rows, tap=per_part, source=self.first_weight(g), channels=(read, w_read))
                at, lanes = at + parts * per_part, lanes[parts * size :]
            if g == 0:
                w.tile({
                    Tile.W: place - start,
                    Tile.BIAS: zeros - start,
                    Tile.TAP: per_part,
                    Tile.COUNT: len(channels),
                }, y=channels.start)  # fmt: skip

    # ---- ops

    def ops(self, box: tuple[range, ...], later: tuple[range, ...] | None, moved: int) -> None:
        """The bias, the product, and what is added."""
        s = self.s
        self.writer.op(self.fill, s.layout.y_channel // self.size, self.zeros, 0, 1, 0)
        for part, vectors in enumerate(s.parts):
            self._product(part, vectors)
        self._scatters()

    def _product(self, part: int, vectors: int) -> None:
        """One part of the lanes for all cells: sums of so many terms each."""
        s, cell = self.s, 0
        lane = sum(s.parts[:part]) * s.lanes
        for pixels in balanced(s.box[-1], s.pixels):
            kernel = s.widths.index(pixels) * len(s.sizes) + s.sizes.index(vectors)
            first, target = 0, (cell * s.pitch + lane) * self.size
            for number in balanced(s.read, s.terms):
                x = cell * self.size + first * s.source_channel
                self.writer.op(kernel, 1, 0, int(first > 0), number, first, target, part, 0, x)
                first += number
            cell += pixels

    def _scatters(self) -> None:
        """The block into y: rows of cells, each for the rows of taps that land in y."""
        s = self.s
        *outer, last = s.axes
        kernel, along = [line.kernel for line in s.axes], list(self._along())
        for cells in product(*(range(line.read) for line in outer)):
            first = flat([*cells, 0], [line.read for line in s.axes])
            for taps, o, rows, step in self._rows(cells):
                for run in along:
                    block = (first + run.cell) * s.pitch + flat([*taps, run.tap], kernel)
                    y = dot(o, [line.y_step for line in outer]) + run.start * last.y_step
                    of_cells = run.length, run.cells, last.stride * last.y_step
                    of_rows = rows, last.kernel * self.size, step
                    self.writer.op(self.scatter, block * self.size, y, *of_cells, *of_rows, s.taps * self.size)

    def _rows(self, cells: tuple[int, ...]) -> Iterator[tuple[list[int], list[int], int, int]]:
        """For a row of cells: first taps of the outer axes, where they land, how many rows follow, and their step."""
        outer = self.s.axes[:-1]
        if not outer:
            yield [], [], 1, 0
            return
        *before, line = outer
        start = cells[-1] * line.stride - line.low
        rows = [t for t in range(line.kernel) if 0 <= start + t * line.dilation < line.written]
        for taps in product(*(range(axis.kernel) for axis in before)):
            o = [
                c * axis.stride - axis.low + t * axis.dilation for c, t, axis in zip(cells, taps, before, strict=False)
            ]
            if rows and all(0 <= i < axis.written for i, axis in zip(o, before, strict=True)):
                yield [*taps, rows[0]], [*o, start + rows[0] * line.dilation], len(rows), line.dilation * line.y_step

    def _along(self) -> Iterator[Along]:
        """What is added along the last axis: all taps of many cells, or those that land; or tap by tap."""
        line = self.s.axes[-1]
        if line.dilation != 1:
            yield from self._tap_by_tap()
            return
        starts = [cell * line.stride - line.low for cell in range(line.read)]
        whole = [cell for cell, o in enumerate(starts) if o >= 0 and o + line.kernel <= line.written]
        if whole:
            yield Along(whole[0], len(whole), 0, line.kernel, starts[whole[0]])
        for cell, o in enumerate(starts):
            tap, end = max(0, -o), min(line.kernel, line.written - o)
            if cell not in whole and tap < end:
                yield Along(cell, 1, tap, end - tap, o + tap)

    def _tap_by_tap(self) -> Iterator[Along]:
        line = self.s.axes[-1]
        for tap in range(line.kernel):
            at = tap * line.dilation - line.low
            cells = [cell for cell in range(line.read) if 0 <= cell * line.stride + at < line.written]
            if cells:
                yield Along(cells[0], len(cells), tap, 1, cells[0] * line.stride + at)
