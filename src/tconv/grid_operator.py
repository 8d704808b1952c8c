"""A linear map between grids as SciPy's LinearOperator, which also takes grids in their own shape.

SciPy is loaded with this file: import it where an operator is made.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from math import prod
from typing import Any, TypeAlias

import numpy as np
from scipy.sparse.linalg import LinearOperator

from tconv import checks
from tconv.libraries import library_of
from tconv.problem import Array

#: From several grids (k, *dims) to as many (k, *dimsd).
Map: TypeAlias = Callable[[Array], Array]
#: Libraries whose arrays SciPy would compute.
LAZY = ("Dask", "xarray")


class GridOperator(LinearOperator):
    """A linear map and its adjoint, the conjugate transpose; `shape` is (cells of the result, cells of the argument).

    `op @ v`, `op.matvec(v)` and `op.rmatvec(u)` take vectors, as SciPy's solvers hand them over, and give vectors. They
    take arrays of shape `dims` (`rmatvec`: `dimsd`) too, and then give arrays of shape `dimsd` (`dims`). Where all
    channels are single, they may be left out: (*size) in place of (1, *size). A matrix with as many rows as a vector
    has entries is taken for columns of vectors, as SciPy does. `op.H` is the adjoint and `op.T` the transpose, with the
    shapes exchanged. PyLops finds `dims` and `dimsd` under these names.

    Dask arrays give Dask arrays, of which nothing is computed, where the map is `lazy`; else they are refused.
    Multiples, sums, products and powers of such maps are such maps; with other operators they are SciPy's, which
    computes Dask arrays.
    """

    dims: tuple[int, ...]  #: the shape of an argument
    dimsd: tuple[int, ...]  #: the shape of a result

    def __init__(
        self, ndim: int, dims: tuple[int, ...], dimsd: tuple[int, ...], dtype: Any, forward: Map, adjoint: Map,
        lazy: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(dtype, (prod(dimsd), prod(dims)))  # type: ignore[call-arg]  # stubs have SciPy's factory only
        self.dims, self.dimsd = dims, dimsd
        self._ndim, self._forward, self._backward, self._lazy = ndim, forward, adjoint, lazy

    def matvec(self, x: Any) -> Any:
        """The product with a vector, or with an array of shape `dims`, which gives one of shape `dimsd`."""
        if (lazily := self._lazily(x)) is not None:
            return lazily
        return super().matvec(x) if (grid := self._as_grid(x)) is None else grid

    def rmatvec(self, x: Any) -> Any:
        """The product of the adjoint with a vector, or with an array of shape `dimsd`, which gives one of `dims`."""
        return self._adjoint().matvec(x)

    def dot(self, x: Any) -> Any:
        """The product with a vector, a matrix, an array of shape `dims`, a number or another operator."""
        if _is_number(x):
            return self._times(x)
        if isinstance(x, GridOperator) and x.dimsd == self.dims:
            return self._after(x)
        if (lazily := self._lazily(x)) is not None:
            return lazily
        grid = None if isinstance(x, LinearOperator) else self._as_grid(x)
        return super().dot(x) if grid is None else grid

    def matmat(self, X: Any) -> Any:
        """The product with the columns of a matrix."""
        return super().matmat(X) if (lazily := self._lazily(X)) is None else lazily

    def __rmul__(self, x: Any) -> Any:
        return self._times(x) if _is_number(x) else self.__rmatmul__(x)

    def __rmatmul__(self, x: Any) -> Any:
        return super().__rmatmul__(x) if library_of(x).name not in LAZY else self.T.dot(x.T).T

    def __truediv__(self, x: Any) -> Any:
        return self._times(1 / x) if _is_number(x) else super().__truediv__(x)

    def __neg__(self) -> Any:
        return self._times(-1)

    def __add__(self, x: Any) -> Any:
        if not isinstance(x, GridOperator) or (x.dims, x.dimsd) != (self.dims, self.dimsd):
            return super().__add__(x)
        (forward, backward), (forward_of_x, backward_of_x) = self._maps, x._maps
        return self._made(
            self.dims, np.result_type(self.dtype, x.dtype),
            lambda grids: forward(grids) + forward_of_x(grids), lambda grids: backward(grids) + backward_of_x(grids),
            self._lazy and x._lazy,
        )  # fmt: skip

    def __pow__(self, p: Any) -> Any:
        if self.dims != self.dimsd or type(p) is not int or p < 1:
            return super().__pow__(p)
        return reduce(GridOperator._after, [self] * p)

    def _times(self, number: Any) -> GridOperator:
        forward, backward = self._maps
        return self._made(
            self.dims, np.result_type(self.dtype, number),
            lambda grids: number * forward(grids), lambda grids: np.conj(number) * backward(grids), self._lazy,
        )  # fmt: skip

    def _after(self, first: GridOperator) -> GridOperator:
        """The map that applies another one first."""
        (forward, backward), (forward_of_first, backward_of_first) = self._maps, first._maps
        return self._made(
            first.dims, np.result_type(self.dtype, first.dtype),
            lambda grids: forward(forward_of_first(grids)), lambda grids: backward_of_first(backward(grids)),
            self._lazy and first._lazy,
        )  # fmt: skip

    def _made(self, dims: tuple[int, ...], dtype: Any, forward: Map, adjoint: Map, lazy: bool) -> GridOperator:
        return GridOperator(self._ndim, dims, self.dimsd, dtype, forward, adjoint, lazy)

    @property
    def _maps(self) -> tuple[Map, Map]:
        return self._forward, self._backward

    def _lazily(self, x: Any) -> Any:
        """The product with a Dask array, in the shape that it would have of NumPy; None for other arrays.

        SciPy would make an array of NumPy of it first: compute it, and hold it in memory.
        """
        if (name := library_of(x).name) not in LAZY:
            return None
        single, single_result = (_without_channels(dims, self._ndim) for dims in (self.dims, self.dimsd))
        columns = x.ndim == 2 and x.shape[0] == self.shape[1]
        with checks.explained("GridOperator"):
            if name == "xarray":
                checks.wrong_type("x must be an array without labels; x.data is one")
            if not self._lazy:
                checks.wrong_type("x must be a NumPy array, which x.compute() makes; got a Dask array")
            if not columns and x.shape not in ((self.shape[1],), self.dims, single):
                checks.wrong(f"x must have shape {self.dims}, or be a vector of {self.shape[1]} entries; got {x.shape}")
        if columns:
            return self._forward(x.T.reshape(-1, *self.dims)).reshape(-1, self.shape[0]).T
        found: Any = self._forward(x.reshape(1, *self.dims))[0]
        if x.shape == self.dims:
            return found
        return found.reshape(-1) if x.ndim == 1 else found.reshape(single_result or self.dimsd)

    def _as_grid(self, x: Any) -> Array | None:
        """The product with an array in the shape of a grid; None where it is for SciPy."""
        shape = getattr(x, "shape", None)
        if not isinstance(x, np.ndarray) or x.ndim == 1 or (x.ndim == 2 and x.shape[0] == self.shape[1]):
            return None
        if shape == self.dims:
            return self._of_one(x)
        if shape == _without_channels(self.dims, self._ndim):
            found = self._of_one(x)
            return found.reshape(_without_channels(self.dimsd, self._ndim) or self.dimsd)
        if x.ndim > 2 or (x.ndim == 2 and self._ndim >= 2):
            with checks.explained("GridOperator"):
                checks.wrong(f"x must have shape {self.dims}, or be a vector of {self.shape[1]} entries; got {shape}")
        return None

    def _matvec(self, x: Array) -> Array:
        return self._of_one(x).ravel()

    def _of_one(self, x: Array) -> Array:
        result: Array = self._forward(x.reshape(1, *self.dims))[0]
        return result

    def _matmat(self, X: Array) -> Array:
        grids = np.ascontiguousarray(X.T).reshape(X.shape[1], *self.dims)
        return self._forward(grids).reshape(X.shape[1], self.shape[0]).T

    def _adjoint(self) -> GridOperator:
        return GridOperator(self._ndim, self.dimsd, self.dims, self.dtype, self._backward, self._forward, self._lazy)

    def _transpose(self) -> GridOperator:
        forward, backward = self._forward, self._backward
        return GridOperator(
            self._ndim, self.dimsd, self.dims, self.dtype,
            lambda grids: backward(grids.conj()).conj(), lambda grids: forward(grids.conj()).conj(), self._lazy,
        )  # fmt: skip


def _without_channels(shape: tuple[int, ...], ndim: int) -> tuple[int, ...] | None:
    """The size alone, where all that stands before it is single; None elsewhere."""
    return shape[-ndim:] if prod(shape[:-ndim]) == 1 else None


def _is_number(x: Any) -> bool:
    return bool(np.isscalar(x))
