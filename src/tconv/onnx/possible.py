"""Sizes that cannot be, such as those of a Concat of 24 and 25 cells: where in a model, and what meets there."""

from __future__ import annotations

import re
from typing import NamedTuple

from onnx import ModelProto, NodeProto, shape_inference

from tconv.onnx.graphs import Scope, inferred, scopes
from tconv.onnx.wellformed import title

#: How onnx says that the sizes that meet in a node do not fit; of types that it cannot infer it speaks otherwise.
_MISFIT = re.compile(r"\(op_type:([^,)]*)(?:, node name: ([^\n]*?))?\): \[ShapeInferenceError\] ([^\n]*)")


class Sizes(NamedTuple):
    """What shape inference makes of a model."""

    model: ModelProto | None  #: with the shapes that follow from its inputs; None where nothing does
    impossible: str  #: where sizes do not fit, in a sentence; "" where they do


def sizes_of(model: ModelProto) -> Sizes:
    """The shapes that follow from the inputs of a model, as far as they do, and where they contradict each other."""
    try:
        return Sizes(shape_inference.infer_shapes(model, strict_mode=True, data_prop=True), "")
    except Exception as error:  # of many kinds, raised by C++ for what it cannot make sense of
        known, misfit = inferred(model), _MISFIT.search(str(error))
    return Sizes(known, "" if misfit is None else _said(model, known, *misfit.groups()))


def _said(model: ModelProto, known: ModelProto | None, operator: str, name: str | None, why: str) -> str:
    found = [(scope, node) for scope in scopes(model, known) for node in scope.graph.node if node.op_type == operator]
    named = [(scope, node) for scope, node in found if node.name == (name or "")]
    # Of several nodes alike it is the one that has no result yet: the order is that in which they run.
    where = next((pair for pair in named if pair[0].dims(pair[1].output[0]) is None), next(iter(named), None))
    if where is None:
        return f"sizes are impossible at {operator} {name!r}: {why}"
    return f"sizes are impossible at {title(where[1])}: it is given {_given(*where)}; {why}"


def _given(scope: Scope, node: NodeProto) -> str:
    """What meets in a node: the names and shapes of its inputs."""
    shown = []
    for name in filter(None, node.input):
        dims = scope.dims(name)
        sizes = "?" if dims is None else "x".join("?" if size is None else str(size) for size in dims) or "a number"
        shown.append(f"{name!r} {sizes}")
    return ", ".join(shown)
