"""Phases and blocks: together they hold every (coarse cell, tap, fine cell) exactly once."""

from __future__ import annotations

from collections import Counter
from math import prod

import pytest
from definition import links, links_of
from hypothesis import given
from strategies import GEOMETRIES, axes, geometries

from tconv import Axis, Geometry, phases
from tconv.phases import axis_blocks, axis_phases, blocks

pytestmark = pytest.mark.quick


def links_of_phase(axis, phase):
    """What a phase says is tied: position m of it reads cell m + shift through each of its taps."""
    return [
        (m + shift, tap, m * axis.stride + phase.residue)
        for m in range(phase.count)
        for tap, shift in zip(phase.taps, phase.shifts, strict=True)
        if 0 <= m + shift < axis.coarse
    ]


def links_of_block(axis, block):
    return [
        (m + shift, tap, m * axis.stride + residue)
        for which, residue in enumerate(block.residues)
        for m in range(block.count)
        for tap, shift in zip(block.taps(which), block.shifts, strict=True)
        if 0 <= m + shift < axis.coarse
    ]


@given(axes())
def test_the_phases_of_an_axis_hold_every_link_once(axis):
    found = Counter(link for phase in axis_phases(axis) for link in links_of_phase(axis, phase))
    assert found == Counter(links(axis))


@given(axes())
def test_the_phases_of_an_axis_share_out_the_fine_grid(axis):
    cells = [m * axis.stride + phase.residue for phase in axis_phases(axis) for m in range(phase.count)]
    assert sorted(cells) == list(range(axis.fine))
    assert [phase.residue for phase in axis_phases(axis)] == list(range(min(axis.stride, axis.fine)))


@given(axes())
def test_the_taps_of_a_phase_are_those_of_the_axis(axis):
    for phase in axis_phases(axis):
        assert phase.taps == axis.taps_of_phase(phase.residue)
        assert list(phase.taps) == sorted(phase.taps)
        assert list(phase.shifts) == [
            (phase.residue + axis.padding[0] - t * axis.dilation) // axis.stride for t in phase.taps
        ]


@given(axes())
def test_the_blocks_of_an_axis_hold_every_link_once(axis):
    found = Counter(link for block in axis_blocks(axis) for link in links_of_block(axis, block))
    assert found == Counter(links(axis))


@given(axes())
def test_a_block_is_made_of_phases(axis):
    by_residue = {phase.residue: phase for phase in axis_phases(axis)}
    gathered = []
    for block in axis_blocks(axis):
        for which, residue in enumerate(block.residues):
            phase = by_residue[residue]
            assert (phase.count, phase.shifts, phase.taps) == (block.count, block.shifts, block.taps(which))
            gathered.append(residue)
    assert sorted(gathered) == [residue for residue, phase in by_residue.items() if phase.taps]


@given(geometries(max_ndim=4, small=True))
def test_the_phases_of_a_geometry_hold_every_link_once(geometry):
    found = Counter()
    for phase in phases(geometry):
        each = [links_of_phase(axis, part) for axis, part in zip(geometry.axes, phase.axes, strict=True)]
        found.update(_joined(each))
    assert found == Counter(links_of(geometry))


@given(geometries(max_ndim=4, small=True))
def test_the_blocks_of_a_geometry_hold_every_link_once(geometry):
    found = Counter()
    for block in blocks(geometry):
        each = [links_of_block(axis, part) for axis, part in zip(geometry.axes, block, strict=True)]
        found.update(_joined(each))
    assert found == Counter(links_of(geometry))


def _joined(each):
    combined = [()]
    for along in each:
        combined = [(*left, link) for left in combined for link in along]
    return [tuple(zip(*links_by_axis, strict=True)) for links_by_axis in combined]


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_how_many_phases(geometry):
    found = phases(geometry)
    assert len(found) == prod(min(s, n) for s, n in zip(geometry.stride, geometry.fine, strict=True))
    assert len({phase.residue for phase in found}) == len(found)
    assert sum(prod(phase.count) for phase in found) == prod(geometry.fine)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_even_coverage_is_equally_many_taps_in_every_phase(geometry):
    complete = all(n >= s for n, s in zip(geometry.fine, geometry.stride, strict=True))
    if complete:  # no phase is missing for want of fine cells
        assert geometry.is_even == (len({phase.taps for phase in phases(geometry)}) == 1)


def test_kernel_4_stride_2_has_two_phases_and_as_many_blocks():
    even, odd = axis_phases(Axis(32, 4, 2, 1))
    assert (even.residue, even.count, list(even.taps), list(even.shifts)) == (0, 32, [1, 3], [0, -1])
    assert (odd.residue, odd.count, list(odd.taps), list(odd.shifts)) == (1, 32, [0, 2], [1, 0])
    assert [list(block.residues) for block in axis_blocks(Axis(32, 4, 2, 1))] == [[0], [1]]


def test_kernel_2_stride_2_is_one_block():
    (block,) = axis_blocks(Axis(32, 2, 2))
    assert (list(block.residues), block.count, list(block.shifts)) == ([0, 1], 32, [0])
    assert [list(block.taps(which)) for which in range(2)] == [[0], [1]]


def test_a_phase_without_taps_is_a_phase_but_in_no_block():
    axis = Axis(4, 1, 3, output_padding=2)
    assert [list(phase.taps) for phase in axis_phases(axis)] == [[0], [], []]
    assert [list(block.residues) for block in axis_blocks(axis)] == [[0]]


def test_taps_beyond_the_fine_grid_are_in_no_block():
    axis = Axis(1, 3, 5, (0, 2))  # one fine cell; the taps would land at 0, 1 and 2
    assert [list(block.residues) for block in axis_blocks(axis)] == [[0]]


def test_a_huge_stride_costs_no_more_blocks():
    huge = 10**18
    assert [list(block.residues) for block in axis_blocks(Axis(3, 2, huge))] == [[0, 1]]


def test_str():
    geometry = Geometry.conv_transpose((3, 3), (3, 1), stride=2)
    assert [str(phase) for phase in phases(geometry)] == [
        "(residue 0: taps 0, 2 at shifts 0, -1) x (residue 0: taps 0 at shifts 0)",
        "(residue 0: taps 0, 2 at shifts 0, -1) x (residue 1: no tap)",
        "(residue 1: taps 1 at shifts 0) x (residue 0: taps 0 at shifts 0)",
        "(residue 1: taps 1 at shifts 0) x (residue 1: no tap)",
    ]
    first, second, *_ = phases(geometry)
    assert (first.residue, first.count, first.taps) == ((0, 0), (4, 3), 2)
    assert (second.residue, second.count, second.taps) == ((0, 1), (4, 2), 0)
    assert str(phases(Geometry.conv_transpose(3, 3))[0]) == "residue 0: taps 0, 1, 2 at shifts 0, -1, -2"


def test_what_is_no_geometry():
    with pytest.raises(TypeError) as caught:
        phases(None)
    assert str(caught.value) == "phases: geometry must be a tconv.Geometry; got None"
