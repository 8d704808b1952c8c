"""Which modules are Snake, no class of torch.nn, so found by name and by what they compute.

    DAC, its descendants:    x + (alpha + 1e-9).reciprocal() * sin(alpha * x).pow(2)
    BigVGAN, Qwen2.5-Omni:   x + (1.0 / (exp(beta) + 1e-9)) * pow(sin(x * exp(alpha)), 2)   (SnakeBeta; exp or not)

A class with "Snake" in its name, whose modules have nothing but an `alpha` for each channel that its forward method
could read, or an `alpha`, a `beta` and plain numbers, is called once on numbers of our own, with alphas and betas of
our own, and where there are two on large ones, with betas of which some are so small that the term which keeps it from
dividing by zero is seen. Of one parameter that term is beyond the digits of float32.
"""

from __future__ import annotations

import copy
from collections.abc import Hashable, Mapping
from types import FunctionType
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor
from torch.nn import Module, Parameter

from tconv.activations import ACTIVATIONS
from tconv.torch.plain import overheard

#: What every module has.
_ATTRIBUTES = vars(Module()).keys()
#: Of either sign, and of several sizes.
_ALPHAS = (0.03, 0.4, 1.0, -1.6, 5.0, -0.2)
#: And such of which exp is no larger.
_LOGARITHMS, _BETAS = (0.03, 0.4, 0.9, -1.6, 0.7, -0.2), (0.5, -0.7, 0.3, 0.8, -0.4, 1.1)
#: Those of another call, in which x is as many times as large, and alpha as small: near the term below, and far.
_FAR = 50
_FAR_BETAS, _FAR_LOGARITHMS = (1e-9, 0.0, -3e-8, 1e-5, 60.0, 1e4), (-20.0, -40.0, -17.0, -5.0, 4.0, 9.0)
#: At the largest value, and at the largest that is added in a channel, where sines of float32 differ.
_LIMIT, _LIMIT_ADDED = 1e-6, 1e-4
#: What keeps a beta from being 0.
_LEAST = 1e-9
_NUMBERS = (bool, int, float)
#: Of a class so much is remembered.
_MOST_KNOWN = 64
#: By class, and by its forward method and the plain numbers that its modules have.
_known: WeakKeyDictionary[type, dict[Hashable, str]] = WeakKeyDictionary()


def is_snake(module: Any, kind: Any = None) -> bool:
    """Whether a module computes Snake in float32, by the forward method of its class, or of the one that is given.

    That is of axes (N, C, cells), and of any behind (N, C) where `has_any_axes`.
    """
    return _form(module, type(module) if kind is None else kind) in ("snake", "cells")


def has_any_axes(module: Any, kind: Any = None) -> bool:
    """Whether a module that computes Snake has the second axis for that of channels, however many there are."""
    return _form(module, type(module) if kind is None else kind) == "snake"


def is_snake_beta(module: Any, kind: Any = None) -> bool:
    """Whether a module computes Snake with two parameters in float32, of axes (N, C, cells)."""
    return _form(module, type(module) if kind is None else kind) in ("betas", "logarithms")


def operands(module: Any) -> tuple[Tensor, Tensor]:
    """What a module of two parameters has for each channel, as tensors that are flat."""
    return module._parameters["alpha"].view(-1), module._parameters["beta"].view(-1)


def factors(module: Any, kind: Any) -> tuple[Tensor, Tensor]:
    """Of each channel what x is multiplied by in the sine, and its square by."""
    alpha, beta = operands(module)
    if _form(module, kind) == "logarithms":
        alpha, beta = alpha.exp(), beta.exp()
    return alpha, (beta + _LEAST).reciprocal()


def _form(module: Any, kind: Any) -> str:
    """What a module computes, in a word; "" of something else."""
    if "Snake" not in kind.__name__ or not isinstance(module, Module) or not isinstance(kind.forward, FunctionType):
        return ""
    more = {name: value for name, value in vars(module).items() if name not in _ATTRIBUTES}
    if any(type(value) not in _NUMBERS for value in more.values()):
        return ""
    # Names that begin so are such as what a library marks modules with, though what a method calls may read them.
    names = kind.forward.__code__.co_names
    numbers = {name: value for name, value in more.items() if not name.startswith("_") or name in names}
    parameters: dict[str, Any] = module._parameters
    if module._buffers or module._modules or module.training or not all(map(_is_one, parameters.values())):
        return ""
    if len({each.numel() for each in parameters.values()}) != 1:
        return ""
    two = parameters.keys() == {"alpha", "beta"}
    if not two and (parameters.keys() != {"alpha"} or numbers or parameters["alpha"].dim() != 3):
        return ""
    dims = tuple(each.dim() for each in parameters.values())
    key = kind.forward.__code__, tuple(parameters), dims, *sorted(more.items())
    known = _known.setdefault(kind, {})
    if key not in known:
        if overheard():  # by who is not to hear of this
            return ""
        if len(known) >= _MOST_KNOWN:  # of a number that changes
            known.clear()
        known[key] = _computed_by(module, kind, two)
    return known[key]


def _is_one(parameter: Any) -> bool:
    """Whether a parameter may be one for each channel."""
    if parameter is None or parameter.dtype is not torch.float32:
        return False
    shape = parameter.shape
    return len(shape) == 1 or (len(shape) == 3 and shape == (1, shape[1], 1))


def _computed_by(module: Module, kind: Any, two: bool) -> str:
    """The word for what a class computes."""
    if kind.__call__ is not Module.__call__:
        return ""
    x, alphas = _x(), np.array(_ALPHAS)
    if not two:
        given, flat = {"alpha": alphas}, _snake(x, alphas)
        if not _is_near(_probed(module, kind, x, given), x, flat):
            return ""
        return (
            "snake" if _is_near(_probed(module, kind, x[..., None], given), x[..., None], flat[..., None]) else "cells"
        )
    alphas, betas = np.array(_LOGARITHMS), np.array(_BETAS)
    found = _probed(module, kind, x, {"alpha": alphas, "beta": betas})
    if _is_near(found, x, _with_beta(x, alphas, betas)):
        word, given = "betas", {"alpha": alphas / _FAR, "beta": np.array(_FAR_BETAS)}
        y = _with_beta(x * _FAR, *given.values())
    elif _is_near(found, x, _with_beta(x, np.exp(alphas), np.exp(betas))):
        word, given = "logarithms", {"alpha": alphas - np.log(_FAR), "beta": np.array(_FAR_LOGARITHMS)}
        y = _with_beta(x * _FAR, *map(np.exp, given.values()))
    else:
        return ""
    return word if _is_near(_probed(module, kind, x * _FAR, given), x * _FAR, y, _LIMIT_ADDED) else ""


def _is_near(found: Tensor | None, x: Tensor, y: Any, added: float = 0.0) -> bool:
    """Whether a result is what it should be, by the largest value, and by the largest that is added in a channel."""
    if found is None:
        return False
    limit = _LIMIT * x.abs().max().item() + added * np.abs(y - x.numpy()).max((0, 2), keepdims=True)
    return bool((np.abs(found.numpy() - y) <= limit).all())


def _snake(x: Tensor, alpha: Any) -> Any:
    return ACTIVATIONS["snake"].function(x.double().numpy(), alpha[:, None])


def _with_beta(x: Tensor, alpha: Any, beta: Any) -> Any:
    wide = x.double().numpy()
    return wide + np.sin(alpha[:, None] * wide) ** 2 / (beta[:, None] + _LEAST)


def _x() -> Tensor:
    return torch.linspace(-20, 20, 2 * len(_ALPHAS) * 35).view(2, len(_ALPHAS), 35)


def _probed(module: Module, kind: Any, x: Tensor, given: Mapping[str, Any]) -> Tensor | None:
    """What comes of numbers of our own, with parameters of our own; None where that is no such tensor.

    None, too, of a module that is not the same afterwards: it has more to do than to compute.
    """
    before = x.clone()
    probe = copy.copy(module)
    probe.__class__ = kind
    own = {name: Parameter(_like(module._parameters[name], value), False) for name, value in given.items()}
    probe.__dict__["_parameters"] = own
    state = dict(vars(probe))
    try:
        with torch.no_grad():
            found = kind.forward(probe, x)
    except Exception:  # of any class: it is something else
        return None
    if type(found) is not Tensor or found.shape != x.shape or found.dtype is not x.dtype or not torch.equal(x, before):
        return None
    now = vars(probe)
    return found if now.keys() == state.keys() and all(now[name] is state[name] for name in now) else None


def _like(parameter: Any, value: Any) -> Tensor:
    """A parameter with other values, on as many axes."""
    tensor = torch.tensor(value, dtype=torch.float32)
    return tensor if parameter.dim() == 1 else tensor[None, :, None]
