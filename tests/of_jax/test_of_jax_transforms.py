"""What JAX does to functions: jit, grad, jvp, vmap, to any order; dtypes, empty batches, both entrances."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import tconv
import tconv.jax
from tconv.jax import VARIANTS

pytestmark = pytest.mark.usefixtures("lightly_compiled")
RNG = np.random.default_rng(0)
X, W, B = RNG.normal(size=(2, 4, 3, 3)), RNG.normal(size=(4, 2, 3, 3)), RNG.normal(size=4)
KEYWORDS = {"stride": 2, "padding": 1, "output_padding": (1, 0), "groups": 2}
Y = tconv.conv_transpose(X, W, B, **KEYWORDS)


def up(x, w, b=None, **keywords):
    return tconv.jax.conv_transpose(x, w, b, **{**KEYWORDS, **keywords})


def arrays(dtype="float64"):
    return tuple(jnp.asarray(a, dtype) for a in (X, W, B))


@pytest.mark.parametrize("method", ["auto", "native", "phases", "columns"])
def test_derivatives_of_first_and_second_order_in_both_modes(double, method):
    x, w = RNG.normal(size=(1, 1, 2)), RNG.normal(size=(1, 1, 3))
    keywords = {"stride": 2, "padding": 1, "method": method}
    check_grads(lambda x, w: tconv.jax.conv_transpose(x, w, **keywords), (x, w), order=2, modes=("fwd", "rev"))


def test_gradients_are_tconvs_other_operations(double):
    x, w, b = arrays()
    dy = RNG.normal(size=Y.shape)
    dx, dw, db = jax.vjp(up, x, w, b)[1](jnp.asarray(dy))
    window = {name: KEYWORDS[name] for name in ("stride", "padding", "groups")}
    np.testing.assert_allclose(dx, tconv.conv(dy, W, **window), atol=1e-12)
    np.testing.assert_allclose(dw, tconv.weight_gradient(X, dy, 3, **window), atol=1e-12)
    np.testing.assert_allclose(db, dy.sum((0, 2, 3)), atol=1e-12)


def test_only_the_derivatives_asked_for_are_computed():
    x, w, _ = arrays("float32")

    def products(argnums):
        loss = jax.grad(lambda x, w: up(x, w, method="taps").sum(), argnums)
        text = jax.jit(loss).lower(x, w).as_text()
        return text.count("stablehlo.dot_general")

    assert products(0) == products(1) < products((0, 1))


def test_forward_mode_and_second_derivatives_agree_with_reverse_mode(double):
    x, w, b = arrays()
    tangents = tuple(jnp.asarray(RNG.normal(size=a.shape)) for a in (X, W, B))
    y, dy = jax.jvp(up, (x, w, b), tangents)
    np.testing.assert_allclose(y, Y, atol=1e-12)
    expected = up(tangents[0], w) + up(x, tangents[1]) + tangents[2][:, None, None]
    np.testing.assert_allclose(dy, expected, atol=1e-12)
    hessian = jax.hessian(lambda b: (up(x, w, b) ** 2).sum())(b)
    np.testing.assert_allclose(hessian, np.eye(4) * 2 * 2 * Y.shape[2] * Y.shape[3], atol=1e-9)


@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0), (1, 2)])
@pytest.mark.parametrize("method", ["auto", "stacked", "columns"])
def test_vmap_over_each_operand(double, method, axes):
    stacked = [np.stack([a, -2 * a]) for a in (X, W)]
    operands = [
        jnp.asarray(a if axis is None else np.moveaxis(s, 0, axis))
        for a, s, axis in zip((X, W), stacked, axes, strict=True)
    ]
    y = jax.vmap(lambda x, w: up(x, w, method=method), in_axes=axes)(*operands)
    factor = (1 if axes[0] is None else -2) * (1 if axes[1] is None else -2)
    plain = Y - B[:, None, None]
    np.testing.assert_allclose(y, np.stack([plain, factor * plain]), atol=1e-12)


def test_gradients_per_example(double):
    x, w, _ = arrays()
    each = jax.vmap(jax.grad(lambda w, x: (up(x[None], w) ** 2).sum()), in_axes=(None, 0))(w, x)
    whole = jax.grad(lambda w: (up(x, w) ** 2).sum())(w)
    assert each.shape == (2, *W.shape)
    np.testing.assert_allclose(each.sum(0), whole, atol=1e-9)


def test_linear_transpose(double):
    x, w, _ = arrays()
    (dx,) = jax.linear_transpose(lambda x: up(x, w), x)(jnp.ones(Y.shape))
    np.testing.assert_allclose(dx, tconv.conv(np.ones(Y.shape), W, stride=2, padding=1, groups=2), atol=1e-12)


@pytest.mark.parametrize("method", ["auto", *VARIANTS])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_rounded_once(dtype, method):
    """2048 + 1 + 1 + ... is lost in half precision when each sum is rounded, and is not when only the last is."""
    x = jnp.ones((1, 64, 1), dtype).at[0, 0, 0].set(2048)
    w = jnp.ones((64, 1, 1), dtype)
    y = tconv.jax.conv_transpose(x, w, jnp.ones(1, dtype), method=method)
    assert y.dtype == dtype
    assert y.item() == jnp.asarray(2112, dtype).item()
    gradient = jax.grad(lambda w: tconv.jax.conv_transpose(x, w, method=method).sum())(w)
    assert gradient.dtype == dtype


@pytest.mark.parametrize("method", VARIANTS)
def test_integers_are_exact(method):
    x, w = np.arange(6, dtype=np.int32).reshape(1, 2, 3), np.arange(12, dtype=np.int32).reshape(2, 2, 3) * 10**8
    y = tconv.jax.conv_transpose(jnp.asarray(x), jnp.asarray(w), stride=2, method=method)
    np.testing.assert_array_equal(y, tconv.conv_transpose(x, w, stride=2))


@pytest.mark.parametrize("method", ["auto", *VARIANTS])
def test_empty_batch(method):
    x, w, b = arrays("float32")
    y, pull = jax.vjp(lambda w: up(x[:0], w, b, method=method), w)
    assert y.shape == (0, *Y.shape[1:])
    assert not pull(y)[0].any()


@pytest.mark.parametrize("layout", ["channels_first", "channels_last"])
def test_without_a_batch_axis(layout):
    x, w, b = arrays("float32")
    x, y = (x[1], Y[1]) if layout == "channels_first" else (jnp.moveaxis(x[1], 0, -1), np.moveaxis(Y[1], 0, -1))
    np.testing.assert_allclose(up(x, w, b, layout=layout), y, atol=1e-4)


def test_output_size_and_words_for_padding():
    x, w = jnp.ones((1, 1, 4)), jnp.ones((1, 1, 3))
    assert tconv.jax.conv_transpose(x, w, stride=2, padding="same").shape == (1, 1, 8)
    assert tconv.jax.conv_transpose(x, w, stride=2, padding=1, output_size=8).shape == (1, 1, 8)


def test_tconv_conv_transpose_takes_jax_arrays_and_tracers():
    x, w, b = arrays("float32")
    y = tconv.conv_transpose(x, w, b, **KEYWORDS)
    assert isinstance(y, jax.Array)
    np.testing.assert_allclose(y, Y, atol=1e-4)
    compiled = jax.jit(lambda x: tconv.conv_transpose(x, w, b, **KEYWORDS, method="stacked"))
    np.testing.assert_allclose(compiled(x), Y, atol=1e-4)
    mixed = tconv.conv_transpose(np.asarray(x), w, np.asarray(b), **KEYWORDS)
    assert isinstance(mixed, jax.Array)


def test_a_bias_alone_may_be_of_jax():
    x, w = (np.ones(shape, np.float32) for shape in ((1, 3, 4), (3, 2, 3)))
    for operation, first, channels in ((tconv.conv_transpose, x, 2), (tconv.conv, np.ones((1, 2, 9), np.float32), 3)):
        by_bias = jax.grad(lambda b, f=operation, first=first: f(first, w, b, stride=2).sum())(jnp.ones(channels))
        cells = operation(first, w, stride=2).size // channels
        np.testing.assert_array_equal(by_bias, [cells] * channels)
