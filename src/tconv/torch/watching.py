"""The convolutions of a model, found while it runs, each with the module whose forward method calls it.

Other modules can be asked for: what they are given is seen with the first operation of their forward method.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.functional import pad
from torch.overrides import TorchFunctionMode

from tconv.torch.accelerated import OPERATION, Operations
from tconv.torch.engine import Operation
from tconv.torch.undone import modules

_FUNCTIONS: dict[Operation, Sequence[Callable[..., Tensor]]] = {
    "conv_transpose": (torch.conv_transpose1d, torch.conv_transpose2d, torch.conv_transpose3d),
    "conv": (torch.conv1d, torch.conv2d, torch.conv3d),
}
_TENSORS = ("input", "weight", "bias")
_NAMES: dict[Operation, Sequence[str]] = {
    "conv_transpose": (*_TENSORS, "stride", "padding", "output_padding", "groups", "dilation"),
    "conv": (*_TENSORS, "stride", "padding", "dilation", "groups"),
}
_DEFAULTS = {"bias": None, "stride": 1, "padding": 0, "output_padding": 0, "groups": 1, "dilation": 1}


class WatchedCall(NamedTuple):
    """One call of `torch.conv_transpose1d` to `3d` or `conv1d` to `3d`, and what came of it."""

    operation: Operation
    function: Callable[..., Tensor]
    x: Tensor
    w: Tensor
    bias: Tensor | None
    window: Mapping[str, Any]  #: the other arguments
    result: Tensor
    caller: Module | None = None  #: whose forward method called the module that calls

    def by(self, function: Callable[..., Tensor], x: Tensor, w: Tensor, bias: Tensor | None) -> Tensor:
        """The same call of another function, on other tensors."""
        return function(x, w, bias, **self.window)


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is asked about every call, and how many operations each module's forward method had, those inside too."""

    found: Callable[[Module, WatchedCall], None]
    operations: Counter[Module]
    wanted: Operations  #: what is looked for
    others: frozenset[Module] = frozenset()  #: modules that are asked for by themselves
    called: Callable[[Module, Any], None] = lambda module, args: None  #: who is asked, with their arguments
    padded: Callable[..., None] = lambda module, *args, **kwargs: None  #: who is asked about calls of `F.pad`


def run(model: Module, args: Sequence[Any], kwargs: Mapping[str, Any], watch: Watch) -> Any:
    """Run the model once, and report its convolutions as they come; returns its result."""
    running: list[Module] = []
    begun: dict[Module, Any] = {}

    def begins(module: Module, args: Any) -> None:
        running.append(module)
        if module in watch.others:
            begun[module] = args

    def ends(module: Module, args: Any, result: Any) -> None:
        while running.pop() is not module:  # one that raised did not end
            pass

    handles = []
    try:
        for module in modules(model):
            # The first before and the last after, so that whatever other hooks compute belongs to the module.
            handles.append(module.register_forward_pre_hook(begins, prepend=True))
            handles.append(module.register_forward_hook(ends))
        with eagerly(), _Watching(running, begun, watch):
            return model(*args, **kwargs)
    finally:
        for handle in handles:
            handle.remove()


def eagerly() -> AbstractContextManager[Any]:
    """What is compiled cannot be watched. Where nothing was, the compiler is not worth loading."""
    return torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else nullcontext()


class _Watching(TorchFunctionMode):
    def __init__(self, running: list[Module], begun: dict[Module, Any], watch: Watch) -> None:
        self.running, self.begun, self.watch = running, begun, watch

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        # Here no operation is watched, and nothing has been written yet.
        if self.running and self.running[-1] in self.begun:
            self.watch.called(self.running[-1], self.begun.pop(self.running[-1]))
        result = func(*args, **(kwargs or {}))
        self.watch.operations.update(set(self.running))
        if func is pad and self.running:
            self.watch.padded(self.running[-1], *args, **(kwargs or {}))
        operation = OPERATION.get(func)
        if operation in self.watch.wanted and self.running:
            names = _NAMES[operation]
            given = (
                {name: _DEFAULTS[name] for name in names[2:]} | dict(zip(names, args, strict=False)) | (kwargs or {})
            )
            x, w, bias = (given.pop(name) for name in _TENSORS)
            function = _FUNCTIONS[operation][w.dim() - 3]
            caller = self.running[-2] if len(self.running) > 1 else None
            self.watch.found(self.running[-1], WatchedCall(operation, function, x, w, bias, given, result, caller))
        return result
