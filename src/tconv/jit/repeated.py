"""Calls on arrays of shapes that were seen before, with the same arguments: found by one look, without other checks.

What `tconv.ops` finds out about a call depends on what is in the key here, and on what `Call.serves` asks. So a call
that is found gives what all the checks would have led to; whatever is unusual is not found.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tconv import checks
from tconv.jit.address import address
from tconv.problem import Array

if TYPE_CHECKING:
    from tconv.jit.engine import Engine
    from tconv.plan import Plan

#: How many are kept.
MOST = 1024
_known: dict[tuple[Any, ...], Call] = {}


def call(
    operation: str, first: Any, w: Any, bias: Any, window: tuple[Any, ...], layout: Any, method: Any
) -> Array | None:
    """The result of an operation in a new array, or None: the call is to be made the long way."""
    key = _key(operation, first, w, window, layout, method)
    known = None if key is None else _known.get(key)
    try:
        return known.run(first, w, bias) if known is not None and known.serves(first, w, bias) else None
    except checks.Rejected:  # a variable of the environment is wrong, which the long way explains
        return None


def remember(plan: Plan, first: Any, w: Any, window: tuple[Any, ...], layout: Any, method: Any) -> None:
    """Keep what the engine needs for a call that it has computed."""
    problem = plan.problem
    key = _key(problem.operation, first, w, window, layout, method)
    if key is None or problem.batch == 0 or plan.dtype != problem.dtype:
        return
    known = _known.get(key)
    if known is not None and known.state == known.current():  # arrays with strides, or with `out`, were not for it
        return
    if len(_known) >= MOST:
        _known.clear()
    _known[key] = Call(plan)


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


class Call:
    """What a call needs, and what it took for granted."""

    __slots__ = ("bias", "current", "dtype", "empty", "engine", "shape", "state")

    def __init__(self, plan: Plan) -> None:
        from tconv.jit import engine

        problem = plan.problem
        self.current: Callable[[], tuple[Any, ...]] = engine.state
        self.state = engine.state()  # of before: an engine made while something is set anew may be of the past
        last = plan.layout == "channels_last" and engine.layouts_differ(problem)
        self.engine: Engine = engine.ready(problem, last, once=True)
        self.shape, self.dtype = plan.result_shape, np.dtype(plan.dtype)
        self.bias = (problem.out_channels if problem.operation == "conv_transpose" else problem.in_channels,)
        self.empty = engine.empty

    def serves(self, first: Array, w: Array, bias: Any) -> bool:
        """Whether arrays of these shapes can be read as they are, and nothing has been set anew."""
        dtype = self.dtype
        return (
            first.dtype is dtype
            and w.dtype is dtype
            and first.flags.c_contiguous
            and w.flags.c_contiguous
            and (bias is None or self._reads(bias))
            and self.current() == self.state
        )

    def run(self, first: Array, w: Array, bias: Array | None) -> Array | None:
        """The result, or None where a weight is not finite."""
        y = self.empty(self.shape, self.dtype)
        finite = self.engine.once_at(address(first), address(w), 0 if bias is None else address(bias), address(y))
        return y if finite else None

    def _reads(self, bias: Any) -> bool:
        return (
            type(bias) is np.ndarray
            and bias.dtype is self.dtype
            and bias.shape == self.bias
            and bias.flags.c_contiguous
        )
