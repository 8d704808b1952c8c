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
        """Compute the operation block by block."""
        geometry, cin = problem.geometry, problem.cin
        images, rows = _block(problem)
        rest = geometry.coarse[1:]
        columns_of_cell = problem.cout * problem.taps
        scratch = np.empty(problem.groups * columns_of_cell * images * rows * prod(rest), x.dtype)
        if problem.operation == "conv_transpose":
            y[...] = 0
        matrix: Array | None = None  # of the weights, (groups, Cin, Cout * taps)
        if problem.operation != "weight_gradient":
            matrix = w.reshape(problem.groups, cin, columns_of_cell)
        for of_batch, of_rows in block_slices(problem.batch, geometry.coarse[0], images, rows):
            xb = x[of_batch, :, :, of_rows].transpose(1, 2, 0, *range(3, x.ndim))
            yb = y[of_batch].transpose(1, 2, 0, *range(3, y.ndim))
            cells = xb.shape[2:]
            used = scratch[: problem.groups * columns_of_cell * prod(cells)]
            columns = used.reshape(problem.groups, columns_of_cell, prod(cells))
            by_tap = used.reshape(problem.groups, problem.cout, *geometry.kernel, *cells)
            by_tap = np.moveaxis(by_tap, range(2, 2 + geometry.ndim), range(-geometry.ndim, 0))
            if problem.operation == "conv_transpose":
                assert matrix is not None
                matmul(matrix.transpose(0, 2, 1), xb.reshape(problem.groups, cin, -1), out=columns)
                scatter(by_tap, yb, geometry, of_rows)
                continue
            gather(by_tap, yb, geometry, of_rows)
            if problem.operation == "conv":
                assert matrix is not None
                xb[...] = matmul(matrix, columns).reshape(xb.shape)
            else:
                matrix = accumulate(matrix, xb.reshape(problem.groups, cin, -1), columns.transpose(0, 2, 1))
        if problem.operation == "weight_gradient":
            assert matrix is not None
            w[...] = matrix.reshape(w.shape)


def _block(problem: Problem) -> tuple[int, int]:
    per_cell = problem.groups * (problem.cout * problem.taps + problem.cin)
    rows, *rest = problem.geometry.coarse
    at_least = prod(problem.w_shape) if problem.operation == "weight_gradient" else 0
    return block_sizes(problem.batch, rows, per_cell * prod(rest), at_least)
