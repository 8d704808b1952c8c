"""`lax_conv_transpose` does what jax.lax.conv_transpose does, with whatever arguments, right or wrong."""

import inspect
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

import tconv.jax
from tconv.jax import drop_in, lax_conv_transpose

pytestmark = pytest.mark.usefixtures("lightly_compiled")

#: For each number of axes: none given, channels last, channels first with either order of kernels, and mixtures.
NUMBERS = {
    1: [None, ("NHC", "HIO", "NHC"), ("NCH", "OIH", "NCH"), ("NCH", "IOH", "NHC"), ("HNC", "OHI", "CHN")],
    2: [None, ("NHWC", "HWIO", "NHWC"), ("NCHW", "OIHW", "NCHW"), ("NCHW", "IOHW", "NHWC"), ("NHWC", "WHOI", "CNWH")],
    3: [None, ("NCDHW", "OIDHW", "NCDHW"), ("NDHWC", "DHWIO", "NDHWC")],
}
DEFAULTS = {1: ("NHC", "HIO", "NHC"), 2: ("NHWC", "HWIO", "NHWC"), 3: ("NHWDC", "HWDIO", "NHWDC")}


@st.composite
def calls(draw):
    """Shapes of the two arrays, and the other arguments."""
    ndim = draw(st.integers(1, 3))
    small = st.integers(1, 4 if ndim < 3 else 3)
    each = st.lists(small, min_size=ndim, max_size=ndim)
    numbers = draw(st.sampled_from(NUMBERS[ndim]))
    lhs, rhs, _ = numbers or DEFAULTS[ndim]
    axes = [letter for letter in rhs if letter not in "IO"]
    sizes = {"N": 2, "C": 3} | dict(zip(axes, draw(each), strict=True))
    transposed = draw(st.booleans())
    kernel = dict(zip("IO", (2, 3) if transposed else (3, 2), strict=True)) | dict(zip(axes, draw(each), strict=True))
    pairs = st.lists(st.tuples(st.integers(-1, 3), st.integers(-1, 4)), min_size=ndim, max_size=ndim)
    arguments = {
        "strides": draw(each),
        "padding": draw(st.one_of(st.sampled_from(["SAME", "VALID"]), pairs)),
        "rhs_dilation": draw(st.one_of(st.none(), each)),
        "dimension_numbers": numbers,
        "transpose_kernel": transposed,
    }
    return [sizes[letter] for letter in lhs], [kernel[letter] for letter in rhs], arguments


def integers(*shape):
    """Small integers, whose sums float32 holds exactly."""
    return jnp.asarray(np.random.default_rng(sum(shape)).integers(-4, 5, shape), jnp.float32)


@given(calls())
@settings(max_examples=20)
def test_the_same_result_for_any_arguments(call):
    lhs, rhs, arguments = call
    lhs, rhs = integers(*lhs), integers(*rhs)
    try:
        wanted = lax.conv_transpose(lhs, rhs, **arguments)
    except ValueError as refused:  # where padding would crop more than there is
        with pytest.raises(type(refused), match=re.escape(str(refused))):
            lax_conv_transpose(lhs, rhs, **arguments)
        return
    np.testing.assert_array_equal(lax_conv_transpose(lhs, rhs, **arguments), wanted)


def test_the_same_signature():
    ours, theirs = (inspect.signature(f).parameters for f in (lax_conv_transpose, lax.conv_transpose))
    assert [(p.name, p.default) for p in ours.values()][: len(theirs)] == [(p.name, p.default) for p in theirs.values()]


def rewritten(lhs, rhs, *arguments, **keywords):
    """Whether lax's own convolution is replaced where this is compiled for a CPU."""
    text = jax.jit(lambda lhs, rhs: lax_conv_transpose(lhs, rhs, *arguments, **keywords)).lower(lhs, rhs).as_text()
    return not any(f"lhs_dilate = [{zeros}]" in text for zeros in ("2", "2, 2", "2, 2, 2"))


def test_it_is_rewritten():
    lhs, rhs = jnp.ones((1, 8, 8, 8, 64)), jnp.ones((2, 2, 2, 64, 32))
    assert rewritten(lhs, rhs, (2, 2, 2), "SAME")
    assert rewritten(lhs, rhs.swapaxes(-1, -2), [2, 2, 2], [[1, 1]] * 3, transpose_kernel=True)
    assert not rewritten(jnp.ones((1, 99, 2), complex), jnp.ones((4, 2, 2), complex), (2,), "SAME")


@pytest.mark.parametrize("preferred", [None, "bfloat16", "float16", "float32"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_dtypes(dtype, preferred):
    lhs, rhs = integers(2, 5, 3).astype(dtype), integers(3, 3, 2).astype(dtype)
    try:
        theirs = lax.conv_transpose(lhs, rhs, (2,), "SAME", preferred_element_type=preferred)
    except Exception as error:
        with pytest.raises(type(error)):
            lax_conv_transpose(lhs, rhs, (2,), "SAME", preferred_element_type=preferred)
    else:
        ours = lax_conv_transpose(lhs, rhs, (2,), "SAME", preferred_element_type=preferred)
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours.astype("float32"), theirs.astype("float32"))


@pytest.mark.parametrize("precision", [None, "highest", lax.Precision.HIGH, (lax.Precision.DEFAULT,) * 2])
def test_precision(precision):
    lhs, rhs = integers(2, 5, 3), integers(3, 3, 2)
    y = lax_conv_transpose(lhs, rhs, (2,), "SAME", precision=precision)
    np.testing.assert_array_equal(y, lax.conv_transpose(lhs, rhs, (2,), "SAME"))


def test_consistent_padding():
    lhs, rhs = integers(2, 5, 3), integers(4, 3, 2)
    keywords = {"padding": [(1, 2)], "use_consistent_padding": True}
    np.testing.assert_array_equal(
        lax_conv_transpose(lhs, rhs, (2,), **keywords), lax.conv_transpose(lhs, rhs, (2,), **keywords)
    )


@pytest.mark.parametrize("shapes", [((0, 5, 3), (3, 3, 2)), ((2, 0, 3), (3, 3, 2)), ((2, 5, 0), (3, 0, 2)),
                                    ((2, 5, 3), (3, 3, 0)), ((2, 1, 3), (1, 3, 2))])  # fmt: skip
def test_empty_arrays_and_results(shapes):
    lhs, rhs = (jnp.ones(shape) for shape in shapes)
    padding = [(-1, 0)] if shapes[1][0] == 1 else "SAME"
    ours, theirs = (f(lhs, rhs, (2,), padding) for f in (lax_conv_transpose, lax.conv_transpose))
    assert ours.shape == theirs.shape


def test_no_axes_of_size_and_complex_numbers_are_left_to_lax():
    lhs, rhs = integers(2, 3), integers(3, 4)
    np.testing.assert_array_equal(lax_conv_transpose(lhs, rhs, (), "SAME"), lhs @ rhs)
    lhs, rhs = 1j * integers(2, 5, 3), 1j * integers(3, 3, 2)
    y = lax.conv_transpose(lhs, rhs, (2,), "VALID")
    np.testing.assert_array_equal(lax_conv_transpose(lhs, rhs, (2,), "VALID"), y)


@pytest.mark.parametrize(
    ("shapes", "arguments"),
    [
        (((2, 5, 3), (3, 4, 2)), {"strides": (2,), "padding": "SAME"}),
        (((2, 5, 3), (3, 3, 2)), {"strides": (2,), "padding": "same"}),
        (((2, 5, 3), (3, 3, 2)), {"strides": (0,), "padding": "VALID"}),
        (((2, 5, 3), (3, 3, 2)), {"strides": (2,), "padding": [(1, 1), (1, 1)]}),
        (((2, 5, 3), (3, 3, 2)), {"strides": (2,), "padding": "SAME", "dimension_numbers": ("NHC", "HIO", "NCC")}),
        (((2, 5, 5, 3), (3, 3, 2)), {"strides": (2,), "padding": "SAME"}),
    ],
)
def test_what_lax_refuses_is_refused_in_its_words(shapes, arguments):
    lhs, rhs = (jnp.ones(shape) for shape in shapes)
    with pytest.raises(Exception) as theirs:
        lax.conv_transpose(lhs, rhs, **arguments)
    with pytest.raises(type(theirs.value)) as ours:
        lax_conv_transpose(lhs, rhs, **arguments)
    assert str(ours.value) == str(theirs.value)


def test_gradients_are_laxs():
    lhs, rhs = integers(2, 5, 5, 3), integers(4, 4, 3, 2)
    losses = [
        lambda lhs, rhs, f=f: (f(lhs, rhs, (2, 2), "SAME") ** 2).sum() for f in (lax_conv_transpose, lax.conv_transpose)
    ]
    ours, theirs = (jax.grad(loss, (0, 1))(lhs, rhs) for loss in losses)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


def test_defaults_are_laxs():
    assert drop_in._DEFAULT == DEFAULTS
    assert tconv.jax.lax_conv_transpose is lax_conv_transpose
