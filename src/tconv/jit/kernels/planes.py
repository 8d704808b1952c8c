"""Depthwise: one input channel a group, so that its weights stay in registers while pixels run along lanes.

For row after row of cells, a tile of `vectors` vectors of q makes all phases of the last axis, in `rows` phases
of the axis before it, and writes them interleaved:

    y[a, b, q] = bias + sum over sources (rows of x) and shifts of  x[source, q + shift] * w[source, shift, a, b]

Op: kernel, bytes, offset in the target, offset of the weights, number of rows, phases of the axis before that are
written, elements of a row of y, then the offset of each source for the first row.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

from tconv.jit.kernels.abi import PARAMETERS, Context, Tile
from tconv.jit.kernels.pixels import Stage, store_runs
from tconv.jit.machine.ir import BYTES, Function, Module, Value, Vector
from tconv.jit.machine.shuffles import interleave

#: Words before the sources.
HEAD = 7
Sums: TypeAlias = dict[tuple[int, int, int], str]  # (a, b, vector)


@dataclass(frozen=True, slots=True)
class Planes:
    """A size of the kernel."""

    element: str
    lanes: int
    vectors: int
    rows: int
    phases: int
    sources: tuple[Stage, ...]  #: what each row of x feeds
    streaming: bool  #: y is written past the caches, where it lies as that wants

    @property
    def run(self) -> int:
        """Elements of y in a row of the tile."""
        return self.vectors * self.lanes * self.phases


def emit(module: Module, name: str, kernel: Planes) -> Function:
    """Write the kernel."""
    f, v = module.function(name, PARAMETERS), Vector(kernel.element, kernel.lanes)
    weights = f.at(f.pointer("%context", Context.W), f.word("%tile", Tile.W))
    bias = f.broadcast(v, f.at(f.pointer("%context", Context.W), f.word("%tile", Tile.BIAS)))
    w = _weights(f, v, kernel, f.at(weights, f.word("%op", 3)))
    y = f.at(f.at(f.pointer("%context", Context.TARGET), f.word("%tile", Tile.TARGET)), f.word("%op", 2))
    source = f.pointer("%context", Context.SOURCE)
    x = [f.at(source, f.word("%op", HEAD + number)) for number in range(len(kernel.sources))]
    x_row, y_row = f.word("%context", Context.SOURCE_ROW), f.word("%context", Context.Y_ROW)
    per_phase = f.word("%context", Context.Y_PHASE)
    phases, elements = f.word("%op", 5), f.word("%op", 6)
    with f.loop(f.word("%op", 4), carried=[("ptr", y), *(("ptr", p) for p in x)], once=True) as (_, [y_here, *x_here]):
        with f.loop(elements, step=kernel.run) as (first, _):
            offset = f.let(f"sdiv i64 {f.mul(first, BYTES[v.element])}, {kernel.phases}")
            sums = _sums(f, v, kernel, [f.at(p, offset) for p in x_here], w, bias)
            target, left = f.at(y_here, f.mul(first, BYTES[v.element])), f.sub(elements, first)
            _store(f, v, kernel, sums, target, per_phase, phases, left)
        f.next(f.at(y_here, y_row), *(f.at(p, x_row) for p in x_here))
    f.ret()
    return f


def _weights(f: Function, v: Vector, kernel: Planes, weights: str) -> list[str]:
    """Every weight, in all lanes."""
    return list(f.broadcasts(v, weights, sum(len(fed) for source in kernel.sources for _, fed in source)))


def _sums(f: Function, v: Vector, kernel: Planes, x: list[str], w: list[str], bias: str) -> Sums:
    """One tile: each vector of x is loaded once."""
    sums = dict.fromkeys(product(range(kernel.rows), range(kernel.phases), range(kernel.vectors)), bias)
    weight = iter(w)
    for pointer, source in zip(x, kernel.sources, strict=True):
        for shift, fed in source:
            cells = [
                f.vload(v, pointer, BYTES[v.element] * (shift + vector * v.lanes)) for vector in range(kernel.vectors)
            ]
            for a, b in fed:
                factor = next(weight)
                for vector, cell in enumerate(cells):
                    sums[a, b, vector] = f.fma(v, cell, factor, sums[a, b, vector])
    return sums


def _store(
    f: Function, v: Vector, kernel: Planes, sums: Sums, y: str, per_phase: str, phases: str, left: Value
) -> None:
    """Write the tile, the last of a row in part."""
    for a in range(kernel.rows):
        run = [
            piece
            for vector in range(kernel.vectors)
            for piece in interleave(f, v, [sums[a, b, vector] for b in range(kernel.phases)])
        ]
        exists = f.when(f.compare("slt", a, phases)) if a else nullcontext()
        with exists, f.choose(f.compare("sge", left, kernel.run)) as (full, partial):
            with full:
                _store_full(f, v, kernel, run, y)
            with partial:
                _store_part(f, v, kernel, run, y, left)
        y = f.at(y, per_phase) if a + 1 < kernel.rows else y


def _store_full(f: Function, v: Vector, kernel: Planes, run: list[str], y: str) -> None:
    if not kernel.streaming:
        for j, piece in enumerate(run):
            f.vstore(v, piece, y, j * v.bytes)
        return
    with f.choose(f.aligned(y, v.bytes)) as (past, through):
        with past:
            for j, piece in enumerate(run):
                f.vstore(v, piece, y, j * v.bytes, streaming=True)
        with through:
            for j, piece in enumerate(run):
                f.vstore(v, piece, y, j * v.bytes)


def _store_part(f: Function, v: Vector, kernel: Planes, run: list[str], y: str, left: Value) -> None:
    """Write the last tile of a row, in part: whole vectors past the caches, as in whole tiles.

    Between stores past the caches each line that goes through them is waited for: at the end of every row, that took
    three times as long as the layer.
    """
    if not kernel.streaming:
        store_runs(f, v, [(y, run)], kernel.run, "0", left)
        return
    whole = f.compare("eq", f.let(f"and i64 {left}, {v.lanes - 1}"), 0)
    with f.choose(f.both(whole, f.aligned(y, v.bytes))) as (past, through):
        with past:
            for j, piece in enumerate(run[:-1]):
                with f.when(f.compare("sgt", left, j * v.lanes)):
                    f.vstore(v, piece, y, j * v.bytes, streaming=True)
        with through:
            store_runs(f, v, [(y, run)], kernel.run, "0", left)
