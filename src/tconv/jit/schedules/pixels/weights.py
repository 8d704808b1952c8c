"""The weights of a schedule with pixels in lanes: a block for each tile of channels and tap of the outer axes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, product
from math import prod

from tconv.cached import cached_property
from tconv.jit.kernels.abi import Tile
from tconv.jit.programs.cuts import balanced, flat
from tconv.jit.programs.packing import LINE
from tconv.jit.programs.tables import Tables
from tconv.jit.schedules.pixels.schedule import PixelSchedule


class PixelWeights(Tables):
    """Writes the tiles and their weights; `tables.py` the rest."""

    s: PixelSchedule

    def __init__(self, schedule: PixelSchedule, threads: int) -> None:
        super().__init__(schedule, threads, len(balanced(schedule.written, schedule.channels)))
        self.stages = schedule.stages
        self.parts = balanced(schedule.read, schedule.part)

    def weights(self, g: int) -> None:
        """The packed weights of a group: the bias, then a block for each tile and tap of the outer axes."""
        s, w, start = self.s, self.packer, self.packer.packed
        read, written, w_read, w_written = s.channels_of_group
        bias = self.bias(g)
        blocks, first = self.blocks, 0
        for number, size in enumerate(balanced(written, s.channels)):
            per_tap = w.room(read, size * max(len(taps) for taps in blocks))
            here = at = w.reserve(per_tap * len(blocks))
            for _, alike in groupby(blocks, len):
                rows = [[m * w_written + tap for tap in taps for m in range(size)] for taps in alike]
                source = self.first_weight(g) + first * w_written
                w.block(at, rows, tap=per_tap, source=source, channels=(read, w_read))
                at += per_tap * len(rows)
            if g == 0:
                w.tile({
                    Tile.VARIANT: s.sizes.index(size),
                    Tile.W: here - start,
                    Tile.BIAS: bias - start + first * self.size,
                    Tile.TAP: per_tap,
                    Tile.AHEAD: number * LINE,
                    Tile.COUNT: size,
                }, y=first)  # fmt: skip
            first += size

    @cached_property
    def blocks(self) -> list[list[int]]:
        """For each block of a tile the taps of the whole kernel, in the order of its stage."""
        return list(self._blocks())

    def _blocks(self) -> Iterator[list[int]]:
        s = self.s
        kernel = [line.kernel for line in s.outer]
        if s.rows == 1:
            for base, strand in product(range(prod(kernel)), s.strands):
                yield [base * s.last.kernel + tap for _, tap_of in strand.taps for tap in tap_of.values()]
            return
        inner = dict(s.strands[0].taps)
        for outer in product(*map(range, kernel[:-1])):
            for stage, rows in self.stages:
                phases = list(dict.fromkeys(a for _, fed in stage for a, _ in fed))
                for _, *taps in rows:
                    base_of = {a: flat((*outer, t), kernel) * s.last.kernel for a, t in zip(phases, taps, strict=True)}
                    yield [base_of[a] + inner[shift][b] for shift, fed in stage for a, b in fed]
