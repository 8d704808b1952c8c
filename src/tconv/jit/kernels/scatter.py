"""Where every tap of every cell has been multiplied: y begins with the bias, and the products of taps are added to it.

`Fill` writes the bias into runs of y, for each channel of a tile: whole planes, or rows that no tap reaches.

    Op: kernel, bytes, elements of a run, bytes from the tile's `BIAS` to the biases of its channels, offset in y, runs,
    bytes of y from one to the next.

`Scatter` adds runs of the block to y, for each channel of a tile, for cells and for rows of taps. Cells of the block
are `TARGET_PIXEL` bytes apart. Runs of one op may reach the same element of y: they follow in the order of the loops.

    Op: kernel, bytes, offset in the block, offset in y, elements of a run, cells, bytes of y from one to the next,
    rows, bytes of the block from one to the next, of y likewise, bytes of the block from a channel to the next.
"""

from __future__ import annotations

from dataclasses import dataclass

from tconv.jit.kernels.abi import PARAMETERS, Context, Tile
from tconv.jit.kernels.in_registers import activated
from tconv.jit.machine.ir import BYTES, Function, Module, Value, Vector


@dataclass(frozen=True, slots=True)
class Fill:
    """The kernel that writes the bias."""

    element: str
    lanes: int
    then: str = ""  #: an activation that is applied to it (`in_registers.py`)


@dataclass(frozen=True, slots=True)
class Scatter:
    """The kernel that adds."""

    element: str
    lanes: int


def emit_fill(module: Module, name: str, kernel: Fill) -> Function:
    """Write the kernel that begins runs."""
    f, v = module.function(name, PARAMETERS), Vector(kernel.element, kernel.lanes)
    size, elements = BYTES[v.element], f.word("%op", 2)
    bias = f.at(f.at(f.pointer("%context", Context.W), f.word("%tile", Tile.BIAS)), f.word("%op", 3))
    y = f.at(f.at(f.pointer("%context", Context.Y), f.word("%tile", Tile.Y)), f.word("%op", 4))
    runs, per_run, per_channel = f.word("%op", 5), f.word("%op", 6), f.word("%context", Context.Y_CHANNEL)
    whole = f.let(f"and i64 {elements}, {-v.lanes}")
    left = f.sub(elements, whole)
    mask = f.lanes_between(v, None, left) if module.isa.masks else ""
    with f.loop(f.word("%tile", Tile.COUNT), carried=[("ptr", bias), ("ptr", y)], once=True) as (_, [here, plane]):
        scalar = f.load(v.element, here)
        [value] = activated(f, v, kernel.then, [f.splat(v, scalar)])
        if kernel.then:
            scalar = f.let(f"extractelement {v.text} {value}, i32 0")
        with f.loop(runs, carried=[("ptr", plane)], once=True) as (_, [run]):
            with f.loop(whole, step=v.lanes) as (i, _):
                f.vstore(v, value, run, f.mul(i, size))
            rest = f.at(run, f.mul(whole, size))
            if module.isa.masks:
                with f.when(f.compare("ne", left, 0)):
                    f.masked_store(v, value, rest, mask)
            else:
                with f.loop(left) as (i, _):
                    f.store(v.element, scalar, rest, f.mul(i, size))
            f.next(f.at(run, per_run))
        f.next(f.at(here, size), f.at(plane, per_channel))
    f.ret()
    return f


def emit_scatter(module: Module, name: str, kernel: Scatter) -> Function:
    """Write the kernel that adds runs."""
    f, v = module.function(name, PARAMETERS), Vector(kernel.element, kernel.lanes)
    block = f.at(f.pointer("%context", Context.BLOCK), f.word("%op", 2))
    y = f.at(f.at(f.pointer("%context", Context.Y), f.word("%tile", Tile.Y)), f.word("%op", 3))
    per_cell, per_channel = f.word("%context", Context.TARGET_PIXEL), f.word("%context", Context.Y_CHANNEL)
    cells, y_cell, rows, block_row, y_row, block_channel = (f.word("%op", word) for word in range(5, 11))
    run = _Run(f, v, f.word("%op", 4))
    start = [("ptr", block), ("ptr", y)]
    with f.loop(f.word("%tile", Tile.COUNT), carried=start, once=True) as (_, [of_channel, plane]):
        with f.loop(cells, carried=[("ptr", of_channel), ("ptr", plane)], once=True) as (_, [of_cell, first]):
            with f.loop(rows, carried=[("ptr", of_cell), ("ptr", first)], once=True) as (_, [here, there]):
                run.add(here, there)
                f.next(f.at(here, block_row), f.at(there, y_row))
            f.next(f.at(of_cell, per_cell), f.at(first, y_cell))
        f.next(f.at(of_channel, block_channel), f.at(plane, per_channel))
    f.ret()
    return f


class _Run:
    """Neighbouring elements: whole vectors, and the rest under a mask, or one by one where masks are slow."""

    def __init__(self, f: Function, v: Vector, length: str) -> None:
        self.f, self.v, self.size = f, v, BYTES[v.element]
        self.whole = f.let(f"and i64 {length}, {-v.lanes}")
        self.rest = f.sub(length, self.whole)
        self.mask = f.lanes_between(v, None, self.rest) if f.module.isa.masks else ""

    def add(self, source: str, target: str) -> None:
        """Add them to the target."""
        f, v = self.f, self.v
        with f.loop(self.whole, step=v.lanes) as (i, _):
            at = f.mul(i, self.size)
            f.vstore(v, self._sum(v.text, f.vload(v, source, at), f.vload(v, target, at)), target, at)
        at = f.mul(self.whole, self.size)
        source, target = f.at(source, at), f.at(target, at)
        if self.mask:
            with f.when(f.compare("ne", self.rest, 0)):
                loaded = (f.masked_load(v, place, self.mask) for place in (source, target))
                f.masked_store(v, self._sum(v.text, *loaded), target, self.mask)
            return
        with f.loop(self.rest) as (i, _):
            at = f.mul(i, self.size)
            loaded = (f.load(v.element, place, at) for place in (source, target))
            f.store(v.element, self._sum(v.element, *loaded), target, at)

    def _sum(self, kind: str, a: Value, b: Value) -> str:
        return self.f.let(f"fadd {kind} {a}, {b}")
