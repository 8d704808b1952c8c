"""Schedule and program with channels in lanes (`kernels/channels.py`).

Lanes are output channels, or (channel, phase) pairs of the last axis where its stride is large: then a run of y, the
phases of one q, is a run of lanes. In channels-last arrays a run holds (phase, channel) pairs. The pixels of a tile
are coarse cells along one axis: the last, or the batch where grids are tiny.

A chunk is a box of q over all axes. For one tile of channels after the other, every phase and row of the chunk is
computed into the block, and the block moved into y; channels-last results with whole channels in lanes go straight into
y. Input channels are taken in parts whose weights fit the cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from math import prod
from typing import Literal

from tconv.jit.depthwise import STREAM_FROM
from tconv.jit.isa import Isa
from tconv.jit.kernels import Code, Kernel
from tconv.jit.kernels.abi import Context, Header, Piece, Tile
from tconv.jit.kernels.channels import Channels
from tconv.jit.kernels.moves import Runs, Transpose
from tconv.jit.kernels.rows import Rows
from tconv.jit.kernels.turn import Turn
from tconv.jit.lines import Layout, Line, inside, phase_taps, shifts
from tconv.jit.pixels import ELEMENTS, flat
from tconv.jit.program import LINE, Program, Row, Writer, balanced, dot, spans
from tconv.problem import Problem


@dataclass(frozen=True, slots=True)
class LaneTile:
    """Lanes that one call computes: `count` runs of `length` elements, the first element `first` of run `run`."""

    vectors: int
    run: int
    count: int
    first: int
    length: int


@dataclass(frozen=True)
class ChannelSchedule:
    """Sizes of tiles and chunks."""

    problem: Problem
    layout: Layout
    lanes: int
    vectors: int  #: vectors of a tile, at most
    pixels: int  #: pixels of a tile, at most
    in_lanes: Literal["channels", "phases"]
    box: tuple[int, ...]  #: q of a chunk along each axis, the batch first
    part: int  #: input channels taken at a time
    in_place: bool  #: x is read where it is
    masks: bool  #: loads under a mask are quick
    own: bool = False  #: depthwise: the groups are the output channels, and each reads its own channel of x

    def __str__(self) -> str:
        from tconv.jit.describe import text

        return text(self)

    @cached_property
    def last(self) -> Line:
        """The innermost axis of the grids."""
        return self.layout.lines[-1]

    @cached_property
    def outer(self) -> tuple[Line, ...]:
        """The others."""
        return self.layout.lines[:-1]

    @cached_property
    def origin(self) -> int:
        """Of the last axis (see `lines.py`): lanes of phases want equal shifts."""
        return self.last.low % self.last.stride if self.in_lanes == "phases" else 0

    @cached_property
    def direct(self) -> bool:
        """Whether tiles are written straight into y."""
        return self.layout.last and self.in_lanes == "channels"

    @cached_property
    def turned(self) -> bool:
        """Whether channels are turned innermost on their way into the panel, and back on their way into y."""
        return self.own and not self.layout.last

    @cached_property
    def before(self) -> int:
        """Zeros before a row of the panel, in pixels."""
        return max(0, -shifts(self.last, self.origin).start)

    @cached_property
    def behind(self) -> int:
        """Coarse cells that the last q of a row reads beyond it."""
        return max(0, shifts(self.last, self.origin).stop - 1)

    @cached_property
    def pitch(self) -> int:
        """Pixels of a row of the panel; for channels first an odd number of them keeps channels in different sets."""
        pixels = self.before + self.box[-1] + self.behind
        if self.layout.last or self.turned:
            return pixels
        return pixels + (pixels + 1) % 2 if pixels * self.problem.itemsize >= LINE else pixels

    @cached_property
    def pixel(self) -> int:
        """Bytes from a pixel to the next in what kernels read."""
        if self.in_place:
            return self.last.x_step
        if self.turned:
            # Whole vectors of channels.
            return -(-self.problem.cout // self.lanes) * self.lanes * self.problem.itemsize
        return self.last.x_step if self.layout.last else self.problem.itemsize

    @cached_property
    def source_channel(self) -> int:
        """Bytes from a channel to the next in what kernels read."""
        if self.in_place or self.layout.last:
            return self.layout.x_channel
        return self.pitch * self.problem.itemsize

    @cached_property
    def slots(self) -> tuple[int, ...]:
        """Rows of x that a chunk needs along each outer axis."""
        return tuple(n + len(shifts(line)) - 1 for n, line in zip(self.box, self.outer, strict=False))

    @cached_property
    def slot(self) -> int:
        """Bytes from a row of the panel to the next."""
        return self.pitch * self.pixel * (1 if self.layout.last or self.turned else self.problem.cin)

    @cached_property
    def panel(self) -> int:
        """Bytes of the panel."""
        return 0 if self.in_place else prod(self.slots) * self.slot + LINE

    @cached_property
    def run(self) -> int:
        """Neighbouring elements of y that lanes stand for: the length of a run, of which there are `runs`."""
        if self.in_lanes == "channels":
            return 1
        return self.last.stride * (self.problem.cout if self.layout.last else 1)

    @cached_property
    def runs(self) -> int:
        """How many runs one pixel has."""
        return 1 if self.layout.last and self.in_lanes == "phases" else self.problem.cout

    @cached_property
    def tiles(self) -> list[LaneTile]:
        """The tiles of lanes."""
        width = self.vectors * self.lanes
        if self.run <= width:
            found, first = [], 0
            for count in self._cut_runs(width // self.run):
                found.append(LaneTile(-(-count * self.run // self.lanes), first, count, 0, self.run))
                first += count
            return found
        found = []
        for run in range(self.runs):
            first = 0
            for vectors in balanced(-(-self.run // self.lanes), self.vectors):
                length = min(vectors * self.lanes, self.run - first)
                found.append(LaneTile(vectors, run, 1, first, length))
                first += length
        return found

    def _cut_runs(self, most: int) -> list[int]:
        """Runs of each tile: whole vectors of single elements, else as evenly as can be."""
        if self.run > 1:
            return balanced(self.runs, most)
        vectors = balanced(-(-self.runs // self.lanes), self.vectors)
        counts = [n * self.lanes for n in vectors]
        counts[-1] -= sum(counts) - self.runs
        return counts

    @cached_property
    def variants(self) -> list[tuple[int, int, int, int]]:
        """(vectors, length of a run, lanes of the last vector that count) in which tiles come."""
        found = {(t.vectors, t.length, self._last_lanes(t)): None for t in self.tiles}
        return list(found)

    def _last_lanes(self, tile: LaneTile) -> int:
        if not self.direct:
            return self.lanes
        return tile.count - (tile.vectors - 1) * self.lanes

    def variant(self, tile: LaneTile) -> int:
        """Which of them a tile is."""
        return self.variants.index((tile.vectors, tile.length, self._last_lanes(tile)))

    # ---- the block

    @cached_property
    def widest(self) -> int:
        """Elements of the block for one pixel or position."""
        return max(tile.vectors for tile in self.tiles) * self.lanes

    @cached_property
    def positions(self) -> int:
        """Pixels or positions of the block."""
        strides = [line.stride for line in self.layout.lines]
        if self.in_lanes == "phases":
            strides[-1] = 1
        return prod(n * s for n, s in zip(self.box, strides, strict=True))

    @cached_property
    def block(self) -> int:
        """Bytes of the block; a transpose may read a square of positions behind the last."""
        if self.direct:
            return 0
        return (self.positions + self.lanes) * self.widest * self.problem.itemsize

    @cached_property
    def streaming(self) -> bool:
        """Whether results go past the caches: little is computed for each, they are many, vectors are whole lines."""
        p, vector = self.problem, self.lanes * self.problem.itemsize
        large = prod(p.y_shape) * p.itemsize > STREAM_FROM
        return self.own and large and self.last.pixel_step % vector == 0 and self.last.y_step % vector == 0

    @cached_property
    def near(self) -> int:
        """Bytes of x that a chunk reads again and again, and of y that several tiles write between each other."""
        written = self.positions * self.problem.cout * self.problem.itemsize if self.direct else 0
        return prod(self.slots) * self.slot + written

    # ---- code

    @cached_property
    def widths(self) -> list[int]:
        """The sizes that tiles come in along the row."""
        cut: set[int] = set()
        for b in range(self.last.stride if self.in_lanes == "channels" else 1):
            for columns in spans(self.last.span(self.origin), self.box[-1]):
                cut |= set(balanced(len(self.within(columns, b)), self.pixels)) if self.within(columns, b) else set()
        return sorted(cut, reverse=True)

    def within(self, columns: range, b: int) -> range:
        """The q of a phase of the last axis within a range; of every phase where they are in lanes."""
        if self.in_lanes == "phases":
            return columns
        return range(max(columns.start, self.last.first(b)), max(columns.start, min(columns.stop, self.last.end(b))))

    @cached_property
    def code(self) -> Code:
        """The kernels: for each width one a variant, then those that move the block, then the copy."""
        element, variants = ELEMENTS[self.problem.dtype], self.variants
        kernels: list[Kernel] = [
            Channels(element, self.lanes, width, vectors, self.pixel, last, self.own, self.streaming)
            for width in self.widths
            for vectors, _, last in variants
        ]
        widest = self.widest // self.lanes
        for _, length, _ in () if self.direct else variants:
            phases = self.in_lanes == "phases"
            kernels.append(
                Runs(element, self.lanes, widest, length) if phases else Transpose(element, self.lanes, widest)
            )
        copy = Turn(element, self.lanes, self.pixel) if self.turned else Rows(element, self.lanes)
        return Code(element, self.lanes, (*kernels, copy))

    # ---- program

    def program(self, threads: int) -> Program:
        """The tables."""
        return _ChannelProgram(self, threads).write()


class _ChannelProgram:
    """Writes the tables of a schedule."""

    def __init__(self, schedule: ChannelSchedule, threads: int) -> None:
        self.s, self.threads = schedule, threads
        self.size = schedule.problem.itemsize
        self.writer = Writer(self.size, schedule.lanes)
        self.code, self.tiles, self.widths = schedule.code, schedule.tiles, schedule.widths
        self.taps = phase_taps(schedule.last, schedule.origin)
        self.by_shift = self._by_shift()
        self.copy = len(self.code.kernels) - 1
        self.move = len(self.widths) * len(schedule.variants)

    def write(self) -> Program:
        s, p = self.s, self.s.problem
        self._masks()
        chunks = list(self._chunks())
        for g in range(p.groups):
            self._weights(g)
        group, number = self.writer.packed // p.groups, len(self.tiles)
        wanted = 1 if self.threads == 1 else -(-2 * self.threads // (len(chunks) * p.groups))
        for chunk, g, part in product(chunks, range(p.groups), spans(range(number), -(-number // min(wanted, number)))):
            x, y, *ops = chunk
            words = [x + g * s.layout.x_group, g * group, y + g * s.layout.y_group, *ops, part.start, part.stop]
            self.writer.piece(dict(zip(Piece, words, strict=True)))
        sizes = {
            Context.CHANNELS: p.cin,
            Context.COPIED: 1 if s.layout.last else p.cout if s.turned else p.cin,
            Context.X_CHANNEL: s.layout.x_channel,
            Context.SOURCE_CHANNEL: s.source_channel,
            Context.Y_CHANNEL: s.layout.y_channel,
            Context.TARGET_PIXEL: self._target_pixel(),
        }
        header = {Header.IN_PLACE: int(s.in_place), Header.DIRECT: int(s.direct), Header.TILES_OUTSIDE: int(not (s.own and s.direct))}
        return self.writer.finish(self.code, header, sizes, s.panel, s.block)

    def _target_pixel(self) -> int:
        s = self.s
        if s.direct:
            return s.last.pixel_step
        return s.widest * self.size * (s.last.stride if s.in_lanes == "channels" else 1)

    # ---- weights

    def _by_shift(self) -> dict[int, dict[int, int]]:
        """For lanes of phases: shift -> phase -> tap."""
        found: dict[int, dict[int, int]] = {}
        for b, taps in enumerate(self.taps):
            for tap, shift in taps:
                found.setdefault(shift, {})[b] = tap
        return dict(sorted(found.items()))

    def _inner(self) -> list[int]:
        """Numbers of the blocks of one tap of the outer axes: taps of the last axis, or shifts."""
        return list(range(self.s.last.kernel if self.s.in_lanes == "channels" else len(self.by_shift)))

    def _lane_taps(self, tile: LaneTile, inner: int) -> list[tuple[int, int]]:
        """For each lane of a tile (output channel, tap of the last axis), or (0, -1) where there is none."""
        s = self.s
        if s.in_lanes == "channels":
            lanes = [(tile.run + i, inner) for i in range(tile.count)]
        else:
            reached = list(self.by_shift.values())[inner]
            lanes = []
            for run, e in product(range(tile.run, tile.run + tile.count), range(tile.first, tile.first + tile.length)):
                b, channel = divmod(e, s.problem.cout) if s.layout.last else (e, run)
                lanes.append((channel, reached[b]) if b in reached else (0, -1))
        return lanes + [(0, -1)] * (tile.vectors * s.lanes - len(lanes))

    def _masked(self, inner: int) -> bool:
        """Whether some phases have no tap at this shift."""
        return self.s.in_lanes == "phases" and len(list(self.by_shift.values())[inner]) < self.s.last.stride

    def _masks(self) -> None:
        """One row of 0 and 1 for each tile and masked shift."""
        self.masked = [inner for inner in self._inner() if self._masked(inner)]
        self.mask_of_tile = []
        for tile in self.tiles:
            self.mask_of_tile.append(sum(map(len, self.writer.masks)))
            for inner in self.masked:
                self.writer.masks.append([float(tap >= 0) for _, tap in self._lane_taps(tile, inner)])

    def _weights(self, g: int) -> None:
        s, p, w = self.s, self.s.problem, self.writer
        start, channel, blocks = w.packed, p.cout * p.taps, self._inner()
        outer = prod(line.kernel for line in s.outer)
        for number, tile in enumerate(self.tiles):
            row = tile.vectors * s.lanes
            bias, per_tap = w.reserve(w.room(1, row)), w.room(p.cin, row)
            w.block(bias, [self._bias_lanes(tile)], source=g * p.cout, bias=True)
            here = w.reserve(per_tap * outer * len(blocks))
            source, size = g * p.cin * channel, (p.cin, channel)
            if s.in_lanes == "channels" and tile.count == row and s.masks:
                w.squares(here, row, p.taps, tap=per_tap, source=source + tile.run * p.taps, channels=size)
            else:
                w.block(here, self._lists(tile, outer), tap=per_tap, source=source, channels=size)
            if g == 0:
                y = tile.run * s.layout.y_channel + tile.first * self.size
                w.tile({
                    Tile.VARIANT: s.variant(tile),
                    Tile.W: here - start,
                    Tile.BIAS: bias - start,
                    Tile.MASK: self.mask_of_tile[number],
                    Tile.TAP: per_tap,
                    Tile.Y: y,
                    Tile.TARGET: y if s.direct else 0,
                    Tile.X: tile.run * self.size if s.own else 0,
                    Tile.COUNT: tile.count,
                    Tile.FIRST: tile.first,
                })  # fmt: skip

    def _lists(self, tile: LaneTile, outer: int) -> list[list[int]]:
        """For each block of weights of a tile which weight each lane gets, -1 for none."""
        lists = []
        for base, inner in product(range(outer), self._inner()):
            lanes = self._lane_taps(tile, inner)
            taps = base * self.s.last.kernel
            lists.append([c * self.s.problem.taps + taps + tap if tap >= 0 else -1 for c, tap in lanes])
        return lists

    def _bias_lanes(self, tile: LaneTile) -> list[int]:
        s = self.s
        lanes = []
        for run, e in product(range(tile.run, tile.run + tile.count), range(tile.first, tile.first + tile.length)):
            lanes.append(e % s.problem.cout if s.layout.last and s.in_lanes == "phases" else run)
        return lanes + [-1] * (tile.vectors * s.lanes - len(lanes))

    # ---- chunks

    def _chunks(self) -> Iterator[tuple[int, ...]]:
        """For each chunk its offsets in x and y, its copies and its ops; chunks of one image each share those."""
        s, w = self.s, self.writer
        cuts = [spans(line.span(), n) for line, n in zip(s.outer, s.box, strict=False)]
        cuts.append(spans(s.last.span(s.origin), s.box[-1]))
        images = cuts[0] if s.box[0] == 1 else cuts[0][:1]
        if s.box[0] == 1:
            cuts[0] = cuts[0][:1]
        found = []
        for box in product(*cuts):
            start = w.here
            if not s.in_place:
                self._copies(box)
            middle = w.here
            for first in range(0, s.problem.cin, s.part):
                self._compute(box, first, min(s.part, s.problem.cin - first))
            if not s.direct:
                self._moves(box)
            found.append((start, middle, middle, w.here))
        batch = s.layout.lines[0]
        for image, ops in product(images, found):
            yield image.start * batch.x_step, image.start * batch.y_step, *ops

    def _needed(self, box: tuple[range, ...]) -> list[range]:
        """The coarse cells of the outer axes that a chunk reads."""
        return [
            range(q.start + shifts(line).start, q.stop + shifts(line).stop - 1)
            for q, line in zip(box, self.s.outer, strict=False)
        ]

    def _copies(self, box: tuple[range, ...]) -> None:
        """Rows of x into the panel: those that exist, each with its zeros."""
        s, rows, columns = self.s, [], box[-1]
        needed = self._needed(box)
        wide = s.last.x_step // self.size if s.layout.last else 1
        reach = range(columns.start - s.before, columns.stop + s.behind)
        inside = range(max(0, reach.start), min(s.last.coarse, reach.stop))
        for cells in product(*needed):
            if not all(0 <= cell < line.coarse for cell, line in zip(cells, s.outer, strict=True)):
                continue
            to = s.slot * flat([cell - n.start for cell, n in zip(cells, needed, strict=True)], s.slots)
            source = dot(cells, [line.x_step for line in s.outer])
            if len(inside) == 0:
                rows.append(Row(source, to, 0, 0, len(reach) * wide))
                continue
            before = inside.start - reach.start
            source += inside.start * s.last.x_step
            to += before * (s.pixel if s.turned else wide * self.size)
            rows.append(Row(source, to, len(inside) * wide, before * wide, (reach.stop - inside.stop) * wide))
        self.writer.copies(self.copy, rows)

    def _compute(self, box: tuple[range, ...], first: int, channels: int) -> None:
        """The tiles of a chunk, for a part of the input channels."""
        s = self.s
        inner_phases = range(s.last.stride if s.in_lanes == "channels" else 1)
        for a in product(*(range(line.stride) for line in s.outer)):
            valid = [
                range(max(q.start, line.first(b)), min(q.stop, line.end(b)))
                for q, line, b in zip(box, s.outer, a, strict=False)
            ]
            for b in inner_phases:
                columns = s.within(box[-1], b)
                if columns:
                    for q in product(*valid):
                        self._row(box, a, b, q, columns, first, channels)

    def _row(
        self,
        box: tuple[range, ...],
        a: tuple[int, ...],
        b: int,
        q: tuple[int, ...],
        columns: range,
        first: int,
        channels: int,
    ) -> None:
        """The tiles of one row of pixels."""
        s = self.s
        taps = self._taps(box, a, b, q)
        o = [q_ * line.stride + r for q_, line, r in zip(q, s.outer, a, strict=True)]
        target = self._target(box, o, b)
        variants = len(s.variants)
        at = columns.start
        for pixels in balanced(len(columns), s.pixels):
            offset = (at - box[-1].start) * s.pixel
            plain: list[int] = []
            masked: list[int] = []
            for x, number, mask, shift in taps:
                # A tap that reads nothing but the zeros beside x is left out.
                if at + shift >= s.last.coarse or at + pixels + shift <= 0:
                    continue
                row = [x + offset + first * s.source_channel, number, max(0, mask)]
                (plain if mask < 0 else masked).extend(row)
            self.writer.op(
                self.widths.index(pixels) * variants,
                len(plain) // 3,
                len(masked) // 3,
                target + (at - box[-1].start) * self._target_pixel(),
                int(first > 0),
                channels,
                first,
                *plain,
                *masked,
            )
            at += pixels

    def _taps(
        self, box: tuple[range, ...], a: tuple[int, ...], b: int, q: tuple[int, ...]
    ) -> list[tuple[int, int, int, int]]:
        """For each tap: offset in the source of column box[-1].start, number of its weights, mask or -1, shift."""
        s, found = self.s, []
        kernel, needed = [line.kernel for line in s.outer], self._needed(box)
        if s.in_lanes == "channels":
            inner = [(tap, shift, -1) for tap, shift in self.taps[b]]
        else:
            inner = [
                (number, shift, self.masked.index(number) if number in self.masked else -1)
                for number, shift in enumerate(self.by_shift)
            ]
        per_outer = len(self._inner())
        for taps in product(*(phase_taps(line)[r] for line, r in zip(s.outer, a, strict=True))):
            cells = [q_ + shift for q_, (_, shift) in zip(q, taps, strict=True)]
            if not all(0 <= cell < line.coarse for cell, line in zip(cells, s.outer, strict=True)):
                continue
            if s.in_place:
                base = dot(cells, [line.x_step for line in s.outer]) + box[-1].start * s.pixel
            else:
                slot = flat([cell - n.start for cell, n in zip(cells, needed, strict=True)], s.slots)
                base = slot * s.slot + s.before * s.pixel
            number = flat([tap for tap, _ in taps], kernel) * per_outer
            found += [(base + shift * s.pixel, number + which, mask, shift) for which, shift, mask in inner]
        return found

    def _fine(self, box: tuple[range, ...]) -> list[range]:
        """The fine positions of a chunk along each outer axis (and the last, where phases are not in lanes)."""
        lines = s_lines = self.s.layout.lines
        if self.s.in_lanes == "phases":
            lines = s_lines[:-1]
        return [
            range(q.start * line.stride, min(line.fine, q.stop * line.stride))
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
                per = s.last.stride * (s.problem.cout if s.layout.last else 1)
                elements = s.problem.out_channels if s.layout.last else 1
                low, high = max(0, -start) * elements, (s.last.fine - start) * elements
                words = (number * len(box[-1]) * position, y, len(box[-1]), s.last.pixel_step, per, low, high)
                self.writer.op(self.move, *words)
            return
        # Positions that follow each other in y: whole trailing axes, and the one before them.
        joined = len(fine) - 1
        while joined > 0 and len(fine[joined]) == s.layout.lines[joined].fine and joined > 1:
            joined -= 1
        together = prod(len(r) for r in fine[joined:])
        for number, o in enumerate(product(*fine[:joined])):
            whole = [*o, *(r.start for r in fine[joined:])]
            y = dot(whole, [line.y_step for line in s.layout.lines])
            self.writer.op(self.move, number * together * position, y, together)


#: Bytes of panel and block that a chunk may have. Larger chunks stream the weights from memory fewer times; beyond this
#: the panel itself no longer stays near. Measured on AMD Zen 5 with 1 MB of second-level cache.
PANEL, BLOCK = 1792 << 10, 640 << 10


def make(
    problem: Problem, layout: Layout, isa: Isa, in_lanes: Literal["channels", "phases"], *, own: bool = False
) -> ChannelSchedule:
    """Choose the sizes."""
    if own:
        problem = replace(problem, in_channels=1, out_channels=problem.groups, groups=1)
    lanes = isa.lanes(problem.itemsize)
    last = layout.lines[-1]
    origin = last.low % last.stride if in_lanes == "phases" else 0
    columns = len(last.span(origin))
    run = 1 if in_lanes == "channels" else last.stride * (problem.cout if layout.last else 1)
    runs = 1 if layout.last and in_lanes == "phases" else problem.cout
    budget = isa.registers - 4 - (not isa.fma)
    wanted = -(-run * runs // lanes)
    best = None
    for vectors in (3, 2, 1) if isa.registers >= 32 else (2, 1):
        pixels = min(columns, (budget + (1 if vectors == 3 and isa.broadcast else 0)) // vectors)
        cuts = balanced(wanted, vectors)
        groups = balanced(columns, pixels)
        cycles = sum(max(g * v, 8) / 2 + 0.3 * (g + v) for g in groups for v in cuts)
        if best is None or cycles < best[0]:
            best = (cycles, vectors, max(groups))
    assert best is not None
    _, vectors, pixels = best
    box = [1] * len(layout.lines)
    box[-1] = columns
    # Lanes of phases take every q for every phase.
    in_place = layout.joined or (layout.last and in_lanes == "channels" and inside(last))
    part = problem.cin

    def at(box: list[int], part: int) -> ChannelSchedule:
        sizes = (vectors, pixels, in_lanes, tuple(box), part, in_place)
        return ChannelSchedule(problem, layout, lanes, *sizes, masks=isa.masks, own=own)

    taps = max(len(t) for t in phase_taps(last, origin)) * prod(
        max(len(t) for t in phase_taps(line)) for line in layout.lines[:-1]
    )
    weights = taps * at(box, part).widest * problem.itemsize
    part = max(balanced(problem.cin, max(32, (256 << 10) // weights)))

    while (at(box, part).near > PANEL // 2 or at(box, part).block > BLOCK // 2) and box[-1] > pixels:
        box[-1] = max(balanced(columns, max(pixels, box[-1] // 2 // pixels * pixels)))
    for axis in reversed(range(len(box) - 1)):
        whole = len(layout.lines[axis].span())
        while box[axis] < whole:
            grown = [*box]
            grown[axis] = min(whole, box[axis] * 2)
            if at(grown, part).near > PANEL or at(grown, part).block > BLOCK:
                break
            box = grown
        box[axis] = max(balanced(whole, box[axis]))
        if box[axis] < whole:
            break
    return at(box, part)
