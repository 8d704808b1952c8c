"""One operation of a graph as rules are made from it: what it is called, its settings, and the sizes on both sides."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, fx
from torch.nn import Module

from tconv import checks
from tconv.cached import cached_property

#: Functions by another name, as operators have them.
_ALIASES = {"iadd": "add", "isub": "sub", "imul": "mul", "itruediv": "truediv"}


class Asked:
    """An operation of the graph; prints as a message names it: the module, and what it does."""

    def __init__(self, node: fx.Node, module: Module | None, where: str, ndim: int, two_passes: bool) -> None:
        self.node, self.module, self.where, self.ndim, self.two_passes = node, module, where, ndim, two_passes
        self.names = list(_names(node, module))
        self.name = self.names[0]
        self.arguments = node.args
        self.run: Callable[[], Any] = lambda: node.meta["value"]

    def __str__(self) -> str:
        return f"{self.where}: {self.name}" if self.where else self.name

    def settle(self, name: str) -> None:
        """The name under which the operation was found, whose axes are those of the array."""
        self.name = name
        if name[-2:] in ("1d", "2d", "3d") and int(name[-2]) != self.ndim:
            checks.wrong(f"{self} is of {checks.count(int(name[-2]), 'axis', 'axes')} of size; x has {self.ndim}")

    def get(self, name: str, place: int, default: Any) -> Any:
        """A setting: an attribute of the module, or an argument by name or place."""
        if self.module is not None:
            return getattr(self.module, name, default)
        if name in self.node.kwargs:
            return self.node.kwargs[name]
        return self.arguments[place] if place < len(self.arguments) else default

    def said(self, name: str, place: int) -> bool:
        """Whether an argument of the call is given, also where a module is called."""
        return self.node.kwargs.get(name) is not None or place < len(self.arguments)

    def per_axis(self, value: Any) -> tuple[Any, ...]:
        """One entry an axis, from one or from a sequence."""
        if not isinstance(value, tuple | list):
            return (value,) * self.ndim
        return tuple(value) * self.ndim if len(value) == 1 else tuple(value)

    def each(self, name: str, place: int, default: int) -> tuple[int, ...]:
        """A setting with one entry an axis."""
        return self.per_axis(self.get(name, place, default))

    def check_dims(self, dims: Any) -> None:
        """The operation goes along channels alone: tiles are of some cells, and of some samples."""
        rank = self.ndim + 2
        for dim in (None,) if dims is None else dims if isinstance(dims, tuple | list) else (dims,):
            if dim is None or dim % rank != 1:
                checks.wrong(f"{self} goes along {'all axes' if dim is None else f'axis {dim}'}; it may along channels")

    @property
    def input(self) -> Any:
        """What is read: a tensor without memory, or several."""
        first = next(iter(self.node.all_input_nodes))
        return first.meta["value"]

    @property
    def of_tuple(self) -> bool:
        """Whether the input is several tensors, such as those of torch.chunk."""
        return isinstance(self.input, tuple | list)

    @property
    def size(self) -> tuple[int, ...]:
        """The size of the grid that is read."""
        return tuple(self.input.shape[2:])

    @property
    def result(self) -> tuple[int, ...]:
        """The size of the grid of the results."""
        return tuple(self.value.shape[2:])

    @cached_property
    def value(self) -> Any:
        """The results, without memory: the operation is run where it is asked for."""
        return self.run()

    @property
    def channels(self) -> int:
        """Channels that are read."""
        return int(self.input.shape[1])

    @property
    def dtype(self) -> torch.dtype:
        """Of what is read."""
        return self.input.dtype  # type: ignore[no-any-return]

    @property
    def weight(self) -> Tensor:
        """The weights of a convolution; a module may compute them."""
        if self.module is not None:
            return self.module.weight  # type: ignore[return-value]
        given = self.get("weight", 1, None)
        return given.meta["value"] if isinstance(given, fx.Node) else given  # type: ignore[no-any-return]

    def terms(self, kernel: tuple[int, ...]) -> int:
        """Products that each cell and channel of the other side costs, in a convolution of either kind."""
        transposed = "transpose" in self.name.lower()
        groups = self.get("groups", 6, 1)
        return math.prod(kernel) * (self.weight.shape[0] // groups if transposed else self.weight.shape[1])


def _names(node: fx.Node, module: Module | None) -> Iterator[str]:
    """What the operation is called, the nearest name first: the class of an accelerated layer lies below torch.nn's."""
    if module is not None:
        yield from (kind.__name__ for kind in type(module).__mro__ if kind is not Module)
        return
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
    yield _ALIASES.get(name, name)
    if name.endswith("_") and not name.endswith("__"):
        yield name[:-1]


def writes(node: fx.Node, module: Module | None) -> bool:
    """Whether an operation writes into its first input."""
    if module is not None:
        return bool(getattr(module, "inplace", False))
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    return name in _ALIASES or (name.endswith("_") and not name.endswith("__")) or bool(node.kwargs.get("inplace"))
