"""What a schedule with pixels in lanes reads of x: where it lies, what is copied of it, and what is asked for ahead."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from tconv.cached import cached_property
from tconv.jit.copies import LENGTH, SOURCE, Cells, rows_of
from tconv.jit.kernels.rows import Rows
from tconv.jit.packing import LINE
from tconv.jit.pixels_weights import PixelWeights
from tconv.jit.program import dot
from tconv.jit.templates import Ints


class PixelPanel(PixelWeights):
    """Writes the copies of a chunk."""

    def where(self, cells: Sequence[int], box: tuple[range, ...], strand: int) -> int:
        """Where the first q of a chunk finds the first of its cells in a strand of a row."""
        s = self.s
        if s.in_place:
            lines = s.layout.lines
            here = dot((*cells, box[-1].start + s.strands[strand].first), [line.x_step for line in lines])
            return here - self.bases(box)[0]
        column = s.before + s.strands[strand].first
        return strand * s.panel_strand + self.size * (s.slot(cells, box) * s.pitch + column)

    @cached_property
    def row_steps(self) -> list[int]:
        """Bytes from what a q of an outer axis reads to what the next does."""
        s = self.s
        if s.in_place:
            return [line.read_step for line in s.outer]
        return [prod(s.slots[axis + 1 :]) * s.pitch * self.size for axis in range(len(s.outer))]

    def copies(self, box: tuple[range, ...]) -> None:
        """Rows of x into the panel: those that exist, each with its zeros."""
        if self.s.in_place:
            return
        rows = self._copied(box)
        rows[rows[:, LENGTH] > 0, SOURCE] -= self.bases(box)[0]
        self.writer.copies(self.copy, rows, self.size if isinstance(self.s.copy, Rows) else 0)

    def _copied(self, box: tuple[range, ...]) -> Ints:
        """Rows of all strands together; of channels-last x strand by strand, as they are copied one by one."""
        s = self.s
        cells = Cells(s.outer, box, s.slots)
        return np.concatenate([self._of_strand(box, cells, n) for n in range(len(s.strands) if s.layout.last else 1)])

    def _of_strand(self, box: tuple[range, ...], outer: Cells, number: int) -> Ints:
        s, columns = self.s, box[-1]
        apart, residue = (1, s.strands[number].residue) if s.layout.last else (s.last.apart, 0)
        reach = range(columns.start - s.before, columns.stop + s.behind)
        start = max(0, reach.start)
        stop = min(s.last.read, reach.stop * s.last.apart)
        cells = range(start * s.last.apart + residue, stop, s.last.apart // apart)
        behind = reach.stop - start - -(-len(cells) // apart)
        target = number * s.panel_strand + self.size * (s.before + outer.slot * s.pitch)
        if len(cells) == 0:
            rows = rows_of(np.zeros_like(target), target, 0, s.before, s.columns + s.behind)
        else:
            to = target + (start - columns.start) * self.size
            source = outer.source + cells.start * s.last.x_step
            rows = rows_of(source, to, len(cells), start - reach.start, behind)
        if not s.flat:
            return rows[outer.exist]
        # A tile that spans rows reads zeros where one lies beside x.
        beside = rows_of(np.zeros_like(target), target, 0, s.before, s.columns + s.behind)
        return np.where(outer.exist[:, None], rows, beside)

    def lines_of(self, box: tuple[range, ...] | None, moved: int, now: tuple[range, ...]) -> Ints:
        """Where lines of x lie that a chunk reads: of its first input channel, or of as many pixels as channels.

        Tiles of channels ask for one each, side by side. What is read `now` is near.
        """
        s = self.s
        if box is None:
            return np.zeros(1, np.int64)
        step, each = (LINE * s.read, s.last.read_step) if s.layout.last else (LINE, s.last.x_step)
        cells = Cells(s.outer, box, s.slots)
        rows, here = self._of_strand(box, cells, 0), self._of_strand(now, Cells(s.outer, now, s.slots), 0)
        near = set(here[:, SOURCE].tolist())
        rows = rows[[at + moved not in near for at in rows[:, SOURCE].tolist()]]
        if not len(rows):
            return np.zeros(1, np.int64)
        along = np.arange(0, max(1, int(rows[0, LENGTH])) * each, step * self.number_of_tiles)
        return (rows[:, SOURCE, None] + along).reshape(-1) + moved - self.bases(now)[0]
