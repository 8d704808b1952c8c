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

from tconv.jit import engine
from tconv.jit.engine import Engine
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

    def __init__(self, problem: Problem, channels_last: bool, shape: tuple[int, ...], dtype: str, once: bool) -> None:
        super().__init__()
        self.engine = engine.ready(problem, channels_last, once=once)
        self.shape, self.dtype = shape, np.dtype(dtype)
        self.empty = engine.empty if prod(self.shape) >= engine.ALIGN_FROM else np.empty

    def reads(self, a: Array) -> bool:
        """Whether kernels can read an array of the right shape as it is."""
        return a.dtype == self.dtype and a.flags.c_contiguous


class Once(_OnArrays):
    """A call with weights and a bias of its own."""

    __slots__ = ("bias",)

    def __init__(self, problem: Problem, channels_last: bool, shape: tuple[int, ...], dtype: str) -> None:
        super().__init__(problem, channels_last, shape, dtype, once=True)
        self.bias = (problem.out_channels if problem.operation == "conv_transpose" else problem.in_channels,)

    def serves(self, first: Array, w: Array, bias: Any) -> bool:
        """Whether arrays of its shapes, and a bias, can be read as they are, and nothing has been set anew."""
        return (
            self.reads(first)
            and self.reads(w)
            and (bias is None or (type(bias) is np.ndarray and bias.shape == self.bias and self.reads(bias)))
            and self.is_current()
        )

    def run(self, first: Array, w: Array, bias: Array | None) -> Array | None:
        """The result, or None where a weight is not finite."""
        y = self.empty(self.shape, self.dtype)
        finite = self.engine.once_at(address(first), address(w), 0 if bias is None else address(bias), address(y))
        return y if finite else None


class Packed(_OnArrays):
    """A call with weights that are packed already, by a function that brings them into the order of an engine."""

    __slots__ = ("finite", "packed", "run", "weights")

    def __init__(
        self, problem: Problem, channels_last: bool, shape: tuple[int, ...], dtype: str,
        pack: Callable[[Engine], tuple[Array, bool]],
    ) -> None:  # fmt: skip
        super().__init__(problem, channels_last, shape, dtype, once=False)
        self.packed, self.finite = pack(self.engine)
        self.weights, self.run = address(self.packed), self.engine.run

    def serves(self, x: Array) -> bool:
        """Whether x, of its shape, can be read as it is, and nothing has been set anew."""
        return x.dtype == self.dtype and x.flags.c_contiguous and self.is_current()

    def writes(self, out: Any, x: Array) -> bool:
        """Whether kernels may write into an array while they read x. Operators share memory with nobody's array."""
        return (
            type(out) is np.ndarray
            and out.shape == self.shape
            and out.dtype == self.dtype
            and out.flags.carray
            and not np.may_share_memory(out, x)
        )
