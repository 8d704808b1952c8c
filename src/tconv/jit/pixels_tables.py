"""The program of a schedule with pixels in lanes: its weights, chunks, copies and tiles as tables."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import chain, groupby, product, repeat
from math import prod

from tconv.jit.kernels.abi import Context, Header, Tile
from tconv.jit.kernels.pixels import ROW
from tconv.jit.lines import by_shift, phase_taps
from tconv.jit.pixels import PixelSchedule
from tconv.jit.program import LINE, Row, balanced, dot, flat
from tconv.jit.tables import Tables


class PixelTables(Tables):
    """Writes the tables of a schedule."""

    s: PixelSchedule

    def __init__(self, schedule: PixelSchedule, threads: int) -> None:
        super().__init__(schedule, threads, len(balanced(schedule.problem.cout, schedule.channels)))
        self.stages = schedule.stages
        self.parts = balanced(schedule.problem.cin, schedule.part)
        self.ahead: Iterator[int] = repeat(0)

    def header(self) -> dict[Header, int]:
        """Kernels write into y, and every tile of channels is done for one tile of pixels before the next."""
        return {Header.DIRECT: 1}

    def sizes(self) -> dict[Context, int]:
        """The sizes that all ops share."""
        s, p = self.s, self.s.problem
        return {
            Context.COPIED: p.cin,
            Context.X_CHANNEL: s.layout.x_channel,
            Context.X_PIXEL: s.last.x_step,
            Context.X_AHEAD: LINE if s.layout.last else s.layout.x_channel,
            Context.SOURCE_CHANNEL: s.panel_row * self.size,
            Context.Y_CHANNEL: s.layout.y_channel,
            Context.Y_PHASE: s.outer[-1].y_step,
        }

    # ---- weights

    def weights(self, g: int) -> None:
        """The packed weights of a group: the bias, then a block for each tile and tap of the outer axes."""
        s, p, w = self.s, self.s.problem, self.writer
        start = w.packed
        bias = w.reserve(w.room(1, p.cout))
        w.block(bias, [range(p.cout)], source=g * p.cout, bias=True)
        blocks, channel, first = self.blocks, p.cout * p.taps, 0
        for size in balanced(p.cout, s.channels):
            per_tap = w.room(p.cin, size * max(len(taps) for taps in blocks))
            here = at = w.reserve(per_tap * len(blocks))
            for _, alike in groupby(blocks, len):
                rows = [[m * p.taps + tap for tap in taps for m in range(size)] for taps in alike]
                source = g * p.cin * channel + first * p.taps
                w.block(at, rows, tap=per_tap, source=source, channels=(p.cin, channel))
                at += per_tap * len(rows)
            if g == 0:
                w.tile({
                    Tile.VARIANT: s.sizes.index(size),
                    Tile.W: here - start,
                    Tile.BIAS: bias - start + first * self.size,
                    Tile.TAP: per_tap,
                    Tile.Y: first * s.layout.y_channel,
                    Tile.COUNT: size,
                })  # fmt: skip
            first += size

    @cached_property
    def blocks(self) -> list[list[int]]:
        """For each block of a tile the taps of the whole kernel, in the order of its stage."""
        return list(self._blocks())

    def _blocks(self) -> Iterator[list[int]]:
        s = self.s
        kernel = [line.kernel for line in s.outer]
        inner = by_shift(s.last)
        if s.rows == 1:
            for base in range(prod(kernel)):
                yield [base * s.last.kernel + inner[shift][b] for shift, fed in self.stages[0][0] for _, b in fed]
            return
        for outer in product(*map(range, kernel[:-1])):
            for stage, rows in self.stages:
                phases = list(dict.fromkeys(a for _, fed in stage for a, _ in fed))
                for _, *taps in rows:
                    base_of = {a: flat((*outer, t), kernel) * s.last.kernel for a, t in zip(phases, taps, strict=True)}
                    yield [base_of[a] + inner[shift][b] for shift, fed in stage for a, b in fed]

    # ---- chunks

    def copies(self, box: tuple[range, ...]) -> None:
        """Rows of x into the panel: those that exist, each with its zeros."""
        self.writer.copies(self.copy, self._copied(box))

    def _lines(self, box: tuple[range, ...], moved: int) -> Iterator[int]:
        """Where lines of x lie that a chunk copies: of its first input channel, or of as many pixels as channels."""
        step = LINE * (self.s.problem.cin if self.s.layout.last else 1)
        last = 0
        for row in self._copied(box):
            for offset in range(0, row.length * self.s.last.x_step, step):
                last = row.source + moved + offset
                yield last
        yield from repeat(last)

    def _copied(self, box: tuple[range, ...]) -> list[Row]:
        s, rows = self.s, []
        outer, columns = box[:-1], box[-1]
        needed = [line.reads(q) for q, line in zip(outer, s.outer, strict=True)]
        reach = range(columns.start - s.before, columns.stop + s.behind)
        inside = range(max(0, reach.start), min(s.last.coarse, reach.stop))
        for cells in product(*needed):
            exists = all(0 <= cell < line.coarse for cell, line in zip(cells, s.outer, strict=True))
            if not exists and not s.flat:
                continue
            slot = self._slot([cell - n.start for cell, n in zip(cells, needed, strict=True)])
            source = dot(cells, [line.x_step for line in s.outer])
            to = s.before + slot * s.pitch
            if len(inside) == 0 or not exists:
                rows.append(Row(0, self.size * to, 0, s.before, s.columns + s.behind))
                continue
            before = inside.start - columns.start + s.before
            to += inside.start - columns.start
            source += inside.start * s.last.x_step
            rows.append(Row(source, self.size * to, len(inside), before, reach.stop - inside.stop))
        return rows

    def _slot(self, position: list[int]) -> int:
        """The number of a row of the panel."""
        return flat(position, self.s.slots)

    def ops(self, box: tuple[range, ...], later: tuple[range, ...], moved: int) -> None:
        """The tiles of a chunk, for every phase of the outer axes."""
        s, self.ahead = self.s, self._lines(later, moved)
        phases = [range(line.stride) for line in s.outer]
        if s.rows > 1:
            phases[-1] = range(1)
        for a in product(*phases):
            valid = [line.of_phase(b, q) for q, line, b in zip(box[:-1], s.outer, a, strict=True)]
            if s.rows > 1:
                valid[-1] = box[-2]
            if s.flat:
                for outer in product(*valid[:-1]):
                    if len(valid[-1]) > 0:
                        self._flat_tiles(box, a, outer, valid[-1])
            else:
                for outer in product(*valid):
                    self._row_tiles(box, a, outer)

    def _row_tiles(self, box: tuple[range, ...], a: tuple[int, ...], outer: tuple[int, ...]) -> None:
        """Tiles of one row of y (or of all phases of it)."""
        columns, at = len(box[-1]), 0
        for vectors in balanced(-(-columns // self.s.lanes), self.s.vectors):
            self._tile(box, a, [(outer, 0)], at, vectors)
            at += vectors * self.s.lanes

    def _flat_tiles(self, box: tuple[range, ...], a: tuple[int, ...], outer: tuple[int, ...], rows: range) -> None:
        """Tiles that span rows."""
        s = self.s
        cells, at = len(box[-1]) + (len(rows) - 1) * s.pitch, 0
        for vectors in balanced(-(-cells // s.lanes), s.vectors):
            end = at + vectors * s.lanes
            first, last = at // s.pitch, min((end - 1) // s.pitch, len(rows) - 1)
            spanned = [((*outer, rows.start + r), r * s.pitch) for r in range(first, last + 1)]
            self._tile(box, a, spanned, at, vectors)
            at = end

    def _tile(
        self,
        box: tuple[range, ...],
        a: tuple[int, ...],
        spanned: list[tuple[tuple[int, ...], int]],
        at: int,
        vectors: int,
    ) -> None:
        """One op: `at` is its first cell in the flat panel, `spanned` the rows with where they begin in it."""
        s = self.s
        kernel = s.widths.index(vectors) * len(s.sizes)
        innermost = s.problem.cout if s.layout.last else 1
        elements = s.last.stride * innermost  # of y, for each q
        run, segments = vectors * s.lanes * elements, []
        for outer, begins in spanned:
            o = [q * line.stride + b for q, line, b in zip(outer, s.outer, a, strict=True)]
            first = box[-1].start + at - begins
            end = min(s.last.fine * innermost, box[-1].stop * elements) - first * elements
            low, high = max(0, (box[-1].start - first) * elements), min(run, end)
            if low < high:
                y = dot(o, [line.y_step for line in s.outer]) + first * s.last.pixel_step
                segments += [y, low, high, min(s.rows, s.outer[-1].fine - o[-1])]
        if not segments:
            return
        rows = self._rows(box, a, spanned, at)
        counts = [len(found) // ROW for found in rows]
        self.writer.op(kernel, len(segments) // 4, *counts, *chain.from_iterable(rows), *segments)

    def _rows(
        self, box: tuple[range, ...], a: tuple[int, ...], spanned: list[tuple[tuple[int, ...], int]], at: int
    ) -> list[list[int]]:
        """For each stage the rows of x of a tile with their taps, but for those that lie beside x for all of it."""
        s = self.s
        begins = spanned[0][1]
        found: list[list[int]] = [[] for _ in self.stages]
        outer_taps = [phase_taps(line)[b] for line, b in zip(s.outer, a, strict=True)]
        kernel = [line.kernel for line in s.outer]
        if s.rows == 1:
            for taps in product(*outer_taps):
                number = flat([tap for tap, _ in taps], kernel)
                self._add_row(found[0], box, spanned, [shift for _, shift in taps], number, at - begins)
            return found
        per_outer = sum(len(rows) for _, rows in self.stages)
        for taps in product(*outer_taps[:-1]):
            number = flat([tap for tap, _ in taps], kernel[:-1]) * per_outer
            for which, (_, rows) in enumerate(self.stages):
                for shift, *_ in rows:
                    self._add_row(
                        found[which], box, spanned, [*(moved for _, moved in taps), shift], number, at - begins
                    )
                    number += 1
        return found

    def _add_row(
        self,
        found: list[int],
        box: tuple[range, ...],
        spanned: list[tuple[tuple[int, ...], int]],
        moved: list[int],
        number: int,
        column: int,
    ) -> None:
        s = self.s
        cells = [[q + shift for q, shift in zip(outer, moved, strict=True)] for outer, _ in spanned]
        exists = [all(0 <= c < line.coarse for c, line in zip(row, s.outer, strict=True)) for row in cells]
        if not any(exists):
            return
        needed = [line.reads(q) for q, line in zip(box[:-1], s.outer, strict=True)]
        slot = self._slot([cell - n.start for cell, n in zip(cells[0], needed, strict=True)])
        x, first = self.size * (s.before + slot * s.pitch + column), 0
        for channels in self.parts:
            ahead = next(self.ahead) + (0 if s.layout.last else first * s.layout.x_channel)
            found += [x + first * s.panel_row * self.size, number, first, channels, ahead]
            first += channels
