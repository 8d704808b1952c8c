"""Which modules are Snake, x + sin(alpha x)^2 / alpha: no class of torch.nn, so found by name and what they compute.

    DAC, its descendants: x + (alpha + 1e-9).reciprocal() * sin(alpha * x).pow(2)

A class with "Snake" in its name, whose modules have nothing but an `alpha` for each channel that its forward method
could read, is called once on numbers of our own, with alphas of our own. The term that keeps it from dividing by zero
is beyond the digits of float32.
"""

from __future__ import annotations

import copy
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
#: At the largest value, which is 20.
_LIMIT = 1e-6
_known: WeakKeyDictionary[type, bool] = WeakKeyDictionary()


def is_snake(module: Any, kind: Any = None) -> bool:
    """Whether a module computes Snake in float32, by the forward method of its class, or of the one that is given."""
    kind = type(module) if kind is None else kind
    if "Snake" not in kind.__name__ or not isinstance(module, Module):
        return False
    # Such as what a library marks them with.
    more = vars(module).keys() - _ATTRIBUTES
    if any(not name.startswith("_") or name in _names(kind) for name in more):
        return False
    alpha = module._parameters.get("alpha")
    if alpha is None or len(module._parameters) > 1 or module._buffers or module._modules or module.training:
        return False
    if alpha.dtype is not torch.float32 or alpha.dim() != 3 or alpha.shape != (1, alpha.shape[1], 1):
        return False
    known = _known.get(kind)
    if known is None:
        if overheard():  # by who is not to hear of this
            return False
        known = _known[kind] = _computes_it(module, kind)
    return known


def _names(kind: Any) -> tuple[str, ...]:
    """The names in the forward method of a class."""
    return kind.forward.__code__.co_names if isinstance(kind.forward, FunctionType) else ()


def _computes_it(module: Module, kind: Any) -> bool:
    if kind.__call__ is not Module.__call__ or not isinstance(kind.forward, FunctionType):
        return False
    alpha = torch.tensor(_ALPHAS)[None, :, None]
    x = torch.linspace(-20, 20, 2 * len(_ALPHAS) * 35).view(2, len(_ALPHAS), 35)
    before = x.clone()
    probe = copy.copy(module)
    probe.__class__ = kind
    probe.__dict__["_parameters"] = {"alpha": Parameter(alpha, requires_grad=False)}
    try:
        with torch.no_grad():
            found = kind.forward(probe, x)
    except Exception:  # of any class: it is something else
        return False
    if type(found) is not Tensor or found.shape != x.shape or found.dtype is not x.dtype or not torch.equal(x, before):
        return False
    expected = ACTIVATIONS["snake"].function(x.numpy().astype(np.float64), alpha.numpy().astype(np.float64))
    return bool(np.abs(found.numpy() - expected).max() <= _LIMIT * np.abs(expected).max())
