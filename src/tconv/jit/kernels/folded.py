"""Depthwise, short rows: a vector holds several of them, so that lanes are not in vain. Otherwise as in `planes.py`.

    lanes       0 ... cells - 1    cells ... 2 * cells - 1   ...
    sums[a, b]  row q              row q + 1                       one vector, for each phase

Rows of y are written one after the other, in whole pieces of `cells` elements where rows that follow in y are still to
come: what a piece has behind the end of its row is the beginning of the next, which is written later. The last rows of
an op are written under masks.

Op: as of `planes.py`; rows of x and y are whole.

`PackShortRows` copies the rows: each is at most one vector with its zeros, which later rows may overwrite.

Op: as in `pack_rows.py`; zeros before are at most a vector, and so are elements and zeros behind.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from itertools import product

from tconv.jit.kernels.abi import PARAMETERS, Context, Tile
from tconv.jit.kernels.pixels import Stage
from tconv.jit.kernels.planes import HEAD
from tconv.jit.machine.ir import BYTES, Function, Module, Value, Vector
from tconv.jit.machine.shuffles import interleave

Sums = dict[tuple[int, int], str]  # (a, b)


@dataclass(frozen=True, slots=True)
class FoldedRows:
    """A size of the kernel."""

    element: str
    lanes: int
    fold: int  #: rows of a vector
    rows: int
    phases: int
    sources: tuple[Stage, ...]
    joined: bool  #: the rows of an op follow each other in y

    @property
    def cells(self) -> int:
        """Cells of a row in a vector."""
        return self.lanes // self.fold

    @property
    def vectors(self) -> int:
        """Vectors of a phase."""
        return 1

    @property
    def weights(self) -> int:
        """How many weights a tile has."""
        return sum(len(fed) for source in self.sources for _, fed in source)

    @property
    def narrow(self) -> Vector:
        """The part of a vector that a row has."""
        return Vector(self.element, self.cells)


@dataclass(frozen=True, slots=True)
class PackShortRows:
    """The kernel that copies short rows."""

    element: str
    lanes: int


def emit(module: Module, name: str, kernel: FoldedRows) -> Function:
    """Write the kernel."""
    f, v = module.function(name, PARAMETERS), Vector(kernel.element, kernel.lanes)
    packed = f.pointer("%context", Context.W)
    bias = f.broadcast(v, f.at(packed, f.word("%tile", Tile.BIAS)))
    weights = f.at(f.at(packed, f.word("%tile", Tile.W)), f.word("%op", 3))
    # More weights than registers are read where they are used: a scalar in memory costs nothing there.
    few = kernel.weights + kernel.rows * kernel.phases + 2 <= module.isa.registers
    held = list(f.broadcasts(v, weights, kernel.weights if few else 0))
    y = f.at(f.at(f.pointer("%context", Context.TARGET), f.word("%tile", Tile.TARGET)), f.word("%op", 2))
    source = f.pointer("%context", Context.SOURCE)
    x = [f.at(source, f.word("%op", HEAD + number)) for number in range(len(kernel.sources))]
    x_row, y_row = f.word("%context", Context.SOURCE_ROW), f.word("%context", Context.Y_ROW)
    per_phase = f.word("%context", Context.Y_PHASE)
    number, phases, elements = f.word("%op", 4), f.word("%op", 5), f.word("%op", 6)
    masks = [f.lanes_between(kernel.narrow, None, elements, j * kernel.cells) for j in range(kernel.phases)]
    carried = [("ptr", y), *(("ptr", p) for p in x)]
    with f.loop(number, step=kernel.fold, carried=carried, once=True) as (row, [there, *here]):
        sums = _sums(f, v, kernel, here, x_row, held, weights, bias)
        pieces = [_pieces(f, v, kernel, sums, a) for a in range(kernel.rows)]
        left = f.sub(number, row)
        if kernel.joined:
            with f.choose(f.compare("sgt", left, kernel.fold)) as (whole, last):
                with whole:
                    _store(f, v, kernel, pieces, there, (y_row, per_phase))
                with last:
                    _store_last(f, kernel, pieces, there, (y_row, per_phase), (left, phases), masks)
        else:
            _store_last(f, kernel, pieces, there, (y_row, per_phase), (left, phases), masks)
        f.next(f.at(there, f.mul(y_row, kernel.fold)), *(f.at(p, f.mul(x_row, kernel.fold)) for p in here))
    f.ret()
    return f


def _sums(
    f: Function, v: Vector, kernel: FoldedRows, x: list[str], x_row: str, held: list[str], weights: str, bias: str
) -> Sums:
    """The sums of some rows: each vector of x is put together once."""
    sums, number = dict.fromkeys(product(range(kernel.rows), range(kernel.phases)), bias), 0
    for pointer, source in zip(x, kernel.sources, strict=True):
        for shift, fed in source:
            cells = _cells(f, kernel, pointer, x_row, shift)
            for pair in fed:
                weight = held[number] if held else f.broadcast(v, weights, number * BYTES[v.element])
                sums[pair], number = f.fma(v, cells, weight, sums[pair]), number + 1
    return sums


def _cells(f: Function, kernel: FoldedRows, x: str, x_row: str, shift: int) -> str:
    """The cells of several rows, side by side."""
    parts, narrow = [], kernel.narrow
    for _ in range(kernel.fold):
        parts.append(f.vload(narrow, x, shift * BYTES[kernel.element]))
        x = f.at(x, x_row) if len(parts) < kernel.fold else x
    while len(parts) > 1:
        both = list(range(2 * narrow.lanes))
        parts = [f.shuffle(narrow, a, b, both) for a, b in zip(parts[0::2], parts[1::2], strict=True)]
        narrow = Vector(kernel.element, 2 * narrow.lanes)
    return parts[0]


def _pieces(f: Function, v: Vector, kernel: FoldedRows, sums: Sums, a: int) -> list[str]:
    """Vectors that hold the runs of the rows, one after the other."""
    return interleave(f, v, [sums[a, b] for b in range(kernel.phases)])


def _part(f: Function, v: Vector, kernel: FoldedRows, pieces: list[str], number: int) -> str:
    """One piece of `cells` elements."""
    vector, part = divmod(number, kernel.fold)
    if kernel.fold == 1:
        return pieces[vector]
    return f.shuffle(v, pieces[vector], "poison", list(range(part * kernel.cells, (part + 1) * kernel.cells)))


def _store(
    f: Function, v: Vector, kernel: FoldedRows, pieces: list[list[str]], y: str, steps: tuple[Value, Value]
) -> None:
    """All rows whole, in the order in which they lie in y."""
    per_row, per_phase = steps
    for i in range(kernel.fold):
        target = y
        for a in range(kernel.rows):
            number, end = i * kernel.phases, (i + 1) * kernel.phases
            while number < end:
                offset = (number - i * kernel.phases) * kernel.narrow.bytes
                if number % kernel.fold == 0 and number + kernel.fold <= end:
                    f.vstore(v, pieces[a][number // kernel.fold], target, offset)
                    number += kernel.fold
                else:
                    f.vstore(kernel.narrow, _part(f, v, kernel, pieces[a], number), target, offset)
                    number += 1
            target = f.at(target, per_phase) if a + 1 < kernel.rows else target
        y = f.at(y, per_row) if i + 1 < kernel.fold else y


def _store_last(
    f: Function,
    kernel: FoldedRows,
    pieces: list[list[str]],
    y: str,
    steps: tuple[Value, Value],
    exist: tuple[Value, Value],
    masks: list[str],
) -> None:
    """The rows that exist, under masks."""
    (per_row, per_phase), (left, phases), v = steps, exist, Vector(kernel.element, kernel.lanes)
    for i in range(kernel.fold):
        with f.when(f.compare("slt", i, left)) if i else nullcontext():
            target = y
            for a in range(kernel.rows):
                with f.when(f.compare("slt", a, phases)) if a else nullcontext():
                    for j, mask in enumerate(masks):
                        value = _part(f, v, kernel, pieces[a], i * kernel.phases + j)
                        f.masked_store(kernel.narrow, value, target, mask, j * kernel.narrow.bytes)
                target = f.at(target, per_phase) if a + 1 < kernel.rows else target
        y = f.at(y, per_row) if i + 1 < kernel.fold else y


def emit_short(module: Module, name: str, kernel: PackShortRows) -> Function:
    """Write the kernel that copies."""
    f, v = module.function(name, PARAMETERS), Vector(kernel.element, kernel.lanes)
    source = f.at(f.pointer("%context", Context.X), f.word("%op", 2))
    target = f.at(f.pointer("%context", Context.PANEL), f.word("%op", 3))
    rows, x_row, panel_row = (f.word("%op", word) for word in (4, 5, 6))
    mask = f.lanes_between(v, None, f.word("%op", 7))
    back = f.mul(f.sub(0, f.word("%op", 8)), BYTES[v.element])
    carried = [("ptr", source), ("ptr", target)]
    with f.loop(f.word("%context", Context.COPIED), carried=carried, once=True) as (_, [x, panel]):
        with f.loop(rows, carried=[("ptr", x), ("ptr", panel)], once=True) as (_, [here, there]):
            f.vstore(v, "zeroinitializer", f.at(there, back))
            f.vstore(v, f.masked_load(v, here, mask), there)
            f.next(f.at(here, x_row), f.at(there, panel_row))
        f.next(*(f.at(p, f.word("%context", w)) for p, w in ((x, Context.X_CHANNEL), (panel, Context.SOURCE_CHANNEL))))
    f.ret()
    return f
