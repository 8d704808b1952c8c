"""The floating point operations of a model, to say what share of them its transposed convolutions are.

Counted are Conv, ConvTranspose, Gemm and MatMul, of which nearly all of a network's work consists: two operations for
each multiplication. In a ConvTranspose only taps that land inside the result count; counters such as PyTorch's
FlopCounterMode take every tap of every cell, which is the second number. In a Conv both take all taps. Branches that
may not be taken and bodies of loops count once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

from onnx import ModelProto, NodeProto

from tconv.onnx.graphs import STANDARD, Dims, Scope, attributes, scopes
from tconv.onnx.nodes import CHANNEL_AXES, read


@dataclass(frozen=True, slots=True)
class Total:
    """The operations of all nodes that are counted, None where the sizes of one are not known."""

    flops: int | None
    counter_flops: int | None  #: as counters count them, with the taps that land outside
    unknown: int  #: nodes whose sizes are not known


@dataclass(frozen=True, slots=True)
class Flops:
    """The operations of one node."""

    exact: int
    counter: int  #: as counters count them


def total(model: ModelProto, shapes: ModelProto | None) -> Total:
    """The operations of a model; `shapes` is the model after shape inference."""
    counted = [flops(scope, node) for scope in scopes(model, shapes) for node in scope.graph.node if _counts(node)]
    known = [count for count in counted if count is not None]
    unknown = len(counted) - len(known)
    if unknown:
        return Total(None, None, unknown)
    return Total(sum(count.exact for count in known), sum(count.counter for count in known), 0)


def flops(scope: Scope, node: NodeProto) -> Flops | None:
    """The operations of a node that is counted, None where its sizes are not known."""
    if node.op_type == "ConvTranspose":
        return _conv_transpose(scope, node)
    count = _FLOPS[node.op_type](scope, node)
    return None if count is None else Flops(count, count)


def _counts(node: NodeProto) -> bool:
    return (node.op_type == "ConvTranspose" or node.op_type in _FLOPS) and node.domain in STANDARD


def _conv_transpose(scope: Scope, node: NodeProto) -> Flops | None:
    found = read(scope, node)
    layer, x = found.layer, found.x
    if layer is None or not found.is_sized or x is None or x[0] is None:
        return None
    cin, cout = layer.in_channels or 1, layer.out_channels or 1
    g = layer.geometry
    exact = x[0] * g.work(cin, cout, groups=layer.groups).flops
    return Flops(exact, 2 * x[0] * (cin * cout // layer.groups) * prod(g.coarse) * prod(g.kernel))


def _conv(scope: Scope, node: NodeProto) -> int | None:
    w, y = _known(scope.dims(node.input[1])), _known(scope.dims(node.output[0]))
    if w is None or y is None or len(w) != len(y):
        return None
    return 2 * prod(y) * w[1] * prod(w[CHANNEL_AXES:])


def _matmul(scope: Scope, node: NodeProto) -> int | None:
    a, y = _known(scope.dims(node.input[0])), _known(scope.dims(node.output[0]))
    return None if not a or y is None else 2 * prod(y) * a[-1]


def _gemm(scope: Scope, node: NodeProto) -> int | None:
    a, y = _known(scope.dims(node.input[0])), _known(scope.dims(node.output[0]))
    if a is None or y is None or len(a) != 2:
        return None
    return 2 * prod(y) * a[0 if attributes(node).get("transA") else 1]


def _known(dims: Dims) -> tuple[int, ...] | None:
    return None if dims is None or None in dims else tuple(size for size in dims if size is not None)


_FLOPS: dict[str, Callable[[Scope, NodeProto], int | None]] = {
    "Conv": _conv,
    "MatMul": _matmul,
    "Gemm": _gemm,
}
