"""What kernels that move numbers do, in NumPy: copies of x into the panel, weights packed, results into y.

See `meaning.py`, which lists them.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from tconv.jit.kernels.abi import FINISHES, Context, Tile
from tconv.jit.kernels.finish import Finish
from tconv.jit.kernels.folded import PackShortRows
from tconv.jit.kernels.pack_cells import PackCells
from tconv.jit.kernels.pack_channels_first import PackChannelsFirst
from tconv.jit.kernels.pack_channels_last import PackChannelsLast
from tconv.jit.kernels.pack_on_the_fly import PackOnTheFly
from tconv.jit.kernels.pack_rows import PackRows
from tconv.jit.kernels.pack_strands import PackStrands
from tconv.jit.kernels.scatter import Fill, Scatter
from tconv.jit.kernels.unpack import UnpackRuns, UnpackStreaming, UnpackTransposed
from tconv.jit.machine.ir import BYTES
from tconv.jit.reference.memory import Memory, Pointer
from tconv.jit.reference.thread import Thread, Words, iterations

# ---- results


def unpack_transposed(kernel: UnpackTransposed, thread: Thread, op: Words, tile: Words) -> None:
    """Positions of lanes in the block become rows of y; squares are read whole and written as far as they count."""
    _, _, at, to, positions = op[:5]
    lanes, per_channel = kernel.lanes, thread.sizes[Context.Y_CHANNEL]
    size = BYTES[kernel.element]
    position = kernel.vectors * lanes * size
    for channel, i in product(iterations(tile[Tile.COUNT], lanes), iterations(positions, lanes)):
        here = thread.to(Context.BLOCK, tile[Tile.TARGET], at, channel * size, i * position)
        square = here.read((lanes, size), (lanes, position))
        rows, count = min(lanes, tile[Tile.COUNT] - channel), min(lanes, positions - i)
        y = thread.to(Context.Y, tile[Tile.Y], to, channel * per_channel, i * size)
        y.write(square[:rows, :count], (rows, per_channel), (count, size))


def unpack_runs(kernel: UnpackRuns, thread: Thread, op: Words, tile: Words) -> None:
    """Runs of the block go to y, each clipped to the elements from low to high counted from pixel 0."""
    _, _, at, to, number, step, elements, low, high = op[:9]
    size = BYTES[kernel.element]
    pixel, run = kernel.vectors * kernel.lanes * size, kernel.length * size
    for channel, q in product(iterations(tile[Tile.COUNT]), iterations(number)):
        first = tile[Tile.FIRST] + q * elements
        start, end = max(0, low - first), min(kernel.length, high - first)
        source = thread.to(Context.BLOCK, at, channel * run, q * pixel, start * size)
        y = thread.to(Context.Y, tile[Tile.Y], to, channel * thread.sizes[Context.Y_CHANNEL], q * step, start * size)
        if start < end:
            y.write(source.read((end - start, size)), (end - start, size))


def unpack_streaming(kernel: UnpackStreaming, thread: Thread, op: Words, tile: Words) -> None:
    """Neighbouring elements go from the block to y as they are."""
    _, _, at, to, count = op[:5]
    size = BYTES[kernel.element]
    thread.to(Context.Y, tile[Tile.Y], to).write(thread.to(Context.BLOCK, at).read((count, size)), (count, size))


def finish(kernel: Finish, thread: Thread, op: Words, tile: Words) -> None:
    """A residual is added to what a chunk has written of whole channels, then the activation is applied."""
    _, _, at, length, rows, row, pixel = op[:7]
    channels, size = tile[FINISHES], BYTES[kernel.element]
    planes = (channels, thread.sizes[Context.Y_CHANNEL]), (len(iterations(rows)), row), (len(iterations(length)), pixel)
    y = thread.to(Context.Y, tile[Tile.Y], at, -tile[Tile.FIRST] * size)
    values, given = y.read(*planes), thread.finishing
    if given.residual is not None:
        values = values + Pointer(Memory("residual", given.residual.reshape(-1)), y.offset).read(*planes)
    if given.activation is not None and channels:
        value = given.activation.value
        if isinstance(value, np.ndarray):
            first = y.offset // thread.sizes[Context.Y_CHANNEL] % len(value)
            value = value[first : first + channels, None, None]
        values = given.activation.of(values, value)
    y.write(values, *planes)


def fill(kernel: Fill, thread: Thread, op: Words, tile: Words) -> None:
    """The bias into runs of y, for the channels of a tile."""
    _, _, elements, biases, at, number, per_run = op[:7]
    size, channels = BYTES[kernel.element], len(iterations(tile[Tile.COUNT]))
    bias = thread.to(Context.W, tile[Tile.BIAS], biases).read((channels, size))
    planes = (channels, thread.sizes[Context.Y_CHANNEL]), (len(iterations(number)), per_run), (elements, size)
    y = thread.to(Context.Y, tile[Tile.Y], at)
    bias = thread.then(kernel, bias)
    y.write(np.broadcast_to(bias[:, None, None], (channels, number, elements)), *planes)


def scatter(kernel: Scatter, thread: Thread, op: Words, tile: Words) -> None:
    """Runs of the block are added to y, one after the other."""
    _, _, at, to, length, cells, y_cell, rows, block_row, y_row, block_channel = op[:11]
    run = (length, BYTES[kernel.element])
    for channel, cell, row in product(iterations(tile[Tile.COUNT]), iterations(cells), iterations(rows)):
        moved = channel * block_channel + cell * thread.sizes[Context.TARGET_PIXEL] + row * block_row
        y = thread.to(
            Context.Y, tile[Tile.Y], to, channel * thread.sizes[Context.Y_CHANNEL], cell * y_cell + row * y_row
        )
        y.write(y.read(run) + thread.to(Context.BLOCK, at, moved).read(run), run)


# ---- copies


def pack_rows(kernel: PackRows | PackShortRows, thread: Thread, op: Words, tile: Words) -> None:
    """Rows of every channel of x into the panel, with zeros on both sides."""
    _, _, at, to, number, x_row, panel_row, length, before, behind = op[:10]
    channels, size = len(iterations(thread.sizes[Context.COPIED])), BYTES[kernel.element]
    x = thread.to(Context.X, at).read((channels, thread.sizes[Context.X_CHANNEL]), (number, x_row), (length, size))
    whole = np.pad(x, ((0, 0), (0, 0), (before, behind)))
    per_channel = channels, thread.sizes[Context.SOURCE_CHANNEL]
    panel = thread.to(Context.PANEL, to - before * size)
    panel.write(whole, per_channel, (len(iterations(number)), panel_row), (whole.shape[2], size))


def pack_strands(kernel: PackStrands, thread: Thread, op: Words, tile: Words) -> None:
    """Rows of every channel of x into the panel, de-interleaved: a row for each strand, filled up with a zero."""
    _, _, at, to, number, x_row, panel_row, length, before, behind = op[:10]
    channels, size = len(iterations(thread.sizes[Context.COPIED])), BYTES[kernel.element]
    x = thread.to(Context.X, at).read((channels, thread.sizes[Context.X_CHANNEL]), (number, x_row), (length, size))
    turns_of_strands = np.pad(x, ((0, 0), (0, 0), (0, -length % kernel.read_stride))).reshape(
        *x.shape[:2], -1, kernel.read_stride
    )
    strands = np.moveaxis(turns_of_strands[..., kernel.residues], -1, 0)
    whole = np.pad(strands, ((0, 0), (0, 0), (0, 0), (before, behind)))
    steps = thread.sizes[Context.SOURCE_STRAND], thread.sizes[Context.SOURCE_CHANNEL], panel_row, size
    panel = thread.to(Context.PANEL, to - before * size)
    panel.write(whole, *zip(whole.shape, steps, strict=True))


def pack_channels_first(kernel: PackChannelsFirst, thread: Thread, op: Words, tile: Words) -> None:
    """Rows of channels-last x into the panel, channels first: pixels of several channels become a row of each."""
    _, _, at, to, number, x_row, panel_row, length, before, behind = op[:10]
    channels, size = len(iterations(thread.sizes[Context.COPIED])), BYTES[kernel.element]
    pixels = thread.to(Context.X, at).read((number, x_row), (length, thread.sizes[Context.X_PIXEL]), (channels, size))
    whole = np.pad(pixels, ((0, 0), (before, behind), (0, 0))).transpose(2, 0, 1)
    per_channel = channels, thread.sizes[Context.SOURCE_CHANNEL]
    panel = thread.to(Context.PANEL, to - before * size)
    panel.write(whole, per_channel, (len(iterations(number)), panel_row), (whole.shape[2], size))


def pack_channels_last(kernel: PackChannelsLast, thread: Thread, op: Words, tile: Words) -> None:
    """Rows of x into the panel, channels innermost, in whole vectors: lanes behind the last channel are zero."""
    _, _, at, to, number, x_row, panel_row, length, before, behind = op[:10]
    channels, first = thread.sizes[Context.COPIED], 0
    if kernel.of_tile:
        channels, first = tile[Tile.COUNT], tile[Tile.OF_X]
    size, per_channel = BYTES[kernel.element], (len(iterations(channels)), thread.sizes[Context.X_CHANNEL])
    x = thread.to(Context.X, first, at).read(per_channel, (number, x_row), (length, size))
    whole = np.pad(x, ((0, -channels % kernel.lanes), (0, 0), (before, behind)))
    panel = thread.to(Context.PANEL, to - before * kernel.pixel)
    vectors = whole.reshape(-1, kernel.lanes, *whole.shape[1:]).transpose(0, 2, 3, 1)
    steps = kernel.lanes * size, panel_row, kernel.pixel, size
    panel.write(vectors, *zip(vectors.shape, steps, strict=True))


# ---- weights


def pack_on_the_fly(kernel: PackOnTheFly, thread: Thread, op: Words, tile: Words) -> None:
    """A block of the weights of a tile into the window."""
    thread.pack(tile[Tile.BLOCKS] + op[2])


def pack_cells(kernel: PackCells, thread: Thread, op: Words, tile: Words) -> None:
    """Cells of W with the channels of a tile innermost, those behind the last zero; the row of zeros for sums."""
    _, _, at, before, number, step = op[:6]
    lanes, size, count = kernel.lanes, BYTES[kernel.element], tile[Tile.COUNT]
    per_channel, values = thread.sizes[Context.W_CHANNEL], np.zeros((len(iterations(number)), kernel.weights))
    for vector, start in enumerate(kernel.starts):
        exist, source = min(lanes, count - start), thread.to(Context.W, tile[Tile.OF_W], at, start * per_channel)
        there = source.read((number, step), (exist, per_channel))
        values[:, vector * lanes : vector * lanes + exist] = there
    weights = thread.to(Context.WEIGHTS)
    weights.at(tile[Tile.BIAS]).write(np.zeros(kernel.weights), (kernel.weights, size))
    target = weights.at(tile[Tile.W] + before * kernel.weights * size)
    target.write(values, (number, kernel.weights * size), (kernel.weights, size))
