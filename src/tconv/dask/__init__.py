"""Transposed convolution of arrays larger than memory: block by block on Dask, of Dask arrays and xarray's.

The three operations are called as `tconv.dask.conv_transpose`, `conv` and `weight_gradient`, or as those of `tconv` on
Dask arrays; `store` computes a result into an array that is there. All of it is imported when it is first asked for,
and needs Dask.
"""

# ruff: noqa: E402 - what is missing is said before anything is imported that needs it
from tconv import extras

extras.need("dask", "Dask", "dask")

from tconv.dask.functional import conv, conv_transpose, weight_gradient
from tconv.dask.storing import store

__all__ = ["conv_transpose", "conv", "weight_gradient", "store"]
