"""Calls on arrays of shapes that were seen before, with the same arguments: found by one look, without other checks.

What `tconv.ops` finds out about a call depends on what is in the key here, and on what `call.Once.serves` asks. So a
call that is found gives what all the checks would have led to; whatever is unusual is not found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tconv.forks import uninterrupted
from tconv.problem import Array

if TYPE_CHECKING:
    from tconv.jit.call import Once
    from tconv.plan import Plan

#: How many are kept.
MOST = 1024
_known: dict[tuple[Any, ...], Once] = {}


def call(
    operation: str, first: Any, w: Any, bias: Any, window: tuple[Any, ...], layout: Any, method: Any
) -> Array | None:
    """The result of an operation in a new array, or None: the call is to be made the long way."""
    key = _key(operation, first, w, window, layout, method)
    known = None if key is None else _known.get(key)
    return known.run(first, w, bias) if known is not None and known.serves(first, w, bias) else None


def remember(plan: Plan, first: Any, w: Any, window: tuple[Any, ...], layout: Any, method: Any) -> None:
    """Keep what the engine needs for a call that its kernels have computed (`Plan.is_for_kernels`)."""
    problem = plan.problem
    key = _key(problem.operation, first, w, window, layout, method)
    if key is None:
        return
    known = _known.get(key)
    if known is not None and known.is_current():  # arrays with strides, or with `out`, were not for it
        return
    with uninterrupted:
        from tconv.jit.call import Once

    if len(_known) >= MOST:
        _known.clear()
    _known[key] = Once(problem, plan.layout == "channels_last", plan.result_shape, plan.dtype)


def _key(operation: str, first: Any, w: Any, window: tuple[Any, ...], layout: Any, method: Any) -> Any:
    """What a call depends on, or None where equal keys may stand for different calls: 2.0 and True equal 2 and 1."""
    if not (type(first) is np.ndarray and type(w) is np.ndarray and type(layout) is str and type(method) is str):
        return None
    for value in window:
        if type(value) is not int and value is not None and not _exact(value):
            return None
    return operation, first.shape, w.shape, first.dtype.char, window, layout, method


def _exact(value: Any) -> bool:
    return type(value) is str or (type(value) is tuple and all(type(part) is int or _exact(part) for part in value))
