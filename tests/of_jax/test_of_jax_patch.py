"""lax's names lead to tconv: by hand, by `patch`, within a block; libraries whose layers call lax follow.

Flax, Equinox, Haiku and Keras are no part of the test extra: where one is missing, its test is skipped.
"""

import inspect
import os
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

import tconv.jax
from tconv.jax import lax_conv_general_dilated, lax_conv_transpose, laxs

pytestmark = pytest.mark.usefixtures("lightly_compiled")

#: Three axes with stride, where lax's own goes through the zeros, and tconv's never does.
X = jnp.asarray(np.random.default_rng(0).integers(-3, 4, (2, 3, 4, 3, 8)), jnp.float32)


@pytest.fixture(autouse=True)
def lax_as_it_was():
    yield
    tconv.jax.unpatch()
    assert (lax.conv_transpose, lax.conv_general_dilated) == (laxs.conv_transpose, laxs.conv_general_dilated)


def goes_through_zeros(f, *arrays):
    """Whether XLA is told to stretch an array, within a function that it has not met."""
    return "lhs_dilate = [2, 2, 2]" in jax.jit(lambda *arrays: f(*arrays)).lower(*arrays).as_text()


def numbers():
    """Dimension numbers, and the letters of the three arrays."""
    return st.sampled_from([("NCH", "OIH", "NCH"), ("NHC", "HIO", "NHC"), ("HNC", "OHI", "CHN"), None])


@given(st.data())
@settings(max_examples=25)
def test_the_general_convolution_gives_what_lax_gives(data):
    spec, groups = data.draw(numbers()), data.draw(st.integers(1, 2))
    small = st.integers(1, 3)
    sizes = {"N": 2, "C": 2 * groups, "H": data.draw(small)}
    kernel = {"O": 3 * groups, "I": 2, "H": data.draw(small)}
    lhs_spec, rhs_spec, _ = spec or ("NCH", "OIH", "NCH")
    lhs, rhs = (
        jnp.asarray(np.random.default_rng(1).integers(-4, 5, [of[letter] for letter in letters]), jnp.float32)
        for of, letters in ((sizes, lhs_spec), (kernel, rhs_spec))
    )
    arguments = {
        "window_strides": (data.draw(st.sampled_from([1, 1, 1, 2])),),
        "padding": [(data.draw(st.integers(0, 3)), data.draw(st.integers(-1, 4)))],
        "lhs_dilation": data.draw(st.sampled_from([None, (1,), (2,), [3]])),
        "rhs_dilation": data.draw(st.sampled_from([None, (1,), (2,)])),
        "dimension_numbers": spec,
        "feature_group_count": groups,
    }
    try:
        theirs = laxs.conv_general_dilated(lhs, rhs, **arguments)
    except ValueError as refused:
        with pytest.raises(ValueError, match=re.escape(str(refused))):
            lax_conv_general_dilated(lhs, rhs, **arguments)
        return
    np.testing.assert_array_equal(lax_conv_general_dilated(lhs, rhs, **arguments), theirs)


def test_what_is_no_transposed_convolution_is_left_to_lax():
    x, w = X[:, 0, 0], jnp.ones((3, 8, 4))
    numbers = ("NHC", "HIO", "NHC")
    for arguments in (
        {"padding": "SAME"},
        {"padding": [(1, 1)], "lhs_dilation": (2,), "batch_group_count": 2},
    ):
        ours, theirs = (
            f(x, w, (1,), dimension_numbers=numbers, **arguments)
            for f in (lax_conv_general_dilated, laxs.conv_general_dilated)
        )
        np.testing.assert_array_equal(ours, theirs)


def test_the_same_signature():
    ours, theirs = (inspect.signature(f).parameters for f in (lax_conv_general_dilated, laxs.conv_general_dilated))
    assert [(p.name, p.default) for p in ours.values()][: len(theirs)] == [(p.name, p.default) for p in theirs.values()]


@pytest.mark.parametrize("dtype", ["float32", "complex64", "int32"])
def test_laxs_name_set_by_hand_does_not_recurse(dtype):
    x, w = X.astype(dtype), jnp.ones((2, 2, 2, 8, 3), dtype)
    theirs = lax.conv_transpose(x, w, (2, 2, 2), "SAME")
    lax.conv_transpose = tconv.jax.lax_conv_transpose
    np.testing.assert_array_equal(lax.conv_transpose(x, w, (2, 2, 2), "SAME"), theirs)
    lax.conv_general_dilated = lax_conv_general_dilated
    np.testing.assert_array_equal(lax.conv_transpose(x, w, (2, 2, 2), "SAME"), theirs)


def test_every_variant_computes_by_laxs_own_while_lax_is_patched():
    x, w = X[:, 0, 0], jnp.asarray(np.arange(8 * 4 * 3).reshape(8, 4, 3), jnp.float32)
    said = {"stride": 2, "padding": 1, "layout": "channels_last"}
    plain = tconv.jax.conv_transpose(x, w, method="native", **said)
    with tconv.jax.patch():
        for method in tconv.jax.VARIANTS:
            up = lambda x, w, method=method: tconv.jax.conv_transpose(x, w, method=method, **said)  # noqa: E731
            np.testing.assert_array_equal(up(x, w), plain)
            for place, grad in enumerate(jax.grad(lambda x, w, up=up: up(x, w).sum(), (0, 1))(x, w)):
                assert grad.shape == (x, w)[place].shape


def test_patched_within_a_block_and_as_before_after_it():
    w = jnp.ones((2, 2, 2, 8, 3))
    up = lambda x: lax.conv_transpose(x, w, (2, 2, 2), "SAME")  # noqa: E731
    assert goes_through_zeros(up, X)
    with tconv.jax.patch():
        assert lax.conv_transpose is lax_conv_transpose
        assert not goes_through_zeros(up, X)
        with tconv.jax.patch():
            pass
        assert lax.conv_transpose is lax_conv_transpose, "the inner block ended within the outer one"
    assert goes_through_zeros(up, X)
    with pytest.raises(KeyError), tconv.jax.patch():
        raise KeyError
    assert lax.conv_transpose is laxs.conv_transpose
    tconv.jax.patch()
    tconv.jax.patch()
    tconv.jax.unpatch()
    assert lax.conv_transpose is laxs.conv_transpose


# -- libraries ---------------------------------------------------------------------------------------------------------


def linen():
    nn = pytest.importorskip("flax.linen", exc_type=ModuleNotFoundError)
    layer = nn.ConvTranspose(4, (2, 2, 2), (2, 2, 2))
    parameters = layer.init(jax.random.key(0), X)
    return lambda x: layer.apply(parameters, x)


def nnx():
    nnx = pytest.importorskip("flax.nnx", exc_type=ModuleNotFoundError)
    layer = nnx.ConvTranspose(8, 4, (2, 2, 2), (2, 2, 2), rngs=nnx.Rngs(0))
    return lambda x: layer(x)


def equinox():
    equinox = pytest.importorskip("equinox", exc_type=ModuleNotFoundError)
    layer = equinox.nn.ConvTranspose3d(8, 4, 2, 2, groups=2, key=jax.random.key(0))
    return jax.vmap(lambda x: layer(jnp.moveaxis(x, -1, 0)))


def haiku():
    haiku = pytest.importorskip("haiku", exc_type=ModuleNotFoundError)
    layer = haiku.without_apply_rng(haiku.transform(lambda x: haiku.Conv3DTranspose(4, 2, 2)(x)))
    parameters = layer.init(jax.random.key(0), X)
    return lambda x: layer.apply(parameters, x)


def keras():
    os.environ.setdefault("KERAS_BACKEND", "jax")
    keras = pytest.importorskip("keras", exc_type=ModuleNotFoundError)
    if keras.backend.backend() != "jax":
        pytest.skip("Keras computes by another library")
    return keras.layers.Conv3DTranspose(4, 2, strides=2)


@pytest.mark.filterwarnings("ignore")  # what the libraries say to themselves
@pytest.mark.parametrize("library", [linen, nnx, equinox, haiku, keras])
def test_layers_of_libraries_follow(library):
    layer = library()
    loss = lambda x: (layer(x) ** 2).sum()  # noqa: E731
    theirs, by_x = layer(X), jax.grad(loss)(X)
    assert goes_through_zeros(layer, X)
    with tconv.jax.patch():
        ours, ours_by_x = layer(X), jax.grad(loss)(X)
        assert not goes_through_zeros(layer, X)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(ours_by_x, by_x, rtol=1e-5, atol=1e-4)
    assert goes_through_zeros(layer, X)


def test_patches_end_in_any_order_and_begin_again():
    own = jax.lax.conv_transpose
    first, second = tconv.jax.patch(), tconv.jax.patch()
    first.__exit__(None, None, None)
    assert jax.lax.conv_transpose is tconv.jax.lax_conv_transpose
    second.__exit__(None, None, None)
    assert jax.lax.conv_transpose is own
    with second:
        assert jax.lax.conv_transpose is tconv.jax.lax_conv_transpose
    assert jax.lax.conv_transpose is own


def test_weak_types_and_numpy_strides_are_as_in_lax():
    a, b = jnp.full((1, 4, 4, 2), 1.0), jnp.full((2, 2, 2, 2), 1.0)
    one = jnp.ones((), jnp.bfloat16)
    for function in (jax.lax.conv_transpose, tconv.jax.lax_conv_transpose):
        assert (function(a, b, (2, 2), "SAME") * one).dtype == jnp.bfloat16
    keywords = {"lhs_dilation": (2, 2), "dimension_numbers": ("NHWC", "HWIO", "NHWC")}
    y = tconv.jax.lax_conv_general_dilated(a, b, np.array([1, 1]), [(1, 1), (1, 1)], **keywords)
    np.testing.assert_allclose(y, jax.lax.conv_general_dilated(a, b, (1, 1), [(1, 1), (1, 1)], **keywords))
