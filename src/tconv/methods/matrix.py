"""The definition: a convolution of fixed geometry is a sparse matrix C; the transposed convolution is its transpose.

C has a row for every channel and cell of the coarse grid and a column for every channel and cell of the fine grid:

    C[(i, c), (o, c * stride - low + t * dilation)] = w[i, o, t]

It is built from index arithmetic on whole arrays. In float64 it is the oracle that every other method is tested with.
"""

from __future__ import annotations

from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from tconv.geometry import Geometry
from tconv.methods import cost
from tconv.methods.base import Cost, Method
from tconv.methods.matmul import matmul
from tconv.problem import Array, Problem

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_INDEX_BYTES = 8


class Matrix(Method):
    """A sparse matrix."""

    name = "matrix"
    summary = "the sparse matrix C and its transpose, the definition (SciPy)"
    padded = MappingProxyType({"weight_gradient": "x"})

    def cost(self, problem: Problem) -> Cost:
        """Building C is a few passes over its stored elements; a product reads each once for every image."""
        pairs = problem.pairs
        if problem.operation == "weight_gradient":
            columns = problem.batch * problem.out_channels * problem.taps * problem.coarse_cells
            images = problem.batch * problem.coarse_cells
            seconds = pairs * cost.BUILD + columns * cost.MULTIPLY + cost.calls(80)
            seconds += cost.matmul(problem, problem.cin, images, problem.cout * problem.taps)
            scratch = pairs * (problem.itemsize + 4 * _INDEX_BYTES) + 2 * columns * problem.itemsize
            return Cost(seconds, scratch)
        stored = problem.in_channels * problem.cout * pairs
        seconds = stored * (cost.BUILD + problem.batch * cost.MULTIPLY) + cost.calls(80)
        building = 4 * _INDEX_BYTES * problem.cout * problem.coarse_cells * problem.taps
        return Cost(seconds, stored * (problem.itemsize + _INDEX_BYTES) + building)

    def run(self, problem: Problem, x: Array, w: Array, y: Array) -> None:
        """Build the matrix and multiply."""
        if problem.operation == "weight_gradient":
            w[...] = _weight_gradient(problem, x, y)
            return
        c = weighted(problem.geometry, w)
        if problem.operation == "conv_transpose":
            y[...] = (x.reshape(problem.batch, c.shape[0]) @ c).reshape(y.shape)
        else:
            x[...] = (c @ y.reshape(problem.batch, c.shape[1]).T).T.reshape(x.shape)


def weighted(geometry: Geometry, w: Array) -> csr_array:
    """C for weights of shape (groups, Cin / groups, Cout / groups, *kernel), zeros among them stored too."""
    groups, cin, cout = w.shape[:3]
    cells, fine, taps = prod(geometry.coarse), prod(geometry.fine), prod(geometry.kernel)
    position, inside = _positions(geometry)
    # One row of blocks: the entries of a cell, channel of y by channel of y, each in ascending order of its position.
    entry = np.broadcast_to(inside[:, None, :], (cells, cout, taps))
    column = (position[:, None, :] + fine * np.arange(cout)[:, None])[entry]
    weight = np.broadcast_to(np.arange(cout * taps).reshape(cout, taps), entry.shape)[entry]
    stored = groups * cin * column.size
    index = np.int32 if max(stored, groups * cout * fine, groups * cin * cells) < 2**31 else np.int64
    of_group = column.astype(index) + (cout * fine * np.arange(groups, dtype=index))[:, None]
    indices = np.broadcast_to(of_group[:, None, :], (groups, cin, column.size)).reshape(stored)
    data = w.reshape(groups * cin, cout * taps)[:, weight].reshape(stored)
    ends = np.cumsum(np.tile(cout * np.count_nonzero(inside, axis=1), groups * cin))
    return _csr(data, indices, ends, (groups * cin * cells, groups * cout * fine))


def selection(geometry: Geometry, dtype: str) -> csr_array:
    """im2col as a matrix of ones: a row for every tap and coarse cell, a column for every fine cell."""
    position, inside = _positions(geometry)
    columns, entry = position.T, inside.T
    ends = np.cumsum(entry.ravel())
    return _csr(np.ones(ends[-1], dtype), columns[entry], ends, (entry.size, prod(geometry.fine)))


def _csr(data: Array, indices: Array, ends: Array, shape: tuple[int, int]) -> csr_array:
    from scipy.sparse import csr_array

    return csr_array((data, indices, np.concatenate(([0], ends)).astype(indices.dtype)), shape=shape)


def _positions(geometry: Geometry) -> tuple[Array, Array]:
    """For every coarse cell and tap, (cells, taps): the fine position they tie, and whether it lies inside the grid."""
    position, inside = np.zeros((1, 1), np.int64), np.ones((1, 1), np.bool_)
    for axis in geometry.axes:
        c, t = np.arange(axis.coarse)[:, None], np.arange(axis.kernel)
        along = c * axis.stride - axis.padding[0] + t * axis.dilation
        lies = (along >= 0) & (along < axis.fine)
        shape = (position.shape[0] * axis.coarse, position.shape[1] * axis.kernel)
        position = (position[:, None, :, None] * axis.fine + along[None, :, None, :]).reshape(shape)
        inside = (inside[:, None, :, None] & lies[None, :, None, :]).reshape(shape)
    return position, inside


def _weight_gradient(problem: Problem, x: Array, y: Array) -> Array:
    groups, cin, cout, cells = problem.groups, problem.cin, problem.cout, problem.coarse_cells
    of_fine = y.reshape(problem.batch * groups * cout, problem.fine_cells)
    columns = (selection(problem.geometry, x.dtype.str) @ of_fine.T).reshape(-1, cells, problem.batch, groups, cout)
    right = columns.transpose(3, 2, 1, 4, 0).reshape(groups, problem.batch * cells, cout * problem.taps)
    left = x.transpose(1, 2, 0, *range(3, x.ndim)).reshape(groups, cin, problem.batch * cells)
    return matmul(left, right).reshape(problem.w_shape)
