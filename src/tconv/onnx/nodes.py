"""One ConvTranspose node: its attributes, weights and sizes, read into a layer by the rules of the ONNX dialect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onnx import ModelProto, NodeProto, TensorProto

from tconv import checks
from tconv.conventions import DIALECTS, Layer
from tconv.onnx.graphs import Dims, Scope, attributes, is_conv_transpose, scopes

_ONNX = DIALECTS["onnx"]
#: The tensor's axes before those of size: batch and channels.
CHANNEL_AXES = 2


@dataclass(frozen=True, eq=False)
class ConvTransposeNode:
    """A ConvTranspose of a model, as far as it can be known before the model runs."""

    scope: Scope
    node: NodeProto
    name: str  #: of the node, or of its result where the node has none
    parameters: Mapping[str, Any]  #: its attributes, as the dialect reads them
    x: Dims
    w: Dims
    weights: TensorProto | str  #: the constant weights, or why there are none
    layer: Layer | None  #: on the sizes of x, or on nominal ones where they are not known
    problem: str  #: why there is no layer; "" where there is one
    notes: tuple[str, ...]  #: what runtimes disagree about

    @property
    def is_sized(self) -> bool:
        """Whether the geometry has the sizes that x will have, and not nominal ones."""
        return self.layer is not None and self.x is not None and None not in self.x[CHANNEL_AXES:]

    @property
    def is_open(self) -> bool:
        """Whether the batch or a size of x is known only when the model runs."""
        return self.x is None or None in self.x

    @property
    def is_impossible(self) -> bool:
        """Whether it is the sizes of x that allow no result."""
        if self.layer is not None or self.x is None or None in self.x:
            return False
        try:
            layer_of(self.parameters, None, self.w, has_bias=False)
        except checks.Rejected:
            return False
        return True


def conv_transposes(model: ModelProto, shapes: ModelProto | None) -> Iterator[ConvTransposeNode]:
    """Every ConvTranspose of the graph and its subgraphs; `shapes` is the model after shape inference."""
    for scope in scopes(model, shapes):
        for node in scope.graph.node:
            if is_conv_transpose(node):
                yield read(scope, node)


def read(scope: Scope, node: NodeProto) -> ConvTransposeNode:
    """What is known of a ConvTranspose node."""
    x, weights = scope.dims(node.input[0]), scope.constant(node.input[1])
    w = scope.dims(node.input[1]) if isinstance(weights, str) else tuple(weights.dims)
    given, layer, problem = attributes(node), None, ""
    notes: tuple[str, ...] = ()
    try:
        given, layer = layer_of(given, x, w, has_bias=len(node.input) > 2 and bool(node.input[2]))
        notes = _ONNX.disagreements(given, layer)
    except checks.Rejected as rejected:
        problem = str(rejected)
    name = node.name or node.output[0]
    return ConvTransposeNode(scope, node, name, given, x, w, weights, layer, problem, notes)


def layer_of(given: Mapping[str, Any], x: Dims, w: Dims, has_bias: bool) -> tuple[dict[str, Any], Layer]:
    """The parameters as the dialect reads them, and the layer that they say, for x and w of these shapes.

    Sizes of x that are not known are nominal; an output_shape needs them all. Raises `checks.Rejected`.
    """
    if w is None or None in w:
        checks.wrong("the shape of the weights must be known; it is not")
    sizes = [size for size in w if size is not None]
    if len(sizes) <= CHANNEL_AXES or 0 in sizes:
        checks.wrong(f"the weights must have shape (Cin, Cout / group, *kernel), no axis empty; got {tuple(sizes)}")
    if x is not None and len(x) != len(sizes):
        checks.wrong(f"x must have {len(sizes)} axes, as the weights have; got {len(x)}")
    cin, per_group, *kernel = sizes
    if x is not None and x[1] not in (None, cin):
        checks.wrong(f"x must have {checks.count(cin, 'channel')}, the first size of the weights; got {x[1]}")
    parameters = _as_specified(given)
    group = parameters.get("group", 1)
    channels = {"in_channels": cin, "out_channels": per_group * group if isinstance(group, int) else None}
    coarse = (None,) * len(kernel) if x is None else x[CHANNEL_AXES:]
    if None in coarse and "output_shape" not in parameters:
        nominal = _read(parameters, kernel, None, channels, has_bias).geometry.coarse
        coarse = tuple(known or size for known, size in zip(coarse, nominal, strict=True))
    return parameters, _read(parameters, kernel, None if None in coarse else coarse, channels, has_bias)


def _read(
    parameters: Mapping[str, Any],
    kernel: Sequence[int],
    coarse: Sequence[int | None] | None,
    channels: Mapping[str, int | None],
    bias: bool,
) -> Layer:
    sizes = None if coarse is None else tuple(size for size in coarse if size is not None)
    try:
        return _ONNX.read(parameters, kernel=tuple(kernel), coarse=sizes, bias=bias, **channels)
    except (ValueError, TypeError) as error:
        checks.wrong(str(error).partition("\n")[0].removeprefix("onnx.read: "))


def _as_specified(given: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes without what the specification says to ignore: pads, where there is an output_shape."""
    parameters = dict(given)
    if parameters.get("output_shape"):
        parameters.pop("pads", None)
    return {name: value for name, value in parameters.items() if value is not None and value != []}
