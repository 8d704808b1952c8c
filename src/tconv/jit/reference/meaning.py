"""What each kernel does, in NumPy: one short function a kind, on memory that checks every access.

These functions are the definition of the kernels; `kernels/*.py` generate code that does the same, faster. Each takes
the description of a kernel, its thread, its op and its tile as lists of words (see `kernels/abi.py`). Lanes are axes of
arrays here, so that what generated code keeps in registers reads as an expression.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any, TypeAlias

import numpy as np

from tconv.jit.kernels.abi import Context, Tile
from tconv.jit.kernels.at_once import HEAD as AT_ONCE_HEAD
from tconv.jit.kernels.at_once import AtOnce
from tconv.jit.kernels.channels import HEAD as CHANNELS_HEAD
from tconv.jit.kernels.channels import TAP as CHANNELS_TAP
from tconv.jit.kernels.channels import Channels
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
from tconv.jit.machine.ir import BYTES
from tconv.jit.reference.memory import OutOfBounds, Pointer
from tconv.problem import Array

Words: TypeAlias = list[int]


@dataclass(frozen=True)
class Thread:
    """The context of a thread."""

    pointers: Mapping[Context, Pointer]
    sizes: Mapping[Context, int]
    pack: Callable[[int], None]  #: a block of weights, given where it lies in the program, into W

    def to(self, where: Context, *offsets: int) -> Pointer:
        """The place so many bytes behind one of its addresses."""
        return self.pointers[where].at(sum(offsets))


def iterations(stop: int, step: int = 1) -> range:
    """The iterations of a loop that generated code tests at its end: there has to be one."""
    if stop < 1:
        raise OutOfBounds(f"loops over {stop} where at least 1 is wanted")
    return range(0, stop, step)


def entries(words: Words, first: int, count: int, width: int) -> list[Words]:
    """A table within an op: so many entries of `width` words."""
    end = first + count * width
    if end > len(words):
        raise OutOfBounds(f"reads words up to {end} of an op of {len(words)}")
    return [words[start : start + width] for start in range(first, end, width)]


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
    lanes, size, lane = kernel.weights, BYTES[kernel.element], _lanes(kernel)
    begin = np.zeros(len(lane))
    if not kernel.cells:
        bias = thread.to(Context.WEIGHTS, tile[Tile.BIAS]).read((lanes, size))[lane]
        begin = np.zeros_like(bias) if adds else bias
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
    for row, at in zip(sums, targets, strict=True):
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
                read = x.at(shift * kernel.x_pixel).read((number, kernel.x_pixel), (kernel.lanes, size))
                for a, b, tap in fed:
                    sums[a, b] += read * w.at(tile[Tile.W] + tap * tile[Tile.TAP] + lanes).read((kernel.lanes, size))
        y = thread.to(Context.TARGET, tile[Tile.TARGET], at, start * size)
        columns = (number, kernel.phases[1] * kernel.y_pixel), (kernel.phases[1], kernel.y_pixel), (kernel.lanes, size)
        y.write(np.moveaxis(sums, 1, 2), (kernel.phases[0], thread.sizes[Context.Y_PHASE]), *columns)


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


def fill(kernel: Fill, thread: Thread, op: Words, tile: Words) -> None:
    """The bias into runs of y, for the channels of a tile."""
    _, _, elements, biases, at, number, per_run = op[:7]
    size, channels = BYTES[kernel.element], len(iterations(tile[Tile.COUNT]))
    bias = thread.to(Context.W, tile[Tile.BIAS], biases).read((channels, size))
    planes = (channels, thread.sizes[Context.Y_CHANNEL]), (len(iterations(number)), per_run), (elements, size)
    y = thread.to(Context.Y, tile[Tile.Y], at)
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
}
