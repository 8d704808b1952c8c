"""The program of a depthwise schedule: its weights, copies and rows as tables."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod

from tconv.cached import cached_property
from tconv.jit.depthwise import PlaneSchedule
from tconv.jit.kernels.abi import Context, Header, Tile
from tconv.jit.lines import by_shift, phase_taps
from tconv.jit.pixels_tables import PixelTables
from tconv.jit.program import dot, flat


class PlaneTables(PixelTables):
    """Writes the tables of a schedule."""

    s: PlaneSchedule

    def sizes(self) -> dict[Context, int]:
        """Also the distance of rows."""
        s = self.s
        rows = {
            Context.SOURCE_ROW: s.pitch * self.size,
            Context.Y_ROW: s.outer[-1].stride * self._row(),
            Context.Y_PHASE: self._row(),
        }
        return {**super().sizes(), **rows}

    def header(self) -> dict[Header, int]:
        """Where kernels write."""
        return {Header.DIRECT: int(not self.s.through_block), Header.TILES_OUTSIDE: 1}

    def _row(self) -> int:
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
        """Bytes from one of them to the next."""
        return self.writer.room(1, max(map(len, self.blocks)))

    def _phases_before(self) -> Iterator[tuple[int, ...]]:
        return product(*(range(line.stride) for line in self.s.outer[:-1]))

    def _block_of(self, phase: tuple[int, ...]) -> list[int]:
        """The taps of the whole kernel that reach rows of a phase of the axes before the last two, in order."""
        s = self.s
        kernel = [line.kernel for line in s.layout.lines]
        taps = [phase_taps(line)[b] for line, b in zip(s.outer[:-1], phase, strict=True)]
        return [
            flat((*(t for t, _ in before), *pair), kernel)
            for before in product(*taps)
            for row in self._row_weights()
            for pair in row
        ]

    def weights(self, g: int) -> None:
        """The packed weights of a group: the bias, then a block for each channel and phase."""
        s, w, start = self.s, self.writer, self.writer.packed
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
                    Tile.Y: channel * s.layout.y_channel,
                    Tile.TARGET: 0 if s.through_block else channel * s.layout.y_channel,
                    Tile.COUNT: 1,
                })  # fmt: skip

    # ---- ops

    def ops(self, box: tuple[range, ...], later: tuple[range, ...], moved: int) -> None:
        """For each phase and q of the axes before the last two, one op for all rows of the chunk."""
        before = self.s.outer[:-1]
        for number, phase in enumerate(self._phases_before()):
            valid = [line.of_phase(b, q) for q, line, b in zip(box, before, phase, strict=False)]
            for q in product(*valid):
                for rows in self._alike(box[-2]):
                    self._op(box, phase, q, rows, number * self.per_phase)

    def _alike(self, rows: range) -> Iterator[range]:
        """The rows, cut before the last one if not all of its phases exist."""
        line = self.s.outer[-1]
        whole = range(rows.start, min(rows.stop, line.written // line.stride)) if self.s.rows > 1 else rows
        if whole:
            yield whole
        if whole.stop < rows.stop:
            yield range(max(whole.stop, rows.start), rows.stop)

    def _op(
        self, box: tuple[range, ...], phase: tuple[int, ...], q: tuple[int, ...], rows: range, weights: int
    ) -> None:
        s = self.s
        line, taps = s.outer[-1], [phase_taps(axis)[b] for axis, b in zip(s.outer[:-1], phase, strict=True)]
        sources = []
        for before in product(*taps):
            cells = [q_ * axis.apart + shift for q_, axis, (_, shift) in zip(q, s.outer, before, strict=False)]
            for shift, strand in product(by_shift(line), range(len(s.strands))):
                sources.append(self.where([*cells, rows.start * line.apart + shift], box, strand))
        o = [q_ * axis.stride + b for q_, axis, b in zip((*q, rows.start), s.outer, (*phase, 0), strict=True)]
        start = box[-1].start * s.last.stride
        y = dot(o, [axis.y_step for axis in s.outer]) + start * s.last.y_step
        elements = min(s.last.written, box[-1].stop * s.last.stride) - start
        phases = min(s.rows, line.written - rows.start * line.stride) if s.rows > 1 else 1
        kernel = s.repeats.index(prod(map(len, taps)))
        target = 0 if s.through_block else y
        self.writer.op(kernel, target, weights, len(rows), phases, elements, *sources)
        if s.through_block:
            written = (len(rows) - 1) * line.stride + phases if s.rows > 1 else len(rows)
            self.writer.op(len(s.repeats), 0, y, written * elements)
