"""Values of graphs inside of If, Loop and Scan, made outputs of the model, to see what they are when it runs.

A value leaves its graph as one output more of the graph and of the node that holds it, up to the model's own. Of a Loop
it is carried from one round to the next, so that the last one is seen and its size may change; a Scan stacks it. The
other branch of an If gives an empty vector, and so does a Loop that has no round.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, helper

from tconv import checks
from tconv.onnx.graphs import Scope
from tconv.onnx.tensors import from_values
from tconv.onnx.wellformed import subgraphs
from tconv.onnx.writing import Names

#: A Loop is given its number of rounds and its condition before what it carries; its body returns a condition first.
LOOP_INPUTS, LOOP_RESULTS = 2, 1


class Exposed(NamedTuple):
    """Where a value is found after a run."""

    output: str
    stacked: int  #: axes in front of it, one for each Scan that it is in

    def of(self, results: dict[str, NDArray[Any]]) -> NDArray[Any] | None:
        """The value; None where the graph that it is in did not run."""
        found = results[self.output]
        for _ in range(self.stacked):
            if not len(found):
                return None
            found = found[0]
        return found if found.size else None


def expose(model: ModelProto, values: Sequence[tuple[Scope, str, int]]) -> list[Exposed]:
    """Change the model so that these are outputs: values by the scope and name they are read under, and their types."""
    names = Names(model)
    return [_Exposing(names, kind).out(scope, value) for scope, value, kind in values]


class _Exposing:
    """The way of one value to the outputs of the model."""

    def __init__(self, names: Names, kind: int) -> None:
        self.names, self.kind, self.stacked = names, kind, 0

    def out(self, scope: Scope, value: str) -> Exposed:
        seen = self.names.new("seen")
        scope.graph.node.append(helper.make_node("Identity", [value], [seen]))  # a graph returns no value of another
        while scope.parent is not None and scope.holder is not None:
            seen, scope = self._through(scope.parent.graph, scope.holder, scope.graph, seen), scope.parent
        scope.graph.output.append(self._value(seen))
        return Exposed(seen, self.stacked)

    def _through(self, around: GraphProto, holder: NodeProto, graph: GraphProto, seen: str) -> str:
        """The name under which the graph around the node knows what its inner graph calls `seen`."""
        result = self.names.new("seen")
        if holder.op_type == "Loop":
            self._carried(around, holder, graph, seen, result)
            return result
        if holder.op_type == "Scan":
            self.stacked += 1
            _list_axes(holder)
        elif holder.op_type != "If":
            checks.wrong(f"in a graph of {holder.op_type}; only those of If, Loop and Scan are looked into")
        for _, other in subgraphs(holder):
            other.output.append(self._value(seen if other is graph else self._empty(other)))
        holder.output.append(result)
        return result

    def _carried(self, around: GraphProto, holder: NodeProto, body: GraphProto, seen: str, result: str) -> None:
        """One value more that the rounds hand on; at first it is empty."""
        carried = len(holder.input) - LOOP_INPUTS
        holder.input.append(self._empty(around))
        body.input.append(self._value(self.names.new("seen")))
        _insert(body.output, LOOP_RESULTS + carried, self._value(seen))
        _insert(holder.output, carried, result)

    def _empty(self, graph: GraphProto) -> str:
        """An empty vector, as a value of a graph."""
        name = self.names.new("unseen")
        dtype = helper.tensor_dtype_to_np_dtype(self.kind)
        graph.initializer.append(from_values(np.zeros(0, dtype), name))
        return name

    def _value(self, name: str) -> Any:
        return helper.make_tensor_value_info(name, self.kind, None)


def _list_axes(scan: NodeProto) -> None:
    """The usual axis and direction for one output more, where a Scan lists them."""
    for attribute in scan.attribute:
        if attribute.name in ("scan_output_axes", "scan_output_directions"):
            attribute.ints.append(0)


def _insert(entries: Any, place: int, entry: Any) -> None:
    """As list.insert, which not all repeated fields of protobuf have."""
    after = list(entries[place:])
    del entries[place:]
    entries.append(entry)
    entries.extend(after)
