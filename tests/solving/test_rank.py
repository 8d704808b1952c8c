"""The order, and the search for the first answers of several axes."""

from __future__ import annotations

from itertools import product

import pytest
from enumeration import brute_force, fixed_parameters, sizes
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strategies import axes

from tconv import Axis
from tconv.solving.rank import beyond_taps, has_gaps, order
from tconv.solving.solutions import solve

pytestmark = pytest.mark.quick

PREFERENCES = 10  #: so many entries of the order are preferences; the parameters follow, to break ties


@st.composite
def questions_of_axes(draw):
    """Coarse and fine sizes of 2 or 3 axes, and a bound on the kernel that keeps brute force in reach."""
    ndim = draw(st.integers(2, 3))
    few = st.integers(1, 4)
    coarse = draw(st.one_of(few.map(lambda n: (n,) * ndim), st.tuples(*[few] * ndim)))
    scale = draw(st.integers(1, 2))
    fine = tuple(scale * n + draw(st.integers(0, 1)) for n in coarse)
    return coarse, fine, draw(st.integers(1, 4 if ndim == 2 else 3))


@settings(max_examples=40)
@given(question=questions_of_axes(), limit=st.integers(1, 40))
def test_several_axes_against_brute_force(question, limit):
    coarse, fine, max_kernel = question
    free = {"kernel": None, "stride": None, "padding": None, "output_padding": None, "dilation": None}
    each = [brute_force(c, f, **free, max_kernel=max_kernel) for c, f in zip(coarse, fine, strict=True)]
    wanted = sorted(order(axes)[:PREFERENCES] for axes in product(*each))
    found = solve(coarse, fine, max_kernel=max_kernel, limit=limit)
    assert [order(solution.geometry.axes)[:PREFERENCES] for solution in found] == wanted[:limit]
    assert {solution.geometry.axes for solution in found} <= set(product(*each))
    assert len(set(found)) == len(found)


@given(coarse=sizes, fine=st.integers(1, 30), fixed=fixed_parameters())
def test_the_order_of_one_axis(coarse, fine, fixed):
    """Even first; no cell without a tap; the smaller kernel; symmetric padding; less output padding."""

    def place(solution):
        (axis,) = solution.geometry.axes
        coverage, (low, high) = axis.taps_per_phase, axis.padding
        last_tap = (axis.coarse - 1) * axis.stride + axis.effective_kernel - 1 - low
        left_out = min(coverage) == 0 or low < 0 or last_tap < axis.fine - 1
        return (len({*coverage}) > 1, left_out, axis.kernel, low != high, axis.output_padding)

    places = [place(solution) for solution in solve(coarse, fine, **fixed)]
    assert places == sorted(places)


def test_the_first_without_gaps_is_found_behind_many_with_gaps():
    # output padding 6 leaves the last cells without a tap unless all of it is cropped at that end
    (best,) = solve(3, 21, kernel=7, stride=7, output_padding=6, limit=1)
    assert best.geometry.padding == ((0, 6),)
    # kernels 11 to 15 end before the fine grid does; 16 does not, and comes before them
    assert [s.geometry.kernel for s in solve(2, 26, stride=10, max_kernel=19, limit=4)] == [(10,), (10,), (16,), (17,)]


@given(axes())
@example(Axis(3, 3, 2, (-1, 0), 1))
def test_positions_beyond_every_tap(axis):
    low, _ = axis.padding
    cells = [c * axis.stride - low + t * axis.dilation for c in range(axis.coarse) for t in range(axis.kernel)]
    assert beyond_taps(axis) == (max(0, min(cells)), max(0, axis.fine - 1 - max(cells)))
    assert has_gaps(axis) == (0 in axis.taps_per_phase or any(beyond_taps(axis)))


def test_axes_share_what_they_can():
    def of(*arguments, **keywords):
        first = solve(*arguments, **keywords)[0].geometry
        return first.kernel, first.stride, first.padding, first.output_padding

    # stride 2 and a kernel that serves both axes, although a kernel of 2 would do for the first
    assert of((32, 32), (64, 65)) == ((4, 4), (2, 2), ((1, 1), (1, 1)), (0, 1))
    # video: frames stay, so their axis goes its own way and the others agree
    assert of((8, 32, 32), (8, 64, 64)) == ((1, 2, 2), (1, 2, 2), ((0, 0),) * 3, (0, 0, 0))
    assert of((8, 32, 32), (8, 64, 64), kernel=(3, 4, 4)) == ((3, 4, 4), (1, 2, 2), ((1, 1),) * 3, (0, 0, 0))
    # no kernel serves both without padding
    assert of((32, 32), (64, 66), padding=0, stride=2) == ((2, 4), (2, 2), ((0, 0), (0, 0)), (0, 0))


def test_alike_axes_get_alike_parameters_first():
    geometries = [solution.geometry for solution in solve((32, 32), (64, 64), limit=10)]
    assert all(len({(a.kernel, a.stride, a.padding, a.output_padding) for a in g.axes}) == 1 for g in geometries)
    one_axis = [solution.geometry.axes[0] for solution in solve(32, 64, limit=10)]
    assert [g.axes[0] for g in geometries] == one_axis


def test_a_cut_list_is_the_beginning_of_a_longer_one():
    longer = list(solve((3, 32), (3, 63), kernel=6, limit=2000))
    for limit in range(1, 30):
        assert list(solve((3, 32), (3, 63), kernel=6, limit=limit)) == longer[:limit]
