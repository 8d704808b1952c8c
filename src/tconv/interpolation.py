"""Interpolation as a transposed convolution: kernels whose Cᵀ enlarges a grid by a whole number.

Enlarging by s puts fine position o at the coarse coordinate u = (o + 1/2) / s - 1/2, the middle of its cell, and reads
there the interpolation sum over c of x[c] * B(u - c) for a profile B. With kernel size k and padding p = (k - s) / 2
the transposed convolution of stride s computes it, because tap t of cell c lands where u - c = (t - (k - 1) / 2) / s:

    w[t] = B((t - (k - 1) / 2) / s),    fine = (coarse - 1) * s - 2p + k = coarse * s

A profile of radius R needs k = 2Rs taps, or one less so that k - s is even. For R = 1 this is the bilinear filler of
Caffe, k = 2s - s mod 2 and p = ceil((s - 1) / 2), which J. Long, E. Shelhamer and T. Darrell use to upsample in "Fully
convolutional networks for semantic segmentation" (CVPR 2015, arXiv:1411.4038).

A kernel over several axes is the outer product of the kernel of one axis. Zeros beyond the border take part in the
sum, so the outermost fine cells come out darker; `tconv.upsample` replicates the edge instead.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tconv import arrays, checks

#: B(|u|), taken element by element.
Profile: TypeAlias = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def nearest_kernel(scale: int, ndim: int = 2, dtype: DTypeLike = "float64") -> NDArray[Any]:
    """The kernel that repeats each coarse cell `scale` times along every axis: `scale` ones an axis, padding 0.

    Returns an array of shape (scale,) * ndim. ValueError where `scale` is below 1, `ndim` is not from 1 to 32 or
    `dtype` is not a floating point one, TypeError where they are no integers.

    >>> import tconv.interpolation
    >>> tconv.interpolation.nearest_kernel(2)
    array([[1., 1.],
           [1., 1.]])
    """
    with checks.explained("nearest_kernel"):
        return _kernel(_box, 0.5, scale, ndim, dtype)


def bilinear_kernel(scale: int, ndim: int = 2, dtype: DTypeLike = "float64") -> NDArray[Any]:
    """The kernel of linear interpolation, B(u) = 1 - |u| for |u| < 1: bilinear for two axes, trilinear for three.

    Along each axis it has 2 * scale - scale mod 2 taps; `upsampling_padding` tells the padding, ceil((scale - 1) / 2).
    The values are those of Caffe's "bilinear" filler. Arguments, errors and shape are as in `nearest_kernel`.

    >>> import tconv.interpolation
    >>> tconv.interpolation.bilinear_kernel(2, ndim=1)
    array([0.25, 0.75, 0.75, 0.25])
    >>> tconv.interpolation.upsampling_padding(4, 2)
    (1, 1)
    """
    with checks.explained("bilinear_kernel"):
        return _kernel(_linear, 1, scale, ndim, dtype)


def bicubic_kernel(scale: int, ndim: int = 2, dtype: DTypeLike = "float64") -> NDArray[Any]:
    """The kernel of cubic convolution with a = -1/2, which reproduces polynomials up to the second degree:

        B(u) = 3/2 |u|^3 - 5/2 |u|^2 + 1               for |u| <= 1
        B(u) = -1/2 |u|^3 + 5/2 |u|^2 - 4 |u| + 2      for 1 < |u| < 2

    R. Keys, "Cubic convolution interpolation for digital image processing" (IEEE Trans. ASSP 29, 1981), equation 15.
    Along each axis it has 4 * scale - scale mod 2 taps. Arguments, errors and shape are as in `nearest_kernel`.

    >>> import tconv.interpolation
    >>> tconv.interpolation.bicubic_kernel(2, ndim=1) * 128
    array([ -3.,  -9.,  29., 111., 111.,  29.,  -9.,  -3.])
    """
    with checks.explained("bicubic_kernel"):
        return _kernel(_keys, 2, scale, ndim, dtype)


#: The kernels by name.
KERNELS: dict[str, Callable[..., NDArray[Any]]] = {
    "nearest": nearest_kernel,
    "bilinear": bilinear_kernel,
    "bicubic": bicubic_kernel,
}


def upsampling_padding(kernel: int, scale: int) -> tuple[int, int]:
    """The (low, high) padding with which `kernel` taps at stride `scale` give coarse * scale fine cells.

    kernel - scale cells are cropped, half at each end, the odd one at the high end. ValueError where the kernel has
    fewer taps than `scale`, because some fine cells would then be reached by none.

    >>> import tconv.interpolation
    >>> tconv.interpolation.upsampling_padding(5, 2)
    (1, 2)
    """
    with checks.explained("upsampling_padding"):
        kernel, scale = checks.integer("kernel", kernel, 1), checks.integer("scale", scale, 1)
        if kernel < scale:
            checks.wrong(f"kernel must have at least scale = {scale} taps along each axis; got {kernel}")
    low = (kernel - scale) // 2
    return low, kernel - scale - low


def phase_sums(kernel: NDArray[Any], scale: int) -> NDArray[np.float64]:
    """The sum of the weights that reach each phase, in the order of tap mod scale, shape (scale,) * kernel.ndim.

    Where all are 1, a constant picture comes out as it went in; where they differ, it comes out as a checkerboard.
    TypeError where `kernel` is no array of integers or floats, ValueError where it is empty or `scale` is below 1.

    >>> import tconv.interpolation
    >>> tconv.interpolation.phase_sums(tconv.interpolation.bilinear_kernel(2, ndim=1), 2)
    array([1., 1.])
    """
    with checks.explained("phase_sums"):
        scale = checks.integer("scale", scale, 1)
        _check_weights(kernel)
        checks.fits_memory("the sums", 8 * scale**kernel.ndim)
    sums = np.asarray(kernel, np.float64)
    for axis in range(sums.ndim):
        # Whole strides of taps, the missing ones as zeros; then taps that share t mod scale lie in one column.
        along = np.moveaxis(sums, axis, -1)
        padded = np.pad(along, [(0, 0)] * (sums.ndim - 1) + [(0, -along.shape[-1] % scale)])
        sums = np.moveaxis(padded.reshape(*padded.shape[:-1], -1, scale).sum(-2), -1, axis)
    return sums


def _check_weights(kernel: object) -> None:
    """An array of real numbers with at least one element, along at least one axis."""
    arrays.array("kernel", kernel)
    assert isinstance(kernel, np.ndarray)
    if kernel.dtype.kind not in "iuf":
        checks.wrong_type(f"kernel must be an array of integers or floats; got dtype {kernel.dtype}")
    if kernel.ndim == 0 or kernel.size == 0:
        checks.wrong(f"kernel must have at least 1 axis and 1 element; got shape {kernel.shape}")


def _kernel(profile: Profile, radius: float, scale: int, ndim: int, dtype: DTypeLike) -> NDArray[Any]:
    """The outer product of one axis: the profile at the middle of each tap, every phase brought to a sum of 1."""
    scale, ndim, kind = checks.integer("scale", scale, 1), checks.integer("ndim", ndim, 1), _floating(dtype)
    if ndim > checks.MOST_AXES:
        checks.wrong(f"ndim must be an integer from 1 to {checks.MOST_AXES}; got {checks.shorten(ndim)}")
    taps = int(2 * radius * scale)
    taps -= (taps - scale) % 2  # an odd crop could not be centred
    checks.fits_memory("the kernel", 8 * taps**ndim)
    weights = profile(np.abs(np.arange(taps) - (taps - 1) / 2) / scale)
    # Every profile here sums to 1 over any phase as it is; dividing takes only the rounding out.
    weights /= np.resize(phase_sums(weights, scale), taps)
    return reduce(np.multiply.outer, [weights] * ndim).astype(kind)


def _floating(dtype: DTypeLike) -> np.dtype[Any]:
    try:
        kind = np.dtype(dtype)
    except TypeError:
        checks.wrong_type(f"dtype must be a floating point one, such as float32; got {checks.shorten(dtype)}")
    if kind.kind != "f":
        checks.wrong(f"dtype must be a floating point one, such as float32; got {kind}")
    return kind


def _box(u: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.ones_like(u)


def _linear(u: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(1 - u, 0)


def _keys(u: NDArray[np.float64]) -> NDArray[np.float64]:
    inner = (1.5 * u - 2.5) * u**2 + 1
    outer = ((-0.5 * u + 2.5) * u - 4) * u + 2
    return np.where(u <= 1, inner, np.where(u < 2, outer, 0))
