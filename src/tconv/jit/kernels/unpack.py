"""Results from the block into y: transposed from channels in lanes to channels first, run by run, or as they are.

`UnpackTransposed` reads a block of positions, each with the lanes of a tile, and writes rows of y. Squares of lanes
by lanes elements are transposed in registers.

    Op: kernel, bytes, offset in the tile's part of the block, offset in y, positions.

`UnpackRuns` reads for each pixel q and channel of the tile a run of `length` neighbouring elements, the first of them
element `Tile.FIRST` of a longer run, and writes it to y, clipped to the elements from low to high counted from pixel 0.

    Op: kernel, bytes, offset in the block, offset in y of element 0, pixels, bytes of y from one pixel to the next,
    elements likewise, low, high.

`UnpackStreaming` moves neighbouring elements past the caches, however they are aligned: whole lines of y are
written at once.

    Op: kernel, bytes, offset in the block, offset in y, elements.
"""

from __future__ import annotations

from dataclasses import dataclass

from tconv.jit.kernels.abi import PARAMETERS, Context, Tile
from tconv.jit.kernels.pack_rows import copy_few
from tconv.jit.machine.ir import BYTES, Function, Module, Value, Vector
from tconv.jit.machine.shuffles import interleave, interleave_in_lanes

#: Bytes of a line of the caches: of y, one is written at a time, so that none is fetched or written back in parts.
LINE = 64
#: Bytes within which a processor shuffles the elements of a vector the fastest.
IN_LANES = 16


@dataclass(frozen=True, slots=True)
class UnpackTransposed:
    """A size of the kernel: positions in the block are `vectors` vectors of lanes apart."""

    element: str
    lanes: int
    vectors: int


@dataclass(frozen=True, slots=True)
class UnpackRuns:
    """A size of the kernel: pixels in the block are `vectors` vectors of lanes apart, runs `length` elements."""

    element: str
    lanes: int
    vectors: int
    length: int


@dataclass(frozen=True, slots=True)
class UnpackStreaming:
    """The kernel that writes past the caches."""

    element: str
    lanes: int


def emit_stream(module: Module, name: str, kernel: UnpackStreaming) -> Function:
    """Write the kernel that moves elements past the caches."""
    f, v = module.function(name, PARAMETERS), Vector(kernel.element, kernel.lanes)
    size = BYTES[v.element]
    block = f.at(f.pointer("%context", Context.BLOCK), f.word("%op", 2))
    y = f.at(f.at(f.pointer("%context", Context.Y), f.word("%tile", Tile.Y)), f.word("%op", 3))
    count = f.word("%op", 4)
    address = f.sub(0, f.let(f"ptrtoint ptr {y} to i64"))
    to_line = f.let(f"lshr i64 {f.let(f'and i64 {address}, {v.bytes - 1}')}, {size.bit_length() - 1}")
    head = f.smaller(to_line, count)
    copy_few(f, v, block, y, head)
    whole = f.let(f"and i64 {f.sub(count, head)}, {-v.lanes}")
    source, target = f.at(block, f.mul(head, size)), f.at(y, f.mul(head, size))
    with f.loop(whole, step=v.lanes) as (i, _):
        offset = f.mul(i, size)
        f.vstore(v, f.vload(v, source, offset), target, offset, streaming=True)
    offset = f.mul(whole, size)
    copy_few(f, v, f.at(source, offset), f.at(target, offset), f.sub(f.sub(count, head), whole))
    f.ret()
    return f


def emit_transpose(module: Module, name: str, kernel: UnpackTransposed) -> Function:
    """Write the kernel that transposes a block."""
    f, v = module.function(name, PARAMETERS), Vector(kernel.element, kernel.lanes)
    size, position = BYTES[v.element], kernel.vectors * v.bytes
    block = f.at(f.at(f.pointer("%context", Context.BLOCK), f.word("%tile", Tile.TARGET)), f.word("%op", 2))
    y = f.at(f.at(f.pointer("%context", Context.Y), f.word("%tile", Tile.Y)), f.word("%op", 3))
    positions, channels = f.word("%op", 4), f.word("%tile", Tile.COUNT)
    per_channel = f.word("%context", Context.Y_CHANNEL)
    with f.loop(channels, step=v.lanes, carried=[("ptr", block), ("ptr", y)], once=True) as (first, [source, target]):
        remaining = f.sub(channels, first)
        if v.bytes < LINE:
            done = _whole_lines(f, v, kernel, source, target, positions, remaining)
            rest = f.sub(positions, done)
            begin, there = f.at(source, f.mul(done, position)), f.at(target, f.mul(done, size))
        else:
            rest, begin, there = positions, source, target
        with f.loop(rest, step=v.lanes, carried=[("ptr", begin)]) as (i, [here]):
            left = f.sub(rest, i)
            # A last square that is not whole reads positions behind the block's last: scratch has room for them.
            transposed = interleave(f, v, [f.vload(v, here, lane * position) for lane in range(v.lanes)])
            store_square(f, v, transposed, f.at(there, f.mul(i, size)), per_channel, left, remaining)
            f.next(f.at(here, v.lanes * position))
        f.next(f.at(source, v.bytes), f.at(target, f.mul(per_channel, v.lanes)))
    f.ret()
    return f


def _whole_lines(
    f: Function, v: Vector, kernel: UnpackTransposed, source: str, y: str, positions: Value, remaining: Value
) -> str:
    """Write as many positions as are whole lines, if there are channels for whole vectors; returns how many."""
    size, position = BYTES[v.element], kernel.vectors * v.bytes
    few, line = Vector(v.element, IN_LANES // size), LINE // size
    per_channel = f.word("%context", Context.Y_CHANNEL)
    whole = f.let(f"and i64 {positions}, {-line}")
    whole = f.let(f"select i1 {f.compare('sge', remaining, v.lanes)}, i64 {whole}, i64 0")
    carried = [("ptr", source), ("ptr", y)]
    with f.loop(whole, step=line, carried=carried) as (_, [here, there]):
        address = there
        for first in range(0, v.lanes, few.lanes):
            pieces = [
                transpose_in_lanes(f, v, few, f.at(here, begin * position + first * size), position)
                for begin in range(0, line, v.lanes)
            ]
            for channel in range(few.lanes):
                for number, piece in enumerate(pieces):
                    f.vstore(v, piece[channel], address, number * v.bytes)
                address = f.at(address, per_channel)
        f.next(f.at(here, line * position), f.at(there, LINE))
    return whole


def transpose_in_lanes(f: Function, v: Vector, few: Vector, here: str, position: int) -> list[str]:
    """A vector of positions for each of a few channels, as many as 16 bytes hold.

    Of each 16 bytes of a vector the shuffles make a square by themselves: across them, they take longer.
    """
    rows = []
    for row in range(few.lanes):
        parts = [f.vload(few, here, (first + row) * position) for first in range(0, v.lanes, few.lanes)]
        rows.append(f.joined(few, parts))
    return interleave_in_lanes(f, v, rows)


def store_square(
    f: Function, v: Vector, transposed: list[str], y: str, per_channel: str, left: Value, remaining: Value
) -> None:
    """Write one row a channel; fewer channels or positions than lanes take the slow way."""
    whole = f.both(f.compare("sge", left, v.lanes), f.compare("sge", remaining, v.lanes))
    with f.choose(whole) as (full, partial):
        with full:
            address = y
            for value in transposed:
                f.vstore(v, value, address)
                address = f.at(address, per_channel)
        with partial:
            _store_part(f, v, transposed, y, per_channel, left, remaining)


def _store_part(
    f: Function, v: Vector, transposed: list[str], y: str, per_channel: str, left: Value, remaining: Value
) -> None:
    """Write a square in part, by way of the stack: as many rows as there are channels."""
    buffer = f.stack(v.lanes * v.bytes)
    for lane, value in enumerate(transposed):
        f.vstore(v, value, buffer, lane * v.bytes)
    rows, count = f.smaller(remaining, v.lanes), f.smaller(left, v.lanes)
    with f.loop(rows, carried=[("ptr", buffer), ("ptr", y)], once=True) as (_, [here, there]):
        copy_few(f, v, here, there, count)
        f.next(f.at(here, v.bytes), f.at(there, per_channel))


def emit_runs(module: Module, name: str, kernel: UnpackRuns) -> Function:
    """Write the kernel that moves runs."""
    f, v = module.function(name, PARAMETERS), Vector(kernel.element, kernel.lanes)
    run, pixel = kernel.length * BYTES[v.element], kernel.vectors * v.bytes
    block = f.at(f.pointer("%context", Context.BLOCK), f.word("%op", 2))
    y = f.at(f.at(f.pointer("%context", Context.Y), f.word("%tile", Tile.Y)), f.word("%op", 3))
    pixels, step, elements, low, high = (f.word("%op", word) for word in range(4, 9))
    low, high = (str(f.sub(bound, f.word("%tile", Tile.FIRST))) for bound in (low, high))
    per_channel = f.word("%context", Context.Y_CHANNEL)
    carried = [("ptr", block), ("ptr", y)]
    with f.loop(f.word("%tile", Tile.COUNT), carried=carried, once=True) as (_, [source, target]):
        with f.loop(pixels, carried=[("ptr", source), ("ptr", target)], once=True) as (q, [here, there]):
            first = f.mul(q, elements)
            begin, end = f.sub(low, first), f.sub(high, first)
            whole = f.both(f.compare("sle", begin, 0), f.compare("sge", end, kernel.length))
            with f.choose(whole) as (full, partial):
                with full:
                    _copy_run(f, v, here, there, kernel.length)
                with partial:
                    start = f.larger(begin, 0)
                    offset, count = f.mul(start, BYTES[v.element]), f.sub(f.smaller(end, kernel.length), start)
                    copy_few(f, v, f.at(here, offset), f.at(there, offset), count)
            f.next(f.at(here, pixel), f.at(there, step))
        f.next(f.at(source, run), f.at(target, per_channel))
    f.ret()
    return f


def _copy_run(f: Function, v: Vector, source: str, target: str, length: int) -> None:
    """Copy a run of known length: in vectors, the last of them overlapping; or in narrower vectors."""
    size = BYTES[v.element]
    if length > 16 * v.lanes:
        with f.loop(length - v.lanes + 1, step=v.lanes) as (i, _):
            f.vstore(v, f.vload(v, source, f.mul(i, size)), target, f.mul(i, size))
        starts = [length - v.lanes] if length % v.lanes else []
    elif length >= v.lanes:
        starts = [*range(0, length - v.lanes, v.lanes), length - v.lanes]
    else:
        starts, at, lanes = [], 0, v.lanes
        while at < length:
            while lanes > length - at:
                lanes //= 2
            narrow = Vector(v.element, lanes)
            f.vstore(narrow, f.vload(narrow, source, at * size), target, at * size)
            at += lanes
    for start in starts:
        f.vstore(v, f.vload(v, source, start * size), target, start * size)
