"""What a run is: a convolution, then batch normalization in evaluation, then an activation, as modules one by one.

A run may be computed in one call where nobody could tell but by the time that it takes: classes are those of torch.nn
and no subclasses, which may compute something else, and no hook looks at what is between. All of that is asked of the
modules in every call, as it may change between any two of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import Module

from tconv.torch.accelerated import FILTERED, LAYERS
from tconv.torch.engine import Operation

#: Layers that a run may begin with, accelerated or not, their operation and axes of size.
CONVOLUTIONS: dict[type, tuple[Operation, int]] = {
    kind: ("conv_transpose" if "Transpose" in theirs.__name__ else "conv", int(theirs.__name__[-2]))
    for theirs, ours in LAYERS.items()
    for kind in (theirs, ours, FILTERED[theirs])
}
#: Normalizations, and the axes of size that they want: none, or one, are both allowed in one dimension.
NORMALIZATIONS: dict[type, int] = {nn.BatchNorm1d: 1, nn.BatchNorm2d: 2, nn.BatchNorm3d: 3}


class Follower(NamedTuple):
    """An activation in the words of `tconv.activations`."""

    name: str
    number: float | None = None  #: its parameter, if that is a number
    slope: Tensor | None = None  #: its parameter, if that is a tensor


def _with_number(name: str, attribute: str) -> Callable[[Any], Follower | None]:
    def follower(module: Any) -> Follower | None:
        number = getattr(module, attribute)
        return Follower(name, float(number)) if type(number) in (int, float) and math.isfinite(number) else None

    return follower


#: What a module of a class does, None where an attribute says that it is something else.
ACTIVATIONS: dict[type, Callable[[Any], Follower | None]] = {
    nn.ReLU: lambda _: Follower("relu"),
    nn.LeakyReLU: _with_number("leaky_relu", "negative_slope"),
    nn.PReLU: lambda module: Follower("prelu", slope=module.weight),
    nn.ELU: _with_number("elu", "alpha"),
    nn.SiLU: lambda _: Follower("silu"),
    nn.GELU: lambda module: Follower("gelu_tanh") if module.approximate == "tanh" else None,
    nn.Tanh: lambda _: Follower("tanh"),
    nn.Sigmoid: lambda _: Follower("sigmoid"),
}


#: Functions that do what a module does, when they are given nothing but a tensor.
FUNCTIONS: dict[Any, Module] = {
    torch.nn.functional.relu: nn.ReLU(),
    torch.relu: nn.ReLU(),
    torch.nn.functional.silu: nn.SiLU(),
    torch.nn.functional.leaky_relu: nn.LeakyReLU(),
    torch.nn.functional.elu: nn.ELU(),
    torch.tanh: nn.Tanh(),
    torch.sigmoid: nn.Sigmoid(),
}


class Run(NamedTuple):
    """The modules of a run; one of the last two at least."""

    conv: Any
    norm: Any
    activation: Any

    @property
    def members(self) -> list[Module]:
        """All of them, in their order."""
        return [module for module in self if module is not None]


def starting(modules: Sequence[Any], at: int) -> Run | None:
    """The longest run that begins with a module of those that are called in order, None where there is none."""
    conv = modules[at]
    if type(conv) not in CONVOLUTIONS or not _is_bare(conv):
        return None
    following = modules[at + 1 : at + 3]
    norm = following[0] if following and _normalizes(following[0]) else None
    rest = following[1:] if norm is not None else following[:1]
    last = None if not rest else rest[0] if isinstance(rest[0], Module) else _function(rest[0])
    activation = last if type(last) in ACTIVATIONS and _is_bare(last) else None
    return None if norm is None and activation is None else Run(conv, norm, activation)


def _function(called: Any) -> Module | None:
    """The module that does what a function does."""
    return FUNCTIONS.get(called) if callable(called) and isinstance(called, Hashable) else None


def _normalizes(module: Any) -> bool:
    """Whether a module is batch normalization by what it has gathered."""
    return (
        type(module) in NORMALIZATIONS
        and not module.training
        and module._buffers.get("running_mean") is not None
        and module._buffers.get("running_var") is not None
        and _is_bare(module)
    )


def _is_bare(module: Any) -> bool:
    """Whether calling a module is calling the forward method of its class, and nothing else."""
    state = module.__dict__
    return not (
        state["_forward_hooks"]
        or state["_forward_pre_hooks"]
        or state["_backward_hooks"]
        or state["_backward_pre_hooks"]
        or "forward" in state
        or state.get("_compiled_call_impl") is not None
    )


#: Hooks of all modules there are.
hooked_everywhere: Callable[[], bool] = torch.nn.modules.module._has_any_global_hook
