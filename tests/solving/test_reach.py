"""One axis: every answer is right, and none is missing."""

from __future__ import annotations

from enumeration import brute_force, fixed_parameters, sizes
from hypothesis import assume, given
from hypothesis import strategies as st

from tconv import Geometry
from tconv.solving.solutions import solve

EVERYTHING = 10**6


@given(coarse=sizes, fine=st.integers(1, 30), fixed=fixed_parameters())
def test_one_axis_against_brute_force(coarse, fine, fixed):
    wanted = brute_force(coarse, fine, **fixed)
    found = solve(coarse, fine, **fixed, limit=EVERYTHING)
    assert [solution.geometry.axes[0] for solution in found] == wanted
    assert found.are_all


@given(coarse=sizes, fine=st.integers(1, 30), fixed=fixed_parameters(), limit=st.integers(1, 5))
def test_the_limit_cuts_the_end_of_the_list(coarse, fine, fixed, limit):
    everything = solve(coarse, fine, **fixed, limit=EVERYTHING)
    some = solve(coarse, fine, **fixed, limit=limit)
    assert list(some) == list(everything[:limit])
    assert some.are_all == (len(everything) <= limit)


@given(scale=st.integers(1, 9), fixed=fixed_parameters(), others=st.lists(sizes, min_size=1, max_size=4))
def test_a_scale_holds_at_every_size(scale, fixed, others):
    for solution in solve(scale=scale, **fixed):
        geometry = solution.geometry
        for coarse in others:
            assert Geometry.conv_transpose(coarse, geometry.kernel, **geometry.keywords).fine == (scale * coarse,)


@given(scale=st.fractions("1/4", 5, max_denominator=4), coarse=sizes, fixed=fixed_parameters())
def test_a_fraction_stands_for_the_other_size(scale, coarse, fixed):
    assume(scale.denominator > 1 and (scale * coarse).denominator == 1)
    fine = int(scale * coarse)
    wanted = list(solve(coarse, fine, **fixed))
    assert list(solve(coarse, scale=scale, **fixed)) == list(solve(fine=fine, scale=scale, **fixed)) == wanted
    if scale.denominator != 3:  # decimals say it as well
        assert list(solve(coarse, scale=float(scale), **fixed)) == wanted


@given(scale=st.integers(1, 9), coarse=sizes, fixed=fixed_parameters())
def test_a_scale_with_a_size_is_that_stride(scale, coarse, fixed):
    assume(fixed["stride"] in (None, scale))
    by_scale = solve(coarse, scale=scale, **fixed)
    assert list(by_scale) == list(solve(coarse, scale * coarse, **(fixed | {"stride": scale})))
    assert list(by_scale) == list(solve(fine=scale * coarse, scale=scale, **fixed))
    assert list(by_scale) == list(solve(coarse, scale * coarse, scale=scale, **fixed))


@given(coarse=sizes, fine=st.integers(1, 60), limit=st.integers(1, 30))
def test_without_fixed_parameters_there_is_always_an_answer(coarse, fine, limit):
    found = solve(coarse, fine, limit=limit)
    assert found
    assert len(found) <= limit
