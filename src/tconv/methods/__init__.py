"""The methods, in one registry, and the one place that runs them.

Whatever is registered here can be asked for by name, is considered by `method="auto"` if it is exact, and is tested:
the tests run over the registry.
"""

from __future__ import annotations

import numpy as np

from tconv.finishing import Finishing
from tconv.methods.base import Cost, Method, add_bias, is_finite
from tconv.methods.fft import Fft
from tconv.methods.gemm import Gemm
from tconv.methods.jit import Jit
from tconv.methods.matrix import Matrix
from tconv.methods.phases import Phases
from tconv.methods.taps import run_tap_by_tap
from tconv.methods.winograd import Winograd
from tconv.methods.zero_insertion import ZeroInsertion
from tconv.problem import OPERATIONS, Array, Operation, Problem

METHODS: dict[str, Method] = {
    method.name: method for method in (Matrix(), ZeroInsertion(), Gemm(), Phases(), Fft(), Jit(), Winograd())
}

__all__ = ["METHODS", "OPERATIONS", "Cost", "Method", "Operation", "Problem", "run"]


def run(
    method: Method, problem: Problem, x: Array, w: Array, y: Array, bias: Array | None = None,
    finishing: Finishing | None = None,
) -> None:  # fmt: skip
    """Compute the operation with this method, or tap by tap where its padded zeros would meet a NaN or an Inf.

    `bias`, of shape (groups, channels in a group), is added to y of conv_transpose or x of conv, then `finishing` is
    done with it.
    """
    arrays = {"x": x, "w": w, "y": y}
    if problem.batch == 0:
        arrays[problem.written][...] = 0
        return
    operand = method.padded.get(problem.operation)
    # IEEE arithmetic without a word: what overflows or was NaN before shows in the result.
    with np.errstate(all="ignore"):
        if operand is not None and not is_finite(arrays[operand]):
            run_tap_by_tap(problem, x, w, y)
            if bias is not None:
                add_bias(arrays[problem.written], bias)
        elif finishing is not None and method.fuses(problem):
            method.run_finished(problem, x, w, y, bias, finishing)
            return
        elif bias is None:
            method.run(problem, x, w, y)
        else:
            method.run_with_bias(problem, x, w, y, bias)
        if finishing is not None:
            finishing.apply(arrays[problem.written])
