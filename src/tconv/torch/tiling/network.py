"""The operations of a network in order, and what a box of the results of one of them needs of those before it."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, fx
from torch.nn import Module

from tconv import checks
from tconv.torch.tiling.asked import Asked
from tconv.torch.tiling.maps import Read
from tconv.torch.tiling.rules import Normed, Part, Rule
from tconv.torch.tiling.tracing import Tracer

#: For each operation that is needed the range of its results that is computed, and what is read for it.
Line: TypeAlias = dict[int, Part]

#: Operations whose results may be their input itself.
_VIEWS = {"identity", "Identity", "Dropout", "dropout", "contiguous", "detach", "to", "type", "float", "double"}
_VIEWS |= {"chunk", "split", "tensor_split", "getitem", "Dropout1d", "Dropout2d", "Dropout3d"}


@dataclass(frozen=True)
class Step:
    """One operation, the input x, or an array of the module's that lies on the grid."""

    node: fx.Node
    module: Module | None
    name: str
    rule: Rule | None  #: None for what is not computed
    inputs: tuple[int, ...]  #: the steps whose results are read box by box
    writes: bool  #: whether it would write into its first input

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Its results, without memory."""
        value = self.node.meta["value"]
        return tuple(value) if isinstance(value, tuple | list) else (value,)

    def cells(self, ndim: int) -> tuple[int, ...]:
        """The size of its grid, of fewer axes for some arrays of the module's."""
        return tuple(self.tensors[0].shape[2:]) if self.rule else _last(self.tensors[0].shape, ndim)


class Network:
    """A module traced for an input: its operations, which one is the result, and what is the same for all boxes."""

    def __init__(self, module: Module, shape: Sequence[int], dtype: torch.dtype, two_passes: bool = False) -> None:
        tracer = Tracer(module, tuple(shape), dtype, two_passes)
        self.ndim, self.device = len(shape) - 2, tracer.device
        graph = tracer.traced()
        nodes = list(graph.nodes)
        _redirect(nodes, tracer)
        returned = nodes[-1].args[0]
        if not isinstance(returned, fx.Node):
            checks.wrong(f"module must return one tensor; got {type(returned).__name__}")
        if not returned.meta["varies"]:
            checks.wrong("module must return something that depends on x")
        self._tracer, self._constants = tracer, dict[fx.Node, Any]()
        self.places: dict[fx.Node, int] = {}
        self.steps: list[Step] = []
        for node in nodes[:-1]:
            if node.meta["varies"]:
                self._enter(node)
        self.output = self.places[returned]
        self.line = functools.lru_cache(4096)(self._line)

    def _enter(self, node: fx.Node) -> int:
        """The step of a node, after those of what it reads box by box."""
        if node in self.places:
            return self.places[node]
        rule = node.meta.get("rule")
        read = [] if rule is None else node.all_input_nodes[: rule.grids]
        inputs = tuple(self._enter(n) for n in read if n.meta["varies"] or self._on_grid(n))
        asked = Asked(node, self._tracer.module_of(node), self._tracer.where(node), self.ndim, False)
        step = Step(node, asked.module, str(asked), rule, inputs, node.meta.get("writes", False))
        self.steps.append(step)
        return self.places.setdefault(node, len(self.steps) - 1)

    def _on_grid(self, node: fx.Node) -> bool:
        value = node.meta["value"]
        return isinstance(value, Tensor) and any(n > 1 for n in _last(value.shape, self.ndim))

    def constant(self, node: fx.Node) -> Any:
        """The value of what does not depend on x: computed once."""
        if node not in self._constants:
            args, kwargs = fx.node.map_arg((node.args, node.kwargs), self.constant)
            module = self._tracer.module_of(node)
            if node.op == "get_attr":
                value = self._tracer.attribute(str(node.target))
            elif module is not None:
                value = module(*args, **kwargs)
            elif node.op == "call_method":
                value = getattr(args[0], str(node.target))(*args[1:], **kwargs)
            else:
                value = node.target(*args, **kwargs)  # type: ignore[operator]
            self._constants[node] = value
        return self._constants[node]

    @property
    def input(self) -> int:
        """The step that is x."""
        return next(i for i, step in enumerate(self.steps) if step.node.op == "placeholder")

    def norms(self, target: int) -> dict[int, Normed]:
        """The normalizations that a result of `target` needs statistics of, in order."""
        needed = self.line(0, target, 0, self.size(target)[0])
        rules = ((i, self.steps[i].rule) for i in sorted(needed))
        return {i: rule for i, rule in rules if isinstance(rule, Normed)}

    def size(self, target: int) -> tuple[int, ...]:
        """The size of the grid of a step."""
        return self.steps[target].cells(self.ndim)

    def _line(self, axis: int, target: int, start: int, stop: int) -> Line:
        """What the results [start, stop) of a step need along one axis: from the last operation to the first."""
        wanted = {target: (start, stop)}
        line: Line = {}
        for i in range(target, -1, -1):
            if i not in wanted:
                continue
            step = self.steps[i]
            start, stop = wanted[i]
            if step.rule is None:
                line[i] = Part(start, stop, Read(start, stop))
                continue
            read = step.rule.maps[axis].read(start, stop)
            line[i] = Part(start, stop, read)
            for j in step.inputs:
                size = self.steps[j].cells(self.ndim)
                n = size[axis - self.ndim] if self.ndim - axis <= len(size) else 1
                ends = (read.start, read.stop) if n > 1 or self.size(i)[axis] == 1 else (0, 1)
                before = wanted.get(j, ends)
                wanted[j] = min(before[0], ends[0]), max(before[1], ends[1])
        return line


def _last(shape: Sequence[int], ndim: int) -> tuple[int, ...]:
    return tuple(shape[max(0, len(shape) - ndim) :])


def _redirect(nodes: list[fx.Node], tracer: Tracer) -> None:
    """Whoever reads an array after it was written into reads the result of that."""
    order = {node: i for i, node in enumerate(nodes)}
    for node in nodes:
        if not node.meta.get("writes"):
            continue
        written = node.all_input_nodes[0]
        for other in _same_memory(written, order, tracer) - {written}:
            if any(order[user] > order[node] for user in other.users):
                name = Asked(node, tracer.module_of(node), tracer.where(node), 1, False)
                checks.wrong(f"{name} must not write into an array that is read under another name later")
        for user in list(written.users):
            if order[user] > order[node]:
                user.replace_input_with(written, node)


def _same_memory(node: fx.Node, order: dict[fx.Node, int], tracer: Tracer) -> set[fx.Node]:
    """What may lie in the memory of a node: views of it, what it is a view of, and so on."""

    def is_view(n: fx.Node) -> bool:
        module = tracer.module_of(n)
        return n.meta.get("varies", False) and any(
            name in _VIEWS for name in Asked(n, module, "", 1, False).names if n.op.startswith("call")
        )

    found, left = {node}, [node]
    while left:
        now = left.pop()
        near = [user for user in now.users if is_view(user)] + ([now.all_input_nodes[0]] if is_view(now) else [])
        left += [n for n in near if n not in found and n in order]
        found.update(near)
    return found


def work(step: Step, cells: float) -> float:
    """What so many results of a step cost: multiplications, or cells where nothing is multiplied."""
    if step.rule is None:
        return 0
    return cells * step.rule.terms * math.prod(step.tensors[0].shape[:2])
