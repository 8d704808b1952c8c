"""Rows of pixels and the taps that they have, with channels in lanes: which of them are computed alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import prod
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from tconv.cached import cached_property
from tconv.jit.lines import phase_taps, reaching
from tconv.jit.program import balanced, dot, flat
from tconv.jit.templates import places

if TYPE_CHECKING:
    from tconv.jit.channels_tables import ChannelTables

T = TypeVar("T")


class Tap(NamedTuple):
    """How a row of pixels reads: through which block of weights, under which mask (-1: none), how far along it."""

    number: int
    mask: int
    shift: int


def cut(taps: list[Tap], most: int) -> Iterator[list[Tap]]:
    """Lists of at most so many taps."""
    at = 0
    for size in balanced(len(taps), most) if taps else ():
        yield taps[at : at + size]
        at += size


class Rows:
    """The rows of a chunk for a phase of every outer axis, in the order of these with images innermost.

    Row n reads `read[n]` bytes further than one at the chunk's first q would, and is written `written[n]` further.
    """

    def __init__(self, tables: ChannelTables, box: tuple[range, ...], a: tuple[int, ...]) -> None:
        self.tables, self.box, self.a, s = tables, box, a, tables.s
        self.s, self.lines = s, s.outer
        self.valid = [line.of_phase(r, q) for q, line, r in zip(box, s.outer, a, strict=False)]
        valid, first = _turned(self.valid), _turned([q.start for q in box[:-1]])
        self.read = places(valid, _turned(self._row_steps()), first)
        self.written = places(valid, _turned(self._targets()), first)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.read)

    def _row_steps(self) -> list[int]:
        """Bytes from what a q of an outer axis reads to what the next does."""
        s = self.s
        if s.in_place:
            return [line.read_step for line in s.outer]
        return [prod(s.slots[axis + 1 :]) * s.row for axis in range(len(s.outer))]

    def _targets(self) -> list[int]:
        """Bytes from where a q of an outer axis is written to where the next is, in y or in the block."""
        if self.s.direct:
            return [line.pixel_step for line in self.lines]
        return [step * line.stride for step, line in zip(self.positions, self.lines, strict=True)]

    @cached_property
    def positions(self) -> list[int]:
        """Bytes from a position of the block to the next along each outer axis."""
        s, fine = self.s, self.tables.fine(self.box)
        columns = len(self.box[-1]) if s.in_lanes == "phases" else 1
        position = columns * s.widest * s.problem.itemsize
        return [position * prod(map(len, fine[axis + 1 :])) for axis in range(len(s.outer))]

    def along(self, axis: int, part: range) -> NDArray[np.bool_]:
        """Of every row whether it is of some q of an axis."""
        shape = [1] * len(self.valid)
        shape[axis] = -1
        chosen = np.zeros(len(self.valid[axis]), bool)
        within = self.valid[axis]
        chosen[max(0, part.start - within.start) : max(0, part.stop - within.start)] = True
        whole = np.broadcast_to(chosen.reshape(_turned(shape)), _turned([len(q) for q in self.valid]))
        return whole.reshape(-1)

    @cached_property
    def alike(self) -> list[tuple[list[frozenset[int]], NDArray[np.intp]]]:
        """Rows that the same taps reach: the shifts of these along each axis, and which rows."""
        of_axis = [[shift for _, shift in phase_taps(line)[r]] for line, r in zip(self.lines, self.a, strict=True)]
        cuts = [reaching(line, taps, q) for line, taps, q in zip(self.lines, of_axis, self.valid, strict=True)]
        lengths = _turned([len(q) for q in self.valid])
        steps, found = [prod(lengths[axis + 1 :]) for axis in range(len(lengths))], []
        for parts in product(*cuts):
            spans, first = _turned([part for part, _ in parts]), _turned([q.start for q in self.valid])
            found.append(([shifts for _, shifts in parts], places(spans, steps, first)))
        return found

    def outer_taps(self) -> Iterator[tuple[tuple[tuple[int, int], ...], NDArray[np.bool_]]]:
        """For each tap of the outer axes, in their order, its (tap, shift) along each, and which rows it reaches."""
        for taps in product(*(phase_taps(line)[r] for line, r in zip(self.lines, self.a, strict=True))):
            having = np.ones(self.count, bool)
            for axis, (line, (_, shift)) in enumerate(zip(self.lines, taps, strict=True)):
                having &= self.along(axis, line.reads(shift))
            if having.any():
                yield taps, having


class Reads:
    """What rows read for one phase of the last axis: `source` and `target` are where the first row does so."""

    def __init__(self, rows: Rows, b: int) -> None:
        self.rows, self.b, self.s, self.tables = rows, b, rows.s, rows.tables
        self.source: dict[Tap, int] = {}
        self._known: dict[tuple[tuple[int, int], ...], list[Tap]] = {}

    @cached_property
    def target(self) -> int:
        """Where the first column of the first row is written."""
        s, rows = self.s, self.rows
        if s.direct:
            return dot(rows.a, [line.y_step for line in s.outer]) + self.b * s.last.y_step
        inner = 0 if s.in_lanes == "phases" else self.b * s.widest * s.problem.itemsize
        return dot(rows.a, rows.positions) + inner

    @cached_property
    def inner(self) -> list[tuple[int, int, int]]:
        """The taps of the last axis: block of weights, shift, mask."""
        tables = self.tables
        if self.s.in_lanes == "channels":
            return [(tap, shift, -1) for tap, shift in tables.taps[self.b]]
        masked = {number: mask for mask, number in enumerate(tables.masked)}
        return [(number, shift, masked.get(number, -1)) for number, shift in enumerate(tables.by_shift)]

    def reached(self, shifts: Sequence[frozenset[int]]) -> list[Tap]:
        """All taps whose shifts along the outer axes are these."""
        of_axes = [
            [pair for pair in phase_taps(line)[r] if pair[1] in within]
            for line, r, within in zip(self.rows.lines, self.rows.a, shifts, strict=True)
        ]
        return [tap for taps in product(*of_axes) for tap in self.taps(taps)]

    def taps(self, outer: tuple[tuple[int, int], ...]) -> list[Tap]:
        """All taps along the last axis for one of the outer axes; where they read is kept in `source`."""
        if outer not in self._known:
            number, base = self._base(outer)
            found = [Tap(number + which, mask, shift) for which, shift, mask in self.inner]
            self.source |= {tap: base + tap.shift * self.s.cell for tap in found}
            self._known[outer] = found
        return self._known[outer]

    def _base(self, outer: tuple[tuple[int, int], ...]) -> tuple[int, int]:
        """The first block of weights, and where the first row reads the first column."""
        s, box = self.s, self.rows.box
        number = flat([tap for tap, _ in outer], [line.kernel for line in s.outer]) * len(self.tables.inner)
        shifts = [shift for _, shift in outer]
        if s.in_place:
            return number, dot(shifts, [line.x_step for line in s.outer])
        cells = [q.start * line.apart + n for q, line, n in zip(box, s.outer, shifts, strict=False)]
        return number, s.slot(cells, box) * s.row + s.before * s.cell


def _turned(of_axes: Sequence[T]) -> list[T]:
    """The axes in the order of rows: the batch last."""
    return [*of_axes[1:], of_axes[0]]
