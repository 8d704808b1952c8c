"""Enlarging pictures: against PyTorch, SciPy and Pillow, strips against the whole, and wrong arguments."""

import sys

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from tconv.upsample import STRIP, planned, upsample

Image = pytest.importorskip("PIL.Image", exc_type=ModuleNotFoundError)

#: The module by its name: `tconv.upsample` may be the function.
MODULE = sys.modules["tconv.upsample"]
RNG = np.random.default_rng(3)


def noise(*shape, dtype=np.uint8):
    return RNG.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


@given(rows=st.integers(1, 9), columns=st.integers(1, 9), scale=st.integers(1, 6))
def test_bilinear_is_that_of_pytorch_up_to_the_edge(rows, columns, scale):
    torch = pytest.importorskip("torch", exc_type=ModuleNotFoundError)
    picture = RNG.random((rows, columns))
    expected = torch.nn.functional.interpolate(
        torch.as_tensor(picture)[None, None], scale_factor=scale, mode="bilinear", align_corners=False
    )
    assert_allclose(upsample(picture, scale), expected[0, 0].numpy(), atol=1e-12)


@given(rows=st.integers(1, 9), columns=st.integers(1, 9), scale=st.integers(1, 6))
def test_nearest_repeats_every_cell(rows, columns, scale):
    picture = noise(rows, columns, 2)
    assert_array_equal(upsample(picture, scale, "nearest"), picture.repeat(scale, 0).repeat(scale, 1))


@pytest.mark.parametrize("scale", [2, 3, 5])
def test_bilinear_is_that_of_scipy(scale):
    picture = RNG.random((7, 8))
    expected = scipy.ndimage.zoom(picture, scale, order=1, mode="nearest", grid_mode=True)
    assert_allclose(upsample(picture, scale), expected, atol=1e-12)


@pytest.mark.parametrize("scale", [2, 3, 5])
def test_bicubic_is_that_of_pillow_away_from_the_edge(scale):
    picture = RNG.random((9, 8)).astype(np.float32)
    expected = Image.fromarray(picture).resize((8 * scale, 9 * scale), Image.Resampling.BICUBIC)
    inner = (slice(2 * scale, -2 * scale),) * 2
    assert_allclose(upsample(picture, scale, "bicubic")[inner], np.asarray(expected)[inner], atol=1e-5)


@pytest.mark.parametrize("kernel", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("scale", [1, 2, 3, 4, 7])
def test_a_constant_picture_stays_constant_up_to_the_edge(kernel, scale):
    assert_array_equal(upsample(np.full((3, 5, 3), 200, np.uint8), scale, kernel), 200)
    assert_array_equal(upsample(np.full((3, 5), 65535, np.uint16), scale, kernel), 65535)


@pytest.mark.parametrize("kernel", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("strip", [1, 100, 1000])
def test_strips_do_not_show(monkeypatch, kernel, strip):
    picture = noise(17, 6, 3)
    whole = upsample(picture, 3, kernel)
    monkeypatch.setattr(MODULE, "STRIP", strip)
    plan, _ = planned(picture, 3, kernel)
    assert plan.strips > 1
    assert_array_equal(upsample(picture, 3, kernel), whole)


def test_a_strip_is_bounded():
    plan, _ = planned(np.broadcast_to(np.uint8(0), (100_000, 4000, 3)), 2, "bicubic")
    assert plan.rows_per_strip * plan.columns * plan.channels * plan.scale**2 <= STRIP
    assert (plan.rows_per_strip, plan.strips) == (43, 2326)
    tall, _ = planned(np.broadcast_to(np.uint8(0), (4, 10**8)), 2, "bicubic")
    assert tall.rows_per_strip == 1


def test_integers_are_rounded_and_clipped():
    steps = np.array([[0, 0, 1, 255, 255]], np.uint8)
    line = upsample(steps, 2, "bicubic")[0].astype(int)
    exact = upsample(steps.astype(np.float64), 2, "bicubic")[0]
    assert exact.min() < -1 < 256 < exact.max()
    assert_array_equal(line, np.rint(exact).clip(0, 255))


def test_a_kernel_of_the_user_is_taken_as_it_is():
    kernel = np.array([[0, 0, 0], [0, 2, 0], [0, 0, 0]])  # padding (0, 1): the middle tap lands at odd positions
    picture = np.array([[1.0, 2.0]])
    assert_array_equal(upsample(picture, 2, kernel), [[0, 0, 0, 0], [0, 2, 0, 4]])
    wide = np.array([[1, 1, 1, 1], [1, 1, 1, 1]])  # two axes of different length
    assert_array_equal(upsample(picture, 2, wide), [[2, 3, 3, 4]] * 2)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32", "float64", ">u2", ">f4"])
def test_the_dtype_stays(dtype):
    picture = np.array([[1, 2], [3, 4]], dtype)
    result = upsample(picture, 2, "nearest")
    assert result.dtype == np.dtype(dtype)
    assert_array_equal(result, picture.repeat(2, 0).repeat(2, 1))


def test_the_picture_is_read_only_in_effect():
    picture = noise(4, 5, 4)[::-1, ::2]
    before = picture.copy()
    picture.flags.writeable = False
    upsample(picture, 2, "bicubic", alpha=True)
    assert_array_equal(picture, before)


def test_transparent_cells_lend_no_colour():
    red, hidden_green = (255, 0, 0, 255), (0, 255, 0, 0)
    picture = np.array([[red, hidden_green]], np.uint8)
    result = upsample(picture, 2, alpha=True)[0]
    assert_array_equal(result[:, 3], [255, 191, 64, 0])
    assert_array_equal(result[:3, :3], [[255, 0, 0]] * 3)
    assert_array_equal(result[3], [0, 0, 0, 0])
    assert upsample(picture, 2)[0, 1, 1] == 64  # without alpha the green shows


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (
            ([[1]], 2),
            TypeError,
            "upsample: picture must be a NumPy array; got [[1]] of type list",
        ),
        (
            (np.ones((1, 1)).view(np.matrix), 2),
            TypeError,
            "upsample: picture must be a NumPy array; got matrix([[1.]]) of type matrix; np.asarray(picture) is one",
        ),
        (
            (np.ma.ones((2, 2)).astype(np.float32)[0:1, 0:1], 2),
            TypeError,
            "upsample: picture must be a NumPy array; got masked_array(data=[[1.]],\n  ... "
            "\n            dtype=float32) of type MaskedArray; picture.filled(0) is one without a mask",
        ),
        (
            (np.ones((2, 2)), 1, np.ones((1, 1)).view(np.matrix)),
            TypeError,
            "upsample: kernel must be a NumPy array; got matrix([[1.]]) of type matrix; np.asarray(kernel) is one",
        ),
        (
            (np.ones(3), 2),
            ValueError,
            "upsample: picture must have shape (rows, columns) or (rows, columns, channels), none 0; got (3,)",
        ),
        (
            (np.ones((0, 3)), 2),
            ValueError,
            "upsample: picture must have shape (rows, columns) or (rows, columns, channels), none 0; got (0, 3)",
        ),
        (
            (np.ones((2, 3), int), 2),
            TypeError,
            "upsample: picture must be of dtype uint8, uint16, float16, float32, float64; got int64",
        ),
        ((np.ones((2, 3)), 0), ValueError, "upsample: scale must be an integer of at least 1; got 0"),
        (
            (np.ones((2, 3)), 1.5),
            TypeError,
            "upsample: scale must be an integer of at least 1; got 1.5 of type float; a transposed convolution "
            "enlarges by its stride, a whole number",
        ),
        (
            (np.ones((2, 3)), 2, "cubic"),
            ValueError,
            'upsample: kernel must be one of "nearest", "bilinear", "bicubic"; got \'cubic\'; did you mean "bicubic"?',
        ),
        (
            (np.ones((2, 3)), 2, [1]),
            TypeError,
            'upsample: kernel must be "nearest", "bilinear", "bicubic" or an array of numbers; got [1]',
        ),
        (
            (np.ones((2, 3)), 4, np.ones((3, 4))),
            ValueError,
            "upsample: kernel must have 2 axes of at least scale = 4 taps each, so that every fine cell is reached; "
            "got shape (3, 4)",
        ),
        (
            (np.ones((2, 3)), 1, np.full((1, 1), np.inf)),
            ValueError,
            "upsample: kernel must hold finite numbers; got NaN or infinity among them",
        ),
        *[
            (
                (np.ones((2, 3), dtype), 2, np.full((2, 2), weight)),
                ValueError,
                f"upsample: kernel must hold weights whose sums are within {computed}, in which {dtype} pictures are "
                f"computed; got weights up to {weight}",
            )
            for dtype, computed, weight in (
                ("uint8", "float32", 1e300),
                ("uint8", "float32", 1e36),
                ("float32", "float32", 3e38),
                ("float64", "float64", 1e308),
            )
        ],
    ],
)
def test_wrong_arguments_are_named(arguments, error, text):
    with pytest.raises(error) as caught:
        upsample(*arguments)
    assert str(caught.value) == text


def test_floats_beyond_their_range_become_infinite_without_a_warning():
    steps = np.array([[0, 65504, 65504, 0]], np.float16)
    assert np.isposinf(upsample(steps, 2, "bicubic")).any()
    assert np.isnan(upsample(np.array([[np.inf, -np.inf]]), 2)).any()


def test_large_weights_within_the_range_are_taken():
    assert_array_equal(upsample(np.ones((1, 2), np.uint8), 1, np.full((1, 1), 1e30)), [[255, 255]])
    assert_array_equal(upsample(np.ones((1, 2)), 1, np.full((1, 1), 1e300)), [[1e300, 1e300]])


def test_alpha_is_true_or_false():
    with pytest.raises(TypeError) as caught:
        upsample(np.ones((2, 3)), 2, alpha=[])
    assert str(caught.value) == "upsample: alpha must be True or False; got []"


def test_alpha_needs_a_colour():
    with pytest.raises(ValueError) as caught:
        upsample(np.ones((2, 3)), 2, alpha=True)
    assert str(caught.value) == "upsample: picture must have a channel beside the alpha channel; got shape (2, 3)"


def test_a_result_beyond_memory_is_refused():
    text = r"^upsample: the result must fit into memory, \S+ GiB; it would take 14901\.2 GiB$"
    with pytest.raises(MemoryError, match=text):
        upsample(np.broadcast_to(np.uint8(0), (4000, 4000)), 1000, "nearest")
