"""Nodes whose inputs are all constant, computed: what exporters leave of weights that belong together with others.

weight_norm leaves ReduceL2, Div and Mul, quantization DequantizeLinear, a change of type Cast, LoRA MatMul and Add.
Only operators are computed whose result is one of their inputs' values and nothing else, by onnx.reference, the
standard in NumPy; never more than a limit, because models come from strangers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, shape_inference

from tconv import checks
from tconv.onnx.tensors import byte_count, from_values, is_external, values

Array = NDArray[Any]

#: Operators of the standard that are computed. Tests run each of them, and compare with ONNX Runtime.
_OPERATORS = (
    "Abs Add Ceil Clip Div Equal Exp Floor Log Max Min Mul Neg Pow Reciprocal Round Sign Sqrt Sub Sum Where MatMul",
    "ReduceL1 ReduceL2 ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare",
    "Cast CastLike DequantizeLinear QuantizeLinear",
    "Concat ConstantOfShape Expand Flatten Gather Identity Pad Reshape Shape Slice Split Squeeze Tile Transpose",
    "Unsqueeze",
)
OPERATORS = frozenset(name for names in _OPERATORS for name in names.split())
#: onnx.reference knows these from this version of the operators on; what came before is a part of it.
_REFERENCE_FROM = {"DequantizeLinear": 19, "QuantizeLinear": 19}
#: Bytes that may be read and written to compute the constants of one model: as many as a file of one can hold.
MOST_BYTES = 2 * 2**30
#: Integers of at most so many entries may say what shape a result has.
_SHAPE_ENTRIES = 1024


@dataclass(slots=True)
class Budget:
    """What computing the constants of one model may still cost."""

    left: int = MOST_BYTES

    def take(self, cost: int) -> None:
        """Raises `checks.Rejected` where that is too much."""
        self.left -= min(cost, self.left + 1)
        if self.left < 0:
            checks.wrong(f"constants of the model must take at most {checks.memory(MOST_BYTES)} to compute")


def computed(
    node: NodeProto, inputs: Sequence[TensorProto | None], output: str, opset: int, budget: Budget
) -> TensorProto:
    """A result of a node on these tensors, None for an input that is left out; raises `checks.Rejected`."""
    given = {name: tensor for name, tensor in zip(node.input, inputs, strict=True) if tensor is not None}
    if any(is_external(tensor) for tensor in given.values()):
        checks.wrong("its inputs are in an external file: use tconv.onnx.load")
    version = max(opset, _REFERENCE_FROM.get(node.op_type, 1))
    graph = helper.make_graph(
        [node],
        "constant",
        [helper.make_tensor_value_info(name, tensor.data_type, tensor.dims) for name, tensor in given.items()],
        [helper.make_empty_tensor_value_info(name) for name in node.output if name],
        [_named(tensor, name) for name, tensor in given.items() if _says_a_shape(tensor)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)])
    budget.take(_cost(model, node, output, list(given.values())))
    return from_values(_run(model, {name: values(tensor) for name, tensor in given.items()}, output), output)


def _run(model: Any, feeds: dict[str, Array], output: str) -> Array:
    from onnx.reference import ReferenceEvaluator

    try:
        (result,) = ReferenceEvaluator(model).run([output], feeds)
    except Exception as error:  # of many kinds, for what the operator does not allow
        checks.wrong(f"it cannot be computed: {checks.first_line(error)}")
    return np.asarray(result)


def _cost(model: Any, node: NodeProto, output: str, inputs: Sequence[TensorProto]) -> int:
    """Bytes read and written; known from shapes, before anything of that size is made."""
    try:
        infos = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph.output
    except Exception as error:  # of many kinds, raised by C++
        checks.wrong(f"it cannot be computed: {checks.first_line(error)}")
    cost = sum(map(byte_count, inputs))
    for info in infos:
        kind = info.type.tensor_type
        if kind.elem_type == TensorProto.STRING:
            checks.wrong("it cannot be computed: texts have no size")
        sizes = [dim.dim_value for dim in kind.shape.dim if dim.HasField("dim_value")]
        if not kind.HasField("shape") or len(sizes) < len(kind.shape.dim):
            checks.wrong("it cannot be computed: the shape of its result is not known")
        cost += byte_count(TensorProto(name=info.name, data_type=kind.elem_type, dims=sizes))
        if node.op_type == "MatMul" and inputs[0].dims:
            cost += prod(sizes) * inputs[0].dims[-1]
    return cost


def _says_a_shape(tensor: TensorProto) -> bool:
    return tensor.data_type in (TensorProto.INT64, TensorProto.INT32) and prod(tensor.dims) <= _SHAPE_ENTRIES


def _named(tensor: TensorProto, name: str) -> TensorProto:
    renamed = TensorProto()
    renamed.CopyFrom(tensor)
    renamed.name = name
    return renamed
