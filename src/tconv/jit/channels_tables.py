"""The program of a schedule with channels in lanes: its weights, chunks, copies, tiles and moves as tables."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod

from tconv.jit.channels import ChannelSchedule, LaneTile
from tconv.jit.kernels.abi import Context, Header, Piece, Tile
from tconv.jit.lines import phase_taps, shifts
from tconv.jit.program import PIECES, Program, Row, Writer, balanced, dot, flat, shares, spans

#: Elements of a row of weights that are gathered before the next input channel: some pages.
GATHERED = 4096


class ChannelTables:
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
        """The tables."""
        s, p = self.s, self.s.problem
        self._masks()
        chunks = list(self._chunks())
        for g in range(p.groups):
            self._weights(g)
        group, tiles = self.writer.packed // p.groups, range(len(self.tiles))
        parts = 1 if self.threads == 1 else -(-PIECES * self.threads // (len(chunks) * p.groups))
        for chunk, g, part in product(chunks, range(p.groups), shares(tiles, parts)):
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
        header = {
            Header.IN_PLACE: int(s.in_place),
            Header.DIRECT: int(s.direct),
            Header.TILES_OUTSIDE: int(not (s.own and s.direct)),
        }
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
        """The packed weights of a group: the biases of all tiles, then for each tile the blocks of its taps."""
        s, p, w = self.s, self.s.problem, self.writer
        start, row = w.packed, [tile.vectors * s.lanes for tile in self.tiles]
        biases = [w.reserve(w.room(1, lanes)) for lanes in row]
        for bias, tile in zip(biases, self.tiles, strict=True):
            w.block(bias, [self._bias_lanes(tile)], source=g * p.cout, bias=True)
        per_tap = [w.room(p.cin, lanes) for lanes in row]
        blocks = prod(line.kernel for line in s.outer) * len(self._inner())
        places = [w.reserve(tap * blocks) for tap in per_tap]
        source, size = g * p.cin * p.cout * p.taps, (p.cin, p.cout * p.taps)
        for run in self._alike():
            first, tap = run[0], per_tap[run[0]]
            if self._whole(self.tiles[first]):
                offset = source + self.tiles[first].run * p.taps
                w.squares(places[first], row[first], p.taps, tap=tap, source=offset, channels=size)
            else:
                lists = [listed for number in run for listed in self._lists(self.tiles[number])]
                w.block(places[first], lists, tap=tap, source=source, channels=size)
        for number, tile in enumerate(self.tiles if g == 0 else ()):
            self._tile(number, tile, places[number] - start, biases[number] - start, per_tap[number])

    def _whole(self, tile: LaneTile) -> bool:
        """Whether the lanes of a tile are whole vectors of output channels, whose weights are turned in squares."""
        return self.s.in_lanes == "channels" and tile.count == tile.vectors * self.s.lanes and self.s.masks

    def _alike(self) -> Iterator[range]:
        """Runs of tiles whose weights are gathered together: as wide as each other, some pages of a row of weights.

        Tile by tile, the same lines of every input channel would be read, far apart from each other.
        """
        first = 0
        while first < len(self.tiles):
            tile, end = self.tiles[first], first + 1
            most = first + max(1, GATHERED // (tile.vectors * self.s.lanes * max(1, len(self._inner()))))
            while end < min(most, len(self.tiles)) and self.tiles[end].vectors == tile.vectors:
                if self._whole(tile) or self._whole(self.tiles[end]):
                    break
                end += 1
            yield range(first, end)
            first = end

    def _tile(self, number: int, tile: LaneTile, weights: int, bias: int, per_tap: int) -> None:
        s = self.s
        y = tile.run * s.layout.y_channel + tile.first * self.size
        self.writer.tile({
            Tile.VARIANT: s.variant(tile),
            Tile.W: weights,
            Tile.BIAS: bias,
            Tile.MASK: self.mask_of_tile[number],
            Tile.TAP: per_tap,
            Tile.Y: y,
            Tile.TARGET: y if s.direct else 0,
            Tile.X: tile.run * self.size if s.own else 0,
            Tile.COUNT: tile.count,
            Tile.FIRST: tile.first,
        })  # fmt: skip

    def _lists(self, tile: LaneTile) -> list[list[int]]:
        """For each block of weights of a tile which weight each lane gets, -1 for none."""
        lists = []
        for base, inner in product(range(prod(line.kernel for line in self.s.outer)), self._inner()):
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
        # Of the last pixel only the channels of the group: those behind them may lie beyond x.
        beyond = wide - s.problem.cin if s.layout.last and not s.own else 0
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
            length, behind = len(inside) * wide - beyond, (reach.stop - inside.stop) * wide
            rows.append(Row(source, to, length, before * wide, behind))
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
