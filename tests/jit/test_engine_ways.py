"""Every way through the schedules, with other sets of instructions than the best and in float64."""

from __future__ import annotations

import pytest
from engine_checks import check_any_order, check_numbers, check_spoiled_weights, check_spoiled_x, check_without_bias
from running import OTHERS
from schedule_cases import CASES, EVERY_CASE, EXPECTED, taken
from ways import SORTS, ends_of_ways

from tconv.jit.machine import isa

#: What differs in float64 are the lanes of a vector, as between sets of instructions in float32: one set is enough.
ELSEWHERE = [each for each in OTHERS if "float32" in each.values or each.values[0] in isa.available()[:1]]


@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize("name", SORTS)
@pytest.mark.parametrize(("target", "dtype"), ELSEWHERE)
def test_every_way_elsewhere(target, dtype, name):
    assert ends_of_ways(target, dtype)[name]
    for case, schedule in ends_of_ways(target, dtype)[name]:
        problem, given = CASES[case].problem(dtype), ([schedule], isa.ISAS[target])
        check_numbers(problem, *given)
        check_without_bias(problem, *given)
        check_spoiled_x(problem, *given)
        check_spoiled_weights(problem, *given)
        if "short rows" in case:
            check_any_order(problem, *given)


@pytest.mark.parametrize("target", isa.ISAS)
def test_the_cases_take_every_way(target):
    """Needs no processor that runs them."""
    found = [s for case, last in EVERY_CASE for s in CASES[case].schedules("float32", last, isa.ISAS[target])]
    missing = EXPECTED - set().union(*map(taken, found))
    assert missing == (set() if isa.ISAS[target].masks else {"planes: folded", "planes: folded, several rows"})
