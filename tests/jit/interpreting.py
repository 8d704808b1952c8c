"""A program interpreted on the arrays of its problem, and what the definition gives for them."""

from functools import lru_cache

import numpy as np
from oracle import expected
from running import arrays, in_layout, is_gradient, out_of_layout, shapes, written

from tconv.jit.reference.interpret import interpret
from tconv.jit.schedules.registry import program_of

#: Sums of a few hundred terms near 1, in float64.
TOLERANCE = {"rtol": 1e-12, "atol": 1e-12}


@lru_cache(maxsize=8)
def posed(problem):
    """x, w and bias of a problem, and what the definition gives."""
    x, w, bias = arrays(problem)
    other = np.zeros(shapes(problem)[1])
    grids = {"conv_transpose": (x, w, other), "conv": (other, w, x), "weight_gradient": (w, other, x)}
    wanted = expected(problem.operation, problem.geometry, *grids[problem.operation], problem.groups)
    return x, w, bias, wanted if is_gradient(problem) else wanted + bias.reshape(-1, *[1] * problem.geometry.ndim)


def interpreted(problem, program, channels_last, x, w, bias):
    """y as the program leaves it, channels first."""
    y = np.full(written(problem, channels_last), np.nan, problem.dtype)
    w = in_layout(w, channels_last) if is_gradient(problem) else w
    interpret(program, in_layout(x, channels_last), w, bias, y)
    return out_of_layout(problem, y, channels_last)


def check(problem, schedule):
    """The interpretation is what the definition says."""
    x, w, bias, wanted = posed(problem)
    y = interpreted(problem, program_of(schedule, 1), schedule.layout.channels_last, x, w, bias)
    np.testing.assert_allclose(y, wanted, **TOLERANCE)
