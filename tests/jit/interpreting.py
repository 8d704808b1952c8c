"""A program interpreted on the arrays of its problem, and what the definition gives for them."""

from functools import lru_cache

import numpy as np
from oracle import oracle
from running import arrays, shapes

from tconv.jit.interpret import interpret
from tconv.jit.programs import program_of

#: Sums of a few hundred terms near 1, in float64.
TOLERANCE = {"rtol": 1e-12, "atol": 1e-12}


@lru_cache(maxsize=8)
def posed(problem):
    """x, w and bias of a problem, and what the definition gives."""
    x, w, bias = arrays(problem)
    other = np.zeros(shapes(problem)[1])
    if problem.operation == "conv_transpose":
        result, _, _ = oracle(problem.geometry, x, w, other, problem.groups)
    else:
        _, result, _ = oracle(problem.geometry, other, w, x, problem.groups)
    return x, w, bias, result + bias.reshape(-1, *[1] * problem.geometry.ndim)


def interpreted(problem, program, channels_last, x, w, bias):
    """y as the program leaves it, channels first."""
    x = np.ascontiguousarray(np.moveaxis(x, 1, -1) if channels_last else x)
    batch, channels, *size = shapes(problem)[1]
    y = np.full((batch, *size, channels) if channels_last else (batch, channels, *size), np.nan, problem.dtype)
    interpret(program, x, w, bias, y)
    return np.moveaxis(y, -1, 1) if channels_last else y


def check(problem, schedule):
    """The interpretation is what the definition says."""
    x, w, bias, wanted = posed(problem)
    y = interpreted(problem, program_of(schedule, 1), schedule.layout.last, x, w, bias)
    np.testing.assert_allclose(y, wanted, **TOLERANCE)
