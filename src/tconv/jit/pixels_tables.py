"""The program of a schedule with pixels in lanes: its weights, chunks, copies and tiles as tables."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, groupby, product
from typing import Any

import numpy as np

from tconv.jit.copies import evenly
from tconv.jit.kernels.abi import Context, Header
from tconv.jit.kernels.pixels import SEGMENT
from tconv.jit.lines import by_shift, moves, phase_taps, reaching
from tconv.jit.packing import LINE
from tconv.jit.pixels import PixelSchedule
from tconv.jit.pixels_panel import PixelPanel
from tconv.jit.program import balanced, dot, flat
from tconv.jit.spanning import Ragged, Segments, Spanning
from tconv.jit.templates import READ, WRITTEN, Draft, Ints, Template, Word, joined, places

#: What moves the words that say which line of x to ask for: those are filled in when a chunk is written.
ASKING = WRITTEN + 1
#: And of tiles in place the cells that exist, counted from where each begins.
EXISTING = ASKING + 1


class PixelTables(PixelPanel):
    """Writes the tables of a schedule."""

    def __init__(self, schedule: PixelSchedule, threads: int) -> None:
        super().__init__(schedule, threads)
        self.asking: list[Ints] = []  #: the words of ops that say what to ask for, chunk by chunk

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
            Context.X_AHEAD: LINE if s.layout.last else s.layout.x_channel,
            Context.SOURCE_CHANNEL: s.source_channel,
            Context.SOURCE_STRAND: s.panel_strand,
            Context.Y_CHANNEL: s.layout.y_channel,
            Context.Y_PHASE: s.outer[-1].y_step,
        }

    # ---- chunks

    def ops(self, box: tuple[range, ...], later: tuple[range, ...] | None, moved: int) -> None:
        """The tiles of a chunk, for every phase of the outer axes."""
        s, self.asking = self.s, []
        phases = [range(line.stride) for line in s.outer]
        if s.rows > 1:
            phases[-1] = range(1)
        if s.gaps:
            self._gaps(box)
        for a in product(*phases):
            if s.gaps and not all(phase_taps(line)[b] for line, b in zip(s.outer, a, strict=True)):
                continue
            valid = [line.of_phase(b, q) for q, line, b in zip(box[:-1], s.outer, a, strict=True)]
            if s.rows > 1:
                valid[-1] = box[-2]
            if all(valid):
                (self._flat if s.flat else self._by_row)(box, a, valid)
        self._ask(self.lines_of(later, moved, box))

    def _ask(self, lines: Ints) -> None:
        """Let tiles ask for these lines, one after the other."""
        asking = np.concatenate(self.asking) if self.asking else np.empty(0, np.int64)
        self.writer.add(asking, lines[np.minimum(np.arange(len(asking)), len(lines) - 1)])

    def _gaps(self, box: tuple[range, ...]) -> None:
        """The bias into rows that no tap reaches, as runs as long as there are."""
        s = self.s
        fine = [
            range(q.start * line.stride, min(line.written, q.stop * line.stride))
            for q, line in zip(box, s.outer, strict=False)
        ]
        first = [q.start * line.stride for q, line in zip(box, s.outer, strict=False)]
        elements = min(s.last.written, box[-1].stop * s.last.stride) - box[-1].start * s.last.stride
        reached = np.ones(1, bool)
        for line, q in zip(s.outer, fine, strict=True):
            along = [bool(phase_taps(line)[o % line.stride]) for o in q]
            reached = (reached[:, None] & along).reshape(-1)
        y = places(fine, [line.y_step for line in s.outer], first)[~reached]
        starts = np.flatnonzero(np.append(True, np.diff(y) != elements * self.size)[: len(y)])
        runs = np.stack([y[starts], np.diff(np.append(starts, len(y))) * elements], axis=1)
        for number, count, (step, _) in evenly(runs, runs[:, 1:]):
            self.writer.op(len(s.widths) * len(s.sizes), int(runs[number, 1]), 0, int(runs[number, 0]), count, step)

    # ---- tiles of one row

    def _by_row(self, box: tuple[range, ...], a: tuple[int, ...], valid: list[range]) -> None:
        """The tiles of one row after the other; rows that the same taps reach differ only in where they lie."""
        s, first = self.s, [q.start for q in box[:-1]]
        along = [
            reaching(line, self._shifts(axis, b), q)
            for axis, (line, b, q) in enumerate(zip(s.outer, a, valid, strict=True))
        ]
        if s.rows > 1:
            # The last q may lack some of the phases.
            whole = s.outer[-1].written // s.outer[-1].stride
            along[-1] = [
                (part, reached) for q, reached in along[-1] for part in (range(q.start, min(q.stop, whole)),
                range(max(q.start, whole), q.stop)) if part
            ]  # fmt: skip
        for rows in product(*along):
            spans, reached = zip(*rows, strict=True)
            phases = min(s.rows, s.outer[-1].written - spans[-1].start * s.outer[-1].stride - a[-1])
            template = self._row(box, a, reached, phases)
            x = places(spans, self.row_steps, first)
            y = places(spans, [line.pixel_step for line in s.outer], first)
            self._repeat(template, x, y)

    def _shifts(self, axis: int, b: int) -> list[int]:
        """Those of the taps of a phase of an outer axis, or of all phases that a tile has."""
        s, line = self.s, self.s.outer[axis]
        if s.rows > 1 and axis == len(s.outer) - 1:
            return list(by_shift(line))
        return [shift for _, shift in phase_taps(line)[b]]

    def _row(
        self, box: tuple[range, ...], a: tuple[int, ...], reached: tuple[frozenset[int], ...], phases: int
    ) -> Template:
        """The tiles of the first row of a chunk, if it had these shifts."""
        s, at, found = self.s, 0, []
        inner = s.written if s.layout.last else 1
        elements = s.last.stride * inner  # of y, for each q
        y = dot(a, [line.y_step for line in s.outer])
        rows = self._rows(box, a, reached)
        end = min(s.last.written * inner, box[-1].stop * elements) - box[-1].start * elements
        for (vectors, high), alike in groupby(self._tiles_of_row(len(box[-1]), elements, end)):
            columns, draft = vectors * s.lanes, Draft()
            exist = [(word, EXISTING) for word in self._exist(box, at, 1)] if s.in_place else []
            words: list[Word] = [1, *exist, *self._words(rows, at * self.size)]
            words += [(y + at * s.last.pixel_step, WRITTEN), 0, high, phases]
            draft.op(s.widths.index(vectors) * len(s.sizes), *words)
            count = len(list(alike))
            found.append(draft.template().along(count, columns * self.size, columns * s.last.pixel_step, 0, -columns))
            at += count * columns
        return joined(found)

    def _tiles_of_row(self, columns: int, elements: int, end: int) -> Iterator[tuple[int, int]]:
        """The vectors of each tile of a row, and how many of its elements of y are written."""
        s, at = self.s, 0
        for vectors in balanced(-(-columns // s.lanes), s.vectors):
            high = min(vectors * s.lanes * elements, end - at)
            if high > 0:
                yield vectors, high
            at += vectors * s.lanes * elements

    def _repeat(self, template: Template, x: Ints, y: Ints) -> None:
        """The ops of a template at so many places; what they ask for is filled in at the end."""
        still = np.zeros_like(x)
        ops, start = template.at(x, y, still, still), self.writer.here // 8
        self.writer.repeated(ops)
        asking = np.flatnonzero(template.moved == ASKING)
        self.asking.append((start + np.arange(len(ops))[:, None] * ops.shape[1] + asking).reshape(-1))

    # ---- tiles that span rows

    def _flat(self, box: tuple[range, ...], a: tuple[int, ...], valid: list[range]) -> None:
        """Tiles of the rows of the axis before the last, as many as a chunk has, for each q of the axes before it."""
        s, first = self.s, [q.start for q in box[:-2]]
        along = [
            reaching(line, self._shifts(axis, b), q)
            for axis, (line, b, q) in enumerate(zip(s.outer[:-1], a, valid, strict=False))
        ]
        for rows in product(*along):
            spans, reached = [q for q, _ in rows], tuple(shifts for _, shifts in rows)
            template = self._spanning(box, a, reached, valid[-1])
            x = places(spans, self.row_steps[:-1], first)
            y = places(spans, [line.pixel_step for line in s.outer[:-1]], first)
            self._repeat(template, x, y)

    def _spanning(
        self, box: tuple[range, ...], a: tuple[int, ...], reached: tuple[frozenset[int], ...], rows: range
    ) -> Template:
        """The tiles of all rows, for the first q of a chunk along the other axes, if it had these shifts."""
        s, line = self.s, self.s.outer[-1]
        tiles = Spanning(len(box[-1]) + (len(rows) - 1) * s.pitch, s.pitch, len(rows), s.lanes, s.vectors)
        segments = self._segments(box, a, rows, tiles)
        # Which shifts along the rows a tile reads: where any of its rows has a cell there.
        shifts, reads = self._shifts(len(s.outer) - 1, a[-1]), []
        for span in map(line.reads, shifts):
            meets = (rows.start + tiles.last >= span.start) & (rows.start + tiles.first < span.stop)
            reads.append((meets & bool(span)).tolist())
        keys = zip(tiles.vectors.tolist(), segments.count.tolist(), *reads, strict=True)
        alike: dict[tuple[int, ...], list[int]] = {}
        for number, key in enumerate(keys):
            if key[1]:
                alike.setdefault(key, []).append(number)
        ops = Ragged(len(tiles.at))
        for (vectors, count, *read), members in alike.items():
            along = frozenset(shift for shift, is_read in zip(shifts, read, strict=True) if is_read)
            found = self._rows(box, a, (*reached, along), rows.start)
            draft = Draft()
            words: list[Word] = [count, *([0, 0] if s.in_place else ()), *self._words(found, 0)]
            draft.op(s.widths.index(vectors) * len(s.sizes), *words, *[0, 0, 0, 0] * count)
            template, which = draft.template(), np.array(members)
            at = tiles.at[which]
            made = template.at(at * self.size, np.zeros_like(at), np.zeros_like(at))
            made[:, -SEGMENT * count :] = segments.of(which)
            template.moved[-SEGMENT * count :: SEGMENT] = WRITTEN
            if s.in_place:
                made[:, 3:5] = np.transpose(self._exist(box, at - tiles.first[which] * s.pitch, tiles.rows[which]))
            ops.put(which, made, template.moved)
        return ops.template()

    def _segments(self, box: tuple[range, ...], a: tuple[int, ...], rows: range, tiles: Spanning) -> Segments:
        """The rows of y that each tile reaches."""
        s, line, (which, row) = self.s, self.s.outer[-1], tiles.reached
        inner = s.written if s.layout.last else 1
        elements = s.last.stride * inner  # of y, for each q
        column = tiles.at[which] - row * s.pitch
        low = np.maximum(0, -column * elements)
        end = min(s.last.written * inner, box[-1].stop * elements) - (box[-1].start + column) * elements
        high = np.minimum(tiles.vectors[which] * s.lanes * elements, end)
        o = (rows.start + row) * line.stride + a[-1]
        y = dot(a, [outer.y_step for outer in s.outer]) + column * s.last.pixel_step
        y += (rows.start - box[-2].start + row) * line.pixel_step
        phases = np.minimum(s.rows, line.written - o)
        return Segments(which, np.stack([y, low, high, phases], axis=1), low < high, len(tiles.at))

    # ---- what a tile reads

    def _exist(self, box: tuple[range, ...], column: Any, rows: Any) -> tuple[Any, Any]:
        """The cells that a chunk reads of the rows that a tile spans, counted from that of the first lane.

        No others are read: lanes behind its last column may lie beside x in some of the chunks that share its ops.
        """
        line, reach = self.s.last, moves(self.s.last)
        first = box[-1].start + column + self.s.strands[0].first
        low = max(0, box[-1].start + min(0, reach.start))
        high = min(line.read, box[-1].stop - 1 + max(1, reach.stop))
        return low - first, (rows - 1) * line.read + high - first

    def _words(self, rows: list[list[tuple[int, int]]], moved: int) -> Iterator[Word]:
        """How many rows a tile reads for each stage, and their words, so many bytes further; parts are rows too."""
        s = self.s
        yield from (len(of_stage) * len(self.parts) for of_stage in rows)
        for x, number in chain.from_iterable(rows):
            first = 0
            for channels in self.parts:
                ahead = 0 if s.layout.last else first * s.layout.x_channel
                yield x + moved + first * s.source_channel, READ
                yield from (number, first, channels)
                yield ahead, ASKING
                first += channels

    def _rows(
        self, box: tuple[range, ...], a: tuple[int, ...], reached: tuple[frozenset[int], ...], start: int | None = None
    ) -> list[list[tuple[int, int]]]:
        """For each stage the rows of x of these shifts along the outer axes: where each begins, and its weights.

        Counted from the first q of a chunk, or along the axis before the last from `start`.
        """
        s, found = self.s, [list[tuple[int, int]]() for _ in self.stages]
        first = [q.start for q in box[:-1]]
        first[-1] = first[-1] if start is None else start
        base = [q * line.apart for q, line in zip(first, s.outer, strict=True)]
        kernel = [line.kernel for line in s.outer]
        taps_of = [
            [(tap, shift) for tap, shift in phase_taps(line)[b] if shift in within]
            for line, b, within in zip(s.outer, a, reached, strict=True)
        ]
        if s.rows == 1:
            for taps in product(*taps_of):
                number = flat([tap for tap, _ in taps], kernel) * len(s.strands)
                cells = [q + shift for q, (_, shift) in zip(base, taps, strict=True)]
                for strand, stage in enumerate(self.stage_of_strand):
                    found[stage].append((self.where(cells, box, strand), number + strand))
            return found
        per_outer = sum(len(rows) for _, rows in self.stages)
        for taps in product(*taps_of[:-1]):
            number = flat([tap for tap, _ in taps], kernel[:-1]) * per_outer
            cells = [q + shift for q, (_, shift) in zip(base, taps, strict=False)]
            for which, (_, rows) in enumerate(self.stages):
                for shift, *_ in rows:
                    if shift in reached[-1]:
                        found[which].append((self.where([*cells, base[-1] + shift], box, 0), number))
                    number += 1
        return found
