"""The program of a schedule with channels in lanes: its chunks, copies, sums and moves as tables."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, product
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tconv.cached import cached_property
from tconv.jit.channels import ChannelSchedule
from tconv.jit.channels_reads import Reads, Rows, Tap, cut
from tconv.jit.channels_weights import ChannelWeights
from tconv.jit.kernels.abi import Context, Header
from tconv.jit.kernels.weights import Block
from tconv.jit.lines import by_shift
from tconv.jit.program import balanced, sizes
from tconv.jit.source import rows_of_x
from tconv.jit.templates import READ, WRITTEN, Draft, Template, Word, joined, places


class Place(NamedTuple):
    """A tile: its rows and pixels, and bytes from where its rows begin, in the source and in the target."""

    rows: int
    pixels: int
    moved: int
    target: int


class ChannelTables(ChannelWeights):
    """Writes the tables of a schedule."""

    def __init__(self, schedule: ChannelSchedule, threads: int) -> None:
        super().__init__(schedule, threads)
        self.shapes = schedule.shapes
        self.move = len(self.shapes) * len(schedule.variants)
        self.pack = self.copy - len(
            schedule.variants
        )  # the kernels that pack weights, where they are packed on the way

    def header(self) -> dict[Header, int]:
        """Where kernels read and write, and the order of loops."""
        s = self.s
        return {
            Header.IN_PLACE: int(s.in_place),
            Header.DIRECT: int(s.direct),
            Header.FRESH: int(s.fresh),
            Header.TILES_OUTSIDE: int(not (s.own and s.direct)),
        }

    def sizes(self) -> dict[Context, int]:
        """The sizes that all ops share."""
        s = self.s
        return {
            Context.COPIED: 1 if s.layout.last else s.written if s.turned else s.read,
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

    # ---- chunks

    def copies(self, box: tuple[range, ...]) -> None:
        """Rows of x into the panel: those that exist, each with its zeros."""
        if self.s.in_place:
            return
        s, rows = self.s, rows_of_x(self.s, box, self.bases(box)[0])
        if s.picked:
            self.writer.pixels(self.copy, rows, s.last.x_step, s.cell, s.copied)
        else:
            self.writer.copies(self.copy, rows, s.cell if s.turned else self.size)

    def ops(self, box: tuple[range, ...], later: tuple[range, ...] | None, moved: int) -> None:
        """The tiles of a chunk, for one part of the input channels after the other, then the block into y."""
        s, size = self.s, 8 * len(Block)
        if s.fresh:
            self.writer.op(self.pack, 0)  # the bias
        for number, first in enumerate(range(0, s.read, s.part), 1):
            if s.fresh:
                self.writer.op(self.pack, number * size)
            self._compute(box, range(first, min(first + s.part, s.read)))
        if not s.direct:
            self._moves(box)

    def _compute(self, box: tuple[range, ...], part: range) -> None:
        """The tiles of a chunk, for a part of the input channels."""
        s = self.s
        if s.at_once:
            self._at_once(box)
        for a in product(*(range(line.stride) for line in s.outer)):
            rows = Rows(self, box, a)
            for b in range(s.last.stride if s.in_lanes == "channels" else 1) if rows.count else ():
                reads = Reads(rows, b)
                for columns in s.segments(box[-1], b):
                    self._phase(reads, columns, part)

    def _at_once(self, box: tuple[range, ...]) -> None:
        """All phases of the cells within, row by row."""
        s, (*earlier, before, last) = self.s, self.s.layout.lines
        rows, columns = (
            range(max(q.start, n.start), min(q.stop, n.stop)) for q, n in zip(box[-2:], s.inner, strict=True)
        )
        if not columns or not rows:
            return
        lines, q, first = (*earlier, before), (*box[:-2], rows), [q.start for q in box[:-1]]
        at, draft = columns.start - box[-1].start, Draft()
        x = [(at * last.x_step + n * before.x_step, READ) for n in by_shift(before)]
        draft.op(len(self.code.kernels) - 2, len(columns), (at * last.pixel_step, WRITTEN), *x)
        reads = places(q, [line.x_step for line in lines], first)
        writes = places(q, [line.pixel_step for line in lines], first)
        self.writer.repeated(draft.template().at(reads, writes))

    def _phase(self, reads: Reads, columns: range, part: range) -> None:
        """The tiles of one phase. What is added up in one op is the same for a row whichever others are with it."""
        s, rows = self.s, reads.rows
        if s.outer_first:
            self._outer_first(reads, columns, part)
            return
        done = rows.along(-1, s.inner[0]) if s.at_once and columns.start in s.inner[-1] else None
        for shifts, some in rows.alike:
            left = some if done is None else some[~done[some]]
            self._tiles(reads, columns, part, left, reads.reached(shifts), part.start > 0)

    def _outer_first(self, reads: Reads, columns: range, part: range) -> None:
        """Likewise, for one tap of the outer axes after the other."""
        begun = np.full(reads.rows.count, part.start > 0)
        for outer, having in reads.rows.outer_taps():
            taps = reads.taps(outer)
            for adds in (False, True):
                self._tiles(reads, columns, part, np.flatnonzero(having & (begun == adds)), taps, adds)
            begun |= having
        self._tiles(reads, columns, part, np.flatnonzero(~begun), [], False)

    def _tiles(
        self, reads: Reads, columns: range, part: range, rows: NDArray[np.intp], taps: list[Tap], adds: bool
    ) -> None:
        """The tiles of some rows of pixels, or of a segment of them, for some taps that all of them have."""
        most = self.s.rows_of(len(columns)) if taps else 1
        whole = len(rows) // most * most
        for number, some in ((most, rows[:whole]), (1, rows[whole:])):
            if len(some):
                read, written = reads.rows.read, reads.rows.written
                offsets = [each[some[n::number]] for n in range(number) for each in (read, written)]
                self.writer.repeated(self._template(reads, columns, part, number, taps, adds).at(*offsets))

    def _template(self, reads: Reads, columns: range, part: range, rows: int, taps: list[Tap], adds: bool) -> Template:
        """The tiles of so many rows, each moved by offsets of its own."""
        s, at, found = self.s, columns.start, []
        taps = sorted(taps, key=lambda tap: tap.mask >= 0)
        for pixels, count, shifts in self._tiles_of_row(columns, {tap.shift for tap in taps}):
            moved, draft = at - reads.rows.box[-1].start, Draft()
            place = Place(rows, pixels, moved * s.pixel, reads.target + moved * self.target_pixel)
            met = [tap for tap in taps if tap.shift in shifts]
            self._sums(draft, place, met, reads.source, part, adds)
            found.append(draft.template().along(count, *[pixels * s.pixel, pixels * self.target_pixel] * rows))
            at += count * pixels
        return joined(found)

    def _tiles_of_row(self, columns: range, shifts: set[int]) -> Iterator[tuple[int, int, set[int]]]:
        """Runs of tiles of a row: their pixels, how many, and the taps they have: not those that read only zeros."""
        at, (read, apart) = columns.start, (self.s.last.read, self.s.last.apart)
        for pixels, count in sizes(len(columns), self.s.pixels):
            # Of each tap the tiles that read x: from the first whose last pixel does to the last whose first does.
            step, first, last = pixels * apart, at * apart, (at + pixels - 1) * apart
            spans = {n: range(max(0, -((last + n) // step)), -((first + n - read) // step)) for n in shifts}
            ends = {end for span in spans.values() for end in (span.start, span.stop) if 0 < end < count}
            for start, end in pairwise([0, *sorted(ends), count]):
                yield pixels, end - start, {n for n, span in spans.items() if start in span}
            at += pixels * count

    def _sums(
        self, draft: Draft, place: Place, taps: list[Tap], source: dict[Tap, int], part: range, adds: bool
    ) -> None:
        """The ops of one tile: sums of so many terms each."""
        s = self.s
        kernel = self.shapes.index((place.rows, place.pixels)) * len(s.variants)
        targets: list[Word] = [(place.target, WRITTEN + 2 * row) for row in range(place.rows)]
        for some in cut(taps, max(1, s.terms // len(part))):
            masked, at = sum(tap.mask >= 0 for tap in some), part.start
            some, runs = self._runs(some, source, part)
            for number in [len(part) * runs] if runs > 1 else balanced(len(part), s.terms):
                words: list[Word] = []
                for tap in some:
                    x = source[tap] + place.moved + at * s.source_channel
                    words += [tap.number, max(0, tap.mask), *((x, READ + 2 * row) for row in range(place.rows))]
                of_weights = at - part.start if s.fresh else at
                draft.op(kernel, len(some) - masked, masked, int(adds), number, of_weights, *targets, *words)
                at, adds = at + number, True
        if not adds:
            draft.op(kernel, 0, 0, 0, len(part), part.start, *targets)

    def _runs(self, taps: list[Tap], x: dict[Tap, int], part: range) -> tuple[list[Tap], int]:
        """The first taps of runs that are one long tap, and how many each has: input channels of the next follow.

        So it is with channels last where cells follow each other, in x and among the weights.
        """
        s, step = self.s, self.s.read * self.size
        if not (s.layout.last and s.cell == step and len(part) == s.read) or any(tap.mask >= 0 for tap in taps):
            return taps, 1
        follows = [b.number == a.number + 1 and x[b] == x[a] + step for a, b in pairwise(taps)]
        starts = [0, *(n for n, joined in enumerate(follows, 1) if not joined)]
        lengths = {b - a for a, b in pairwise([*starts, len(taps)])}
        return ([taps[n] for n in starts], lengths.pop()) if len(lengths) == 1 else (taps, 1)

    def fine(self, box: tuple[range, ...]) -> list[range]:
        """The positions of y of a chunk along each outer axis (and the last, where phases are not in lanes)."""
        lines = s_lines = self.s.layout.lines
        if self.s.in_lanes == "phases":
            lines = s_lines[:-1]
        return [
            range(q.start * line.stride, min(line.written, q.stop * line.stride))
            for q, line in zip(box, lines, strict=False)
        ]

    def _moves(self, box: tuple[range, ...]) -> None:
        """The block into y."""
        s, fine = self.s, self.fine(box)
        position, draft = s.widest * self.size, Draft()
        first = [q.start * line.stride for q, line in zip(box, s.layout.lines, strict=True)]
        if s.in_lanes == "phases":
            start = box[-1].start * s.last.stride - s.origin
            per = s.last.stride * (s.written if s.layout.last else 1)
            elements = s.written * s.problem.groups if s.layout.last else 1
            low, high = max(0, -start) * elements, (s.last.written - start) * elements
            draft.op(self.move, (0, READ), (0, WRITTEN), len(box[-1]), s.last.pixel_step, per, low, high)
            y = places(fine, [line.y_step for line in s.outer], first[:-1])
            self.writer.repeated(draft.template().at(np.arange(len(y)) * len(box[-1]) * position, y))
            return
        # Positions that follow each other in y: whole trailing axes, and the one before them.
        joined = len(fine) - 1
        while joined > 0 and len(fine[joined]) == s.layout.lines[joined].written and joined > 1:
            joined -= 1
        together = prod(len(r) for r in fine[joined:])
        draft.op(self.move, (0, READ), (0, WRITTEN), together)
        y = places(fine[:joined], [line.y_step for line in s.layout.lines[:joined]], first[:joined])
        self.writer.repeated(draft.template().at(np.arange(len(y)) * together * position, y))
