"""Complex numbers in JAX: by every variant what NumPy's operations give, and derivatives by JAX's own conventions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import tconv
import tconv.jax
from tconv.jax import VARIANTS

pytestmark = pytest.mark.usefixtures("double", "lightly_compiled")
RNG = np.random.default_rng(0)
WINDOWS = [{"stride": 2, "padding": 1}, {"groups": 2}, {"stride": 3, "dilation": 2, "padding": ((1, -1),)}]
CASES = [*(("auto", window) for window in WINDOWS), *((name, WINDOWS[0]) for name in VARIANTS)]


def complex_numbers(*shape):
    return RNG.normal(size=shape) + 1j * RNG.normal(size=shape)


@pytest.mark.parametrize(("method", "window"), CASES, ids=str)
def test_operations_and_their_derivatives(method, window):
    x, w = complex_numbers(2, 4, 6), complex_numbers(4, 6 // window.get("groups", 1), 3)
    y = tconv.conv_transpose(x, w, **window)
    dy = complex_numbers(*y.shape)

    @jax.jit
    def everything(x, w, y, dy):
        given = {**window, "method": method}
        up, pull = jax.vjp(lambda x, w: tconv.jax.conv_transpose(x, w, **given), x, w)
        down, across = jax.vjp(lambda y, w: tconv.jax.conv(y, w, **given), y, w)
        gradient = tconv.jax.weight_gradient(x, y, 3, **given)
        return up, *pull(dy), down, *across(x), gradient

    wanted = (
        y,
        tconv.conv(dy, w, **window),
        tconv.weight_gradient(x, dy, 3, **window),
        tconv.conv(y, w, **window),
        tconv.conv_transpose(x, w, **window, output_size=y.shape[2:]),
        tconv.weight_gradient(x, y, 3, **window),
        tconv.weight_gradient(x, y, 3, **window),
    )
    for found, value in zip(everything(x, w, y, dy), wanted, strict=True):
        assert found.dtype == "complex128"
        np.testing.assert_allclose(found, value, rtol=1e-10, atol=1e-10)


def test_gradients_of_a_real_loss_are_those_of_jax():
    """jax.grad gives the conjugate of the steepest ascent, here as for any operation: lax's own is the comparison."""
    x, w = jnp.asarray(complex_numbers(1, 2, 5, 6)), jnp.asarray(complex_numbers(2, 3, 3, 3))

    def loss(up):
        return lambda x, w: (jnp.abs(up(x, w)) ** 2).sum()

    def of_lax(x, w):
        pads = [(2, 2), (2, 2)]
        flipped = jnp.flip(w, (2, 3)).swapaxes(0, 1)
        return jax.lax.conv_general_dilated(x, flipped, (1, 1), pads, lhs_dilation=(2, 2))

    ours = jax.grad(loss(lambda x, w: tconv.jax.conv_transpose(x, w, stride=2)), (0, 1))(x, w)
    for found, value in zip(ours, jax.grad(loss(of_lax), (0, 1))(x, w), strict=True):
        np.testing.assert_allclose(found, value, rtol=1e-10)


@pytest.mark.parametrize("operation", ["conv_transpose", "conv", "weight_gradient"])
def test_second_derivatives(operation):
    x, w, y = complex_numbers(1, 2, 3), complex_numbers(2, 1, 2), complex_numbers(1, 1, 6)
    calls = {
        "conv_transpose": (lambda x, w: tconv.conv_transpose(x, w, stride=2), x, w),
        "conv": (lambda y, w: tconv.conv(y, w, stride=2), y, w),
        "weight_gradient": (lambda x, y: tconv.weight_gradient(x, y, 2, stride=2), x, y),
    }
    function, first, second = calls[operation]
    check_grads(function, (jnp.asarray(first), jnp.asarray(second)), order=2)


def test_single_precision_and_bias():
    x, w, b = (complex_numbers(*shape).astype("complex64") for shape in ((1, 2, 4), (2, 3, 3), (3,)))
    found = tconv.jax.conv_transpose(jnp.asarray(x), jnp.asarray(w), jnp.asarray(b), stride=2)
    assert found.dtype == "complex64"
    np.testing.assert_allclose(found, tconv.conv_transpose(x, w, b, stride=2), rtol=1e-4, atol=1e-5)
