"""A program: the tables of one schedule at one shape, as one array of i64 (the words are those of `kernels/abi.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tconv.jit.kernels import Code
from tconv.jit.kernels.abi import FINISHES, SIZES, Context, Header, Piece, Tile
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
    def finishes(self) -> bool:
        """Whether an epilogue follows: `run` is then given `abi.Given` for packed weights."""
        return self.code.macro_kernel.finishes

    @property
    def on_the_fly(self) -> bool:
        """Whether weights are packed on the fly: `run` is then given `abi.UnpackedWeights` for packed ones."""
        return bool(self.words[Header.ON_THE_FLY])


def program(
    code: Code, header: dict[Header, int], sizes: dict[Context, int], packing: Packing, scratch: Scratch,
    pieces: Ints, ops: Ints, channel: int = 0, finishes: Sequence[int] = (),
) -> Program:  # fmt: skip
    """Everything in one array. `channel`: bytes from one channel of what is written to the next.

    `finishes`: on how many channels the epilogue of each tile acts; nothing where there is none.
    """
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
    if finishes:
        tiles[:, FINISHES] = finishes
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
