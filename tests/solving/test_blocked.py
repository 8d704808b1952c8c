"""Why there is no answer: the full text, and that what it says is true."""

from __future__ import annotations

import pytest
from enumeration import fixed_parameters, sizes
from hypothesis import assume, given
from hypothesis import strategies as st

from tconv.solving.blocked import reached
from tconv.solving.solutions import _questions, solve


@given(coarse=sizes, fine=st.integers(1, 30), fixed=fixed_parameters())
def test_a_reason_exactly_where_there_is_no_answer(coarse, fine, fixed):
    found = solve(coarse, fine, **fixed)
    assert bool(found) == (found.reason == "") == (len(found) > 0)


REASONS = [
    (
        lambda: solve(32, 70, kernel=3, stride=2, padding=1),
        "with kernel 3, stride 2, padding 1 coarse 32 reaches fine 63, 64; 70 would take kernel 9",
    ),
    (
        lambda: solve(32, 70, kernel=3, padding=1),
        "with kernel 3, stride 2 (tried: 2, 3), padding 1 coarse 32 reaches fine 63, 64; 70 would take kernel 9",
    ),
    (
        lambda: solve(32, 64, kernel=3, padding=1, output_padding=0),
        "with kernel 3, stride 2 (tried: 2), padding 1, output_padding 0 coarse 32 reaches fine 63; "
        "64 would take kernel 4 or padding (0, 1) or output_padding 1",
    ),
    (
        lambda: solve(32, 64, kernel=4, stride=2, padding=0),
        "with kernel 4, stride 2, padding 0 coarse 32 reaches fine 66, 67; 64 would take kernel 2 or padding 1",
    ),
    (
        lambda: solve(8, 64, kernel=3, stride=2),
        "with kernel 3, stride 2 coarse 8 reaches fine 13, 14, 15, 16, 17, 18; 64 would take kernel 49 or stride 8",
    ),
    (
        lambda: solve(5, 40, kernel=3, dilation=4, stride=2),
        "with kernel 3, stride 2, dilation 4 coarse 5 reaches fine 1 to 20; 40 would take kernel 8 or stride 8",
    ),
    (
        lambda: solve(4, 4, padding=((-5, 0),)),
        "with stride 1 (tried: 1), padding (-5, 0) coarse 4 reaches fine 9 and more; 4 would take padding 0",
    ),
    (
        lambda: solve(4, 20, stride=2, padding=0, output_padding=0, dilation=3),
        "with stride 2, padding 0, output_padding 0, dilation 3 coarse 4 reaches fine 7 and more in steps of 3; "
        "20 would take padding 1 or output_padding 1 or dilation 1",
    ),
    (  # sizes below 1 are none
        lambda: solve(1, 4, stride=1, padding=2, output_padding=0, dilation=3),
        "with stride 1, padding 2, output_padding 0, dilation 3 coarse 1 reaches fine 3 and more in steps of 3; "
        "4 would take padding 0 or output_padding 1 or dilation 1",
    ),
    (
        lambda: solve(32, 33, stride=4, max_kernel=3),
        "with stride 4, max_kernel 3 coarse 32 reaches fine 123, 124, 125, 126, 127, 128, 129, 130; "
        "33 would take stride 1 or max_kernel 93",
    ),
    (
        lambda: solve(5, 2, kernel=1, stride=3, padding=0),
        "with kernel 1, stride 3, padding 0 coarse 5 reaches fine 13, 14, 15; "
        "no change of one of them was found that reaches 2",
    ),
    (
        lambda: solve(2, 1, kernel=1, stride=1, padding=9),
        "with kernel 1, stride 1, padding 9 coarse 2 reaches no fine size; 1 would take kernel 18 or stride 18",
    ),
    # -- several axes: the first that has none
    (
        lambda: solve((8, 32, 32), (16, 70, 71), kernel=4, stride=2, padding=1),
        "axis 1: with kernel 4, stride 2, padding 1 coarse 32 reaches fine 64, 65; 70 would take kernel 9",
    ),
    # -- for every coarse size
    (
        lambda: solve(scale=2, kernel=3, padding=1, output_padding=0),
        "with kernel 3, stride 2, padding 1, output_padding 0 fine is 2 * coarse + n with n = -1; "
        "n = 0 would take kernel 4 or padding (0, 1) or output_padding 1",
    ),
    (
        lambda: solve(32, scale=2, kernel=1, padding=5),
        "with kernel 1, stride 2, padding 5 fine is 2 * coarse + n with n = -11, -10; "
        "n = 0 would take kernel 11 or padding 0",
    ),
    (lambda: solve(32, scale=2, stride=3), "fine = 2 * coarse for every coarse size takes stride 2; stride is 3"),
    # -- no stride leaves room for the output padding
    (
        lambda: solve(32, 64, output_padding=3),
        "output_padding must be less than max(stride, dilation) = max(2, 1) = 2; it is 3",
    ),
    (
        lambda: solve(scale=2, output_padding=3, dilation=3),
        "output_padding must be less than max(stride, dilation) = max(2, 3) = 3; it is 3",
    ),
]


@pytest.mark.parametrize(("question", "text"), REASONS)
def test_reasons(question, text):
    found = question()
    assert not found
    assert found.reason == text


@given(coarse=sizes, fine=st.integers(1, 30), fixed=fixed_parameters(), stride=st.integers(1, 4))
def test_the_sizes_that_a_reason_names_are_those_that_are_reached(coarse, fine, fixed, stride):
    (question,) = _questions(
        coarse=coarse, fine=fine, scale=None, **({"max_kernel": None} | fixed | {"stride": stride})
    )
    assume(question.strides)
    assume(question.kernel or question.max_kernel or question.padding)
    said = reached(question, stride)
    for size in range(1, 60):
        assert (size in said) == bool(solve(coarse, size, **(fixed | {"stride": stride})))


@given(coarse=sizes, fine=st.integers(1, 30), fixed=fixed_parameters())
def test_what_a_reason_proposes_helps(coarse, fine, fixed):
    found = solve(coarse, fine, **fixed)
    assume("would take" in found.reason)
    proposals = found.reason.split(" would take ")[1].split(" or ")
    for proposal in proposals:
        name, value = proposal.split(" ", 1)
        assert name in fixed
        assert solve(coarse, fine, **(fixed | {name: (eval(value),) if "," in value else int(value)}))
