"""A module as the graph of its operations, by torch.fx, with the sizes that a given input has.

Every operation is run on tensors without memory as it is met, so that forward methods may ask for shapes, and decide by
them. The module is not changed, and holds nothing afterwards.
"""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, fx
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import Module

from tconv import checks
from tconv.forks import uninterrupted
from tconv.torch.classes import plain_class
from tconv.torch.tiling.asked import Asked, writes
from tconv.torch.tiling.operations import MAKERS
from tconv.torch.tiling.rules import Rule
from tconv.torch.undone import undone

#: Modules from here are operations; others are made of some.
_OPERATIONS = ("torch.nn.", "torch.ao.", "tconv.torch.")


class Holder(Module):
    """The module as a part of another, so that a layer alone is a graph of one operation, and arguments are one."""

    def __init__(self, module: Module) -> None:
        super().__init__()
        self.whole = module

    def forward(self, x: Tensor) -> Any:
        """What the module makes of x."""
        return self.whole(x)


class Known(fx.Proxy):
    """A value of the graph that knows its shape."""

    @property
    def value(self) -> Any:
        """A tensor without memory, or several."""
        return self.node.meta["value"]

    def __getattr__(self, name: str) -> Any:
        if name in ("shape", "ndim", "dtype", "device", "is_cuda", "layout", "requires_grad", "training"):
            return getattr(self.value, name)
        if name in ("size", "dim", "numel", "is_floating_point", "stride", "get_device", "is_contiguous"):
            return lambda *args, **kwargs: getattr(self.value, name)(*args, **kwargs)
        return super().__getattr__(name)

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Any]:
        return (self.tracer.create_proxy("call_function", operator.getitem, (self, i), {}) for i in range(len(self)))

    def _written(self, by: Callable[..., Any], other: Any) -> fx.Proxy:
        return self.tracer.create_proxy("call_function", by, (self, other), {})

    # torch.fx takes x += y for x = x + y, which it is not where something else has the same x.
    def __iadd__(self, other: Any) -> fx.Proxy:
        return self._written(operator.iadd, other)

    def __isub__(self, other: Any) -> fx.Proxy:
        return self._written(operator.isub, other)

    def __imul__(self, other: Any) -> fx.Proxy:
        return self._written(operator.imul, other)

    def __itruediv__(self, other: Any) -> fx.Proxy:
        return self._written(operator.itruediv, other)


class Tracer(fx.Tracer):
    """Writes the graph down, with a rule for every operation; raises `checks.Rejected` at one that has none."""

    def __init__(self, module: Module, shape: tuple[int, ...], dtype: torch.dtype, two_passes: bool) -> None:
        super().__init__()
        tensors = [*module.parameters(), *module.buffers()]
        self.device = tensors[0].device if tensors else torch.device("cpu")
        self.constants: dict[str, Tensor] = {}  #: made by forward methods
        self.fakes = FakeTensorMode(allow_non_fake_inputs=True)
        self.shape, self.dtype, self.two_passes = shape, dtype, two_passes
        self.holder = Holder(module)
        self._looking = False
        self._thread = threading.get_ident()

    def traced(self) -> fx.Graph:
        """The graph; raises `checks.Rejected` where there is none.

        As long as torch.fx traces, it stands between the modules of all threads and their calls: of two that trace at
        once the one would put back what the other has put there, for good.
        """
        for name, module in self.holder.whole.named_modules():
            if module.training and _refines(module):
                checks.wrong(f"{name}: spectral norm in training mode refines itself at every call; call module.eval()")
        try:
            with uninterrupted, torch.no_grad(), undone(self.holder):
                return self.trace(self.holder)
        except checks.Rejected:
            raise
        except Exception as error:
            said = f"{type(error).__name__}: {checks.first_line(error)}"
            checks.wrong(f"module must take x of shape {self.shape}, and be one that torch.fx traces; it raised {said}")

    def is_leaf_module(self, m: Module, module_qualified_name: str) -> bool:
        """Whether a module is an operation; those that users derive from torch.nn's, or change, are looked into."""
        containers = torch.nn.Sequential | torch.nn.ModuleList | torch.nn.ModuleDict
        if isinstance(m, containers) or "forward" in vars(m):
            return False
        return plain_class(m).__module__.startswith(_OPERATIONS)

    def call_module(self, m: Module, forward: Any, args: Any, kwargs: Any) -> Any:
        """As torch.fx does it, but for calls that are no part of the graph."""
        return forward(*args, **kwargs) if self._beside else super().call_module(m, forward, args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        """The same for parameters."""
        return attr_val if self._beside else super().getattr(attr, attr_val, parameter_proxy_cache)

    @property
    def _beside(self) -> bool:
        """Whether what is called only finds out shapes, or is that of another thread, which may compute tiles."""
        return self._looking or threading.get_ident() != self._thread

    def create_arg(self, a: Any) -> Any:
        """Constants are kept here: torch.fx would make them attributes of the module."""
        if isinstance(a, Tensor) and not isinstance(a, torch.nn.Parameter) and a not in self.tensor_attrs:
            name = f"constant_{len(self.constants)}"
            self.constants[name], self.tensor_attrs[a] = a, name
        made = super().create_arg(a)
        if isinstance(made, fx.Node) and made.op == "get_attr" and "value" not in made.meta:
            self._look(made)
        return made

    def proxy(self, node: fx.Node) -> Known:
        """Values that know their shapes."""
        self._look(node)
        return Known(node, self)

    def attribute(self, name: str) -> Tensor:
        """A parameter, a buffer or a constant."""
        if name in self.constants:
            return self.constants[name]
        return operator.attrgetter(name)(self.holder)  # type: ignore[no-any-return]

    def module_of(self, node: fx.Node) -> Module | None:
        """The module that a node calls."""
        return self.holder.get_submodule(str(node.target)) if node.op == "call_module" else None

    def _look(self, node: fx.Node) -> None:
        """Describe a node while modules are themselves, and not what writes the graph."""
        self._looking = True
        try:
            self._describe(node)
        finally:
            self._looking = False

    def _describe(self, node: fx.Node) -> None:
        """The value of a node, and how it is computed in tiles."""
        if node.op == "placeholder":
            with self.fakes:
                node.meta["value"] = torch.empty(self.shape, dtype=self.dtype, device=self.device)
            node.meta["varies"] = True
            return
        inputs = node.all_input_nodes
        node.meta["varies"] = any(n.meta["varies"] for n in inputs)
        if node.op == "get_attr":
            value = self.attribute(str(node.target))
            node.meta["value"] = self.fakes.from_tensor(value) if isinstance(value, Tensor) else value
            return
        module = self.module_of(node)
        asked = Asked(node, module, self.where(node), len(self.shape) - 2, self.two_passes)
        if node.meta["varies"]:
            # A rule refuses what would change the module as it runs, such as normalization in training mode, before
            # it asks for the size of the results, which is found by running the operation.
            asked.run = lambda: self._value(node, module)
            node.meta["rule"], node.meta["writes"] = _made(asked), writes(node, module)
            node.meta["value"] = asked.value
        else:
            node.meta["value"] = self._value(node, module)

    def where(self, node: fx.Node) -> str:
        """The module that an operation belongs to, by its name in the whole."""
        stack = [str(path) for path, _ in (node.meta.get("nn_module_stack") or {}).values()]
        path = str(node.target) if node.op == "call_module" else stack[-1] if stack else ""
        return path.removeprefix("whole").removeprefix(".")

    def _value(self, node: fx.Node, module: Module | None) -> Any:
        args, kwargs = fx.node.map_arg((node.args, node.kwargs), lambda n: n.meta["value"])
        with self.fakes:
            if module is not None:
                return module(*args, **kwargs)
            if node.op == "call_method":
                return getattr(args[0], str(node.target))(*args[1:], **kwargs)
            return node.target(*args, **kwargs)  # type: ignore[operator]


def _refines(module: Module) -> bool:
    """Whether a module changes at every call, as the two kinds of spectral normalization do."""
    kinds = [type(module), *map(type, module._forward_pre_hooks.values())]
    return any(kind.__name__.removeprefix("_") == "SpectralNorm" for kind in kinds)


def _made(asked: Asked) -> Rule:
    """The rule, where an array over a grid comes of arrays over grids, and weights of no array."""
    found = next((name for name in asked.names if name in MAKERS), None)
    if found is None:
        checks.wrong(f"{asked} is not known to be local; it may read the whole array")
    asked.settle(found)
    rule, rank = MAKERS[found](asked), asked.ndim + 2
    tensors = asked.value if isinstance(asked.value, tuple | list) else (asked.value,)
    if not all(isinstance(value, Tensor) and value.dim() == rank for value in tensors):
        checks.wrong(f"{asked} must give a tensor with {rank} axes, as x has")
    others = [] if rule.grids is None else [n for n in asked.node.all_input_nodes[rule.grids :] if n.meta["varies"]]
    if others:
        checks.wrong(f"{asked} must have weights that do not depend on x")
    return rule
