"""What has to hold for every schedule, on every set of instructions."""

from __future__ import annotations

import ctypes
from itertools import product

import numpy as np
from running import Ready, Truth, arrays, is_gradient, tied

from tconv.jit.kernels.abi import Header, Piece


def check_numbers(problem, schedules, target):
    """Right, in every element, and the same bits again and with any number of threads."""
    x, w, bias = arrays(problem)
    truth = Truth(problem, x, w, bias)
    for schedule in schedules:
        ready = Ready(problem, schedule, target, w, bias)
        assert ready.finite
        y = ready(x)
        truth.check(y)
        np.testing.assert_array_equal(ready(x), y)
        for threads in (2, 3):
            np.testing.assert_array_equal(Ready(problem, schedule, target, w, bias, threads=threads)(x), y)


def check_without_bias(problem, schedules, target):
    """Without a bias it is zero, also where no tap reaches."""
    x, w, _ = arrays(problem)
    truth = Truth(problem, x, w)
    for schedule in schedules:
        truth.check(Ready(problem, schedule, target, w)(x))


def check_spoiled_x(problem, schedules, target):
    """A NaN or an Inf in x reaches what a tap ties to it and nothing else."""
    x, w, bias = arrays(problem)
    middle = tuple(np.random.default_rng(1).integers(0, x.shape))
    for schedule in schedules:
        ready = Ready(problem, schedule, target, w, bias)
        clean = ready(x)
        for place, value in product((middle, tuple(size - 1 for size in x.shape)), (np.nan, np.inf)):
            spoiled = x.copy()
            spoiled[place] = value
            y, reached = ready(spoiled), tied(problem, place)
            assert not np.isfinite(y[reached]).any()
            np.testing.assert_array_equal(y[~reached], clean[~reached])


def check_spoiled_weights(problem, schedules, target):
    """Packing notices what is not finite, whatever its place: what kernels compute must not be used then."""
    if is_gradient(problem):
        return  # nothing is packed
    x, w, bias = arrays(problem)
    rng = np.random.default_rng(2)
    for schedule in schedules:
        ready = Ready(problem, schedule, target, w, bias)
        for spoiled, value in product((w, bias), (np.nan, np.inf, -np.inf)):
            flat = spoiled.reshape(-1)
            place = rng.integers(flat.size)
            before, flat[place] = flat[place], value
            ready.pack()
            assert not finite(ready, x)
            flat[place] = before
        ready.pack()
        assert finite(ready, x)


def finite(ready, x):
    """Whether all weights are, once they are packed."""
    if ready.program.on_the_fly:
        ready(x)
    return ready.finite


def check_any_order(problem, schedules, target):
    """Pieces may come in any order: rows that end behind their place write over it, but not what another thread did."""
    x, w, bias = arrays(problem)
    for schedule in schedules:
        ready = Ready(problem, schedule, target, w, bias)
        y = ready(x)
        _reverse_pieces(ready.program)
        again = ready(x)
        _reverse_pieces(ready.program)  # which may be kept
        np.testing.assert_array_equal(again, y)


def _reverse_pieces(program):
    """The last first, in the words that generated code reads."""
    words = np.ctypeslib.as_array((ctypes.c_int64 * len(program.words)).from_address(program.address))
    first, runs = words[Header.PIECES] // 8, words[Header.NUMBER_OF_RUNS]
    pieces = words[first : first + runs * words[Header.RUN] * len(Piece)].reshape(-1, len(Piece))
    pieces[:] = pieces[::-1].copy()
