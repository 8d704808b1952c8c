"""Calls of the engine prepared for arrays of one shape, and when they are to be prepared anew.

`tconv.ConvTranspose` and `Conv` keep such calls with their weights packed (`Packed`), the functions those that may be
made again (`Once`, found by `repeated.py`), and `tconv.torch` has its own for tensors (`torch/engine.py`). One rule
says of all of them whether they are to be used: `PreparedCall.is_current`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from tconv.finishing import Epilogue, Finishing
from tconv.jit import engine
from tconv.jit.engine import NO_ADDRESSES, Addresses, Engine
from tconv.jit.machine.address import address
from tconv.problem import Array, Problem


class PreparedCall:
    """What is kept of a call for the next one, and what was set when it was prepared."""

    __slots__ = ("state",)
    #: What is set now. It is asked before an engine is made, so that what is set meanwhile is not missed.
    current: Callable[[], Any] = staticmethod(engine.state)

    def __init__(self) -> None:
        self.state = self.current()

    def is_current(self) -> bool:
        """Whether threads, instructions and the choices of `tconv.tune` are what they were."""
        return self.state == self.current()  # type: ignore[no-any-return]


class _OnArrays(PreparedCall):
    """A call on contiguous arrays: its engine, and the shape and dtype of its result."""

    __slots__ = ("dtype", "empty", "engine", "shape")

    def __init__(
        self, problem: Problem, channels_last: bool, shape: tuple[int, ...], dtype: str, once: bool,
        epilogue: Epilogue | None, filtered: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        self.engine = engine.ready(problem, channels_last, once=once, epilogue=epilogue, filtered=filtered)
        self.shape, self.dtype = shape, np.dtype(dtype)
        self.empty = engine.empty if prod(self.shape) >= engine.ALIGN_FROM else np.empty

    def reads(self, a: Array) -> bool:
        """Whether kernels can read an array of the right shape as it is."""
        return a.dtype == self.dtype and a.flags.c_contiguous

    def adds(self, residual: Any) -> bool:
        """Whether a residual can be read as it is."""
        return type(residual) is np.ndarray and residual.shape == self.shape and self.reads(residual)


class Once(_OnArrays):
    """A call with weights, a bias and a residual of its own."""

    __slots__ = ("bias", "parameters")

    def __init__(
        self, problem: Problem, channels_last: bool, shape: tuple[int, ...], dtype: str,
        finishing: Finishing | None = None, filtered: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(problem, channels_last, shape, dtype, True, finishing and finishing.epilogue, filtered)
        self.parameters = None if finishing is None else finishing.parameters(self.dtype)
        self.bias = (problem.out_channels if problem.operation == "conv_transpose" else problem.in_channels,)

    def serves(self, first: Array, w: Array, bias: Any, residual: Any = None) -> bool:
        """Whether arrays of its shapes, and others, can be read as they are, and nothing has been set anew."""
        return (
            (residual is None or self.adds(residual))
            and self.reads(first)
            and self.reads(w)
            and (bias is None or (type(bias) is np.ndarray and bias.shape == self.bias and self.reads(bias)))
            and self.is_current()
        )

    def run(self, first: Array, w: Array, bias: Array | None, residual: Array | None = None) -> Array | None:
        """The result, or None where it is to be computed in another way: a weight, say, is not finite."""
        y, given = self.empty(self.shape, self.dtype), NO_ADDRESSES
        if self.parameters is not None:
            given = Addresses(0 if residual is None else address(residual), address(self.parameters))
        bias_at = 0 if bias is None else address(bias)
        return y if self.engine.once_at(address(first), address(w), bias_at, address(y), given) else None


class Packed(_OnArrays):
    """A call with weights that are packed already, by a function that brings them into the order of an engine."""

    __slots__ = ("finite", "packed", "parameters", "parameters_at", "run", "weights")

    def __init__(
        self, problem: Problem, channels_last: bool, shape: tuple[int, ...], dtype: str,
        pack: Callable[[Engine], tuple[Array, bool]], finishing: Finishing | None = None, filtered: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(problem, channels_last, shape, dtype, False, finishing and finishing.epilogue, filtered)
        self.parameters = np.zeros(1) if finishing is None else finishing.parameters(self.dtype)
        self.parameters_at = address(self.parameters)
        self.packed, self.finite = pack(self.engine)
        self.weights, self.run = address(self.packed), self.engine.run

    def serves(self, x: Array) -> bool:
        """Whether x, of its shape, can be read as it is, and nothing has been set anew."""
        return x.dtype == self.dtype and x.flags.c_contiguous and self.is_current()

    def finish(self, x: Array, y: Array, residual: Array | None) -> bool:
        """Compute y, with an epilogue, from x and a residual that can be read as they are; returns what `run` does."""
        given = Addresses(0 if residual is None else address(residual), self.parameters_at)
        return self.run(address(x), self.weights, address(y), given)

    def writes(self, out: Any, x: Array, residual: Any = None) -> bool:
        """Whether kernels may write into an array while others are read. Those of operators are shared with nobody."""
        return (
            type(out) is np.ndarray
            and out.shape == self.shape
            and out.dtype == self.dtype
            and out.flags.carray
            and not np.may_share_memory(out, x)
            and not (type(residual) is np.ndarray and np.may_share_memory(out, residual))
        )
