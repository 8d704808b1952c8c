"""The weights of a schedule with channels in lanes: which of them each lane of each tile gets, and under which mask."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate, product
from math import prod
from typing import TypeVar

from tconv.cached import cached_property
from tconv.jit.kernels.abi import Tile
from tconv.jit.programs.packing import LINE
from tconv.jit.programs.tables import Tables
from tconv.jit.schedules.axes import by_shift, phase_taps
from tconv.jit.schedules.channels.schedule import ChannelSchedule
from tconv.jit.schedules.lane_tiles import LaneTile

T = TypeVar("T")

#: Elements of a row of weights that are gathered before the next input channel: some pages.
GATHERED = 4096


class ChannelWeights(Tables):
    """Writes the tiles, their weights and their masks; `tables.py` the rest."""

    s: ChannelSchedule

    def __init__(self, schedule: ChannelSchedule, threads: int) -> None:
        super().__init__(schedule, threads, len(schedule.tiles))
        self.tiles = schedule.tiles
        self.taps, self.by_shift = phase_taps(schedule.last, schedule.origin), by_shift(schedule.last, schedule.origin)
        # Blocks of one tap of the outer axes: taps of the last axis, or shifts, some of which not all phases have.
        self.inner = range(self.s.last.kernel if self.s.in_lanes == "channels" else len(self.by_shift))
        self.blocks = prod(line.kernel for line in self.s.outer) * len(self.inner)
        self.masked = [n for n in self.inner if self._masked(n)]

    @cached_property
    def mask_of_tile(self) -> list[int]:
        """The number of the first mask of each tile."""
        return [n * len(self.masked) for n in accumulate(self._row_lengths(), initial=0)]

    @cached_property
    def gathered(self) -> list[tuple[range, list[list[int]]]]:
        """The tiles whose weights are gathered together, and which weight each lane gets; none for squares."""
        return [(run, self._lists(run)) for run in self._alike()]

    def _row_lengths(self) -> list[int]:
        """Lanes of each tile, filled up to whole vectors."""
        return [tile.vectors * self.s.lanes for tile in self.tiles]

    def _lane_taps(self, tile: LaneTile, inner: int) -> list[tuple[int, int]]:
        """For each lane of a tile (output channel, tap of the last axis), or (0, -1) where there is none."""
        s = self.s
        if s.in_lanes == "channels":
            lanes = [(tile.run + i, inner) for i in range(tile.count)]
        else:
            reached = list(self.by_shift.values())[inner]
            lanes = []
            for run, e in product(range(tile.run, tile.run + tile.count), range(tile.first, tile.first + tile.length)):
                b, channel = divmod(e, s.written) if s.layout.channels_last else (e, run)
                lanes.append((channel, reached[b]) if b in reached else (0, -1))
        return self._whole_vectors(tile, lanes, (0, -1))

    def _whole_vectors(self, tile: LaneTile, elements: list[T], none: T) -> list[T]:
        """What the lanes of a tile hold: its elements, the last vector of which ends with them or is filled up."""
        before = (tile.vectors - 1) * self.s.lanes
        if self.s.direct and tile.vectors > 1:
            return elements[:before] + elements[-self.s.lanes :]
        return elements + [none] * (before + self.s.lanes - len(elements))

    def _masked(self, inner: int) -> bool:
        """Whether some phases have no tap at this shift."""
        return self.s.in_lanes == "phases" and len(list(self.by_shift.values())[inner]) < self.s.last.stride

    def weights(self, g: int) -> None:
        """The packed weights of a group: the biases of all tiles, then for each tile the blocks of its taps."""
        for tile, inner in product(self.tiles, self.masked) if g == 0 else ():
            self.packer.masks.append([float(tap >= 0) for _, tap in self._lane_taps(tile, inner)])
        if self.s.on_the_fly:
            self._on_the_fly()
            return
        s, w, row, start = self.s, self.packer, self._row_lengths(), self.packer.packed
        read, written, w_read, _ = s.channels_of_group
        biases = [w.reserve(w.room(1, lanes)) for lanes in row]
        for bias, tile in zip(biases, self.tiles, strict=True):
            w.block(bias, [self._bias_lanes(tile)], source=g * written, bias=True)
        # Rows are whole vectors: taps, and tiles, follow each other without a gap, as one tap of more channels would.
        per_tap = [read * lanes * self.size for lanes in row]
        places = [w.reserve(tap * self.blocks) for tap in per_tap]
        w.reserve(-w.packed % LINE)
        source, size = self.first_weight(g), (read, w_read)
        for run, lists in self.gathered:
            first = run[0]
            self._gather(self.tiles[first], lists, places[first], per_tap[first], source, size)
        for number, tile in enumerate(self.tiles if g == 0 else ()):
            self._tile(number, tile, places[number] - start, biases[number] - start, per_tap[number])

    def _on_the_fly(self) -> None:
        """For each tile a block for its bias and one for each part of the input channels, into the window."""
        s, w, read, w_read = self.s, self.packer, self.s.read, self.s.channels_of_group.w_read
        for number, (tile, lanes) in enumerate(zip(self.tiles, self._row_lengths(), strict=True)):
            weights, tap, first = w.room(1, lanes), s.part * lanes * self.size, len(w.blocks)
            w.block(0, [self._bias_lanes(tile)], bias=True)
            lists = self._lists(range(number, number + 1))
            for start in range(0, read, s.part):
                self._gather(tile, lists, weights, tap, start * w_read, (min(s.part, read - start), w_read))
            self._tile(number, tile, weights, 0, tap, first)
            w.window = max(w.window, weights + tap * self.blocks)

    def _gather(
        self, tile: LaneTile, lists: list[list[int]], target: int, tap: int, source: int, channels: tuple[int, int]
    ) -> None:
        """A block that fills the rows of a tile (or of some, by lists) with weights of so many input channels."""
        if lists:
            self.packer.block(target, lists, tap=tap, source=source, channels=channels)
            return
        written = self.s.channels_of_group.w_written
        source, lanes = source + tile.run * written, (tile.vectors * self.s.lanes, tile.count, written)
        self.packer.squares(target, lanes, self.s.problem.taps, tap=tap, source=source, channels=channels)

    def _whole(self, tile: LaneTile) -> bool:
        """Whether the lanes of a tile are vectors of output channels, whose weights are transposed in squares."""
        vectors = tile.count == tile.vectors * self.s.lanes or (self.s.direct and tile.vectors > 1)
        return self.s.in_lanes == "channels" and vectors and self.s.masks

    def _alike(self) -> Iterator[range]:
        """Runs of tiles whose weights are gathered together: as wide as each other, some pages of a row of weights.

        Tile by tile, the same lines of every input channel would be read, far apart from each other.
        """
        first = 0
        while first < len(self.tiles):
            tile, end = self.tiles[first], first + 1
            most = first + max(1, GATHERED // (tile.vectors * self.s.lanes * max(1, len(self.inner))))
            while end < min(most, len(self.tiles)) and self.tiles[end].vectors == tile.vectors:
                if self._whole(tile) or self._whole(self.tiles[end]):
                    break
                end += 1
            yield range(first, end)
            first = end

    def _tile(self, number: int, tile: LaneTile, weights: int, bias: int, per_tap: int, blocks: int = 0) -> None:
        s = self.s
        direct = tile.run if s.direct else 0
        self.packer.tile({
            Tile.VARIANT: s.variant(tile),
            Tile.W: weights,
            Tile.BIAS: bias,
            Tile.MASK: self.mask_of_tile[number],
            Tile.TAP: per_tap,
            Tile.Y: tile.first * self.size,
            Tile.TARGET: tile.first * self.size if s.direct else 0,
            Tile.X: tile.run * self.size if s.depthwise else 0,
            Tile.COUNT: tile.count,
            Tile.FIRST: tile.first,
            Tile.BLOCKS: blocks,
        }, y=tile.run, target=direct)  # fmt: skip

    def _lists(self, run: range) -> list[list[int]]:
        """For each block of weights of these tiles which weight each lane gets, -1 for none; nothing for squares."""
        if self._whole(self.tiles[run[0]]):
            return []
        s, lists, w_written = self.s, [], self.s.channels_of_group.w_written
        for number, base, inner in product(run, range(self.blocks // len(self.inner)), self.inner):
            lanes, taps = self._lane_taps(self.tiles[number], inner), base * s.last.kernel
            lists.append([c * w_written + taps + tap if tap >= 0 else -1 for c, tap in lanes])
        return lists

    def _bias_lanes(self, tile: LaneTile) -> list[int]:
        s = self.s
        lanes = []
        for run, e in product(range(tile.run, tile.run + tile.count), range(tile.first, tile.first + tile.length)):
            lanes.append(e % s.written if s.layout.channels_last and s.in_lanes == "phases" else run)
        return self._whole_vectors(tile, lanes, -1)
