"""Rows of x into the panel, de-interleaved: cells m * read_stride + r become strand r, a row of the panel of its own.

The mirror image of what kernels with pixels in lanes do where they interleave phases on their way into y.

Op: as in `kernels/pack_rows.py`, but zeros before and behind are those of each strand, in cells of it, and the offset
in the panel is that of the first strand. Where the elements of a row end in the midst of a round of strands, those that
lack a cell get a zero in its place.
"""

from __future__ import annotations

from dataclasses import dataclass

from tconv.jit.kernels.abi import PARAMETERS, Context
from tconv.jit.kernels.pack_rows import AHEAD, LINE, RowCopy, copy_few
from tconv.jit.machine.ir import BYTES, Function, Module, Value, Vector
from tconv.jit.machine.shuffles import deinterleave


@dataclass(frozen=True, slots=True)
class PackStrands:
    """The kernel that takes rows of x apart."""

    element: str
    lanes: int
    read_stride: int
    residues: tuple[int, ...]  #: the strands that a tap reads


def emit(module: Module, name: str, kernel: PackStrands) -> Function:
    """Write the kernel."""
    f, v = module.function(name, PARAMETERS), Vector(kernel.element, kernel.lanes)
    source = f.at(f.pointer("%context", Context.X), f.word("%op", 2))
    target = f.at(f.pointer("%context", Context.PANEL), f.word("%op", 3))
    rows, x_row, panel_row = (f.word("%op", word) for word in (4, 5, 6))
    row = _Row(f, v, kernel, f.word("%op", 7))
    before, behind = (RowCopy(f, v, f.word("%op", word)) for word in (8, 9))
    from_channel, to_channel = f.word("%context", Context.X_CHANNEL), f.word("%context", Context.SOURCE_CHANNEL)
    carried = [("ptr", source), ("ptr", target)]
    with f.loop(f.word("%context", Context.COPIED), carried=carried, once=True) as (_, [x, panel]):
        with f.loop(rows, carried=[("ptr", x), ("ptr", panel)], once=True) as (_, [here, there]):
            for strand in row.strands(there):
                before.zero(f.at(strand, f.mul(f.sub(0, before.count), row.size)))
                behind.zero(f.at(strand, f.mul(row.cells, row.size)))
            row.copy(here, there, f.mul(from_channel, AHEAD))
            f.next(f.at(here, x_row), f.at(there, panel_row))
        f.next(f.at(x, from_channel), f.at(panel, to_channel))
    f.ret()
    return f


class _Row:
    """A row of so many elements, cut into iterations of a vector for each strand, and a rest."""

    def __init__(self, f: Function, v: Vector, kernel: PackStrands, elements: str) -> None:
        self.f, self.v, self.kernel, self.size = f, v, kernel, BYTES[v.element]
        self.unrolled = v.lanes * kernel.read_stride
        self.cells = f.let(f"sdiv i64 {f.add(elements, kernel.read_stride - 1)}, {kernel.read_stride}")
        self.iterations = f.let(f"sdiv i64 {elements}, {self.unrolled}")
        self.rest = f.sub(elements, f.mul(self.iterations, self.unrolled))
        self.rest_of_strand = f.sub(self.cells, f.mul(self.iterations, v.lanes))

    def strands(self, first: str) -> list[str]:
        """Where each strand that is kept begins."""
        places, step = [first], self.f.word("%context", Context.SOURCE_STRAND)
        for _ in self.kernel.residues[1:]:
            places.append(self.f.at(places[-1], step))
        return places

    def copy(self, source: str, target: str, ahead: Value) -> None:
        """Copy the elements, no more; ask for those `ahead` bytes further on."""
        f, v = self.f, self.v
        with f.loop(self.iterations, carried=[("ptr", source), ("ptr", target)]) as (_, [here, there]):
            for offset in range(0, self.unrolled * self.size, LINE):
                f.prefetch(f.at(here, ahead), offset)
            loaded = [f.vload(v, here, number * v.bytes) for number in range(self.kernel.read_stride)]
            for value, place in zip(self._kept(loaded), self.strands(there), strict=True):
                f.vstore(v, value, place)
            f.next(f.at(here, self.unrolled * self.size), f.at(there, v.bytes))
        with f.when(f.compare("ne", self.rest, 0)):
            done = f.mul(self.iterations, v.bytes)
            self._rest(f.at(source, f.mul(done, self.kernel.read_stride)), f.at(target, done))

    def _kept(self, loaded: list[str]) -> list[str]:
        strands = deinterleave(self.f, self.v, loaded)
        return [strands[residue] for residue in self.kernel.residues]

    def _rest(self, source: str, target: str) -> None:
        """Less than an iteration, with zeros behind it."""
        f, v = self.f, self.v
        if f.module.isa.masks:
            masks = [f.lanes_between(v, None, self.rest, number * v.lanes) for number in range(self.kernel.read_stride)]
            loaded = [f.masked_load(v, source, mask, number * v.bytes) for number, mask in enumerate(masks)]
            mask = f.lanes_between(v, None, self.rest_of_strand)
            for value, place in zip(self._kept(loaded), self.strands(target), strict=True):
                f.masked_store(v, value, place, mask)
            return
        buffer = f.stack(self.kernel.read_stride * v.bytes)
        for number in range(self.kernel.read_stride):
            f.vstore(v, "zeroinitializer", buffer, number * v.bytes)
        copy_few(f, v, source, buffer, self.rest)
        loaded = [f.vload(v, buffer, number * v.bytes) for number in range(self.kernel.read_stride)]
        for value, place in zip(self._kept(loaded), self.strands(target), strict=True):
            f.vstore(v, value, buffer)
            copy_few(f, v, buffer, place, self.rest_of_strand)
