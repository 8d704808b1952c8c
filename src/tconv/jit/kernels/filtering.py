"""Minimal filtering: a few outputs of an FIR filter from fewer products than outputs times taps.

F(m, r) computes m outputs y[i] = sum_j g[j] d[i + j] of a filter of r taps from m + r - 1 products,

    y = A^T ((G g) * (B^T d)),

where the matrices hold small rational numbers: those of Toom and Cook's product of polynomials, evaluated at n - 1
small points and at infinity, transposed. Along two axes the matrices of each are applied in turn: F(2, 3) along both
takes 16 products instead of 36. (Winograd, Arithmetic Complexity of Computations, 1980; Lavin and Gray,
arXiv:1509.09308, for convolutional networks; Blahut, Fast Algorithms for Signal Processing, chapter 5, for the
construction; Barabasz et al., arXiv:1803.10986, for how points decide on rounding.)

The sums are those of the definition in another order, with some that cancel: rounding grows with the number of points,
and a NaN or an infinity in d reaches all m outputs.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

Matrix = tuple[tuple[Fraction, ...], ...]

#: The points beside infinity, by how many there are: of those with exact powers they cost the least in rounding, as
#: was measured in float32 along two axes. With -1, 1, -2 and 2 for n = 6 errors are twice as large.
POINTS: dict[int, tuple[Fraction, ...]] = {
    count: tuple(map(Fraction, points.split()))
    for count, points in {
        0: "",
        1: "0",
        2: "0 1",
        3: "0 1 -1",
        4: "0 3/4 -3/4 2",
        5: "0 5/8 -5/8 3/2 -3/2",
        6: "0 1/2 -1/2 1 -1 2",
        7: "0 1/2 -1/2 1 -1 2 -2",
    }.items()
}


class Transforms(NamedTuple):
    """The matrices of F(outputs, taps), a row a point."""

    outputs: int
    taps: int
    data: Matrix  #: B^T: coefficients of polynomials with leading coefficient 1
    weights: Matrix  #: G
    results: Matrix  #: A

    @property
    def points(self) -> int:
        """Products, and cells of d that are read."""
        return self.outputs + self.taps - 1


@lru_cache(maxsize=64)
def transforms(outputs: int, taps: int) -> Transforms:
    """The matrices of F(outputs, taps). Of one tap, outputs are cells times that tap: as many products, none to save.

    >>> [[int(number) for number in row] for row in transforms(2, 3).data]
    [[-1, 0, 1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, -1, 0, 1]]
    """
    n = outputs + taps - 1
    if taps == 1:
        unit = _matrix([[Fraction(int(i == j)) for j in range(n)] for i in range(n)])
        return Transforms(outputs, taps, unit, _matrix([[Fraction(1)]] * n), unit)
    points = list(POINTS[n - 1])
    inverse = _inverse(_evaluated(points, n))
    data = [list(column) for column in zip(*inverse, strict=True)]
    weights, results = _evaluated(points, taps), _evaluated(points, outputs)
    for number, row in enumerate(data):
        leading = next(entry for entry in reversed(row) if entry)
        data[number] = [entry / leading for entry in row]
        weights[number] = [entry * leading for entry in weights[number]]
    return Transforms(outputs, taps, _matrix(data), _matrix(weights), _matrix(results))


def _matrix(rows: list[list[Fraction]]) -> Matrix:
    return tuple(map(tuple, rows))


def _evaluated(points: list[Fraction], terms: int) -> list[list[Fraction]]:
    """What takes a polynomial of so many terms to its values at the points and at infinity, its last coefficient."""
    last = [Fraction(0)] * (terms - 1) + [Fraction(1)]
    return [*([point**power for power in range(terms)] for point in points), last]


def _inverse(rows: list[list[Fraction]]) -> list[list[Fraction]]:
    """The inverse of a matrix, by elimination."""
    n = len(rows)
    work = [row + [Fraction(int(i == j)) for j in range(n)] for i, row in enumerate(rows)]
    for column in range(n):
        pivot = next(row for row in range(column, n) if work[row][column])
        work[column], work[pivot] = work[pivot], work[column]
        work[column] = [entry / work[column][column] for entry in work[column]]
        for row in range(n):
            if row != column:
                factor = work[row][column]
                work[row] = [a - factor * b for a, b in zip(work[row], work[column], strict=True)]
    return [row[n:] for row in work]
