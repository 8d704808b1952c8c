"""Pixels in lanes: vectors run along the innermost axis of both grids, weights are scalars.

A tile is `rows` phases of the axis before the last, `channels` output channels, `phases` phases of the innermost axis
and `vectors` vectors of q. Its sums stay in registers:

    sum[a, m, b, v] = bias[m] + sum over rows of x, input channels i and shifts of  x[i, q + shift] * w[i, m, tap]

All phases b of the innermost axis are computed together and interleaved in registers, so that y is written in runs.
Rows of x that feed the same phases make a stage, one loop of code; rows that lie outside x are not in the op at all.
Long sums come in parts, which are added up beside the registers. With each input channel one line of x is asked for
that the next chunk will copy: copies alone would wait for memory, products alone leave it idle.

x lies in the panel, with zeros around its rows, or where it is: then cells beside it are masked.

Op: kernel, bytes, segments, in place the cells that exist (the first, behind the last, counted from that of the first
lane), rows of each stage, then for each row, or part of its channels, (offset of x, tap, first
input channel, number of them, what to ask for in x), then for each segment (offset of y, low, high, phases). A segment
is one row of y that the tile reaches; lanes from low to high of its run of vectors * lanes * phases elements are
written, in the first `phases` of its rows.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple, TypeAlias

from tconv.jit.kernels.abi import PARAMETERS, Context, Tile
from tconv.jit.kernels.in_registers import activated
from tconv.jit.machine.ir import BYTES, Function, Module, Value, Vector
from tconv.jit.machine.shuffles import interleave

#: (shift along the innermost axis, the (a, b) it feeds), in the order of the packed weights.
Stage: TypeAlias = tuple[tuple[int, tuple[tuple[int, int], ...]], ...]


@dataclass(frozen=True, slots=True)
class Pixels:
    """A size of the kernel."""

    element: str
    lanes: int
    channels: int
    vectors: int
    rows: int
    phases: int
    stages: tuple[Stage, ...]
    parts: bool = False  #: each row of the op is a sum of its own
    channels_last: bool = False  #: channels lie innermost in y: a pixel's are one run, all of them in the tile
    in_place: bool = False  #: x is read where it is
    flat: bool = False  #: tiles span rows, which reach few of their vectors
    streaming: bool = False  #: whole lines of y go past the caches
    then: str = ""  #: an activation that is applied to sums (`in_registers.py`)

    @property
    def weights(self) -> tuple[int, ...]:
        """Weights an input channel, for each stage."""
        return tuple(self.channels * sum(len(fed) for _, fed in stage) for stage in self.stages)

    @property
    def head(self) -> int:
        """Words of an op before the counts of rows."""
        return HEAD + 2 * self.in_place

    @property
    def run(self) -> int:
        """Elements of y in a row of the tile, one after the other."""
        return self.vectors * self.lanes * self.phases * (self.channels if self.channels_last else 1)


#: How many bytes ahead weights are asked for. Measured, on AMD Zen 5: up to 8 % where they are 1 MB or more.
AHEAD, LINE = 1024, 64
#: Words before the counts of rows (in place two more), and words of a row and of a segment.
HEAD, ROW, SEGMENT = 3, 5, 4

Sum: TypeAlias = tuple[int, int, int, int]  # a, channel, b, vector


class Operands(NamedTuple):
    """What the rows of a tile are multiplied by, and in place which lanes of x exist, by the cell of the first."""

    weights: str
    masks: dict[int, str]


def emit(module: Module, name: str, kernel: Pixels) -> Function:
    """Write the kernel."""
    f, v = module.function(name, PARAMETERS), Vector(kernel.element, kernel.lanes)
    fed = {pair for stage in kernel.stages for _, pairs in stage for pair in pairs}
    sums = {key: start for key, start in _begin(f, v, kernel).items() if (key[0], key[2]) in fed}
    beside = Beside(f, v, sums) if kernel.parts else None
    given = Operands(f.at(f.pointer("%context", Context.W), f.word("%tile", Tile.W)), _masks(f, v, kernel))
    row = f.at("%op", 8 * (kernel.head + len(kernel.stages)))
    for number in range(len(kernel.stages)):
        row = _stage(f, v, kernel, number, given, row, sums, beside)
    if beside:
        sums = beside.load()
    if len(fed) < kernel.rows * kernel.phases:
        sums |= {key: start for key, start in _begin(f, v, kernel).items() if key not in sums}
    sums = dict(zip(sums, activated(f, v, kernel.then, list(sums.values())), strict=True))
    runs = [_runs(f, v, kernel, a, sums) for a in range(kernel.rows)]
    y = f.at(f.pointer("%context", Context.Y), f.word("%tile", Tile.Y))
    with f.loop(f.word("%op", 2), carried=[("ptr", row)], once=True) as (_, [segment]):
        _store(f, v, kernel, runs, f.at(y, f.word(segment, 0)), segment)
        f.next(f.at(segment, 8 * SEGMENT))
    f.ret()
    return f


def _masks(f: Function, v: Vector, kernel: Pixels) -> dict[int, str]:
    """The lanes that exist of every vector of x that is read where it is, by the cell of its first lane."""
    if not kernel.in_place:
        return {}
    first, end = f.word("%op", HEAD), f.word("%op", HEAD + 1)
    shifts = sorted({shift for stage in kernel.stages for shift, _ in stage})
    cells = dict.fromkeys(shift + vector * v.lanes for shift in shifts for vector in range(kernel.vectors))
    return {cell: f.lanes_between(v, first, end, cell) for cell in cells}


def _runs(f: Function, v: Vector, kernel: Pixels, a: int, sums: dict[Sum, str]) -> list[list[str]]:
    """The vectors of each run of a row of y: phases side by side, and channels where those lie innermost."""
    alone = [[m] for m in range(kernel.channels)]
    found = []
    for channels in [list(range(kernel.channels))] if kernel.channels_last else alone:
        beside = list(product(range(kernel.phases), channels))
        parts = ([sums[a, m, b, vector] for b, m in beside] for vector in range(kernel.vectors))
        found.append([piece for part in parts for piece in interleave(f, v, part)])
    return found


def _begin(f: Function, v: Vector, kernel: Pixels) -> dict[Sum, str]:
    """Every sum starts with the bias of its channel."""
    bias = f.at(f.pointer("%context", Context.W), f.word("%tile", Tile.BIAS))
    starts = [f.broadcast(v, bias, m * BYTES[v.element]) for m in range(kernel.channels)]
    return {
        (a, m, b, vector): starts[m]
        for a in range(kernel.rows)
        for m in range(kernel.channels)
        for b in range(kernel.phases)
        for vector in range(kernel.vectors)
    }


class Beside:
    """Sums that wait on the stack while those of their next part are in registers."""

    def __init__(self, f: Function, v: Vector, sums: dict[Sum, str]) -> None:
        self.f, self.v = f, v
        self.places = {key: number * v.bytes for number, key in enumerate(sums)}
        self.buffer = f.stack(len(sums) * v.bytes)
        for key, start in sums.items():
            f.vstore(v, start, self.buffer, self.places[key])

    def add(self, parts: dict[Sum, str]) -> None:
        """Add the sums of a part to those that wait, whose keys they have."""
        for key, part in parts.items():
            total = self.f.let(f"fadd {self.v.text} {self.f.vload(self.v, self.buffer, self.places[key])}, {part}")
            self.f.vstore(self.v, total, self.buffer, self.places[key])

    def load(self) -> dict[Sum, str]:
        """Load all sums that wait."""
        return {key: self.f.vload(self.v, self.buffer, place) for key, place in self.places.items()}


def _stage(
    f: Function,
    v: Vector,
    kernel: Pixels,
    number: int,
    given: Operands,
    row: str,
    sums: dict[Sum, str],
    beside: Beside | None,
) -> str:
    """Add what the rows of a stage give; returns the address behind its rows."""
    fed = {pair for _, pairs in kernel.stages[number] for pair in pairs}
    keys = [key for key in sums if (key[0], key[2]) in fed]
    carried = [] if beside else [(v.text, sums[key]) for key in keys]
    with f.loop(f.word("%op", kernel.head + number), carried=[("ptr", row), *carried]) as (_, [here, *before]):
        begun = before or ["zeroinitializer"] * len(keys)
        totals = _row(f, v, kernel, number, given, here, dict(zip(keys, begun, strict=True)))
        if beside:
            beside.add(totals)
        f.next(f.at(here, 8 * ROW), *([] if beside else totals.values()))
    sums.update(zip(keys, f.results[1:], strict=False))
    return f.results[0]


def _row(
    f: Function, v: Vector, kernel: Pixels, number: int, given: Operands, row: str, sums: dict[Sum, str]
) -> dict[Sum, str]:
    """Add what one row gives."""
    stage, size = kernel.stages[number], kernel.weights[number] * BYTES[v.element]
    step = f.word("%context", Context.SOURCE_CHANNEL)
    x = f.at(f.pointer("%context", Context.SOURCE), f.word(row, 0))
    w = f.at(given.weights, f.mul(f.word(row, 1), f.word("%tile", Tile.TAP)))
    w = f.at(w, f.mul(f.word(row, 2), size))
    ahead = f.at(f.at(f.pointer("%context", Context.X), f.word(row, 4)), f.word("%tile", Tile.AHEAD))
    line = f.word("%context", Context.X_AHEAD)
    carried = [("ptr", x), ("ptr", w), ("ptr", ahead), *((v.text, value) for value in sums.values())]
    with f.loop(f.word(row, 3), carried=carried, once=True) as (_, [x_here, w_here, later, *values]):
        now = dict(zip(sums, values, strict=True))
        _multiply(f, v, kernel, stage, _reader(f, v, x_here, given.masks), w_here, now)
        for start in range(0, size, LINE):
            f.prefetch(w_here, AHEAD + start)
        f.prefetch(later, level=2)
        f.next(f.at(x_here, step), f.at(w_here, size), f.at(later, line), *now.values())
    return dict(zip(sums, f.results[3:], strict=True))


def _reader(f: Function, v: Vector, x: str, masks: dict[int, str]) -> Callable[[int], str]:
    """Loads the vector of x whose first lane is so many cells further on."""

    def read(cell: int) -> str:
        offset = cell * BYTES[v.element]
        return f.masked_load(v, x, masks[cell], offset) if masks else f.vload(v, x, offset)

    return read


def _multiply(
    f: Function, v: Vector, kernel: Pixels, stage: Stage, read: Callable[[int], str], w: str, sums: dict[Sum, str]
) -> None:
    """One input channel: each vector of x is loaded once and meets every weight it feeds."""
    weights = f.broadcasts(v, w, sum(kernel.channels * len(pairs) for _, pairs in stage))
    for shift, pairs in stage:
        cells = [read(shift + vector * v.lanes) for vector in range(kernel.vectors)]
        for a, b in pairs:
            for m in range(kernel.channels):
                scalar = next(weights)
                for vector, cell in enumerate(cells):
                    sums[a, m, b, vector] = f.fma(v, cell, scalar, sums[a, m, b, vector])


def _store(f: Function, v: Vector, kernel: Pixels, runs: list[list[list[str]]], y: str, segment: str) -> None:
    """Write a segment."""
    low, high, phases = (f.word(segment, word) for word in (1, 2, 3))
    per_channel, per_row = f.word("%context", Context.Y_CHANNEL), f.word("%context", Context.Y_PHASE)
    whole = f.both(f.compare("sle", low, 0), f.compare("sge", high, kernel.run))
    for a in range(kernel.rows):
        with f.when(f.compare("slt", a, phases)) if a else nullcontext():
            here, address = [], y
            for run in runs[a]:
                here.append((address, run))
                address = f.at(address, per_channel)
            with f.choose(whole) as (full, partial):
                with full:
                    _store_whole(f, v, kernel, here)
                with partial:
                    store_runs(f, v, here, kernel.run, low, high, looks=kernel.flat)
        y = f.at(y, per_row) if a + 1 < kernel.rows else y


def _store_whole(f: Function, v: Vector, kernel: Pixels, runs: list[tuple[str, list[str]]]) -> None:
    """Write runs of vectors, past the caches where these are whole lines: all of them begin alike within a line."""

    def store(*, streaming: bool) -> None:
        for address, run in runs:
            for j, piece in enumerate(run):
                f.vstore(v, piece, address, j * v.bytes, streaming=streaming)

    if not kernel.streaming or kernel.run * BYTES[v.element] % LINE:
        store(streaming=False)
        return
    with f.choose(f.aligned(runs[0][0], LINE)) as (past, through):
        with past:
            store(streaming=True)
        with through:
            store(streaming=False)


def store_runs(
    f: Function,
    v: Vector,
    runs: list[tuple[str, list[str]]],
    length: int,
    low: Value,
    high: Value,
    *,
    looks: bool = False,
) -> None:
    """Write lanes low to high of runs of vectors: under masks, or where those are slow, by way of the stack.

    `looks`: leave out the vectors that have none of these lanes.
    """
    if f.module.isa.masks and looks:
        for j, begin in enumerate(range(0, length, v.lanes)):
            with f.when(f.both(f.compare("slt", low, begin + v.lanes), f.compare("sgt", high, begin))):
                mask = f.lanes_between(v, low, high, begin)
                for address, run in runs:
                    f.masked_store(v, run[j], address, mask, j * v.bytes)
        return
    if f.module.isa.masks:
        masks = [f.lanes_between(v, low, high, first) for first in range(0, length, v.lanes)]
        for address, run in runs:
            for j, piece in enumerate(run):
                f.masked_store(v, piece, address, masks[j], j * v.bytes)
        return
    buffer, size = f.stack(length * BYTES[v.element]), BYTES[v.element]
    first = f.larger(low, 0)
    count = f.sub(f.smaller(high, length), first)
    start = f.mul(first, size)
    for address, run in runs:
        for j, piece in enumerate(run):
            f.vstore(v, piece, buffer, j * v.bytes)
        source, target = f.at(buffer, start), f.at(address, start)
        with f.loop(count) as (i, _):
            offset = f.mul(i, size)
            f.store(v.element, f.load(v.element, source, offset), target, offset)
