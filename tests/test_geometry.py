"""N axes against the definition: sizes, coverage, cost; and the object itself."""

from __future__ import annotations

import copy
import pickle
from collections import Counter
from dataclasses import FrozenInstanceError
from itertools import product
from math import prod

import numpy as np
import pytest
from definition import links, links_of
from hypothesis import given
from hypothesis import strategies as st
from strategies import EDGE_CASES, GEOMETRIES, NETWORKS, TEXTBOOK, geometries

from tconv import Axis, Geometry
from tconv.geometry import Work

pytestmark = pytest.mark.quick

HUGE = 10**30


# -- the shared cases --------------------------------------------------------------------------------------------------


def test_the_shared_cases_are_small_and_different():
    cases = [*TEXTBOOK.values(), *NETWORKS.values(), *EDGE_CASES.values()]
    assert len(set(cases)) == len(cases) == len(GEOMETRIES)
    assert max(prod(geometry.fine) for geometry in cases) <= 200


@given(geometries(max_ndim=4, small=True))
def test_the_small_strategy_keeps_its_promise(geometry):
    assert prod(geometry.fine) <= 200


# -- sizes -------------------------------------------------------------------------------------------------------------


def _window(geometry):
    return {"stride": geometry.stride, "padding": geometry.padding, "dilation": geometry.dilation}


@given(geometries(max_ndim=4))
def test_every_axis_is_an_axis(geometry):
    assert geometry.ndim == len(geometry.axes)
    for name in ("fine", "coarse", "kernel", "stride", "padding", "output_padding", "dilation", "zero_inserted"):
        assert getattr(geometry, name) == tuple(getattr(axis, name) for axis in geometry.axes)
    assert geometry.fine_sizes == tuple(axis.fine_sizes for axis in geometry.axes)
    assert geometry.receptive_field == tuple(
        d * (k - 1) + 1 for k, d in zip(geometry.kernel, geometry.dilation, strict=True)
    )


@given(geometries(max_ndim=4))
def test_the_same_from_both_sides(geometry):
    up = Geometry.conv_transpose(geometry.coarse, geometry.kernel, **geometry.keywords)
    sized = Geometry.conv_transpose(geometry.coarse, geometry.kernel, **_window(geometry), output_size=geometry.fine)
    down = Geometry.conv(geometry.fine, geometry.kernel, **geometry.keywords)
    assert up == sized == down == geometry
    assert len({up, sized, down, geometry}) == 1
    if all(a < s for a, s in zip(geometry.output_padding, geometry.stride, strict=True)):
        assert Geometry.conv(geometry.fine, geometry.kernel, **_window(geometry)) == geometry


def test_one_value_for_all_axes_or_one_an_axis():
    short = Geometry.conv_transpose((3, 4), 3, stride=2, padding=1, output_padding=1, dilation=2)
    long = Geometry.conv_transpose(
        [3, 4], (3, 3), stride=[2, 2], padding=((1, 1), 1), output_padding=(1, 1), dilation=(2, 2)
    )
    assert short == long
    assert Geometry.conv_transpose(3, (3, 2)) == Geometry.conv_transpose((3, 3), (3, 2))
    assert Geometry.conv((6, 8), 3, stride=2, padding="same", output_size=(3, 4)).padding == ((0, 1), (0, 1))
    assert Geometry.conv_transpose(3, 2).ndim == 1


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_zero_inserted_convolution_gives_the_fine_size(geometry):
    assert tuple(inserted.as_axis.coarse for inserted in geometry.zero_inserted) == geometry.fine


# -- coverage ----------------------------------------------------------------------------------------------------------


@given(geometries(max_ndim=4, small=True))
def test_coverage(geometry):
    taps = Counter(o for _, _, o in links_of(geometry))
    coverage = geometry.coverage()
    assert coverage.shape == geometry.fine
    assert coverage.dtype == np.int64
    assert {o: coverage[o] for o in product(*map(range, geometry.fine))} == {
        o: taps[o] for o in product(*map(range, geometry.fine))
    }


@given(geometries())
def test_coverage_is_the_outer_product_of_its_axes(geometry):
    full = np.ones(())
    for axis in geometry.axes:
        full = np.multiply.outer(full, [axis.coverage_at(o) for o in range(axis.fine)])
    assert np.array_equal(geometry.coverage(), full)


def test_checkerboard_and_no_checkerboard():
    uneven = Geometry.conv_transpose((4, 4), 3, stride=2)
    assert uneven.coverage()[2:7, 2:7].tolist() == [
        [4, 2, 4, 2, 4],
        [2, 1, 2, 1, 2],
        [4, 2, 4, 2, 4],
        [2, 1, 2, 1, 2],
        [4, 2, 4, 2, 4],
    ]
    assert not uneven.is_even
    even = Geometry.conv_transpose((4, 4), 4, stride=2)
    assert np.unique(even.coverage()[2:-2, 2:-2]).tolist() == [4]
    assert even.is_even


@given(geometries())
def test_even_means_every_axis_is(geometry):
    assert geometry.is_even == all(axis.is_even for axis in geometry.axes)
    assert geometry.is_even == (geometry.unevenness == "")


def test_unevenness_names_the_axis():
    reason = "kernel 3 is no multiple of stride 2: 1 in every 2 fine positions get 2 taps, the rest 1"
    assert Geometry.conv_transpose(4, 3, stride=2).unevenness == reason
    assert Geometry.conv_transpose((4, 4), (4, 3), stride=2).unevenness == f"axis 1: {reason}"
    assert Geometry.conv_transpose((4, 4), 3, stride=2).unevenness == f"axis 0: {reason}; axis 1: {reason}"


# -- cost --------------------------------------------------------------------------------------------------------------


def test_work_of_one_case_by_hand():
    # 3 coarse cells, kernel 3, stride 2, padding 1, 5 fine cells: 9 pairs less one cropped at either end leave 7.
    # 4 x 6 channels in 2 groups: 2 * (2 * 3) = 12 channel pairs. Zero insertion: 3 taps at each of 5 positions.
    work = Geometry.conv_transpose(3, 3, stride=2, padding=1).work(4, 6, batch=10, groups=2, itemsize=8)
    assert work.multiplications == 10 * 12 * 7
    assert work.flops == 2 * 10 * 12 * 7
    assert work.zero_insertion_multiplications == 10 * 12 * 15
    assert work.wasted == 10 * 12 * 8
    assert work.bytes == 8 * (10 * (4 * 3 + 6 * 5) + 12 * 3)


@given(
    geometry=geometries(small=True),
    batch=st.integers(0, 3),
    groups=st.integers(1, 3),
    cin=st.integers(1, 3),
    cout=st.integers(1, 3),
)
def test_work_is_what_the_loops_do(geometry, batch, groups, cin, cout):
    channel_pairs = sum(1 for i, o in product(range(groups * cin), range(groups * cout)) if i // cin == o // cout)
    work = geometry.work(groups * cin, groups * cout, batch=batch, groups=groups)
    assert work.multiplications == batch * channel_pairs * len(links_of(geometry))
    inserted = [len(list(product(range(axis.fine), range(axis.kernel)))) for axis in geometry.axes]
    assert work.zero_insertion_multiplications == batch * channel_pairs * prod(inserted)
    grids = batch * groups * (cin * prod(geometry.coarse) + cout * prod(geometry.fine))
    assert work.bytes == 4 * (grids + channel_pairs * prod(geometry.kernel))
    assert work.wasted >= 0


def test_work_of_one_channel_by_default():
    geometry = Geometry.conv_transpose((2, 2), 2)
    assert geometry.work() == Work(16, 36, 4 * (4 + 9 + 4))
    assert geometry.work() == geometry.work(1, 1, batch=1, groups=1, itemsize=4)


# -- huge sizes --------------------------------------------------------------------------------------------------------


def test_huge_sizes_are_exact():
    geometry = Geometry.conv_transpose((HUGE, HUGE + 1), 4, stride=2, padding=1)
    assert geometry.fine == (2 * HUGE, 2 * HUGE + 2)
    assert geometry == Geometry.conv((2 * HUGE, 2 * HUGE + 2), 4, stride=2, padding=1)
    assert geometry.work(3, 5).multiplications == 15 * (4 * HUGE - 2) * (4 * HUGE + 2)
    assert geometry.is_even
    assert str(geometry) == (
        f"fine {2 * HUGE}x{2 * HUGE + 2} <-> coarse {HUGE}x{HUGE + 1}: kernel 4, stride 2, padding 1"
    )


# -- the object --------------------------------------------------------------------------------------------------------


def test_frozen():
    with pytest.raises(FrozenInstanceError):
        Geometry.conv(5, 3).axes = ()


@given(geometries(max_ndim=4))
def test_copies_and_repr(geometry):
    assert pickle.loads(pickle.dumps(geometry)) == geometry
    assert copy.deepcopy(geometry) == copy.copy(geometry) == geometry
    assert eval(repr(geometry)) == geometry
    assert Geometry(list(geometry.axes)) == geometry


def test_numpy_integers_are_integers():
    geometry = Geometry.conv_transpose(
        np.zeros((3, 4)).shape, np.int64(3), stride=(np.int32(2), 2), padding=np.int8(1), output_padding=np.uint8(1)
    )
    assert geometry == Geometry.conv_transpose((3, 4), 3, stride=2, padding=1, output_padding=1)


def test_unlike_geometries_are_unequal():
    assert Geometry.conv((5, 6), 3) != Geometry.conv((6, 5), 3)
    assert Geometry.conv(5, 3) != Axis.conv(5, 3)


def test_repr():
    text = (
        "Geometry.conv_transpose((3, 4), (3, 2), stride=(2, 1), padding=((1, 0), (0, 0)), output_padding=(1, 0), "
        "dilation=(1, 1))"
    )
    geometry = Geometry.conv_transpose((3, 4), (3, 2), stride=(2, 1), padding=((1, 0), 0), output_padding=(1, 0))
    assert repr(geometry) == text


@pytest.mark.parametrize(
    ("geometry", "text"),
    [
        (Geometry.conv(5, 3), "fine 5 <-> coarse 3: kernel 3, stride 1, padding 0"),
        (
            TEXTBOOK["padding, strides, one left over"],
            "fine 6x6 <-> coarse 3x3: kernel 3, stride 2, padding 1, output padding 1",
        ),
        (
            NETWORKS["video, frames kept"],
            "fine 3x6x8 <-> coarse 3x3x4: kernel 3x4x4, stride 1x2x2, padding 1",
        ),
        (NETWORKS["Keras, kernel 3, same"], "fine 10x8 <-> coarse 5x4: kernel 3, stride 2, padding (0, 1)"),
        (
            EDGE_CASES["axes that share nothing"],
            "fine 5x3x9 <-> coarse 2x3x2: kernel 3x1x2, stride 2x1x3, padding (1, 0) x (0, 0) x (-1, 1), "
            "output padding 1x0x2, dilation 1x2x3",
        ),
    ],
)
def test_str(geometry, text):
    assert str(geometry) == text


def test_keywords_are_those_of_the_operations():
    assert NETWORKS["video, frames kept"].keywords == {
        "stride": (1, 2, 2),
        "padding": ((1, 1), (1, 1), (1, 1)),
        "output_padding": (0, 0, 0),
        "dilation": (1, 1, 1),
    }
    assert all(len(links(axis)) == axis.pairs for axis in NETWORKS["video, frames kept"].axes)
