"""Transforms between grids and spectra, one axis after the other, so that rows of zeros are never transformed.

The spectrum of real numbers is kept in half (its other half is conjugate), that of complex numbers whole. Transforms
are those of scipy.fft (pocketfft): float32 and complex64 stay in single precision.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache

import numpy as np

from tconv.methods.base import last_axes
from tconv.problem import Array

#: Lengths up to this one are looked up; beyond it a power of two does.
_LOOKED_UP = 2**40
#: Products up to this many are added one after the other; more by halves, whose rounding grows with the logarithm.
PAIRWISE = 32


def fast_length(least: int) -> int:
    """The smallest length of at least this that has no prime factor but 2, 3 and 5: those that transform fastest."""
    if least > _LOOKED_UP:
        return 1 << (least - 1).bit_length()
    lengths = _smooth()
    return lengths[bisect_left(lengths, least)]


@lru_cache(maxsize=1)
def _smooth() -> list[int]:
    found = []
    five = 1
    while five <= _LOOKED_UP:
        three = five
        while three <= _LOOKED_UP:
            two = three
            while two <= _LOOKED_UP:
                found.append(two)
                two *= 2
            three *= 3
        five *= 5
    return sorted(found)


def spectrum(grid: Array, lengths: tuple[int, ...], workers: int) -> Array:
    """The spectrum of the last axes, each filled up with zeros to its length; numbers lie along one last axis."""
    from scipy import fft

    if grid.dtype.kind == "c":
        found = fft.fft(grid, lengths[-1], workers=workers)
    else:
        found = fft.rfft(grid, lengths[-1], workers=workers)
    for axis in range(-2, -len(lengths) - 1, -1):
        found = fft.fft(found, lengths[axis], axis, overwrite_x=True, workers=workers)
    return np.ascontiguousarray(found).reshape(*grid.shape[: grid.ndim - len(lengths)], -1)


def mirrored(grid: Array, lengths: tuple[int, ...], workers: int) -> Array:
    """The spectrum of the same numbers in the opposite order, about the first: f(-m) in place of f(m)."""
    found = spectrum(grid.conj() if grid.dtype.kind == "c" else grid, lengths, workers)
    return np.conj(found, out=found)


def grid(spectra: Array, lengths: tuple[int, ...], sizes: tuple[int, ...], real: bool, workers: int) -> Array:
    """The first cells of the last axes, so many along each, of what has this spectrum. The spectrum is overwritten."""
    from scipy import fft

    stored = (*lengths[:-1], lengths[-1] // 2 + 1) if real else lengths
    found: Array = spectra.reshape(*spectra.shape[:-1], *stored)
    for axis in range(-len(lengths), -1):
        found = fft.ifft(found, axis=axis, overwrite_x=True, workers=workers)
        found = found[last_axes([slice(sizes[axis]), *[slice(None)] * (-axis - 1)])]
    found = fft.irfft(found, lengths[-1], workers=workers) if real else fft.ifft(found, workers=workers)
    return found[..., : sizes[-1]]


def contracted(a: Array, b: Array) -> Array:
    """The sum over the first axis of products, other axes broadcast."""
    if len(a) > PAIRWISE:
        half = len(a) // 2
        sums: Array = contracted(a[:half], b[:half])
        sums += contracted(a[half:], b[half:])
        return sums
    total: Array = a[0] * b[0]
    for left, right in zip(a[1:], b[1:], strict=True):
        total += left * right
    return total
