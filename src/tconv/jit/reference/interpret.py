"""A program as NumPy runs it, with every access checked: what generated code does, for those who read or test it.

`interpret` packs the weights as `kernels/pack_weights.py` does, goes through pieces, tiles and ops as
`kernels/macro_kernel.py` does, and does each op as `meaning.py` says. It needs neither LLVM nor the processor that a
program is made for. Packed weights and scratch hold NaN before they are written, and scratch does so again for every
run of pieces: a result that depends on what nobody wrote, or on what another run left, is NaN.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from tconv.finishing import Finishing
from tconv.jit.kernels.abi import HEADER_WORDS, SIZES, TILE_BYTES, Context, Header, Op, Piece, Tile
from tconv.jit.kernels.pack_weights import BLOCK_WORDS, Block
from tconv.jit.machine.ir import ELEMENTS
from tconv.jit.programs.program import Program
from tconv.jit.reference.meaning import MEANINGS
from tconv.jit.reference.memory import Memory, OutOfBounds, Pointer
from tconv.jit.reference.thread import Thread, Words, iterations
from tconv.problem import Array

#: The dtypes of elements.
DTYPES: dict[str, np.dtype[Any]] = {element: np.dtype(name) for name, element in ELEMENTS.items()}


#: No epilogue.
NOTHING = Finishing(None, None)


def interpret(
    program: Program, x: Array, w: Array, bias: Array | None, y: Array, finishing: Finishing = NOTHING
) -> None:
    """Compute y from contiguous arrays in the layout of the program's schedule; OutOfBounds where an access is.

    `finishing`: what the epilogue of the program is given.
    Of a weight gradient x is the fine grid, w the coarse one, and y the weights; they are not packed.
    """
    given = {Context.X: _given("x", x, program), Context.Y: _given("y", y, program)}
    if not program.blocks[1]:  # cells of the coarse grid, as they are
        given[Context.W] = _given("w", w, program)
    elif not program.on_the_fly:
        given[Context.W] = Memory("packed weights", pack(program, w, bias))
    pieces, run = int(program.words[Header.PIECES]), int(program.words[Header.RUN])
    for first in range(0, int(program.words[Header.NUMBER_OF_RUNS]) * run, run):
        scratch = _scratch(program)
        for number in iterations(run):
            piece = _words(program, pieces + 8 * len(Piece) * (first + number), len(Piece))
            _piece(program, _thread(program, piece, given, (w, bias), scratch, finishing), piece)


def pack(program: Program, w: Array, bias: Array | None) -> Array:
    """The packed weights, NaN where nothing is written."""
    dtype = DTYPES[program.code.element]
    packed = Memory("packed weights", np.full(program.packed // dtype.itemsize, np.nan, dtype))
    first, count = program.blocks
    for number in range(count):
        with _during(f"packing, block {number}"):
            _pack_block(program, 8 * (first + number * BLOCK_WORDS), (w, bias), Pointer(packed))
    return packed.elements


def _given(name: str, array: Array, program: Program) -> Memory:
    """An array of the caller as memory."""
    wanted = DTYPES[program.code.element]
    if not array.flags.c_contiguous or array.dtype != wanted:
        raise ValueError(f"{name} must be contiguous and hold {wanted}; got strides {array.strides} and {array.dtype}")
    return Memory(name, array.reshape(-1))


@contextmanager
def _during(what: str) -> Iterator[None]:
    """Say where an access happened."""
    try:
        yield
    except OutOfBounds as error:
        raise OutOfBounds(f"{what}: {error}") from None


# ---- weights


def _pack_block(program: Program, at: int, given: tuple[Array, Array | None], packed: Pointer) -> None:
    """Rows [channel][tap][element] in whole vectors; where a row runs over, the next one begins."""
    block = _words(program, at, BLOCK_WORDS)
    array, name = (given[1], "bias") if block[Block.FROM_BIAS] else (given[0], "w")
    source = None if array is None else Pointer(_given(name, array, program))
    lanes, size = program.code.lanes, packed.size
    count, (number, per_channel, taps) = block[Block.COUNT], _channels(block, size)
    whole, channels = -(-len(iterations(count)) // lanes) * lanes, np.arange(len(iterations(number)))
    indices = _indices(program, block, len(iterations(taps)), whole)
    values = np.zeros((len(channels), taps, whole), packed.memory.elements.dtype)
    if source is not None:
        offsets = block[Block.SOURCE] + channels[:, None] * per_channel + indices[indices >= 0] * size
        values[:, indices >= 0] = source.gather(offsets)
    target = packed.at(block[Block.TARGET])
    target.write(values, (len(channels), count * size), (taps, block[Block.TAP]), (whole, size))


def _channels(block: Words, size: int) -> tuple[int, int, int]:
    """Input channels of a block, bytes from one to the next, and taps of each; those of one run lie side by side."""
    channels, taps, run = block[Block.CHANNELS], block[Block.TAPS], block[Block.RUN]
    if block[Block.INDICES] or run == taps:
        return channels, block[Block.CHANNEL], taps
    return len(iterations(taps // run)), run * size, run


def _indices(program: Program, block: Words, taps: int, whole: int) -> Array:
    """Which element of the weights goes where, [tap][element]: listed in the program, or all taps of each channel."""
    if not block[Block.INDICES]:
        size = DTYPES[program.code.element].itemsize
        lanes = program.code.lanes
        firsts = np.minimum(np.arange(0, whole, lanes), block[Block.TAIL])
        channels = (firsts[:, None] + np.arange(lanes)).reshape(-1)
        return channels * (block[Block.LANE] // size) + np.arange(taps)[:, None]
    lists = Pointer(Memory("program", program.words.view(np.int32)), block[Block.INDICES])
    return lists.read((taps, 4 * whole), (whole, 4)).astype(np.int64)


# ---- the macro-kernel


def _words(program: Program, at: int, count: int) -> Words:
    """So many words of a program from a byte on."""
    start, odd = divmod(at, 8)
    if odd or count < 0 or not 0 <= start <= program.words.size - count:
        raise OutOfBounds(f"reads {count} words of the program from byte {at} of {program.words.nbytes}")
    found: Words = program.words[start : start + count].tolist()
    return found


def _scratch(program: Program) -> dict[Context, Memory]:
    """The parts of scratch, as a run of pieces finds them."""
    dtype, words = DTYPES[program.code.element], program.words
    whole = np.full(int(words[Header.SCRATCH]) // dtype.itemsize, np.nan, dtype)
    starts = [int(words[word]) // dtype.itemsize for word in (Header.BLOCK, Header.WINDOW)]
    names = {Context.PANEL: "panel", Context.BLOCK: "block", Context.WEIGHTS: "window"}
    return {part: Memory(names[part], memory) for part, memory in zip(names, np.split(whole, starts), strict=True)}


def _thread(
    program: Program,
    piece: Words,
    given: Mapping[Context, Memory],
    weights: tuple[Array, Array | None],
    scratch: Mapping[Context, Memory],
    finishing: Finishing,
) -> Thread:
    """The context in which a thread does a piece."""
    dtype, words = DTYPES[program.code.element], program.words
    window = Pointer(scratch[Context.WEIGHTS])
    pointers = {
        Context.X: Pointer(given[Context.X], piece[Piece.X]),
        Context.W: window if program.on_the_fly else Pointer(given[Context.W], piece[Piece.W]),
        Context.Y: Pointer(given[Context.Y], piece[Piece.Y]),
        Context.PANEL: Pointer(scratch[Context.PANEL]),
        Context.BLOCK: Pointer(scratch[Context.BLOCK]),
        Context.PROGRAM: Pointer(Memory("program", words.view(dtype))),
    }
    pointers[Context.WEIGHTS] = window if words[Header.GATHERED] else pointers[Context.W]
    pointers[Context.SOURCE] = pointers[Context.X if words[Header.IN_PLACE] else Context.PANEL]
    pointers[Context.TARGET] = pointers[Context.Y if words[Header.DIRECT] else Context.BLOCK]
    sizes = _words(program, 8 * Header.SIZES, len(SIZES))
    return Thread(
        pointers,
        dict(zip(SIZES, sizes, strict=True)),
        finishing,
        lambda at: _pack_block(program, at, weights, pointers[Context.W]),
    )


def _piece(program: Program, thread: Thread, piece: Words) -> None:
    """Fill the panel, then go through ops and tiles."""
    none = _words(program, 8 * HEADER_WORDS, len(Tile))
    for op in _ops(program, piece[Piece.COPIES], piece[Piece.COPIES_END]):
        _step(program, thread, op, none)
    ops = list(_ops(program, piece[Piece.OPS], piece[Piece.OPS_END]))
    tiles = list(_tiles(program, piece[Piece.TILE], piece[Piece.TILE_END]))
    if program.words[Header.TILES_OUTSIDE]:
        steps = [(op, tile) for tile in tiles for op in ops]
    else:
        steps = [(op, tile) for op in ops for tile in tiles]
    for op, tile in steps:
        _step(program, thread, op, tile)


def _ops(program: Program, at: int, end: int) -> Iterator[int]:
    """Where the ops of a span begin, from the first of all ops."""
    while at < end:
        yield at
        length = _words(program, int(program.words[Header.OPS]) + at, len(Op))[Op.BYTES]
        at += 8 * len(iterations(length // 8))


def _tiles(program: Program, first: int, end: int) -> Iterator[Words]:
    """The tiles of a span."""
    for number in iterations(end - first):
        yield _words(program, int(program.words[Header.TILES]) + (first + number) * TILE_BYTES, len(Tile))


def _step(program: Program, thread: Thread, at: int, tile: Words) -> None:
    """Do one op for one tile: its kernel in the variant of the tile."""
    place = int(program.words[Header.OPS]) + at
    number, length = _words(program, place, len(Op))
    op, number = _words(program, place, length // 8), number + tile[Tile.VARIANT]
    if not 0 <= number < len(program.code.kernels):
        raise OutOfBounds(f"op at byte {at}: kernel {number} of {len(program.code.kernels)}")
    kernel = program.code.kernels[number]
    with _during(f"kernel {number} ({type(kernel).__name__}), op at byte {at}"):
        MEANINGS[type(kernel)](kernel, thread, op, tile)
