"""Caffe's method: a matrix product between weights and coarse cells; im2col or col2im between columns and fine cells.

    conv_transpose:   columns = w^T x,          y = col2im(columns)
    conv:             columns = im2col(y),      x = w columns
    weight_gradient:  columns = im2col(y),      w = x columns^T

with w as a matrix of shape (Cin, Cout * taps). Y. Jia, "Learning Semantic Image Representations at a Large Scale",
2014. Work is split into blocks of images or of coarse rows, so that the columns never need much memory.
"""

from __future__ import annotations

from math import prod
from types import MappingProxyType

import numpy as np

from tconv.methods import cost
from tconv.methods.base import Array, Cost, Method, Problem
from tconv.methods.blocks import block_sizes, block_slices
from tconv.methods.columns import gather, scatter
from tconv.methods.matmul import accumulate, matmul


class Gemm(Method):
    """Matrix product and col2im."""

    name = "gemm"
    summary = "matrix product with the weights, whose columns col2im adds up (Caffe)"
    padded = MappingProxyType({"conv": "w", "weight_gradient": "x"})

    def cost(self, problem: Problem) -> Cost:
        """A product, and a pass over the columns by a strided NumPy call for each tap and block."""
        images, rows = _block(problem)
        blocks = cost.blocks(problem.batch, problem.geometry.coarse[0], images, rows)
        cells = problem.batch * problem.coarse_cells
        columns, weights = problem.cout * problem.taps, prod(problem.w_shape)
        run, stride = problem.geometry.coarse[-1], problem.geometry.stride[-1]
        fine = problem.batch * problem.out_channels * problem.fine_cells
        move = cost.add if problem.operation == "conv_transpose" else cost.copy
        seconds = cost.matmul(problem, columns, problem.cin, cells, blocks)
        seconds += move(problem, problem.groups * columns * cells, run, stride)
        if problem.operation == "conv_transpose":
            seconds += cost.copy(problem, fine, fine)
        if problem.operation == "weight_gradient":
            seconds += cost.add(problem, (blocks - 1) * weights, weights)
        if images > 1 or blocks > 1 or problem.operation == "conv":
            seconds += cost.copy(problem, problem.in_channels * cells, run)
        seconds += cost.calls(blocks * (problem.taps + 4))
        per_cell = problem.groups * (columns + problem.cin)
        scratch = per_cell * images * rows * prod(problem.geometry.coarse[1:])
        if problem.operation == "weight_gradient":
            scratch += weights * (2 if blocks > 1 else 1)
        return Cost(seconds, scratch * problem.itemsize)

    def run(self, problem: Problem, x: Array, w: Array, y: Array) -> None:
        """Compute the operation, in pieces of some images or some coarse rows."""
        images, rows = _block(problem)
        matrix_shape = (problem.groups, problem.cin, problem.cout * problem.taps)
        writes_w = problem.operation == "weight_gradient"
        matrix = np.empty(matrix_shape, x.dtype) if writes_w else w.reshape(matrix_shape)
        columns_of_cell = problem.groups * problem.cout * problem.taps
        scratch = np.empty(columns_of_cell * images * rows * prod(x.shape[4:]), x.dtype)
        if problem.operation == "conv_transpose":
            y[...] = 0
        for number, (of_batch, of_rows) in enumerate(block_slices(problem.batch, x.shape[3], images, rows)):
            xb = x[of_batch, :, :, of_rows].transpose(1, 2, 0, *range(3, x.ndim))
            yb = y[of_batch].transpose(1, 2, 0, *range(3, y.ndim))
            columns = scratch[: columns_of_cell * prod(xb.shape[2:])]
            _run_piece(problem, xb, matrix, yb, columns, of_rows, first=number == 0)
        if writes_w:
            w[...] = matrix.reshape(w.shape)


def _run_piece(
    problem: Problem, x: Array, matrix: Array, y: Array, columns: Array, rows: slice, *, first: bool
) -> None:
    """One piece: x (groups, Cin, N, *coarse), the weights as a matrix, y (groups, Cout, N, *fine), flat columns."""
    ndim, cells = problem.geometry.ndim, x.shape[2:]
    by_tap = columns.reshape(problem.groups, problem.cout, *problem.geometry.kernel, *cells)
    by_tap = np.moveaxis(by_tap, range(2, 2 + ndim), range(-ndim, 0))
    columns = columns.reshape(problem.groups, problem.cout * problem.taps, prod(cells))
    if problem.operation == "conv_transpose":
        matmul(matrix.transpose(0, 2, 1), x.reshape(problem.groups, problem.cin, prod(cells)), out=columns)
        scatter(by_tap, y, problem.geometry, rows)
        return
    gather(by_tap, y, problem.geometry, rows)
    if problem.operation == "conv":
        x[...] = matmul(matrix, columns).reshape(x.shape)
    else:
        of_coarse = x.reshape(problem.groups, problem.cin, prod(cells))
        accumulate(matrix, of_coarse, columns.transpose(0, 2, 1), first=first)


def _block(problem: Problem) -> tuple[int, int]:
    per_cell = problem.groups * (problem.cout * problem.taps + problem.cin)
    rows, *rest = problem.geometry.coarse
    at_least = prod(problem.w_shape) if problem.operation == "weight_gradient" else 0
    return block_sizes(problem.batch, rows, per_cell * prod(rest), at_least)
