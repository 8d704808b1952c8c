"""Zero insertion: stretch the coarse grid with zeros, pad or crop it, and convolve at stride 1 with the flipped kernel.

This is how PyTorch's and TensorFlow's documentation describe the transposed convolution, and how it is best explained
(V. Dumoulin and F. Visin, arXiv:1603.07285, chapter 4). Most of its multiplications are by an inserted zero.

    conv_transpose:   y = dense(stretch(x), flip(w))
    conv:             x = every stride-th cell of dense^T(y, flip(w))
    weight_gradient:  w = flip(gradient of the dense convolution's kernel, between stretch(x) and y)

where dense is the convolution at stride 1 whose padding `Axis.zero_inserted` gives; it is computed by matrix products.
"""

from __future__ import annotations

from math import prod
from types import MappingProxyType

import numpy as np

from tconv.geometry import Geometry
from tconv.methods import cost
from tconv.methods.base import Cost, Method, last_axes
from tconv.methods.gemm import Gemm, Product, cost_of
from tconv.problem import Array, Operation, Problem

_DENSE = Gemm()

#: The operation of the dense convolution that computes each operation: its fine grid is stretch(x), its coarse grid y.
_OPERATION: dict[Operation, Operation] = {
    "conv_transpose": "conv",
    "conv": "conv_transpose",
    "weight_gradient": "weight_gradient",
}


class ZeroInsertion(Method):
    """Stretch, pad, crop, dense convolution."""

    name = "zero_insertion"
    summary = "zeros between the coarse cells, padding, then a dense stride-1 convolution with the flipped kernel"
    padded = MappingProxyType({"conv_transpose": "w", "weight_gradient": "y"})

    def cost(self, problem: Problem) -> Cost:
        """The cost of the dense convolution, and of writing and holding the stretched grid."""
        p, g = problem, problem.geometry
        cells = prod((n - 1) * s + 1 for n, s in zip(g.coarse, g.stride, strict=True))
        inner = cost_of(problem, Product(_OPERATION[p.operation], p.cout, p.cin, g.fine, cells, 1))
        stretched = problem.batch * problem.in_channels * cells
        weights = prod(problem.w_shape)
        seconds = inner.seconds + cost.copy(problem, stretched, stretched) + cost.gather(problem, weights)
        seconds += cost.copy(problem, prod(problem.x_shape), problem.geometry.coarse[-1], problem.geometry.stride[-1])
        return Cost(seconds + cost.calls(6), inner.scratch + (stretched + weights) * problem.itemsize)

    def run(self, problem: Problem, x: Array, w: Array, y: Array) -> None:
        """Compute the operation through the dense convolution."""
        dense = _dense(problem)
        writes_x = problem.operation == "conv"
        stretched = (np.empty if writes_x else np.zeros)(dense.y_shape, x.dtype)
        cells = stretched[last_axes(slice(None, None, s) for s in problem.geometry.stride)]
        if not writes_x:
            cells[...] = x
        # The dense kernel maps stretch(x) to y: channels of y first, taps in the opposite order.
        flipped = np.flip(w, tuple(range(3, w.ndim))).swapaxes(1, 2)
        _DENSE.run(dense, y, flipped, stretched)
        if writes_x:
            x[...] = cells


def _dense(problem: Problem) -> Problem:
    geometry = Geometry(tuple(axis.zero_inserted.as_axis for axis in problem.geometry.axes))
    p = problem
    return Problem(_OPERATION[p.operation], geometry, p.batch, p.out_channels, p.in_channels, p.groups, p.dtype)
