"""Transposed convolution: exact, explained, fast."""

from tconv.axis import Axis
from tconv.dot import dot_test
from tconv.geometry import Geometry
from tconv.methods.columns import col2im, im2col
from tconv.operators import linear_operator, sparse_matrix
from tconv.ops import conv, conv_transpose, weight_gradient
from tconv.phases import phases
from tconv.plan import plan

__version__ = "0.1.0"
__all__ = [
    "conv_transpose",
    "conv",
    "weight_gradient",
    "plan",
    "Geometry",
    "Axis",
    "phases",
    "sparse_matrix",
    "linear_operator",
    "im2col",
    "col2im",
    "dot_test",
]
