"""The chunks of schedules with taps in lanes: an image each, its copy, its products, and where they are added."""

from __future__ import annotations

from enum import auto

from tconv.jit.kernels.abi import Piece
from tconv.jit.machine.native.language import Ints, native
from tconv.jit.programs.loops.chunks import begin, classify, end, put, spread
from tconv.jit.programs.loops.finish import finish_rows
from tconv.jit.programs.loops.rows import row, rows_between
from tconv.jit.programs.loops.words import AXIS, AxisWords, Out, Words


class T(Words):
    """Words of a schedule."""

    SIZE = auto()  #: bytes of an element
    AXES = auto()  #: of the grids
    CELLS = auto()
    READ = auto()
    TERMS = auto()
    PIXELS = auto()
    LANES = auto()
    TILE = auto()  #: vectors of a tile
    VECTORS = auto()  #: of a part of it, at most
    TAPS = auto()
    SOURCE_CHANNEL = auto()
    FILL = auto()  #: the kernel that begins with the bias, elements of a channel of y, and where zeros lie
    FILLED = auto()
    ZEROS = auto()
    SIZES = auto()  #: sizes that parts come in
    SCATTER = auto()
    COPY = auto()
    FINISH = auto()  #: the kernel of the epilogue, or 0


class TapRun(Words):
    """Runs of the last axis that an op adds: how many cells, from which tap and cell on, and where in a row of y."""

    CELL = auto()
    CELLS = auto()
    TAP = auto()
    LENGTH = auto()
    START = auto()


RUN = len(TapRun)


@native
def chunks_of_taps(
    s: Ints, axes: Ints, grid: Ints, low: Ints, classes: Ints, runs: Ints, chunks: Ints, out: Ints
) -> int:
    """Write the copies and ops of an image, which all share; returns how many chunks there are.

    `axes` are the images and the cells of one, `grid` the axes of the grids, of which `low` says dilation and crop.
    """
    classify(axes, 2, classes)
    op = begin(out, s[T.COPY])
    put(out, 0)
    put(out, 0)
    put(out, 1)
    put(out, 0)
    put(out, 0)
    put(out, s[T.CELLS])
    put(out, 0)
    put(out, 0)
    end(out, op)
    middle = out[Out.USED]
    op = begin(out, s[T.FILL])
    put(out, s[T.FILLED])
    put(out, s[T.ZEROS])
    put(out, 0)
    put(out, 1)
    put(out, 0)
    end(out, op)
    products(s, out)
    scatters(s, grid, low, runs, out)
    if s[T.FINISH]:
        finish_rows(s[T.FINISH], 0, s[T.FILLED], 1, 0, s[T.SIZE], out)
    chunks[Piece.COPIES], chunks[Piece.COPIES_END] = 0, 8 * middle
    chunks[Piece.OPS], chunks[Piece.OPS_END] = 8 * middle, 8 * out[Out.USED]
    return spread(axes, 2, classes, chunks)


@native
def products(s: Ints, out: Ints) -> None:
    """The products of all cells, a part of the lanes after the other: sums of so many terms each."""
    parts, lane = -(-s[T.TILE] // s[T.VECTORS]), 0
    tiles, sums = -(-s[T.CELLS] // s[T.PIXELS]), -(-s[T.READ] // s[T.TERMS])
    for part in range(parts):
        smaller = part >= s[T.TILE] % parts and s[T.TILE] % parts > 0
        vectors, cell = s[T.TILE] // parts + (part < s[T.TILE] % parts), 0
        for tile in range(tiles):
            fewer = tile >= s[T.CELLS] % tiles and s[T.CELLS] % tiles > 0
            pixels, first = s[T.CELLS] // tiles + (tile < s[T.CELLS] % tiles), 0
            for number in range(sums):
                terms = s[T.READ] // sums + (number < s[T.READ] % sums)
                # Of two sizes the larger kernel comes first.
                op = begin(out, fewer * s[T.SIZES] + smaller)
                put(out, 1)
                put(out, 0)
                put(out, first > 0)
                put(out, terms)
                put(out, first)
                put(out, (cell * s[T.TILE] * s[T.LANES] + lane) * s[T.SIZE])
                put(out, part)
                put(out, 0)
                put(out, cell * s[T.SIZE] + first * s[T.SOURCE_CHANNEL])
                end(out, op)
                first += terms
            cell += pixels
        lane += vectors * s[T.LANES]


@native
def lands(grid: Ints, low: Ints, cell: int, tap: int) -> int:
    """Where a tap of a cell lands along an axis; -1: not in y."""
    at = cell * grid[AxisWords.STRIDE] + tap * low[0] - low[1]
    return at if 0 <= at < grid[AxisWords.WRITTEN] else -1


@native
def scatters(s: Ints, grid: Ints, low: Ints, runs: Ints, out: Ints) -> None:
    """The block into y: rows of cells, each for the rows of taps that land in y."""
    outer = s[T.AXES] - 1
    count = list_runs(grid[outer * AXIS :], low[2 * outer :], runs)
    for n in range(outer):
        grid[n * AXIS + AxisWords.FROM], grid[n * AXIS + AxisWords.TO] = 0, grid[n * AXIS + AxisWords.READ]
    before, combinations = outer - 1, 1
    for n in range(before):
        combinations *= grid[n * AXIS + AxisWords.KERNEL]
    for cells in range(rows_between(grid, outer)):
        row(grid, outer, cells)
        for combination in range(combinations):
            rows_of_taps(s, grid, low, runs, count, cells, combination, out)


@native
def rows_of_taps(
    s: Ints, grid: Ints, low: Ints, runs: Ints, count: int, cells: int, combination: int, out: Ints
) -> None:  # fmt: skip
    """What a row of cells adds, for taps of the axes before the last two: those of the next one follow each other."""
    outer = s[T.AXES] - 1
    last, y, tap, scale, rest = outer * AXIS, 0, 0, 1, combination
    rows, step = 1, 0
    if outer:
        # The taps of the axis before the last that land.
        axis, first = (outer - 1) * AXIS, 0
        rows = 0
        for n in range(grid[axis + AxisWords.KERNEL]):
            if lands(grid[axis:], low[2 * (outer - 1) :], grid[axis + AxisWords.AT], n) >= 0:
                if rows == 0:
                    first = n
                rows += 1
        if rows == 0:
            return
        y = lands(grid[axis:], low[2 * (outer - 1) :], grid[axis + AxisWords.AT], first) * grid[axis + AxisWords.Y_STEP]
        tap, scale, step = first, grid[axis + AxisWords.KERNEL], low[2 * (outer - 1)] * grid[axis + AxisWords.Y_STEP]
        for reverse in range(outer - 1):
            number = outer - 2 - reverse
            axis = number * AXIS
            n = rest % grid[axis + AxisWords.KERNEL]
            rest = rest // grid[axis + AxisWords.KERNEL]
            at = lands(grid[axis:], low[2 * number :], grid[axis + AxisWords.AT], n)
            if at < 0:
                return
            y += at * grid[axis + AxisWords.Y_STEP]
            tap += n * scale
            scale *= grid[axis + AxisWords.KERNEL]
    for number in range(count):
        run = number * RUN
        block = (cells * grid[last + AxisWords.READ] + runs[run + TapRun.CELL]) * s[T.TILE] * s[T.LANES]
        op = begin(out, s[T.SCATTER])
        put(out, (block + tap * grid[last + AxisWords.KERNEL] + runs[run + TapRun.TAP]) * s[T.SIZE])
        put(out, y + runs[run + TapRun.START] * grid[last + AxisWords.Y_STEP])
        put(out, runs[run + TapRun.LENGTH])
        put(out, runs[run + TapRun.CELLS])
        put(out, grid[last + AxisWords.STRIDE] * grid[last + AxisWords.Y_STEP])
        put(out, rows)
        put(out, grid[last + AxisWords.KERNEL] * s[T.SIZE])
        put(out, step)
        put(out, s[T.TAPS] * s[T.SIZE])
        end(out, op)


@native
def put_run(runs: Ints, count: int, cell: int, cells: int, tap: int, length: int, start: int) -> int:
    """List a run behind others; how many they are."""
    run = count * RUN
    runs[run + TapRun.CELL], runs[run + TapRun.CELLS], runs[run + TapRun.TAP] = cell, cells, tap
    runs[run + TapRun.LENGTH], runs[run + TapRun.START] = length, start
    return count + 1


@native
def list_runs(last: Ints, low: Ints, runs: Ints) -> int:
    """List what is added along the last axis: all taps of many cells, or those that land; or tap by tap."""
    count, kernel, stride = 0, last[AxisWords.KERNEL], last[AxisWords.STRIDE]
    if low[0] != 1:
        for tap in range(kernel):
            at = tap * low[0] - low[1]
            first = max(0, -(at // stride))
            stop = min(last[AxisWords.READ], -((at - last[AxisWords.WRITTEN]) // stride))
            if first < stop:
                count = put_run(runs, count, first, stop - first, tap, 1, first * stride + at)
        return count
    first = max(0, -((-low[1]) // stride))
    stop = min(last[AxisWords.READ], (last[AxisWords.WRITTEN] - kernel + low[1]) // stride + 1)
    if first < stop:
        count = put_run(runs, count, first, stop - first, 0, kernel, first * stride - low[1])
    for cell in range(last[AxisWords.READ]):
        start = cell * stride - low[1]
        tap, ends = max(0, -start), min(kernel, last[AxisWords.WRITTEN] - start)
        if not (first <= cell < stop) and tap < ends:
            count = put_run(runs, count, cell, 1, tap, ends - tap, start + tap)
    return count
