"""The program of a schedule by minimal filtering: its weights, and what the loops that write its chunks are given."""

from __future__ import annotations

from math import prod

import numpy as np

from tconv.jit.kernels.abi import Context, Header, Piece, Tile
from tconv.jit.machine.native import compiled
from tconv.jit.machine.native.language import Ints
from tconv.jit.programs.loops.words import AXIS, COPIED, AxisWords
from tconv.jit.programs.packing import LINE
from tconv.jit.programs.tables import Tables
from tconv.jit.schedules.arrays import array, words_of, written
from tconv.jit.schedules.base import TERMS
from tconv.jit.schedules.lane_tiles import LaneTile
from tconv.jit.schedules.winograd.loops.chunks import chunks_of_winograd
from tconv.jit.schedules.winograd.loops.words import A, W
from tconv.jit.schedules.winograd.schedule import WinogradSchedule
from tconv.jit.schedules.winograd.weights import matrix_of


class WinogradTables(Tables):
    """Writes the tables of a schedule."""

    s: WinogradSchedule

    def __init__(self, schedule: WinogradSchedule, threads: int) -> None:
        super().__init__(schedule, threads, len(schedule.tiles))
        self.blocks = self.s.sets * self.s.segments * self.s.points  # of weights, where others have one a tap
        self.output = len(self.s.shapes) * len(self.s.variants)
        self.position = self.s.widest * self.size
        self.packer.transform = matrix_of(self.s.filters).tobytes()

    def header(self) -> dict[Header, int]:
        """Where kernels read and write, and the order of loops."""
        return {Header.TILES_OUTSIDE: 1}

    def sizes(self) -> dict[Context, int]:
        """The sizes that all ops share."""
        s = self.s
        return {
            Context.COPIED: 1 if s.layout.channels_last else s.read,
            Context.X_CHANNEL: s.layout.x_channel,
            Context.SOURCE_CHANNEL: s.pitch * self.size,
            Context.SOURCE_TERM: s.source_channel,
            Context.Y_CHANNEL: s.layout.y_channel,
            Context.TARGET_PIXEL: self.position,
        }

    # ---- weights: transformed before they are packed, so that a channel has one for each point of each segment

    def weights(self, g: int) -> None:
        """The packed weights of a group: the biases of all tiles, then for each tile those of points."""
        s, w = self.s, self.packer
        start, read, per_channel = w.packed, s.read, s.channels_of_group
        taps = s.problem.taps
        w_read, w_written = (n // taps * self.blocks for n in (per_channel.w_read, per_channel.w_written))
        for tile in s.tiles:
            lanes = tile.vectors * s.lanes
            bias = w.reserve(w.room(1, lanes))
            w.block(bias, [self._lanes(tile, 1)], source=g * s.written, bias=True)
            per_tap = read * lanes * self.size
            place = w.reserve(per_tap * self.blocks)
            w.reserve(-w.packed % LINE + LINE)
            source = self._first_weight(g)
            if s.masks and (tile.count == lanes or (s.direct and tile.vectors > 1)):
                of_tile = (lanes, tile.count, w_written)
                source += tile.run * w_written
                w.squares(place, of_tile, self.blocks, tap=per_tap, source=source, channels=(read, w_read))
            else:
                of_lanes = self._lanes(tile, w_written)
                lists = [[at + block if at >= 0 else -1 for at in of_lanes] for block in range(self.blocks)]
                w.block(place, lists, tap=per_tap, source=source, channels=(read, w_read))
            if g == 0:
                self._tile(tile, place - start, bias - start, per_tap)

    def _first_weight(self, g: int) -> int:
        p = self.s.problem
        return g * p.cin * p.cout * self.blocks

    def _lanes(self, tile: LaneTile, apart: int) -> list[int]:
        """Where in a row of weights each lane of a tile finds its own, -1 for none."""
        elements = [(tile.run + i) * apart for i in range(tile.count)]
        before = (tile.vectors - 1) * self.s.lanes
        if self.s.direct and tile.vectors > 1:
            return elements[:before] + elements[-self.s.lanes :]
        return elements + [-1] * (before + self.s.lanes - len(elements))

    def _tile(self, tile: LaneTile, weights: int, bias: int, per_tap: int) -> None:
        words = {
            Tile.VARIANT: self.s.variant(tile),
            Tile.W: weights,
            Tile.BIAS: bias,
            Tile.TAP: per_tap,
            Tile.COUNT: tile.count,
        }
        self.packer.tile(words, y=tile.run)

    # ---- chunks

    def chunks(self) -> tuple[Ints, Ints]:
        """The pieces of each chunk, and all copies and ops, which `loops/chunks.py` writes."""
        s = self.s
        parts = [-(-len(span) // n) for span, n in zip(s.spans, s.cache_block, strict=True)]
        given, (filters, lists) = array(W, dict(self.words())), self.filters()
        shapes = np.array(s.shapes, np.int64)
        rows = np.empty(prod(s.copied_rows) * COPIED, np.int64)
        chosen, segments = np.empty(prod(s.cache_block[:-1]), np.int64), np.empty(2 * s.segments, np.int64)
        found = np.empty((prod(parts), Piece.TILE), np.int64)
        arrays = (
            given,
            self.axes(parts),
            filters,
            lists,
            shapes,
            np.empty(2 * sum(parts), np.int64),
            rows,
            chosen,
            segments,
        )
        count, ops = written(lambda out: compiled.run(chunks_of_winograd, *arrays, found, out))
        return found[:count], ops

    def axes(self, parts: list[int]) -> Ints:
        """The words of all axes."""
        s = self.s
        found = np.zeros((len(parts), AXIS), np.int64)
        for number, (line, axis, span) in enumerate(zip(s.layout.axes, s.axes, s.spans, strict=True)):
            words = found[number]
            words[: AxisWords.PARTS] = words_of(line, 0, span)
            words[AxisWords.PARTS] = parts[number]
            of_tile = axis.outputs * axis.apart
            first = axis.first // of_tile
            words[AxisWords.FIRST_STRAND_SHIFT] = first
            words[AxisWords.STRAND_SHIFTS] = -(-(axis.first + axis.cells(1)) // of_tile) - first
        return found

    def filters(self) -> tuple[Ints, Ints]:
        """The words that only minimal filtering has of axes, and the lists of their areas and phases."""
        s, outer, lists = self.s, len(self.s.axes) - 1, list[int]()
        found = []
        for number, axis in enumerate(s.axes):
            words = {
                A.OUTPUTS: axis.outputs,
                A.CELLS: axis.bank.cells,
                A.SEGMENTS: axis.segments,
                A.STEP: axis.step,
                A.FIRST: axis.first,
                A.SPAN: axis.areas[-1] - axis.first,
                A.STRIDE: axis.stride,
                A.APART: axis.apart,
                A.AREAS: len(axis.areas),
                A.AREAS_AT: len(lists),
                A.PHASES: len(axis.phases),
                A.PHASES_AT: len(lists) + len(axis.areas),
                A.SETS: len(axis.kernels),
                A.MOST: max(phase.slot for phase in axis.phases),
                A.ROW: s.row * prod(s.copied_rows[number + 1 :]),
                A.SLOT: s.points * s.point * prod(s.slots[number + 1 :]) if number < outer else s.source_pixel,
            }
            lists += [area - axis.first for area in axis.areas]
            lists += [word for phase in axis.phases for word in phase]
            found.append([words.get(word, 0) for word in A])
        return np.array(found, np.int64), np.array(lists, np.int64)

    def words(self) -> dict[W, int]:
        """The schedule, for the loops."""
        s = self.s
        return {
            W.AXES: len(s.axes),
            W.DIRECT: s.direct,
            W.READ: s.read,
            W.TERMS: TERMS,
            W.ROWS: s.rows,
            W.PIXELS: s.pixels,
            W.WIDE: 1 if s.transposed else s.cell // self.size,
            W.CELL: s.cell,
            W.STEP: s.cell if s.innermost else s.pitch * self.size,
            W.FURTHER: s.source_pixel if s.innermost else s.source_channel,
            W.POINTS: s.points,
            W.POINTS_AT: s.points_at,
            W.POINT: s.point,
            W.AREA: s.area,
            W.SOURCE_PIXEL: s.source_pixel,
            W.SOURCE_CHANNEL: s.source_channel,
            W.POSITION: self.position,
            W.RESULTS_AT: s.results_at,
            W.VARIANTS: len(s.variants),
            W.SHAPES: len(s.shapes),
            W.OUTPUT: self.output,
            W.MOVE: self.output + len(s.variants),
            W.INPUT: self.copy - 1,
            W.COPY: self.copy,
            W.FINISH: self.finish,
        }
