"""Depthwise, channels last: all phases of a cell at a time, so that x is read once and y written as it lies.

The weights of a vector of channels stay in registers while cells follow each other along a row:

    y[q * stride + (a, b), channel] = bias[channel] + sum over rows of x and shifts of
                                      x[row, q * read_stride + shift, channel] * w[tap, channel]

Sums wait in registers for cells to come: a vector of x meets all taps that read it, those of the next few q too. So it
is loaded once for all taps of a row, not for each. Loads, of which a processor begins one of 64 bytes in a cycle, and
half of one where it lies across two lines, are the limit otherwise.

Only for cells all of whose taps read x: the others are for `channels.py`, whose weights these are.

Op: kernel, bytes, cells, offset in the target, then for each row of x the offset of the first cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from tconv.jit.kernels.abi import PARAMETERS, Context, Tile
from tconv.jit.kernels.in_registers import activated
from tconv.jit.machine.ir import BYTES, Function, Module, Vector

#: Words before the offsets of rows.
HEAD = 4
#: What a row of x feeds: for each shift, in cells, the phases (a, b) of the last two axes, each with its tap.
Feeds = tuple[tuple[int, tuple[tuple[int, int, int], ...]], ...]
#: Sums by how many q later they are written than the one at hand, and by phase.
Sums: TypeAlias = "dict[tuple[int, int, int], str]"


@dataclass(frozen=True, slots=True)
class AtOnce:
    """A size of the kernel."""

    element: str
    lanes: int
    starts: tuple[int, ...]  #: the channel with which each vector begins
    x_cell: int  #: bytes from a cell of x to the next
    y_pixel: int  #: bytes from a position of y to the next
    phases: tuple[int, int]
    sources: tuple[Feeds, ...]  #: of each row of x
    read_stride: int = 1  #: cells from what a tap reads for one q to what it reads for the next
    carries: bool = True  #: whether a vector of x meets the sums of later q; otherwise each q loads all that it reads
    streaming: bool = False  #: results go past the caches, where they lie as that wants
    then: str = ""  #: an activation that is applied to sums (`in_registers.py`)

    @property
    def products(self) -> int:
        """Products of a cell, for each vector of channels."""
        return sum(len(fed) for source in self.sources for _, fed in source)

    @property
    def x_pixel(self) -> int:
        """Bytes of x from a q to the next."""
        return self.read_stride * self.x_cell

    @property
    def earlier(self) -> int:
        """Of how many q before the first the cells that are loaded meet sums: those of an op begin with them."""
        shifts = [shift for source in self.sources for shift, _ in source]
        return (max(shifts) - min(shifts)) // self.read_stride if self.carries else 0

    @property
    def products_before(self) -> int:
        """Products of these cells, for each vector of channels."""
        met = [which for row in range(len(self.sources)) for shift in self.loaded for which, _ in self.met(row, shift)]
        return sum(later >= before for before in range(1, self.earlier + 1) for later, *_ in met)

    @property
    def loaded(self) -> range:
        """The shifts of the cells that are loaded for a q."""
        shifts = [shift for source in self.sources for shift, _ in source]
        end = max(shifts) + 1
        return range(end - self.read_stride if self.carries else min(shifts), end)

    def met(self, row: int, shift: int) -> list[tuple[tuple[int, int, int], int]]:
        """The sums that a cell that is loaded meets, and by which taps."""
        feeds, found = dict(self.sources[row]), []
        least = min(feeds)
        for later in range((shift - least) // self.read_stride + 1 if self.carries else 1):
            for a, b, tap in feeds.get(shift - later * self.read_stride, ()):
                found.append(((later, a, b), tap))
        return found


def waiting(kernel: AtOnce) -> int:
    """Sums that are in registers at a time: of each phase all from the one at hand to the last that is met."""
    last: dict[tuple[int, int], int] = {}
    for row in range(len(kernel.sources)):
        for shift in kernel.loaded:
            for (later, a, b), _ in kernel.met(row, shift):
                last[a, b] = max(later, last.get((a, b), 0))
    return sum(later + 1 for later in last.values())


def emit(module: Module, name: str, kernel: AtOnce) -> Function:
    """Write the kernel."""
    f, v = module.function(name, PARAMETERS), Vector(kernel.element, kernel.lanes)
    source = f.at(f.pointer("%context", Context.SOURCE), f.word("%tile", Tile.X))
    x = [f.at(source, f.word("%op", HEAD + number)) for number in range(len(kernel.sources))]
    y = f.at(f.at(f.pointer("%context", Context.TARGET), f.word("%tile", Tile.TARGET)), f.word("%op", 3))
    aligned = f.aligned(y, v.bytes) if kernel.streaming else ""
    for vector, start in enumerate(kernel.starts):
        weights, bias, where = _weights(f, v, kernel, vector), _bias(f, v, vector), start * BYTES[v.element]
        to, of_vector = f.at(y, where), [f.at(p, where) for p in x]
        if not kernel.streaming:
            _cells(f, v, kernel, to, of_vector, weights, bias, streaming=False)
            continue
        with f.choose(aligned) as (past, into):
            with past:
                _cells(f, v, kernel, to, of_vector, weights, bias, streaming=True)
            with into:
                _cells(f, v, kernel, to, of_vector, weights, bias, streaming=False)
    f.ret()
    return f


def _cells(
    f: Function, v: Vector, kernel: AtOnce, y: str, x: list[str], weights: dict[int, str], bias: str, *, streaming: bool
) -> None:
    """One cell after the other, for a vector of channels."""
    begun, cells = _begun(f, v, kernel, x, weights, bias), f.word("%op", 2)
    per_row = f.word("%context", Context.Y_PHASE) if kernel.phases[0] > 1 else ""
    carried = [("ptr", p) for p in (y, *x)] + [(v.text, total) for total in begun.values()]
    with f.loop(cells, carried=carried, once=True) as (_, [there, *values]):
        here, later = values[: len(x)], dict(zip(begun, values[len(x) :], strict=True))
        sums = _met(f, v, kernel, here, weights, bias, later)
        _store(f, v, kernel, sums, bias, there, per_row, streaming=streaming)
        following = _following(sums)
        moved = [f.at(p, kernel.x_pixel) for p in here]
        f.next(f.at(there, kernel.phases[1] * kernel.y_pixel), *moved, *(following[which] for which in begun))


def _weights(f: Function, v: Vector, kernel: AtOnce, vector: int) -> dict[int, str]:
    """The weights of each tap, for a vector of channels."""
    first = f.at(f.at(f.pointer("%context", Context.W), f.word("%tile", Tile.W)), vector * v.bytes)
    per_tap = f.word("%tile", Tile.TAP)
    taps = [tap for source in kernel.sources for _, fed in source for *_, tap in fed]
    return {tap: f.vload(v, f.at(first, f.mul(per_tap, tap))) for tap in taps}


def _bias(f: Function, v: Vector, vector: int) -> str:
    return f.vload(v, f.at(f.pointer("%context", Context.W), f.word("%tile", Tile.BIAS)), vector * v.bytes)


def _begun(f: Function, v: Vector, kernel: AtOnce, x: list[str], weights: dict[int, str], bias: str) -> Sums:
    """The sums of the first few q, with what they have of cells before those that are loaded for the first one."""
    sums: Sums = {}
    for before in range(kernel.earlier, 0, -1):
        sums = _following(_met(f, v, kernel, x, weights, bias, sums, before))
    return sums


def _met(
    f: Function,
    v: Vector,
    kernel: AtOnce,
    x: list[str],
    weights: dict[int, str],
    bias: str,
    sums: Sums,
    before: int = 0,
) -> Sums:
    """The sums, with the cells that are loaded for the q at hand, or for one so many before it, which is left out."""
    sums = dict(sums)
    for row, here in enumerate(x):
        for shift in kernel.loaded:
            met = [(which, tap) for which, tap in kernel.met(row, shift) if which[0] >= before]
            cell = f.vload(v, here, (shift - before * kernel.read_stride) * kernel.x_cell) if met else ""
            for which, tap in met:
                sums[which] = f.fma(v, cell, weights[tap], sums.get(which, bias))
    return sums


def _following(sums: Sums) -> Sums:
    """The sums, as the next q sees them."""
    return {(later - 1, a, b): total for (later, a, b), total in sums.items() if later}


def _store(
    f: Function, v: Vector, kernel: AtOnce, sums: Sums, bias: str, target: str, per_row: str, *, streaming: bool
) -> None:
    """All phases of the q at hand."""
    rows, columns = kernel.phases
    complete = [sums.get((0, a, b), bias) for a in range(rows) for b in range(columns)]
    complete = activated(f, v, kernel.then, complete)
    for a in range(rows):
        for b in range(columns):
            f.vstore(v, complete[a * columns + b], target, b * kernel.y_pixel, streaming=streaming)
        target = f.at(target, per_row) if a + 1 < rows else target
