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


def test_the_adjoint_of_a_complex_matrix_is_conjugate():
    matrix = A + 1j * RNG.normal(size=A.shape)
    for adjoint, passes in ((matrix.conj().T, True), (matrix.T, False)):
        outcome = tconv.dot_test(lambda x: matrix @ x, lambda y, a=adjoint: a @ y, (3,), (4,), dtype="complex128")
        assert bool(outcome) == passes
        assert type(outcome.left) is complex
        assert "<Cx, y> = " in str(outcome)


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


@pytest.mark.parametrize(
    ("changes", "kind", "text"),
    [
        ({"forward": 1}, TypeError, "forward must be callable; got 1"),
        ({"adjoint": None}, TypeError, "adjoint must be callable; got None"),
        ({"tolerance": "abc"}, TypeError, "tolerance must be a number of at least 0; got 'abc'"),
        ({"tolerance": -1}, ValueError, "tolerance must be a number of at least 0; got -1"),
        ({"tolerance": float("nan")}, ValueError, "tolerance must be a number of at least 0; got nan"),
        ({"seed": 1.5}, TypeError, "seed must be an integer of at least 0; got 1.5 of type float"),
        (
            {"forward": lambda x: 1j * x},
            TypeError,
            "forward must return real numbers for dtype float64; got an array of dtype complex128",
        ),
        (
            {"adjoint": lambda y: y > 0, "dtype": "complex64"},
            TypeError,
            "adjoint must return numbers; got an array of dtype bool",
        ),
    ],
)
def test_wrong_arguments(changes, kind, text):
    arguments = {"forward": lambda x: x, "adjoint": lambda y: y, "x_shape": (3,), "y_shape": (3,)}
    with pytest.raises(kind) as caught:
        tconv.dot_test(**(arguments | changes))
    assert str(caught.value) == f"dot_test: {text}"


def test_numpy_numbers_are_numbers():
    assert tconv.dot_test(lambda x: x, lambda y: y, (3,), (3,), seed=np.array(2), tolerance=np.float32(1e-6))


def test_errors():
    same = {"forward": lambda x: x, "adjoint": lambda y: y}
    with pytest.raises(ValueError, match=r"^dot_test: forward must return an array of shape \(4,\); got \(3,\)$"):
        tconv.dot_test(**same, x_shape=(3,), y_shape=(4,))
    with pytest.raises(TypeError, match=r"^dot_test: dtype must be a floating point or complex dtype; got 'int32'$"):
        tconv.dot_test(**same, x_shape=(3,), y_shape=(3,), dtype="int32")
    with pytest.raises(TypeError, match=r"^dot_test: x_shape must be a shape; got 3 of type int$"):
        tconv.dot_test(**same, x_shape=3, y_shape=(3,))


def test_values_near_the_ends_of_their_range_are_judged_too():
    w = np.random.default_rng(0).normal(size=(1, 1, 3)) * 1e-165
    for wrong in (lambda y: tconv.conv(y, w[..., ::-1]), lambda y: 0 * tconv.conv(y, w)):
        assert not tconv.dot_test(lambda x: tconv.conv_transpose(x, w), wrong, (1, 1, 4), (1, 1, 6))
    assert not tconv.dot_test(lambda x: x * 1e200, lambda y: 3 * y * 1e200, (3,), (3,))
    assert tconv.dot_test(lambda x: x * 1e200, lambda y: y * 1e200, (3,), (3,))
