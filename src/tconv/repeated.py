"""Calls on arrays of shapes that were seen before, with the same arguments: found by one look, without other checks.

What `tconv.ops` finds out about a call depends on what is in the key here, and on what `call.Once.serves` asks. So a
call that is found gives what all the checks would have led to; whatever is unusual is not found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tconv.activations import Activation
from tconv.finishing import Finishing
from tconv.forks import uninterrupted
from tconv.problem import Array

if TYPE_CHECKING:
    from tconv.jit.call import Once
    from tconv.plan import Plan

#: How many are kept.
MOST = 1024
_known: dict[tuple[Any, ...], Once] = {}


def call(
    operation: str, first: Any, w: Any, bias: Any, window: tuple[Any, ...], layout: Any, method: Any,
    activation: Any = None, residual: Any = None,
) -> Array | None:  # fmt: skip
    """The result of an operation in a new array, or None: the call is to be made the long way."""
    key = _key(operation, first, w, window, layout, method, activation, residual)
    known = None if key is None else _known.get(key)
    if known is None or not known.serves(first, w, bias, residual):
        return None
    return known.run(first, w, bias, residual)


def remember(
    plan: Plan, first: Any, w: Any, window: tuple[Any, ...], layout: Any, method: Any,
    activation: Any = None, finishing: Finishing | None = None,
) -> None:  # fmt: skip
    """Keep what the engine needs for a call that its kernels have computed (`Plan.is_for_kernels`).

    `activation` is what was given, from which `finishing` was made.
    """
    problem, residual = plan.problem, None if finishing is None else finishing.residual
    key = _key(problem.operation, first, w, window, layout, method, activation, residual)
    if key is None:
        return
    known = _known.get(key)
    if known is not None and known.is_current():  # arrays with strides, or with `out`, were not for it
        return
    with uninterrupted:
        from tconv.jit.call import Once

    if len(_known) >= MOST:
        _known.clear()
    last, filtered = plan.layout == "channels_last", plan.is_filtered
    _known[key] = Once(problem, last, plan.result_shape, plan.dtype, finishing, filtered)


def _key(
    operation: str, first: Any, w: Any, window: tuple[Any, ...], layout: Any, method: Any,
    activation: Any, residual: Any,
) -> Any:  # fmt: skip
    """What a call depends on, or None where equal keys may stand for different calls: 2.0 and True equal 2 and 1.

    An activation never changes, and equals itself only.
    """
    if not (type(first) is np.ndarray and type(w) is np.ndarray and type(layout) is str and type(method) is str):
        return None
    for value in window:
        if type(value) is not int and value is not None and not _exact(value):
            return None
    if activation is None and residual is None:
        return operation, first.shape, w.shape, first.dtype.char, window, layout, method
    if not (activation is None or type(activation) in (str, Activation)):
        return None
    adds = residual is not None
    return operation, first.shape, w.shape, first.dtype.char, window, layout, method, activation, adds


def _exact(value: Any) -> bool:
    return type(value) is str or (type(value) is tuple and all(type(part) is int or _exact(part) for part in value))
