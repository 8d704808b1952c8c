"""One axis against its definition: sizes, which cells touch which, coverage, the zero-inserted convolution."""

from __future__ import annotations

import copy
import pickle
from collections import Counter
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from definition import links, windows
from hypothesis import assume, example, given
from hypothesis import strategies as st
from strategies import axes

from tconv import Axis
from tconv.axis import settled

pytestmark = pytest.mark.quick

HUGE = 10**30
kernels, strides, sizes = st.integers(1, 9), st.integers(1, 7), st.integers(1, 40)


# -- sizes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fine", "kernel", "stride", "padding", "coarse"),
    [
        (5, 3, 2, 1, 3),
        (6, 3, 2, 1, 3),
        (4, 3, 1, 0, 2),
        (5, 4, 1, 2, 6),  # arbitrary padding
        (5, 3, 1, 1, 5),  # half ("same") padding
        (5, 3, 1, 2, 7),  # full padding
        (5, 3, 2, 0, 2),
        (224, 11, 4, 2, 55),  # AlexNet
        (224, 7, 2, 3, 112),  # ResNet
        (64, 4, 2, 1, 32),  # DCGAN
    ],
)
def test_textbook_sizes(fine, kernel, stride, padding, coarse):
    axis = Axis.conv(fine, kernel, stride=stride, padding=padding)
    assert (axis.coarse, axis.fine) == (coarse, fine)


def test_the_transpose_of_a_convolution_as_a_direct_one():
    # i = 4, k = 3, s = 1, p = 0 gives 2; back: i' = 2, k' = 3, s' = 1, p' = 2 gives 4
    inserted = Axis.conv_transpose(2, 3).zero_inserted
    assert (inserted.stretched, inserted.inserted_zeros, inserted.kernel, inserted.padding) == (2, 0, 3, (2, 2))
    assert inserted.as_axis == Axis.conv(2, 3, padding=2)
    assert inserted.as_axis.coarse == 4


def test_the_transpose_of_a_strided_convolution_as_a_fractionally_strided_one():
    # i = 5, k = 3, s = 2, p = 1 gives 3; back: i' = 3 with one zero between neighbours, p' = 1, gives 5
    inserted = Axis.conv_transpose(3, 3, stride=2, padding=1).zero_inserted
    assert (inserted.stretched, inserted.inserted_zeros, inserted.padding, inserted.extra) == (5, 1, (1, 1), 0)
    assert inserted.as_axis.coarse == 5


@given(coarse=sizes, kernel=kernels, stride=strides, padding=st.integers(0, 4))
def test_the_textbook_formula(coarse, kernel, stride, padding):
    fine = stride * (coarse - 1) + kernel - 2 * padding
    assume(fine >= 1)
    axis = Axis.conv_transpose(coarse, kernel, stride=stride, padding=padding)
    assert axis.fine == fine
    assert axis.zero_inserted.padding == (kernel - padding - 1, kernel - padding - 1)


@given(fine=sizes, kernel=kernels, stride=strides, low=st.integers(-3, 9), high=st.integers(-3, 9), d=st.integers(1, 4))
def test_conv_counts_the_places_where_the_kernel_fits(fine, kernel, stride, low, high, d):
    places = windows(fine, kernel, stride, (low, high), d)
    assume(places > 0)
    axis = Axis.conv(fine, kernel, stride=stride, padding=(low, high), dilation=d)
    assert (axis.coarse, axis.fine) == (places, fine)
    assert 0 <= axis.output_padding < stride


@given(axes())
def test_conv_is_the_way_back(axis):
    window = {"stride": axis.stride, "padding": axis.padding, "dilation": axis.dilation}
    if axis.output_padding < axis.stride:
        assert Axis.conv(axis.fine, axis.kernel, **window) == axis
    # beyond a stride (dilation > stride) the output padding or the size must be said
    assert Axis.conv(axis.fine, axis.kernel, **window, output_padding=axis.output_padding) == axis
    assert Axis.conv(axis.fine, axis.kernel, **window, output_size=axis.coarse) == axis


@given(axes())
def test_output_size_names_the_output_padding(axis):
    window = {"stride": axis.stride, "padding": axis.padding, "dilation": axis.dilation}
    assert Axis.conv_transpose(axis.coarse, axis.kernel, **window, output_size=axis.fine) == axis
    assert Axis.conv_transpose(axis.coarse, axis.kernel, **window, output_padding=axis.output_padding) == axis


def test_two_fine_sizes_share_a_coarse_one():
    five, six = (Axis.conv(fine, 3, stride=2, padding=1) for fine in (5, 6))
    assert (five.coarse, five.output_padding) == (3, 0)
    assert (six.coarse, six.output_padding) == (3, 1)
    assert five.fine_sizes == six.fine_sizes == range(5, 7)


@given(axis=axes())
def test_every_stride_has_as_many_inverse_sizes(axis):
    def reaches(fine):
        return windows(fine, axis.kernel, axis.stride, axis.padding, axis.dilation) == axis.coarse

    shared = [fine for fine in range(1, axis.fine + axis.stride + 1) if reaches(fine)]
    assert list(axis.fine_sizes) == shared
    if axis.fine - axis.output_padding >= 1:  # none of them falls below one cell
        assert len(shared) == axis.stride


@given(fine=sizes, kernel=kernels, stride=strides, dilation=st.integers(1, 4))
def test_same_and_valid_from_the_fine_side(fine, kernel, stride, dilation):
    span = dilation * (kernel - 1) + 1
    same = Axis.conv(fine, kernel, stride=stride, dilation=dilation, padding="same")
    coarse = -(-fine // stride)
    total = max((coarse - 1) * stride + span - fine, 0)  # TensorFlow's formula, the odd cell at the end
    assert (same.coarse, same.fine, same.padding) == (coarse, fine, (total // 2, total - total // 2))
    if span <= fine:
        valid = Axis.conv(fine, kernel, stride=stride, dilation=dilation, padding="valid")
        assert valid == Axis.conv(fine, kernel, stride=stride, dilation=dilation, padding=0)
        assert valid.coarse == -(-(fine - span + 1) // stride)  # TensorFlow's formula


@given(coarse=sizes, kernel=kernels, stride=strides, dilation=st.integers(1, 4))
def test_same_and_valid_from_the_coarse_side(coarse, kernel, stride, dilation):
    window = {"stride": stride, "dilation": dilation}
    same = Axis.conv_transpose(coarse, kernel, **window, padding="same")
    valid = Axis.conv_transpose(coarse, kernel, **window, padding="valid")
    assert same.fine == coarse * stride
    assert valid.fine == coarse * stride + max(dilation * (kernel - 1) + 1 - stride, 0)  # Keras's formula
    assert Axis.conv(same.fine, kernel, **window, padding="same") == same
    assert valid.padding == (0, 0)


@given(coarse=sizes, kernel=kernels, stride=strides)
def test_same_with_another_size(coarse, kernel, stride):
    for fine in range((coarse - 1) * stride + 1, coarse * stride + 1):
        axis = Axis.conv_transpose(coarse, kernel, stride=stride, padding="same", output_size=fine)
        assert axis == Axis.conv(fine, kernel, stride=stride, padding="same")


# -- which cells touch which -------------------------------------------------------------------------------------------


@given(axes())
def test_projective_field(axis):
    written = {c: [o for cell, _, o in links(axis) if cell == c] for c in range(axis.coarse)}
    assert {c: list(axis.projective_field(c)) for c in range(axis.coarse)} == written


@given(axes())
def test_receptive_field_and_coverage(axis):
    read = {o: sorted(c for c, _, cell in links(axis) if cell == o) for o in range(axis.fine)}
    assert {o: list(axis.receptive_field(o)) for o in range(axis.fine)} == read
    assert [axis.coverage_at(o) for o in range(axis.fine)] == [len(read[o]) for o in range(axis.fine)]


@given(axes())
def test_pairs(axis):
    cells = {t: [c for c, tap, _ in links(axis) if tap == t] for t in range(axis.kernel)}
    assert {t: list(axis.pairs_of_tap(t)) for t in range(axis.kernel)} == cells
    assert axis.pairs == len(links(axis))


@given(axes())
def test_taps_of_a_phase(axis):
    for residue in range(axis.stride):
        reaching = [t for t in range(axis.kernel) if (residue + axis.padding[0] - t * axis.dilation) % axis.stride == 0]
        assert list(axis.taps_of_phase(residue)) == reaching


@given(axes())
@example(Axis(4, 4, 2, (1, 1)))
@example(Axis(4, 3, 2, (1, 1)))
def test_coverage_far_from_the_border(axis):
    reach = axis.effective_kernel // axis.stride + 1
    long = Axis(2 * reach + 3 * axis.stride, axis.kernel, axis.stride, (0, 0), 0, axis.dilation)
    taps = Counter(o for _, _, o in links(long))
    first = reach * axis.stride  # from here on for three strides, no tap of any cell is missing
    interior = [taps[o] for o in range(first, first + 3 * axis.stride)]
    assert interior == list(long.taps_per_phase) * 3
    assert axis.is_even == (len(set(interior)) == 1)
    assert axis.is_even == (axis.unevenness == "")
    assert sorted(axis.taps_per_phase) == sorted(long.taps_per_phase)  # padding only turns the pattern


def test_unevenness_is_explained():
    assert Axis(8, 4, 2).unevenness == ""
    assert (
        Axis(8, 2, 3).unevenness
        == "kernel 2 is smaller than stride 3: 1 in every 3 fine positions are reached by no tap"
    )
    assert (
        Axis(8, 5, 3).unevenness
        == "kernel 5 is no multiple of stride 3: 2 in every 3 fine positions get 2 taps, the rest 1"
    )
    assert (
        Axis(8, 4, 4, dilation=2).unevenness
        == "stride 4 and dilation 2 share the factor 2: only one in 2 fine positions is reached"
    )


@given(axis=axes(), data=st.data())
def test_the_zero_inserted_convolution_computes_the_same(axis, data):
    numbers = st.integers(-9, 9)
    x = np.array(data.draw(st.lists(numbers, min_size=axis.coarse, max_size=axis.coarse)))
    w = np.array(data.draw(st.lists(numbers, min_size=axis.kernel, max_size=axis.kernel)))
    wanted = np.zeros(axis.fine, int)
    for c, t, o in links(axis):
        wanted[o] += x[c] * w[t]
    assert zero_inserted_convolution(axis, x, w).tolist() == wanted.tolist()
    assert axis.zero_inserted.as_axis.coarse == axis.fine


def zero_inserted_convolution(axis, x, w):
    plan = axis.zero_inserted
    stretched = np.zeros(plan.stretched, int)
    stretched[:: plan.inserted_zeros + 1] = x
    low, high = plan.padding[0], plan.padding[1] + plan.extra
    padded = np.pad(stretched, (max(low, 0), max(high, 0)))
    padded = padded[max(-low, 0) : len(padded) - max(-high, 0)]
    spread = np.zeros(plan.dilation * (plan.kernel - 1) + 1, int)
    spread[:: plan.dilation] = w[::-1]
    return np.correlate(padded, spread, "valid")


# -- huge sizes --------------------------------------------------------------------------------------------------------


def test_huge_sizes_are_exact():
    axis = Axis.conv_transpose(HUGE, 4, stride=2, padding=1)
    assert axis.fine == 2 * HUGE
    assert axis == Axis.conv(2 * HUGE, 4, stride=2, padding=1)
    assert axis.fine_sizes == range(2 * HUGE, 2 * HUGE + 2)
    assert axis.pairs == 4 * HUGE - 2  # the first tap of the first cell and the last of the last are cropped
    assert axis.projective_field(HUGE - 1) == range(2 * HUGE - 3, 2 * HUGE)
    assert axis.receptive_field(HUGE) == range(HUGE // 2 - 1, HUGE // 2 + 1)
    assert axis.coverage_at(0) == 1
    assert axis.coverage_at(HUGE) == 2
    assert axis.zero_inserted.as_axis.coarse == 2 * HUGE


def test_huge_parameters_are_exact():
    axis = Axis(HUGE, HUGE + 2, HUGE, (HUGE, 1 - HUGE), HUGE - 1, dilation=1)
    assert axis.fine == (HUGE - 1) * HUGE - 1 + HUGE + 2 + HUGE - 1
    assert axis.unevenness == (
        f"kernel {HUGE + 2} is no multiple of stride {HUGE}: 2 in every {HUGE} fine positions get 2 taps, the rest 1"
    )
    assert axis.taps_of_phase(1) == range(1, HUGE + 2, HUGE)
    assert axis.projective_field(0) == range(2)
    assert axis.receptive_field(0) == range(2)


# -- the object --------------------------------------------------------------------------------------------------------


def test_equal_from_both_sides_and_hashable():
    down, up = Axis.conv(6, 3, stride=2, padding=1), Axis.conv_transpose(3, 3, stride=2, padding=1, output_padding=1)
    assert down == up
    assert len({down, up}) == 1
    assert down != Axis.conv(5, 3, stride=2, padding=1)


def test_frozen():
    with pytest.raises(FrozenInstanceError):
        Axis(3, 3).coarse = 4


@given(axes())
def test_copies_and_repr(axis):
    assert pickle.loads(pickle.dumps(axis)) == axis
    assert copy.deepcopy(axis) == copy.copy(axis) == axis
    assert eval(repr(axis)) == axis


@given(axes())
def test_numpy_integers_are_integers(axis):
    low, high = axis.padding
    same = Axis(
        np.int64(axis.coarse),
        np.int32(axis.kernel),
        np.uint8(axis.stride),
        [np.int16(low), np.int64(high)],
        np.int64(axis.output_padding),
        np.int8(axis.dilation),
    )
    assert same == axis
    assert hash(same) == hash(axis)
    assert type(same.coarse) is type(same.padding[0]) is int


@pytest.mark.parametrize(
    ("axis", "text"),
    [
        (Axis(3, 3), "fine 5 <-> coarse 3: kernel 3, stride 1, padding 0"),
        (Axis(3, 3, 2, 1, 1), "fine 6 <-> coarse 3: kernel 3, stride 2, padding 1, output padding 1"),
        (Axis(3, 3, 2, (0, -1), 0, 2), "fine 10 <-> coarse 3: kernel 3, stride 2, padding (0, -1), dilation 2"),
    ],
)
def test_str(axis, text):
    assert str(axis) == text


def test_huge_kernels_are_counted_and_not_listed():
    axis = Axis(10**30, 10**25, 2)
    assert axis.coverage_at(10**29) == 5 * 10**24
    assert axis.taps_per_phase == (5 * 10**24, 5 * 10**24)
    assert axis.pairs == 10**55


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda a: a.taps_of_phase(2), "Axis.taps_of_phase: residue must be less than 2; got 2"),
        (
            lambda a: a.taps_of_phase("a"),
            "Axis.taps_of_phase: residue must be an integer of at least 0; got 'a' of type str",
        ),
        (lambda a: a.pairs_of_tap(3), "Axis.pairs_of_tap: tap must be less than 3; got 3"),
        (lambda a: a.coverage_at(9), "Axis.coverage_at: fine_index must be less than 9; got 9"),
        (lambda a: a.receptive_field(-1), "Axis.receptive_field: fine_index must be an integer of at least 0; got -1"),
    ],
)
def test_positions_that_are_not_there(call, text):
    with pytest.raises((ValueError, TypeError)) as caught:
        call(Axis(4, 3, 2))
    assert str(caught.value) == text


@given(axes())
def test_an_axis_that_was_settled_is_the_one_that_is_checked(axis):
    a = settled(axis.coarse, axis.kernel, axis.stride, axis.padding, axis.output_padding, axis.dilation)
    assert (a, a.fine, hash(a), repr(a)) == (axis, axis.fine, hash(axis), repr(axis))
    assert pickle.loads(pickle.dumps(a)).fine == axis.fine
