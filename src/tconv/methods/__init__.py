"""The methods, in one registry, and the one place that runs them.

Whatever is registered here can be asked for by name, is considered by `method="auto"`, and is tested: the tests run
over the registry.
"""

from __future__ import annotations

import math

import numpy as np

from tconv.methods.base import OPERATIONS, Array, Cost, Method, Operation, Problem
from tconv.methods.gemm import Gemm
from tconv.methods.matrix import Matrix
from tconv.methods.phases import Phases
from tconv.methods.taps import run_tap_by_tap
from tconv.methods.zero_insertion import ZeroInsertion

METHODS: dict[str, Method] = {method.name: method for method in (Matrix(), ZeroInsertion(), Gemm(), Phases())}

__all__ = ["METHODS", "OPERATIONS", "Cost", "Method", "Operation", "Problem", "run"]


def run(method: Method, problem: Problem, x: Array, w: Array, y: Array) -> None:
    """Compute the operation with this method, or tap by tap where its padded zeros would meet a NaN or an Inf."""
    arrays = {"x": x, "w": w, "y": y}
    if problem.batch == 0:
        arrays[problem.written][...] = 0
        return
    operand = method.padded.get(problem.operation)
    # IEEE arithmetic without a word: what overflows or was NaN before shows in the result.
    with np.errstate(all="ignore"):
        if operand is None or _is_finite(arrays[operand]):
            method.run(problem, x, w, y)
        else:
            run_tap_by_tap(problem, x, w, y)


def _is_finite(a: Array) -> bool:
    if a.dtype.kind != "f":
        return True
    if a.flags.c_contiguous:
        flat = a.reshape(-1)
        # One fast pass; the square overflows only for huge values, which the slow pass then clears.
        if math.isfinite(np.dot(flat, flat)):
            return True
    return bool(np.isfinite(a).all())
