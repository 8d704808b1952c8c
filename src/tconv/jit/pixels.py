"""Schedule and program with pixels in lanes (`kernels/pixels.py`), for channels first.

A chunk is a box of q over all axes but the last, and a range of q along the last. Its rows of x are copied into the
panel, [channel][outer rows][row][pitch], with zeros on both sides, so that every load is in bounds and every tap that
falls beside x reads a zero. A tile starts anywhere in the flat panel: where rows are short, one tile spans several of
them and is stored in segments.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, groupby, product
from math import prod

from tconv.jit.isa import Isa
from tconv.jit.kernels import Code
from tconv.jit.kernels.abi import Context, Header, Piece, Tile
from tconv.jit.kernels.pixels import Pixels, Stage
from tconv.jit.kernels.rows import Rows
from tconv.jit.lines import Layout, Line, phase_taps, shifts
from tconv.jit.program import LINE, Program, Row, Writer, balanced, dot, spans
from tconv.problem import Problem

ELEMENTS = {"float32": "float", "float64": "double"}


@dataclass(frozen=True)
class PixelSchedule:
    """Sizes of tiles and chunks."""

    problem: Problem
    layout: Layout
    lanes: int
    channels: int  #: output channels of a tile, at most
    vectors: int  #: vectors of a tile, at most
    rows: int  #: phases of the axis before the last in a tile: 1, or all of them
    box: tuple[int, ...]  #: q of a chunk along each axis, the batch first
    flat: bool  #: tiles may span rows

    def __str__(self) -> str:
        from tconv.jit.describe import text

        return text(self)

    @cached_property
    def last(self) -> Line:
        """The axis that lanes run along."""
        return self.layout.lines[-1]

    @cached_property
    def outer(self) -> tuple[Line, ...]:
        """The others."""
        return self.layout.lines[:-1]

    @cached_property
    def before(self) -> int:
        """Zeros before a row of the panel."""
        return max(0, -shifts(self.last).start)

    @cached_property
    def behind(self) -> int:
        """Coarse cells that the last q of a row reads beyond it."""
        return max(0, shifts(self.last).stop - 1)

    @cached_property
    def columns(self) -> int:
        """q along the last axis in a chunk."""
        return self.box[-1]

    @cached_property
    def pitch(self) -> int:
        """Elements from a row of the panel to the next."""
        whole = self.columns == len(self.last.span())
        if not whole or not self.flat:
            return self.before + self.columns + self.behind
        # Zeros between two rows serve both.
        behind = max(0, self.columns + self.behind - self.last.coarse)
        return max(self.last.coarse + max(self.before, behind), self.columns)

    @cached_property
    def slots(self) -> tuple[int, ...]:
        """Rows of x that a chunk needs along each outer axis."""
        return tuple(n + len(shifts(line)) - 1 for n, line in zip(self.box, self.outer, strict=False))

    @cached_property
    def vectors_of_rows(self) -> list[int]:
        """Vectors of the tiles of one row, or of all rows of a chunk where they are flat."""
        cells = self.columns
        if self.flat:
            cells += (self.box[-2] - 1) * self.pitch
        return balanced(-(-cells // self.lanes), self.vectors)

    @cached_property
    def panel_row(self) -> int:
        """Elements of the panel a channel."""
        tiles = sum(self.vectors_of_rows) * self.lanes
        last_row = prod(self.slots) - (self.box[-2] if self.flat else 1)
        most = self.before + last_row * self.pitch + tiles + self.behind
        lines = -(-most * self.problem.itemsize // LINE)
        # An even number of cache lines would put the rows of all channels into few sets of the cache.
        return (lines + 1 - lines % 2) * LINE // self.problem.itemsize

    @cached_property
    def panel(self) -> int:
        """Bytes of the panel."""
        return self.panel_row * self.problem.cin * self.problem.itemsize + LINE

    @cached_property
    def block(self) -> int:
        """Bytes of the block: tiles are written straight into y."""
        return 0

    # ---- code

    @cached_property
    def sizes(self) -> list[int]:
        """The sizes that tiles of channels come in, the larger first."""
        return sorted(set(balanced(self.problem.cout, self.channels)), reverse=True)

    @cached_property
    def widths(self) -> list[int]:
        """The sizes that tiles come in along the row."""
        return list(range(self.vectors, 0, -1))

    @cached_property
    def stages(self) -> list[tuple[Stage, tuple[tuple[int, ...], ...]]]:
        """The stages of a tile, and for each of them, by shift of the row, the tap of each of its phases."""
        fed = phase_taps(self.last)
        inner: dict[int, list[int]] = {}
        for b, taps in enumerate(fed):
            for _, shift in taps:
                inner.setdefault(shift, []).append(b)
        if self.rows == 1:
            return [(tuple((shift, tuple((0, b) for b in inner[shift])) for shift in sorted(inner)), ())]
        found: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
        for shift in shifts(self.outer[-1]):
            tap_of = {a: tap for a, taps in enumerate(phase_taps(self.outer[-1])) for tap, s in taps if s == shift}
            if tap_of:
                found.setdefault(tuple(tap_of), []).append((shift, *tap_of.values()))
        return [
            (tuple((s, tuple((a, b) for a in phases for b in inner[s])) for s in sorted(inner)), tuple(rows))
            for phases, rows in found.items()
        ]

    @cached_property
    def code(self) -> Code:
        """The kernels: for each width one a size of tile, then the copy."""
        element = ELEMENTS[self.problem.dtype]
        stages = tuple(stage for stage, _ in self.stages)
        kernels = [
            Pixels(element, self.lanes, size, width, self.rows, self.last.stride, stages)
            for width in self.widths
            for size in self.sizes
        ]
        return Code(element, self.lanes, (*kernels, Rows(element, self.lanes)))

    # ---- program

    def program(self, threads: int) -> Program:
        """The tables."""
        return PixelProgram(self, threads).write()


class PixelProgram:
    """Writes the tables of a schedule."""

    def __init__(self, schedule: PixelSchedule, threads: int) -> None:
        self.s, self.threads = schedule, threads
        self.size = schedule.problem.itemsize
        self.writer = Writer(self.size, schedule.lanes)
        self.stages = schedule.stages
        self.code = schedule.code
        self.copy = len(self.code.kernels) - 1

    def write(self) -> Program:
        """The tables."""
        s, p = self.s, self.s.problem
        chunks = list(self._chunks())
        for g in range(p.groups):
            self._weights(g)
        tiles = len(balanced(p.cout, s.channels))
        shares = 1 if len(chunks) * p.groups >= 2 * self.threads else -(-2 * self.threads // (len(chunks) * p.groups))
        shares = 1 if self.threads == 1 else min(shares, tiles)
        group = self.writer.packed // p.groups
        for chunk, g, part in product(chunks, range(p.groups), spans(range(tiles), -(-tiles // shares))):
            x, y, *ops = chunk
            words = [x + g * s.layout.x_group, g * group, y + g * s.layout.y_group, *ops, part.start, part.stop]
            self.writer.piece(dict(zip(Piece, words, strict=True)))
        return self.writer.finish(self.code, self.header(), self.sizes(), s.panel, s.block)

    def header(self) -> dict[Header, int]:
        """Kernels write into y, and every tile of channels is done for one tile of pixels before the next."""
        return {Header.DIRECT: 1}

    def sizes(self) -> dict[Context, int]:
        """The sizes that all ops share."""
        s, p = self.s, self.s.problem
        return {
            Context.CHANNELS: p.cin,
            Context.COPIED: p.cin,
            Context.X_CHANNEL: s.layout.x_channel,
            Context.SOURCE_CHANNEL: s.panel_row * self.size,
            Context.Y_CHANNEL: s.layout.y_channel,
            Context.Y_PHASE: s.outer[-1].y_step,
        }

    # ---- weights

    def _weights(self, g: int) -> None:
        """The packed weights of a group: the bias, then a block for each tile and tap of the outer axes."""
        s, p, w = self.s, self.s.problem, self.writer
        start = w.packed
        bias = w.reserve(w.room(1, p.cout))
        w.block(bias, [range(p.cout)], source=g * p.cout, bias=True)
        blocks, channel, first = list(self._blocks()), p.cout * p.taps, 0
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

    def _blocks(self) -> Iterator[list[int]]:
        """For each block of a tile the taps of the whole kernel, in the order of its stage."""
        s = self.s
        kernel = [line.kernel for line in s.outer]
        inner = {(b, shift): tap for b, taps in enumerate(phase_taps(s.last)) for tap, shift in taps}
        if s.rows == 1:
            for base in range(prod(kernel)):
                yield [base * s.last.kernel + inner[b, shift] for shift, fed in self.stages[0][0] for _, b in fed]
            return
        for outer in product(*map(range, kernel[:-1])):
            for stage, rows in self.stages:
                phases = list(dict.fromkeys(a for _, fed in stage for a, _ in fed))
                for _, *taps in rows:
                    base_of = {a: flat((*outer, t), kernel) * s.last.kernel for a, t in zip(phases, taps, strict=True)}
                    yield [base_of[a] + inner[b, shift] for shift, fed in stage for a, b in fed]

    # ---- chunks

    def _chunks(self) -> Iterator[tuple[int, int, int, int, int, int]]:
        """For each chunk its offsets in x and y, its copies and its ops.

        Chunks of one image each are alike: they share their copies and ops.
        """
        s, w = self.s, self.writer
        cuts = [spans(line.span(), n) for line, n in zip(s.layout.lines, s.box, strict=True)]
        images = cuts[0] if s.box[0] == 1 else cuts[0][:1]
        if s.box[0] == 1:
            cuts[0] = cuts[0][:1]
        found = []
        for box in product(*cuts):
            start = w.here
            self._copies(box)
            middle = w.here
            self._ops(box)
            if w.here > middle:
                found.append((start, middle, middle, w.here))
        batch = s.layout.lines[0]
        for image, ops in product(images, found):
            yield image.start * batch.x_step, image.start * batch.y_step, *ops

    def _copies(self, box: tuple[range, ...]) -> None:
        """Rows of x into the panel: those that exist, each with its zeros."""
        s, rows = self.s, []
        outer, columns = box[:-1], box[-1]
        needed = [range(q.start + shifts(line).start, q.stop + shifts(line).stop - 1)
                  for q, line in zip(outer, s.outer, strict=True)]  # fmt: skip
        reach = range(columns.start + min(0, shifts(s.last).start), columns.stop + s.behind)
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
        self.writer.copies(self.copy, rows)

    def _slot(self, position: list[int]) -> int:
        """The number of a row of the panel."""
        return flat(position, self.s.slots)

    def _ops(self, box: tuple[range, ...]) -> None:
        """The tiles of a chunk, for every phase of the outer axes."""
        s = self.s
        phases = [range(line.stride) for line in s.outer]
        if s.rows > 1:
            phases[-1] = range(1)
        for a in product(*phases):
            valid = [
                range(max(q.start, line.first(b)), min(q.stop, line.end(b)))
                for q, line, b in zip(box[:-1], s.outer, a, strict=True)
            ]
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
        run, segments = vectors * s.lanes * s.last.stride, []
        for outer, begins in spanned:
            o = [q * line.stride + b for q, line, b in zip(outer, s.outer, a, strict=True)]
            first = (box[-1].start + at - begins) * s.last.stride
            end = min(s.last.fine, box[-1].stop * s.last.stride)
            low, high = max(0, box[-1].start * s.last.stride - first), min(run, end - first)
            if low < high:
                y = dot(o, [line.y_step for line in s.outer]) + first * s.last.y_step
                segments += [y, low, high, min(s.rows, s.outer[-1].fine - o[-1])]
        if not segments:
            return
        rows = self._rows(box, a, spanned, at)
        counts = [len(found) // 2 for found in rows]
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
        needed = [q.start + shifts(line).start for q, line in zip(box[:-1], s.outer, strict=True)]
        slot = self._slot([cell - start for cell, start in zip(cells[0], needed, strict=True)])
        found += [self.size * (s.before + slot * s.pitch + column), number]


def flat(index: list[int] | tuple[int, ...], shape: list[int] | tuple[int, ...]) -> int:
    """The number of an entry of an array of this shape."""
    flat = 0
    for i, n in zip(index, shape, strict=True):
        flat = flat * n + i
    return flat


#: Bytes of panel that a chunk may have. Measured on AMD Zen 5 with 1 MB of second-level cache: 128 to 512 KB are alike
#: but for layers with few output channels, which like less.
PANEL = 320 << 10


#: Sums that must be under way to hide how long a multiply-add takes, and the most vectors of a tile.
ENOUGH, MOST_VECTORS = 10, 4


def make(problem: Problem, layout: Layout, isa: Isa) -> PixelSchedule:
    """Choose the sizes."""
    lanes = isa.lanes(problem.itemsize)
    budget = isa.registers - 4 - (not isa.fma)
    lines = layout.lines
    stride, before = lines[-1].stride, lines[-2]
    spans_ = [line.span() for line in lines]
    columns = len(spans_[-1])
    # With few channels, all phases of the axis before the last share what is loaded of x.
    together = problem.cout * stride * before.stride
    rows = before.stride if len(lines) > 2 and before.stride > 1 and together <= budget else 1
    # Two vectors, or more where few channels and phases would leave too few sums under way at a time.
    sums = stride * rows * min(problem.cout, max(1, budget // (stride * rows)))
    most = min(max(2, -(-ENOUGH // sums)), MOST_VECTORS, -(-columns * len(spans_[-2]) // lanes))
    vectors = max(1, min(most, budget // (stride * rows)))
    channels = max(1, min(problem.cout, budget // (stride * vectors * rows)))
    box = [1] * len(lines)
    box[-1] = columns
    limit = PANEL
    draft = PixelSchedule(problem, layout, lanes, channels, vectors, rows, tuple(box), False)
    if draft.panel > limit:
        per = draft.panel / draft.columns
        fit = max(lanes * vectors, int(limit / per) // (lanes * vectors) * lanes * vectors)
        box[-1] = max(balanced(columns, fit))
    else:
        full = len(spans_[-2])
        flat_pitch = PixelSchedule(problem, layout, lanes, channels, vectors, rows, tuple(box), True).pitch
        per = flat_pitch * problem.cin * problem.itemsize * prod(draft.slots[:-1])
        beside = len(shifts(before)) - 1
        # Rows beside the chunk are copied too: at most half as many as its own where the second-level cache allows.
        fit = max(1, int(limit / per) - beside, min(2 * beside, int(2 * limit / per) - beside))
        box[-2] = max(balanced(full, fit))
    flat = False
    if box[-1] == columns and box[-2] > 1:
        by_row = -(-columns // lanes) * box[-2]
        trial = PixelSchedule(problem, layout, lanes, channels, vectors, rows, tuple(box), True)
        flat = sum(trial.vectors_of_rows) < by_row
    return PixelSchedule(problem, layout, lanes, channels, vectors, rows, tuple(box), flat)
