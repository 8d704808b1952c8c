"""The two transforms of minimal filtering (`filtering.py`): of rows of x into points, and of points into results.

`WinogradInput` reads a row of tiles from rows of the panel and writes for each tile all of its points, a `point` of
bytes apart. Vectors run along the channels of a cell where these are innermost, else along tiles, the cells of which
are taken apart by shuffles. Rows of channels, or of tiles, are read and written in whole vectors.

    Op: kernel, bytes, offset of the first row in the panel, offset of the first point in it, tiles, channels, bytes
    from one row of x to the next, from one channel (innermost: cell) to the next, from one point to the next, and from
    one channel (innermost: tile) of points to the next.

`WinogradOutput` reads for each tile of a row its points, lanes of output channels, from the block, and writes its
results with the bias: into the block, or into y where channels are innermost there, as far as they exist. A result that
is not finite is reported (`Given.SPOILED`): among the inputs there may be a NaN or an infinity, which has met more
results than the definition says.

    Op: kernel, bytes, offset of the first point in the block, offset of the first result, tiles, rows that exist,
    columns that exist, bytes from one point to the next, from one row of results to the next, from one column likewise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

from tconv.jit.kernels.abi import PARAMETERS, Context, Given, Tile
from tconv.jit.kernels.banks import Bank, matrices
from tconv.jit.kernels.filtering import Matrix
from tconv.jit.machine.ir import BYTES, Function, Module, Vector
from tconv.jit.machine.shuffles import deinterleave

#: Along the axis before the last and along the last.
Banks = tuple[Bank, Bank]
Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class WinogradInput:
    """The transform of x."""

    element: str
    lanes: int
    banks: Banks
    apart: int  #: cells from a column that a tile reads to the next
    innermost: bool  #: channels are innermost in the panel

    @property
    def cells(self) -> Pair:
        """Cells that a tile reads along each axis."""
        return self.banks[0].cells, self.banks[1].cells

    @property
    def points(self) -> Pair:
        """And the points that come of them."""
        return self.banks[0].points, self.banks[1].points

    @property
    def along(self) -> int:
        """Cells of a row from a tile to the next."""
        return self.banks[1].outputs * self.apart


@dataclass(frozen=True, slots=True)
class WinogradOutput:
    """The transform of results."""

    element: str
    lanes: int
    banks: Banks
    vectors: int  #: of a tile of lanes
    tail: int  #: elements that are left for the last vector in y
    direct: bool  #: results go into y
    widest: int  #: vectors of the block for each tile

    @property
    def points(self) -> Pair:
        """Points of a tile along each axis."""
        return self.banks[0].points, self.banks[1].points

    @property
    def results(self) -> Pair:
        """And the results that come of them."""
        return self.banks[0].results, self.banks[1].results

    @property
    def starts(self) -> tuple[int, ...]:
        """Elements of a pixel before each vector; the last ends where the pixel does."""
        whole = range(0, self.lanes * (self.vectors - 1), self.lanes)
        return (*whole, max(0, self.lanes * (self.vectors - 2) + self.tail))


def emit_input(module: Module, name: str, kernel: WinogradInput) -> Function:
    """Write the transform of x."""
    f, v = module.function(name, PARAMETERS), Vector(kernel.element, kernel.lanes)
    panel, size = f.pointer("%context", Context.PANEL), BYTES[kernel.element]
    source, target = f.at(panel, f.word("%op", 2)), f.at(panel, f.word("%op", 3))
    tiles, channels, row, step, point, further = (f.word("%op", word) for word in range(4, 10))
    if kernel.innermost:
        column, along = f.mul(step, kernel.apart), f.mul(step, kernel.along)
        with f.loop(tiles, carried=[("ptr", source), ("ptr", target)], once=True) as (_, [x, to]):
            with f.loop(channels, step=kernel.lanes, once=True) as (channel, _):
                offset = f.mul(channel, size)
                cells = _cells(f, v, kernel, f.at(x, offset), row, str(column))
                _put(f, v, kernel, cells, f.at(to, offset), point)
                f.next()
            f.next(f.at(x, along), f.at(to, further))
    else:
        with f.loop(channels, carried=[("ptr", source), ("ptr", target)], once=True) as (_, [x, to]):
            with f.loop(tiles, step=kernel.lanes, once=True) as (tile, _):
                offset = f.mul(tile, size)
                cells = _strands(f, v, kernel, f.at(x, f.mul(offset, kernel.along)), row)
                _put(f, v, kernel, cells, f.at(to, offset), point)
                f.next()
            f.next(f.at(x, step), f.at(to, further))
    f.ret()
    return f


def _cells(f: Function, v: Vector, kernel: WinogradInput, x: str, row: str, cell: str) -> list[list[str]]:
    """The cells of a tile, a vector of channels each: rows of columns."""
    rows, columns = kernel.cells
    found = []
    for _ in range(rows):
        here, of_row = x, []
        for _ in range(columns):
            of_row.append(f.vload(v, here))
            here = f.at(here, cell)
        found.append(of_row)
        x = f.at(x, row)
    return found


def _strands(f: Function, v: Vector, kernel: WinogradInput, x: str, row: str) -> list[list[str]]:
    """The cells of as many tiles as a vector has lanes, one of each tile in a lane."""
    (rows, columns), together = kernel.cells, kernel.along
    found = []
    for _ in range(rows):
        of_row: list[str] = []
        for first in range(0, (columns - 1) * kernel.apart + 1, together):
            start = f.at(x, first * BYTES[v.element])
            whole = [f.vload(v, start, part * v.bytes) for part in range(together)]
            of_row += deinterleave(f, v, whole)[:: kernel.apart]
        found.append(of_row[:columns])
        x = f.at(x, row)
    return found


def _put(f: Function, v: Vector, kernel: WinogradInput, cells: list[list[str]], to: str, point: str) -> None:
    """Transform the cells along both axes, and write the points."""
    down, across = (matrices(bank).data for bank in kernel.banks)
    columns = [combined(f, v, down, column) for column in zip(*cells, strict=True)]
    for of_row in zip(*columns, strict=True):
        for value in combined(f, v, across, of_row):
            f.vstore(v, value, to)
            to = f.at(to, point)


def emit_output(module: Module, name: str, kernel: WinogradOutput) -> Function:
    """Write the transform of results."""
    f, v = module.function(name, PARAMETERS), Vector(kernel.element, kernel.lanes)
    size, pixel = BYTES[v.element], kernel.widest * v.bytes
    source = f.at(f.pointer("%context", Context.BLOCK), f.word("%op", 2))
    base = Context.Y if kernel.direct else Context.BLOCK
    target = f.at(f.pointer("%context", base), f.word("%op", 3))
    if kernel.direct:
        target = f.at(target, f.word("%tile", Tile.Y))
    tiles, rows, columns, point, row, column = (f.word("%op", word) for word in range(4, 10))
    bias = f.at(f.pointer("%context", Context.WEIGHTS), f.word("%tile", Tile.BIAS))
    biases = [f.vload(v, bias, vector * v.bytes) for vector in range(kernel.vectors)]
    along = f.mul(column, kernel.results[1])
    mask = f.lanes_between(v, None, kernel.tail) if kernel.direct and _partial(kernel) else ""
    carried = [("ptr", source), ("ptr", target), ("i64", columns), (v.text, "zeroinitializer")]
    with f.loop(tiles, carried=carried, once=True) as (_, [here, to, left, tested]):
        for vector in range(kernel.vectors):
            results = _results(f, v, kernel, f.at(here, vector * v.bytes), point, biases[vector])
            for value in (value for of_row in results for value in of_row):
                tested = f.fma(v, value, "zeroinitializer", tested)
            start = kernel.starts[vector] * size if kernel.direct else vector * v.bytes
            place = f.at(to, start)
            if kernel.direct:
                _store_what_exists(f, v, kernel, results, place, (row, column), (rows, left), mask)
            else:
                _store(f, v, results, place, (row, column), "")
        f.next(f.at(here, pixel), f.at(to, along), f.sub(left, kernel.results[1]), tested)
    _report(f, v, f.results[3])
    f.ret()
    return f


def _partial(kernel: WinogradOutput) -> bool:
    return kernel.vectors == 1 and kernel.tail < kernel.lanes


def _results(f: Function, v: Vector, kernel: WinogradOutput, here: str, point: str, bias: str) -> list[list[str]]:
    """The results of a tile for a vector of channels: rows of columns."""
    rows, columns = kernel.points
    down, across = (_transposed(matrices(bank).results) for bank in kernel.banks)
    points = []
    for _ in range(rows):
        of_row = []
        for _ in range(columns):
            of_row.append(f.vload(v, here))
            here = f.at(here, point)
        points.append(of_row)
    shortened = [combined(f, v, across, of_row) for of_row in points]
    found = [combined(f, v, down, column) for column in zip(*shortened, strict=True)]
    return [[f.let(f"fadd {v.text} {value}, {bias}") for value in of_row] for of_row in zip(*found, strict=True)]


def _store(f: Function, v: Vector, results: list[list[str]], to: str, steps: tuple[str, str], mask: str) -> None:
    for of_row in results:
        place = to
        for value in of_row:
            if mask:
                f.masked_store(v, value, place, mask)
            else:
                f.vstore(v, value, place)
            place = f.at(place, steps[1])
        to = f.at(to, steps[0])


def _store_what_exists(
    f: Function, v: Vector, kernel: WinogradOutput, results: list[list[str]], to: str, steps: tuple[str, str],
    exist: tuple[str, str], mask: str,
) -> None:  # fmt: skip
    """All results of a tile at once, or one by one where some lie beside y."""
    enough = (f.compare("sge", count, of) for count, of in zip(exist, kernel.results, strict=True))
    with f.choose(f.both(*enough)) as (whole, partial):
        with whole:
            _store(f, v, results, to, steps, mask)
        with partial:
            for i, of_row in enumerate(results):
                for j, value in enumerate(of_row):
                    exists = f.both(f.compare("sgt", exist[0], i), f.compare("sgt", exist[1], j))
                    with f.when(exists):
                        place = f.at(f.at(to, f.mul(steps[0], i)), f.mul(steps[1], j))
                        _store(f, v, [[value]], place, steps, mask)


def _report(f: Function, v: Vector, tested: str) -> None:
    """Say so where a sum of results times 0 is not 0: one of them is not finite."""
    name = f"llvm.vector.reduce.fadd.{v.mangled}"
    f.module.declare(f"{v.element} @{name}({v.element}, {v.text})")
    total = f.let(f"call {v.element} @{name}({v.element} 0.0, {v.text} {tested})")
    with f.when(f.let(f"fcmp uno {v.element} {total}, 0.0")):
        f.store("i64", 1, f.pointer("%context", Context.GIVEN), 8 * Given.SPOILED)


def _transposed(matrix: Matrix) -> Matrix:
    return tuple(zip(*matrix, strict=True))


def combined(f: Function, v: Vector, matrix: Matrix, values: Sequence[str]) -> list[str]:
    """For each row of a matrix the sum of the values that its numbers say.

    Points come in pairs of a and -a. Where two columns differ in signs alone, the sum and the difference of their
    values are taken first; where two rows do, each is the sum or the difference of what they have in common.
    """
    columns, values = [list(column) for column in zip(*matrix, strict=True)], list(values)
    for p, q in combinations(range(len(columns)), 2):
        if columns[p] != columns[q] and list(map(abs, columns[p])) == list(map(abs, columns[q])):
            even = [(a + b) / 2 for a, b in zip(columns[p], columns[q], strict=True)]
            odd = [(a - b) / 2 for a, b in zip(columns[p], columns[q], strict=True)]
            values[p], values[q] = _sum_and_difference(f, v, values[p], values[q])
            columns[p], columns[q] = even, odd
    rows, found = [list(row) for row in zip(*columns, strict=True)], dict[int, str]()
    for p, q in combinations(range(len(rows)), 2):
        if p not in found and q not in found and _differ_in_signs(rows[p], rows[q]):
            common = _sum(f, v, [(a + b) / 2 for a, b in zip(rows[p], rows[q], strict=True)], values)
            other = _sum(f, v, [(a - b) / 2 for a, b in zip(rows[p], rows[q], strict=True)], values)
            found[p], found[q] = _sum_and_difference(f, v, common, other)
    return [found[number] if number in found else _sum(f, v, row, values) for number, row in enumerate(rows)]


def _sum_and_difference(f: Function, v: Vector, a: str, b: str) -> tuple[str, str]:
    return f.let(f"fadd {v.text} {a}, {b}"), f.let(f"fsub {v.text} {a}, {b}")


def _differ_in_signs(a: list[Fraction], b: list[Fraction]) -> bool:
    """Whether two rows are the sum and the difference of two others, each of more than one number."""
    alike = [x == y for x, y in zip(a, b, strict=True) if x]
    return list(map(abs, a)) == list(map(abs, b)) and any(alike) and not all(alike) and len(alike) > 2


def _sum(f: Function, v: Vector, row: Sequence[Fraction], values: Sequence[str]) -> str:
    """The sum of values times numbers: it begins with one that has the number 1, where there is such."""
    terms = sorted(((number, value) for number, value in zip(row, values, strict=True) if number), key=_last)
    total = ""
    for number, value in terms:
        if not total:
            total = value if number == 1 else f.let(f"fmul {v.text} {value}, {_constant(v, number)}")
        elif abs(number) == 1:
            total = f.let(f"{'fadd' if number > 0 else 'fsub'} {v.text} {total}, {value}")
        else:
            total = f.fma(v, value, _constant(v, number), total)
    return total


def _last(term: tuple[Fraction, str]) -> bool:
    return term[0] != 1


def _constant(v: Vector, number: Fraction) -> str:
    text = f"{v.element} {float(number):.17e}"
    return f"<{', '.join([text] * v.lanes)}>"
