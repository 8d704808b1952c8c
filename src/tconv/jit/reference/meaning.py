"""What each kernel does, in NumPy: one short function a kind, on memory that checks every access.

These functions are the definition of the kernels; `kernels/*.py` generate code that does the same, faster. Each takes
the description of a kernel, its thread, its op and its tile as lists of words (see `kernels/abi.py`). Lanes are axes of
arrays here, so that what generated code keeps in registers reads as an expression. Those that multiply are here, those
that move numbers in `moving.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np

from tconv.jit.kernels.abi import Context, Tile
from tconv.jit.kernels.at_once import HEAD as AT_ONCE_HEAD
from tconv.jit.kernels.at_once import AtOnce
from tconv.jit.kernels.channels import HEAD as CHANNELS_HEAD
from tconv.jit.kernels.channels import TAP as CHANNELS_TAP
from tconv.jit.kernels.channels import Channels
from tconv.jit.kernels.finish import Finish
from tconv.jit.kernels.folded import FoldedRows, PackShortRows
from tconv.jit.kernels.pack_cells import PackCells
from tconv.jit.kernels.pack_channels_first import PackChannelsFirst
from tconv.jit.kernels.pack_channels_last import PackChannelsLast
from tconv.jit.kernels.pack_on_the_fly import PackOnTheFly
from tconv.jit.kernels.pack_rows import PackRows
from tconv.jit.kernels.pack_strands import PackStrands
from tconv.jit.kernels.pixels import HEAD as PIXELS_HEAD
from tconv.jit.kernels.pixels import ROW as PIXELS_ROW
from tconv.jit.kernels.pixels import SEGMENT, Pixels, Stage
from tconv.jit.kernels.planes import HEAD as PLANES_HEAD
from tconv.jit.kernels.planes import Planes
from tconv.jit.kernels.scatter import Fill, Scatter
from tconv.jit.kernels.unpack import UnpackRuns, UnpackStreaming, UnpackTransposed
from tconv.jit.kernels.winograd import WinogradInput, WinogradOutput
from tconv.jit.machine.ir import BYTES
from tconv.jit.reference.filtering import winograd_input, winograd_output
from tconv.jit.reference.memory import OutOfBounds, Pointer
from tconv.jit.reference.moving import (
    fill,
    finish,
    pack_cells,
    pack_channels_first,
    pack_channels_last,
    pack_on_the_fly,
    pack_rows,
    pack_strands,
    scatter,
    unpack_runs,
    unpack_streaming,
    unpack_transposed,
)
from tconv.jit.reference.thread import Thread, Words, entries, iterations
from tconv.problem import Array

# ---- pixels in lanes


def pixels(kernel: Pixels, thread: Thread, op: Words, tile: Words) -> None:
    """sums[a, m, b, q] = bias[m] + sum over rows, input channels and shifts of x * w; written interleaved."""
    w, size = thread.to(Context.W), BYTES[kernel.element]
    bias = w.at(tile[Tile.BIAS]).read((kernel.channels, size))
    shape = kernel.rows, kernel.channels, kernel.phases, kernel.vectors * kernel.lanes
    sums = np.broadcast_to(bias[:, None, None], shape).copy()
    counts = [count for [count] in entries(op, kernel.head, len(kernel.stages), 1)]
    at, exist = kernel.head + len(counts), range(*op[PIXELS_HEAD : kernel.head]) if kernel.in_place else None
    for stage, weights, count in zip(kernel.stages, kernel.weights, counts, strict=True):
        for x, tap, first, number, _ in entries(op, at, count, PIXELS_ROW):
            here = w.at(tile[Tile.W] + tap * tile[Tile.TAP] + first * weights * size)
            part = sums if not kernel.parts else np.zeros_like(sums)
            _pixels_row(
                stage, thread, thread.to(Context.SOURCE, x), here, weights, part, len(iterations(number)), exist
            )
            sums = sums + part if kernel.parts else sums
        at += count * PIXELS_ROW
    innermost = (0, 3, 2, 1) if kernel.channels_last else (0, 1, 3, 2)
    sums = thread.then(kernel, sums)
    interleaved = sums.transpose(innermost).reshape(kernel.rows, -1, kernel.run)
    for y, low, high, phases in entries(op, at, op[2], SEGMENT):
        written = range(max(0, low), min(high, kernel.run))
        for a in range(min(kernel.rows, phases)):
            target = thread.to(Context.Y, tile[Tile.Y], y, a * thread.sizes[Context.Y_PHASE], written.start * size)
            values = interleaved[a][:, written.start : written.stop]
            target.write(values, (len(values), thread.sizes[Context.Y_CHANNEL]), (len(written), size))


def _pixels_row(
    stage: Stage, thread: Thread, x: Pointer, w: Pointer, weights: int, sums: Array, number: int, exist: range | None
) -> None:
    """Add what one row of x gives in so many input channels: `weights` scalars each, in the order of the stage.

    Cells that do not exist are zeros, and not read.
    """
    size, channels, lanes = w.size, sums.shape[1], sums.shape[3]
    per_pair = channels * size
    scalars = iter(w.read((weights // channels, per_pair), (number, weights * size), (channels, size)))
    for shift, pairs in stage:
        cells = np.zeros((number, lanes), sums.dtype)
        read = range(lanes) if exist is None else range(max(0, exist.start - shift), min(lanes, exist.stop - shift))
        across = (number, thread.sizes[Context.SOURCE_CHANNEL]), (len(read), size)
        cells[:, read.start : max(0, read.stop)] = x.at((shift + read.start) * size).read(*across)
        for a, b in pairs:
            sums[a, :, b] += next(scalars).T @ cells


# ---- depthwise


def planes(kernel: Planes, thread: Thread, op: Words, tile: Words) -> None:
    """Row after row, tile after tile: sums[a, b, q] = bias + sum over sources and shifts of x * w."""
    _, _, at, weights, rows, phases, elements = op[:PLANES_HEAD]
    w, size = thread.to(Context.W), BYTES[kernel.element]
    sources = [x for [x] in entries(op, PLANES_HEAD, len(kernel.sources), 1)]
    number = sum(len(fed) for source in kernel.sources for _, fed in source)
    scalars, bias = w.at(tile[Tile.W] + weights).read((number, size)), w.at(tile[Tile.BIAS]).read()
    for row, first in product(iterations(rows), range(0, elements, kernel.run)):
        moved = row * thread.sizes[Context.SOURCE_ROW] + first // kernel.phases * size
        x = [thread.to(Context.SOURCE, source, moved) for source in sources]
        interleaved = _planes_tile(kernel, x, scalars, bias).swapaxes(1, 2).reshape(kernel.rows, kernel.run)
        count = min(elements - first, kernel.run)
        y = thread.to(Context.TARGET, tile[Tile.TARGET], at, row * thread.sizes[Context.Y_ROW], first * size)
        exist = min(kernel.rows, phases)
        y.write(interleaved[:exist, :count], (exist, thread.sizes[Context.Y_PHASE]), (count, size))


def folded(kernel: FoldedRows, thread: Thread, op: Words, tile: Words) -> None:
    """As `planes`, in tiles of one row: that a vector holds several rows changes no result."""
    alone = Planes(kernel.element, kernel.cells, 1, kernel.rows, kernel.phases, kernel.sources, False)
    planes(alone, thread, op, tile)


def _planes_tile(kernel: Planes, x: list[Pointer], scalars: Array, bias: Array) -> Array:
    """The sums [a, b, q] of one tile, whose sources begin at these places."""
    lanes, weight = kernel.vectors * kernel.lanes, iter(scalars)
    sums = np.full((kernel.rows, kernel.phases, lanes), bias)
    for source, stage in zip(x, kernel.sources, strict=True):
        for shift, fed in stage:
            cells = source.at(shift * source.size).read((lanes, source.size))
            for a, b in fed:
                sums[a, b] += next(weight) * cells
    return sums


# ---- channels in lanes


def channels(kernel: Channels, thread: Thread, op: Words, tile: Words) -> None:
    """sums[p, lane] = bias[lane], or what is in the target, + sum over taps and input channels of x * w."""
    _, _, plain, masked, adds, number, first, *targets = op[: CHANNELS_HEAD + kernel.rows]
    assert kernel.masked or not masked
    lanes, size, lane = kernel.weights, BYTES[kernel.element], _lanes(kernel)
    begin = np.zeros(len(lane))
    if not (kernel.cells or kernel.bare):
        bias = thread.to(Context.WEIGHTS, tile[Tile.BIAS]).read((lanes, size))[lane]
        begin = np.zeros_like(bias) if adds else bias
    if adds and kernel.then:
        raise OutOfBounds("adds to what an activation was applied to")
    sums = np.tile(begin, (kernel.rows, kernel.pixels, 1))
    listed = entries(op, CHANNELS_HEAD + kernel.rows, plain + masked, CHANNELS_TAP + kernel.rows)
    for which, (tap, mask, *x) in enumerate(listed):
        w = thread.to(Context.WEIGHTS, tile[Tile.W], tap * tile[Tile.TAP], first * lanes * size)
        if kernel.cells:
            weights = w.read((number, thread.sizes[Context.W_TERM]), (kernel.written, size))
        else:
            weights = w.read((number, lanes * size), (lanes, size))[:, lane]
        reached: Array | None = None
        if which >= plain:
            reached = thread.to(Context.PROGRAM, tile[Tile.MASK], mask * lanes * size).read((lanes, size))[lane] != 0
        for row, offset in enumerate(x):
            here = thread.to(Context.SOURCE, offset, tile[Tile.X] if kernel.depthwise else 0)
            added = _channels_tap(kernel, here, thread.sizes[Context.SOURCE_TERM], weights)
            sums[row] += added if reached is None else np.where(reached, added, 0)
    grid = (kernel.pixels, thread.sizes[Context.TARGET_PIXEL]), (kernel.written, size)
    for row, at in zip(thread.then(kernel, sums), targets, strict=True):
        target = thread.to(Context.TARGET, tile[Tile.TARGET], at)
        target.write(target.read(*grid) + row if adds else row, *grid)


@lru_cache(maxsize=64)
def _lanes(kernel: Channels) -> Array:
    """For each element of a row of the result a lane that holds it."""
    lane_of = {start + i: n * kernel.lanes + i for n, start in enumerate(kernel.starts) for i in range(kernel.lanes)}
    return np.array([lane_of[element] for element in range(kernel.written)])


def _channels_tap(kernel: Channels, x: Pointer, per_term: int, w: Array) -> Array:
    """What one tap adds to each pixel and lane; in depthwise layers every lane has its own element of x."""
    number, lanes = w.shape
    cells = (number, per_term), (kernel.pixels, kernel.pixel)
    if kernel.depthwise:
        own: Array = np.einsum("ipl,il->pl", x.read(*cells, (lanes, x.size)), w)
        return own
    shared: Array = x.read(*cells).T @ w
    return shared


def at_once(kernel: AtOnce, thread: Thread, op: Words, tile: Words) -> None:
    """Cell after cell, vector after vector: sums[a, b] = bias + sum over rows of x and shifts of x * w."""
    _, _, number, at, *rows = op[: AT_ONCE_HEAD + len(kernel.sources)]
    size, w = BYTES[kernel.element], thread.to(Context.W)
    for vector, start in enumerate(kernel.starts):
        lanes = vector * kernel.lanes * size
        bias = w.at(tile[Tile.BIAS] + lanes).read((kernel.lanes, size))
        sums = np.tile(bias, (*kernel.phases, len(iterations(number)), 1))
        for row, source in zip(rows, kernel.sources, strict=True):
            x = thread.to(Context.SOURCE, tile[Tile.X], row, start * size)
            for shift, fed in source:
                read = x.at(shift * kernel.x_cell).read((number, kernel.x_pixel), (kernel.lanes, size))
                for a, b, tap in fed:
                    sums[a, b] += read * w.at(tile[Tile.W] + tap * tile[Tile.TAP] + lanes).read((kernel.lanes, size))
        y = thread.to(Context.TARGET, tile[Tile.TARGET], at, start * size)
        columns = (number, kernel.phases[1] * kernel.y_pixel), (kernel.phases[1], kernel.y_pixel), (kernel.lanes, size)
        y.write(
            np.moveaxis(thread.then(kernel, sums), 1, 2), (kernel.phases[0], thread.sizes[Context.Y_PHASE]), *columns
        )


#: What each kernel does.
MEANINGS: dict[type, Callable[[Any, Thread, Words, Words], None]] = {
    Pixels: pixels,
    Planes: planes,
    FoldedRows: folded,
    Channels: channels,
    AtOnce: at_once,
    UnpackTransposed: unpack_transposed,
    UnpackRuns: unpack_runs,
    UnpackStreaming: unpack_streaming,
    PackRows: pack_rows,
    PackShortRows: pack_rows,
    PackStrands: pack_strands,
    PackChannelsFirst: pack_channels_first,
    PackChannelsLast: pack_channels_last,
    PackOnTheFly: pack_on_the_fly,
    PackCells: pack_cells,
    Fill: fill,
    Scatter: scatter,
    Finish: finish,
    WinogradInput: winograd_input,
    WinogradOutput: winograd_output,
}
