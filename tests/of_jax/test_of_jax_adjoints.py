"""`conv` and `weight_gradient` on JAX arrays, and their derivatives: by every variant what the matrix C gives."""

import re
from math import prod

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads
from oracle import oracle
from strategies import EDGE_CASES, NETWORKS, geometries

import tconv
import tconv.jax
from tconv.jax import VARIANTS

pytestmark = pytest.mark.usefixtures("lightly_compiled")
RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def compiled_for_this_test_only():
    """What XLA has compiled would add up to more than a gigabyte."""
    yield
    jax.clear_caches()


#: Small kernels only: a variant with an operation for each tap takes long to compile for large ones.
CASES = {
    **{label: case for label, case in EDGE_CASES.items() if prod(case.kernel) <= 16},
    **{label: NETWORKS[label] for label in ("ResNet stem", "DeepLab, dilated", "V-Net, 3-D")},
}
GROUPS = ((1, 2, 3), (2, 2, 2), (3, 3, 1), (2, 4, 3), (1, 1, 1))  # groups, Cin, Cout / groups
LAYOUTS = ("channels_first", "channels_last")


def check(geometry, groups, cin, cout, layout, methods):
    """Both operations and their first derivatives by some methods at once, so that one computation is compiled."""
    x = RNG.normal(size=(2, cin, *geometry.coarse))
    w = RNG.normal(size=(cin, cout, *geometry.kernel))
    y = RNG.normal(size=(2, cout * groups, *geometry.fine))
    b = RNG.normal(size=cin)
    up, down, gradient = oracle(geometry, x, w, y, groups)
    last = layout == "channels_last"
    db = x.sum((0, *range(2, x.ndim)))
    x, y, up, down = (np.moveaxis(a, 1, -1) if last else a for a in (x, y, up, down))
    biased = down + (b if last else b.reshape(-1, *[1] * geometry.ndim))

    @jax.jit
    def everything(x, w, b, y):
        results = {}
        for method in methods:
            keywords = {**geometry.keywords, "groups": groups, "layout": layout, "method": method}
            of_conv, pull = jax.vjp(lambda y, w, b, k=keywords: tconv.jax.conv(y, w, b, **k), y, w, b)
            by_w = lambda x, y, k=keywords: tconv.jax.weight_gradient(x, y, geometry.kernel, **k)  # noqa: E731
            of_weights, across = jax.vjp(by_w, x, y)
            results[method] = (of_conv, *pull(x), of_weights, *across(w))
        return results

    names = ("conv", "its dy", "its dw", "its db", "weight_gradient", "its dx", "its dy")
    for method, found in everything(*map(jnp.asarray, (x, w, b, y))).items():
        for name, got, right in zip(names, found, (biased, up, gradient, db, gradient, down, up), strict=True):
            np.testing.assert_allclose(got, right, atol=1e-10, err_msg=f"{name} by {method}")


@pytest.mark.parametrize("number", range(len(CASES)), ids=list(CASES))
def test_chosen_geometries(double, number):
    """By two of the variants in turn beside "auto", since they take most of the time to compile."""
    geometry, names = list(CASES.values())[number], [*VARIANTS]
    methods = {"auto", names[number % len(names)], names[(number + 3) % len(names)]}
    check(geometry, *GROUPS[number % len(GROUPS)], LAYOUTS[number % 2], sorted(methods))


@given(geometries(small=True), st.sampled_from(GROUPS), st.sampled_from(LAYOUTS), st.sampled_from([*VARIANTS]))
@settings(max_examples=6)  # each takes a second to compile
def test_random_geometries(geometry, channels, layout, method):
    with jax.enable_x64(True):
        check(geometry, *channels, layout, ["auto", method])


@pytest.mark.parametrize("method", ["auto", "native", "phases", "columns"])
def test_derivatives_of_first_and_second_order_in_both_modes(double, method):
    x, w, y = (RNG.normal(size=shape) for shape in ((1, 1, 2), (1, 1, 3), (1, 1, 3)))
    keywords = {"stride": 2, "padding": 1, "method": method}
    modes = {"order": 2, "modes": ("fwd", "rev")}
    check_grads(lambda y, w: tconv.jax.conv(y, w, **keywords), (y, w), **modes)
    check_grads(lambda x, y: tconv.jax.weight_gradient(x, y, 3, **keywords), (x, y), **modes)


@pytest.mark.parametrize("method", ["auto", "native"])
def test_second_derivatives_are_tconvs_other_operations(double, method):
    x, w, y = (RNG.normal(size=shape) for shape in ((2, 4, 3, 3), (4, 2, 3, 3), (2, 4, 6, 5)))
    window = {"stride": 2, "padding": 1, "groups": 2}
    by_method = {**window, "method": method}
    up = tconv.conv_transpose(x, w, **window, output_size=(6, 5))
    down, across = tconv.conv(y, w, **window), tconv.weight_gradient(x, y, 3, **window)

    def of_conv(y, w):
        return jnp.vdot(tconv.jax.conv(y, w, **by_method), x)

    def of_weights(x, y):
        return jnp.vdot(tconv.jax.weight_gradient(x, y, 3, **by_method), w)

    by_y, by_w = jax.grad(of_conv, (0, 1))(y, w)
    np.testing.assert_allclose(by_y, up, atol=1e-12)
    np.testing.assert_allclose(by_w, across, atol=1e-12)
    by_x, by_y = jax.grad(of_weights, (0, 1))(x, y)
    np.testing.assert_allclose(by_x, down, atol=1e-12)
    np.testing.assert_allclose(by_y, up, atol=1e-12)
    # All are bilinear: a derivative by one operand, times that operand, derived by the other is the other operation.
    mixed = jax.grad(lambda w: jnp.vdot(jax.grad(of_conv)(y, w), y))(jnp.asarray(w))
    np.testing.assert_allclose(mixed, across, atol=1e-12)
    mixed = jax.grad(lambda x: jnp.vdot(jax.grad(of_weights, 1)(x, y), y))(jnp.asarray(x))
    np.testing.assert_allclose(mixed, down, atol=1e-12)


@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0), (1, 2)])
@pytest.mark.parametrize("method", ["auto", "native", "columns"])
def test_vmap_over_each_operand(double, method, axes):
    keywords = {"stride": 2, "padding": ((1, 0), (-1, 2)), "groups": 2}
    x, w, y = (RNG.normal(size=shape) for shape in ((2, 4, 3, 2), (4, 2, 3, 3), (2, 4, 6, 5)))
    down, across = tconv.conv(y, w, **keywords), tconv.weight_gradient(x, y, 3, **keywords)
    factors = [1 if axis is None else -2 for axis in axes]

    def mapped(function, *operands):
        stacked = [
            jnp.asarray(a if axis is None else np.stack([a, -2 * a], axis))
            for a, axis in zip(operands, axes, strict=True)
        ]
        return jax.vmap(function, in_axes=axes)(*stacked)

    found = mapped(lambda y, w: tconv.jax.conv(y, w, **keywords, method=method), y, w)
    np.testing.assert_allclose(found, np.stack([down, prod(factors) * down]), atol=1e-12)
    found = mapped(lambda x, y: tconv.jax.weight_gradient(x, y, 3, **keywords, method=method), x, y)
    np.testing.assert_allclose(found, np.stack([across, prod(factors) * across]), atol=1e-12)


def test_gradients_per_example(double):
    w, y = RNG.normal(size=(4, 3, 3)), RNG.normal(size=(5, 3, 9))
    each = jax.vmap(jax.grad(lambda w, y: (tconv.conv(y[None], w, stride=2) ** 2).sum()), in_axes=(None, 0))(w, y)
    x = 2 * tconv.conv(y, w, stride=2)
    for found, x_of_one, y_of_one in zip(each, x, y, strict=True):
        np.testing.assert_allclose(found, tconv.weight_gradient(x_of_one, y_of_one, (3,), stride=2), atol=1e-12)


#: Windows that crop y, or the result, at one end and pad it at the other.
CROPPED = {
    "low": {"kernel": 3, "stride": 1, "padding": (-2, 3)},
    "high": {"kernel": 3, "stride": 2, "padding": (3, -2)},
    "beyond the kernel": {"kernel": 3, "stride": 1, "padding": (4, -3)},
    "grouped": {"kernel": 3, "stride": 2, "padding": (-1, 4), "groups": 2},
    "pointwise": {"kernel": 1, "stride": 1, "padding": (-1, 1)},
}


@pytest.mark.parametrize("name", CROPPED)
def test_nothing_is_read_beyond_y(name):
    """XLA does where its convolution is cropped at one end and padded at the other: openxla/xla#48713."""
    window = dict(CROPPED[name])
    groups, kernel, padding = window.pop("groups", 1), window.pop("kernel"), (window.pop("padding"),)
    geometry = tconv.Geometry.conv(29, kernel, padding=padding, **window)
    x, w, y = (  # as many channels as XLA has quick code for, which goes wrong
        RNG.normal(size=shape).astype(np.float32)
        for shape in ((1, 16, *geometry.coarse), (16, 16 // groups, kernel), (1, 16, 29))
    )
    up, down, gradient = oracle(geometry, x, w, y, groups)
    for method in ("auto", "native"):
        keywords = {**window, "padding": padding, "groups": groups, "method": method}
        conv = jax.jit(lambda y, w, k=keywords: tconv.jax.conv(y, w, **k))
        across = jax.jit(lambda x, y, k=keywords: tconv.jax.weight_gradient(x, y, (kernel,), **k))
        got = [conv(y, w), *jax.jit(jax.grad(lambda y, w, f=conv: jnp.vdot(f(y, w), x), (0, 1)))(y, w)]
        got += [across(x, y), *jax.jit(jax.grad(lambda x, y, f=across: jnp.vdot(f(x, y), w), (0, 1)))(x, y)]
        for one, right in zip(got, (down, up, gradient, gradient, down, up), strict=True):
            np.testing.assert_allclose(one, right, atol=1e-4)


@pytest.mark.parametrize("method", ["auto", *VARIANTS])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_rounded_once(dtype, method):
    """2048 + 1 + 1 + ... is lost in half precision when each sum is rounded, and is not when only the last is."""
    many, ones = jnp.ones((1, 64, 1), dtype).at[0, 0, 0].set(2048), jnp.ones((1, 64, 1), dtype)
    found = tconv.jax.conv(many, ones, jnp.ones(1, dtype), method=method)
    assert (found.dtype, found.item()) == (dtype, jnp.asarray(2112, dtype).item())
    images = jnp.moveaxis(many, 1, 0)
    found = tconv.jax.weight_gradient(images, jnp.ones((64, 1, 1), dtype), 1, method=method)
    assert (found.dtype, found.item()) == (dtype, jnp.asarray(2111, dtype).item())


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"])
@pytest.mark.parametrize("method", ["auto", "phases"])
def test_integers_wrap_as_numpys_do(double, dtype, method):
    info = np.iinfo(dtype)
    x, w, y = (
        RNG.integers(info.min, info.max, shape, dtype, endpoint=True)
        for shape in ((2, 2, 3, 2), (2, 3, 3, 2), (2, 6, 6, 4))
    )
    keywords = {"stride": 2, "padding": ((1, 0), (0, 0)), "groups": 2}
    found = tconv.jax.conv(jnp.asarray(y), jnp.asarray(w), **keywords, method=method)
    np.testing.assert_array_equal(found, tconv.conv(y, w, **keywords), strict=True)
    found = tconv.jax.weight_gradient(jnp.asarray(x), jnp.asarray(y), (3, 2), **keywords, method=method)
    np.testing.assert_array_equal(found, tconv.weight_gradient(x, y, (3, 2), **keywords), strict=True)


@pytest.mark.parametrize("dtype", ["float32", "int32"])
@pytest.mark.parametrize("method", ["auto", *VARIANTS])
def test_empty_batch(dtype, method):
    x, w, y = (jnp.ones(shape, dtype) for shape in ((0, 4, 3), (4, 3, 3), (0, 3, 7)))
    assert tconv.jax.conv(y, w, stride=2, method=method).shape == x.shape
    found = tconv.jax.weight_gradient(x, y, 3, stride=2, method=method)
    assert found.shape == w.shape
    assert not found.any()
    if dtype == "float32":
        by_y, by_w = jax.grad(lambda y, w: tconv.jax.conv(y, w, stride=2, method=method).sum(), (0, 1))(y, w)
        assert by_y.shape == y.shape
        assert not by_w.any()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_without_a_batch_axis(layout):
    x, w, y = (RNG.normal(size=shape).astype(np.float32) for shape in ((4, 3, 2), (4, 3, 3, 3), (3, 7, 5)))
    keywords = {"stride": 2, "layout": layout}
    if layout == "channels_last":
        x, y = np.moveaxis(x, 0, -1), np.moveaxis(y, 0, -1)
    np.testing.assert_allclose(tconv.jax.conv(y, w, **keywords), tconv.conv(y, w, **keywords), atol=1e-4)
    found = tconv.jax.weight_gradient(x, y, (3, 3), **keywords)
    np.testing.assert_allclose(found, tconv.weight_gradient(x, y, (3, 3), **keywords), atol=1e-4)


def test_words_for_padding_and_sizes_that_are_checked():
    y, w = jnp.ones((1, 1, 8)), jnp.ones((1, 1, 3))
    x = tconv.jax.conv(y, w, stride=2, padding="same", output_size=4)
    assert x.shape == (1, 1, 4)
    assert tconv.jax.weight_gradient(x, y, 3, stride=2, padding="same", output_size=8).shape == w.shape
    assert tconv.jax.conv(y, w, stride=2, padding="valid", output_size=3).shape == (1, 1, 3)


def test_functions_of_tconv_take_jax_arrays_and_tracers():
    x, w, y = (RNG.normal(size=shape).astype(np.float32) for shape in ((1, 4, 3), (4, 2, 3), (1, 2, 7)))
    down, across = tconv.conv(y, w, stride=2), tconv.weight_gradient(x, y, 3, stride=2)
    for first in (np.asarray, jnp.asarray):
        found = tconv.conv(first(y), jnp.asarray(w), stride=2)
        assert isinstance(found, jax.Array)
        np.testing.assert_allclose(found, down, atol=1e-4)
        found = tconv.weight_gradient(first(x), jnp.asarray(y), 3, stride=2)
        assert isinstance(found, jax.Array)
        np.testing.assert_allclose(found, across, atol=1e-4)
    np.testing.assert_allclose(jax.jit(lambda y: tconv.conv(y, w, stride=2))(y), down, atol=1e-4)
    compiled = jax.jit(lambda x, y: tconv.weight_gradient(x, y, 3, stride=2, method="taps"))
    np.testing.assert_allclose(compiled(x, y), across, atol=1e-4)


@pytest.mark.parametrize("method", VARIANTS)
def test_a_variant_computes_what_it_says(method):
    """Its operations, so that no variant stands in for another, and no zeros are met between cells."""
    x, w, y = jnp.ones((1, 4, 5, 5)), jnp.ones((4, 6, 3, 3)), jnp.ones((1, 6, 9, 9))
    keywords = {"stride": 2, "padding": 1, "method": method}
    convolutions = {"native": 1, "stacked": 1, "blocks": 4, "phases": 4, "columns": 0, "taps": 0}
    products = {"columns": 1, "taps": 9}
    for function, operands in (
        (lambda y, w: tconv.jax.conv(y, w, **keywords), (y, w)),
        (lambda x, y: tconv.jax.weight_gradient(x, y, 3, **keywords), (x, y)),
    ):
        text = jax.jit(function).lower(*operands).as_text()
        assert text.count("stablehlo.convolution(") == convolutions[method]
        assert text.count("stablehlo.dot_general") == products.get(method, 0)
        assert "lhs_dilate = [2, 2]" not in text
    if method == "native":  # nothing beside the convolution moves anything
        last = jnp.moveaxis(y, 1, -1)
        text = jax.jit(lambda y, w: tconv.jax.conv(y, w, **keywords, layout="channels_last")).lower(last, w).as_text()
        assert not any(f"stablehlo.{word}" in text for word in ("transpose", "reverse", "pad", "slice"))


def test_laxs_own_derivatives_are_convolutions_by_small_kernels():
    """Of one operation by an operand, the transpose is another: weights are its kernel, or x is, but x never for y."""
    x, w, y = jnp.ones((1, 16, 16, 4)), jnp.ones((4, 6, 3, 3)), jnp.ones((1, 33, 33, 6))
    keywords = {"stride": 2, "method": "native", "layout": "channels_last"}

    def kernels(function, *operands, by):
        text = jax.jit(jax.grad(lambda *a: function(*a, **keywords).sum(), by)).lower(*operands).as_text()
        [sizes] = re.findall(r"stablehlo.convolution.*: \(tensor<.*>, tensor<([\dx]+)xf32>\)", text)
        return sizes.split("x")

    def across(x, y, **keywords):
        return tconv.jax.weight_gradient(x, y, 3, **keywords)

    assert kernels(tconv.jax.conv, y, w, by=0).count("3") == 2
    assert kernels(tconv.jax.conv, y, w, by=1).count("16") == 2
    assert kernels(across, x, y, by=0).count("3") == 2
    assert kernels(across, x, y, by=1).count("3") == 2
