"""What a method is: a way to compute the three operations on one geometry, with its cost, its memory and its limits."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

import numpy as np

from tconv.finishing import Finishing
from tconv.problem import OPERATIONS, Array, Operation, Problem

Index: TypeAlias = tuple[Any, ...]


def last_axes(entries: Iterable[int | slice]) -> Index:
    """The index that applies these entries to the last axes of an array."""
    return (Ellipsis, *entries)


class Cost(NamedTuple):
    """What a method is expected to take: seconds by the model in `cost.py`, and bytes beside the arguments."""

    seconds: float
    scratch: int


class Method(ABC):
    """One way to compute x, w or y from the other two.

    The three arrays always come in the same order with groups split off, shapes as in `Problem`; which one is written
    follows from the operation: y by conv_transpose, x by conv, w by weight_gradient. It is written in every element and
    holds anything before. Arrays may have any strides; the two that are read may be read-only.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    #: What it computes.
    operations: ClassVar[tuple[Operation, ...]] = OPERATIONS
    #: Whether it adds up the products of the definition, in any order. "auto" never picks another one.
    exact: ClassVar[bool] = True
    #: Whether kernels of the engine compute.
    by_engine: ClassVar[bool] = False
    #: For an operation whose products include padded zeros, the operand that meets them. Where it holds NaN or Inf, a
    #: padded zero would spread it to results that no tap ties to it; `run` in `methods/__init__.py` then goes
    #: tap by tap.
    padded: ClassVar[Mapping[Operation, Literal["x", "w", "y"]]] = MappingProxyType({})

    @abstractmethod
    def cost(self, problem: Problem) -> Cost:
        """Expected time and scratch memory, of a problem within the limit."""

    def limit(self, problem: Problem) -> str:
        """Why this method cannot compute the problem; "" where it can."""
        return ""

    def has_kernels(self, problem: Problem, channels_last: bool) -> bool:
        """Whether kernels of the engine compute a problem within the limit from arrays as they lie in a layout."""
        return False

    def fuses(self, problem: Problem) -> bool:
        """Whether it finishes results itself (`run_finished`), while they are near."""
        return False

    @abstractmethod
    def run(self, problem: Problem, x: Array, w: Array, y: Array) -> None:
        """Compute the operation."""

    def run_with_bias(self, problem: Problem, x: Array, w: Array, y: Array, bias: Array) -> None:
        """Compute the operation and add a bias of shape (groups, channels in a group) to what is written."""
        self.run(problem, x, w, y)
        add_bias({"x": x, "y": y}[problem.written], bias)

    def run_finished(
        self, problem: Problem, x: Array, w: Array, y: Array, bias: Array | None, finishing: Finishing
    ) -> None:
        """Compute the operation, add a bias, and finish what is written; for methods that do so themselves."""
        raise NotImplementedError


def limit_of_dtype(problem: Problem) -> str:
    """Why a method that rounds cannot compute a problem; "" where it can. Of integers, every bit is to be right."""
    whole = np.dtype(problem.dtype).kind in "iu"
    return f"computes floating point and complex numbers only, not {problem.dtype}" if whole else ""


def add_bias(into: Array, bias: Array) -> None:
    """Add a bias of shape (groups, channels in a group) to an array (N, groups, channels in a group, *size)."""
    into += bias.reshape(*bias.shape, *(1,) * (into.ndim - 3))


#: From so many elements on, the BLAS would share a product among threads, which takes longer where cores are busy.
_ALONE = 10_000


def is_finite(a: Array) -> bool:
    """Whether no element is NaN or Inf, nor has a part that is."""
    if a.dtype.kind == "c" and a.flags.c_contiguous:
        a = a.view(a.real.dtype)
    if a.dtype.kind not in "fc":
        return True
    if a.flags.c_contiguous:
        flat = a.reshape(-1)
        # One fast pass; it overflows only for huge values, which the slow pass then clears.
        if math.isfinite(np.dot(flat, flat) if flat.size < _ALONE else np.add.reduce(flat)):
            return True
    return bool(np.isfinite(a).all())
