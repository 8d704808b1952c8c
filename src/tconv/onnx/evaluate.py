"""ConvTranspose nodes computed by tconv, alone or inside onnx.reference.

onnx.reference is the specification in NumPy, and fails for groups of several channels and for an output_shape that
crops. The operator here takes its place:

    ReferenceEvaluator(model, new_ops=[tconv.onnx.ConvTranspose])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onnx import NodeProto
from onnx.reference.op_run import OpRun

from tconv import arrays, checks
from tconv.onnx.graphs import attributes, is_conv_transpose
from tconv.onnx.nodes import layer_of
from tconv.onnx.wellformed import title
from tconv.ops import conv_transpose
from tconv.problem import Array


def run_node(node: NodeProto, inputs: Sequence[Array | None], *, method: str = "auto") -> Array:
    """The result of a ConvTranspose node, as the specification defines it.

    Args:
        node: of the operator ConvTranspose of the standard's own domain, of any version.
        inputs: x (N, Cin, *size), w (Cin, Cout / group, *kernel), and the bias (Cout,) or None or nothing; of one
            dtype, as `tconv.conv_transpose` takes them.
        method: as in `tconv.conv_transpose`; "phases" spares a node that runs once the compilation of its kernel.

    Where runtimes disagree with the specification (`inspect` says where), this follows the specification.
    ValueError and TypeError name what is wrong with the node or its inputs.

    >>> import numpy as np, onnx, tconv.onnx
    >>> node = onnx.helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2], output_shape=[6])
    >>> x = np.array([[[1.0, 2.0, 3.0]]])
    >>> tconv.onnx.run_node(node, [x, np.array([[[1.0, 1.0, 0.5]]])])
    array([[[1. , 2.5, 2. , 4. , 3. , 1.5]]])
    """
    with checks.explained("onnx.run_node"):
        if not isinstance(node, NodeProto):
            checks.wrong_type(f"node must be an onnx.NodeProto; got {checks.shorten(node)}")
        if not is_conv_transpose(node):
            checks.wrong(f"node must be a ConvTranspose of the standard's domain; got {title(node)}")
        return compute(attributes(node), inputs, method)


def compute(given: dict[str, Any], inputs: Sequence[Array | None], method: str = "auto") -> Array:
    """The result for these attributes. Raises `checks.Rejected`."""
    if not checks.is_sequence(inputs) or len(inputs) not in (2, 3):
        got = len(inputs) if checks.is_sequence(inputs) else checks.shorten(inputs)
        checks.wrong(f"inputs must be x, w and perhaps a bias; got {got}")
    x, w, bias = (*inputs, None)[:3]
    for name, value in (("x", x), ("w", w)):
        arrays.array(name, value)
    assert x is not None
    assert w is not None
    _, layer = layer_of(given, x.shape, w.shape, has_bias=bias is not None)
    return conv_transpose(x, w, bias, groups=layer.groups, method=method, **layer.geometry.keywords)


class ConvTranspose(OpRun):
    """The operator for onnx.reference: `ReferenceEvaluator(model, new_ops=[ConvTranspose])`."""

    op_domain = ""

    def _run(self, x: Array, w: Array, bias: Array | None = None, **given: Any) -> tuple[Array]:
        plain = {name: value for name, value in given.items() if value is not None}
        with checks.explained("onnx.ConvTranspose"):
            return (compute(plain, [x, w, bias]),)
