"""Linear operators times Dask arrays: lazy, and the product that NumPy gives."""

import dask.array as da
import numpy as np
import pytest
from scipy.sparse.linalg import aslinearoperator

import tconv

pytestmark = pytest.mark.quick

RNG = np.random.default_rng(0)
GEOMETRY = tconv.Geometry.conv((9, 14), 3, stride=2, padding=1)


@pytest.fixture(params=["float32", "complex64"])
def c(request):
    return tconv.linear_operator(GEOMETRY, RNG.normal(size=(2, 3, 3, 3)).astype(request.param))


@pytest.mark.parametrize("which", ["C", "T", "H"])
@pytest.mark.parametrize("form", ["vector", "grid", "columns"])
def test_products_are_lazy_and_those_of_numpy(c, which, form):
    op = c if which == "C" else getattr(c, which)
    shape = {"vector": (op.shape[1],), "grid": op.dims, "columns": (op.shape[1], 2)}[form]
    x = RNG.normal(size=shape)
    there = da.from_array(x, chunks=7)
    for product in (op @ there, op.matmat(there) if form == "columns" else op.matvec(there)):
        assert isinstance(product, da.Array)
        found = product.compute(scheduler="sync")
        wanted = op @ x
        assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)
    if form != "columns":
        adjoint = op.H
        np.testing.assert_allclose(adjoint.rmatvec(there).compute(scheduler="sync"), op @ x, rtol=1e-12, atol=1e-12)


ARITHMETIC = {
    "2 * C": lambda c: 2 * c,
    "C * 2": lambda c: c * 2,
    "C / 2": lambda c: c / 2,
    "-C": lambda c: -c,
    "1j C": lambda c: 1j * c,
    "C + C": lambda c: c + 3 * c,
    "C - C": lambda c: c - 3 * c,
    "C.T": lambda c: c.T,
    "(2C).T": lambda c: (2 * c).T,
    "C.T C": lambda c: c.T @ c,
    "C.T * C": lambda c: c.T.dot(c),
    "C C.T C": lambda c: c @ c.T @ c,
    "(C C.T)C": lambda c: (c @ c.T) @ c,
    "damped": lambda c: c.T @ c + 0.5 * (c.T @ c),
}


@pytest.mark.parametrize("name", ARITHMETIC)
def test_arithmetic_is_lazy_and_that_of_the_matrix(c, name):
    w = c @ np.eye(c.shape[1])
    op, matrix = ARITHMETIC[name](c), ARITHMETIC[name](w)
    v = RNG.normal(size=op.shape[1])
    found = op @ da.from_array(v, chunks=40)
    assert isinstance(found, da.Array)
    np.testing.assert_allclose(found.compute(scheduler="sync"), matrix @ v, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(op @ v, matrix @ v, rtol=1e-9, atol=1e-9)
    u = RNG.normal(size=op.shape[0])
    np.testing.assert_allclose(op.H @ u, matrix.conj().T @ u, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(op.rmatvec(u), matrix.conj().T @ u, rtol=1e-9, atol=1e-9)


def test_powers_are_lazy(c):
    matrix, v = c.H @ (c @ np.eye(c.shape[1])), RNG.normal(size=c.shape[1])
    for p in (1, 2, 3):
        found = (c.H @ c) ** p @ da.from_array(v, chunks=40)
        assert isinstance(found, da.Array)
        np.testing.assert_allclose(found.compute(scheduler="sync"), np.linalg.matrix_power(matrix, p) @ v, rtol=1e-6)
    np.testing.assert_array_equal((c.H @ c) ** 0 @ v, v)  # SciPy's


@pytest.mark.parametrize("shape", [(), (2,)])
def test_products_from_the_left_are_lazy(c, shape):
    u = RNG.normal(size=(*shape, c.shape[0]))
    found = da.from_array(u, chunks=10) @ c
    assert isinstance(found, da.Array)
    np.testing.assert_allclose(found.compute(scheduler="sync"), u @ (c @ np.eye(c.shape[1])), rtol=1e-9, atol=1e-9)


def test_operators_of_other_kinds_are_for_scipy(c):
    other = aslinearoperator(RNG.normal(size=c.shape))
    v = RNG.normal(size=c.shape[1])
    np.testing.assert_allclose((c + other) @ v, c @ v + other @ v, rtol=1e-12)
    np.testing.assert_allclose((c.H @ other) @ v, c.H @ (other @ v), rtol=1e-12)
    with pytest.raises(ValueError, match="shape"):
        c + c.H
    with pytest.raises(ValueError, match="shape"):
        c @ c


def test_channels_may_be_left_out_where_they_are_single():
    op = tconv.linear_operator(GEOMETRY, np.ones((1, 1, 3, 3)))
    x = RNG.normal(size=GEOMETRY.fine)
    found = op @ da.from_array(x, chunks=5)
    assert found.shape == GEOMETRY.coarse
    np.testing.assert_allclose(found.compute(scheduler="sync"), op @ x, rtol=1e-12)


def test_an_operator_of_kernels_says_what_to_call():
    op = tconv.kernel_operator(GEOMETRY, np.ones(GEOMETRY.fine))
    with pytest.raises(TypeError) as caught:
        op @ da.ones(9)
    assert str(caught.value) == "GridOperator: x must be a NumPy array, which x.compute() makes; got a Dask array"


def test_wrong_shapes(c):
    with pytest.raises(ValueError) as caught:
        c @ da.ones(7)
    assert str(caught.value) == "GridOperator: x must have shape (3, 9, 14), or be a vector of 378 entries; got (7,)"
