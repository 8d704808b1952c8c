"""The graphs of a model as scopes: which values each knows, which of them are constant, and what shapes they have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, numpy_helper, shape_inference

from tconv import checks
from tconv.onnx.computing import OPERATORS, Budget, computed
from tconv.onnx.wellformed import subgraphs, title

#: Sizes of a value, None for one that is not known before the model runs; or None where even the rank is not known.
Dims: TypeAlias = tuple[int | None, ...] | None

STANDARD = ("", "ai.onnx")
#: From this version on, an initializer that is an input as well is only the input's default.
DEFAULTS_FROM = 4


@dataclass(eq=False)
class Scope:
    """One graph, and the values it sees: its own and those of the graphs around it.

    What is asked of many nodes is found out once, by one walk through the graph, which must not change meanwhile.
    """

    graph: GraphProto
    place: str  #: "" for the model's graph; of a subgraph the node it is in, and which attribute: "If 'a', then_branch"
    parent: Scope | None
    ir_version: int
    holder: NodeProto | None = None  #: the node of the parent's graph that this graph is in
    opset: int = 0
    budget: Budget = field(default_factory=Budget)  #: of the model, shared by its scopes
    makers: dict[str, NodeProto] = field(default_factory=dict)
    initializers: dict[str, TensorProto] = field(default_factory=dict)
    shapes: dict[str, Dims] = field(default_factory=dict)
    inputs: frozenset[str] = frozenset()
    _constants: dict[str, TensorProto | str] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of_model(cls, model: ModelProto) -> Scope:
        """The scope of the model's own graph."""
        return cls(model.graph, "", None, model.ir_version, opset=opset(model))._filled()

    def inner(self, graph: GraphProto, place: str, holder: NodeProto) -> Scope:
        """The scope of a graph inside of a node of this one."""
        within = f"{self.place}; {place}" if self.place else place
        return Scope(graph, within, self, self.ir_version, holder, self.opset, self.budget)._filled()

    def _filled(self) -> Scope:
        self.makers = {name: node for node in self.graph.node for name in node.output if name}
        self.initializers = {tensor.name: tensor for tensor in self.graph.initializer}
        self.inputs = frozenset(value.name for value in self.graph.input)
        return self

    @cached_property
    def uses(self) -> dict[str, int]:
        """How often each value is read, as `uses` counts."""
        return uses(self.graph)

    @cached_property
    def readers(self) -> dict[str, NodeProto]:
        """A node that takes a value as its first input, by the value's name: the only one where it has one use."""
        return {node.input[0]: node for node in self.graph.node if node.input}

    def only_reader(self, name: str, operator: str) -> NodeProto | None:
        """The node of this operator of the standard that alone reads a value, as its first input."""
        node = self.readers.get(name)
        return node if node is not None and self.uses.get(name) == 1 and is_standard(node, operator) else None

    def constant(self, name: str) -> TensorProto | str:
        """The tensor that a value always is, computed from constants where it has to be, or why there is none."""
        if name not in self._constants:
            self._settle(name)
        found = self._constants[name]
        if isinstance(found, str) and name in self.makers and self._operands(name):
            return f"{name!r} is computed, by {title(self.makers[name])}: {found}"
        return found

    def _settle(self, wanted: str) -> None:
        """Find out about a value, and before it about what it is computed from; chains may be long."""
        waiting = [wanted]
        while waiting:
            name = waiting[-1]
            operands = self._operands(name)
            unknown = [operand for operand in operands if operand not in self._constants]
            varying = [found for operand in operands if isinstance(found := self._constants.get(operand), str)]
            if name in self._constants:
                waiting.pop()
            elif varying:
                self._constants[name] = varying[0]
            elif unknown:
                waiting.append(unknown[0])
            else:
                self._constants[name] = self._constant(name, operands)

    def _operands(self, name: str) -> list[str]:
        """What a value is computed from, where it is by an operator that is computed here."""
        node = self.makers.get(name)
        if node is None or node.domain not in STANDARD or node.op_type not in OPERATORS:
            return []
        return list(filter(None, node.input))

    def _constant(self, name: str, operands: Sequence[str]) -> TensorProto | str:
        """The tensor that a value always is, or why there is none; it is known that its operands are constant."""
        if operands:
            return self._computed(name)
        if name in self.makers:
            node = self.makers[name]
            return _value(node, name) if is_standard(node, "Constant") else f"{name!r} is computed, by {title(node)}"
        if name in self.initializers:
            if name in self.inputs and self.ir_version >= DEFAULTS_FROM:
                return f"{name!r} is an input of the model as well, so whoever runs it may give another value"
            return self.initializers[name]
        if name in self.inputs:
            return f"{name!r} is an input"
        return self.parent.constant(name) if self.parent is not None else f"{name!r} is no dense tensor"

    def _computed(self, name: str) -> TensorProto | str:
        node = self.makers[name]
        found = [self._constants[operand] if operand else None for operand in node.input]
        inputs = [None if isinstance(tensor, str) else tensor for tensor in found]
        if is_standard(node, "Identity") and inputs[0] is not None:
            return inputs[0]
        try:
            return computed(node, inputs, name, self.opset, self.budget)
        except checks.Rejected as rejected:
            return str(rejected)

    def dims(self, name: str) -> Dims:
        """The shape of a value, as far as it is known."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.makers or name in scope.inputs or name in scope.initializers:
                known = scope.shapes.get(name)
                tensor = scope.initializers.get(name)
                return tuple(tensor.dims) if tensor is not None else known
            scope = scope.parent
        return None


def scopes(model: ModelProto, shapes: ModelProto | None = None) -> list[Scope]:
    """The scopes of a model, outer ones first; `shapes` is the same model after shape inference."""
    found = list(_scopes(Scope.of_model(model)))
    if shapes is not None:
        known = _scopes(Scope.of_model(shapes))
        for scope, twin in zip(found, known, strict=True):
            infos = (*twin.graph.input, *twin.graph.value_info, *twin.graph.output)
            scope.shapes = {info.name: _dims(info) for info in infos}
    return found


def _scopes(scope: Scope) -> Iterator[Scope]:
    yield scope
    for node in scope.graph.node:
        for attribute, graph in subgraphs(node):
            yield from _scopes(scope.inner(graph, f"{title(node)}, {attribute}", node))


def uses(graph: GraphProto) -> dict[str, int]:
    """How often each value is read: by nodes, by the nodes of graphs inside of them, and as an output."""
    count: dict[str, int] = {}
    for name in _read(graph):
        count[name] = count.get(name, 0) + 1
    return count


def _read(graph: GraphProto) -> Iterator[str]:
    yield from (value.name for value in graph.output)
    for node in graph.node:
        yield from filter(None, node.input)
        for _, inner in subgraphs(node):
            yield from _read(inner)


def attributes(node: NodeProto) -> dict[str, Any]:
    """The attributes of a node by name: numbers, text, and lists of them; graphs and tensors are left out."""
    kinds = {1: "f", 2: "i", 3: "s", 6: "floats", 7: "ints", 8: "strings"}
    found = {a.name: getattr(a, kinds[a.type]) for a in node.attribute if a.type in kinds}
    return {name: _plain(value) for name, value in found.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, int | float) else [_plain(entry) for entry in value]


def opset(model: ModelProto) -> int:
    """The version of the standard operators; 0 where the model imports none."""
    return max((entry.version for entry in model.opset_import if entry.domain in STANDARD), default=0)


def is_conv_transpose(node: NodeProto) -> bool:
    """Whether a node is the standard's ConvTranspose."""
    return is_standard(node, "ConvTranspose")


def is_standard(node: NodeProto, operator: str) -> bool:
    """Whether a node is of this operator of the standard."""
    return node.op_type == operator and node.domain in STANDARD


def inferred(model: ModelProto) -> ModelProto | None:
    """The model with the shapes that follow from its inputs; None where they contradict each other."""
    try:
        return shape_inference.infer_shapes(model, data_prop=True)
    except Exception:  # of many kinds, raised by C++ for what it cannot make sense of
        return None


def _dims(info: Any) -> Dims:
    kind = info.type.tensor_type
    if not kind.HasField("shape"):
        return None
    return tuple(_size(dim) for dim in kind.shape.dim)


def _size(dim: Any) -> int | None:
    return dim.dim_value if dim.HasField("dim_value") and dim.dim_value >= 0 else None


def _value(node: NodeProto, name: str) -> TensorProto | str:
    for attribute in node.attribute:
        if attribute.name == "value":
            tensor: TensorProto = attribute.t
            return tensor
        if attribute.name in ("value_float", "value_floats"):
            values = list(attribute.floats) if attribute.name == "value_floats" else attribute.f
            return numpy_helper.from_array(np.asarray(values, np.float32), name)
        if attribute.name in ("value_int", "value_ints"):
            integers = list(attribute.ints) if attribute.name == "value_ints" else attribute.i
            return numpy_helper.from_array(np.asarray(integers, np.int64), name)
    return f"{name!r} is a constant of another kind than a dense tensor"
