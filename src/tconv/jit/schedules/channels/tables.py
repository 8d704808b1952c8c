"""The program of a schedule with channels in lanes: what the loops that write its chunks are given."""

from __future__ import annotations

from math import prod

import numpy as np

from tconv.cached import cached_property
from tconv.jit.kernels.abi import Context, Header, Piece
from tconv.jit.kernels.pack_weights import Block
from tconv.jit.machine.native import compiled
from tconv.jit.machine.native.language import Ints
from tconv.jit.programs.loops.words import COPIED, MET, Met
from tconv.jit.schedules.arrays import Collector, array, axes_of, lists_of, written
from tconv.jit.schedules.channels.cells_at_once import together
from tconv.jit.schedules.channels.loops.chunks import chunks_of_channels
from tconv.jit.schedules.channels.loops.words import TAP, C
from tconv.jit.schedules.channels.schedule import ChannelSchedule
from tconv.jit.schedules.channels.weights import ChannelWeights
from tconv.jit.schedules.lane_tiles import MOST_ROWS


class ChannelTables(ChannelWeights):
    """Writes the tables of a schedule."""

    def __init__(self, schedule: ChannelSchedule, threads: int) -> None:
        super().__init__(schedule, threads)
        self.shapes = schedule.shapes
        self.move = len(self.shapes) * len(schedule.variants)
        #: A kernel a variant: those that pack weights on the fly, or those of cells at once, which never do.
        self.pack = self.copy - len(schedule.variants)

    def header(self) -> dict[Header, int]:
        """Where kernels read and write, and the order of loops."""
        s = self.s
        return {
            Header.IN_PLACE: int(s.in_place),
            Header.DIRECT: int(s.direct),
            Header.ON_THE_FLY: int(s.on_the_fly),
            Header.TILES_OUTSIDE: int(not (s.depthwise and s.direct)),
        }

    def sizes(self) -> dict[Context, int]:
        """The sizes that all ops share."""
        s = self.s
        return {
            Context.COPIED: 1 if s.layout.channels_last else s.written if s.transposed else s.read,
            Context.X_CHANNEL: s.layout.x_channel,
            Context.SOURCE_CHANNEL: s.source_channel,
            Context.SOURCE_TERM: s.source_channel,
            Context.Y_CHANNEL: s.layout.y_channel,
            Context.Y_PHASE: s.outer[-1].y_step,
            Context.TARGET_PIXEL: self.target_pixel,
        }

    @cached_property
    def target_pixel(self) -> int:
        """Bytes from a pixel of a tile to the next where it is written."""
        s = self.s
        if s.direct:
            return s.last.pixel_step
        return s.widest * self.size * (s.last.stride if s.in_lanes == "channels" else 1)

    def finishes(self) -> list[int]:
        """Of tiles that share a run of y, the last one finishes its channels."""
        s = self.s
        if s.in_lanes == "channels":
            return [tile.count for tile in s.tiles]
        last = [tile.first + tile.length == s.run for tile in s.tiles]
        every = s.written if s.layout.channels_last else 0
        return [(every or tile.count) * ends for tile, ends in zip(s.tiles, last, strict=True)]

    # ---- chunks

    def chunks(self) -> tuple[Ints, Ints]:
        """The pieces of each chunk, and all copies and ops, which `loops/chunks.py` writes."""
        s, lists = self.s, lists_of(self.layer, self.s, self.lists)
        axes, parts = axes_of(s, lists, None if s.in_place else s.row)
        given = array(C, {**self.words(), **lists.places})
        taps, rows = sum(line.kernel for line in s.layout.axes), prod(s.cache_block[:-1])
        met, listed = np.empty(Met.FIRST + MET * taps, np.int64), np.empty(2 * TAP * self.blocks, np.int64)
        bounds = np.empty(max(rows, 2 * (taps + len(parts))), np.int64)
        found = np.empty((prod(parts), Piece.TILE), np.int64)
        copied = np.empty(1 if s.in_place else prod(s.slots) * COPIED, np.int64)
        arrays = given, axes, lists.values, np.array(self.shapes, np.int64), np.empty(2 * sum(parts), np.int64), copied
        scratch = met, listed, np.empty(2 * rows, np.int64), bounds, found
        count, ops = written(lambda out: compiled.run(chunks_of_channels, *arrays, *scratch, out))
        return found[:count], ops

    def words(self) -> dict[C, int]:
        """The schedule, for the loops."""
        s, layout = self.s, self.s.layout
        run = s.last.stride * (s.written if layout.channels_last else 1)
        within = s.inner if s.at_once else (range(0), range(0))
        return {
            C.AXES: len(layout.axes),
            C.SIZE: self.size,
            C.IN_PLACE: s.in_place,
            C.CUT: s.cuts,
            C.DIRECT: s.direct,
            C.PHASES: s.in_lanes == "phases",
            C.OUTER_FIRST: s.outer_first,
            C.DEPTHWISE: s.depthwise,
            C.READ: s.read,
            C.PART: s.part,
            C.TERMS: s.terms,
            C.ROWS: s.rows,
            C.MOST_ROWS: MOST_ROWS,
            C.PIXELS: s.pixels,
            C.PIXEL: s.pixel,
            C.CELL: s.cell,
            C.BEFORE: s.before,
            C.BEHIND: s.behind,
            C.WIDE: s.last.x_step // self.size if layout.channels_last and not s.channel_subset else 1,
            C.COPIED: s.copied if s.channel_subset else 0,
            C.JOIN: s.cell if s.transposed else self.size,
            C.JOINED: layout.channels_last and s.cell == s.read * self.size,
            C.SOURCE_CHANNEL: s.source_channel,
            C.TARGET_PIXEL: self.target_pixel,
            C.POSITION: s.widest * self.size,
            C.INNER: len(self.inner),
            C.VARIANTS: len(s.variants),
            C.SHAPES: len(self.shapes),
            C.MOVE: self.move,
            C.PACK: self.pack if s.on_the_fly else 0,
            C.COPY: self.copy,
            C.FINISH: self.finish,
            C.BLOCK: 8 * len(Block),
            C.AT_ONCE: self.pack if s.at_once else 0,
            C.TOGETHER: together(*s.layout.axes[-2:]) if s.at_once else 0,
            C.WITHIN: within[0].start,
            C.WITHIN_END: within[0].stop,
            C.COLUMNS: within[1].start,
            C.COLUMNS_END: within[1].stop,
            C.RUN: run,
            C.ELEMENTS: s.written * s.problem.groups if layout.channels_last else 1,
        }

    def lists(self, collector: Collector) -> dict[C, int]:
        """The lists of a layer, for the loops, beside those of its axes."""
        if self.s.in_lanes == "channels":
            inner = [[(tap, shift, -1) for tap, shift in of_phase] for of_phase in self.taps]
        else:
            masks = {number: mask for mask, number in enumerate(self.masked)}
            inner = [[(number, shift, masks.get(number, -1)) for number, shift in enumerate(self.by_shift)]]
        listed = [collector.add([len(taps), *(word for tap in taps for word in tap)]) for taps in inner]
        return {C.INNER_AT: collector.add(listed)}
