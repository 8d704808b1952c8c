"""One ConvTranspose of a model as a model of its own, and the arrays that it is given when the model runs."""

from __future__ import annotations

from collections.abc import Sequence

from onnx import ModelProto, TensorProto, helper

from tconv import checks
from tconv.onnx.exposing import expose
from tconv.onnx.folding import folded
from tconv.onnx.nodes import ConvTransposeNode, conv_transposes
from tconv.onnx.runtimes import Array, Feeds, Runtime, first_run


def alone(model: ModelProto, found: ConvTransposeNode, ndim: int) -> ModelProto:
    """The node, with the BatchNormalization that would be folded into it, as a model of its own.

    Sizes of its input, of so many axes, that are open in the model stay so: runtimes are slower where they are.

    Raises `checks.Rejected` where its weights are not constant.
    """
    parts = folded(found)
    nodes = [found.node] if parts.batch_normalization is None else [found.node, parts.batch_normalization]
    weights = [_weights(found, name) for node in nodes for name in node.input[1:] if name]
    kind = weights[0].data_type
    x = helper.make_tensor_value_info(found.node.input[0], kind, found.x or [None] * ndim)
    y = helper.make_tensor_value_info(parts.result, kind, [None] * ndim)
    by_name = {tensor.name: tensor for tensor in weights}
    graph = helper.make_graph(nodes, "layer", [x], [y], list(by_name.values()))
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)


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


def _weights(found: ConvTransposeNode, name: str) -> TensorProto:
    """A constant under the name that the node reads it by."""
    tensor = found.scope.constant(name)
    if isinstance(tensor, str):
        checks.wrong(tensor)
    renamed = TensorProto()
    renamed.CopyFrom(tensor)
    renamed.name = name
    return renamed
