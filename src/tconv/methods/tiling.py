"""How the method `fft` cuts a problem: phases without zeros, tiles of the coarse grid, and what both should take.

With q = o + low, tap t of coarse cell c reaches q = c * stride + t * dilation. Written as q = m * stride + residue it
is position m = c + (t * dilation) // stride of a residue: a convolution at stride 1 for each residue that taps have.
Its kernel has `reach` positions, its grid as many cells as the coarse one and a kernel more: no inserted zero.

A tile is a run of coarse cells [first, first + cells) along each axis with the positions that its taps reach,
[first, first + cells + reach - 1). Its transforms are cyclic, of some length: positions outside the fine grid may share
places with each other, those inside may not (see `_least_length`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product
from math import gcd, inf, prod

from tconv.axis import Axis
from tconv.methods import cost
from tconv.methods.spectra import fast_length
from tconv.problem import Problem

#: From so many numbers of a transform on, smaller tiles are considered: below, a tile takes what its calls take.
WORTH_CUTTING = 1 << 15
#: By number of axes: the shortest tile that is considered along one of them, and how many lengths are, each twice the
#: one before. With more axes tiles are cut along the last three only.
LENGTHS = {1: (2048, 6), 2: (128, 4), 3: (32, 2)}
#: Numbers of the spectra of weights at a time, in budgets: for each piece, the fine grid is transformed anew.
WEIGHTS = 8


@dataclass(frozen=True, slots=True)
class AxisTiles:
    """One axis, cut: tiles of so many coarse cells, transforms of this length."""

    axis: Axis
    reach: int
    residues: int
    cells: int
    length: int

    @property
    def count(self) -> int:
        """How many tiles there are; the last may have fewer cells."""
        return -(-self.axis.coarse // self.cells)


@dataclass(frozen=True, slots=True)
class Residue:
    """Taps of an axis whose t * dilation leaves the same remainder, and the positions at which they stand."""

    residue: int
    taps: slice
    positions: slice

    def fine(self, axis: Axis, first: int, size: int) -> tuple[slice, slice]:
        """Which of `size` positions from `first` on lie in the fine grid, counted from `first`, and where there."""
        low, high = self.residue - axis.padding[0], axis.fine
        start = max(first, -(low // axis.stride))
        stop = max(start, min(first + size, -((low - high) // axis.stride)))
        begin = start * axis.stride + low
        return slice(start - first, stop - first), slice(begin, begin + (stop - start) * axis.stride, axis.stride)


@lru_cache(maxsize=256)
def residues(axis: Axis) -> tuple[Residue, ...]:
    """The residues that taps of an axis have."""
    s, d = axis.stride, axis.dilation
    common = gcd(s, d)
    found = []
    for tap in range(_number_of_residues(axis)):
        count = -(-(axis.kernel - tap) // (s // common))
        position, step = tap * d // s, d // common
        places = slice(position, position + (count - 1) * step + 1, step)
        found.append(Residue(tap * d % s, slice(tap, None, s // common), places))
    return tuple(sorted(found, key=lambda each: each.residue))


@dataclass(frozen=True)
class Tiling:
    """How a problem is cut along all axes, and how many channels and images are transformed at a time."""

    problem: Problem
    axes: tuple[AxisTiles, ...]
    budget: int

    @cached_property
    def lengths(self) -> tuple[int, ...]:
        """The lengths of the transforms."""
        return tuple(axis.length for axis in self.axes)

    @cached_property
    def residues(self) -> int:
        """Phases that have taps, over all axes."""
        return prod(axis.residues for axis in self.axes)

    @cached_property
    def numbers(self) -> int:
        """Complex numbers of one spectrum."""
        last = self.lengths[-1]
        return prod(self.lengths[:-1]) * (last if self.problem.dtype.startswith("complex") else last // 2 + 1)

    @cached_property
    def tiles(self) -> int:
        """How many there are."""
        return prod(axis.count for axis in self.axes)

    @cached_property
    def groups(self) -> int:
        """Groups at a time."""
        p = self.problem
        of_group = (p.cin * p.cout * self.residues + p.cin + p.cout * self.residues) * self.numbers
        return max(1, min(p.groups, self.budget // of_group))

    @cached_property
    def channels(self) -> int:
        """Channels of x of a group at a time."""
        p = self.problem
        return max(1, min(p.cin, WEIGHTS * self.budget // (p.cout * self.residues * self.numbers)))

    @cached_property
    def images(self) -> int:
        """Images at a time."""
        p = self.problem
        of_image = self.groups * (self.channels + p.cout * self.residues) * self.numbers
        return max(1, min(p.batch, self.budget // of_image))

    def steps(self, axis: int) -> range:
        """The first cells of the tiles along an axis."""
        return range(0, self.axes[axis].axis.coarse, self.axes[axis].cells)

    def starts(self) -> Iterator[tuple[int, ...]]:
        """The first cells of all tiles."""
        return product(*map(self.steps, range(len(self.axes))))

    @cached_property
    def seconds(self) -> float:
        """What it is expected to take."""
        p = self.problem
        of_tile = p.batch * (p.in_channels + p.out_channels * self.residues * -(-p.cin // self.channels))
        weights = p.in_channels * p.cout * self.residues
        transforms = self.tiles * of_tile + weights
        products = self.tiles * p.batch * weights
        images, groups, channels = -(-p.batch // self.images), -(-p.groups // self.groups), -(-p.cin // self.channels)
        runs = self.tiles * images * groups * channels
        moved = prod(p.x_shape) + prod(p.y_shape) * channels
        return (
            cost.transform(p, transforms, self.lengths, self.numbers)
            + cost.spectral(p, products * self.numbers)
            + cost.copy(p, moved, p.geometry.fine[-1], p.geometry.stride[-1])
            + cost.calls(runs * (8 + 3 * len(self.axes) + 2 * self.residues) + self.residues)
        )

    @cached_property
    def scratch(self) -> int:
        """Bytes of spectra, of what is filled up with zeros before a transform, and of products."""
        p = self.problem
        pairs = self.groups * self.channels * p.cout * self.residues
        grids = self.images * self.groups * (self.channels + p.cout * self.residues)
        most = max(pairs, grids)
        complex_size = p.itemsize if p.dtype.startswith("complex") else 2 * p.itemsize
        return (pairs + grids + 2 * most) * self.numbers * complex_size


@lru_cache(maxsize=1024)
def tiling(problem: Problem, budget: int) -> Tiling:
    """The tiles that are expected to take the least time."""
    ndim = problem.geometry.ndim
    options = [_options(axis, min(ndim, 3) if i >= ndim - 3 else 0) for i, axis in enumerate(problem.geometry.axes)]
    whole = Tiling(problem, tuple(of_axis[0] for of_axis in options), budget)
    if prod(whole.lengths) < WORTH_CUTTING:
        return whole
    best, least = whole, inf
    for axes in product(*options):
        found = Tiling(problem, axes, budget)
        if found.seconds < least:
            best, least = found, found.seconds
    return best


def _options(axis: Axis, ndim: int) -> list[AxisTiles]:
    """The whole axis in one tile, and tiles of some lengths; none of those for 0 axes."""
    reach, number = (axis.kernel - 1) * axis.dilation // axis.stride + 1, _number_of_residues(axis)
    n = axis.coarse
    found = [AxisTiles(axis, reach, number, n, fast_length(_least_length(axis, reach)))]
    shortest, lengths = LENGTHS.get(ndim, (1, 0))
    for doubled in range(lengths):
        cells = (max(shortest, 2 * reach) << doubled) - reach + 1
        if cells >= n:
            break
        cells = -(-n // -(-n // cells))  # tiles of one size, as far as that goes
        found.append(AxisTiles(axis, reach, number, cells, fast_length(cells + reach - 1)))
    return found


def _least_length(axis: Axis, reach: int) -> int:
    """The shortest cyclic length for a whole axis: shorter than the grid of positions where padding crops that.

    Of the positions [0, coarse + reach - 1), those in [first, stop) lie in the fine grid, for one residue or another.
    These must not meet the others: stop <= length, and position coarse + reach - 1 + first - length is at most first.
    """
    n, s, low = axis.coarse, axis.stride, axis.padding[0]
    first = max(0, low // s)
    stop = min(n + reach - 1, -(-(axis.fine + low) // s))
    return max(n, reach, stop, n + reach - 1 - first)


def _number_of_residues(axis: Axis) -> int:
    return min(axis.kernel, axis.stride // gcd(axis.stride, axis.dilation))
