"""The matrix C of a convolution itself: stored as a sparse matrix, or as an operator that only multiplies.

And the other matrix of a convolution, which multiplies its kernel where the grid is what is known.
"""

from __future__ import annotations

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

    from tconv.grid_operator import GridOperator


def sparse_matrix(geometry: Geometry, w: Array, *, groups: int = 1) -> csr_array:
    """The matrix C of the convolution with weights w, as a scipy.sparse.csr_array.

    `C @ y.ravel()` is `conv(y, w)` and `C.T @ x.ravel()` is `conv_transpose(x, w)`, for one image, channels first. C
    has a row for every channel and cell of the coarse grid and a column for every channel and cell of the fine grid. It
    stores an element for every tap that lands inside, also where the weight is zero. w has shape
    (Cin, Cout / groups, *kernel); float16 is stored as float32, every other dtype as it is. Of complex weights the
    adjoint is `C.T.conj()`, and `C.T` the transpose.

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


def linear_operator(geometry: Geometry, w: Array, *, groups: int = 1, method: str = "auto") -> GridOperator:
    """The matrix C as a scipy.sparse.linalg.LinearOperator: nothing is stored, every product is a convolution.

        C @ y = conv(y, w)        C.H @ x = conv_transpose(x, conj(w))        C.T @ x = conv_transpose(x, w)

    by the given method; shapes, dtypes and errors are those of `sparse_matrix`. `rmatvec` is the product with `C.H`,
    the adjoint. Vectors are flat, as SciPy's solvers hand them over; arrays of shape `dims`, (Cout, *fine), give
    arrays of shape `dimsd`, (Cin, *coarse), and (*fine) gives (*coarse) where there is one channel each. PyLops takes
    the operator with these shapes: `pylops.aslinearoperator(C)`. Of a Dask array the product is one, and is not
    computed.

    A product is computed in the dtype that NumPy gives to one of w and the vector, complex where one of them is. Made
    for iterative solvers, deconvolution by least squares for example:

    >>> import numpy as np, tconv
    >>> from scipy.sparse.linalg import lsqr
    >>> c = tconv.linear_operator(tconv.Geometry.conv(6, 2, stride=2), np.ones((1, 1, 2)))
    >>> lsqr(c, np.array([2.0, 4.0, 6.0]))[0]
    array([1., 1., 2., 2., 3., 3.])
    >>> c.H @ np.array([[2.0, 4.0, 6.0]])  # in the shape of a grid, (Cin, *coarse)
    array([[2., 2., 4., 4., 6., 6.]])
    """
    with checks.explained("linear_operator", lambda: f"geometry={geometry}, w={arrays.summary(w)}, groups={groups!r}"):
        checks.choice("method", method, ("auto", *METHODS))
        dtype, _ = _grouped(geometry, w, groups)
        weights = w.astype(dtype)
    from tconv.grid_operator import GridOperator

    cin, cout = w.shape[0], w.shape[1] * groups
    keywords: dict[str, Any] = {**geometry.keywords, "groups": groups, "method": method}

    def product(operation: Any, images: Array, weights: Array) -> Array:
        if not isinstance(images, np.ndarray):  # of Dask: nothing is computed
            both = _common_dtype("linear_operator", dtype, images)
            return operation(images.astype(both), weights.astype(both), **keywords)
        if images.dtype.kind == "c" and weights.dtype.kind != "c":  # two real products in place of four
            parts = product(operation, np.concatenate((images.real, images.imag)), weights)
            found = np.empty((len(images), *parts.shape[1:]), np.result_type(parts, np.complex64))
            found.real, found.imag = parts[: len(images)], parts[len(images) :]
            return found
        both = _common_dtype("linear_operator", dtype, images)
        result: Array = operation(np.ascontiguousarray(images, both), weights.astype(both, copy=False), **keywords)
        return result

    return GridOperator(
        geometry.ndim, (cout, *geometry.fine), (cin, *geometry.coarse), dtype,
        lambda images: product(ops.conv, images, weights),
        lambda images: product(ops.conv_transpose, images, weights.conj()), lazy=True,
    )  # fmt: skip


def kernel_operator(
    geometry: Geometry, y: Array, *, in_channels: int = 1, groups: int = 1, method: str = "auto"
) -> GridOperator:
    """The linear map from a kernel to the convolution of y with it, as a scipy.sparse.linalg.LinearOperator.

        K @ w = conv(y, w)        K.H @ x = weight_gradient(x, conj(y))

    It is to w what `linear_operator` is to y, and solves for the kernel where both grids are known. In blind
    deconvolution, where only x is, the two take turns.

    Args:
        geometry: of the convolution; its kernel is the size of w.
        y: (N, Cout, *fine), or (Cout, *fine), or (*fine), which is one channel.
        in_channels: Cin, the channels of conv(y, w).
        groups, method: as in `tconv.conv`.

    `dims` is (Cin, Cout / groups, *kernel), the shape of w, and `dimsd` that of conv(y, w); flat vectors are taken and
    given too, and (*kernel) alone where channels are single. Dtypes are as in `linear_operator`. Raises ValueError or
    TypeError where an argument is wrong.

    >>> import numpy as np, tconv
    >>> from scipy.sparse.linalg import lsqr
    >>> geometry = tconv.Geometry.conv(6, 2)
    >>> y = np.array([1.0, 4.0, 2.0, 0.0, 3.0, 1.0])
    >>> x = tconv.conv(y[None], np.array([[[0.25, 0.75]]]))[0]  # blurred
    >>> k = tconv.kernel_operator(geometry, y)
    >>> lsqr(k, x)[0].round(6)
    array([0.25, 0.75])
    """
    shown = f"in_channels={in_channels!r}, groups={groups!r}"
    with checks.explained("kernel_operator", lambda: f"geometry={geometry}, y={arrays.summary(y)}, {shown}"):
        checks.choice("method", method, ("auto", *METHODS))
        grid, batch = _of_fine(geometry, y)
        cin, groups = checks.integer("in_channels", in_channels, 1), checks.integer("groups", groups, 1)
        cout = grid.shape[1]
        checks.divides("groups", groups, "in_channels, Cin", cin)
        checks.divides("groups", groups, "the channels of y, Cout", cout)
        dtype = grid.dtype
    from tconv.grid_operator import GridOperator

    keywords: dict[str, Any] = {**geometry.keywords, "groups": groups, "method": method}
    dims, dimsd = (cin, cout // groups, *geometry.kernel), (*batch, cin, *geometry.coarse)
    images = (len(grid), *dimsd[-1 - geometry.ndim :])

    def down(kernels: Array) -> Array:
        both = _common_dtype("kernel_operator", dtype, kernels)
        of_y, of_w = grid.astype(both, copy=False), np.ascontiguousarray(kernels, both)
        found = [ops.conv(of_y, w, **keywords).reshape(dimsd) for w in of_w]
        return np.stack(found) if found else np.empty((0, *dimsd), both)

    def gradient(grids: Array) -> Array:
        both = _common_dtype("kernel_operator", dtype, grids)
        of_y, of_x = grid.conj().astype(both, copy=False), np.ascontiguousarray(grids, both)
        found = [ops.weight_gradient(x.reshape(images), of_y, geometry.kernel, **keywords) for x in of_x]
        return np.stack(found) if found else np.empty((0, *dims), both)

    return GridOperator(geometry.ndim, dims, dimsd, dtype, down, gradient)


def _of_fine(geometry: Geometry, y: Array) -> tuple[Array, tuple[int, ...]]:
    """A copy of y as (N, Cout, *fine) in the dtype that is computed in, and its batch as an axis, or none."""
    check_geometry(geometry)
    arrays.array("y", y)
    dtype = np.dtype(arrays.DTYPES[arrays.dtype_name("the dtype of y", y.dtype)])
    arrays.trailing_shape("y", y.shape, "fine", geometry.fine)
    lead = y.shape[: y.ndim - geometry.ndim]
    if len(lead) > 2 or 0 in y.shape:
        checks.wrong(f"y must have shape (N, Cout, *fine), (Cout, *fine) or (*fine) and no empty axis; got {y.shape}")
    batch, channels = lead[:-1], lead[-1] if lead else 1
    return y.astype(dtype).reshape(*(batch or (1,)), channels, *geometry.fine), batch


def _common_dtype(name: str, dtype: np.dtype[Any], vectors: Array) -> np.dtype[Any]:
    """What a product with these vectors is computed in by the operator of that name."""
    with checks.explained(name):
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
