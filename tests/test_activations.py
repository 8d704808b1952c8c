"""Activations by their definition: numbers, limits, parameters, and what is said of wrong ones."""

import copy
import pickle

import numpy as np
import pytest

import tconv
from tconv.activations import ACTIVATIONS, activation

pytestmark = pytest.mark.quick

every_activation = pytest.mark.parametrize("name", ACTIVATIONS)
X = np.linspace(-8, 8, 321).reshape(1, 3, 107)
#: The formulas as papers write them; what is small is a difference there.
FORMULAS = {
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x, slope: np.maximum(x, 0) + slope * np.minimum(x, 0),
    "prelu": lambda x, slope: np.maximum(x, 0) + slope * np.minimum(x, 0),
    "elu": lambda x, alpha: np.maximum(x, 0) + alpha * (np.exp(np.minimum(x, 0)) - 1),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "gelu_tanh": lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "tanh": lambda x: (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x)),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "snake": lambda x, alpha: x + (1 - np.cos(2 * alpha * x)) / (2 * alpha),
}


def made(name, value):
    """An activation with a value for its parameter, if it has one."""
    parameter = ACTIVATIONS[name].parameter
    return tconv.Activation(name, **({parameter: value} if parameter else {}))


@every_activation
@pytest.mark.parametrize("value", [0.3, np.array([0.2, 0.7, 1.9])])
def test_equals_the_formula(name, value):
    given = [np.reshape(value, (-1, 1))] if ACTIVATIONS[name].parameter else []
    found = made(name, value)(X)
    np.testing.assert_allclose(found, FORMULAS[name](X, *given), rtol=1e-9, atol=1e-13)
    last = made(name, value)(np.moveaxis(X, 1, -1), axis=-1)
    np.testing.assert_array_equal(np.moveaxis(last, -1, 1), found)


@every_activation
def test_keeps_the_dtype_and_its_argument(name):
    for dtype in ("float16", "float32", "float64"):
        x = X.astype(dtype)
        before = x.copy()
        found = made(name, 0.5)(x)
        assert found.dtype == dtype
        np.testing.assert_array_equal(x, before)
        np.testing.assert_allclose(found, made(name, 0.5)(x.astype(np.float64)), rtol=np.finfo(dtype).eps, atol=1e-7)


@every_activation
def test_limits(name):
    low, high, nothing = made(name, 0.5)(np.array([[-np.inf], [np.inf], [np.nan]])[:, None]).ravel()
    lowest = {"leaky_relu": -np.inf, "prelu": -np.inf, "snake": -np.inf, "elu": -0.5, "tanh": -1.0}
    assert low == lowest.get(name, 0.0)
    assert high == (1.0 if name in ("tanh", "sigmoid") else np.inf)
    assert np.isnan(nothing)


@every_activation
def test_is_copied_and_pickled(name):
    one = made(name, np.array([0.5, 2.0, 3.0]))
    for other in (copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert repr(other) == repr(one)
        np.testing.assert_array_equal(other(X), one(X))


def test_a_parameter_is_its_own():
    slope = np.array([0.5, 2.0])
    one = tconv.Activation("prelu", slope=slope)
    slope[:] = 0
    np.testing.assert_array_equal(one(np.full((1, 2, 1), -1.0)), [[[-0.5], [-2]]])


def test_integers_know_what_is_exact():
    x = np.array([[-3, 4]])
    np.testing.assert_array_equal(tconv.Activation("relu")(x), [[0, 4]])


def test_an_argument_is_a_name_or_an_activation():
    given = tconv.Activation("silu")
    assert activation(None) is None
    assert activation(given) is given
    assert activation("elu").value == 1.0


CHOICES = ", ".join(f'"{name}"' for name in ACTIVATIONS)


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda: tconv.Activation("rely"), ValueError, f"Activation: name must be one of {CHOICES}; got 'rely'"),
        (lambda: tconv.Activation(3), TypeError, f"Activation: name must be one of {CHOICES}; got 3 of type int"),
        (
            lambda: tconv.Activation("relu", slope=1),
            TypeError,
            'Activation: slope must not be given: "relu" has no parameter; got slope=1',
        ),
        (
            lambda: tconv.Activation("elu", slope=1),
            TypeError,
            'Activation: slope must not be given: "elu" has the parameter alpha; got slope=1',
        ),
        (lambda: tconv.Activation("prelu"), TypeError, 'Activation: slope must be given: "prelu" has no default'),
        (
            lambda: tconv.Activation("elu", alpha="x"),
            TypeError,
            "Activation: alpha must be a number, or an array (C,) of floats; got 'x'",
        ),
        (
            lambda: tconv.Activation("elu", alpha=np.ones((2, 2))),
            TypeError,
            "Activation: alpha must be a number, or an array (C,) of floats; got float64 (2, 2)",
        ),
        (
            lambda: tconv.Activation("elu", alpha=np.ones(2, int)),
            TypeError,
            "Activation: alpha must be a number, or an array (C,) of floats; got int64 (2,)",
        ),
        (
            lambda: tconv.Activation("elu", alpha=np.array("1")),
            TypeError,
            "Activation: alpha must be a number, or an array (C,) of floats; got np.str_('1')",
        ),
        (
            lambda: tconv.Activation("elu", alpha=10**400),
            ValueError,
            "Activation: alpha must be finite; got inf",
        ),
        (
            lambda: tconv.Activation("elu", alpha=np.inf),
            ValueError,
            "Activation: alpha must be finite; got inf",
        ),
        (
            lambda: tconv.Activation("silu")(np.ones((1, 2), complex)),
            TypeError,
            'Activation("silu"): activation must be None for complex numbers; got Activation("silu") for complex128',
        ),
        (
            lambda: tconv.Activation("silu")(np.ones((1, 2), np.int64)),
            TypeError,
            'Activation("silu"): activation must be None or "relu" for integers; got Activation("silu") for int64',
        ),
        (
            lambda: tconv.Activation("prelu", slope=np.ones(3))(np.ones((1, 2))),
            ValueError,
            'Activation("prelu", slope=float64 (3,)): slope of activation must have shape (2,); got (3,)',
        ),
        (
            lambda: tconv.Activation("silu")([1.0]),
            TypeError,
            'Activation("silu"): v must be a NumPy array; got [1.0] of type list',
        ),
        (
            lambda: tconv.Activation("silu")(np.ones((1, 2)), axis=2),
            ValueError,
            'Activation("silu"): axis must be from -2 to 1; got 2',
        ),
    ],
)  # fmt: skip
def test_messages(call, kind, text):
    with pytest.raises(kind) as error:
        call()
    assert str(error.value).startswith(text)
