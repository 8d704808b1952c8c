"""The program of a schedule with taps in lanes: its weights, one matrix product, and where each tap is added."""

from __future__ import annotations

from itertools import groupby

import numpy as np

from tconv.jit.kernels.abi import Context, Header, Piece, Tile
from tconv.jit.machine.native import compiled
from tconv.jit.machine.native.language import Ints
from tconv.jit.programs.loops.words import AXIS, AxisWords
from tconv.jit.programs.tables import Tables
from tconv.jit.schedules.arrays import array, axes_of, lists_of, no_lists, words_of, written
from tconv.jit.schedules.taps.loops.chunks import RUN, T, chunks_of_taps
from tconv.jit.schedules.taps.schedule import TapSchedule


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

    # ---- chunks

    def chunks(self) -> tuple[Ints, Ints]:
        """The pieces of each chunk, and all copies and ops, which `loops/chunks.py` writes."""
        s, last = self.s, self.s.axes[-1]
        images, parts = axes_of(s, lists_of(self.layer, s, no_lists), None)
        grid, low = np.zeros((len(s.axes), AXIS), np.int64), np.array([(n.dilation, n.low) for n in s.axes], np.int64)
        grid[:, : AxisWords.PARTS] = [words_of(line, 0, line.span()) for line in s.axes]
        given = array(T, self.words())
        runs, found = np.empty((last.read + last.kernel + 1, RUN), np.int64), np.empty((parts[0], Piece.TILE), np.int64)
        arrays = given, images, grid, low, np.empty(2 * sum(parts), np.int64), runs, found
        count, ops = written(lambda out: compiled.run(chunks_of_taps, *arrays, out))
        return found[:count], ops

    def words(self) -> dict[T, int]:
        """The schedule, for the loops."""
        s = self.s
        return {
            T.SIZE: self.size,
            T.AXES: len(s.axes),
            T.CELLS: s.cache_block[-1],
            T.READ: s.read,
            T.TERMS: s.terms,
            T.PIXELS: s.pixels,
            T.LANES: s.lanes,
            T.TILE: sum(s.parts),
            T.VECTORS: s.vectors,
            T.TAPS: s.taps,
            T.SOURCE_CHANNEL: s.source_channel,
            T.FILL: self.fill,
            T.FILLED: s.layout.y_channel // self.size,
            T.ZEROS: self.zeros,
            T.SIZES: len(s.sizes),
            T.SCATTER: self.scatter,
            T.COPY: self.copy,
            T.FINISH: self.finish,
        }
