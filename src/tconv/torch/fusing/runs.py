"""What a run is: a convolution, then a normalization, then an activation, as modules one by one.

Modules that do nothing in evaluation, such as dropout, may stand between them, and modules may stand in sequences.

A run may be computed in one call where nobody could tell but by the time that it takes: classes are those of torch.nn
and no subclasses, which may compute something else, and no hook looks at what is between. All of that is asked of the
modules in every call, as it may change between any two of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import Module

from tconv.activations import ACTIVATIONS as DEFINITIONS
from tconv.activations import Activation
from tconv.finishing import Finishing
from tconv.torch.accelerated import FILTERED, LAYERS
from tconv.torch.engine import Operation
from tconv.torch.fusing import snakes
from tconv.torch.fusing.links import Add, Pair
from tconv.torch.plain import CLASSES

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
        finite = type(number) in (int, float) and -math.inf < number < math.inf  # a symbol of a graph, too
        return Follower(name, float(number)) if finite else None

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


def finishing_of(follower: Follower) -> Finishing:
    """What follows, for kernels: of a slope that is a tensor they are given the address."""
    name, number, slope = follower
    if slope is not None:
        value: Any = 0.0 if slope.numel() == 1 else slope.detach().double().numpy()
        return Finishing(Activation(name, **{DEFINITIONS[name].parameter: value}), None)
    parameter = DEFINITIONS[name].parameter
    return Finishing(Activation(name, **({parameter: number} if number is not None else {})), None)


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


#: Normalizations by statistics of what they are given, and the axes of size that they want; 0: any.
BY_STATISTICS: dict[type, int] = {
    nn.InstanceNorm1d: 1,
    nn.InstanceNorm2d: 2,
    nn.InstanceNorm3d: 3,
    nn.GroupNorm: 0,
}
#: What gives back what it is given, in evaluation, and the axes of size that it wants; 0: any.
NOTHING: dict[type, int] = {
    nn.Identity: 0,
    nn.Dropout: 0,
    nn.AlphaDropout: 0,
    nn.Dropout1d: 1,
    nn.Dropout2d: 2,
    nn.Dropout3d: 3,
}


#: Functions that do it when they are given a number, too.
WITH_NUMBER: dict[Any, Callable[[float], Module]] = {
    torch.nn.functional.leaky_relu: nn.LeakyReLU,
    torch.nn.functional.elu: nn.ELU,
}
#: Of each of these the modules that were made, by their numbers.
_made: dict[Any, dict[float, Module]] = {function: {} for function in WITH_NUMBER}
_MOST_MADE = 64


class Run(NamedTuple):
    """The modules of a run: a convolution, and a normalization, an addition or an activation at least."""

    conv: Any
    norm: Any = None  #: batch normalization, by what it has gathered
    statistics: Any = None  #: a normalization by statistics of what it is given
    residual: Any = None  #: the addition of a tensor
    activation: Any = None
    members: tuple[Any, ...] = ()  #: all of them, in their order
    span: int = 1  #: how many of the modules that are called: a sequence is one


def starting(modules: Sequence[Any], at: int) -> Run | None:
    """The longest run that begins with a module of those that are called in order, None where there is none."""
    conv = modules[at]
    if type(conv) not in CONVOLUTIONS or not _is_bare(conv):
        return None
    run, found = Run(conv, members=(conv,)), None
    for number, called in enumerate(modules[at + 1 :], 2):
        longer = _followed(run, parts(called))
        if longer is None:
            break
        run = longer._replace(span=number)
        if any(each is not None for each in run[1:5]):
            found = run
    return found


def follower_of(activation: Any, kind: type | None = None) -> tuple[bool, Follower | None]:
    """Whether it is known what a module of a class does, its own one or the one given; that, or None of no module."""
    if activation is None:
        return True, None
    make = ACTIVATIONS.get(kind or type(activation))
    if make is not None:
        follower = make(activation)
    elif snakes.is_snake(activation, kind):
        follower = Follower("snake", slope=activation._parameters["alpha"].view(-1))
    else:
        follower = None
    return follower is not None, follower


def residual_of(run: Run, y: tuple[tuple[int, ...], tuple[int, ...]], dtype: torch.dtype) -> tuple[bool, Tensor | None]:
    """Whether a kernel can add what a run adds to a result of a shape and strides; that, or None of nothing."""
    if run.residual is None:
        return True, None
    other = run.residual.other
    if type(other) not in CLASSES or other.dtype is not dtype or not other.is_cpu or other.layout is not torch.strided:
        return False, None
    if (other.shape, other.stride()) != y or other.is_neg() or not other.data_ptr():
        return False, None
    return not (torch.is_grad_enabled() and other.requires_grad), other


def groups_of(norm: Any, kind: type | None = None) -> int:
    """How many groups of channels have statistics of their own in a normalization of a class."""
    return int(norm.num_groups if (kind or type(norm)) is nn.GroupNorm else norm.num_features)


def gathers(norm: Any) -> bool:
    """Whether an instance normalization has statistics that are not those of what it is given."""
    return bool(getattr(norm, "track_running_stats", False)) or any(each is not None for each in norm._buffers.values())


def readable(tensors: Iterable[Tensor | None], dtype: torch.dtype) -> bool:
    """Whether all of them can be read where they lie, in one dtype."""
    return all(
        t is None or (type(t) in CLASSES and t.dtype is dtype and t.is_cpu and t.is_contiguous() and not t.is_neg())
        for t in tensors
    )


def _followed(run: Run, modules: Sequence[Any]) -> Run | None:
    """A run with more modules behind it, None where one of them cannot follow."""
    for module in modules:
        kind, ndim = type(module), CONVOLUTIONS[type(run.conv)][1]
        if kind in NOTHING and NOTHING[kind] in (0, ndim) and _is_bare(module):
            if kind is not nn.Identity and module.training:
                return None
            more: dict[str, Any] = {}
        elif run.activation is not None:
            return None
        elif kind is Add and run.residual is None:
            more = {"residual": module}
        elif (kind in ACTIVATIONS or _is_snake(module, ndim)) and _is_bare(module):
            more = {"activation": module}
        elif not any(run[1:4]) and _normalizes(module, ndim):
            more = {"norm" if kind in NORMALIZATIONS else "statistics": module}
        else:
            return None
        run = run._replace(members=(*run.members, module), **more)
    return run


def _is_snake(module: Any, ndim: int) -> bool:
    if torch.compiler.is_compiling():  # what finds out is nothing that a graph could be made of
        return False
    return snakes.is_snake(module) and (ndim == 1 or snakes.has_any_axes(module))


def parts(called: Any) -> list[Any]:
    """What is called one after the other: the modules of a sequence, or the module that does what a function does."""
    if not isinstance(called, Module):
        return [called if type(called) is Add else _function(called)]
    kind: Any = type(called)
    if kind.forward is not nn.Sequential.forward or kind.__call__ is not Module.__call__ or not _is_bare(called):
        return [called]
    return [part for module in called._modules.values() for part in parts(module)]


def _function(called: Any) -> Module | None:
    """The module that does what a function does."""
    if type(called) is Pair:
        made = _made.get(called.function) if isinstance(called.function, Hashable) else None
        number = called.argument
        if made is None or type(number) not in (int, float):
            return None
        if number not in made and not torch.compiler.is_compiling():  # a graph makes no modules
            if len(made) >= _MOST_MADE:
                made.clear()
            made[number] = WITH_NUMBER[called.function](number)
        return made.get(number)
    return FUNCTIONS.get(called) if callable(called) and isinstance(called, Hashable) else None


def _normalizes(module: Any, ndim: int) -> bool:
    """Whether a module is batch normalization by what it has gathered, or one by statistics of what it is given."""
    kind = type(module)
    if kind in NORMALIZATIONS:
        gathered = [module._buffers.get(name) is not None for name in ("running_mean", "running_var")]
        return NORMALIZATIONS[kind] == ndim and not module.training and all(gathered) and _is_bare(module)
    if kind not in BY_STATISTICS or BY_STATISTICS[kind] not in (0, ndim) or not _is_bare(module):
        return False
    return not gathers(module)


def _is_bare(module: Any) -> bool:
    """Whether calling a module is calling the forward method of its class, and nothing else."""
    state = module.__dict__
    return not (
        state["_forward_hooks"]
        or state["_forward_pre_hooks"]
        or state["_backward_hooks"]
        or state["_backward_pre_hooks"]
        or "forward" in state
        or "_conv_forward" in state
        or state.get("_compiled_call_impl") is not None
    )


#: Hooks of all modules there are.
hooked_everywhere: Callable[[], bool] = torch.nn.modules.module._has_any_global_hook
