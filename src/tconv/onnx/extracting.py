"""One ConvTranspose of a model as a model of its own, and the arrays that it is given when the model runs."""

from __future__ import annotations

from collections.abc import Sequence

from onnx import ModelProto, NodeProto, TensorProto, helper

from tconv import checks
from tconv.onnx.exposing import expose
from tconv.onnx.folding import folded
from tconv.onnx.graphs import DEFAULTS_FROM, STANDARD, Scope
from tconv.onnx.nodes import ConvTransposeNode, conv_transposes
from tconv.onnx.runtimes import Array, Feeds, Runtime, first_run


def alone(model: ModelProto, found: ConvTransposeNode, ndim: int) -> ModelProto:
    """The node, with the BatchNormalization that would be folded into it, as a model of its own with one input.

    Sizes of its input, of so many axes, that are open in the model stay so: runtimes are slower where they are. What
    computes its weights comes along, and so does the quantization of its input: runtimes treat both with care.

    Raises `checks.Rejected` where its weights are not constant.
    """
    parts = folded(found)
    layer = [found.node] if parts.batch_normalization is None else [found.node, parts.batch_normalization]
    names = [name for node in layer for name in node.input[1:] if name]
    x, before = found.node.input[0], _quantization(found)
    names += [name for node in before for name in node.input[1:]]
    made, tensors = _behind(found.scope, names)
    kind = found.weights.data_type if isinstance(found.weights, TensorProto) else TensorProto.FLOAT
    given = helper.make_tensor_value_info(before[0].input[0] if before else x, kind, found.x or [None] * ndim)
    y = helper.make_tensor_value_info(parts.result, kind, [None] * ndim)
    graph = helper.make_graph([*made, *before, *layer], "layer", [given], [y], tensors)
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=max(model.ir_version, DEFAULTS_FROM))


def _quantization(found: ConvTransposeNode) -> list[NodeProto]:
    """Nodes that quantize a value as the input of the layer is, where it comes from a DequantizeLinear."""
    x = found.node.input[0]
    node = found.scope.makers.get(x)
    if node is None or node.op_type != "DequantizeLinear" or node.domain not in STANDARD or len(node.input) != 3:
        return []
    if any(isinstance(found.scope.constant(name), str) for name in node.input[1:]):
        return []
    back, forth = NodeProto(), NodeProto()
    back.CopyFrom(node)
    forth.CopyFrom(node)
    forth.op_type, forth.name = "QuantizeLinear", f"{node.name}/again"
    forth.input[0], forth.output[0] = f"{x}/given", node.input[0]
    return [forth, back]


def _behind(scope: Scope, names: Sequence[str]) -> tuple[list[NodeProto], list[TensorProto]]:
    """The nodes that compute these constants, in order, and the tensors that they begin with."""
    nodes: set[str] = set()
    tensors: dict[str, TensorProto] = {}
    waiting = list(names)
    around = [scope]
    while around[-1].parent is not None:
        around.append(around[-1].parent)
    while waiting:
        name = waiting.pop()
        where = next((each for each in around if name in each.makers or name in each.initializers), scope)
        if name in where.initializers:
            tensors[name] = where.initializers[name]
        elif (maker := where.makers[name]).output[0] not in nodes:
            nodes.add(maker.output[0])
            waiting += filter(None, maker.input)
    kept = [node for each in reversed(around) for node in each.graph.node if node.output and node.output[0] in nodes]
    return kept, list(tensors.values())


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
