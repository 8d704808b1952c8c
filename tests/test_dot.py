"""The dot test passes for a map and its transpose, and for nothing else."""

import numpy as np
import pytest

import tconv

RNG = np.random.default_rng(0)
A = RNG.normal(size=(4, 3))


def test_passes_for_a_matrix_and_its_transpose():
    outcome = tconv.dot_test(lambda x: A @ x, lambda y: A.T @ y, (3,), (4,))
    assert outcome
    assert outcome.left == pytest.approx(outcome.right)
    assert str(outcome).startswith("dot test passed: <Cx, y> = ")


@pytest.mark.parametrize(
    "adjoint",
    [
        pytest.param(lambda y: -(A.T @ y), id="wrong sign"),
        pytest.param(lambda y: A.T @ y + 1e-9, id="slightly off"),
        pytest.param(lambda y: np.linalg.pinv(A) @ y, id="inverse"),
        pytest.param(lambda y: (A.T @ y) * np.nan, id="nan"),
    ],
)
def test_fails_for_anything_else(adjoint):
    outcome = tconv.dot_test(lambda x: A @ x, adjoint, (3,), (4,))
    assert not outcome
    assert str(outcome).startswith("dot test failed")


def test_zero_maps_are_each_others_transpose():
    assert tconv.dot_test(lambda x: np.zeros(4), lambda y: np.zeros(3), (3,), (4,))


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_lower_precision_is_judged_by_its_own_rounding(dtype):
    w = RNG.normal(size=(2, 3, 3, 3)).astype(dtype)

    def up(x):
        return tconv.conv_transpose(x, w, stride=2)

    def down(y):
        return tconv.conv(y, w, stride=2)

    assert tconv.dot_test(up, down, (1, 2, 4, 4), (1, 3, 9, 9), dtype=dtype)
    assert not tconv.dot_test(up, down, (1, 2, 4, 4), (1, 3, 9, 9), dtype=dtype, tolerance=0.0)


def test_errors():
    same = {"forward": lambda x: x, "adjoint": lambda y: y}
    with pytest.raises(ValueError, match=r"^dot_test: forward must return an array of shape \(4,\); got \(3,\)$"):
        tconv.dot_test(**same, x_shape=(3,), y_shape=(4,))
    with pytest.raises(TypeError, match=r"^dot_test: dtype must be a floating point dtype; got 'int32'$"):
        tconv.dot_test(**same, x_shape=(3,), y_shape=(3,), dtype="int32")
    with pytest.raises(TypeError, match=r"^dot_test: x_shape must be a shape; got 3 of type int$"):
        tconv.dot_test(**same, x_shape=3, y_shape=(3,))
