"""The nodes that take the place of one ConvTranspose, and putting them there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto

from tconv.onnx.alignment import ResiduePiece
from tconv.onnx.computing import OPERATORS
from tconv.onnx.convolutions import Convolutions, Variant
from tconv.onnx.folding import Array, Folded
from tconv.onnx.graphs import DEFAULTS_FROM, STANDARD, scopes, uses
from tconv.onnx.interleaving import KnownSizes, cropped, depth_to_space, interleaved, put_together, side_by_side
from tconv.onnx.nodes import ConvTransposeNode
from tconv.onnx.writing import Constants, Names, Writer


@dataclass(frozen=True, slots=True, eq=False)
class Replacement:
    """New nodes for one ConvTranspose. Nodes are told apart by their first results, whose names are unique."""

    graph: GraphProto
    result: str  #: of the node that they replace
    nodes: list[NodeProto]
    variant: Variant
    folded: NodeProto | None  #: a BatchNormalization that is replaced too
    read: frozenset[str]  #: what the replaced nodes read


def replacement(
    found: ConvTransposeNode, made: Convolutions, parts: Folded, names: Names, constants: Constants
) -> Replacement:
    """The convolutions that replace a node, and the nodes that make its result of theirs."""
    writer = Writer(found.node, names, constants, found.scope.opset)
    results = [_convolution(found, made, pieces, parts, writer) for pieces in made.pieces]
    cropped(_whole(found, made, results, parts, writer), made.axes, writer)
    nodes = writer.finish(parts.result)
    replaced = [found.node, *([] if parts.batch_normalization is None else [parts.batch_normalization])]
    read = frozenset(name for node in replaced for name in node.input)
    return Replacement(found.scope.graph, found.node.output[0], nodes, made.variant, parts.batch_normalization, read)


def _whole(
    found: ConvTransposeNode, made: Convolutions, results: Sequence[str | None], parts: Folded, writer: Writer
) -> str:
    """The results of the convolutions, interleaved."""
    first = next(result for result in results if result is not None)
    if made.phases == 1:
        return first
    if made.variant == "depth_to_space":
        return depth_to_space(first, made.axes, writer)
    channels = parts.w.shape[1] * made.layer.groups
    nothing = np.zeros(channels, parts.w.dtype) if parts.bias is None else parts.bias
    known = (None,) * len(made.axes) if found.x is None else found.x[2:]
    cells = [None if n is None else n + axis.extra for n, axis in zip(known, made.axes, strict=True)]
    sizes = KnownSizes(writer, first, tuple(cells))
    phases_first = len(results) == made.phases
    value = (side_by_side if phases_first else put_together)(made, results, sizes, nothing)
    return interleaved(value, made, channels, sizes, phases_first=phases_first)


def _convolution(
    found: ConvTransposeNode, made: Convolutions, pieces: Sequence[ResiduePiece], parts: Folded, writer: Writer
) -> str | None:
    """The result of one convolution; None where no tap reaches its residues."""
    if not all(piece.kernel for piece in pieces):
        return None
    inputs = [found.node.input[0], _weights(made, tuple(pieces), parts, writer)]
    if parts.bias is not None:
        inputs.append(writer.constant(_repeated(parts.bias, pieces), "bias"))
    return writer.node(
        "Conv",
        inputs,
        like_replaced=True,
        dilations=[piece.dilation for piece in pieces],
        group=made.layer.groups,
        kernel_shape=[piece.kernel for piece in pieces],
        pads=[*(piece.padding[0] for piece in pieces), *(piece.padding[1] for piece in pieces)],
        strides=[1] * len(pieces),
    )


def _weights(made: Convolutions, pieces: tuple[ResiduePiece, ...], parts: Folded, writer: Writer) -> str:
    """The weights of one convolution; those that came from integers come from the same integers."""
    if parts.quantized is None:
        return writer.constant(made.weights(parts.w, pieces), "weights")
    from_integers = parts.quantized
    scale, zero = (_repeated(each, pieces) if each.ndim else each for each in (from_integers.scale, from_integers.zero))
    taps = made.weights(from_integers.integers, pieces)
    integers = (taps + zero.reshape(-1, *[1] * (taps.ndim - 1))).astype(zero.dtype)
    given = {"integers": integers, "scale": scale, "zero": zero}
    names = [writer.constant(array, f"weights_{name}") for name, array in given.items()]
    if scale.ndim:
        return writer.node("DequantizeLinear", names, axis=0)
    return writer.node("DequantizeLinear", names)


def _repeated(channels: Array, pieces: Sequence[ResiduePiece]) -> Array:
    """A number of each output channel, for all of its residues."""
    return np.repeat(channels, prod(len(piece.residues) for piece in pieces))


def put(model: ModelProto, replacements: Sequence[Replacement]) -> None:
    """The new nodes in the places of the old ones; what only the old ones used goes.

    Inner graphs come first, because changing an outer one copies them with their nodes.
    """
    of_graph: dict[int, list[Replacement]] = {}
    for each in replacements:
        of_graph.setdefault(id(each.graph), []).append(each)
    for scope in reversed(scopes(model)):
        if here := of_graph.get(id(scope.graph)):
            _put(scope.graph, here)
    candidates = {name for each in replacements for name in each.read if name}
    for scope in reversed(scopes(model)):
        _remove_unused(scope.graph, candidates)
    if model.ir_version < DEFAULTS_FROM:
        _remove_inputs(model.graph, candidates)


def _put(graph: GraphProto, replacements: Sequence[Replacement]) -> None:
    new = {each.result: each.nodes for each in replacements}
    for each in replacements:
        if each.folded is not None:
            new[each.folded.output[0]] = []
    nodes: list[NodeProto] = []
    for node in graph.node:
        nodes += new.get(node.output[0], [node]) if node.output else [node]
    _replace(graph.node, nodes)
    gone = {each.result for each in replacements if each.folded is not None}
    _replace(graph.value_info, [info for info in graph.value_info if info.name not in gone])


def _remove_unused(graph: GraphProto, candidates: set[str]) -> None:
    """Remove the weights among the candidates that nothing reads any more, and nodes that only computed such.

    What these nodes read become candidates too, here and in the graphs around.
    """
    used = uses(graph)
    makers = {name: node for node in graph.node if _makes_constants(node) for name in node.output if name}
    dead: set[str] = set()
    waiting = list(makers)
    while waiting:
        node = makers[waiting.pop()]
        if node.output[0] in dead or any(made not in candidates or used.get(made) for made in node.output):
            continue
        dead.update(node.output)
        for read in filter(None, node.input):
            candidates.add(read)
            used[read] -= 1
            if read in makers:
                waiting.append(read)
    if dead:
        _replace(graph.node, [node for node in graph.node if not node.output or node.output[0] not in dead])
        _replace(graph.value_info, [info for info in graph.value_info if info.name not in dead])
    kept = [tensor for tensor in graph.initializer if used.get(tensor.name) or tensor.name not in candidates]
    if len(kept) < len(graph.initializer):
        _replace(graph.initializer, kept)


def _remove_inputs(graph: GraphProto, candidates: set[str]) -> None:
    """Until IR version 4 weights are inputs as well; of those that are gone somebody would have to give them."""
    held, used = {tensor.name for tensor in graph.initializer}, uses(graph)
    gone = {name for name in candidates if name not in held and not used.get(name)}
    _replace(graph.input, [each for each in graph.input if each.name not in gone])


def _makes_constants(node: NodeProto) -> bool:
    """Whether a node may have computed weights."""
    return node.domain in STANDARD and (node.op_type == "Constant" or node.op_type in OPERATORS)


def _replace(field: Any, entries: Sequence[Any]) -> None:
    """Other entries in a repeated field of protobuf."""
    del field[:]
    field.extend(entries)
