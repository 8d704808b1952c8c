"""Linear operators times Dask arrays: lazy, and the product that NumPy gives."""

import dask.array as da
import numpy as np
import pytest

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
