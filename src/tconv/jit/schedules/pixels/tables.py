"""The program of a schedule with pixels in lanes: its weights, and what the loops that write its chunks are given."""

from __future__ import annotations

from math import prod

import numpy as np

from tconv.jit.kernels.abi import Context, Header, Piece
from tconv.jit.kernels.pack_rows import PackRows
from tconv.jit.machine.native import compiled
from tconv.jit.machine.native.language import Ints
from tconv.jit.programs.loops.words import COPIED, MET, Met
from tconv.jit.programs.packing import LINE
from tconv.jit.schedules.arrays import Collector, array, axes_of, lists_of, written
from tconv.jit.schedules.pixels.loops.chunks import chunks_of_pixels
from tconv.jit.schedules.pixels.loops.words import S
from tconv.jit.schedules.pixels.schedule import feeds
from tconv.jit.schedules.pixels.weights import PixelWeights

#: Lines of x that the tiles of a chunk ask for, at most.
MOST_LINES = 4096


class PixelTables(PixelWeights):
    """Writes the tables of a schedule."""

    def header(self) -> dict[Header, int]:
        """Kernels write into y, and every tile of channels is done for one tile of pixels before the next."""
        return {Header.DIRECT: 1, Header.IN_PLACE: int(self.s.in_place)}

    def sizes(self) -> dict[Context, int]:
        """The sizes that all ops share."""
        s = self.s
        return {
            Context.COPIED: s.read,
            Context.X_CHANNEL: s.layout.x_channel,
            Context.X_PIXEL: s.last.read_step,
            Context.X_AHEAD: LINE if s.layout.channels_last else s.layout.x_channel,
            Context.SOURCE_CHANNEL: s.source_channel,
            Context.SOURCE_STRAND: s.panel_strand,
            Context.Y_CHANNEL: s.layout.y_channel,
            Context.Y_PHASE: s.outer[-1].y_step,
        }

    # ---- chunks

    def chunks(self) -> tuple[Ints, Ints]:
        """The pieces of each chunk, and all copies and ops, which `loops/chunks.py` writes."""
        s, lists = self.s, lists_of(self.layer, self.s, self.lists)
        axes, parts = axes_of(s, lists, None if s.in_place else s.pitch * self.size)
        given = array(S, {**self.words(), **lists.places})
        rows = max(prod(s.slots) * (len(s.strands) if s.layout.channels_last else 1), self._fine_rows())
        met = np.empty(Met.FIRST + MET * sum(line.kernel for line in s.layout.axes), np.int64)
        lines = np.empty(1 + MOST_LINES + COPIED, np.int64)
        lines[0] = MOST_LINES
        found = np.empty((prod(parts), Piece.TILE), np.int64)
        arrays = given, axes, lists.values, np.empty(2 * sum(parts), np.int64), np.empty((rows + 1) * COPIED, np.int64)
        count, ops = written(lambda out: compiled.run(chunks_of_pixels, *arrays, lines, met, found, out))
        return found[:count], ops

    def _fine_rows(self) -> int:
        """Rows of y of a chunk, where those that no tap reaches are listed."""
        return (
            prod(n * line.stride for n, line in zip(self.s.cache_block, self.s.outer, strict=False))
            if self.s.gaps
            else 0
        )

    def words(self) -> dict[S, int]:
        """The schedule, for the loops."""
        s, last = self.s, self.s.layout.channels_last
        return {
            S.AXES: len(s.layout.axes),
            S.GROUPS: s.problem.groups,
            S.X_GROUP: s.layout.x_group,
            S.THREADS: self.threads,
            S.SIZE: self.size,
            S.LANES: s.lanes,
            S.VECTORS: s.vectors,
            S.ROWS: s.rows,
            S.FLAT: s.flat,
            S.IN_PLACE: s.in_place,
            S.GAPS: len(s.widths) * len(s.sizes) if s.gaps else 0,
            S.CHANNELS_LAST: last,
            S.READ: s.read,
            S.WRITTEN: s.written,
            S.PARTS: len(self.parts),
            S.SOURCE_CHANNEL: s.source_channel,
            S.X_CHANNEL: s.layout.x_channel,
            S.PITCH: s.pitch,
            S.BEFORE: s.before,
            S.BEHIND: s.behind,
            S.COLUMNS: s.columns,
            S.PANEL_STRAND: s.panel_strand,
            S.STRANDS: len(s.strands),
            S.STAGES: len(self.stages),
            S.PER_OUTER: sum(len(rows) for _, rows in self.stages),
            S.SIZES: len(s.sizes),
            S.TILES: self.number_of_tiles,
            S.COPY: self.copy,
            S.FINISH: self.finish,
            S.JOIN: self.size if isinstance(s.copy, PackRows) else 0,
            S.LINE: LINE,
        }

    def lists(self, collector: Collector) -> dict[S, int]:
        """The lists of a layer, for the loops, beside those of its axes."""
        s = self.s
        stages_of = [stage for stage, _ in self.stages]
        strands: list[int] = []
        for strand in s.strands:
            # Of which stage its rows are, where each phase of the axis before is computed by itself.
            stage = stages_of.index(feeds((0,), strand)) if s.rows == 1 else 0
            strands += strand.residue, strand.first, stage
        stages = [collector.add([len(rows), *(shift for shift, *_ in rows)]) for _, rows in self.stages]
        return {S.STRANDS_AT: collector.add(strands), S.STAGES_AT: collector.add(stages)}
