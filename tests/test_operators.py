"""C as a sparse matrix and as a linear operator: the same numbers as the definition, and what solvers need."""

import numpy as np
import pytest
from oracle import dense_matrix
from registry import computes, every_method
from scipy.sparse import csr_array
from scipy.sparse.linalg import LinearOperator, lsqr
from strategies import GEOMETRIES

import tconv

pytestmark = pytest.mark.quick

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_matrix_is_the_definition(geometry, groups):
    w = RNG.normal(size=(2 * groups, 2, *geometry.kernel))
    c = tconv.sparse_matrix(geometry, w, groups=groups)
    assert isinstance(c, csr_array)
    assert c.nnz == geometry.work(2 * groups, 2 * groups, groups=groups).multiplications
    assert c.has_canonical_format
    np.testing.assert_array_equal(c.toarray(), dense_matrix(geometry, w, groups))


def test_textbook_matrix():
    """Dumoulin and Visin, section 4.1: a 3x3 convolution of a 4x4 input is a 4 by 16 matrix."""
    c = tconv.sparse_matrix(tconv.Geometry.conv((4, 4), 3), np.arange(1.0, 10).reshape(1, 1, 3, 3))
    assert c.shape == (4, 16)
    assert c.toarray()[0].tolist() == [1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9, 0, 0, 0, 0, 0]
    assert c.toarray()[3].tolist() == [0, 0, 0, 0, 0, 1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9]


def test_zero_weights_are_stored():
    assert tconv.sparse_matrix(tconv.Geometry.conv(5, 3), np.zeros((1, 1, 3))).nnz == 9


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "uint16"])
def test_matrix_keeps_the_dtype(dtype):
    assert tconv.sparse_matrix(tconv.Geometry.conv(5, 3), np.ones((1, 1, 3), dtype)).dtype == dtype


def test_float16_is_stored_as_float32():
    assert tconv.sparse_matrix(tconv.Geometry.conv(5, 3), np.ones((1, 1, 3), "float16")).dtype == "float32"


@every_method
@pytest.mark.parametrize("geometry", GEOMETRIES[:6])
def test_operator_multiplies_as_the_matrix_does(geometry, method):
    w = RNG.normal(size=(2, 3, *geometry.kernel))
    c, operator = tconv.sparse_matrix(geometry, w), tconv.linear_operator(geometry, w, method=method)
    assert isinstance(operator, LinearOperator)
    assert operator.shape == c.shape
    y, x = RNG.normal(size=c.shape[1]), RNG.normal(size=c.shape[0])
    np.testing.assert_allclose(operator.T @ x, c.T @ x, atol=1e-12)
    if not computes(method, "conv"):
        with pytest.raises(ValueError, match=rf'^conv: method "{method}" computes conv_transpose only\n'):
            operator @ y
        return
    np.testing.assert_allclose(operator @ y, c @ y, atol=1e-12)
    many = RNG.normal(size=(c.shape[1], 4))
    np.testing.assert_allclose(operator @ many, c @ many, atol=1e-12)
    assert (operator @ many[:, :0]).shape == (c.shape[0], 0)


def test_solver_inverts_a_convolution():
    geometry = tconv.Geometry.conv((8, 8), 3, padding=1)
    w = np.zeros((1, 1, 3, 3))
    w[0, 0] = [[0, 0.1, 0], [0.1, 1, 0.1], [0, 0.1, 0]]
    y = RNG.normal(size=64)
    operator = tconv.linear_operator(geometry, w)
    np.testing.assert_allclose(lsqr(operator, operator @ y, atol=1e-12, btol=1e-12)[0], y, atol=1e-8)


def test_later_changes_of_the_weights_do_not_reach_the_operator():
    w = np.ones((1, 1, 3))
    operator = tconv.linear_operator(tconv.Geometry.conv(5, 3), w)
    w[...] = 0
    assert (operator @ np.ones(5)).tolist() == [3, 3, 3]


def test_products_are_computed_in_the_dtype_of_both():
    geometry, v = tconv.Geometry.conv(6, 2, stride=2), np.arange(6) + 0.5
    for dtype in ("int8", "int64", "float16", "float32"):
        w = np.full((1, 1, 2), 100, dtype)
        operator = tconv.linear_operator(geometry, w)
        np.testing.assert_allclose(operator @ v, tconv.sparse_matrix(geometry, w) @ v)
        np.testing.assert_allclose(operator.T @ v[:3], tconv.sparse_matrix(geometry, w).T @ v[:3])
    assert (tconv.linear_operator(geometry, np.ones((1, 1, 2), "int32")) @ np.arange(6)).dtype == np.int64


def test_complex_vectors_are_refused():
    operator = tconv.linear_operator(tconv.Geometry.conv(6, 2, stride=2), np.ones((1, 1, 2)))
    with pytest.raises(TypeError, match=r"^linear_operator: the dtype of a product must be one of .*; got complex128$"):
        operator @ np.full(6, 1j)


def test_errors():
    geometry = tconv.Geometry.conv((4, 4), 3)
    with pytest.raises(ValueError) as error:
        tconv.sparse_matrix(geometry, np.ones((1, 1, 3, 2)))
    assert str(error.value) == (
        "sparse_matrix: w must have shape (Cin, Cout / groups, *kernel) with kernel (3, 3); got (1, 1, 3, 2)\n"
        "  called with geometry=fine 4x4 <-> coarse 2x2: kernel 3, stride 1, padding 0, "
        "w=float64 (1, 1, 3, 2), groups=1"
    )
    with pytest.raises(ValueError, match="groups must divide the channels of x, Cin = 3; got 2"):
        tconv.sparse_matrix(geometry, np.ones((3, 1, 3, 3)), groups=2)
    with pytest.raises(
        MemoryError, match=r"^sparse_matrix: the matrix must fit into memory, .* GiB; it would take .*GiB"
    ):
        tconv.sparse_matrix(tconv.Geometry.conv_transpose((2**16, 2**16), 3), np.ones((8, 8, 3, 3)))
    with pytest.raises(ValueError, match=r'^linear_operator: method must be one of "auto", "matrix"'):
        tconv.linear_operator(geometry, np.ones((1, 1, 3, 3)), method="fast")
    with pytest.raises(TypeError, match=r"^sparse_matrix: geometry must be a tconv.Geometry; got \(4, 4\)"):
        tconv.sparse_matrix((4, 4), np.ones((1, 1, 3, 3)))
