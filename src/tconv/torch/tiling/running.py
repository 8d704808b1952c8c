"""One box of the results of a network: operation by operation, each on what its results need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor, fx

from tconv.torch.tiling import norms
from tconv.torch.tiling.network import Line, Network, Step
from tconv.torch.tiling.norms import Statistics
from tconv.torch.tiling.rules import Normed, Part, in_place

#: Gives a box of x, as ranges (start, stop) an axis.
Reader: TypeAlias = Callable[[Sequence[tuple[int, int]]], Tensor]


class Tiler:
    """Computes boxes of the results of one step of a network."""

    def __init__(self, network: Network, target: int, read: Reader, statistics: dict[int, Statistics]) -> None:
        self.network, self.target, self.read, self.statistics = network, target, read, statistics
        needed = network.line(0, target, 0, network.size(target)[0])
        self.order = sorted(needed)
        last = {j: i for i in self.order for j in network.steps[i].inputs}
        #: What nobody reads after a step.
        self.done: dict[int, list[int]] = {}
        for j, i in last.items():
            self.done.setdefault(i, []).append(j)

    def box(self, cells: Sequence[tuple[int, int]]) -> Tensor:
        """The results in [start, stop) of each axis."""
        lines = [self.network.line(axis, self.target, *ends) for axis, ends in enumerate(cells)]
        values: dict[int, Any] = {}
        for i in self.order:
            values[i] = self._step(i, [line[i] for line in lines], values, lines)
            for j in self.done.get(i, ()):
                del values[j]
        return values[self.target]  # type: ignore[no-any-return]

    def _step(self, i: int, parts: list[Part], values: dict[int, Any], lines: list[Line]) -> Any:
        step = self.network.steps[i]
        if step.rule is None:
            ends = [(part.start, part.stop) for part in parts]
            if i == self.network.input:
                return self.read(ends)
            return _sliced(self.network.constant(step.node), [(0, n) for n in step.cells(self.network.ndim)], ends)

        def operand(node: fx.Node) -> Any:
            j = self.network.places.get(node)
            if j is None or j not in step.inputs:
                return self.network.constant(node)
            has = [(line[j].start, line[j].stop) for line in lines]
            wanted = [(part.read.start, part.read.stop) for part in parts]
            return _sliced(values[j], has, wanted)

        if isinstance(step.rule, Normed):
            return norms.applied(step.rule, operand(step.node.all_input_nodes[0]), self.statistics[i], self.network)
        args, kwargs = fx.node.map_arg((step.node.args, step.node.kwargs), operand)
        first = operand(step.node.all_input_nodes[0])
        return step.rule.result(first, _bound(step, args, kwargs), parts)


def _bound(step: Step, args: Any, kwargs: Any) -> Callable[..., Any]:
    """The operation on these arguments."""
    if step.module is not None:
        function: Any = step.module
    elif step.node.op == "call_method":
        function = getattr(torch.Tensor, str(step.node.target))
    else:
        function = step.node.target
    if step.writes:
        function = in_place(function)

    def call(**others: Any) -> Any:
        given = args[:1] if others and step.module is not None else args
        return function(*given, **{**kwargs, **others})

    return call


def _sliced(value: Any, has: Sequence[tuple[int, int]], wanted: Sequence[tuple[int, int]]) -> Any:
    """The wanted box of an array whose box is there; an axis of one cell stands for all."""
    if isinstance(value, tuple | list):
        return type(value)(_sliced(entry, has, wanted) for entry in value)
    for back in range(1, min(len(has), value.dim()) + 1):
        (start, stop), (first, end) = has[-back], wanted[-back]
        if value.shape[-back] > 1 and (first, end) != (start, stop):
            value = value.narrow(-back, first - start, end - first)
    return value
