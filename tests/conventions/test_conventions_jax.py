"""JAX's dialect against JAX."""

from __future__ import annotations

import numpy as np
import pytest
from dialect_cases import arrays, channels_first, channels_last, layers, run, transposed, up_to, wanted
from hypothesis import given, settings
from hypothesis import strategies as st

from tconv import Geometry
from tconv.conventions import DIALECTS, Layer, weight_from_tconv

jax = pytest.importorskip("jax", exc_type=ModuleNotFoundError)
JAX = DIALECTS["jax"]

pytestmark = pytest.mark.usefixtures("lightly_compiled")


def check_code(layer):
    x, w, b = arrays(layer)
    y = run(JAX.write(layer).code, x=channels_last(x), w=w, b=b)["y"]
    np.testing.assert_array_equal(channels_first(np.asarray(y)), wanted(layer))


@pytest.mark.parametrize("layer", up_to(3), ids=lambda layer: str(layer.geometry))
def test_the_code_gives_our_result(layer):
    check_code(layer)


@given(layers())
@settings(max_examples=20)  # JAX compiles each one
def test_the_code_gives_our_result_for_any_layer(layer):
    assert JAX.write(layer).exact
    check_code(layer)


def check_read(parameters, kernel, coarse, transposed_kernel=False):
    layer = JAX.read(parameters, kernel=kernel, coarse=coarse, in_channels=2, out_channels=3)
    x, w, _ = arrays(layer)
    theirs = weight_from_tconv(w, "jax", transpose_kernel=transposed_kernel)
    y = jax.lax.conv_transpose(channels_last(x), theirs, **parameters)
    np.testing.assert_array_equal(channels_first(np.asarray(y)), transposed(layer, x, w, None))
    return layer


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("stride", [1, 2, 3, 5])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
def test_same_and_valid_are_kerass(kernel, stride, dilation, padding):
    layer = check_read({"strides": (stride,), "padding": padding, "rhs_dilation": (dilation,)}, (kernel,), (3,))
    effective = dilation * (kernel - 1) + 1
    extra = max(effective - stride, 0) if padding == "VALID" else 0
    assert layer.geometry.fine == (3 * stride + extra,)
    if stride == 1 or dilation == 1:
        words = {"strides": stride, "padding": padding.lower(), "dilation_rate": dilation}
        assert layer.geometry == DIALECTS["keras"].read(words, kernel=(kernel,), coarse=3).geometry


@given(st.tuples(st.integers(0, 5), st.integers(-1, 5)), st.booleans())
@settings(max_examples=10)
def test_explicit_padding_belongs_to_the_zero_inserted_input(pair, transposed_kernel):
    parameters = {"strides": (2,), "padding": (pair,), "transpose_kernel": transposed_kernel}
    layer = check_read(parameters, (4,), (5,), transposed_kernel)
    assert layer.geometry.padding == ((3 - pair[0], 3 - pair[1]),)


def test_consistent_padding_is_pytorchs():
    parameters = {"strides": (2,), "padding": ((1, 2),), "use_consistent_padding": True}
    assert check_read(parameters, (4,), (5,)).geometry.padding == ((1, 2),)


def test_jax_does_not_flip_the_kernel_unless_it_is_told_to():
    x, w = np.array([[[1.0], [0.0]]], np.float32), np.array([1.0, 10.0, 100.0], np.float32).reshape(3, 1, 1)
    for transposed_kernel, taps in ((False, [100, 10, 1, 0]), (True, [1, 10, 100, 0])):
        y = jax.lax.conv_transpose(x, w, (1,), "VALID", transpose_kernel=transposed_kernel)
        assert y.ravel().tolist() == taps
    assert weight_from_tconv(w.reshape(1, 1, 3), "jax").ravel().tolist() == [100, 10, 1]
    assert weight_from_tconv(w.reshape(1, 1, 3), "jax", transpose_kernel=True).ravel().tolist() == [1, 10, 100]


def test_groups_are_written_with_the_general_convolution():
    saying = JAX.write(Layer(Geometry.conv_transpose((5, 5), 4, stride=2, padding=1), 4, 6, 2, bias=True))
    assert saying.code == (
        "from jax import lax\n"
        "\n"
        "# x and y: (N, *size, channels)\n"
        "grouped = w.reshape(2, -1, *w.shape[1:]).swapaxes(0, 1)\n"
        "grouped = grouped.reshape(-1, 2 * w.shape[1], *grouped.shape[3:])\n"
        "kernel = grouped[:, :, ::-1, ::-1].transpose(2, 3, 0, 1)  # (*kernel, Cin/groups, Cout), taps flipped\n"
        "y = lax.conv_general_dilated(x, kernel, window_strides=[1, 1], padding=((2, 2), (2, 2)), lhs_dilation=[2, 2], "
        'rhs_dilation=[1, 1], dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=2)\n'
        "y = y + b\n"
    )
    assert saying.notes == (
        "lax.conv_transpose has no groups: lax.conv_general_dilated, which it calls, has feature_group_count.",
    )


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"strides": (2, 2), "padding": "same"},
            'jax.read: padding must be "SAME", "VALID" or 2 (low, high) pairs, one an axis; got \'same\'\n'
            "  called with strides=(2, 2), padding='same'",
        ),
        (
            {"strides": (2, 2)},
            'jax.read: padding must be "SAME", "VALID" or 2 (low, high) pairs, one an axis; got None\n'
            "  called with strides=(2, 2)",
        ),
        (
            {"strides": (2, 2), "padding": ((1, 1),)},
            'jax.read: padding must be "SAME", "VALID" or 2 (low, high) pairs, one an axis; got ((1, 1),)\n'
            "  called with strides=(2, 2), padding=((1, 1),)",
        ),
        (
            {"padding": "SAME", "feature_group_count": 2, "transpose_kernel": True},
            "jax.read: feature_group_count must be 1 with transpose_kernel=True, which has no groups; got 2\n"
            "  called with padding='SAME', feature_group_count=2, transpose_kernel=True",
        ),
    ],
)
def test_parameters_that_cannot_be(parameters, message):
    with pytest.raises(ValueError) as caught:
        JAX.read(parameters, kernel=3)
    assert str(caught.value) == message
