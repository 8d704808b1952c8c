"""The axes of the engine tie the cells that the definition ties, whichever operation reads them."""

import pytest
from definition import links
from hypothesis import given
from hypothesis import strategies as st
from strategies import axes

import tconv
from tconv.jit.schedules.axes import by_shift, inside, phase_taps, residues, shifts, strand_shifts, strands
from tconv.jit.schedules.layouts import layout_of, spread_out
from tconv.problem import OPERATIONS, Problem

pytestmark = pytest.mark.quick

operations = st.sampled_from(OPERATIONS)


def line_of(axis, operation):
    problem = Problem(operation, tconv.Geometry([axis]), 2, 3, 5, 1, "float32")
    return spread_out(problem, False).axes[-1]


def tied(axis, operation):
    """Every (cell that is read, tap, position that is written)."""
    return {(c, t, o) if operation == "conv_transpose" else (o, t, c) for c, t, o in links(axis)}


def by_line(line, origin=0):
    """The same, from its phases and shifts, and whether some tap reads beside x."""
    found = [
        (q * line.read_stride + shift, tap, q * line.stride + b - origin)
        for b, taps in enumerate(phase_taps(line, origin))
        for tap, shift in taps
        for q in range(line.first(b, origin), line.end(b, origin))
    ]
    return {link for link in found if 0 <= link[0] < line.read}, any(not 0 <= link[0] < line.read for link in found)


@given(axes(), operations)
def test_lines_tie_what_the_definition_ties(axis, operation):
    line = line_of(axis, operation)
    found, beside = by_line(line)
    assert found == tied(axis, operation)
    assert inside(line) != beside


@given(axes(), operations)
def test_strands_hold_every_shift_once(axis, operation):
    line = line_of(axis, operation)
    found = [
        ((strand.first + m) * line.read_stride + strand.residue, tap_of)
        for strand in strands(line)
        for m, tap_of in strand.taps
    ]
    assert dict(found) == by_shift(line)
    assert len(found) == len(by_shift(line))
    assert [strand.taps[0][0] for strand in strands(line)] == [0] * len(residues(line))
    of_strands = {shift // line.read_stride for shift in by_shift(line)}
    assert (min(of_strands), max(of_strands) + 1) == (strand_shifts(line).start, strand_shifts(line).stop)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_taps_do_is_kept_for_a_layer_at_every_size(operation):
    one, other = (line_of(tconv.Axis(n, 4, 2, (1, 2)), operation) for n in (7, 90))
    assert one != other
    for asked in (phase_taps, shifts, by_shift, strands, residues, strand_shifts):
        assert asked(one) is asked(other)


def test_conv_has_one_phase_and_cells_a_stride_apart():
    axis = tconv.Axis.conv(8, 4, stride=2, padding=1)
    line = line_of(axis, "conv")
    assert (line.read, line.written, line.stride, line.read_stride) == (8, 4, 1, 2)
    assert phase_taps(line) == (((0, -1), (1, 0), (2, 1), (3, 2)),)
    assert shifts(line) == range(-1, 3)
    assert strands(line) == ((0, 0, ((0, {0: 1}), (1, {0: 3}))), (1, -1, ((0, {0: 0}), (1, {0: 2}))))


def test_images_of_single_cells_are_joined():
    for operation, read, written in (("conv_transpose", 5, 60), ("conv", 60, 5)):
        problem = Problem(operation, tconv.Geometry.conv_transpose((1, 1), (4, 3)), 5, 7, 9, 1, "float32")
        line = layout_of(problem, False).axes[-1]
        assert (line.read, line.written) == (read, written)
        assert by_line(line)[0] == {
            (image, tap, 12 * image + tap) if operation == "conv_transpose" else (12 * image + tap, tap, image)
            for image in range(5)
            for tap in range(12)
        }
