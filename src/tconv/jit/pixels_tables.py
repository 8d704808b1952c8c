"""The program of a schedule with pixels in lanes: its weights, chunks, copies and tiles as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, groupby, product, repeat
from math import prod

from tconv.cached import cached_property
from tconv.jit.kernels.abi import Context, Header, Tile
from tconv.jit.kernels.pixels import ROW, SEGMENT
from tconv.jit.kernels.rows import Rows
from tconv.jit.lines import phase_taps
from tconv.jit.pixels import PixelSchedule, feeds
from tconv.jit.program import LINE, Row, balanced, dot, evenly, flat
from tconv.jit.tables import Tables


class PixelTables(Tables):
    """Writes the tables of a schedule."""

    s: PixelSchedule

    def __init__(self, schedule: PixelSchedule, threads: int) -> None:
        super().__init__(schedule, threads, len(balanced(schedule.written, schedule.channels)))
        self.stages = schedule.stages
        stages = [stage for stage, _ in self.stages]
        #: Of which stage the rows of a strand are, where each phase of the axis before is computed by itself.
        self.stage_of_strand = [stages.index(feeds((0,), s)) for s in schedule.strands] if schedule.rows == 1 else []
        self.parts = balanced(schedule.read, schedule.part)
        self.ahead: Iterator[int] = repeat(0)

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

    # ---- weights

    def weights(self, g: int) -> None:
        """The packed weights of a group: the bias, then a block for each tile and tap of the outer axes."""
        s, w, start = self.s, self.writer, self.writer.packed
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
                    Tile.Y: first * s.layout.y_channel,
                    Tile.AHEAD: number * LINE,
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

    # ---- chunks

    def where(self, cells: Sequence[int], box: tuple[range, ...], strand: int) -> int:
        """Where the first q of a chunk finds the first of its cells in a strand of a row."""
        s = self.s
        if s.in_place:
            return dot((*cells, box[-1].start + s.strands[strand].first), [line.x_step for line in s.layout.lines])
        column = s.before + s.strands[strand].first
        return strand * s.panel_strand + self.size * (s.slot(cells, box) * s.pitch + column)

    def copies(self, box: tuple[range, ...]) -> None:
        """Rows of x into the panel: those that exist, each with its zeros."""
        if self.s.in_place:
            return
        # Rows are taken apart by a kernel, all strands together; of channels-last x the strands are copied one by one.
        strands = range(len(self.s.strands) if self.s.layout.last else 1)
        rows = [row for number in strands for row in self._copied(box, number)]
        self.writer.copies(self.copy, rows, self.size if isinstance(self.s.copy, Rows) else 0)

    def _lines(self, box: tuple[range, ...], moved: int, now: tuple[range, ...]) -> Iterator[int]:
        """Where lines of x lie that a chunk reads: of its first input channel, or of as many pixels as channels.

        Tiles of channels ask for one each, side by side. What is read `now` is near.
        """
        s = self.s
        step, each = (LINE * s.read, s.last.read_step) if s.layout.last else (LINE, s.last.x_step)
        near, last = {row.source for row in self._copied(now, 0)}, 0
        for row in self._copied(box, 0):
            if row.source + moved in near:
                continue
            for offset in range(0, row.length * each, step * self.number_of_tiles):
                last = row.source + moved + offset
                yield last
        yield from repeat(last)

    def _copied(self, box: tuple[range, ...], number: int) -> Iterator[Row]:
        """Rows of a strand of channels-last x, or of all strands together."""
        s, columns = self.s, box[-1]
        apart, residue = (1, s.strands[number].residue) if s.layout.last else (s.last.apart, 0)
        reach = range(columns.start - s.before, columns.stop + s.behind)
        start = max(0, reach.start)
        stop = min(s.last.read, reach.stop * s.last.apart)
        cells = range(start * s.last.apart + residue, stop, s.last.apart // apart)
        behind = reach.stop - start - -(-len(cells) // apart)
        for outer in product(*(line.cells(q) for line, q in zip(s.outer, box, strict=False))):
            exists = all(0 <= cell < line.read for cell, line in zip(outer, s.outer, strict=True))
            if not exists and not s.flat:
                continue
            to = number * s.panel_strand + self.size * (s.before + s.slot(outer, box) * s.pitch)
            if len(cells) == 0 or not exists:
                yield Row(0, to, 0, s.before, s.columns + s.behind)
                continue
            source = dot((*outer, cells.start), [line.x_step for line in s.layout.lines])
            to += (start - columns.start) * self.size
            yield Row(source, to, len(cells), start - reach.start, behind)

    def ops(self, box: tuple[range, ...], later: tuple[range, ...], moved: int) -> None:
        """The tiles of a chunk, for every phase of the outer axes."""
        s, self.ahead = self.s, self._lines(later, moved, box)
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
            if s.flat:
                for outer in product(*valid[:-1]):
                    if len(valid[-1]) > 0:
                        self._flat_tiles(box, a, outer, valid[-1])
            else:
                for outer in product(*valid):
                    self._row_tiles(box, a, outer)

    def _gaps(self, box: tuple[range, ...]) -> None:
        """The bias into rows that no tap reaches, as runs as long as there are."""
        s, runs = self.s, list[list[int]]()
        fine = [
            range(q.start * line.stride, min(line.written, q.stop * line.stride))
            for q, line in zip(box, s.outer, strict=False)
        ]
        start = box[-1].start * s.last.stride
        elements = min(s.last.written, box[-1].stop * s.last.stride) - start
        for o in product(*fine):
            if all(phase_taps(line)[i % line.stride] for i, line in zip(o, s.outer, strict=True)):
                continue
            y = dot((*o, start), [line.y_step for line in s.layout.lines])
            if runs and y == runs[-1][0] + runs[-1][1] * self.size:
                runs[-1][1] += elements
            else:
                runs.append([y, elements])
        fill = len(s.widths) * len(s.sizes)
        for (at, length), number, step in evenly(runs, lambda a, b: b[0] - a[0] if b[1] == a[1] else None):
            self.writer.op(fill, length, 0, at, number, step or 0)

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
        innermost = s.written if s.layout.last else 1
        elements = s.last.stride * innermost  # of y, for each q
        run, segments = vectors * s.lanes * elements, []
        for outer, begins in spanned:
            o = [q * line.stride + b for q, line, b in zip(outer, s.outer, a, strict=True)]
            first = box[-1].start + at - begins
            end = min(s.last.written * innermost, box[-1].stop * elements) - first * elements
            low, high = max(0, (box[-1].start - first) * elements), min(run, end)
            if low < high:
                y = dot(o, [line.y_step for line in s.outer]) + first * s.last.pixel_step
                segments += [y, low, high, min(s.rows, s.outer[-1].written - o[-1])]
        if not segments:
            return
        rows = self._rows(box, a, spanned, at)
        counts = [len(found) // ROW for found in rows]
        head = (len(segments) // SEGMENT, *(self._exist(box, spanned, at) if s.in_place else ()))
        self.writer.op(kernel, *head, *counts, *chain.from_iterable(rows), *segments)

    def _exist(self, box: tuple[range, ...], spanned: list[tuple[tuple[int, ...], int]], at: int) -> tuple[int, int]:
        """The cells of the rows that a tile spans, counted from that of the first lane: no others are read."""
        first = box[-1].start + at - spanned[0][1] + self.s.strands[0].first
        return -first, self.s.last.read * len(spanned) - first

    def _rows(
        self, box: tuple[range, ...], a: tuple[int, ...], spanned: list[tuple[tuple[int, ...], int]], at: int
    ) -> list[list[int]]:
        """For each stage the rows of x of a tile with their taps, but for those that lie beside x for all of it."""
        s, column = self.s, at - spanned[0][1]
        found: list[list[int]] = [[] for _ in self.stages]
        outer_taps = [phase_taps(line)[b] for line, b in zip(s.outer, a, strict=True)]
        kernel = [line.kernel for line in s.outer]
        if s.rows == 1:
            for taps in product(*outer_taps):
                number = flat([tap for tap, _ in taps], kernel) * len(s.strands)
                for strand, stage in enumerate(self.stage_of_strand):
                    row = [shift for _, shift in taps]
                    self._add_row(found[stage], box, spanned, row, strand, number + strand, column)
            return found
        per_outer = sum(len(rows) for _, rows in self.stages)
        for taps in product(*outer_taps[:-1]):
            number = flat([tap for tap, _ in taps], kernel[:-1]) * per_outer
            for which, (_, rows) in enumerate(self.stages):
                for shift, *_ in rows:
                    row = [*(moved for _, moved in taps), shift]
                    self._add_row(found[which], box, spanned, row, 0, number, column)
                    number += 1
        return found

    def _add_row(
        self,
        found: list[int],
        box: tuple[range, ...],
        spanned: list[tuple[tuple[int, ...], int]],
        moved: list[int],
        strand: int,
        number: int,
        column: int,
    ) -> None:
        """Add a row of x, shifted by so much along each outer axis, with the number of its weights."""
        s = self.s
        cells = [
            [q * line.apart + shift for q, line, shift in zip(outer, s.outer, moved, strict=True)]
            for outer, _ in spanned
        ]
        exists = [all(0 <= c < line.read for c, line in zip(row, s.outer, strict=True)) for row in cells]
        if not any(exists):
            return
        x = self.where(cells[0], box, strand) + column * self.size
        first = 0
        for channels in self.parts:
            ahead = next(self.ahead) + (0 if s.layout.last else first * s.layout.x_channel)
            found += [x + first * s.source_channel, number, first, channels, ahead]
            first += channels
