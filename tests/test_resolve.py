"""From arguments to axes: how many axes there are, and the two grids of a weight gradient."""

from __future__ import annotations

import pytest
from hypothesis import given
from strategies import geometries

from tconv import resolve
from tconv.checks import Rejected

pytestmark = pytest.mark.quick


def window(size, kernel=3, stride=1, padding=0, dilation=1):
    return resolve.window(size, kernel, stride, padding, dilation, "fine")


@pytest.mark.parametrize(
    ("size", "kernel", "ndim"), [(5, 3, 1), ((5,), 3, 1), ((5, 5), 3, 2), (5, (3, 3, 3), 3), ((5, 5), (3, 3), 2)]
)
def test_size_or_kernel_say_how_many_axes_there_are(size, kernel, ndim):
    found = window(size, kernel)
    assert found == ((5,) * ndim, (3,) * ndim, (1,) * ndim, ((0, 0),) * ndim, (1,) * ndim)


def test_nothing_else_says_so():
    with pytest.raises(Rejected) as caught:
        window(5, 3, stride=(1, 2))
    assert str(caught.value) == "stride must be an integer or a sequence of 1 integer, one an axis; got (1, 2)"


def test_words_stay_words_until_an_axis_is_settled():
    assert window((5, 6), padding="same").padding == ("same", "same")
    assert [axis.padding for axis in resolve.conv(window((5, 6), stride=2, padding="same"), None, None)] == [
        (1, 1),
        (0, 1),
    ]


@given(geometries())
def test_both_grids_of_a_weight_gradient_settle_the_output_padding(geometry):
    coarse = resolve.AxisArguments(
        geometry.coarse, geometry.kernel, geometry.stride, geometry.padding, geometry.dilation
    )
    assert resolve.between(coarse, geometry.fine) == geometry.axes


def test_grids_that_do_not_belong_together():
    coarse = window((3, 3), stride=2, padding=1)
    with pytest.raises(Rejected) as caught:
        resolve.between(coarse, (5, 7))
    assert caught.value.kind is ValueError
    assert str(caught.value) == ("the size of y must be one of 5, 6 for size 3 of x; got 7 (axis 1)")
