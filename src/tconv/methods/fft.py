"""FFT: products of spectra in place of sums over taps, a tile of the coarse grid after the other.

For each residue r of the taps (`tiling.py`) the operations are cyclic convolutions at stride 1, products of spectra:

    conv_transpose:   Y[r] = sum of X W[r] over input channels            tiles overlap and are added (overlap-add)
    conv:             X = sum of Y[r] W*[r] over residues, channels       tiles read overlapping cells (overlap-save)
    weight_gradient:  W[r] = sum of X* Y[r] over tiles and images         one transform back, at the end

where * is the spectrum in the opposite direction. Work grows with the logarithm of the kernel, not with its taps: for
kernels of hundreds of taps, and channels that are few. T. G. Stockham, "High-speed convolution and correlation", 1966.

Rounding is spread over a tile: an error is about the unit in the last place times the logarithm of the length, of the
product of the norms of what a tile reads, not of the single result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np

from tconv.methods import blocks
from tconv.methods.base import Cost, Index, Method, is_finite, last_axes, limit_of_dtype
from tconv.methods.spectra import contracted, grid, mirrored, spectrum
from tconv.methods.taps import run_tap_by_tap
from tconv.methods.tiling import Tiling, residues, tiling
from tconv.problem import Array, Problem

#: From so many complex numbers in a tile on, transforms are shared among threads.
SHARED = 1 << 15


class Fft(Method):
    """Products of spectra."""

    name = "fft"
    summary = "products of spectra, by phases and in tiles, for large kernels (scipy.fft)"

    def cost(self, problem: Problem) -> Cost:
        """Transforms, products of spectra, and what is moved between them."""
        found = tiling(problem, blocks.BUDGET)
        return Cost(found.seconds, found.scratch)

    def limit(self, problem: Problem) -> str:
        """Why it cannot compute a problem; "" where it can."""
        return limit_of_dtype(problem)

    def run(self, problem: Problem, x: Array, w: Array, y: Array) -> None:
        """Compute the operation; tap by tap where a NaN, an Inf or an overflow has spread."""
        found, compute = tiling(problem, blocks.BUDGET), _COMPUTE[problem.operation]
        if problem.operation == "conv_transpose":
            y[...] = 0
        for groups, channels in _weights(found):
            compute(found, x[:, groups, channels], w[groups, channels], y[:, groups])
        if not is_finite({"x": x, "w": w, "y": y}[problem.written]):
            run_tap_by_tap(problem, x, w, y)


def _up(found: Tiling, x: Array, w: Array, y: Array) -> None:
    """conv_transpose of some channels, added to y."""
    weights = _of_weights(found, w, spectrum).swapaxes(0, 1)  # (Cin, groups, Cout * residues, numbers)
    for images, start in _pieces(found):
        _stamp(found, x[images], weights, y[images], start)  # in a function: what a piece needed goes with it


def _stamp(found: Tiling, x: Array, weights: Array, y: Array, start: tuple[int, ...]) -> None:
    cells = _cells(found, start)
    sizes = _positions(found, cells)
    spectra = spectrum(x[last_axes(cells)], found.lengths, _workers(found)).swapaxes(0, 2)
    products = contracted(spectra.swapaxes(1, 2)[:, :, :, None], weights[:, None])
    landed = grid(products, found.lengths, sizes, _is_real(x), _workers(found))
    for of_residue, positions, fine in _by_residue(found, landed, start, sizes):
        into = y[last_axes(fine)]
        into += of_residue[last_axes(positions)]


def _down(found: Tiling, x: Array, w: Array, y: Array) -> None:
    """conv, of some channels of x."""
    weights = np.moveaxis(_of_weights(found, w, mirrored), 2, 0)  # (Cout * residues, groups, Cin, numbers)
    for images, start in _pieces(found):
        _collect(found, x[images], weights, y[images], start)


def _collect(found: Tiling, x: Array, weights: Array, y: Array, start: tuple[int, ...]) -> None:
    cells = _cells(found, start)
    sizes = tuple(cut.stop - cut.start for cut in cells)
    spectra = _of_fine(found, y, start, _positions(found, cells))
    products = contracted(np.moveaxis(spectra, 2, 0)[:, :, :, None], weights[:, None])
    x[last_axes(cells)] = grid(products, found.lengths, sizes, _is_real(x), _workers(found))


def _gradient(found: Tiling, x: Array, w: Array, y: Array) -> None:
    """weight_gradient, of some channels of x."""
    total = np.zeros((*w.shape[:2], w.shape[2] * found.residues, found.numbers), np.result_type(x, np.complex64))
    for images, start in _pieces(found):
        total += _correlated(found, x[images], y[images], start)
    reaches = tuple(axis.reach for axis in found.axes)
    landed = grid(total, found.lengths, reaches, _is_real(x), _workers(found))
    by_residue = landed.reshape(*w.shape[:3], found.residues, *reaches)
    for number, taps, positions in _taps(found):
        w[taps] = by_residue[:, :, :, number][positions]


def _correlated(found: Tiling, x: Array, y: Array, start: tuple[int, ...]) -> Array:
    cells = _cells(found, start)
    of_x = mirrored(x[last_axes(cells)], found.lengths, _workers(found))
    of_y = _of_fine(found, y, start, _positions(found, cells))
    return contracted(of_x[:, :, :, None], of_y[:, :, None])


_COMPUTE = {"conv_transpose": _up, "conv": _down, "weight_gradient": _gradient}


def _weights(found: Tiling) -> Iterator[tuple[slice, slice]]:
    """Groups and channels of x in a group, in pieces."""
    p = found.problem
    for group, channel in product(range(0, p.groups, found.groups), range(0, p.cin, found.channels)):
        yield slice(group, group + found.groups), slice(channel, channel + found.channels)


def _pieces(found: Tiling) -> Iterator[tuple[slice, tuple[int, ...]]]:
    """Images and the first coarse cells of tiles, in pieces."""
    for image, start in product(range(0, found.problem.batch, found.images), found.starts()):
        yield slice(image, image + found.images), start


def _cells(found: Tiling, start: tuple[int, ...]) -> list[slice]:
    """The coarse cells of a tile."""
    ends = (min(first + axis.cells, axis.axis.coarse) for first, axis in zip(start, found.axes, strict=True))
    return [slice(first, end) for first, end in zip(start, ends, strict=True)]


def _positions(found: Tiling, cells: list[slice]) -> tuple[int, ...]:
    """How many positions of a tile are of use along each axis; those beyond its length are outside the fine grid."""
    return tuple(
        min(axis.length, cut.stop - cut.start + axis.reach - 1) for cut, axis in zip(cells, found.axes, strict=True)
    )


def _taps(found: Tiling) -> Iterator[tuple[int, Index, Index]]:
    """For each residue its number, its taps, and the positions at which they stand."""
    for number, combination in enumerate(product(*(residues(axis.axis) for axis in found.axes))):
        yield number, last_axes(each.taps for each in combination), last_axes(each.positions for each in combination)


def _by_residue(
    found: Tiling, spread: Array, start: tuple[int, ...], sizes: tuple[int, ...]
) -> Iterator[tuple[Array, Index, Index]]:
    """For each residue its view of (N, groups, Cout * residues, *positions), those that are fine cells, and which."""
    apart = spread.reshape(*spread.shape[:2], -1, found.residues, *spread.shape[3:])
    of_axes = [
        [each.fine(axis.axis, first, size) for each in residues(axis.axis)]
        for axis, first, size in zip(found.axes, start, sizes, strict=True)
    ]
    for number, combination in enumerate(product(*of_axes)):
        positions, fine = zip(*combination, strict=True)
        yield apart[:, :, :, number], positions, fine


def _of_weights(found: Tiling, w: Array, transform: Callable[[Array, tuple[int, ...], int], Array]) -> Array:
    """Spectra of weights (groups, Cin, Cout * residues, numbers)."""
    reaches = [axis.reach for axis in found.axes]
    spread = np.zeros((*w.shape[:3], found.residues, *reaches[:-1], found.lengths[-1]), w.dtype)
    for number, taps, positions in _taps(found):
        spread[:, :, :, number][positions] = w[taps]
    return transform(spread, found.lengths, _workers(found)).reshape(*w.shape[:2], -1, found.numbers)


def _of_fine(found: Tiling, y: Array, start: tuple[int, ...], sizes: tuple[int, ...]) -> Array:
    """Spectra of the positions of a tile (N, groups, Cout * residues, numbers)."""
    spread = np.zeros((*y.shape[:2], y.shape[2] * found.residues, *sizes[:-1], found.lengths[-1]), y.dtype)
    for of_residue, positions, fine in _by_residue(found, spread, start, sizes):
        of_residue[last_axes(positions)] = y[last_axes(fine)]
    return spectrum(spread, found.lengths, _workers(found))


def _is_real(grid: Array) -> bool:
    return grid.dtype.kind != "c"


def _workers(found: Tiling) -> int:
    """Threads that share a transform."""
    if found.numbers * found.images * found.groups * found.channels < SHARED:
        return 1
    from tconv.jit.machine import launch

    return launch.setting()
