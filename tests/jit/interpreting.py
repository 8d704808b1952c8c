"""A program interpreted on the arrays of its problem, and what the definition gives for them."""

from functools import lru_cache

import numpy as np
from oracle import oracle
from running import arrays

from tconv.jit.interpret import interpret
from tconv.jit.programs import program_of

#: Sums of a few hundred terms near 1, in float64.
TOLERANCE = {"rtol": 1e-12, "atol": 1e-12}


@lru_cache(maxsize=8)
def posed(problem):
    """x, w and bias of a problem, and what the definition gives."""
    x, w, bias = arrays(problem)
    y = np.zeros((problem.batch, problem.out_channels, *problem.geometry.fine))
    up, _, _ = oracle(problem.geometry, x, w, y, problem.groups)
    return x, w, bias, up + bias.reshape(-1, *[1] * problem.geometry.ndim)


def interpreted(problem, program, channels_last, x, w, bias):
    """y as the program leaves it, channels first."""
    x = np.ascontiguousarray(np.moveaxis(x, 1, -1) if channels_last else x)
    inner = problem.geometry.fine
    inner = (*inner, problem.out_channels) if channels_last else (problem.out_channels, *inner)
    y = np.full((problem.batch, *inner), np.nan, problem.dtype)
    interpret(program, x, w, bias, y)
    return np.moveaxis(y, -1, 1) if channels_last else y


def check(problem, schedule):
    """The interpretation is what the definition says."""
    x, w, bias, wanted = posed(problem)
    y = interpreted(problem, program_of(schedule, 1), schedule.layout.last, x, w, bias)
    np.testing.assert_allclose(y, wanted, **TOLERANCE)
