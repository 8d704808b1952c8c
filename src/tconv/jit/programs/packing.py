"""How the weights of a layer are packed, and its tiles: what of a program is the same at every size of the grids.

Made once a layer and kept (`PACKINGS`), since it may be as long as the kernel has weights, while everything else of a
program is made anew for every shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain, count
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tconv.cached import cached_property
from tconv.jit.kernels.abi import HEADER_WORDS, TILE_BYTES, Tile
from tconv.jit.kernels.pack_weights import Block
from tconv.jit.machine.native.language import Ints
from tconv.jit.programs.layer_cache import LayerCache

#: Words of a program before those of its layer: a tile of zeros follows the header.
FIRST = HEADER_WORDS + TILE_BYTES // 8
LINE = 64  #: bytes of a cache line, to which parts of scratch and of the packed weights are aligned


@dataclass(frozen=True, eq=False)
class Packing:
    """Tiles and blocks of weights; offsets within the program are filled in when one is written."""

    tiles: Ints  #: a row of the words of `Tile` for each; masks and blocks are numbers
    channels: Ints  #: for each tile the channels by which Tile.Y and Tile.TARGET are moved
    masks: Ints
    blocks: Ints  #: a row of the words of `Block` for each; lists of indices are numbered by words, from 1
    lists: Ints
    itemsize: int
    size: int  #: bytes of the packed weights
    window: int  #: bytes of scratch for weights that are packed on the fly
    order: int  #: a number, equal for those that want the weights in the same order

    @cached_property
    def placed(self) -> Placed:
        """All of it as it stands in every program of the layer, right behind the header."""
        lists_at = FIRST + self.masks.size
        blocks_at = lists_at + self.lists.size
        tiles, blocks = self.tiles.copy(), self.blocks.copy()
        tiles[:, Tile.MASK] = 8 * FIRST + tiles[:, Tile.MASK] * self.itemsize
        tiles[:, Tile.BLOCKS] = 8 * blocks_at + tiles[:, Tile.BLOCKS] * 8 * len(Block)
        listed = blocks[:, Block.INDICES] > 0
        blocks[listed, Block.INDICES] = 8 * (lists_at + blocks[listed, Block.INDICES] - 1)
        words = np.concatenate([self.masks, self.lists, blocks.reshape(-1), tiles.reshape(-1)])
        return Placed(words, blocks_at, blocks_at + blocks.size)


class Placed(NamedTuple):
    """Words of a program behind its header, and the numbers of the words with which blocks and tiles begin."""

    words: Ints
    blocks: int
    tiles: int


class Packer:
    """Collects the tiles and the blocks of weights of a layer."""

    def __init__(self, itemsize: int, lanes: int) -> None:
        self.itemsize, self.lanes = itemsize, lanes
        #: What weights are transformed by before they are packed, if they are: in the same order they may be others.
        self.transform = b""
        self.tiles: list[list[int]] = []
        self.channels: list[tuple[int, int]] = []
        self.masks: list[list[float]] = []
        self.blocks: list[tuple[dict[Block, int], tuple[int, ...]]] = []
        self.packed = self.window = 0

    def tile(self, words: dict[Tile, int], *, y: int = 0, target: int = 0) -> None:
        """Append a tile, whose offsets in y and in the target are so many channels further."""
        self.tiles.append([words.get(word, 0) for word in Tile])
        self.channels.append((y, target))

    def room(self, rows: int, row: int) -> int:
        """Bytes for rows of so many elements in the packed weights, and the vector that the last row runs over."""
        return -(-(rows * row + self.lanes) * self.itemsize // LINE) * LINE

    def reserve(self, size: int) -> int:
        """Take so many bytes of the packed weights; returns their offset."""
        self.packed += size
        return self.packed - size

    def block(
        self, target: int, rows: Sequence[Sequence[int]], *, tap: int = 0, source: int = 0,
        channels: tuple[int, int] = (1, 0), bias: bool = False,
    ) -> None:  # fmt: skip
        """Fill rows of the packed weights from elements source + index: for each channel one a tap; -1 gives zero.

        The rows are equally long; `tap` is the number of bytes from those of one tap to those of the next. `channels`:
        how many, and elements from one to the next.
        """
        count = len(rows[0])
        words = {
            Block.TARGET: target,
            Block.FROM_BIAS: int(bias),
            Block.SOURCE: source * self.itemsize,
            Block.CHANNELS: channels[0],
            Block.CHANNEL: channels[1] * self.itemsize,
            Block.COUNT: count,
            Block.TAPS: len(rows),
            Block.TAP: tap,
        }
        beyond = (-1,) * (-count % self.lanes)
        self.blocks.append((words, tuple(index for row in rows for index in (*row, *beyond))))

    def squares(
        self, target: int, lanes: tuple[int, int, int], taps: int, *, tap: int, source: int, channels: tuple[int, int]
    ) -> None:
        """Fill rows with all taps of output channels, in squares; `lanes`: elements of a row, channels, stride."""
        run = taps
        if channels[1] == taps:  # the taps of all input channels lie side by side
            channels, taps = (1, 0), channels[0] * taps
        words = {
            Block.TARGET: target,
            Block.SOURCE: source * self.itemsize,
            Block.CHANNELS: channels[0],
            Block.CHANNEL: channels[1] * self.itemsize,
            Block.COUNT: lanes[0],
            Block.LANE: lanes[2] * self.itemsize,
            Block.TAIL: lanes[1] - self.lanes,
            Block.RUN: run,
            Block.TAPS: taps,
            Block.TAP: tap,
        }
        self.blocks.append((words, ()))

    def packing(self) -> Packing:
        """The tiles and blocks that were collected, as arrays."""
        blocks = np.array([[words.get(w, 0) for w in Block] for words, _ in self.blocks], np.int64)
        blocks = blocks.reshape(-1, len(Block))
        found: dict[tuple[int, ...], int] = {}
        lists, end = [np.empty(0, np.int64)], 0
        for row, (_, indices) in zip(blocks, self.blocks, strict=True):
            if not indices:
                continue
            if indices not in found:
                found[indices] = end + 1
                lists.append(_as_words(np.array(indices, np.int32)))
                end += lists[-1].size
            row[Block.INDICES] = found[indices]
        masks = _as_words(np.array(list(chain.from_iterable(self.masks)), f"f{self.itemsize}"))
        tiles = np.array(self.tiles, np.int64).reshape(-1, len(Tile))
        channels = np.array(self.channels, np.int64).reshape(-1, 2)
        listed = np.concatenate(lists)
        order = sha256(blocks.tobytes() + listed.tobytes() + bytes([self.itemsize]) + self.transform).digest()
        sizes = (self.itemsize, self.packed, self.window)
        return Packing(tiles, channels, masks, blocks, listed, *sizes, _number(order))


#: Orders of packing by number: calls look for the weights that they have packed already.
_numbers: dict[bytes, int] = {}
_next_number = count(1).__next__


def _number(order: bytes) -> int:
    """The number of an order. No two get one, whatever threads do; some numbers are nobody's."""
    return _numbers.setdefault(order, _next_number())


def _as_words(values: NDArray[Any]) -> Ints:
    """Narrower values, filled up to whole words."""
    raw = values.tobytes()
    return np.frombuffer(raw + bytes(-len(raw) % 8), np.int64)


#: Those of layers.
PACKINGS: LayerCache[Packing] = LayerCache()
