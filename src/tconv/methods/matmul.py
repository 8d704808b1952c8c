"""The matrix product of every method, and a sum of such products."""

from __future__ import annotations

import numpy as np

from tconv.problem import Array


def matmul(a: Array, b: Array, out: Array | None = None) -> Array:
    """(groups, m, k) @ (groups, k, n).

    Over a single k, as in depthwise layers, it is an outer product. There NumPy's multiplication is several times
    faster than the BLAS.
    """
    if a.shape[-1] == 1:
        return np.multiply(a, b, out=out)
    result: Array = np.matmul(a, b, out=out)
    return result


def accumulate(total: Array, a: Array, b: Array, *, first: bool) -> None:
    """Add the product to a total, whose contents the first one replaces."""
    if first:
        matmul(a, b, out=total)
    else:
        total += matmul(a, b)
