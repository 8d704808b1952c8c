"""One ConvTranspose of a model as a model of its own, and the arrays that it is given when the model runs."""

from __future__ import annotations

from collections.abc import Sequence

from onnx import ModelProto, NodeProto, TensorProto, helper

from tconv import checks
from tconv.onnx.exposing import expose
from tconv.onnx.folding import folded
from tconv.onnx.graphs import DEFAULTS_FROM, Scope, is_standard
from tconv.onnx.nodes import ConvTransposeNode, conv_transposes
from tconv.onnx.runtimes import Array, Feeds, Runtime, first_run


def alone(model: ModelProto, found: ConvTransposeNode, ndim: int) -> ModelProto:
    """The node, with the BatchNormalization that would be folded into it, as a model of its own with one input.

    Sizes of its input, of so many axes, that are open in the model stay so: runtimes are slower where they are. The
    quantization of its weights, its input and its result comes along: with it runtimes may convolve integers.

    Raises `checks.Rejected` where its weights are not constant.
    """
    parts = folded(found)
    layer = [found.node] if parts.batch_normalization is None else [found.node, parts.batch_normalization]
    before, after = _quantized_input(found), _quantized_result(found.scope, parts.result)
    names = [name for node in (*before, *layer, *after) for name in node.input[1:] if name]
    made, tensors = _constants(found.scope, names)
    kind = found.weights.data_type if isinstance(found.weights, TensorProto) else TensorProto.FLOAT
    nodes = [*before, *layer, *after]
    x = helper.make_tensor_value_info(nodes[0].input[0], kind, found.x or [None] * ndim)
    y = helper.make_tensor_value_info(nodes[-1].output[0], kind, [None] * ndim)
    graph = helper.make_graph([*made, *nodes], "layer", [x], [y], tensors)
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=max(model.ir_version, DEFAULTS_FROM))


def _quantized_input(found: ConvTransposeNode) -> list[NodeProto]:
    """Nodes that quantize a value as the input of the layer is, where it comes from a DequantizeLinear."""
    x = found.node.input[0]
    node = found.scope.makers.get(x)
    if node is None or not is_standard(node, "DequantizeLinear") or not _is_complete(found.scope, node):
        return []
    return [_like(node, "QuantizeLinear", f"{x}/given", node.input[0]), node]


def _quantized_result(scope: Scope, result: str) -> list[NodeProto]:
    """The node that quantizes the result of the layer, if it is all that reads it, and one that undoes it."""
    node = scope.only_reader(result, "QuantizeLinear")
    if node is None or not _is_complete(scope, node):
        return []
    return [node, _like(node, "DequantizeLinear", node.output[0], f"{result}/seen")]


def _is_complete(scope: Scope, node: NodeProto) -> bool:
    """Whether a quantization has constant scales and zero points."""
    return len(node.input) == 3 and not any(isinstance(scope.constant(name), str) for name in node.input[1:])


def _like(node: NodeProto, operator: str, value: str, result: str) -> NodeProto:
    """A node with the scale, the zero point and the axis of a quantization."""
    same = [attribute for attribute in node.attribute if attribute.name in ("axis", "block_size")]
    made = helper.make_node(operator, [value, *node.input[1:]], [result], f"{node.name}/{operator}")
    made.attribute.extend(same)
    return made


def _constants(scope: Scope, names: Sequence[str]) -> tuple[list[NodeProto], list[TensorProto]]:
    """The tensors that these values are, or that the nodes dequantize them from; runtimes compute others once."""
    made = {name: scope.makers[name] for name in names if name in scope.makers}
    nodes = {name: node for name, node in made.items() if is_standard(node, "DequantizeLinear")}
    plain = [name for name in names if name not in nodes]
    plain += [name for node in nodes.values() for name in node.input if name]
    return list(nodes.values()), [_tensor(scope, name) for name in dict.fromkeys(plain)]


def _tensor(scope: Scope, name: str) -> TensorProto:
    """A constant under the name that a node reads it by."""
    tensor = scope.constant(name)
    if isinstance(tensor, str):
        checks.wrong(tensor)
    renamed = TensorProto()
    renamed.CopyFrom(tensor)
    renamed.name = name
    return renamed


def inputs_of(
    model: ModelProto, found: Sequence[ConvTransposeNode], feeds: Feeds, runtime: Runtime, threads: int
) -> list[Array | str]:
    """What each node reads when the model runs on these feeds, or why that is not known; in a Loop, in the last round.

    Nodes in the graphs of other nodes are looked into by a run of its own, so that only they are without where their
    model does not run.
    """
    outer = [number for number, each in enumerate(found) if not each.scope.place]
    inner = [number for number, each in enumerate(found) if each.scope.place]
    read: dict[int, Array | str] = {}
    for numbers in filter(None, (outer, inner)):
        try:
            read |= zip(numbers, _seen(model, found, numbers, feeds, runtime, threads), strict=True)
        except checks.Rejected as rejected:
            if numbers is outer:
                raise
            read |= dict.fromkeys(numbers, f"what it reads cannot be seen: {rejected}")
    return [read[number] for number in range(len(found))]


def _seen(
    model: ModelProto,
    found: Sequence[ConvTransposeNode],
    numbers: Sequence[int],
    feeds: Feeds,
    runtime: Runtime,
    threads: int,
) -> list[Array | str]:
    """The inputs of these nodes, from a run of a copy that has them as its outputs."""
    shown = ModelProto()
    shown.CopyFrom(model)
    del shown.graph.output[:]
    twins = list(conv_transposes(shown, None))
    values = [(twins[number].scope, twins[number].node.input[0], _kind(found[number])) for number in numbers]
    places = expose(shown, values)
    _, _, results = first_run(shown, feeds, runtime, threads)
    by_name = dict(zip((output.name for output in shown.graph.output), results, strict=True))
    return [
        f"in {found[number].scope.place}, which does not run on these feeds" if array is None else array
        for number, array in zip(numbers, (place.of(by_name) for place in places), strict=True)
    ]


def _kind(found: ConvTransposeNode) -> int:
    return found.weights.data_type if isinstance(found.weights, TensorProto) else TensorProto.FLOAT
