"""Activations and residuals of the operations: by every method, layout and dtype what the definition gives, once."""

import numpy as np
import pytest
from oracle import expected
from registry import every_method, needs_kernels
from strategies import GEOMETRIES

import tconv
from tconv.activations import ACTIVATIONS

every_activation = pytest.mark.parametrize("name", ACTIVATIONS)
every_layout = pytest.mark.parametrize("layout", ["channels_first", "channels_last"])
every_operation = pytest.mark.parametrize("operation", ["conv_transpose", "conv"])
GEOMETRY = tconv.Geometry.conv_transpose((4, 5), 3, stride=2, padding=1, output_padding=1)
#: float16 is rounded once, from float32.
ROUNDING = {"float16": 2e-3, "float32": 1e-5, "float64": 1e-12}


def made(name, channels):
    """An activation with a parameter for each channel, if it has one."""
    parameter = ACTIVATIONS[name].parameter
    values = np.linspace(0.3, 1.7, channels)
    return tconv.Activation(name, **({parameter: values} if parameter else {}))


def posed(operation, geometry=GEOMETRY, dtype="float64", *, cin=4, cout=6, groups=2, batch=2):
    """What is read, weights, a bias, a residual, keywords, and the exact sums."""
    rng = np.random.default_rng(0)
    grids = rng.normal(size=(batch, cin, *geometry.coarse)), rng.normal(size=(batch, cout, *geometry.fine))
    w = rng.normal(size=(cin, cout // groups, *geometry.kernel)).astype(dtype)
    first, other = grids if operation == "conv_transpose" else grids[::-1]
    first, residual = first.astype(dtype), other.astype(dtype)
    bias = rng.normal(size=other.shape[1]).astype(dtype)
    given = (first, w, residual) if operation == "conv_transpose" else (residual, w, first)
    exact = expected(operation, geometry, *given, groups) + np.float64(bias).reshape(-1, *[1] * geometry.ndim)
    return first, w, bias, residual, {**geometry.keywords, "groups": groups}, exact


def laid(a, layout):
    """A grid in a layout."""
    return np.ascontiguousarray(np.moveaxis(a, 1, -1)) if layout == "channels_last" else a


@every_method
@every_layout
@every_operation
@every_activation
def test_equals_the_definition(name, operation, layout, method):
    x, w, bias, residual, keywords, exact = posed(operation)
    function, activation = getattr(tconv, operation), made(name, len(bias))
    keywords |= {"layout": layout, "method": method}
    x, wanted = laid(x, layout), laid(activation(exact + residual), layout)
    found = function(x, w, bias, **keywords, activation=activation, residual=laid(residual, layout))
    np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-12)
    found = function(x, w, bias, **keywords, activation=activation)
    np.testing.assert_allclose(found, laid(activation(exact), layout), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("geometry", GEOMETRIES)
@every_operation
def test_every_geometry(operation, geometry):
    x, w, bias, residual, keywords, exact = posed(operation, geometry, cin=2, cout=2, groups=1)
    activation = made("elu", 2)
    found = getattr(tconv, operation)(x, w, bias, **keywords, activation=activation, residual=residual)
    np.testing.assert_allclose(found, activation(exact + residual), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("dtype", ROUNDING)
@every_operation
def test_every_dtype(operation, dtype):
    x, w, bias, residual, keywords, exact = posed(operation, dtype=dtype)
    found = getattr(tconv, operation)(x, w, bias, **keywords, activation="silu", residual=residual)
    assert found.dtype == dtype
    wanted = tconv.Activation("silu")(exact + residual)
    np.testing.assert_allclose(found, wanted, rtol=ROUNDING[dtype], atol=10 * ROUNDING[dtype])


@every_layout
@pytest.mark.parametrize("kind", [tconv.ConvTranspose, tconv.Conv])
def test_prepared(kind, layout):
    """The first call, later ones, and those with other arrays; with an activation, a residual, or both."""
    operation = "conv_transpose" if kind is tconv.ConvTranspose else "conv"
    x, w, bias, residual, keywords, exact = posed(operation, dtype="float32")
    x, keywords = laid(x, layout), {**keywords, "layout": layout}
    for activation in ("gelu_tanh", made("prelu", len(bias)), None):
        op = kind(w, bias, **keywords, activation=activation)
        apply = op.activation or (lambda v: v)
        for _ in range(3):
            if activation is not None:
                np.testing.assert_allclose(op(x), laid(apply(exact), layout), rtol=1e-4, atol=1e-4)
            wanted = laid(apply(exact + residual), layout)
            found = op(x, residual=laid(residual, layout))
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
            strided = np.repeat(laid(residual, layout), 2, axis=-1)[..., ::2]
            np.testing.assert_array_equal(op(x, residual=strided), found)
            out = np.full_like(found, np.nan)
            assert op(x, out, residual=laid(residual, layout)) is out
            np.testing.assert_array_equal(out, found)


@needs_kernels
def test_calls_of_known_shapes_do_the_same():
    """Found by one look the second time, whatever the activation and the residual were before."""
    x, w, bias, residual, keywords, exact = posed("conv_transpose", dtype="float32")
    slope = made("prelu", len(bias))
    for _ in range(3):
        for activation in ("relu", "tanh", slope, made("prelu", len(bias)), None):
            apply = tconv.activations.activation(activation) or (lambda v: v)
            for added in (residual, -residual, np.asfortranarray(residual), None):
                found = tconv.conv_transpose(
                    x, w, bias, **keywords, method="jit", activation=activation, residual=added
                )
                wanted = apply(exact if added is None else exact + added)
                np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="residual must have shape"):
        tconv.conv_transpose(x, w, bias, **keywords, method="jit", activation="relu", residual=residual[:1])
    with pytest.raises(TypeError, match="activation must be a name"):
        tconv.conv_transpose(x, w, bias, **keywords, method="jit", activation=[1])


def test_a_residual_alone():
    x, w, bias, residual, keywords, exact = posed("conv_transpose")
    found = tconv.conv_transpose(x, w, bias, **keywords, residual=residual)
    np.testing.assert_allclose(found, exact + residual, rtol=1e-12, atol=1e-12)
    without_batch = tconv.conv_transpose(x[0], w, bias, **keywords, residual=residual[0])
    np.testing.assert_allclose(without_batch, found[0], rtol=1e-12, atol=1e-12)


def test_no_images():
    x, w, bias, residual, keywords, _ = posed("conv_transpose")
    found = tconv.conv_transpose(x[:0], w, bias, **keywords, activation="elu", residual=residual[:0])
    assert found.shape == residual[:0].shape


def test_where_no_tap_reaches_it_is_the_bias():
    x, w = np.ones((1, 1, 3)), np.ones((1, 2, 1))
    for method in ("auto", "gemm"):
        found = tconv.conv_transpose(x, w, np.array([-1.0, 2.0]), stride=3, activation="relu", method=method)
        np.testing.assert_array_equal(found, [[[0, 0, 0, 0, 0, 0, 0], [3, 2, 2, 3, 2, 2, 3]]])


@every_method
def test_nan_and_inf(method):
    """They stay where they are, in weights as well."""
    x, w, bias, residual, keywords, _ = posed("conv_transpose", dtype="float32")
    for spoiled, value in ((x, np.nan), (x, np.inf), (w, np.nan), (bias, -np.inf), (residual, np.nan)):
        before, spoiled.flat[1] = spoiled.flat[1], value
        sums = tconv.conv_transpose(x, w, bias, **keywords, method=method)
        with np.errstate(invalid="ignore"):
            wanted = tconv.Activation("tanh")(sums + residual)
        found = tconv.conv_transpose(x, w, bias, **keywords, method=method, activation="tanh", residual=residual)
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
        spoiled.flat[1] = before


@needs_kernels
def test_many_threads_compute_the_same_bits():
    x, w, bias, residual, keywords, _ = posed("conv_transpose", dtype="float32", batch=9)
    op = tconv.ConvTranspose(w, bias, **keywords, activation=made("snake", len(bias)))
    alone = op(x, residual=residual)
    tconv.set_num_threads(3)
    try:
        np.testing.assert_array_equal(op(x, residual=residual), alone)
    finally:
        tconv.set_num_threads(None)


@pytest.mark.quick
def test_integers_and_complex_numbers():
    x, w = np.array([[-3, 2]]), np.array([[[2]]])
    found = tconv.conv_transpose(x, w, activation="relu", residual=np.array([[1, 1]]))
    np.testing.assert_array_equal(found, [[0, 5]])
    found = tconv.conv_transpose(x * 1j, w + 0j, residual=np.array([[1, 2j]]))
    np.testing.assert_array_equal(found, [[1 - 6j, 6j]])


@pytest.mark.quick
def test_plans_say_what_follows():
    plan = tconv.plan((1, 4, 8, 8), (4, 2, 3, 3), activation="silu", residual=True, method="gemm")
    assert "  then a residual is added, then silu, by NumPy, once the result is complete" in str(plan)
    assert plan.epilogue.activation == "silu"
    assert tconv.plan((1, 4, 8, 8), (4, 2, 3, 3)).epilogue is None
    op = tconv.ConvTranspose(np.ones((4, 2, 3, 3), np.float32), activation="relu")
    assert op.plan((1, 4, 8, 8)).epilogue.activation == "relu"


X, W = np.ones((1, 2, 3), np.float32), np.ones((2, 4, 2), np.float32)
CHOICES = ", ".join(f'"{name}"' for name in ACTIVATIONS)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("given", "kind", "text"),
    [
        ({"activation": "rel"}, ValueError, f"activation must be one of {CHOICES}; got 'rel'"),
        ({"activation": 3}, TypeError, "activation must be a name, a tconv.Activation or None; got 3 of type int"),
        (
            {"activation": "prelu"},
            ValueError,
            "activation must be tconv.Activation(\"prelu\", slope=...), as \"prelu\" has no default; got 'prelu'",
        ),
        (
            {"activation": tconv.Activation("prelu", slope=np.ones(3))},
            ValueError,
            "slope of activation must have shape (4,); got (3,)",
        ),
        ({"residual": [1.0]}, TypeError, "residual must be a NumPy array; got [1.0] of type list"),
        ({"residual": np.ones((1, 4, 4))}, TypeError, "residual must have the dtype of x, float32; got float64"),
        (
            {"residual": np.ones((1, 4, 3), np.float32)},
            ValueError,
            "residual must have shape (1, 4, 4); got (1, 4, 3)",
        ),
    ],
)  # fmt: skip
def test_messages(given, kind, text):
    with pytest.raises(kind) as error:
        tconv.conv_transpose(X, W, **given)
    assert str(error.value).startswith(f"conv_transpose: {text}")
    if "activation" in given:
        with pytest.raises(kind) as error:
            tconv.ConvTranspose(W, **given)
        assert str(error.value).startswith(f"ConvTranspose: {text}")


@pytest.mark.quick
def test_more_messages():
    out = np.zeros((1, 4, 4), np.float32)
    with pytest.raises(ValueError, match="out must share no memory with residual; got arrays that overlap"):
        tconv.conv_transpose(X, W, residual=out, out=out)
    op = tconv.ConvTranspose(W)
    op(X, residual=out)
    with pytest.raises(ValueError, match="out must share no memory with residual; got arrays that overlap"):
        op(X, out, residual=out)
    with pytest.raises(TypeError, match='activation must be None or "relu" for integers; got Activation'):
        tconv.conv_transpose(X.astype(int), W.astype(int), activation="silu")
    with pytest.raises(TypeError, match="activation must be None for complex numbers; got Activation"):
        tconv.conv_transpose(X + 0j, W + 0j, activation="relu")
    with pytest.raises(TypeError, match="plan: residual must be True or False; got 3 of type int"):
        tconv.plan((1, 2, 3), (2, 4, 2), residual=3)
    with pytest.raises(ValueError, match="activation must be left out of operation \"weight_gradient\"; got 'relu'"):
        tconv.plan((1, 2, 3), (1, 4, 3), operation="weight_gradient", kernel_size=1, activation="relu")
