"""One ConvTranspose of a model as a model of its own, and the arrays that it is given when the model runs."""

from __future__ import annotations

from collections.abc import Sequence

from onnx import ModelProto, TensorProto, helper

from tconv import checks
from tconv.onnx.folding import folded
from tconv.onnx.nodes import ConvTransposeNode
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
) -> dict[str, Array]:
    """What the nodes of the model's own graph read when it runs on these feeds, by the name of the value."""
    wanted = {each.node.input[0] for each in found} - feeds.keys()
    if not wanted:
        return dict(feeds)
    shown = ModelProto()
    shown.CopyFrom(model)
    del shown.graph.output[:]
    names = sorted(wanted)
    kinds = {each.node.input[0]: _kind(each) for each in found}
    shown.graph.output.extend(helper.make_tensor_value_info(name, kinds[name], None) for name in names)
    _, _, results = first_run(shown, feeds, runtime, threads)
    return {**feeds, **dict(zip(names, results, strict=True))}


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
