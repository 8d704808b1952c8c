"""New nodes for a graph: unique names, constants shared where they are equal, an operator with one call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, helper

from tconv.onnx.graphs import DEFAULTS_FROM, scopes
from tconv.onnx.tensors import from_values

Array = NDArray[Any]
#: The version of the operators in which Slice is told by inputs.
SLICE_INPUTS_FROM = 10


class Names:
    """The names of values and nodes that a model has, so that new ones differ from all of them."""

    def __init__(self, model: ModelProto) -> None:
        self.taken: set[str] = set()
        self._numbers: dict[str, int] = {}  # where to go on, so that many alike do not all begin with the first
        for scope in scopes(model):
            self.taken |= scope.inputs | scope.initializers.keys() | scope.makers.keys()
            self.taken.update(node.name for node in scope.graph.node)
            self.taken.update(sparse.values.name for sparse in scope.graph.sparse_initializer)

    def new(self, wanted: str) -> str:
        """This name, or with a number after it where it is taken."""
        name, number = wanted, self._numbers.get(wanted, 1)
        while name in self.taken:
            number += 1
            name = f"{wanted}_{number}"
        self.taken.add(name)
        self._numbers[wanted] = number
        return name


class Constants:
    """New initializers of one graph; equal ones are one.

    Before IR version 4 initializers were inputs as well, and only a model's own graph had inputs that nobody
    gives: there they belong, where graphs inside of nodes see them too.
    """

    def __init__(self, model: ModelProto, graph: GraphProto, names: Names) -> None:
        self._are_inputs = model.ir_version < DEFAULTS_FROM
        self._graph, self._names = model.graph if self._are_inputs else graph, names
        self._known: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def add(self, values: Array, wanted: str) -> str:
        """The name of an initializer with these values."""
        key = (values.dtype.name, values.shape, values.tobytes())
        if key not in self._known:
            name = self._known[key] = self._names.new(wanted)
            tensor = from_values(values, name)
            self._graph.initializer.append(tensor)
            if self._are_inputs:
                self._graph.input.append(helper.make_tensor_value_info(name, tensor.data_type, values.shape))
        return self._known[key]


class Writer:
    """The nodes that take the place of one node, in order, in a version of the standard's operators."""

    def __init__(self, replaced: NodeProto, names: Names, constants: Constants, opset: int) -> None:
        self._replaced, self._names, self._constants, self._opset = replaced, names, constants, opset
        self._base = replaced.name or replaced.output[0]
        self.nodes: list[NodeProto] = []

    def node(self, operator: str, inputs: Sequence[str], *, like_replaced: bool = False, **attributes: Any) -> str:
        """Add a node; the name of its result. `like_replaced` hands on what was noted about the replaced node."""
        wanted = f"{self._base}/{operator}"
        made = helper.make_node(operator, inputs, [self._names.new(f"{wanted}_result")], self._names.new(wanted))
        made.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())
        if like_replaced:
            made.doc_string = self._replaced.doc_string
            made.metadata_props.extend(self._replaced.metadata_props)
        self.nodes.append(made)
        return str(made.output[0])

    def constant(self, values: Array, what: str) -> str:
        """The name of an initializer with these values."""
        return self._constants.add(values, f"{self._base}/{what}")

    def integers(self, values: Iterable[int], what: str) -> str:
        """The name of an initializer with these integers, as shapes and slices take them."""
        return self.constant(np.array(list(values), np.int64), what)

    def slice(self, value: str, starts: Sequence[int], ends: Sequence[int], axes: Sequence[int], what: str) -> str:
        """Add a Slice; until version 10 what it cuts is said by attributes, from then on by inputs."""
        if self._opset < SLICE_INPUTS_FROM:
            return self.node("Slice", [value], starts=starts, ends=ends, axes=axes)
        bounds = {"from": starts, "to": ends, "axes": axes}
        return self.node("Slice", [value, *(self.integers(of, f"{what}_{name}") for name, of in bounds.items())])

    def finish(self, result: str) -> list[NodeProto]:
        """The nodes, the last of which makes a value of this name; the first keeps the name of the replaced node."""
        if self._replaced.name:
            self.nodes[0].name = self._replaced.name
        self.nodes[-1].output[0] = result
        return self.nodes
