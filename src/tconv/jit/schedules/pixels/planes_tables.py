"""The program of a depthwise schedule: its weights, copies and rows as tables."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod

from tconv.cached import cached_property
from tconv.jit.kernels.abi import Context, Header, Tile
from tconv.jit.programs.cuts import flat
from tconv.jit.schedules.arrays import Collector
from tconv.jit.schedules.axes import by_shift, phase_taps
from tconv.jit.schedules.pixels.loops.words import S
from tconv.jit.schedules.pixels.planes import PlaneSchedule
from tconv.jit.schedules.pixels.tables import PixelTables


class PlaneTables(PixelTables):
    """Writes the tables of a schedule."""

    s: PlaneSchedule

    def sizes(self) -> dict[Context, int]:
        """The sizes that all ops share, the distances of rows among them."""
        s = self.s
        rows = {
            Context.SOURCE_ROW: s.pitch * self.size,
            Context.Y_ROW: s.outer[-1].stride * self._target_row(),
            Context.Y_PHASE: self._target_row(),
        }
        return {**super().sizes(), **rows}

    def header(self) -> dict[Header, int]:
        """Where kernels write."""
        return {Header.DIRECT: int(not self.s.through_block), Header.TILES_OUTSIDE: 1}

    def _target_row(self) -> int:
        """Bytes from a row of the target to the next."""
        s = self.s
        return s.last.written * s.last.y_step if s.through_block else s.outer[-1].y_step

    # ---- weights

    def _row_weights(self) -> list[list[tuple[int, int]]]:
        """For each row shift and strand the (tap before the last, tap of the last axis) of its weights, in order."""
        s = self.s
        return [
            [(taps[a], tap_of[b]) for _, tap_of in strand.taps for a in taps for b in tap_of]
            for taps, strand in product(by_shift(s.outer[-1]).values(), s.strands)
        ]

    @cached_property
    def blocks(self) -> list[list[int]]:
        """For each phase of the axes before the last two the taps that reach it; no two tiles share any."""
        return [self._block_of(phase) for phase in self._phases_before()]

    @cached_property
    def per_phase(self) -> int:
        """Bytes from the weights of one phase of the axes before the last two to those of the next."""
        return self.packer.room(1, max(map(len, self.blocks)))

    def _phases_before(self) -> Iterator[tuple[int, ...]]:
        return product(*(range(line.stride) for line in self.s.outer[:-1]))

    def _block_of(self, phase: tuple[int, ...]) -> list[int]:
        """The taps of the whole kernel that reach rows of a phase of the axes before the last two, in order."""
        s = self.s
        kernel = [line.kernel for line in s.layout.axes]
        taps = [phase_taps(line)[b] for line, b in zip(s.outer[:-1], phase, strict=True)]
        return [
            flat((*(t for t, _ in before), *pair), kernel)
            for before in product(*taps)
            for row in self._row_weights()
            for pair in row
        ]

    def weights(self, g: int) -> None:
        """The packed weights of a group: the bias, then a block for each channel and phase."""
        s, w, start = self.s, self.packer, self.packer.packed
        bias = self.bias(g)
        for channel in range(s.written):
            here = w.reserve(self.per_phase * len(self.blocks))
            for number, taps in enumerate(self.blocks):
                if taps:
                    source = self.first_weight(g) + channel * s.channels_of_group.w_written
                    w.block(here + number * self.per_phase, [taps], source=source)
            if g == 0:
                w.tile({
                    Tile.W: here - start,
                    Tile.BIAS: bias - start + channel * self.size,
                    Tile.COUNT: 1,
                }, y=channel, target=0 if s.through_block else channel)  # fmt: skip

    # ---- chunks

    def words(self) -> dict[S, int]:
        """The schedule, for the loops, with the kernel that writes rows that were put together in the block."""
        return {**super().words(), S.THROUGH_BLOCK: len(self.s.repeats) if self.s.through_block else 0}

    def lists(self, collector: Collector) -> dict[S, int]:
        """The lists of a layer, and the kernel of each phase of the axes before the last two, bytes of its weights."""
        s, before = self.s, self.s.outer[:-1]
        taps = (
            prod(len(phase_taps(line)[b]) for line, b in zip(before, a, strict=True)) for a in self._phases_before()
        )
        kernels = collector.add([s.repeats.index(n) for n in taps])
        return {**super().lists(collector), S.PLANES: kernels, S.PER_PHASE: self.per_phase}
