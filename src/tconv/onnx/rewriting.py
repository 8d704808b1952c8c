"""Models whose ConvTranspose nodes are said by convolutions instead, for runtimes that are faster at those."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from onnx import ModelProto

from tconv import checks
from tconv.conventions.onnx import UNDISPUTED
from tconv.onnx.convolutions import VARIANTS, Convolutions, Variant, check_size, convolutions, usual_variant
from tconv.onnx.folding import folded
from tconv.onnx.functions import inlined
from tconv.onnx.given import given_model
from tconv.onnx.graphs import inferred, opset
from tconv.onnx.nodes import ConvTransposeNode, conv_transposes
from tconv.onnx.replacing import Replacement, put, replacement
from tconv.onnx.writing import Constants, Names
from tconv.tables import aligned, printable

#: What is written takes this version of the standard's operators, and these forms of it a later one.
OLDEST_OPSET = 7
_MODE_OF_DEPTH_TO_SPACE, _EXPAND = 11, 8
Wanted: TypeAlias = Variant | Literal["auto"]


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What became of one ConvTranspose."""

    name: str
    place: str  #: "" in the model's graph; else the node and the attribute whose graph it is in
    variant: Variant | None  #: None where the node was left alone; `reason` then says why
    reason: str
    folded: str  #: the BatchNormalization that went into the weights, or ""

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {name: getattr(self, name) for name in ("name", "place", "variant", "reason", "folded")}


def _remark(layer: Rewritten) -> str:
    return layer.reason or (f"with {printable(layer.folded)} folded into it" if layer.folded else "")


@dataclass(frozen=True, slots=True, eq=False)
class Rewriting:
    """A rewritten model, and what became of each ConvTranspose; prints as a table."""

    model: ModelProto
    layers: tuple[Rewritten, ...]

    @property
    def changed(self) -> int:
        """How many nodes were rewritten; with 0 the model is a copy of the one given."""
        return sum(layer.variant is not None for layer in self.layers)

    def as_dict(self) -> dict[str, Any]:
        """What became of the nodes, as plain values."""
        return {"changed": self.changed, "layers": [layer.as_dict() for layer in self.layers]}

    def __str__(self) -> str:
        heading = f"{self.changed} of {checks.count(len(self.layers), 'transposed convolution')} rewritten"
        rows = [[printable(layer.name), layer.variant or "left alone", _remark(layer)] for layer in self.layers]
        return "\n".join([heading, "", *aligned(("layer", "variant", "remark"), rows)] if rows else [heading])


def rewrite(
    model: ModelProto | str | os.PathLike[str],
    *,
    variant: Wanted = "auto",
    layers: Sequence[str] | Mapping[str, Wanted] | None = None,
) -> Rewriting:
    """A copy of the model in which ConvTranspose nodes are convolutions whose results are interleaved and cropped.

    Args:
        model: a path or an onnx.ModelProto, which is not changed; its operator set is version 7 or newer, and stays
            what it is.
        variant: "one_conv" computes all phases by one convolution, and interleaves by Reshape and Transpose;
            "depth_to_space" does by DepthToSpace, on two axes of one stride; "conv_per_phase" has a convolution for
            each phase that a tap reaches; "conv_per_block" one for neighbouring phases that read the same cells.
            "auto" takes the one that is most often the fastest, which is a guess: `accelerate` measures.
        layers: the names of the nodes to rewrite, as `inspect` lists them; or a variant for each of them. All if None.

    The bias goes into the convolutions, and so does a BatchNormalization in inference mode right after the node, where
    all of its parameters are constant. Batch and sizes may be open. The names of results, the documentation and
    metadata stay. Functions that hold a rewritten node are put in the places of their calls.

    Nodes are left alone, and the report says why, where runtimes disagree about their result, weights are not constant,
    or the form would have too many nodes or too large weights. The result is the same up to rounding.

    ValueError and OSError as in `load`; ValueError, TypeError for other arguments, such as the name of no node.

    >>> import numpy as np, onnx, tconv.onnx
    >>> from onnx import TensorProto, helper, numpy_helper
    >>> node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], "up", strides=[2, 2], pads=[1, 1, 1, 1])
    >>> x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 16, "H", "W"])
    >>> y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 8, "H2", "W2"])
    >>> w = numpy_helper.from_array(np.ones((16, 8, 4, 4), np.float32), "w")
    >>> model = helper.make_model(helper.make_graph([node], "g", [x], [y], [w]))
    >>> rewriting = tconv.onnx.rewrite(model, variant="depth_to_space")
    >>> [node.op_type for node in rewriting.model.graph.node]
    ['Conv', 'DepthToSpace', 'Slice']
    >>> print(rewriting)
    1 of 1 transposed convolution rewritten
    <BLANKLINE>
    layer  variant         remark
    up     depth_to_space
    """
    with checks.explained("onnx.rewrite", lambda: checks.echo(variant=variant, layers=layers)):
        checks.choice("variant", variant, ("auto", *VARIANTS))
        source = given_model(model)
        flat = copied(inlined(source))
        found = list(conv_transposes(flat, inferred(flat)))
        wanted = _wanted(layers, variant, [each.name for each in found])
        reports = rewrite_nodes(flat, found, [wanted.get(each.name) for each in found])
    changed = any(report.variant for report in reports)
    return Rewriting(flat if changed else copied(source), tuple(reports))


def rewrite_nodes(
    model: ModelProto, found: Sequence[ConvTransposeNode], wanted: Sequence[Wanted | None]
) -> list[Rewritten]:
    """Change the model: each node that was found in it becomes the variant wanted for it, None for as it is."""
    unfit = _unfit(model)
    names = Names(model)
    constants: dict[int, Constants] = {}
    replacements: list[Replacement] = []
    reports = []
    for each, variant in zip(found, wanted, strict=True):
        graph = each.scope.graph
        try:
            if variant is None:
                checks.wrong("not asked for")
            if unfit:
                checks.wrong(unfit)
            table = constants.setdefault(id(graph), Constants(model, graph, names))
            made = _replacement(each, variant, names, table)
        except checks.Rejected as rejected:
            reports.append(Rewritten(each.name, each.scope.place, None, str(rejected), ""))
            continue
        replacements.append(made)
        normalization = made.folded
        name = "" if normalization is None else normalization.name or normalization.output[0]
        reports.append(Rewritten(each.name, each.scope.place, made.variant, "", name))
    put(model, replacements)
    return reports


def _replacement(each: ConvTransposeNode, wanted: Wanted, names: Names, constants: Constants) -> Replacement:
    """The nodes for one ConvTranspose; raises `checks.Rejected` with the reason to leave it alone."""
    layer = each.layer
    if layer is None:
        checks.wrong(each.problem)
    for note in each.notes:
        if note not in UNDISPUTED:
            checks.wrong(f"runtimes disagree: {note}")
    if "output_shape" in each.parameters and not each.is_sized:
        checks.wrong("with an output_shape the sizes of x must be known, because they decide what is cropped")
    parts = folded(each)
    made = convolutions(layer, usual_variant(layer) if wanted == "auto" else wanted)
    check_size(made, parts.w)
    _check_opset(made, each.scope.opset)
    return replacement(each, made, parts, names, constants)


def _unfit(model: ModelProto) -> str:
    """Why nothing in the model can be rewritten; "" where it can."""
    if opset(model) < OLDEST_OPSET:
        return (
            f"the model must use operator set {OLDEST_OPSET} or newer; it uses {opset(model)}, which "
            "onnx.version_converter.convert_version raises"
        )
    return ""


def _check_opset(made: Convolutions, version: int) -> None:
    """The form needs no operator that is newer than the model's."""
    if made.variant == "depth_to_space" and version < _MODE_OF_DEPTH_TO_SPACE:
        checks.wrong(
            f"depth_to_space must have operator set {_MODE_OF_DEPTH_TO_SPACE} or newer, where DepthToSpace has a mode; "
            f"the model uses {version}"
        )
    if version < _EXPAND and not all(piece.kernel for pieces in made.pieces for piece in pieces):
        checks.wrong(
            f"positions that no tap reaches must have operator set {_EXPAND} or newer, which has Expand; "
            f"the model uses {version}"
        )


def _wanted(
    layers: Sequence[str] | Mapping[str, Wanted] | None, variant: Wanted, names: Sequence[str]
) -> Mapping[str, Wanted]:
    """The variant wanted for each name; nodes that are not in it are left alone."""
    if layers is None:
        return dict.fromkeys(names, variant)
    if not isinstance(layers, Mapping) and not checks.is_sequence(layers):
        checks.wrong_type(f"layers must be names, or a variant for each name; got {checks.shorten(layers)}")
    wanted, there = layers if isinstance(layers, Mapping) else dict.fromkeys(layers, variant), frozenset(names)
    for name, one in wanted.items():
        if name not in there:
            known = checks.words(names) if names else "none"
            checks.wrong(f"layers must name transposed convolutions of the model, which are {known}; got {name!r}")
        checks.choice(f"layers[{name!r}]", one, ("auto", *VARIANTS))
    return wanted


def copied(model: ModelProto) -> ModelProto:
    """A model of its own with the same content."""
    copy = ModelProto()
    copy.CopyFrom(model)
    return copy
