"""What goes into the weights of a layer: its bias, and a BatchNormalization right after it.

A BatchNormalization that is not in training multiplies each channel by scale / sqrt(var + epsilon) and adds to it, and
so do other weights and another bias. They are computed in float64 and rounded once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto

from tconv import checks
from tconv.onnx import tensors
from tconv.onnx.graphs import Scope, attributes, is_standard
from tconv.onnx.nodes import ConvTransposeNode

Array = NDArray[Any]
#: The default of the operator.
EPSILON = 1e-5


@dataclass(frozen=True, eq=False)
class Quantized:
    """Weights as integers times a scale: runtimes that convolve integers know them by the DequantizeLinear."""

    integers: Array  #: less the zero point, so that 0 is a tap that is not there
    scale: Array  #: one number, or one for each output channel
    zero: Array  #: likewise, of the type that the integers have


@dataclass(frozen=True, eq=False)
class Folded:
    """The weights and the bias of a layer, what they make, and the node that they make superfluous."""

    w: Array
    bias: Array | None
    result: str  #: the name of the value that they make
    batch_normalization: NodeProto | None
    quantized: Quantized | None = None  #: the integers that the weights come from, where they stay integers


def folded(found: ConvTransposeNode) -> Folded:
    """The constant weights and bias of a node, with the BatchNormalization that follows it, if that is exact.

    Raises `checks.Rejected` where weights or bias are not constant.
    """
    w = tensors.values(_constant(found.scope, found.node.input[1], "weights"))
    has_bias = len(found.node.input) > 2 and found.node.input[2]
    bias = tensors.values(_constant(found.scope, found.node.input[2], "bias")) if has_bias else None
    channels = w.shape[1] * (found.layer.groups if found.layer else 1)
    if bias is not None and (bias.shape != (channels,) or bias.dtype != w.dtype):
        checks.wrong(f"the bias must be {channels} numbers of the weights' type; it has shape {bias.shape}")
    result = found.node.output[0]
    after = found.scope.only_reader(result, "BatchNormalization")
    by = None if after is None else _normalization(found.scope, after, w, channels)
    if after is None or by is None:
        return Folded(w, bias, result, None, _quantized(found))
    scale, shift = by
    per_input = np.repeat(scale.reshape(-1, w.shape[1]), len(w) * w.shape[1] // channels, 0)  # (Cin, Cout / groups)
    with np.errstate(all="ignore"):
        wide = w.astype(np.float64) * per_input.reshape(*w.shape[:2], *[1] * (w.ndim - 2))
        moved = shift + (0 if bias is None else bias.astype(np.float64) * scale)
        new_w, new_bias = wide.astype(w.dtype), moved.astype(w.dtype)
    if np.isfinite(w).all() and not (np.isfinite(new_w).all() and np.isfinite(new_bias).all()):
        return Folded(w, bias, result, None)  # the products overflow, which results need not
    return Folded(new_w, new_bias, after.output[0], after)


def _quantized(found: ConvTransposeNode) -> Quantized | None:
    """The integers behind the weights, if all taps of an output channel have one scale."""
    scope, name = found.scope, found.node.input[1]
    node = scope.makers.get(name)
    groups = found.layer.groups if found.layer else 1
    if node is None or not is_standard(node, "DequantizeLinear") or attributes(node).get("block_size", 0):
        return None
    parts = [scope.constant(part) for part in node.input]
    constants = [tensors.values(tensor) for tensor in parts if not isinstance(tensor, str)]
    if len(constants) < max(3, len(parts)) or constants[0].dtype not in (np.int8, np.uint8):
        return None
    integers, scale, zero = constants
    axis = attributes(node).get("axis", 1)
    if scale.size == 1:
        return Quantized(integers.astype(np.int32) - zero.reshape(()), scale.reshape(()), zero.reshape(()))
    if axis not in (1, 1 - integers.ndim):
        return None
    shifted = integers.astype(np.int32) - zero.reshape(-1, *[1] * (integers.ndim - 2))
    return Quantized(shifted, np.tile(scale, groups), np.tile(zero, groups))


def _constant(scope: Scope, name: str, what: str) -> TensorProto:
    tensor = scope.constant(name)
    if isinstance(tensor, str):
        checks.wrong(f"the {what} must be constant; {tensor}")
    if not tensors.is_floating(tensor):
        checks.wrong(f"the {what} must be floating-point numbers; {name!r} is {tensors.type_name(tensor)}")
    if tensors.is_external(tensor):
        checks.wrong(f"the {what} must be in the model; {name!r} is in an external file: use tconv.onnx.load")
    return tensor


def _is_usable(tensor: TensorProto) -> bool:
    return tensors.is_floating(tensor) and not tensors.is_external(tensor)


def _normalization(scope: Scope, node: NodeProto, w: Array, channels: int) -> tuple[Array, Array] | None:
    """The factor and the summand of each channel, in float64; None where folding them would not be exact."""
    given = attributes(node)
    if given.get("training_mode", 0) or len([name for name in node.output if name]) > 1 or len(node.input) != 5:
        return None
    if not given.get("spatial", 1):  # until version 9 it could normalize every position by its own numbers
        return None
    found = [scope.constant(name) for name in node.input[1:]]
    constants = [tensor for tensor in found if not isinstance(tensor, str) and _is_usable(tensor)]
    if len(constants) < 4 or w.dtype not in (np.float32, np.float64):
        return None
    parts = [tensors.values(tensor) for tensor in constants]
    if any(part.shape != (channels,) or part.dtype != w.dtype for part in parts):
        return None
    with np.errstate(all="ignore"):
        scale, shift, mean, variance = (part.astype(np.float64) for part in parts)
        factor = scale / np.sqrt(variance + given.get("epsilon", EPSILON))
        summand = shift - mean * factor
    return (factor, summand) if np.isfinite(factor).all() and np.isfinite(summand).all() else None
