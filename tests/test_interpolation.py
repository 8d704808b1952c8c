"""The kernels of interpolation: their values, the padding that goes with them, and what they reproduce exactly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import tconv
from tconv.interpolation import (
    KERNELS,
    bicubic_kernel,
    bilinear_kernel,
    nearest_kernel,
    phase_sums,
    upsampling_padding,
)

scales = st.integers(1, 12)


def caffe_bilinear(scale):
    """Caffe's filler, as its source states it: one weight after the other."""
    k = 2 * scale - scale % 2
    f = -(-k // 2)
    c = (2 * f - 1 - f % 2) / (2 * f)
    return [(1 - abs(i / f - c)) for i in range(k)]


def keys(u):
    """Equation 15 of Keys' paper."""
    u = abs(u)
    if u <= 1:
        return 3 / 2 * u**3 - 5 / 2 * u**2 + 1
    return -1 / 2 * u**3 + 5 / 2 * u**2 - 4 * u + 2 if u < 2 else 0


def enlarged(x, kernel, scale):
    """One axis up by a transposed convolution, zeros beyond the border."""
    padding = [upsampling_padding(len(kernel), scale)]
    return tconv.conv_transpose(x[None, None], kernel[None, None], stride=scale, padding=padding)[0, 0]


def test_values_that_can_be_checked_by_eye():
    assert_array_equal(bilinear_kernel(2, ndim=1), [0.25, 0.75, 0.75, 0.25])
    assert_array_equal(bilinear_kernel(4, ndim=1) * 8, [1, 3, 5, 7, 7, 5, 3, 1])
    assert_allclose(bilinear_kernel(3, ndim=1) * 3, [1, 2, 3, 2, 1], rtol=1e-15)
    assert_array_equal(bicubic_kernel(2, ndim=1) * 128, [-3, -9, 29, 111, 111, 29, -9, -3])
    assert_array_equal(nearest_kernel(3), np.ones((3, 3)))
    for kernel in KERNELS.values():
        assert enlarged(np.array([5.0, 7.0]), kernel(1, ndim=1), 1).tolist() == [5, 7]


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 6, 8, 16])
def test_bilinear_is_the_filler_of_caffe(scale):
    assert_allclose(bilinear_kernel(scale, ndim=1), caffe_bilinear(scale), rtol=1e-15)
    assert upsampling_padding(2 * scale - scale % 2, scale) == (-(-(scale - 1) // 2),) * 2


@given(scales)
def test_bicubic_samples_the_kernel_of_keys(scale):
    k = 4 * scale - scale % 2
    expected = [keys((t - (k - 1) / 2) / scale) for t in range(k)]
    assert_allclose(bicubic_kernel(scale, ndim=1), expected, atol=1e-15)


@pytest.mark.parametrize("name", KERNELS)
@given(scale=scales)
def test_phases_sum_to_one_and_the_padding_gives_scale_cells_a_cell(name, scale):
    kernel = KERNELS[name](scale)
    assert_allclose(phase_sums(kernel, scale), np.ones((scale, scale)), atol=1e-14)
    low, high = upsampling_padding(len(kernel), scale)
    assert low == high
    assert tconv.Axis.conv_transpose(7, len(kernel), stride=scale, padding=low).fine == 7 * scale


@pytest.mark.parametrize(("name", "degree"), [("nearest", 0), ("bilinear", 1), ("bicubic", 2)])
@given(scale=scales, coefficients=st.tuples(*[st.integers(-5, 5)] * 3))
def test_polynomials_up_to_a_degree_are_reproduced_far_from_the_border(name, degree, scale, coefficients):
    def polynomial(u):
        return sum(c * u**power for power, c in enumerate(coefficients[: degree + 1]))

    coarse, fine = np.arange(12.0), (np.arange(12 * scale) + 0.5) / scale - 0.5
    inner = slice(2 * scale, -2 * scale)
    result = enlarged(polynomial(coarse + np.zeros(12)), KERNELS[name](scale, ndim=1), scale)
    assert_allclose(result[inner], (polynomial(fine) + np.zeros(12 * scale))[inner], atol=1e-9)


@given(scale=scales, ndim=st.integers(1, 3))
def test_a_kernel_of_several_axes_is_the_outer_product(scale, ndim):
    line = bilinear_kernel(scale, ndim=1)
    expected = line
    for _ in range(ndim - 1):
        expected = expected[..., None] * line
    assert_allclose(bilinear_kernel(scale, ndim), expected, rtol=1e-12)


def test_the_dtype_is_the_one_asked_for():
    assert bilinear_kernel(2, dtype="float32").dtype == np.float32
    assert bicubic_kernel(3, dtype=np.float16).dtype == np.float16


def test_phase_sums_are_in_the_order_of_the_taps():
    kernel = np.arange(10.0).reshape(2, 5)
    expected = np.zeros((3, 3))
    for (row, col), weight in np.ndenumerate(kernel):
        expected[row % 3, col % 3] += weight
    assert_array_equal(phase_sums(kernel, 3), expected)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: nearest_kernel(0), ValueError, "nearest_kernel: scale must be an integer of at least 1; got 0"),
        (
            lambda: bilinear_kernel(1.5),
            TypeError,
            "bilinear_kernel: scale must be an integer of at least 1; got 1.5 of type float; "
            "a transposed convolution enlarges by its stride, a whole number",
        ),
        (lambda: bicubic_kernel(2, 0), ValueError, "bicubic_kernel: ndim must be an integer of at least 1; got 0"),
        (
            lambda: bicubic_kernel(2, dtype="int8"),
            ValueError,
            "bicubic_kernel: dtype must be a floating point one, such as float32; got int8",
        ),
        (
            lambda: bicubic_kernel(2, dtype="flat"),
            TypeError,
            "bicubic_kernel: dtype must be a floating point one, such as float32; got 'flat'",
        ),
        (
            lambda: upsampling_padding(3, 4),
            ValueError,
            "upsampling_padding: kernel must have at least scale = 4 taps along each axis; got 3",
        ),
        *[
            (
                lambda ndim=ndim: nearest_kernel(2, ndim=ndim),
                ValueError,
                f"nearest_kernel: ndim must be an integer from 1 to 30; got {ndim}",
            )
            for ndim in (33, 10**30)
        ],
        (
            lambda: phase_sums("abc", 2),
            TypeError,
            "phase_sums: kernel must be a NumPy array; got 'abc' of type str",
        ),
        (lambda: phase_sums([], 2), TypeError, "phase_sums: kernel must be a NumPy array; got [] of type list"),
        (
            lambda: phase_sums(np.array(["a"]), 2),
            TypeError,
            "phase_sums: kernel must be an array of integers or floats; got dtype <U1",
        ),
        *[
            (
                lambda shape=shape: phase_sums(np.ones(shape), 2),
                ValueError,
                f"phase_sums: kernel must have at least 1 axis and 1 element; got shape {shape}",
            )
            for shape in ((), (0,), (3, 0))
        ],
        (
            lambda: phase_sums(np.ones((1, 1)), 10**20),
            ValueError,
            f"phase_sums: the sums must have a size below 2**63 bytes; it would take {8 * 10**40}",
        ),
        (lambda: phase_sums(np.ones(3), 0), ValueError, "phase_sums: scale must be an integer of at least 1; got 0"),
        (
            lambda: nearest_kernel(2**32),
            ValueError,
            "nearest_kernel: the kernel must have a size below 2**63 bytes; it would take 147573952589676412928",
        ),
    ],
)
def test_wrong_arguments_are_named(call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == text
