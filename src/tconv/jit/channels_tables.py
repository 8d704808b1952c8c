"""The program of a schedule with channels in lanes: its chunks, copies, sums and moves as tables."""

from __future__ import annotations

from itertools import chain, groupby, pairwise, product
from math import prod

from tconv.jit.channels import ChannelSchedule
from tconv.jit.channels_reads import Read, Tap, alike, cut, together
from tconv.jit.channels_weights import ChannelWeights
from tconv.jit.kernels.abi import Context, Header
from tconv.jit.kernels.weights import Block
from tconv.jit.lines import by_shift, phase_taps
from tconv.jit.program import Row, balanced, dot, flat


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
            Context.TARGET_PIXEL: self._target_pixel(),
        }

    def _target_pixel(self) -> int:
        s = self.s
        if s.direct:
            return s.last.pixel_step
        return s.widest * self.size * (s.last.stride if s.in_lanes == "channels" else 1)

    # ---- chunks

    def copies(self, box: tuple[range, ...]) -> None:
        """Rows of x into the panel: those that exist, each with its zeros."""
        s, rows, columns = self.s, [], box[-1]
        if s.in_place:
            return
        wide = s.last.x_step // self.size if s.layout.last and not s.picked else 1
        reach = range(columns.start * s.last.apart - s.before, (columns.stop - 1) * s.last.apart + 1 + s.behind)
        inside = range(max(0, reach.start), min(s.last.read, reach.stop))
        for cells in product(*(line.cells(q) for q, line in zip(box, s.outer, strict=False))):
            if not all(0 <= cell < line.read for cell, line in zip(cells, s.outer, strict=True)):
                continue
            to = s.row * s.slot(cells, box)
            source = dot(cells, [line.x_step for line in s.outer])
            if len(inside) == 0:
                rows.append(Row(source, to, 0, 0, len(reach) * wide))
                continue
            before = inside.start - reach.start
            source += inside.start * s.last.x_step
            to += before * s.cell
            behind = (reach.stop - inside.stop) * wide
            rows.append(Row(source, to, len(inside) * wide, before * wide, behind))
        if not s.picked:
            self.writer.copies(self.copy, rows, s.cell if s.turned else self.size)
        for row in rows if s.picked else ():
            self.writer.pixels(self.copy, row, s.last.x_step, s.cell, s.copied)

    def ops(self, box: tuple[range, ...], later: tuple[range, ...], moved: int) -> None:
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
        inner_phases = range(s.last.stride if s.in_lanes == "channels" else 1)
        for a in product(*(range(line.stride) for line in s.outer)):
            images, *valid = (line.of_phase(b, q) for q, line, b in zip(box, s.outer, a, strict=False))
            rows = [(image, *q) for *q, image in product(*valid, images)]
            for b in inner_phases:
                segments = s.segments(box[-1], b)
                reads = [self._read(box, a, b, q) for q in rows] if segments else []
                for columns in segments:
                    done = s.inner[0] if s.at_once and columns.start in s.inner[-1] else ()
                    left = [read for read, q in zip(reads, rows, strict=True) if q[-1] not in done]
                    self._phase(box, columns, part, left)

    def _at_once(self, box: tuple[range, ...]) -> None:
        """All phases of the cells within, row by row."""
        s, (*earlier, before, last) = self.s, self.s.layout.lines
        rows, columns = (
            range(max(q.start, n.start), min(q.stop, n.stop)) for q, n in zip(box[-2:], s.inner, strict=True)
        )
        if not columns:
            return
        for q in product(*box[:-2], rows):
            x = dot(q, [line.x_step for line in (*earlier, before)]) + columns.start * last.x_step
            y = dot(q, [line.pixel_step for line in (*earlier, before)]) + columns.start * last.pixel_step
            self.writer.op(
                len(self.code.kernels) - 2, len(columns), y, *(x + n * before.x_step for n in by_shift(before))
            )

    def _phase(self, box: tuple[range, ...], columns: range, part: range, rows: list[Read]) -> None:
        """The tiles of one phase. What is added up in one op is the same for a row whichever others are with it."""
        if self.s.outer_first:
            self._outer_first(box, columns, part, rows)
            return
        for some in alike(rows, self.s.rows_of(len(columns))):
            self._tiles(box, columns, part, some, list(some[0].taps), part.start > 0)

    def _outer_first(self, box: tuple[range, ...], columns: range, part: range, rows: list[Read]) -> None:
        """Likewise, for one tap of the outer axes after the other."""
        most, begun = self.s.rows_of(len(columns)), [part.start > 0] * len(rows)
        of_outer = [groupby(sorted(row.taps), lambda tap: tap.number // len(self.inner)) for row in rows]
        taps_of = [{number: list(taps) for number, taps in groups} for groups in of_outer]
        for number in sorted(set().union(*taps_of)):
            for adds in (False, True):
                having = [n for n, taps in enumerate(taps_of) if number in taps and begun[n] == adds]
                for some in together(having, most):
                    self._tiles(box, columns, part, [rows[n] for n in some], taps_of[some[0]][number], adds)
            begun = [was or number in taps for was, taps in zip(begun, taps_of, strict=True)]
        for n, was in enumerate(begun):
            if not was:
                self._tiles(box, columns, part, [rows[n]], [], False)

    def _tiles(
        self, box: tuple[range, ...], columns: range, part: range, rows: list[Read], taps: list[Tap], adds: bool
    ) -> None:
        """The tiles of some rows of pixels, or of a segment of them, for some taps that all of them have."""
        s, at, apart = self.s, columns.start, self.s.last.apart
        for pixels in balanced(len(columns), s.pixels):
            tile, moved = range(at, at + pixels), at - box[-1].start
            targets = [row.target + moved * self._target_pixel() for row in rows]
            x = [{tap: row.taps[tap] + moved * s.pixel for tap in taps} for row in rows]
            # A tap that reads nothing but the zeros beside x is left out.
            reach = range(tile.start * apart, (tile.stop - 1) * apart + 1)
            met = [tap for tap in taps if reach.start + tap.shift < s.last.read and reach.stop + tap.shift > 0]
            self._sums(pixels, sorted(met, key=lambda tap: tap.mask >= 0), x, targets, part, adds)
            at += pixels

    def _sums(
        self, pixels: int, taps: list[Tap], x: list[dict[Tap, int]], targets: list[int], part: range, adds: bool
    ) -> None:
        """The ops of one tile: sums of so many terms each."""
        s = self.s
        kernel = self.shapes.index((len(targets), pixels)) * len(s.variants)
        for some in cut(taps, max(1, s.terms // len(part))):
            masked, at = sum(tap.mask >= 0 for tap in some), part.start
            some, runs = self._runs(some, x[0], part)
            for number in [len(part) * runs] if runs > 1 else balanced(len(part), s.terms):
                words = [
                    [tap.number, max(0, tap.mask), *(row[tap] + at * s.source_channel for row in x)] for tap in some
                ]
                of_weights = at - part.start if s.fresh else at
                head = (len(some) - masked, masked, int(adds), number, of_weights)
                self.writer.op(kernel, *head, *targets, *chain.from_iterable(words))
                at, adds = at + number, True
        if not adds:
            self.writer.op(kernel, 0, 0, 0, len(part), part.start, *targets)

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

    def _read(self, box: tuple[range, ...], a: tuple[int, ...], b: int, q: tuple[int, ...]) -> Read:
        """A row of pixels: its taps, and where it goes."""
        o = [i * line.stride + r for i, line, r in zip(q, self.s.outer, a, strict=True)]
        return Read(self._taps(box, a, b, q), self._target(box, o, b))

    def _taps(self, box: tuple[range, ...], a: tuple[int, ...], b: int, q: tuple[int, ...]) -> dict[Tap, int]:
        """The taps of a row, each with the offset in the source of column box[-1].start."""
        s, found = self.s, dict[Tap, int]()
        kernel = [line.kernel for line in s.outer]
        if s.in_lanes == "channels":
            inner = [(tap, shift, -1) for tap, shift in self.taps[b]]
        else:
            inner = [
                (number, shift, self.masked.index(number) if number in self.masked else -1)
                for number, shift in enumerate(self.by_shift)
            ]
        per_outer = len(self.inner)
        for taps in product(*(phase_taps(line)[r] for line, r in zip(s.outer, a, strict=True))):
            cells = [q_ * line.apart + shift for q_, line, (_, shift) in zip(q, s.outer, taps, strict=True)]
            if not all(0 <= cell < line.read for cell, line in zip(cells, s.outer, strict=True)):
                continue
            if s.in_place:
                base = dot(cells, [line.x_step for line in s.outer]) + box[-1].start * s.pixel
            else:
                base = s.slot(cells, box) * s.row + s.before * s.cell
            number = flat([tap for tap, _ in taps], kernel) * per_outer
            found |= {Tap(number + which, mask, shift): base + shift * s.cell for which, shift, mask in inner}
        return found

    def _fine(self, box: tuple[range, ...]) -> list[range]:
        """The positions of y of a chunk along each outer axis (and the last, where phases are not in lanes)."""
        lines = s_lines = self.s.layout.lines
        if self.s.in_lanes == "phases":
            lines = s_lines[:-1]
        return [
            range(q.start * line.stride, min(line.written, q.stop * line.stride))
            for q, line in zip(box, lines, strict=False)
        ]

    def _target(self, box: tuple[range, ...], o: list[int], b: int) -> int:
        """Where column box[-1].start of a row goes, in y or in the block."""
        s = self.s
        if s.direct:
            return dot(o, [line.y_step for line in s.outer]) + (box[-1].start * s.last.stride + b) * s.last.y_step
        fine = self._fine(box)
        index, shape = [i - r.start for i, r in zip(o, fine, strict=False)], [len(r) for r in fine]
        if s.in_lanes == "phases":
            return (flat(index, shape) * len(box[-1])) * s.widest * self.size
        return (flat([*index, 0], shape) + b) * s.widest * self.size

    def _moves(self, box: tuple[range, ...]) -> None:
        """The block into y."""
        s, fine = self.s, self._fine(box)
        position = s.widest * self.size
        if s.in_lanes == "phases":
            for number, o in enumerate(product(*fine)):
                start = box[-1].start * s.last.stride - s.origin
                y = dot(o, [line.y_step for line in s.outer])
                y += box[-1].start * s.last.pixel_step - s.origin * s.last.y_step
                per = s.last.stride * (s.written if s.layout.last else 1)
                elements = s.written * s.problem.groups if s.layout.last else 1
                low, high = max(0, -start) * elements, (s.last.written - start) * elements
                words = (number * len(box[-1]) * position, y, len(box[-1]), s.last.pixel_step, per, low, high)
                self.writer.op(self.move, *words)
            return
        # Positions that follow each other in y: whole trailing axes, and the one before them.
        joined = len(fine) - 1
        while joined > 0 and len(fine[joined]) == s.layout.lines[joined].written and joined > 1:
            joined -= 1
        together = prod(len(r) for r in fine[joined:])
        for number, o in enumerate(product(*fine[:joined])):
            whole = [*o, *(r.start for r in fine[joined:])]
            y = dot(whole, [line.y_step for line in s.layout.lines])
            self.writer.op(self.move, number * together * position, y, together)
