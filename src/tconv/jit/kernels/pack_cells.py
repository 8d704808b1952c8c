"""Cells of the coarse grid with the channels of a tile innermost, as channels in lanes want their weights.

The other factor of a weight gradient: what `kernels/pack_weights.py` does for weights, once a chunk, near its use. In
front of the cells lies a row of zeros, with which sums begin.

Op: kernel, bytes, offset in W, how many cells lie before these, cells, bytes of W from one to the next.
Where cells lie side by side squares are transposed in registers. A last square that is not whole writes cells behind
the last: scratch has room for them, and what belongs there is written later. Lanes behind the last channel are zero.
"""

from __future__ import annotations

from dataclasses import dataclass

from tconv.jit.kernels.abi import PARAMETERS, Context, Tile
from tconv.jit.kernels.pack_channels_last import load_part
from tconv.jit.machine.ir import BYTES, Function, Module, Value, Vector
from tconv.jit.machine.shuffles import interleave


@dataclass(frozen=True, slots=True)
class PackCells:
    """The kernel that copies cells for tiles of so many vectors."""

    element: str
    lanes: int
    vectors: int
    transposed: bool  #: cells lie side by side; else channels do
    tail: int  #: elements that are left for the last vector, where it overlaps the one before; else all its lanes

    @property
    def weights(self) -> int:
        """Elements that are written for each cell."""
        return self.vectors * self.lanes

    @property
    def starts(self) -> tuple[int, ...]:
        """The channel that each vector begins with, as in `kernels/channels.py`."""
        whole = range(0, self.lanes * (self.vectors - 1), self.lanes)
        return (*whole, max(0, self.lanes * (self.vectors - 2) + self.tail))


#: How many squares ahead cells are asked for: each reads lines of as many channels, which hardware does not foresee.
AHEAD = 2


def emit(module: Module, name: str, kernel: PackCells) -> Function:
    """Write the kernel."""
    f, v = module.function(name, PARAMETERS), Vector(kernel.element, kernel.lanes)
    weights = f.pointer("%context", Context.WEIGHTS)
    zeros = f.at(weights, f.word("%tile", Tile.BIAS))
    for vector in range(kernel.vectors):
        f.vstore(v, "zeroinitializer", zeros, vector * v.bytes)
    source = f.at(f.at(f.pointer("%context", Context.W), f.word("%tile", Tile.OF_W)), f.word("%op", 2))
    before = f.mul(f.word("%op", 3), kernel.vectors * v.bytes)
    target = f.at(f.at(weights, f.word("%tile", Tile.W)), before)
    (_transposed if kernel.transposed else _copied)(f, v, kernel, source, target)
    f.ret()
    return f


def _transposed(f: Function, v: Vector, kernel: PackCells, source: str, target: str) -> None:
    """Squares of a vector of channels by as many cells."""
    size, channels, cells = BYTES[v.element], f.word("%tile", Tile.COUNT), f.word("%op", 4)
    per_channel, cell = f.word("%context", Context.W_CHANNEL), kernel.vectors * v.bytes
    carried = [("ptr", source), ("ptr", target)]
    with f.loop(channels, step=v.lanes, carried=carried, once=True) as (first, [x, to]):
        remaining = f.sub(channels, first)
        with f.loop(cells, step=v.lanes, carried=[("ptr", x), ("ptr", to)], once=True) as (i, [here, there]):
            left = f.sub(cells, i)
            whole = f.both(f.compare("sge", left, v.lanes), f.compare("sge", remaining, v.lanes))
            with f.choose(whole) as (full, partial):
                with full:
                    places = _lanes(f, v, here, per_channel)
                    for place in places:
                        f.prefetch(place, AHEAD * v.bytes)
                    _square(f, v, [f.vload(v, place) for place in places], there, cell)
                with partial:
                    count, places = f.smaller(left, v.lanes), _lanes(f, v, here, per_channel)
                    rows = [load_part(f, v, place, count, remaining, lane) for lane, place in enumerate(places)]
                    _square(f, v, rows, there, cell)
            f.next(f.at(here, v.lanes * size), f.at(there, v.lanes * cell))
        f.next(f.at(x, f.mul(per_channel, v.lanes)), f.at(to, v.bytes))


def _lanes(f: Function, v: Vector, start: str, step: str) -> list[str]:
    """Where each row of a square begins."""
    places = [start]
    for _ in range(v.lanes - 1):
        places.append(f.at(places[-1], step))
    return places


def _square(f: Function, v: Vector, rows: list[str], target: str, cell: int) -> None:
    for lane, value in enumerate(interleave(f, v, rows)):
        f.vstore(v, value, target, lane * cell)


def _copied(f: Function, v: Vector, kernel: PackCells, source: str, target: str) -> None:
    """Vectors of neighbouring channels."""
    channels = f.word("%tile", Tile.COUNT)
    if kernel.vectors > 1 and kernel.tail < kernel.lanes:  # the last overlaps the one before
        _cells(f, v, kernel, source, target, None)
        return
    with f.choose(f.compare("sge", channels, kernel.weights)) as (full, partial):
        with full:
            _cells(f, v, kernel, source, target, None)
        with partial:
            _cells(f, v, kernel, source, target, f.sub(channels, kernel.weights - kernel.lanes))


def _cells(f: Function, v: Vector, kernel: PackCells, source: str, target: str, left: Value | None) -> None:
    """Cell by cell; of the last vector the first `left` channels exist, or all."""
    size, carried = BYTES[v.element], [("ptr", source), ("ptr", target)]
    mask = f.lanes_between(v, None, left) if left is not None and f.module.isa.masks else ""
    with f.loop(f.word("%op", 4), carried=carried, once=True) as (_, [here, there]):
        for vector, start in enumerate(kernel.starts):
            where, last = f.at(here, start * size), vector == kernel.vectors - 1
            if left is None or not last:
                value = f.vload(v, where)
            else:
                value = f.masked_load(v, where, mask) if mask else load_part(f, v, where, left, 1, 0)
            f.vstore(v, value, there, vector * v.bytes)
        f.next(f.at(here, f.word("%op", 5)), f.at(there, kernel.vectors * v.bytes))
