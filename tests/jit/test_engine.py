"""The engine's numbers are those of the definition, in every layout, dtype and set of instructions.

Every case meets the best set of instructions in float32. The other sets and float64, where lanes, masks and registers
differ but sources do not, take turns with the operations and layouts here, and with the cases in
`test_engine_ways.py`.
"""

from __future__ import annotations

import numpy as np
import pytest
from engine_checks import (
    check_any_order,
    check_numbers,
    check_spoiled_weights,
    check_spoiled_x,
    check_without_bias,
    finite,
)
from running import BEST, DTYPES, ISAS, OTHERS, Ready, arrays, problem_of
from schedule_cases import CASES, EVERY_CASE
from strategies import GEOMETRIES

from tconv.jit.choice import model
from tconv.jit.machine import isa
from tconv.problem import OPERATIONS

pytestmark = pytest.mark.usefixtures("three_threads")

every_dtype = pytest.mark.parametrize("dtype", DTYPES)
best_isa = pytest.mark.parametrize("target", BEST)
every_case = pytest.mark.parametrize(("case", "channels_last"), EVERY_CASE)
every_geometry = pytest.mark.parametrize("number", range(len(GEOMETRIES)), ids=[param.id for param in GEOMETRIES])
#: Operations and layouts that other sets of instructions and float64 take in turn.
TURNS = [(operation, channels_last) for channels_last in (False, True) for operation in OPERATIONS]


@best_isa
@pytest.mark.parametrize("operation", OPERATIONS)
@every_geometry
def test_equals_the_definition(number, operation, target):
    """Layouts take turns: the cases below meet both."""
    channels_last = (number + OPERATIONS.index(operation)) % 2 == 1
    equals_the_definition(*GEOMETRIES[number].values, operation, channels_last, "float32", target)


@pytest.mark.parametrize(("target", "dtype"), OTHERS)
@every_geometry
def test_equals_the_definition_elsewhere(number, target, dtype):
    turn = number + list(isa.ISAS).index(target) + len(OPERATIONS) * DTYPES.index(dtype)
    equals_the_definition(*GEOMETRIES[number].values, *TURNS[turn % len(TURNS)], dtype, target)


def equals_the_definition(geometry, operation, channels_last, dtype, target):
    """As the model would choose."""
    target, problem = isa.ISAS[target], problem_of(geometry, dtype, operation=operation)
    check_numbers(problem, [model.by_model(problem, channels_last, target)], target)


def of_case(case, channels_last, target):
    """What the checks take."""
    return CASES[case].problem("float32"), CASES[case].schedules("float32", channels_last, target), target


@best_isa
@every_case
def test_every_way_through_the_schedules(case, channels_last, target):
    check_numbers(*of_case(case, channels_last, isa.ISAS[target]))


@best_isa
@pytest.mark.parametrize(("case", "channels_last"), [each for each in EVERY_CASE if "short rows" in each[0]])
def test_pieces_of_short_rows_may_come_in_any_order(case, channels_last, target):
    check_any_order(*of_case(case, channels_last, isa.ISAS[target]))


@best_isa
@pytest.mark.parametrize(("case", "channels_last"), [each for each in EVERY_CASE if "gaps" in each[0]])
def test_without_a_bias_gaps_hold_zeros(case, channels_last, target):
    check_without_bias(*of_case(case, channels_last, isa.ISAS[target]))


@best_isa
@every_case
def test_nan_and_inf_in_x_reach_what_a_tap_ties_and_nothing_else(case, channels_last, target):
    check_spoiled_x(*of_case(case, channels_last, isa.ISAS[target]))


@best_isa
@every_case
def test_packing_notices_what_is_not_finite(case, channels_last, target):
    check_spoiled_weights(*of_case(case, channels_last, isa.ISAS[target]))


@pytest.mark.parametrize("target", ISAS)
@every_dtype
def test_huge_and_tiny_weights_are_finite(dtype, target):
    """The largest and the smallest number of the dtype, and zeros of both signs."""
    target, problem = isa.ISAS[target], CASES["wide and small"].problem(dtype)
    x, w, bias = arrays(problem)
    w.reshape(-1)[:5] = np.finfo(dtype).max, np.finfo(dtype).min, np.finfo(dtype).smallest_subnormal, 0.0, -0.0
    for schedule in CASES["wide and small"].schedules(dtype, False, target):
        assert finite(Ready(problem, schedule, target, w, bias), x)
