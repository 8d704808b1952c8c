"""Rows of pixels and the taps that they have, with channels in lanes: which of them are computed alike."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
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


class Reads:
    """The rows of a chunk for one phase of every axis, or a segment of them; images follow each other.

    `source` and `target` say where a row at the chunk's first q reads and writes its first column, `read` and `written`
    how many bytes further every row does.
    """

    def __init__(
        self, tables: ChannelTables, box: tuple[range, ...], a: tuple[int, ...], b: int, columns: range, done: range
    ) -> None:
        self.tables, self.box, self.a, self.b, self.columns = tables, box, a, b, columns
        s = self.s = tables.s
        self.valid = [line.of_phase(r, q) for q, line, r in zip(box, s.outer, a, strict=False)]
        first = [q.start for q in box[:-1]]
        self.source: dict[Tap, int] = {}
        self.left = self._rows([[True] * len(q) for q in self.valid[:-1]] + [[q not in done for q in self.valid[-1]]])
        valid, first = _turned(self.valid), _turned(first)
        self.read = places(valid, _turned(self._row_steps()), first)
        self.written = places(valid, _turned(self._targets()), first)

    @property
    def count(self) -> int:
        """Rows."""
        return len(self.read)

    def _rows(self, of_axes: Sequence[Sequence[bool]]) -> NDArray[np.bool_]:
        """Of every row whether it is among those that are chosen along each axis."""
        chosen = np.ones(1, bool)
        for along in _turned(of_axes):
            chosen = (chosen[:, None] & np.array(along, bool)).reshape(-1)
        return chosen

    def _row_steps(self) -> list[int]:
        """Bytes from what a q of an outer axis reads to what the next does."""
        s = self.s
        if s.in_place:
            return [line.read_step for line in s.outer]
        return [prod(s.slots[axis + 1 :]) * s.row for axis in range(len(s.outer))]

    def _targets(self) -> list[int]:
        """Bytes from where a q of an outer axis is written to where the next is, in y or in the block."""
        s = self.s
        if s.direct:
            return [line.pixel_step for line in s.outer]
        return [self._position(axis) * line.stride for axis, line in enumerate(s.outer)]

    def _position(self, axis: int) -> int:
        """Bytes from a position of the block to the next along an axis."""
        s, fine = self.s, self.tables.fine(self.box)
        columns = len(self.box[-1]) if s.in_lanes == "phases" else 1
        return int(prod(map(len, fine[axis + 1 :])) * columns * s.widest * s.problem.itemsize)

    @cached_property
    def target(self) -> int:
        """Where the first column of the first row is written."""
        s = self.s
        if s.direct:
            return dot(self.a, [line.y_step for line in s.outer]) + self.b * s.last.y_step
        inner = 0 if s.in_lanes == "phases" else self.b * s.widest * s.problem.itemsize
        return dot(self.a, [self._position(axis) for axis in range(len(s.outer))]) + inner

    @cached_property
    def inner(self) -> list[tuple[int, int, int]]:
        """The taps of the last axis: block of weights, shift, mask."""
        tables = self.tables
        if self.s.in_lanes == "channels":
            return [(tap, shift, -1) for tap, shift in tables.taps[self.b]]
        masked = {number: mask for mask, number in enumerate(tables.masked)}
        return [(number, shift, masked.get(number, -1)) for number, shift in enumerate(tables.by_shift)]

    def alike(self) -> Iterator[tuple[list[Tap], NDArray[np.intp]]]:
        """Rows that the same taps reach, and these."""
        of_axis = [[shift for _, shift in phase_taps(line)[r]] for line, r in zip(self.s.outer, self.a, strict=True)]
        cuts = [reaching(line, taps, q) for line, taps, q in zip(self.s.outer, of_axis, self.valid, strict=True)]
        for parts in product(*cuts):
            chosen = [[q in part for q in valid] for (part, _), valid in zip(parts, self.valid, strict=True)]
            rows = np.flatnonzero(self._rows(chosen) & self.left)
            if len(rows):
                reached = [shifts for _, shifts in parts]
                yield [tap for taps in self._outer(reached) for tap in self._taps(taps)], rows

    def outer_taps(self) -> Iterator[tuple[list[Tap], NDArray[np.bool_]]]:
        """For each tap of the outer axes, in their order, all that it has along the last, and which rows they reach."""
        lines = self.s.outer
        for taps in self._outer(None):
            cells = [
                [0 <= q * line.apart + shift < line.read for q in valid]
                for line, (_, shift), valid in zip(lines, taps, self.valid, strict=True)
            ]
            having = self._rows(cells) & self.left
            if having.any():
                yield self._taps(taps), having

    def _outer(self, reached: Sequence[Container[int]] | None) -> Iterator[tuple[tuple[int, int], ...]]:
        """The (tap, shift) of the outer axes, or of those shifts."""
        of_axes = [phase_taps(line)[r] for line, r in zip(self.s.outer, self.a, strict=True)]
        for taps in product(*of_axes):
            if reached is None or all(shift in within for (_, shift), within in zip(taps, reached, strict=True)):
                yield taps

    def _taps(self, outer: tuple[tuple[int, int], ...]) -> list[Tap]:
        """All taps along the last axis for those of the outer axes; where they read is kept in `source`."""
        s, tables = self.s, self.tables
        kernel = [line.kernel for line in s.outer]
        shifts = [shift for _, shift in outer]
        if s.in_place:
            base = dot(shifts, [line.x_step for line in s.outer])
        else:
            cells = [q.start * line.apart + n for q, line, n in zip(self.box, s.outer, shifts, strict=False)]
            base = s.slot(cells, self.box) * s.row + s.before * s.cell
        number = flat([tap for tap, _ in outer], kernel) * len(tables.inner)
        found = [Tap(number + which, mask, shift) for which, shift, mask in self.inner]
        self.source |= {tap: base + tap.shift * s.cell for tap in found}
        return found


def _turned(of_axes: Sequence[T]) -> list[T]:
    """The axes in the order of rows: the batch last."""
    return [*of_axes[1:], of_axes[0]]
