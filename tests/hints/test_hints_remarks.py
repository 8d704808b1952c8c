"""Remarks on what fits and is probably not meant: in a plan, and in `tconv explain`."""

import pytest

import tconv
from tconv.hints import remarks

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(
    ("x", "w", "keywords", "said"),
    [
        (
            (64, 48, 3),
            (64, 8, 3, 3),
            {},
            'x (64, 48, 3) looks like 3 channels last: if it has, layout="channels_last" ',
        ),
        ((2, 64, 48, 4), (64, 8, 3, 3), {}, "x (2, 64, 48, 4) looks like 4 channels last"),
        ((3, 48, 64), (64, 8, 3, 3), {"layout": "channels_last"}, "x (3, 48, 64) looks like 3 channels first"),
        (
            (1, 3, 64, 64),
            (3, 3, 64, 32),
            {},
            "w (3, 3, 64, 32) looks like a kernel of 3x3 first: if it is, w.transpose(",
        ),
    ],
)
def test_a_plan_says_what_looks_odd(x, w, keywords, said):
    plan = tconv.plan(x, w, method="gemm", **keywords)
    assert len(plan.remarks) == 1
    assert plan.remarks[0].startswith(said)
    assert f"\n  note: {said}" in str(plan)


def test_what_is_computed_is_not_remarked_on():
    y = tconv.plan((64, 48, 9), (8, 64, 3, 3), operation="conv", method="gemm")
    assert y.remarks == ()
    both = tconv.plan((64, 24, 3), (8, 48, 6), operation="weight_gradient", kernel_size=(2, 2), stride=2, method="gemm")
    assert both.remarks[0].startswith("x (64, 24, 3)")


@pytest.mark.parametrize(
    ("x", "w"),
    [
        ((1, 64, 32, 32), (64, 3, 4, 4)),
        ((1, 3, 4, 4), (3, 8, 3, 3)),
        ((8, 64, 4), (64, 32, 16)),  # a signal
        ((1, 64, 4, 4), (64, 3, 4, 4)),  # a small grid
        ((1, 1, 64, 64), (1, 1, 63, 63)),  # a blur
        ((1, 16, 8, 8, 8), (16, 8, 4, 4, 4)),
    ],
)
def test_usual_shapes_look_like_nothing_else(x, w):
    assert tconv.plan(x, w, method="gemm").remarks == ()


def test_sizes_with_channels_among_them():
    said = "64x48x3 has 3 axes of size; if 3 counts channels, the size is 64x48"
    assert remarks.of_size((64, 48, 3)) == said
    assert remarks.of_size((3, 64, 48)).endswith("the size is 64x48")
    said = "1x3x64x48 has 4 axes of size; if the first two are batch and channels, the size is 64x48"
    assert remarks.of_size((1, 3, 64, 48)) == said
    for size in ((64,), (64, 48), (64, 48, 16), (64, 3), (4, 4, 4), (64, 6, 3)):
        assert remarks.of_size(size) == ""
