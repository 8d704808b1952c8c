"""The engine's numbers are those of the definition, in every layout, dtype and set of instructions."""

import ctypes
from itertools import product

import numpy as np
import pytest
from running import BEST, DTYPES, ISAS, Ready, Truth, arrays, is_gradient, problem_of, tied
from schedules import CASES, EVERY_CASE, EXPECTED, taken
from strategies import GEOMETRIES

import tconv
from tconv.jit import choose, isa
from tconv.jit.kernels.abi import Header, Piece
from tconv.problem import OPERATIONS

every_isa = pytest.mark.parametrize("target", ISAS)
every_dtype = pytest.mark.parametrize("dtype", DTYPES)
every_case = pytest.mark.parametrize(("case", "channels_last"), EVERY_CASE)


@pytest.fixture(autouse=True)
def three_threads():
    """As many as are asked for, whatever the machine has."""
    tconv.set_num_threads(3)
    yield
    tconv.set_num_threads(None)


def check_schedules(problem, schedules, target):
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


every_layout = pytest.mark.parametrize("channels_last", [False, True], ids=["channels_first", "channels_last"])


@every_isa
@every_layout
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_equals_the_definition(geometry, operation, channels_last, target):
    equals_the_definition(geometry, operation, channels_last, "float32", target)


@every_isa
@every_layout
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_equals_the_definition_in_float64(geometry, channels_last, target):
    """Operations take turns: that they share their kernels is shown in float32."""
    operation = OPERATIONS[[one.values[0] for one in GEOMETRIES].index(geometry) % len(OPERATIONS)]
    equals_the_definition(geometry, operation, channels_last, "float64", target)


def equals_the_definition(geometry, operation, channels_last, dtype, target):
    """As the model would choose."""
    target, problem = isa.ISAS[target], problem_of(geometry, dtype, operation=operation)
    check_schedules(problem, [choose.by_model(problem, channels_last, target)], target)


@every_isa
@every_case
def test_every_way_through_the_schedules(case, channels_last, target):
    check_all(case, channels_last, "float32", isa.ISAS[target])


@pytest.mark.parametrize("target", BEST)
@every_case
def test_every_way_in_float64(case, channels_last, target):
    """What differs are the lanes of a vector, as between sets of instructions in float32."""
    check_all(case, channels_last, "float64", isa.ISAS[target])


def check_all(case, channels_last, dtype, target):
    check_schedules(CASES[case].problem(dtype), CASES[case].schedules(dtype, channels_last, target), target)


@pytest.mark.parametrize("target", isa.ISAS)
def test_the_cases_take_every_way(target):
    """Needs no processor that runs them."""
    found = [s for case, last in EVERY_CASE for s in CASES[case].schedules("float32", last, isa.ISAS[target])]
    missing = EXPECTED - set().union(*map(taken, found))
    assert missing == (set() if isa.ISAS[target].masks else {"planes: folded", "planes: folded, several rows"})


@every_isa
@pytest.mark.parametrize(("case", "channels_last"), [each for each in EVERY_CASE if "short rows" in each[0]])
def test_pieces_of_short_rows_may_come_in_any_order(case, channels_last, target):
    """Their rows are written over what lies behind the ends of those before, but not into what another thread does."""
    target, problem = isa.ISAS[target], CASES[case].problem("float32")
    x, w, bias = arrays(problem)
    for schedule in CASES[case].schedules("float32", channels_last, target):
        ready = Ready(problem, schedule, target, w, bias)
        y = ready(x)
        reverse_pieces(ready.program)
        again = ready(x)
        reverse_pieces(ready.program)  # which may be kept
        np.testing.assert_array_equal(again, y)


def reverse_pieces(program):
    """The last first, in the words that generated code reads."""
    words = np.ctypeslib.as_array((ctypes.c_int64 * len(program.words)).from_address(program.address))
    first, runs = words[Header.PIECES] // 8, words[Header.NUMBER_OF_RUNS]
    pieces = words[first : first + runs * words[Header.RUN] * len(Piece)].reshape(-1, len(Piece))
    pieces[:] = pieces[::-1].copy()


@every_isa
@every_dtype
def test_without_a_bias_gaps_hold_zeros(dtype, target):
    target = isa.ISAS[target]
    for case, channels_last in EVERY_CASE:
        if "gaps" in case:
            problem = CASES[case].problem(dtype)
            x, w, _ = arrays(problem)
            truth = Truth(problem, x, w)
            for schedule in CASES[case].schedules(dtype, channels_last, target):
                truth.check(Ready(problem, schedule, target, w)(x))


@every_isa
@every_case
def test_nan_and_inf_in_x_reach_what_a_tap_ties_and_nothing_else(case, channels_last, target):
    target, problem = isa.ISAS[target], CASES[case].problem("float32")
    x, w, bias = arrays(problem)
    middle = tuple(np.random.default_rng(1).integers(0, x.shape))
    for schedule in CASES[case].schedules("float32", channels_last, target):
        ready = Ready(problem, schedule, target, w, bias)
        clean = ready(x)
        for place, value in product((middle, tuple(size - 1 for size in x.shape)), (np.nan, np.inf)):
            spoiled = x.copy()
            spoiled[place] = value
            y, reached = ready(spoiled), tied(problem, place)
            assert not np.isfinite(y[reached]).any()
            np.testing.assert_array_equal(y[~reached], clean[~reached])


@every_isa
@every_case
def test_packing_notices_what_is_not_finite(case, channels_last, target):
    """Whatever its place: what kernels compute must not be used then."""
    target, problem = isa.ISAS[target], CASES[case].problem("float32")
    if is_gradient(problem):
        return  # nothing is packed
    x, w, bias = arrays(problem)
    rng = np.random.default_rng(2)
    for schedule in CASES[case].schedules("float32", channels_last, target):
        for spoiled, value in product((w, bias), (np.nan, np.inf, -np.inf)):
            flat = spoiled.reshape(-1)
            place = rng.integers(flat.size)
            before, flat[place] = flat[place], value
            assert not finite(Ready(problem, schedule, target, w, bias), x)
            flat[place] = before
        assert finite(Ready(problem, schedule, target, w, bias), x)


def finite(ready, x):
    """Whether all weights are, once they are packed."""
    if ready.program.fresh:
        ready(x)
    return ready.finite


@every_isa
@every_dtype
def test_huge_and_tiny_weights_are_finite(dtype, target):
    """The largest and the smallest number of the dtype, and zeros of both signs."""
    target, problem = isa.ISAS[target], CASES["wide and small"].problem(dtype)
    x, w, bias = arrays(problem)
    w.reshape(-1)[:5] = np.finfo(dtype).max, np.finfo(dtype).min, np.finfo(dtype).smallest_subnormal, 0.0, -0.0
    for schedule in CASES["wide and small"].schedules(dtype, False, target):
        assert finite(Ready(problem, schedule, target, w, bias), x)
