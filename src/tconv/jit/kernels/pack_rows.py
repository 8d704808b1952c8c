"""Rows of x into the panel: equally long, evenly spaced rows of every channel are copied, with zeros on both sides.

Op: kernel, bytes, offset in x, offset in the panel, rows, bytes from one to the next in x, likewise in the panel,
elements of a row, zeros before, zeros behind. Offsets are those of the first element of the first row. Exactly these
elements are read and written. Masks and counts are made once an op: rows are short more often than not.
"""

from __future__ import annotations

from dataclasses import dataclass

from tconv.jit.kernels.abi import PARAMETERS, Context
from tconv.jit.machine.ir import BYTES, Function, Module, Value, Vector

#: Bytes of a cache line.
LINE = 64
#: Vectors copied in one iteration of the loop.
UNROLLED = 4
#: How many channels ahead rows are asked for: a row is short, the next channel far away, and hardware sees no pattern.
AHEAD = 4


@dataclass(frozen=True, slots=True)
class PackRows:
    """The kernel that copies rows of x."""

    element: str
    lanes: int


def emit(module: Module, name: str, kernel: PackRows) -> Function:
    """Write the kernel."""
    f, v = module.function(name, PARAMETERS), Vector(kernel.element, kernel.lanes)
    size = BYTES[v.element]
    source = f.at(f.pointer("%context", Context.X), f.word("%op", 2))
    target = f.at(f.pointer("%context", Context.PANEL), f.word("%op", 3))
    rows, x_row, panel_row = (f.word("%op", word) for word in (4, 5, 6))
    whole, before, behind = (RowCopy(f, v, f.word("%op", word)) for word in (7, 8, 9))
    from_channel = f.word("%context", Context.X_CHANNEL)
    ahead = f.mul(from_channel, AHEAD)
    to_channel = f.word("%context", Context.SOURCE_CHANNEL)
    carried = [("ptr", source), ("ptr", target)]
    with f.loop(f.word("%context", Context.COPIED), carried=carried, once=True) as (_, [x, panel]):
        with f.loop(rows, carried=[("ptr", x), ("ptr", panel)], once=True) as (_, [here, there]):
            before.zero(f.at(there, f.mul(f.sub(0, before.count), size)))
            whole.copy(here, there, ahead)
            behind.zero(f.at(there, f.mul(whole.count, size)))
            f.next(f.at(here, x_row), f.at(there, panel_row))
        f.next(f.at(x, from_channel), f.at(panel, to_channel))
    f.ret()
    return f


class RowCopy:
    """A number of neighbouring elements, cut into iterations of several vectors, single vectors, and a rest."""

    def __init__(self, f: Function, v: Vector, count: str) -> None:
        self.f, self.v, self.count, self.size = f, v, count, BYTES[v.element]
        self.unrolled = f.let(f"and i64 {count}, {-UNROLLED * v.lanes}")
        self.vectors = f.let(f"and i64 {count}, {-v.lanes}")
        self.rest = f.sub(count, self.vectors)
        self.mask = f.lanes_between(v, None, self.rest) if f.module.isa.masks else ""

    def copy(self, source: str, target: str, ahead: Value) -> None:
        """Copy the elements, no more; ask for those `ahead` bytes further on."""
        f, v, done = self.f, self.v, _bytes(self.f, self.unrolled, self.size)
        self._vectors(source, target, self.unrolled, UNROLLED, ahead)
        self._vectors(f.at(source, done), f.at(target, done), f.sub(self.vectors, self.unrolled), 1, ahead)
        done = _bytes(f, self.vectors, self.size)
        source, target = f.at(source, done), f.at(target, done)
        f.prefetch(f.at(source, ahead))
        if self.mask:
            with f.when(f.compare("ne", self.rest, 0)):
                f.masked_store(v, f.masked_load(v, source, self.mask), target, self.mask)
            return
        with f.loop(self.rest) as (i, _):
            offset = f.mul(i, self.size)
            f.store(v.element, f.load(v.element, source, offset), target, offset)

    def _vectors(self, source: str, target: str, count: Value, unrolled: int, ahead: Value) -> None:
        f, v = self.f, self.v
        with f.loop(count, step=unrolled * v.lanes) as (i, _):
            offset = f.mul(i, self.size)
            here, there = f.at(source, offset), f.at(target, offset)
            later = f.at(here, ahead)
            for j in range(0, unrolled * v.bytes, LINE):
                f.prefetch(later, j)
            for j, value in enumerate([f.vload(v, here, j * v.bytes) for j in range(unrolled)]):
                f.vstore(v, value, there, j * v.bytes)

    def zero(self, target: str) -> None:
        """Write zeros, no more."""
        f, v = self.f, self.v
        with f.loop(self.vectors, step=v.lanes) as (i, _):
            f.vstore(v, "zeroinitializer", target, f.mul(i, self.size))
        target = f.at(target, _bytes(f, self.vectors, self.size))
        if self.mask:
            with f.when(f.compare("ne", self.rest, 0)):
                f.masked_store(v, "zeroinitializer", target, self.mask)
            return
        with f.loop(self.rest) as (i, _):
            f.store(v.element, "0.0", target, f.mul(i, self.size))


def _bytes(f: Function, count: Value, size: int) -> str:
    """Bytes of a number of elements."""
    return str(f.mul(count, size))


def copy_few(f: Function, v: Vector, source: str, to: str, count: Value) -> None:
    """Copy `count` elements, one vector an iteration and the last under a mask, or one by one where masks are slow."""
    size = BYTES[v.element]
    if not f.module.isa.masks:
        with f.loop(count) as (i, _):
            offset = f.mul(i, size)
            f.store(v.element, f.load(v.element, source, offset), to, offset)
        return
    with f.loop(count, step=v.lanes) as (i, _):
        offset = f.mul(i, size)
        mask = f.lanes_between(v, None, f.sub(count, i))
        f.masked_store(v, f.masked_load(v, f.at(source, offset), mask), f.at(to, offset), mask)
