"""im2col and col2im: from the fine grid to a column for every coarse cell and tap, and the sum back.

They are the two halves of Caffe's method, and each other's transpose. One after the other they are not the identity:
col2im(im2col(y)) multiplies each cell by its coverage, the number of taps that reach it.
"""

from __future__ import annotations

from math import prod

import numpy as np

from tconv import arrays, checks
from tconv.geometry import Geometry, check_geometry
from tconv.methods.taps import ties
from tconv.problem import Array


def im2col(y: Array, geometry: Geometry) -> Array:
    """Gather, for every tap and every coarse cell, the fine cell they tie; zero where that lies in the padding.

    y has shape (..., *fine) and any dtype; the result has shape (..., *kernel, *coarse). With two axes,
    `im2col(y, g).reshape(n, channels * taps, cells)` is what torch.nn.functional.unfold gives.

    >>> import numpy as np, tconv
    >>> g = tconv.Geometry.conv(5, 3, stride=2)
    >>> tconv.im2col(np.array([1, 2, 3, 4, 5]), g)
    array([[1, 3],
           [2, 4],
           [3, 5]])
    """
    with checks.explained("im2col"):
        check_geometry(geometry)
        arrays.array("y", y)
        arrays.trailing_shape("y", y.shape, "fine", geometry.fine)
        lead = y.shape[: y.ndim - geometry.ndim]
        checks.fits_memory("the columns", y.itemsize * prod((*lead, *geometry.kernel, *geometry.coarse)))
    columns = np.empty((*lead, *geometry.kernel, *geometry.coarse), y.dtype)
    gather(_kernel_last(columns, geometry), y, geometry)
    return columns


def col2im(columns: Array, geometry: Geometry) -> Array:
    """Add the value of every tap and coarse cell to the fine cell they tie: the transpose of `im2col`.

    columns has shape (..., *kernel, *coarse) and a numeric dtype; the result has shape (..., *fine).

    >>> import numpy as np, tconv
    >>> g = tconv.Geometry.conv(5, 3, stride=2)
    >>> tconv.col2im(tconv.im2col(np.array([1, 1, 1, 1, 1]), g), g)  # the coverage
    array([1, 1, 2, 1, 1])
    """
    with checks.explained("col2im"):
        check_geometry(geometry)
        arrays.array("columns", columns)
        if columns.dtype.kind not in "biufc":
            checks.wrong_type(f"columns must be of a numeric dtype; got {columns.dtype}")
        arrays.trailing_shape("columns", columns.shape, "kernel and coarse", (*geometry.kernel, *geometry.coarse))
        lead = columns.shape[: columns.ndim - 2 * geometry.ndim]
        checks.fits_memory("the result", columns.itemsize * prod((*lead, *geometry.fine)))
    y = np.zeros((*lead, *geometry.fine), columns.dtype)
    scatter(_kernel_last(columns, geometry), y, geometry)
    return y


def gather(columns: Array, y: Array, geometry: Geometry, rows: slice | None = None, along: int = 0) -> None:
    """Fill columns (..., *coarse, *kernel) from y (..., *fine); `rows` are those they hold along one axis."""
    if any(axis.pairs < axis.kernel * axis.coarse for axis in geometry.axes):
        columns[...] = 0
    for tap, coarse, fine in ties(geometry, rows, along):
        columns[tap][coarse] = y[fine]


def scatter(columns: Array, y: Array, geometry: Geometry, rows: slice | None = None, along: int = 0) -> None:
    """Add columns (..., *coarse, *kernel) to y (..., *fine); `rows` are those they hold along one axis."""
    for tap, coarse, fine in ties(geometry, rows, along):
        y[fine] += columns[tap][coarse]


def _kernel_last(columns: Array, geometry: Geometry) -> Array:
    """A view of columns (..., *kernel, *coarse) as `gather` and `scatter` take them."""
    return np.moveaxis(columns, range(-2 * geometry.ndim, -geometry.ndim), range(-geometry.ndim, 0))
