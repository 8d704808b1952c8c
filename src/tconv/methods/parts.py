"""A complex problem as a real one of twice the channels: what kernels that know real numbers compute.

The real and the imaginary part of a channel become two channels that follow each other, so that arrays whose channels
lie innermost are taken where they are. With w = a + bi, channel by channel, the weights of the real problem are

    conv_transpose (x to y)    a  b        conv (y to x)    a -b
                              -b  a                         b  a

with a row for each part of x and a column for each part of y; of its weight gradient, a is the sum of the diagonal with
its second entry negative, b of the other two. Nothing is conjugated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from tconv.problem import Array, Problem

REAL = {"complex64": "float32", "complex128": "float64"}
#: Computes a real problem from its arrays, and from a bias where there is one.
Run: TypeAlias = Callable[[Problem, Array, Array, Array, Array | None], None]


def real_problem(problem: Problem) -> Problem:
    """The real problem that computes a complex one; a real one as it is."""
    if problem.dtype not in REAL:
        return problem
    cin, cout = 2 * problem.in_channels, 2 * problem.out_channels
    return replace(problem, dtype=REAL[problem.dtype], in_channels=cin, out_channels=cout)


def run(compute: Run, problem: Problem, x: Array, w: Array, y: Array, bias: Array | None = None) -> None:
    """Compute a complex problem by a function that computes real ones."""
    real = real_problem(problem)
    if problem.operation == "weight_gradient":
        gradient = np.empty(real.w_shape, real.dtype)
        compute(real, _parts(x), gradient, _parts(y), None)
        of_parts = _by_part(gradient, w.shape)
        w.real = of_parts[:, :, 0, :, 0] - of_parts[:, :, 1, :, 1]
        w.imag = of_parts[:, :, 0, :, 1] + of_parts[:, :, 1, :, 0]
        return
    of_x, of_y = _parts(x, problem.written == "x"), _parts(y, problem.written == "y")
    of_bias = None if bias is None else np.ascontiguousarray(bias).view(real.dtype)
    compute(real, of_x, _weights(problem, real, w), of_y, of_bias)
    written, landed = (y, of_y) if problem.written == "y" else (x, of_x)
    if not _is_in_place(written):
        written.real, written.imag = landed[:, :, 0::2], landed[:, :, 1::2]


def _weights(problem: Problem, real: Problem, w: Array) -> Array:
    """The weights of the real problem."""
    weights = np.empty(real.w_shape, real.dtype)
    of_parts = _by_part(weights, w.shape)
    of_parts[:, :, 0, :, 0] = of_parts[:, :, 1, :, 1] = w.real
    sign = 1 if problem.operation == "conv_transpose" else -1
    of_parts[:, :, 0, :, 1] = sign * w.imag
    of_parts[:, :, 1, :, 0] = -sign * w.imag
    return weights


def _by_part(weights: Array, shape: tuple[int, ...]) -> Array:
    """A view of real weights as (groups, Cin, part of x, Cout, part of y, *kernel)."""
    groups, cin, cout, *kernel = shape
    return weights.reshape(groups, cin, 2, cout, 2, *kernel)


def _parts(grid: Array, written: bool = False) -> Array:
    """x or y (N, groups, C, *size) with its parts as channels, (N, groups, 2 C, *size): where it is, if that can be."""
    if _is_in_place(grid):
        return np.moveaxis(np.moveaxis(grid, (1, 2), (-2, -1)).view(grid.real.dtype), (-2, -1), (1, 2))
    n, groups, channels, *size = grid.shape
    apart = np.empty((n, groups, 2 * channels, *size), grid.real.dtype)
    if not written:
        apart[:, :, 0::2], apart[:, :, 1::2] = grid.real, grid.imag
    return apart


def _is_in_place(grid: Array) -> bool:
    """Whether the channels of x or y lie innermost in memory, and with them the parts of a number."""
    return np.moveaxis(grid, (1, 2), (-2, -1)).flags.c_contiguous
