"""A program: the tables of one schedule at one shape, as one array of i64 (the words are those of `kernels/abi.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tconv.jit.kernels import Code
from tconv.jit.kernels.abi import SIZES, Context, Header, Piece, Tile
from tconv.jit.machine.address import address
from tconv.jit.machine.native.language import Ints
from tconv.jit.programs.packing import FIRST, LINE, Packing


@dataclass(frozen=True)
class Program:
    """What generated code needs beside the arrays. Made once a shape and only read afterwards."""

    code: Code
    words: NDArray[np.int64]
    runs: int  #: of pieces: independent work for threads
    blocks: tuple[int, int]  #: where the blocks of weights begin in words, and how many there are
    packed: int  #: bytes of the packed weights
    scratch: int  #: bytes of scratch a thread
    packing: int  #: a number, equal for programs that want the weights in the same order

    @property
    def address(self) -> int:
        """Where the words lie."""
        return address(self.words)

    @property
    def on_the_fly(self) -> bool:
        """Whether weights are packed on the fly: `run` is then given `abi.UnpackedWeights` for packed ones."""
        return bool(self.words[Header.ON_THE_FLY])


def program(
    code: Code, header: dict[Header, int], sizes: dict[Context, int], packing: Packing, scratch: Scratch,
    pieces: Ints, ops: Ints, channel: int = 0,
) -> Program:  # fmt: skip
    """Everything in one array. `channel`: bytes from one channel of what is written to the next."""
    placed, pieces = packing.placed, pieces.reshape(-1)
    pieces_at = FIRST + placed.words.size
    head = {
        Header.RUN: 1,
        **header,
        Header.SCRATCH: scratch.whole,
        Header.BLOCK: scratch.panel,
        Header.WINDOW: scratch.panel + scratch.block,
        Header.TILES: 8 * placed.tiles,
        Header.PIECES: 8 * pieces_at,
        Header.OPS: 8 * (pieces_at + pieces.size),
    }
    runs = head[Header.NUMBER_OF_RUNS] = pieces.size // len(Piece) // head[Header.RUN]
    words = [0] * FIRST
    for word, value in head.items():
        words[word] = value
    for size, value in sizes.items():
        words[Header.SIZES + size - SIZES[0]] = value
    table = np.concatenate([np.array(words, np.int64), placed.words, pieces, ops])
    tiles = table[placed.tiles : pieces_at].reshape(-1, len(Tile))
    tiles[:, Tile.Y] += packing.channels[:, 0] * channel
    tiles[:, Tile.TARGET] += packing.channels[:, 1] * channel
    table.flags.writeable = False
    of_blocks = (placed.blocks, len(packing.blocks))
    return Program(code, table, runs, of_blocks, packing.size, scratch.whole, packing.order)


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
    """The sizes of the parts into which `balanced` cuts a number, and how many parts have each."""
    parts = -(-total // most)
    size, larger = divmod(total, parts)
    return [(n, count) for n, count in ((size + 1, larger), (size, parts - larger)) if count]


def spans(total: range, most: int) -> list[range]:
    """Cut a range into as few parts of at most `most` as can be, which differ by at most 1, the larger first."""
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


def finer(
    cache_block: tuple[int, ...], lengths: Sequence[int], groups: int, tiles: int, threads: int
) -> tuple[int, ...]:
    """A chunk small enough that threads get enough pieces of work; the last axis stays.

    There are so many of each chunk: one a group, and where chunks are small one a tile, if need be.
    """

    def pieces(each: int) -> int:
        return each * prod(-(-n // b) for n, b in zip(lengths, cache_block, strict=True))

    while threads > 1 and max(cache_block[:-1]) > 1 and pieces(groups) < PIECES * threads:
        if prod(cache_block) < 2 * ENOUGH and pieces(groups * tiles) >= PIECES * threads:
            break
        axis = max(range(len(cache_block) - 1), key=lambda number: cache_block[number])
        cache_block = (*cache_block[:axis], -(-cache_block[axis] // 2), *cache_block[axis + 1 :])
    return cache_block


def flat(index: list[int] | tuple[int, ...], shape: list[int] | tuple[int, ...]) -> int:
    """The number of an entry of an array of this shape."""
    flat = 0
    for i, n in zip(index, shape, strict=True):
        flat = flat * n + i
    return flat
