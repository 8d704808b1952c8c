"""The matrix C of a convolution itself: stored as a sparse matrix, or as an operator that only multiplies."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from tconv import arrays, checks, ops
from tconv.geometry import Geometry, check_geometry
from tconv.hints import shapes as hints
from tconv.methods import METHODS
from tconv.methods.matrix import weighted
from tconv.problem import Array

if TYPE_CHECKING:
    from scipy.sparse import csr_array
    from scipy.sparse.linalg import LinearOperator


def sparse_matrix(geometry: Geometry, w: Array, *, groups: int = 1) -> csr_array:
    """The matrix C of the convolution with weights w, as a scipy.sparse.csr_array.

    `C @ y.ravel()` is `conv(y, w)` and `C.T @ x.ravel()` is `conv_transpose(x, w)`, for one image, channels first. C
    has a row for every channel and cell of the coarse grid and a column for every channel and cell of the fine grid. It
    stores an element for every tap that lands inside, also where the weight is zero. w has shape
    (Cin, Cout / groups, *kernel); float16 is stored as float32, every other dtype as it is.

    Raises ValueError, TypeError, or MemoryError where the stored elements do not fit into memory.

    >>> import numpy as np, tconv
    >>> geometry = tconv.Geometry.conv((4, 4), 3)
    >>> c = tconv.sparse_matrix(geometry, np.ones((1, 1, 3, 3)))
    >>> c.shape, c.nnz
    ((4, 16), 36)
    """
    with checks.explained("sparse_matrix", lambda: f"geometry={geometry}, w={arrays.summary(w)}, groups={groups!r}"):
        dtype, grouped = _grouped(geometry, w, groups)
        stored = geometry.work(w.shape[0], w.shape[1] * groups, groups=groups).multiplications
        checks.fits_memory("the matrix", stored * (dtype.itemsize + 8))
    return weighted(geometry, grouped.astype(dtype))


def linear_operator(geometry: Geometry, w: Array, *, groups: int = 1, method: str = "auto") -> LinearOperator:
    """The matrix C as a scipy.sparse.linalg.LinearOperator: nothing is stored, every product is a convolution.

    Its `matvec` is `conv` and its `rmatvec` is `conv_transpose`, by the given method; shapes, dtypes and errors are
    those of `sparse_matrix`. A product is computed in the dtype that NumPy gives to one of w and the vector; complex
    vectors raise TypeError. Made for iterative solvers, deconvolution by least squares for example:

    >>> import numpy as np, tconv
    >>> from scipy.sparse.linalg import lsqr
    >>> c = tconv.linear_operator(tconv.Geometry.conv(6, 2, stride=2), np.ones((1, 1, 2)))
    >>> lsqr(c, np.array([2.0, 4.0, 6.0]))[0]
    array([1., 1., 2., 2., 3., 3.])
    """
    with checks.explained("linear_operator", lambda: f"geometry={geometry}, w={arrays.summary(w)}, groups={groups!r}"):
        checks.choice("method", method, ("auto", *METHODS))
        dtype, _ = _grouped(geometry, w, groups)
        weights = w.astype(dtype)
    from scipy.sparse.linalg import LinearOperator

    cin, cout = w.shape[0], w.shape[1] * groups
    rows, cells = cin * prod(geometry.coarse), cout * prod(geometry.fine)
    keywords: dict[str, Any] = {**geometry.keywords, "groups": groups, "method": method}

    def down(columns: Array) -> Array:
        both = _common_dtype(dtype, columns)
        images = np.ascontiguousarray(columns.T, both).reshape(columns.shape[1], cout, *geometry.fine)
        return ops.conv(images, weights.astype(both, copy=False), **keywords).reshape(columns.shape[1], rows).T

    def up(columns: Array) -> Array:
        both = _common_dtype(dtype, columns)
        images = np.ascontiguousarray(columns.T, both).reshape(columns.shape[1], cin, *geometry.coarse)
        return (
            ops.conv_transpose(images, weights.astype(both, copy=False), **keywords).reshape(columns.shape[1], cells).T
        )

    return LinearOperator(
        shape=(rows, cells),
        dtype=dtype,
        matvec=lambda y: down(y.reshape(-1, 1)).ravel(),
        rmatvec=lambda x: up(x.reshape(-1, 1)).ravel(),
        matmat=down,
        rmatmat=up,
    )


def _common_dtype(dtype: np.dtype[Any], vectors: Array) -> np.dtype[Any]:
    """What a product of the weights and these vectors is computed in."""
    with checks.explained("linear_operator"):
        return np.dtype(
            arrays.DTYPES[arrays.dtype_name("the dtype of a product", np.result_type(dtype, vectors.dtype))]
        )


def _grouped(geometry: Geometry, w: Array, groups: int) -> tuple[np.dtype[Any], Array]:
    """The dtype of the matrix, and the weights with their groups split off."""
    check_geometry(geometry)
    arrays.array("w", w)
    dtype = np.dtype(arrays.DTYPES[arrays.dtype_name("the dtype of w", w.dtype)])
    if w.shape[2:] != geometry.kernel or 0 in w.shape:
        hint = hints.order_of(w.shape, lambda shape: shape[2:] == geometry.kernel)
        hint = hint or (hints.kernel_alone(w.shape) if w.shape == geometry.kernel else "")
        must = f"w must have shape (Cin, Cout / groups, *kernel) with kernel {geometry.kernel}"
        checks.wrong(f"{must}; got {w.shape}{hint}")
    groups = checks.integer("groups", groups, 1)
    checks.divides("groups", groups, "the channels of x, Cin", w.shape[0])
    return dtype, w.reshape(groups, w.shape[0] // groups, *w.shape[1:])
