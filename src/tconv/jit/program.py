"""A program: the tables of one schedule at one shape, as one array of i64 (the words are those of `kernels/abi.py`)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tconv.jit.address import address
from tconv.jit.copies import evenly, joined
from tconv.jit.kernels import Code
from tconv.jit.kernels.abi import HEADER_WORDS, SIZES, TILE_BYTES, Context, Header, Piece
from tconv.jit.packing import LINE, Packing


@dataclass(frozen=True)
class Program:
    """What generated code needs beside the arrays. Made once a shape and only read afterwards."""

    code: Code
    words: NDArray[np.int64]
    runs: int  #: of pieces: independent work for threads
    blocks: tuple[int, int]  #: where the blocks of weights begin in words, and how many there are
    packed: int  #: bytes of the packed weights
    scratch: int  #: bytes of scratch a thread
    packing: Hashable  #: equal for programs that want the weights in the same order

    @property
    def address(self) -> int:
        """Where the words lie."""
        return address(self.words)

    @property
    def fresh(self) -> bool:
        """Whether weights are packed on the way: `run` is then given the words of `abi.Given` for packed ones."""
        return bool(self.words[Header.FRESH])


@dataclass
class Writer:
    """Collects what a program has to do at one shape, and puts it together with how weights are packed."""

    itemsize: int
    channel: int  #: bytes from one channel of what is written to the next
    ops: list[NDArray[np.int64]] = field(default_factory=list)
    pieces: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    added: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = field(default_factory=list)
    _words: int = 0  # of all ops but the last few
    _last: list[int] = field(default_factory=list)  # the words of those

    @property
    def here(self) -> int:
        """Where the next op will lie, from the start of the ops."""
        return 8 * (self._words + len(self._last))

    def op(self, kernel: int, *words: int) -> None:
        """Append an op."""
        self._last += (kernel, 8 * (len(words) + 2), *words)

    def repeated(self, ops: NDArray[np.int64]) -> None:
        """Append the words of many ops."""
        if self._last:
            last, self._last = np.array(self._last, np.int64), []
            self.repeated(last)
        self.ops.append(ops.reshape(-1))
        self._words += ops.size

    def add(self, places: NDArray[np.int64], values: NDArray[np.int64]) -> None:
        """Add to words of the ops, counted from the first of all, when they are finished."""
        self.added.append((places, values))

    def copies(self, kernel: int, rows: NDArray[np.int64], cell: int = 0) -> None:
        """Append ops that copy rows (see `copies.py`), one for each run of rows that are alike and evenly spaced.

        Given how many bytes from a cell to the next in the panel, rows that follow each other, there too, are one.
        """
        rows = joined(rows, self.itemsize, cell) if cell else rows
        for first, number, step in evenly(rows[:, :2], rows[:, 2:]):
            source, target, *rest = rows[first].tolist()
            self.op(kernel, source, target, number, *step, *rest)

    def pixels(self, kernel: int, rows: NDArray[np.int64], step: int, cell: int, count: int) -> None:
        """Append ops that copy `count` elements of each pixel of rows, `step` bytes apart, and zeros on both sides."""
        for source, row_target, length, before, behind in rows.tolist():
            end = row_target + length * cell
            for target, number in ((row_target - before * cell, before), (end, behind)):
                if number:
                    self.op(kernel, 0, target, 1, 0, 0, 0, 0, number * cell // self.itemsize)
            if length:
                self.op(kernel, source, row_target, length, step, cell, count, 0, 0)

    def finish(
        self, code: Code, header: dict[Header, int], sizes: dict[Context, int], packing: Packing, scratch: Scratch
    ) -> Program:
        """Put everything into one array."""
        parts: list[NDArray[np.int64]] = [np.zeros(HEADER_WORDS + TILE_BYTES // 8, np.int64)]
        where = parts[0].size

        def append(words: NDArray[np.int64]) -> int:
            nonlocal where
            parts.append(words.reshape(-1))
            where += words.size
            return 8 * (where - words.size)

        head = {Header.RUN: 1, **header, Header.SCRATCH: scratch.whole}
        head[Header.BLOCK], head[Header.WINDOW] = scratch.panel, scratch.panel + scratch.block
        head[Header.PIECES] = append(self.pieces)
        head[Header.NUMBER_OF_RUNS] = self.pieces.size // len(Piece) // head[Header.RUN]
        self.repeated(np.empty(0, np.int64))
        ops = np.concatenate(self.ops)
        for places, values in self.added:
            ops[places] += values
        head[Header.OPS] = append(ops)
        masks, lists = append(packing.masks), append(packing.lists)
        blocks = append(packing.placed_blocks(lists)) // 8
        head[Header.TILES] = append(packing.placed_tiles(masks, 8 * blocks, self.channel))
        for word, value in head.items():
            parts[0][word] = value
        for number, size in enumerate(SIZES):
            parts[0][Header.SIZES + number] = sizes.get(size, 0)
        table = np.concatenate(parts)
        table.flags.writeable = False
        of_blocks = (blocks, len(packing.blocks))
        return Program(code, table, head[Header.NUMBER_OF_RUNS], of_blocks, packing.size, scratch.whole, packing.order)


class Scratch(NamedTuple):
    """Bytes of scratch of a thread, whole lines: the panel, the block, the window, and all that it needs."""

    panel: int
    block: int
    window: int

    @classmethod
    def of(cls, *parts: int) -> Scratch:
        """Room for so many bytes of each part."""
        return cls(*(-(-size // LINE) * LINE for size in parts))

    @property
    def whole(self) -> int:
        """An odd number of cache lines between threads keeps their scratch out of the same sets."""
        scratch = sum(self)
        return scratch + LINE * (1 + (scratch // LINE) % 2)


def balanced(total: int, most: int) -> list[int]:
    """Cut a number into as few parts of at most `most` as can be, which differ by at most 1, the larger first."""
    parts = -(-total // most)
    size, larger = divmod(total, parts)
    return [size + 1] * larger + [size] * (parts - larger)


def sizes(total: int, most: int) -> list[tuple[int, int]]:
    """The sizes of those parts, and how many there are of each."""
    parts = -(-total // most)
    size, larger = divmod(total, parts)
    return [(n, count) for n, count in ((size + 1, larger), (size, parts - larger)) if count]


def spans(total: range, most: int) -> list[range]:
    """Cut a range likewise."""
    cut, start = [], total.start
    for size in balanced(len(total), most):
        cut.append(range(start, start + size))
        start += size
    return cut


def shares(total: range, parts: int) -> list[range]:
    """Cut a range into so many parts, or as many as it has entries, which differ by at most 1, the larger first."""
    parts = min(parts, len(total))
    size, larger = divmod(len(total), parts)
    ends = [total.start + size * n + min(n, larger) for n in range(parts + 1)]
    return [range(a, b) for a, b in pairwise(ends)]


#: Pieces of work a thread, at least: threads take them one by one, and the last ones should end together.
PIECES = 4


#: A chunk may be cut in two while so many q are left: below, weights are read too often. Down to it that costs 1 % at
#: most, less than to copy x once for some tiles and once more for others (7 %, 20 images of 14x14 and 256 channels).
ENOUGH = 192


def finer(box: tuple[int, ...], lengths: Sequence[int], groups: int, tiles: int, threads: int) -> tuple[int, ...]:
    """A chunk small enough that threads get enough pieces of work; the last axis stays.

    There are so many of each chunk: one a group, and where chunks are small one a tile, if need be.
    """

    def pieces(each: int) -> int:
        return each * prod(-(-n // b) for n, b in zip(lengths, box, strict=True))

    while threads > 1 and max(box[:-1]) > 1 and pieces(groups) < PIECES * threads:
        if prod(box) < 2 * ENOUGH and pieces(groups * tiles) >= PIECES * threads:
            break
        axis = max(range(len(box) - 1), key=lambda number: box[number])
        box = (*box[:axis], -(-box[axis] // 2), *box[axis + 1 :])
    return box


def dot(a: Sequence[int], b: Sequence[int]) -> int:
    """The sum of products."""
    return sum(x * y for x, y in zip(a, b, strict=True))


def flat(index: list[int] | tuple[int, ...], shape: list[int] | tuple[int, ...]) -> int:
    """The number of an entry of an array of this shape."""
    flat = 0
    for i, n in zip(index, shape, strict=True):
        flat = flat * n + i
    return flat
