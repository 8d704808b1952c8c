"""Caffe's method: a matrix product between weights and coarse cells; im2col or col2im between columns and fine cells.

    conv_transpose:   columns = w^T x,          y = col2im(columns)
    conv:             columns = im2col(y),      x = w columns
    weight_gradient:  columns = im2col(y),      w = x columns^T

with w as a matrix of shape (Cin, Cout * taps). Y. Jia, "Learning Semantic Image Representations at a Large Scale",
2014. Work is split into pieces of images or of coarse rows, so that the columns never need much memory.
"""

from __future__ import annotations

from math import prod
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from tconv.methods import cost
from tconv.methods.base import Cost, Method, last_axes
from tconv.methods.blocks import Split, number_of_pieces, pieces, split
from tconv.methods.columns import gather, scatter
from tconv.methods.matmul import accumulate, matmul
from tconv.problem import Array, Operation, Problem


class Product(NamedTuple):
    """What the cost depends on, beside the batch, groups, taps and dtype of a problem."""

    operation: Operation
    cin: int  #: of a group
    cout: int
    coarse: tuple[int, ...]
    fine_cells: int
    stride: int  #: of the last axis


def cost_of(problem: Problem, product: Product) -> Cost:
    """The cost of a product with the batch, groups, taps and dtype of a problem."""
    operation, cin, cout, coarse, fine_cells, stride = product
    taps, groups, batch = problem.taps, problem.groups, problem.batch
    weights, of_image, run = groups * cin * cout * taps, prod(coarse), coarse[-1]
    of_cell = groups * (cout * taps + cin)
    how = split(batch, coarse, of_cell, weights if operation == "weight_gradient" else 0)
    number, cells, columns = number_of_pieces(batch, coarse, how), batch * of_image, cout * taps
    move = cost.add if operation == "conv_transpose" else cost.copy
    seconds = cost.matmul(problem, columns, cin, cells, number)
    seconds += move(problem, groups * columns * cells, run, stride)
    if operation == "conv_transpose":
        fine = batch * groups * cout * fine_cells
        seconds += cost.copy(problem, fine, fine)
    if operation == "weight_gradient":
        seconds += cost.add(problem, (number - 1) * weights, weights)
    if how.images > 1 or number > 1 or operation == "conv":
        seconds += cost.copy(problem, groups * cin * cells, run)
    seconds += cost.calls(number * (taps + 4))
    scratch = of_cell * how.images * how.rows * (of_image // coarse[how.along])
    if operation == "weight_gradient":
        scratch += weights * (2 if number > 1 else 1)
    return Cost(seconds, scratch * problem.itemsize)


class Gemm(Method):
    """Matrix product and col2im."""

    name = "gemm"
    summary = "matrix product with the weights, whose columns col2im adds up (Caffe)"
    padded = MappingProxyType({"conv": "w", "weight_gradient": "x"})

    def cost(self, problem: Problem) -> Cost:
        """A product, and a pass over the columns by a strided NumPy call for each tap and piece."""
        p, g = problem, problem.geometry
        return cost_of(problem, Product(p.operation, p.cin, p.cout, g.coarse, p.fine_cells, g.stride[-1]))

    def run(self, problem: Problem, x: Array, w: Array, y: Array) -> None:
        """Compute the operation, in pieces of some images or some coarse rows."""
        how, coarse = _split(problem), problem.geometry.coarse
        matrix_shape = (problem.groups, problem.cin, problem.cout * problem.taps)
        writes_w = problem.operation == "weight_gradient"
        matrix = np.empty(matrix_shape, x.dtype) if writes_w else w.reshape(matrix_shape)
        columns_of_cell = problem.groups * problem.cout * problem.taps
        most_cells = how.images * how.rows * (problem.coarse_cells // coarse[how.along])
        scratch = np.empty(columns_of_cell * most_cells, x.dtype)
        if problem.operation == "conv_transpose":
            y[...] = 0
        rest = [slice(None)] * (len(coarse) - 1 - how.along)
        for number, (of_batch, of_rows) in enumerate(pieces(problem.batch, coarse, how)):
            xb = x[of_batch][last_axes([of_rows, *rest])].transpose(1, 2, 0, *range(3, x.ndim))
            yb = y[of_batch].transpose(1, 2, 0, *range(3, y.ndim))
            columns = scratch[: columns_of_cell * prod(xb.shape[2:])]
            _run_piece(problem, xb, matrix, yb, columns, of_rows, how.along, first=number == 0)
        if writes_w:
            w[...] = matrix.reshape(w.shape)


def _run_piece(
    problem: Problem, x: Array, matrix: Array, y: Array, columns: Array, rows: slice, along: int, *, first: bool
) -> None:
    """One piece: x (groups, Cin, N, *coarse), the weights as a matrix, y (groups, Cout, N, *fine), flat columns."""
    ndim, cells = problem.geometry.ndim, x.shape[2:]
    by_tap = columns.reshape(problem.groups, problem.cout, *problem.geometry.kernel, *cells)
    by_tap = np.moveaxis(by_tap, range(2, 2 + ndim), range(-ndim, 0))
    columns = columns.reshape(problem.groups, problem.cout * problem.taps, prod(cells))
    if problem.operation == "conv_transpose":
        matmul(matrix.transpose(0, 2, 1), x.reshape(problem.groups, problem.cin, prod(cells)), out=columns)
        scatter(by_tap, y, problem.geometry, rows, along)
        return
    gather(by_tap, y, problem.geometry, rows, along)
    if problem.operation == "conv":
        x[...] = matmul(matrix, columns).reshape(x.shape)
    else:
        of_coarse = x.reshape(problem.groups, problem.cin, prod(cells))
        accumulate(matrix, of_coarse, columns.transpose(0, 2, 1), first=first)


def _split(problem: Problem) -> Split:
    """How it runs; of one coarse cell of an image there are elements in the columns and in a copy of x."""
    of_cell = problem.groups * (problem.cout * problem.taps + problem.cin)
    at_least = prod(problem.w_shape) if problem.operation == "weight_gradient" else 0
    return split(problem.batch, problem.geometry.coarse, of_cell, at_least)
