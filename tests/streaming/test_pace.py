"""The arithmetic of streams: units that have one geometry, and sizes that are few."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import axes

from tconv import Axis
from tconv.streaming.pace import EXACT, Down, Ladder, Up, latency

pytestmark = pytest.mark.quick


def paces(axis):
    (low, high), (k, s, d) = axis.padding, (axis.kernel, axis.stride, axis.dilation)
    return Up(k, s, d, low, high, axis.output_padding), Down(k, s, d, low, high)


@given(axes(), st.integers(1, 9))
def test_units_are_a_layer_of_so_many_results(axis, units):
    up, down = paces(axis)
    window = {"stride": axis.stride, "dilation": axis.dilation}
    assert Axis.conv_transpose(up.cells(units), axis.kernel, padding=up.padding, **window).fine == units * axis.stride
    local = Axis.conv(down.cells(units), axis.kernel, padding=down.padding, **window)
    assert (local.coarse, local.output_padding) == (units, 0)


@given(axes(), st.integers(0, 50), st.integers(1, 20))
def test_units_hold_the_results_that_are_wanted(axis, start, length):
    up, down = paces(axis)
    for pace, results in ((up, axis.stride), (down, 1)):
        first, units, offset = pace.units(start, start + length)
        assert first == pace.first(start)
        assert 0 <= offset < results
        assert (units - 1) * results < offset + length <= units * results


@given(axes(), st.integers(1, 80))
def test_results_are_finished_after_the_cells_that_are_named(axis, results):
    for pace in paces(axis):
        needed = pace.waits_for(results)
        if needed > 1:
            assert pace.finished(needed) >= results > pace.finished(needed - 1)
        else:
            assert pace.finished(1) >= results


def test_latency_repeats_with_the_alignment():
    up, down = Up(16, 8, 1, 4, 4, 0), Down(7, 1, 1, 3, 3)
    assert (latency([up]), latency([down]), latency([up, down]), latency([down, up])) == (1, 3, 1, 4)
    assert latency([Up(4, 4, 1, 0, 0, 0)]) == 0
    assert latency([Up(2, 2, 1, 0, 0, 0)] * 10) == 0


@given(st.lists(st.integers(1, 2**12), max_size=300))
def test_sizes_are_few_and_never_less_than_wanted(sizes):
    ladder = Ladder()
    made = [ladder.at_least(size) for size in sizes]
    assert all(size <= found < size * 5 / 4 for size, found in zip(sizes, made, strict=True))
    assert len(set(made)) <= EXACT + 4 * 12
    assert [ladder.at_least(size) for size in sizes][:EXACT] == sizes[:EXACT]


def test_all_sizes_of_an_octave():
    ladder = Ladder()
    assert len({ladder.at_least(size) for size in range(1, 2**12 + 1)}) <= EXACT + 4 * 12
    assert [ladder.at_least(size) for size in (9, 10, 11, 12)] == [9, 10, 11, 12]  # the first few, as they are
    assert [ladder.at_least(size) for size in (65, 80, 81, 97, 113)] == [80, 80, 96, 112, 128]
