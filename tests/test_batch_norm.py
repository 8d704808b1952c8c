"""Batch normalisation folded into weights: the result is that of the layer behind the operation."""

import numpy as np
import pytest

import tconv

pytestmark = pytest.mark.quick


def posed(operation, groups, dtype="float64"):
    """What is read, weights, a bias, and what the layer has gathered and learned."""
    rng = np.random.default_rng(0)
    cin, cout = 4, 6
    channels = cout if operation == "conv_transpose" else cin
    first = rng.normal(size=(2, cin if operation == "conv_transpose" else cout, 5, 7)).astype(dtype)
    w = rng.normal(size=(cin, cout // groups, 3, 2)).astype(dtype)
    bias, mean, gamma, beta = rng.normal(size=(4, channels)).astype(dtype)
    return first, w, bias, mean, rng.uniform(0.1, 4, channels).astype(dtype), gamma, beta


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("operation", ["conv_transpose", "conv"])
@pytest.mark.parametrize("given", ["everything", "no bias", "no gamma", "no beta"])
def test_equals_the_layer(operation, groups, given):
    first, w, bias, mean, var, gamma, beta = posed(operation, groups)
    bias = None if given == "no bias" else bias
    gamma, beta = None if given == "no gamma" else gamma, None if given == "no beta" else beta
    function = getattr(tconv, operation)
    result = function(first, w, bias, stride=2, groups=groups)
    each = (slice(None), None, None)
    wanted = (result - mean[each]) / np.sqrt(var[each] + 0.01)
    wanted = wanted * (1 if gamma is None else gamma[each]) + (0 if beta is None else beta[each])
    folded = tconv.fold_batch_norm(w, bias, mean, var, gamma, beta, eps=0.01, groups=groups, operation=operation)
    np.testing.assert_allclose(function(first, *folded, stride=2, groups=groups), wanted, rtol=1e-11, atol=1e-11)


def test_keeps_the_dtype_and_its_arguments():
    _, w, bias, *layer = posed("conv_transpose", 2, "float32")
    before = w.copy()
    folded, shift = tconv.fold_batch_norm(w, bias, *layer, groups=2)
    assert (folded.dtype, shift.dtype, folded.shape, shift.shape) == ("float32", "float32", w.shape, bias.shape)
    np.testing.assert_array_equal(w, before)


W, ONES = np.ones((2, 3, 2)), np.ones(3)


def fold(**keywords):
    """Likewise, of what is right but for the keywords."""
    return tconv.fold_batch_norm(W, None, ONES, ONES, **keywords)


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (
            lambda: tconv.fold_batch_norm(W, None, ONES, ONES, operation="weight_gradient"),
            ValueError,
            'operation must be one of "conv_transpose", "conv"; got \'weight_gradient\'',
        ),
        (
            lambda: tconv.fold_batch_norm(W, None, ONES, ONES, operation="conv"),
            ValueError,
            "mean must have shape (2,); got (3,)",
        ),
        (lambda: tconv.fold_batch_norm(W, None, ONES, np.ones(2)), ValueError, "var must have shape (3,); got (2,)"),
        (lambda: tconv.fold_batch_norm(W, None, ONES, None), TypeError, "var must be a NumPy array; got None"),
        (
            lambda: tconv.fold_batch_norm(W, None, ONES, -ONES),
            ValueError,
            "var + eps must be above 0; got -0.99999 for channel 0",
        ),
        (
            lambda: fold(eps=-1),
            ValueError,
            "eps must be at least 0 and finite; got -1",
        ),
        (
            lambda: fold(eps="a"),
            TypeError,
            "eps must be a number; got 'a' of type str",
        ),
        (
            lambda: tconv.fold_batch_norm(W.astype(int), None, ONES, ONES),
            TypeError,
            "w must hold floating-point numbers; got int64",
        ),
        (
            lambda: tconv.fold_batch_norm(W, np.ones(3, "float32"), ONES, ONES),
            TypeError,
            "bias must have the dtype of w, float64; got float32",
        ),
        (
            lambda: tconv.fold_batch_norm(W, None, ONES, ONES, groups=3),
            ValueError,
            "groups must divide the channels of x, Cin",
        ),
    ],
)
def test_messages(call, kind, text):
    with pytest.raises(kind) as error:
        call()
    assert str(error.value).startswith(f"fold_batch_norm: {text}")
