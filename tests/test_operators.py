"""C as a sparse matrix and as a linear operator: the same numbers as the definition, and what solvers need."""

import numpy as np
import pytest
from definition import links_of
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


def complex_numbers(*shape):
    return RNG.normal(size=shape) + 1j * RNG.normal(size=shape)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("geometry", GEOMETRIES[::3])
def test_complex_matrix_is_the_definition_and_its_adjoint_is_conjugate(geometry, groups):
    w = complex_numbers(2 * groups, 2, *geometry.kernel)
    c, dense = tconv.sparse_matrix(geometry, w, groups=groups), dense_matrix(geometry, w, groups)
    assert c.dtype == "complex128"
    np.testing.assert_array_equal(c.toarray(), dense)
    operator = tconv.linear_operator(geometry, w, groups=groups)
    y, x = complex_numbers(dense.shape[1]), complex_numbers(dense.shape[0])
    np.testing.assert_allclose(operator @ y, dense @ y, atol=1e-11)
    np.testing.assert_allclose(operator.rmatvec(x), dense.conj().T @ x, atol=1e-11)
    np.testing.assert_allclose(operator.H @ x, dense.conj().T @ x, atol=1e-11)
    np.testing.assert_allclose(operator.T @ x, dense.T @ x, atol=1e-11)
    np.testing.assert_allclose(operator.T.H @ y, dense.conj() @ y, atol=1e-11)
    np.testing.assert_allclose(operator.H.H @ y, dense @ y, atol=1e-11)
    np.testing.assert_allclose(operator.rmatmat(np.stack((x, 1j * x), 1))[:, 1], 1j * (dense.conj().T @ x), atol=1e-11)
    np.testing.assert_allclose((2j * operator).rmatvec(x), -2j * (dense.conj().T @ x), atol=1e-11)


def test_complex_vectors_of_a_real_operator_keep_both_parts():
    geometry = tconv.Geometry.conv((6, 5), 3, stride=2, padding=1)
    for dtype, both in (("float32", "complex64"), ("float64", "complex128")):
        w = RNG.normal(size=(2, 3, 3, 3)).astype(dtype)
        operator, dense = tconv.linear_operator(geometry, w), dense_matrix(geometry, w)
        y, x = (complex_numbers(size).astype(both) for size in reversed(dense.shape))
        assert (operator @ y).dtype == operator.rmatvec(x).dtype == both
        np.testing.assert_allclose(operator @ y, dense @ y, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(operator.rmatvec(x), dense.T @ x, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 3), (1, 1)], ids=["channels", "one channel"])
def test_grids_come_and_go_in_their_own_shape(shape):
    geometry = tconv.Geometry.conv((6, 5), 3, stride=2, padding=1)
    w = complex_numbers(*shape, 3, 3)
    operator = tconv.linear_operator(geometry, w)
    assert (operator.dims, operator.dimsd) == ((shape[1], 6, 5), (shape[0], 3, 3))
    y, x = complex_numbers(*operator.dims), complex_numbers(*operator.dimsd)
    down, up = tconv.conv(y, w, **geometry.keywords), tconv.conv_transpose(x, w.conj(), **geometry.keywords)
    for found in (operator @ y, operator * y, operator(y), operator.matvec(y), operator.dot(y), operator.H.rmatvec(y)):
        np.testing.assert_array_equal(found, down)
    for found in (operator.H @ x, operator.rmatvec(x), operator.H(x), operator.H * x):
        np.testing.assert_array_equal(found, up)
    np.testing.assert_allclose(operator @ y.ravel(), down.ravel(), atol=1e-13)
    if shape == (1, 1):
        np.testing.assert_array_equal(operator @ y[0], down[0])
        np.testing.assert_array_equal(operator.rmatvec(x[0]), up[0])


def test_a_matrix_is_taken_for_columns():
    """Where a shape may be read both ways, as SciPy reads it."""
    operator = tconv.linear_operator(tconv.Geometry.conv((6, 1), 1), np.full((1, 1, 1, 1), 2.0))
    assert (operator @ np.ones((6, 1))).shape == (6, 1)
    many = tconv.linear_operator(tconv.Geometry.conv(6, 2), np.ones((1, 1, 2)))
    assert (many @ np.ones((6, 3))).shape == (5, 3)
    with pytest.raises(ValueError) as error:
        many @ np.ones((1, 1, 6))
    assert str(error.value) == "GridOperator: x must have shape (1, 6), or be a vector of 6 entries; got (1, 1, 6)"
    with pytest.raises(ValueError, match="dimension mismatch"):
        many.matvec(np.ones((7, 6)))


def kernel_matrix(geometry, y, cin, groups):
    """The matrix of kernel_operator, entry by entry: K[(n, i, c), (i, o, t)] = y[n, o, c * stride - low + ...]."""
    cout = y.shape[1] // groups
    found = np.zeros((len(y), cin, *geometry.coarse, cin, cout, *geometry.kernel), y.dtype)
    for c, t, fine in links_of(geometry):
        for i in range(cin):
            first = i // (cin // groups) * cout
            found[(slice(None), i, *c, i, slice(None), *t)] = y[(slice(None), slice(first, first + cout), *fine)]
    return found.reshape(len(y) * cin * np.prod(geometry.coarse), -1)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("geometry", GEOMETRIES[::4])
def test_kernel_operator_is_the_definition(geometry, groups):
    y = complex_numbers(2, 2 * groups, *geometry.fine)
    dense = kernel_matrix(geometry, y, 2 * groups, groups)
    operator = tconv.kernel_operator(geometry, y, in_channels=2 * groups, groups=groups)
    assert operator.shape == dense.shape
    assert operator.dims == (2 * groups, 2, *geometry.kernel)
    assert operator.dimsd == (2, 2 * groups, *geometry.coarse)
    w, x = complex_numbers(dense.shape[1]), complex_numbers(dense.shape[0])
    np.testing.assert_allclose(operator @ w, dense @ w, atol=1e-11)
    np.testing.assert_allclose(operator.rmatvec(x), dense.conj().T @ x, atol=1e-11)
    np.testing.assert_allclose(operator.T @ x, dense.T @ x, atol=1e-11)
    np.testing.assert_allclose(
        operator @ np.stack((w, 2 * w), 1), np.stack((dense @ w, 2 * (dense @ w)), 1), atol=1e-10
    )
    assert (operator @ np.ones((len(w), 0))).shape == (len(x), 0)
    grid = operator @ w.reshape(operator.dims)
    np.testing.assert_allclose(grid, (dense @ w).reshape(operator.dimsd), atol=1e-11)


@every_method
def test_kernel_operator_by_every_method(method):
    geometry = tconv.Geometry.conv((6, 5), 3, stride=2, padding=1)
    y = RNG.normal(size=geometry.fine)
    operator = tconv.kernel_operator(geometry, y, method=method)
    assert (operator.dims, operator.dimsd) == ((1, 1, 3, 3), (1, 3, 3))
    w = RNG.normal(size=(3, 3))
    assert (operator @ w).shape == (3, 3)
    np.testing.assert_allclose(operator @ w, tconv.conv(y[None], w[None, None], **geometry.keywords)[0], atol=1e-12)
    assert tconv.dot_test(operator.matvec, operator.rmatvec, (3, 3), (3, 3))
    complex_kernel = tconv.dot_test(operator.matvec, operator.rmatvec, (3, 3), (3, 3), dtype="complex128")
    assert complex_kernel


def test_kernel_operator_finds_a_kernel():
    geometry = tconv.Geometry.conv((20, 20), 5, stride=2)
    y, w = RNG.normal(size=(20, 20)), RNG.normal(size=(5, 5))
    operator = tconv.kernel_operator(geometry, y)
    found = lsqr(operator, (operator @ w).ravel(), atol=1e-13, btol=1e-13)[0]
    np.testing.assert_allclose(found.reshape(5, 5), w, atol=1e-8)


def test_later_changes_of_the_grid_do_not_reach_the_operator():
    y = np.ones(5)
    operator = tconv.kernel_operator(tconv.Geometry.conv(5, 3), y)
    y[...] = 0
    assert (operator @ np.ones(3)).tolist() == [3, 3, 3]


def test_errors_of_kernel_operator():
    geometry = tconv.Geometry.conv((4, 4), 3)
    called = "\n  called with geometry=fine 4x4 <-> coarse 2x2: kernel 3, stride 1, padding 0, y=float64 (3, 4), "
    with pytest.raises(ValueError) as error:
        tconv.kernel_operator(geometry, np.ones((3, 4)))
    reason = "kernel_operator: y must have a shape that ends in the fine size (4, 4); got (3, 4)"
    assert str(error.value) == f"{reason}{called}in_channels=1, groups=1"
    with pytest.raises(
        ValueError, match=r"^kernel_operator: y must have shape \(N, Cout, \*fine\), .*; got \(1, 1, 1, 4"
    ):
        tconv.kernel_operator(geometry, np.ones((1, 1, 1, 4, 4)))
    with pytest.raises(ValueError, match=r"^kernel_operator: in_channels must be an integer of at least 1; got 0"):
        tconv.kernel_operator(geometry, np.ones((4, 4)), in_channels=0)
    with pytest.raises(ValueError, match=r"^kernel_operator: groups must divide in_channels, Cin = 1; got 2"):
        tconv.kernel_operator(geometry, np.ones((2, 4, 4)), groups=2)
    with pytest.raises(ValueError, match=r"^kernel_operator: groups must divide the channels of y, Cout = 3; got 2"):
        tconv.kernel_operator(geometry, np.ones((3, 4, 4)), in_channels=2, groups=2)
    with pytest.raises(TypeError, match=r"^kernel_operator: y must be a NumPy array; got \[1\]"):
        tconv.kernel_operator(geometry, [1])
    with pytest.raises(ValueError, match=r'^kernel_operator: method must be one of "auto", "matrix"'):
        tconv.kernel_operator(geometry, np.ones((4, 4)), method="fast")


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


def test_vectors_of_one_channel_stay_vectors():
    one = tconv.linear_operator(tconv.Geometry.conv(12, 3, stride=2), np.ones((2, 1, 3)))
    assert (one @ np.ones(12)).shape == (10,)
    assert (one.H @ np.ones(10)).shape == (12,)
    batch = tconv.kernel_operator(tconv.Geometry.conv(12, 3), np.ones((4, 1, 12)))
    assert (batch @ np.ones(3)).shape == (40,)


def test_an_infinite_part_stays_in_its_part():
    operator = tconv.linear_operator(tconv.Geometry.conv(6, 2), np.ones((1, 1, 2)))
    with np.errstate(all="raise"):
        found = operator @ np.array([1, 2, complex(3, np.inf), 4, 5, 6])
    assert found.real.tolist() == [3, 5, 7, 9, 11]
