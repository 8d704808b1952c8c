"""Parameters for sizes: known answers, huge sizes, the result as a table, wrong arguments."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from enumeration import maybe
from hypothesis import given
from hypothesis import strategies as st

from tconv import Geometry
from tconv.solving.solutions import Solution, Solutions, solve

HUGE = 10**30


def parameters(solutions):
    """Kernel, stride, padding and output padding of one axis, padding short where it is symmetric."""
    return [
        (axis.kernel, axis.stride, axis.padding[0] if len({*axis.padding}) == 1 else axis.padding, axis.output_padding)
        for solution in solutions
        for axis in solution.geometry.axes[:1]
    ]


def test_upsampling_by_2():
    found = solve(scale=2)
    assert parameters(found[:4]) == [(2, 2, 0, 0), (4, 2, 1, 0), (4, 2, (0, 2), 0), (6, 2, 2, 0)]
    symmetric_even = [s for s in found if s.is_even and s.is_symmetric]
    assert parameters(symmetric_even) == [(2, 2, 0, 0), (4, 2, 1, 0), (6, 2, 2, 0), (8, 2, 3, 0)]
    uneven = [s for s in found if not s.is_even]
    assert parameters(uneven)[:2] == [(3, 2, 1, 1), (3, 2, (0, 1), 0)]  # PyTorch's usual layer, and Keras's
    assert parameters(uneven)[-1] == (1, 2, 0, 1)  # gaps come last, small as the kernel is


def test_upsampling_by_8():
    assert parameters(solve(scale=8))[:2] == [(8, 8, 0, 0), (16, 8, 4, 0)]
    assert parameters(solve((4, 4), (32, 32)))[:2] == [(8, 8, 0, 0), (16, 8, 4, 0)]


def test_given_parameters_stay():
    assert parameters(solve(32, 64, kernel=3)) == [(3, 2, 1, 1), (3, 2, (0, 1), 0)]
    assert parameters(solve(32, 64, kernel=3, output_padding=0)) == [(3, 2, (0, 1), 0)]
    assert parameters(solve(32, 64, kernel=3, padding=1)) == [(3, 2, 1, 1)]
    assert parameters(solve(32, 64, kernel=5, padding=((3, 0),))) == [(5, 2, (3, 0), 0)]
    assert parameters(solve(32, 66, kernel=3, padding=0)) == [(3, 2, 0, 1)]
    assert parameters(solve(55, 224, kernel=11, padding=2)) == [(11, 4, 2, 1)]  # AlexNet's first layer
    assert parameters(solve(112, 224, kernel=7, padding=3)) == [(7, 2, 3, 1)]  # ResNet's
    assert parameters(solve(4, 25, kernel=4, padding=0, output_padding=0)) == [(4, 7, 0, 0)]  # no ratio says stride 7
    assert parameters(solve(32, 64, dilation=3, limit=2)) == [(2, 2, 1, 0), (2, 2, 2, 2)]


def test_kernels_up_to_4_strides_and_at_least_7():
    assert {s.geometry.kernel for s in solve(5, 5, limit=99)} == {(1,), (3,), (5,), (7,), (2,), (4,), (6,)}
    assert {s.geometry.kernel for s in solve(scale=2, limit=99)} == {(k,) for k in range(1, 9)}
    assert {s.geometry.kernel for s in solve(scale=2, max_kernel=3)} == {(1,), (2,), (3,)}


def test_a_kernel_beyond_the_bound_where_nothing_smaller_reaches():
    assert parameters(solve(1, 16, stride=1)) == [(16, 1, 0, 0)]
    assert parameters(solve(100, 50)) == [(51, 1, 50, 0)]


@given(
    coarse=st.lists(st.integers(1, 99), min_size=1, max_size=4),
    scale=st.integers(1, 9),
    kernel=maybe(st.integers(1, 20)),
    output_padding=maybe(st.just(0)),
)
def test_every_answer_has_the_sizes(coarse, scale, kernel, output_padding):
    fine = [scale * size for size in coarse]
    for solution in solve(coarse, fine, kernel=kernel, output_padding=output_padding):
        geometry = solution.geometry
        assert (geometry.coarse, geometry.fine) == (tuple(coarse), tuple(fine))
        assert Geometry.conv(fine, geometry.kernel, **geometry.keywords).coarse == tuple(coarse)
        assert set(geometry.kernel) == {kernel} or kernel is None
        assert not any(geometry.output_padding) or output_padding is None


# -- huge sizes --------------------------------------------------------------------------------------------------------


def test_huge_sizes_are_exact_and_quick():
    found = solve((HUGE, HUGE + 1), (2 * HUGE, 2 * HUGE + 3))
    assert all(s.geometry.fine == (2 * HUGE, 2 * HUGE + 3) for s in found)
    assert found[0].geometry.kernel == (4, 4)
    assert parameters(solve(1, HUGE, limit=2)) == [(HUGE, HUGE, 0, 0), (2 * HUGE, HUGE, HUGE // 2, 0)]
    assert parameters(solve(3, HUGE, kernel=HUGE // 2))
    assert parameters(solve(HUGE, 1)) == [(HUGE, 1, HUGE - 1, 0)]
    assert parameters(solve(scale=HUGE, limit=1)) == [(HUGE, HUGE, 0, 0)]


def test_a_huge_reason():
    assert solve(HUGE, HUGE, kernel=2, padding=0).reason == (
        f"with kernel 2, stride 1 (tried: 1), padding 0 coarse {HUGE} reaches fine {HUGE + 1}; "
        f"{HUGE} would take kernel 1 or padding (0, 1)"
    )


# -- the result --------------------------------------------------------------------------------------------------------

TABLES = [
    (
        lambda: solve(32, 64, limit=3),
        """
coarse 32 -> fine 64: the first 3 parameter sets, best first
   kernel  stride  padding  output padding  coverage
1       2       2        0               0  even, 1 tap a position
2       4       2        1               0  even, 2 taps a position
3       4       2   (0, 2)               0  even, 2 taps a position""",
    ),
    (
        lambda: solve((8, 32), (8, 64), kernel=3, dilation=(1, 3), output_padding=(0, 1), limit=2),
        """
coarse 8x32 -> fine 8x64: the first 2 parameter sets, best first
   kernel  stride          padding  output padding  dilation  coverage
1       3     1x2              1x3             0x1       1x3  axis 1: kernel 3 is no multiple of stride 2: \
1 in every 2 fine positions get 2 taps, the rest 1
2       3     1x2  (0, 2) x (3, 3)             0x1       1x3  axis 1: kernel 3 is no multiple of stride 2: \
1 in every 2 fine positions get 2 taps, the rest 1""",
    ),
    (
        lambda: solve((8, 8), (16, 16), kernel=1),
        """
coarse 8x8 -> fine 16x16: 1 parameter set
   kernel  stride  padding  output padding  coverage
1       1       2        0               1  kernel 1 is smaller than stride 2: \
1 in every 2 fine positions are reached by no tap""",
    ),
    (
        lambda: solve(scale=(1, 2), limit=1),
        """
fine = 1x2 * coarse: the first parameter set
   kernel  stride  padding  output padding  coverage
1     1x2     1x2        0               0  even, 1 tap a position""",
    ),
    (
        lambda: solve((8, 8), (18, 17), kernel=3, stride=3, padding=((2, 3), (-1, 8))),
        """
coarse 8x8 -> fine 18x17: no parameters
axis 0: with kernel 3, stride 3, padding (2, 3) coarse 8 reaches fine 19, 20, 21; 18 would take kernel 1""",
    ),
]


@pytest.mark.parametrize(("question", "text"), TABLES)
def test_tables(question, text):
    assert str(question()) == text.removeprefix("\n")


def test_why():
    assert solve(32, 64)[1].why == "even, 2 taps a position; kernel 4; symmetric padding; no output padding"
    assert str(solve(8, 17, kernel=2, stride=2)[0]) == (
        "fine 17 <-> coarse 8: kernel 2, stride 2, padding 0, output padding 1 (even, 1 tap a position; "
        "the last position is beyond every tap; kernel 2; symmetric padding; output padding 1)"
    )
    (crooked,) = solve((8, 8), (17, 18), kernel=2, stride=2, padding=((0, 0), (-2, 0)))
    assert crooked.why == (
        "even, 1 tap a position; the last position of axis 0 is beyond every tap; "
        "the first 2 positions of axis 1 are beyond every tap; kernel 2; asymmetric padding; output padding 1x0"
    )


def test_a_sequence():
    found = solve(32, 64)
    first, *_ = found
    assert isinstance(found, Solutions)
    assert isinstance(first, Solution)
    assert found[0] == first == found[:2][0]
    assert found[-1] == found[len(found) - 1]
    assert first in found
    assert found.index(found[3]) == 3
    assert first.geometry == Geometry.conv_transpose(32, 2, stride=2)


def test_frozen_and_hashable():
    found = solve(32, 64)
    assert hash(found) == hash(solve(32, 64))
    assert found == solve(32, 64) != solve(32, 64, limit=3)
    assert pickle.loads(pickle.dumps(found)) == copy.deepcopy(found) == found
    with pytest.raises(FrozenInstanceError):
        found.reason = "none"
    with pytest.raises(FrozenInstanceError):
        found[0].geometry = None


def test_numpy_integers_are_integers():
    found = solve(
        np.zeros((4, 4)).shape, np.int64(8), kernel=[np.int8(4), 4], max_kernel=np.int64(4), limit=np.uint8(9)
    )
    assert found == solve((4, 4), (8, 8), kernel=4, limit=9)
    assert all(type(k) is int for k in found[0].geometry.kernel)


# -- wrong arguments ---------------------------------------------------------------------------------------------------

VALUES = [
    (lambda: solve(), "coarse and fine must both be given, or scale; got coarse=None and fine=None"),
    (
        lambda: solve(32),
        "coarse and fine must both be given, or scale; got coarse=32 and fine=None\n  called with coarse=32",
    ),
    (
        lambda: solve(fine=64, kernel=3),
        "coarse and fine must both be given, or scale; got coarse=None and fine=64\n  called with fine=64, kernel=3",
    ),
    (lambda: solve(0, 64), "coarse must be an integer of at least 1; got 0\n  called with coarse=0, fine=64"),
    (
        lambda: solve((3, 0), 64),
        "coarse[1] must be an integer of at least 1; got 0\n  called with coarse=(3, 0), fine=64",
    ),
    (
        lambda: solve((3, 3), (6, 6, 6)),
        "fine must be an integer or a sequence of 2 integers, one an axis; got (6, 6, 6)\n"
        "  called with coarse=(3, 3), fine=(6, 6, 6)",
    ),
    (
        lambda: solve(scale=1.5),
        "scale must be an integer where no size is given: 3/2 holds at some sizes only\n  called with scale=1.5",
    ),
    (
        lambda: solve((32, 33), scale=1.5),
        "scale must lead to a whole size; scale * coarse = 3/2 * 33 is 99/2\n  called with coarse=(32, 33), scale=1.5",
    ),
    (
        lambda: solve(fine=49, scale=1.5),
        "scale must lead to a whole size; fine / scale = 49 / (3/2) is 98/3\n  called with fine=49, scale=1.5",
    ),
    (
        lambda: solve(32, 49, scale=1.5),
        "fine must be scale * coarse = 3/2 * 32 = 48 where all are given; got 49\n"
        "  called with coarse=32, fine=49, scale=1.5",
    ),
    (
        lambda: solve((32, 32), scale=(1.5,)),
        "scale must be a number or a sequence of 2 numbers, one an axis; got 3/2\n"
        "  called with coarse=(32, 32), scale=(1.5,)",
    ),
    (lambda: solve(scale=0), "scale must be an integer of at least 1; got 0\n  called with scale=0"),
    (lambda: solve(fine=65, scale=2), "scale must divide fine = 65; got 2\n  called with fine=65, scale=2"),
    (
        lambda: solve(3, 8, scale=2),
        "fine must be scale * coarse = 2 * 3 = 6 where all are given; got 8\n  called with coarse=3, fine=8, scale=2",
    ),
    (
        lambda: solve(scale=2, kernel=0),
        "kernel must be an integer of at least 1; got 0\n  called with scale=2, kernel=0",
    ),
    (
        lambda: solve(scale=2, stride=0),
        "stride must be an integer of at least 1; got 0\n  called with scale=2, stride=0",
    ),
    (
        lambda: solve(scale=2, dilation=0),
        "dilation must be an integer of at least 1; got 0\n  called with scale=2, dilation=0",
    ),
    (
        lambda: solve(scale=2, output_padding=-1),
        "output_padding must be an integer of at least 0; got -1\n  called with scale=2, output_padding=-1",
    ),
    (
        lambda: solve(scale=2, padding=(1, 2)),
        "padding must be one integer, or a sequence of 1 entry, one an axis, each an integer or a (low, high) pair; "
        "got (1, 2); write ((1, 2),) for a (low, high) pair\n  called with scale=2, padding=(1, 2)",
    ),
    (
        lambda: solve(scale=(2, 2), padding=(1,)),
        "padding must be one integer, or a sequence of 2 entries, one an axis, each an integer or a (low, high) pair; "
        "got (1,)\n  called with scale=(2, 2), padding=(1,)",
    ),
    (
        lambda: solve(scale=2, padding=((1, 2, 3),)),
        "padding[0] must be an integer or a (low, high) pair of them; got (1, 2, 3)\n"
        "  called with scale=2, padding=((1, 2, 3),)",
    ),
    (
        lambda: solve(scale=2, max_kernel=0),
        "max_kernel must be an integer of at least 1; got 0\n  called with scale=2, max_kernel=0",
    ),
    (
        lambda: solve(scale=(2, 2), kernel=(3, 5), max_kernel=4),
        "max_kernel must be at least kernel = 5; got 4\n  called with scale=(2, 2), kernel=(3, 5), max_kernel=4",
    ),
    (lambda: solve(scale=2, limit=0), "limit must be an integer of at least 1; got 0\n  called with scale=2"),
    (
        lambda: solve((), ()),
        "sizes and parameters must have at least 1 axis; got an empty sequence\n  called with coarse=(), fine=()",
    ),
]

TYPES = [
    (
        lambda: solve(32, 64.0),
        "fine must be an integer of at least 1; got 64.0 of type float\n  called with coarse=32, fine=64.0",
    ),
    (
        lambda: solve(scale=-0.5),
        "scale must be an integer of at least 1; got -0.5 of type float; a transposed convolution enlarges by its "
        "stride, a whole number\n  called with scale=-0.5",
    ),
    (
        lambda: solve((32, 32), scale=(1.5, "2")),
        "scale[1] must be an integer of at least 1; got '2' of type str\n"
        "  called with coarse=(32, 32), scale=(1.5, '2')",
    ),
    (
        lambda: solve(scale=2, kernel=True),
        "kernel must be an integer of at least 1; got True\n  called with scale=2, kernel=True",
    ),
    (
        lambda: solve(scale=2, padding="same"),
        "padding must be integers or (low, high) pairs of them, or left out to be found; got 'same'\n"
        "  called with scale=2, padding='same'",
    ),
    (
        lambda: solve(scale=2, padding=1.0),
        "padding must be an integer; got 1.0 of type float\n  called with scale=2, padding=1.0",
    ),
    (
        lambda: solve(scale=2, max_kernel=(3,)),
        "max_kernel must be an integer of at least 1; got (3,) of type tuple\n  called with scale=2, max_kernel=(3,)",
    ),
    (
        lambda: solve(scale=2, limit=None),
        "limit must be an integer of at least 1; got None of type NoneType\n  called with scale=2",
    ),
]


@pytest.mark.parametrize(("call", "text"), VALUES)
def test_a_wrong_value(call, text):
    with pytest.raises(ValueError) as caught:
        call()
    assert str(caught.value) == f"solve: {text}"


@pytest.mark.parametrize(("call", "text"), TYPES)
def test_a_wrong_type(call, text):
    with pytest.raises(TypeError) as caught:
        call()
    assert str(caught.value) == f"solve: {text}"


def test_a_limit_beyond_all_counting_is_no_limit():
    everything = solve(2, 4, limit=10**30)
    assert everything.are_all
    assert list(everything) == list(solve(2, 4, limit=len(everything)))
