"""Depthwise, channels last: all phases of a cell at a time, so that x is read once and y written as it lies.

The weights of a vector of channels stay in registers while cells follow each other along a row:

    y[q * stride + (a, b), channel] = bias[channel] + sum over rows of x and shifts of
                                      x[row, q + shift, channel] * w[tap, channel]

Only for cells all of whose taps read x: the others are for `channels.py`, whose weights these are.

Op: kernel, bytes, cells, offset in the target, then for each row of x the offset of the first cell that it reads.
"""

from __future__ import annotations

from dataclasses import dataclass

from tconv.jit.kernels.abi import PARAMETERS, Context, Tile
from tconv.jit.kernels.in_registers import activated
from tconv.jit.machine.ir import BYTES, Function, Module, Vector

#: Words before the offsets of rows.
HEAD = 4
#: What a row of x feeds: for each shift, in cells, the phases (a, b) of the last two axes, each with its tap.
Feeds = tuple[tuple[int, tuple[tuple[int, int, int], ...]], ...]


@dataclass(frozen=True, slots=True)
class AtOnce:
    """A size of the kernel."""

    element: str
    lanes: int
    starts: tuple[int, ...]  #: the channel with which each vector begins
    x_pixel: int  #: bytes from a cell of x to the next
    y_pixel: int  #: bytes from a position of y to the next
    phases: tuple[int, int]
    sources: tuple[Feeds, ...]  #: of each row of x
    then: str = ""  #: an activation that is applied to sums (`in_registers.py`)

    @property
    def products(self) -> int:
        """Products of a cell, for each vector of channels."""
        return sum(len(fed) for source in self.sources for _, fed in source)


def emit(module: Module, name: str, kernel: AtOnce) -> Function:
    """Write the kernel."""
    f, v = module.function(name, PARAMETERS), Vector(kernel.element, kernel.lanes)
    source = f.at(f.pointer("%context", Context.SOURCE), f.word("%tile", Tile.X))
    x = [f.at(source, f.word("%op", HEAD + number)) for number in range(len(kernel.sources))]
    y = f.at(f.at(f.pointer("%context", Context.TARGET), f.word("%tile", Tile.TARGET)), f.word("%op", 3))
    per_row, cells = f.word("%context", Context.Y_PHASE), f.word("%op", 2)
    rows, columns = kernel.phases
    for vector, start in enumerate(kernel.starts):
        weights, bias, where = _weights(f, v, kernel, vector), _bias(f, v, vector), start * BYTES[v.element]
        carried = [("ptr", f.at(p, where)) for p in (y, *x)]
        with f.loop(cells, carried=carried, once=True) as (_, [there, *here]):
            sums = _sums(f, v, kernel, here, weights, bias)
            sums = dict(zip(sums, activated(f, v, kernel.then, list(sums.values())), strict=True))
            target = there
            for a in range(rows):
                for b in range(columns):
                    f.vstore(v, sums[a, b], target, b * kernel.y_pixel)
                target = f.at(target, per_row) if a + 1 < rows else target
            f.next(f.at(there, columns * kernel.y_pixel), *(f.at(p, kernel.x_pixel) for p in here))
    f.ret()
    return f


def _weights(f: Function, v: Vector, kernel: AtOnce, vector: int) -> dict[int, str]:
    """The weights of each tap, for a vector of channels."""
    first = f.at(f.at(f.pointer("%context", Context.W), f.word("%tile", Tile.W)), vector * v.bytes)
    per_tap = f.word("%tile", Tile.TAP)
    taps = [tap for source in kernel.sources for _, fed in source for *_, tap in fed]
    return {tap: f.vload(v, f.at(first, f.mul(per_tap, tap))) for tap in taps}


def _bias(f: Function, v: Vector, vector: int) -> str:
    return f.vload(v, f.at(f.pointer("%context", Context.W), f.word("%tile", Tile.BIAS)), vector * v.bytes)


def _sums(
    f: Function, v: Vector, kernel: AtOnce, x: list[str], weights: dict[int, str], bias: str
) -> dict[tuple[int, int], str]:
    """All phases of a cell."""
    sums = {(a, b): bias for a in range(kernel.phases[0]) for b in range(kernel.phases[1])}
    for here, source in zip(x, kernel.sources, strict=True):
        for shift, fed in source:
            cell = f.vload(v, here, shift * kernel.x_pixel)
            for a, b, tap in fed:
                sums[a, b] = f.fma(v, cell, weights[tap], sums[a, b])
    return sums
