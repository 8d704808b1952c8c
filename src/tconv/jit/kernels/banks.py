"""Filters over the same cells: those of the phases of a transposed convolution, which have taps of their own.

At stride 2 a kernel of 3 taps is one tap g1 for the even positions and two, g0 and g2, for the odd ones. A filter for
both would have two taps, one of them a zero. A bank gives each phase what it needs, and interleaves their results:

    y[2i], y[2i + 1] = g1 d[i], g0 d[i + 1] + g2 d[i]        m + (m + 1) products for 2m results, i < m

Its matrices hold those of the filters F(m, r): rows of data side by side over the cells that all of them read, weights
along the diagonal, results at every s-th place. Along two axes that is (2m + 1)^2 products, where the definition has
9 m^2, and what has one tap along both is multiplied as it is.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from tconv.jit.kernels.filtering import Matrix, transforms


class Bank(NamedTuple):
    """Filters of as many outputs; one filter F(outputs, taps) alone is a bank as well."""

    outputs: int  #: of each of them: cells from a tile to the next
    filters: tuple[tuple[int, int], ...]  #: for each phase the cells before the first that it reads, and its taps

    @property
    def results(self) -> int:
        """Results of a tile, of all phases."""
        return self.outputs * len(self.filters)

    @property
    def taps(self) -> int:
        """Taps of all phases."""
        return sum(taps for _, taps in self.filters)

    @property
    def points(self) -> int:
        """Products of a tile."""
        return sum(self.outputs + taps - 1 for _, taps in self.filters)

    @property
    def cells(self) -> int:
        """Cells that a tile reads."""
        return max(first + self.outputs + taps - 1 for first, taps in self.filters)


class Matrices(NamedTuple):
    """The transforms of a bank, a row a point."""

    data: Matrix  #: a column a cell
    weights: Matrix  #: a column a tap: those of the first phase, of the second, ...
    results: Matrix  #: a column a result


def single(outputs: int, taps: int) -> Bank:
    """The bank of one filter."""
    return Bank(outputs, ((0, taps),))


@lru_cache(maxsize=64)
def matrices(bank: Bank) -> Matrices:
    """The transforms of all filters as one.

    >>> [[int(number) for number in row] for row in matrices(Bank(2, ((0, 1), (0, 2)))).data]
    [[1, 0, 0], [0, 1, 0], [-1, 1, 0], [0, 1, 0], [0, -1, 1]]
    """
    data, weights, results = [], [], []
    tap = 0
    for phase, (first, taps) in enumerate(bank.filters):
        found = transforms(bank.outputs, taps)
        data += [_row(bank.cells, first, row) for row in found.data]
        weights += [_row(bank.taps, tap, row) for row in found.weights]
        results += [_row(bank.results, phase, row, len(bank.filters)) for row in found.results]
        tap += taps
    return Matrices(tuple(data), tuple(weights), tuple(results))


def _row(length: int, first: int, numbers: tuple[Fraction, ...], step: int = 1) -> tuple[Fraction, ...]:
    """A row with some numbers from a place on, and zeros beside them."""
    found = [Fraction(0)] * length
    found[first : first + step * (len(numbers) - 1) + 1 : step] = numbers
    return tuple(found)
