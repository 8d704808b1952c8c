"""Counts what the tables of a program make the kernels do, without running them: products, pieces, bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from tconv.jit.kernels import at_once, channels, folded, pixels, planes
from tconv.jit.kernels.abi import TILE_BYTES, Header, Op, Piece, Tile
from tconv.jit.programs.program import Program

Words = Sequence[int]


class Counted(NamedTuple):
    """What a program amounts to."""

    products: int  #: multiply-adds, those of lanes, rows and columns that are in vain among them
    pieces: int  #: independent work for threads
    packed: int  #: bytes of the packed weights
    scratch: int  #: bytes of scratch a thread
    tables: int  #: bytes of the program itself
    in_place: bool  #: x is read where it is, not copied into a panel
    direct: bool  #: y is written by the kernels that multiply, not by way of a block
    tiles_outside: bool  #: all ops for one tile of channels, then the next; else all tiles for one op


def count(program: Program) -> Counted:
    """What a program amounts to."""
    flags = [bool(program.words[word]) for word in (Header.IN_PLACE, Header.DIRECT, Header.TILES_OUTSIDE)]
    computed = sum(number * kernel.lanes for kernel, number in products(program).items())
    return Counted(computed, program.runs, program.packed, program.scratch, program.words.nbytes, *flags)


def products(program: Program) -> Counter[Any]:
    """How many vectors of products each kernel makes, for those that multiply."""
    words = program.words.tolist()
    alike = Counter(
        (piece[Piece.OPS], piece[Piece.OPS_END], piece[Piece.TILE], piece[Piece.TILE_END])
        for piece in _rows(words, words[Header.PIECES] // 8, len(Piece), program.runs * words[Header.RUN])
    )
    found: Counter[Any] = Counter()
    for (start, end, first, last), times in alike.items():
        tiles = _rows(words, words[Header.TILES] // 8 + first * TILE_BYTES // 8, len(Tile), last - first)
        variants = Counter(tile[Tile.VARIANT] for tile in tiles)
        here = words[Header.OPS] // 8
        for op in _ops(words, here + start // 8, here + end // 8):
            for variant, number in variants.items():
                kernel = program.code.kernels[op[Op.KERNEL] + variant]
                of_kernel = PRODUCTS.get(type(kernel))
                if of_kernel:
                    found[kernel] += times * number * of_kernel(kernel, op)
    return found


def _rows(words: Words, start: int, width: int, count: int) -> Iterator[Words]:
    for at in range(start, start + width * count, width):
        yield words[at : at + width]


def _ops(words: Words, start: int, end: int) -> Iterator[Words]:
    while start < end:
        behind = start + words[start + Op.BYTES] // 8
        yield words[start:behind]
        start = behind


def _of_pixels(kernel: pixels.Pixels, op: Words) -> int:
    at, total = kernel.head + len(kernel.stages), 0
    for rows, weights in zip(op[kernel.head : at], kernel.weights, strict=True):
        input_channels = [row[3] for row in _rows(op, at, pixels.ROW, rows)]
        total += weights * sum(input_channels)
        at += rows * pixels.ROW
    return kernel.vectors * total


def _of_channels(kernel: channels.Channels, op: Words) -> int:
    taps, masked, number = op[2], op[3], op[5]
    return kernel.rows * kernel.pixels * kernel.vectors * (taps + masked) * number


def _of_planes(kernel: planes.Planes, op: Words) -> int:
    rows, elements = op[4], op[6]
    weights = sum(len(fed) for source in kernel.sources for _, fed in source)
    return rows * -(-elements // kernel.run) * kernel.vectors * weights


def _of_folded(kernel: folded.FoldedRows, op: Words) -> int:
    return -(-op[4] // kernel.fold) * kernel.weights


def _of_at_once(kernel: at_once.AtOnce, op: Words) -> int:
    return (op[2] * kernel.products + kernel.products_before) * len(kernel.starts)


#: How many vectors of products one op makes, for the kernels that multiply; `op` is laid out as their module says.
PRODUCTS: dict[type, Callable[[Any, Words], int]] = {
    pixels.Pixels: _of_pixels,
    channels.Channels: _of_channels,
    planes.Planes: _of_planes,
    folded.FoldedRows: _of_folded,
    at_once.AtOnce: _of_at_once,
}
