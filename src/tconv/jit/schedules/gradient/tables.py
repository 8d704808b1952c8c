"""The program of a weight gradient: its runs of chunks, what is copied for each, and its sums as tables."""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np

from tconv.jit.kernels.abi import Context, Header, Piece, Tile
from tconv.jit.machine.native import compiled
from tconv.jit.machine.native.language import Ints
from tconv.jit.programs.cuts import spans
from tconv.jit.programs.loops.words import COPIED, MET, Met
from tconv.jit.programs.packing import Packer
from tconv.jit.programs.program import Program, Scratch, program
from tconv.jit.schedules.arrays import array, axes_of, lists_of, no_lists, written
from tconv.jit.schedules.gradient.loops.chunks import chunks_of_gradient
from tconv.jit.schedules.gradient.loops.words import UNIT, G
from tconv.jit.schedules.gradient.schedule import GradientSchedule
from tconv.jit.schedules.gradient.sharing import finer
from tconv.jit.schedules.lane_tiles import LaneTile


class GradientTables:
    """Writes the tables of a schedule, for a number of threads."""

    def __init__(self, schedule: GradientSchedule, threads: int) -> None:
        self.s = s = finer(schedule, threads)
        self.size = s.problem.itemsize
        self.packer, self.code = Packer(self.size, s.lanes), s.code
        variants = len(s.variants)
        self.of_rows = len(s.widths) * variants  # where kernels for several rows begin
        self.cells = self.of_rows * len({1, s.rows})
        self.move = self.cells + (variants if s.gathered else 0)
        self.copy = self.move + variants
        self.layer = s.layer

    def write(self) -> Program:
        """The program: pieces of a run in the order of chunks, which never depends on threads."""
        s, p = self.s, self.s.problem
        parts = spans(range(len(s.tiles)), s.run_tiles)
        self._tiles(parts)
        chunks, ops, number = dict[int, Ints](), list[Ints](), 0
        for outputs in dict.fromkeys(s.cut):
            chunks[outputs], made = self._chunks(outputs, 8 * sum(map(len, ops)))
            ops.append(made)
            number = len(chunks[outputs])
        pieces = []
        for g, tiles, some in product(range(p.groups), parts, spans(range(s.read), s.outputs)):
            weights = (g * p.cin * p.cout + some.start) * p.taps * self.size
            moved = g * s.layout.x_group + some.start * s.layout.x_channel
            of_run = np.empty((number, len(Piece)), np.int64)
            of_run[:, : Piece.TILE] = chunks[len(some)]
            of_run[:, : Piece.COPIES] += moved, g * s.layout.y_group, weights
            of_run[:, Piece.TILE :] = tiles.start, tiles.stop
            pieces.append(of_run)
        header = {
            Header.IN_PLACE: int(s.in_place),
            Header.TILES_OUTSIDE: int(s.tiles_outside),
            Header.GATHERED: int(s.gathered),
            Header.RUN: number,
        }
        scratch = Scratch.of(s.panel, s.block, s.cells)
        work = np.concatenate(pieces), np.concatenate(ops)
        return program(self.code, header, self._sizes(), self.packer.packing(), scratch, *work)

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
                Tile.X: tile.run * self.size if s.depthwise and not s.transposed else 0,
                Tile.OF_X: tile.run * s.layout.x_channel if s.transposed else 0,
                Tile.OF_W: tile.run * s.layout.y_channel,
                Tile.COUNT: tile.count,
            })  # fmt: skip

    def _of_cells(self, tile: LaneTile, place: int) -> dict[Tile, int]:
        """Where a tile reads cells: in scratch, row by row, or in the coarse grid, where ops say how many bytes on."""
        s = self.s
        if not s.gathered:
            return {Tile.W: tile.run * s.layout.y_channel, Tile.TAP: 1}
        first = s.widest * self.size + (0 if s.tiles_outside else place * s.cells_of_tile)
        return {Tile.W: first, Tile.TAP: s.cache_block[-1] * tile.vectors * s.lanes * self.size}

    # ---- chunks

    def _chunks(self, outputs: int, here: int) -> tuple[Ints, Ints]:
        """For runs of so many channels o the words of pieces up to those of tiles, and their ops, which lie `here`."""
        s, lists = self.s, lists_of(self.layer, self.s, no_lists)
        axes, parts = axes_of(s, lists, None if s.in_place else s.row)
        taps, units = sum(line.kernel for line in s.layout.axes), s.problem.taps * (1 if s.by_channel else outputs)
        rows = np.empty(1 if s.in_place else prod(s.slots) * COPIED, np.int64)
        met, listed = np.empty(Met.FIRST + MET * taps, np.int64), np.empty(UNIT * units, np.int64)
        found = np.empty((prod(parts), Piece.TILE), np.int64)
        given, widths = array(G, self._words(outputs)), np.array(s.widths, np.int64)
        arrays = given, axes, lists.values, widths, np.empty(2 * sum(parts), np.int64), rows, met, listed, found
        _, ops = written(lambda out: compiled.run(chunks_of_gradient, *arrays, out))
        found[:, Piece.COPIES :] += here
        return found, ops.copy()

    def _words(self, outputs: int) -> dict[G, int]:
        """The schedule, for the loops."""
        s, layout = self.s, self.s.layout
        return {
            G.AXES: len(layout.axes),
            G.SIZE: self.size,
            G.IN_PLACE: s.in_place,
            G.TRANSPOSED: s.transposed,
            G.GATHERED: self.cells if s.gathered else 0,
            G.SIDE_BY_SIDE: s.side_by_side,
            G.BY_CHANNEL: s.by_channel,
            G.OUTPUTS: outputs,
            G.TAPS: s.problem.taps,
            G.TERMS: s.terms,
            G.ROWS: s.rows,
            G.PIXELS: s.pixels,
            G.PIXEL: s.pixel,
            G.COLUMNS: s.cache_block[-1],
            G.CELL: s.cell,
            G.BEFORE: s.before,
            G.BEHIND: s.behind,
            G.WIDE: s.last.x_step // self.size if layout.channels_last and not s.channel_subset else 1,
            G.CHANNEL_SUBSET: s.channel_subset,
            G.CHANNELS: 1 if layout.channels_last else outputs,
            G.X_CHANNEL: layout.x_channel,
            G.SOURCE_CHANNEL: s.source_channel,
            G.SOURCE_PIXEL: s.source_pixel,
            G.POSITION: s.widest * self.size,
            G.VARIANTS: len(s.variants),
            G.WIDTHS: len(s.widths),
            G.OF_ROWS: self.of_rows,
            G.MOVE: self.move,
            G.COPY: self.copy,
        }
